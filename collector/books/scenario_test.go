package books_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

var update = flag.Bool("update", false, "write docs/accounting.md from the scenarios")

// page is the documentation that is made of the scenarios.
var page = filepath.Join("..", "..", "docs", "accounting.md")

// scenario is one worked entry: what the tills stated, and the journal.
type scenario struct {
	name      string // stable, of the test
	title     string
	facts     string // what happened, for the reader
	mapping   func(*books.Mapping)
	choice    string // what of the mapping matters, for the reader
	documents []*document.Document
	originals []*document.Document
	overShort []books.DrawerDifference
	days      [][]*document.Document // several days, each an entry of its own
	events    []books.Event          // what happened to money outside the tills: one more entry
	journal   string
	leaves    map[string]string // what some accounts hold after all entries, debit positive
	source    string            // of the treatment, for the reader
	questions []string          // codes of the problems, where the day waits
}

// build makes every entry of the scenario and returns their lines one after the
// other, as one entry.
func (s scenario) build(t testing.TB) (books.Entry, []books.Problem) {
	t.Helper()
	m := ukMapping(t, s.mapping)
	days := s.days
	if days == nil && (s.events == nil || s.documents != nil) {
		days = [][]*document.Document{s.documents}
	}
	all := books.Entry{Currency: m.Currency, Lines: []books.Line{}}
	var questions []books.Problem
	for _, documents := range days {
		in := day(m, documents...)
		in.OverShort = s.overShort
		in.Originals = map[string]*document.Document{}
		for _, d := range s.originals {
			in.Originals[d.Key.String()] = d
		}
		entry, problems := books.Build(in)
		wantSound(t, entry)
		all.Lines, questions = append(all.Lines, entry.Lines...), append(questions, problems...)
	}
	if s.events != nil {
		entry, problems := books.BuildEvents(happened(m, s.events...))
		wantSound(t, entry)
		all.Lines, questions = append(all.Lines, entry.Lines...), append(questions, problems...)
	}
	return all, questions
}

// balances checks what the accounts hold after all entries of a scenario.
func (s scenario) balances(t testing.TB, entry books.Entry) {
	t.Helper()
	places, err := money.Places(entry.Currency)
	if err != nil {
		t.Fatal(err)
	}
	for account, want := range s.leaves {
		var sum money.Minor
		for _, l := range entry.Lines {
			if l.Account == account {
				sum += l.Signed()
			}
		}
		if got := sum.Format(places); got != want {
			t.Errorf("%s holds %s, want %s", account, got, want)
		}
	}
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, chapter := range chapters() {
		for _, s := range chapter.scenarios {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				entry, problems := s.build(t)
				wantJournal(t, entry, s.journal)
				s.balances(t, entry)
				var codes []string
				for _, p := range problems {
					codes = append(codes, p.Code)
				}
				if got, want := strings.Join(codes, " "), strings.Join(s.questions, " "); got != want {
					t.Errorf("problems are %q, want %q: %+v", got, want, problems)
				}
			})
		}
	}
}

func TestScenarioNamesAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, chapter := range chapters() {
		for _, s := range chapter.scenarios {
			if seen[s.name] {
				t.Errorf("two scenarios are called %s", s.name)
			}
			seen[s.name] = true
		}
	}
}

func TestThePageIsMadeOfTheScenarios(t *testing.T) {
	want := accountingPage(t)
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s differs from the scenarios; run: go test ./collector/books -update", page)
	}
}

func accountingPage(t testing.TB) string {
	t.Helper()
	var out strings.Builder
	out.WriteString(pageHead)
	mapping, err := os.ReadFile(filepath.Join("testdata", "uk.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, chapter := range chapters() {
		fmt.Fprintf(&out, "\n## %s\n", chapter.title)
		for _, s := range chapter.scenarios {
			entry, problems := s.build(t)
			fmt.Fprintf(&out, "\n### %s\n\n%s\n", s.title, s.facts)
			if s.choice != "" {
				fmt.Fprintf(&out, "\nMapping: %s\n", s.choice)
			}
			if len(entry.Lines) == 0 {
				out.WriteString("\nNothing is booked.\n")
			} else {
				out.WriteString("\n```\n" + align(t, s.journal, entry) + "```\n")
			}
			for _, account := range slices.Sorted(maps.Keys(s.leaves)) {
				fmt.Fprintf(&out, "\n%s then holds %s.\n", account, s.leaves[account])
			}
			for _, p := range problems {
				fmt.Fprintf(&out, "\nThe day waits: %s\n", p.Text)
			}
			if source := cmp.Or(s.source, sources()[s.name]); source != "" {
				fmt.Fprintf(&out, "\nSource: %s\n", source)
			}
		}
	}
	countriesOnPage(t, &out)
	out.WriteString("\n## The mapping of these examples\n\n```yaml\n" + string(mapping) + "```\n")
	return out.String()
}

// align writes a journal with its amounts under each other, and beside each line
// of the entry that bears tax its code, amount, base and direction.
func align(t testing.TB, text string, entry books.Entry) string {
	t.Helper()
	var out strings.Builder
	rows, taken := journal(t, entry.Lines), map[int]bool{}
	places, err := money.Places(entry.Currency)
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(strings.TrimSpace(text)) {
		fields := strings.Fields(row)
		if len(fields) == 0 {
			out.WriteString("\n")
			continue
		}
		last := len(fields) - 1
		fmt.Fprintf(&out, "%s %-34s %10s", fields[0], strings.Join(fields[1:last], " "), fields[last])
		for i, l := range entry.Lines {
			if rows[i] == strings.Join(fields, " ") && !taken[i] {
				taken[i] = true
				if l.Tax != nil {
					fmt.Fprintf(&out, "   %s %s on %s, %s", l.Tax.Code, l.Tax.Amount.Format(places), l.Tax.Base.Format(places), strings.ToLower(l.Tax.Direction))
				}
				break
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

const pageHead = `# How sales become book entries

This page is written by the tests of collector/books: every journal below is what
the program books for the facts above it, and a test fails when it is not. To
change the page, change a scenario and run

    go test ./collector/books -update

A store-day becomes one entry. Its lines are grouped by account, sale or return,
tax and dimensions; blocks below only set apart what belongs together. Beside a
line that bears tax stand the tax code of the books, the tax and its base. Sales and
returns are never netted, nor is their tax. What the till printed is taken over:
tax and rounding are not worked out again. Money that belongs to others is a
liability. Where the mapping does not say where an amount belongs, nothing is
guessed: the day waits with one question.

What is no store-day (a payout, a banking, a dispute, a loan) is an entry of its
own. What comes to the bank is booked only where the mapping says so
(post_payouts): else the merchant codes the bank's own lines, and both would count
the money twice.

Tax treatment differs between countries. What is shown is general practice with
the example mapping at the end; the merchant's accountant decides. A source is the
law or standard that the treatment follows; where none is named it is practice.
Each country's own rules stand under [Countries](#countries).
`

type chapter struct {
	title     string
	scenarios []scenario
}
