package text

import (
	"encoding/csv"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/targettest"
	"tillbook.example/tillbook/shared/money"
)

// The book-keeping programs are independent of this package: they must accept
// the books and come to the same sums.

func TestHledgerAcceptsTheBooksAndAddsUpTheSame(t *testing.T) {
	t.Parallel()
	need(t, "hledger")
	for _, currency := range []string{"EUR", "JPY", "KWD"} {
		folder, want := written(t, Hledger, currency)
		main := filepath.Join(folder, "main.journal")
		output(t, "hledger", "-f", main, "check", "--strict")
		rows := output(t, "hledger", "-f", main, "balance", "--begin", "2026-11-03", "--end", "2026-11-04", "--flat", "--empty", "--no-total", "-O", "csv")
		compare(t, currency, want, table(t, rows, "account"))
	}
}

func TestBeancountAcceptsTheBooksAndAddsUpTheSame(t *testing.T) {
	t.Parallel()
	need(t, "bean-check")
	need(t, "bean-query")
	for _, currency := range []string{"EUR", "JPY", "KWD"} {
		folder, want := written(t, Beancount, currency)
		main := filepath.Join(folder, "main.beancount")
		output(t, "bean-check", main)
		rows := output(t, "bean-query", "-f", "csv", main, "SELECT account, sum(number) AS total GROUP BY account")
		compare(t, currency, want, table(t, rows, "account"))
	}
}

func TestEmptyBooksAreAccepted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		format, program string
		arguments       []string
	}{
		{Hledger, "hledger", []string{"check", "--strict", "-f"}},
		{Beancount, "bean-check", nil},
	} {
		t.Run(test.program, func(t *testing.T) {
			need(t, test.program)
			b := openBooks(t, Options{Folder: t.TempDir(), Format: test.format, Currency: "EUR"})
			output(t, test.program, append(test.arguments, b.path("main"+b.format.extension()))...)
		})
	}
}

// written posts several payloads and returns the sum of each account.
func written(t *testing.T, format, currency string) (folder string, sums map[string]money.Minor) {
	t.Helper()
	o := Options{Folder: t.TempDir(), Format: format, Currency: currency}
	b := openBooks(t, o)
	h := targettest.Harness{Currency: currency, Accounts: names}
	day := targettest.Sample(h, "POS-S1-20261103")
	revised := targettest.Sample(h, "POS-S1-20261103-r2")
	revised.Reason = "late"
	revised.Lines = []target.Line{
		{Account: names[0], Amount: -505, Text: "Cash"},
		{Account: names[1], Amount: 505, Text: "Food", Tax: &target.Tax{Code: "V20", Base: 505, Amount: 0, Direction: "RETURN"}},
	}
	odd := targettest.Sample(h, "POS-S2-20261103")
	odd.Narration = `Café "Łódź" \ 東京; day 3, note: [2026-01-01] date:2020-13-99 | # ^link 5 EUR`
	for i := range odd.Lines {
		odd.Lines[i].Text = `"x"; date:2001-01-01, [2001-13-01] \n {1} a  5.00 EUR ;y`
	}
	other := targettest.Sample(h, "POS-S3-20261103")
	other.Lines[0].Account = "Assets:Café:3-Übung"
	sums = map[string]money.Minor{}
	for _, p := range []target.Payload{day, revised, odd, other} {
		if _, err := b.Post(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		for _, l := range p.Lines {
			sums[l.Account] += l.Amount
		}
	}
	return o.Folder, sums
}

func compare(t *testing.T, currency string, want map[string]money.Minor, rows [][]string) {
	t.Helper()
	places, err := money.Places(currency)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]money.Minor{}
	for _, row := range rows {
		if len(row) != 2 {
			t.Fatalf("row %q", row)
		}
		amount, err := minor(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(row[1]), currency)), places)
		if err != nil {
			t.Fatal(err)
		}
		got[strings.TrimSpace(row[0])] = amount
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: sums (-posted +read by the program):\n%s", currency, diff)
	}
}

// table reads rows of CSV without their heading.
func table(t *testing.T, text, heading string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(rows, func(row []string) bool { return strings.TrimSpace(row[0]) == heading })
}

func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skip("tool missing: " + program)
	}
}

func output(t *testing.T, program string, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Env = append(command.Environ(), "LC_ALL=C.UTF-8")
	out, err := command.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(arguments, " "), err, out, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
