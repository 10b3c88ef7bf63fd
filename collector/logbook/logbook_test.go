package logbook_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/logbook"
)

// chain makes n acts.
func chain(n int) []logbook.Act {
	var acts []logbook.Act
	var head logbook.Head
	for i := range n {
		a := logbook.Next(head, logbook.Act{
			Merchant: "acme", At: time.Date(2026, 3, 2, 12, 0, i, 1234, time.FixedZone("", 3600)), By: "olga", What: logbook.Accept, On: "leeds/2026-03-02", Detail: fmt.Sprint(i),
		})
		acts, head = append(acts, a), logbook.Head{Number: a.Number, Hash: a.Hash}
	}
	return acts
}

func follow(acts []logbook.Act) (wrong []string) {
	var c logbook.Chain
	for _, a := range acts {
		wrong = append(wrong, c.Follow(a)...)
	}
	return wrong
}

func TestAnActHasOneText(t *testing.T) {
	t.Parallel()
	a := logbook.Next(logbook.Head{Number: 6, Hash: [32]byte{0xab}}, logbook.Act{
		Merchant: "acme", At: time.Date(2026, 3, 2, 13, 0, 0, 1234567, time.FixedZone("", 3600)), By: "olga\tb", What: logbook.Apply, On: `a\b`, Detail: "line\r\nline",
	})
	want := "tillbook-act/1\nmerchant\tacme\nnumber\t7\nat\t2026-03-02T12:00:00.001234Z\nby\tolga\\tb\nwhat\tapply\non\ta\\\\b\ndetail\tline\\r\\nline\nbefore\tab" +
		strings.Repeat("0", 62) + "\n"
	if a.Text() != want {
		t.Errorf("%q\nnot\n%q", a.Text(), want)
	}
	if a.Hash != sha256.Sum256([]byte(want)) {
		t.Error("the hash is not over the text")
	}
}

func TestWhatIsWrongWithAChainIsNamed(t *testing.T) {
	t.Parallel()
	reseal := func(a logbook.Act) logbook.Act {
		return logbook.Next(logbook.Head{Number: a.Number - 1, Hash: a.Before}, a)
	}
	for name, c := range map[string]struct {
		change func(acts []logbook.Act) []logbook.Act
		want   []string
	}{
		"nothing":         {func(a []logbook.Act) []logbook.Act { return a }, nil},
		"none":            {func([]logbook.Act) []logbook.Act { return nil }, nil},
		"one taken out":   {func(a []logbook.Act) []logbook.Act { return slices.Delete(a, 2, 3) }, []string{"act 3 is missing"}},
		"three taken out": {func(a []logbook.Act) []logbook.Act { return slices.Delete(a, 0, 3) }, []string{"acts 1 to 3 are missing"}},
		"one changed":     {func(a []logbook.Act) []logbook.Act { a[2].By = "ben"; return a }, []string{"act 3 was changed"}},
		"one changed with its hash": {func(a []logbook.Act) []logbook.Act { a[2].By = "ben"; a[2] = reseal(a[2]); return a },
			[]string{"act 4 does not follow act 3"}},
		"two moved": {func(a []logbook.Act) []logbook.Act { a[1], a[2] = a[2], a[1]; return a },
			[]string{"act 2 is missing", "act 2 comes after act 3", "act 3 is missing"}},
		"two that changed their numbers": {func(a []logbook.Act) []logbook.Act {
			a[1], a[2] = a[2], a[1]
			a[1].Number, a[2].Number = 2, 3
			return a
		}, []string{"act 2 does not follow act 1", "act 2 was changed", "act 3 does not follow act 2", "act 3 was changed", "act 4 does not follow act 3"}},
		"numbers closed over a gap": {func(a []logbook.Act) []logbook.Act {
			a = a[2:]
			for i := range a {
				a[i].Number = int64(i + 1)
			}
			return a
		}, []string{"act 1 follows another than it states", "act 1 was changed", "act 2 was changed", "act 3 was changed"}},
	} {
		got := follow(c.change(chain(5)))
		if len(got) != len(c.want) {
			t.Errorf("%s: %q, not %q", name, got, c.want)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], c.want[i]) {
				t.Errorf("%s: %q, not %q", name, got, c.want)
			}
		}
	}
}

func TestAnyChangeOfAnActShowsUnlessAllAfterItIsWrittenAnew(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		acts := chain(rapid.IntRange(1, 6).Draw(t, "acts"))
		i := rapid.IntRange(0, len(acts)-1).Draw(t, "which")
		a := &acts[i]
		before := *a
		text := rapid.String().Draw(t, "text")
		switch rapid.IntRange(0, 6).Draw(t, "field") {
		case 0:
			a.Merchant = text
		case 1:
			a.By = text
		case 2:
			a.What = text
		case 3:
			a.On = text
		case 4:
			a.Detail = text
		case 5:
			a.At = a.At.Add(time.Duration(rapid.Int64Range(-1e12, 1e12).Draw(t, "later")) * time.Microsecond)
		case 6:
			a.Before[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		}
		if wrong := follow(acts); (len(wrong) > 0) != (*a != before) {
			t.Fatalf("%+v, before %+v: %q", *a, before, wrong)
		}
	})
}

func TestAHeadThatWasKeptElsewhereShowsWhatTheChainDoesNot(t *testing.T) {
	t.Parallel()
	acts := chain(3)
	kept := logbook.Head{Number: 3, Hash: acts[2].Hash}
	if wrong := kept.Meets(acts[2].Hash); wrong != "" {
		t.Error(wrong)
	}
	if wrong := kept.Meets([32]byte{}); !strings.HasPrefix(wrong, "act 3 is missing") {
		t.Errorf("its end cut off: %q", wrong)
	}
	if wrong := kept.Meets([32]byte{1}); !strings.HasPrefix(wrong, "act 3 is another") {
		t.Errorf("written anew: %q", wrong)
	}
}

func TestWhatIsKeptIsBoundedText(t *testing.T) {
	t.Parallel()
	a := logbook.Next(logbook.Head{}, logbook.Act{By: strings.Repeat("é", 300), On: "a\x00b\xff", Detail: strings.Repeat("x", 1<<20)})
	if a.By != strings.Repeat("é", 100) || a.On != "a\ufffdb\ufffd" || len(a.Detail) != 2000 {
		t.Errorf("kept are %d bytes of by, %q, %d bytes of detail", len(a.By), a.On, len(a.Detail))
	}
}

func TestWhoeverIsNamedActsElseWhomTheContextTells(t *testing.T) {
	t.Parallel()
	ctx := logbook.As(t.Context(), "olga")
	if a, b, c := logbook.Actor(ctx, "ben"), logbook.Actor(ctx, ""), logbook.Actor(t.Context(), ""); a != "ben" || b != "olga" || c != "" {
		t.Errorf("%q %q %q", a, b, c)
	}
}
