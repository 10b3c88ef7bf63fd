package recipe

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/money"
)

func TestNumbersAreReadAsTillsWriteThem(t *testing.T) {
	t.Parallel()
	comma := Numbers{Decimal: ",", Thousands: "."}
	tests := []struct {
		numbers Numbers
		text    string
		ratio   bool
		want    string // empty: an error
	}{
		{Numbers{}, "12.50", false, "12.50"},
		{Numbers{}, ".57", false, "0.57"},
		{Numbers{}, "12.", false, "12.00"},
		{Numbers{}, "+3", false, "3.00"},
		{Numbers{}, "12.50-", false, "-12.50"},
		{Numbers{}, "−12.50", false, "-12.50"},
		{Numbers{}, "(12.50)", false, "-12.50"},
		{Numbers{}, "1 234.50", false, "1234.50"},
		{Numbers{}, "1,234.50", false, ""},
		{Numbers{Thousands: ","}, "1,234.50", false, "1234.50"},
		{Numbers{Strip: "£€"}, "£12.50", false, "12.50"},
		{comma, "1.234,50", false, "1234.50"},
		{comma, "-1.234,50", false, "-1234.50"},
		{Numbers{Decimal: ","}, "1234.50", false, ""},
		{Numbers{}, "1.2345678", false, ""},
		{Numbers{}, "1.2345678", true, "1.234568"},
		{Numbers{}, "-1.2345675", true, "-1.234568"},
		{Numbers{}, "1e3", false, ""},
		{Numbers{}, "--1", false, ""},
		{Numbers{}, "(-1)", false, ""},
		{Numbers{}, "", false, ""},
		{Numbers{}, "-", false, ""},
		{Numbers{}, "99999999999999", false, ""},
	}
	for _, test := range tests {
		got, err := test.numbers.parse(test.text, test.ratio)
		if test.want == "" {
			if err == nil {
				t.Errorf("%q is read as %s", test.text, got)
			}
			continue
		}
		if err != nil || got != money.MustParse(test.want) {
			t.Errorf("%q: %s, %v; want %s", test.text, got, err, test.want)
		}
	}
	minor := Numbers{Amounts: "minor"}
	for places, want := range []string{"1250.00", "", "12.50", "1.25"} {
		if places == 1 {
			continue
		}
		if got, err := minor.amount("1250", places); err != nil || got != money.MustParse(want) {
			t.Errorf("1250 at %d places: %s, %v", places, got, err)
		}
	}
}

// Whatever sign, grouping and decimal sign a till uses, the number is the same.
func TestAnyWritingOfANumberIsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		want := money.Decimal(rapid.Int64Range(-9_000_000_000, 9_000_000_000).Draw(r, "millionths"))
		text := want.Abs().String()
		n := Numbers{Decimal: rapid.SampledFrom([]string{".", ","}).Draw(r, "decimal")}
		if n.Decimal == "," {
			text = text[:len(text)-len(text[indexPoint(text):])] + "," + text[indexPoint(text)+1:]
		}
		if want < 0 {
			switch rapid.IntRange(0, 2).Draw(r, "sign") {
			case 0:
				text = "-" + text
			case 1:
				text += "-"
			default:
				text = "(" + text + ")"
			}
		}
		if got, err := n.parse(text, false); err != nil || got != want {
			r.Fatalf("%q: %s, %v; want %s", text, got, err, want)
		}
	})
}

func indexPoint(s string) int {
	for i := range len(s) {
		if s[i] == '.' {
			return i
		}
	}
	return len(s)
}

func TestDatesAreReadByTheirNotation(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ notation, text, want string }{
		{"YYYY-MM-DD HH:mm:ss", "2026-03-02 17:05:09", "2026-03-02T17:05:09Z"},
		{"DD.MM.YYYY HH:mm", "02.03.2026 17:05", "2026-03-02T17:05:00Z"},
		{"D/M/YY h:mm A", "2/3/26 5:05 PM", "2026-03-02T17:05:00Z"},
		{"MM/DD/YYYY hh:mm:ss A", "03/02/2026 05:05:09 PM", "2026-03-02T17:05:09Z"},
		{"YYYYMMDDHHmmss", "20260302170509", "2026-03-02T17:05:09Z"},
		{"YYYY-MM-DDTHH:mm:ss.SSSZ", "2026-03-02T17:05:09.250+02:00", "2026-03-02T15:05:09.25Z"},
		{"YYYY-MM-DD", "2026-03-02", "2026-03-02T00:00:00Z"},
		{"DD MMM YYYY", "02 Mar 2026", "2026-03-02T00:00:00Z"},
		{"epoch", "1772471109", "2026-03-02T17:05:09Z"},
		{"epoch-ms", "1772471109250", "2026-03-02T17:05:09.25Z"},
	} {
		l, err := readLayout(test.notation)
		if err != nil {
			t.Errorf("%s: %v", test.notation, err)
			continue
		}
		w, err := l.parse(test.text)
		if err != nil || w.Time.UTC().Format(time.RFC3339Nano) != test.want {
			t.Errorf("%s %q: %v, %v; want %s", test.notation, test.text, w, err, test.want)
		}
	}
	for _, notation := range []string{"yyyy-mm-dd", "HH:mm", "DD/MM", "YYYY-MM-DD at HH"} {
		if _, err := readLayout(notation); err == nil {
			t.Errorf("%q is taken for a notation", notation)
		}
	}
}
