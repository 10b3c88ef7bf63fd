package suggest_test

import (
	"testing"

	"tillbook.example/tillbook/shared/suggest"
)

func TestTheNearestWordIsSuggestedAndFarOnesAreNot(t *testing.T) {
	t.Parallel()
	known := []string{"delimiter", "encoding", "tenders", "zone"}
	for word, want := range map[string]string{
		"delimeter": "delimiter", "Encoding": "encoding", "tender": "tenders", "zoen": "zone",
		"banana": "", "": "", "x": "",
	} {
		if got := suggest.Nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	if got := suggest.DidYouMean("zonne", known); got != ` (did you mean "zone"?)` {
		t.Errorf("sentence %q", got)
	}
}
