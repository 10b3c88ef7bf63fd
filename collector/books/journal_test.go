package books_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/money"
)

// journal writes lines in the notation of scenarios: `Dr Cash on hand 60.00`.
func journal(t testing.TB, lines []books.Line) []string {
	t.Helper()
	texts := make([]string, len(lines))
	for i, l := range lines {
		places, err := money.Places(l.Currency)
		if err != nil {
			t.Fatal(err)
		}
		side := "Dr"
		if l.Side == books.Credit {
			side = "Cr"
		}
		account := l.Account
		if account == "" {
			account = "? " + string(l.Role)
		}
		texts[i] = side + " " + account + " " + l.Amount.Format(places)
	}
	return texts
}

// parseJournal reads `Dr Account name   12.00` lines; blocks apart are one
// journal. Spaces do not count.
func parseJournal(text string) ([]string, error) {
	var lines []string
	for row := range strings.Lines(text) {
		fields := strings.Fields(row)
		if len(fields) == 0 {
			continue
		}
		if len(fields) < 3 || fields[0] != "Dr" && fields[0] != "Cr" {
			return nil, fmt.Errorf("%q is not a line of a journal: Dr or Cr, an account, an amount", strings.TrimSpace(row))
		}
		if _, err := money.Parse(fields[len(fields)-1]); err != nil {
			return nil, fmt.Errorf("%q: %w", strings.TrimSpace(row), err)
		}
		lines = append(lines, strings.Join(fields, " "))
	}
	return lines, nil
}

// wantJournal compares an entry with a journal, whatever the order of its lines,
// and checks what holds for every entry.
func wantJournal(t testing.TB, entry books.Entry, journalText string) {
	t.Helper()
	want, err := parseJournal(journalText)
	if err != nil {
		t.Fatal(err)
	}
	got := journal(t, entry.Lines)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the entry is\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	wantSound(t, entry)
}

// wantSound checks the promises of every entry: it balances, every line has its
// rule, and the shares of its documents add up to it.
func wantSound(t testing.TB, entry books.Entry) {
	t.Helper()
	var sum money.Minor
	for _, l := range entry.Lines {
		sum += l.Signed()
		if l.Amount < 0 {
			t.Errorf("%s %s: amount %d is negative", l.Side, l.Account, l.Amount)
		}
		if l.Rule == "" {
			t.Errorf("%s %s has no rule", l.Side, l.Account)
		}
		var shares money.Minor
		for _, s := range l.Documents {
			shares += s.Amount
		}
		if shares != l.Amount {
			t.Errorf("%s %s: documents add up to %d, the line is %d", l.Side, l.Account, shares, l.Amount)
		}
		if !slices.IsSortedFunc(l.Documents, func(x, y books.Share) int { return strings.Compare(x.Key, y.Key) }) {
			t.Errorf("%s %s: documents are not sorted", l.Side, l.Account)
		}
	}
	if sum != 0 {
		t.Errorf("the entry is off balance by %d:\n\t%s", sum, strings.Join(journal(t, entry.Lines), "\n\t"))
	}
	if entry.Lines == nil {
		t.Error("lines are nil, so that JSON says null")
	}
}
