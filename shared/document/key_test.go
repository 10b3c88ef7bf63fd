package document_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/document"
)

func TestAKeyIsOneReadableLine(t *testing.T) {
	t.Parallel()
	for want, key := range map[string]document.Key{
		`Leeds|1|RECEIPT|1042`:       {Merchant: "m", Store: "Leeds", Terminal: "1", Space: "RECEIPT", Number: "1042"},
		`Leeds|1|EVENT|7|2026-03-01`: {Store: "Leeds", Terminal: "1", Space: "EVENT", Number: "7", Scope: "2026-03-01"},
		`a\|b|\\|Z|1\t2\n3\r4|\|`:    {Store: "a|b", Terminal: `\`, Space: "Z", Number: "1\t2\n3\r4", Scope: "|"},
		`|||`:                        {},
	} {
		if got := key.String(); got != want {
			t.Errorf("%+v is %q, want %q", key, got, want)
		}
	}
}

func TestEveryKeyIsReadBackAndNoTwoShareAText(t *testing.T) {
	t.Parallel()
	part := rapid.OneOf(rapid.StringN(0, 8, -1), rapid.StringOf(rapid.SampledFrom([]rune("|\\\t\n\rtnra"))))
	key := rapid.Custom(func(t *rapid.T) document.Key {
		return document.Key{
			Store: part.Draw(t, "store"), Terminal: part.Draw(t, "terminal"), Space: document.Space(part.Draw(t, "space")),
			Number: part.Draw(t, "number"), Scope: part.Draw(t, "scope"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := key.Draw(t, "a"), key.Draw(t, "b")
		text := a.String()
		if strings.ContainsAny(text, "\t\n\r") {
			t.Fatalf("%q is not one line", text)
		}
		back, err := document.ParseKey(text)
		if err != nil || back != a {
			t.Fatalf("%q was read as %+v, %v", text, back, err)
		}
		if (text == b.String()) != (a == b) {
			t.Fatalf("%+v and %+v are both %q", a, b, text)
		}
	})
}

func TestWhatIsNotAKeyIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "a", "a|b|c", "a|b|c|d|", "a|b|c|d|e|f", `a|b|c|\x`, `a|b|c|d\`, "a|b|c|d\n"} {
		if key, err := document.ParseKey(s); err == nil {
			t.Errorf("%q was read as %+v", s, key)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(`Leeds|1|RECEIPT|1042`)
	f.Add(`a\|b|\\|Z|1\t2\n3\r4|\|`)
	f.Fuzz(func(t *testing.T, s string) {
		key, err := document.ParseKey(s)
		if err == nil && key.String() != s {
			t.Errorf("%q was read as %+v, which is %q", s, key, key.String())
		}
	})
}
