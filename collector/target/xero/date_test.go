package xero

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/bizday"
)

func TestADateOfXeroIsTheDayItWasMadeFrom(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := bizday.Day("1969-01-01").Add(rapid.IntRange(0, 40_000).Draw(t, "days"))
		at, err := time.Parse(time.DateOnly, string(d))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{string(d), string(d) + "T00:00:00", fmt.Sprintf("/Date(%d+0000)/", at.UnixMilli()), fmt.Sprintf("/Date(%d)/", at.UnixMilli())} {
			if got, err := dayOf(text); err != nil || got != d {
				t.Fatalf("%s is %q, %v; want %s", text, got, err, d)
			}
		}
	})
	for _, bad := range []string{"", "/Date(x)/", "soon", "/Date()/"} {
		if got, err := dayOf(bad); err == nil {
			t.Errorf("%q is %s", bad, got)
		}
	}
}

func TestTheSearchForAReferenceBeginsAtItsDay(t *testing.T) {
	t.Parallel()
	for reference, want := range map[string]bizday.Day{
		"POS-S1-20261103": "2026-11-03", "POS-S1-20261103-r2": "2026-11-03", "POS-S1-": "", "POS-S1-00000007": "", "": "", "POS-S1-2026": "",
	} {
		if got, known := dayIn(reference); known != (want != "") || known && got != want {
			t.Errorf("%q: %q, %t; want %q", reference, got, known, want)
		}
	}
}
