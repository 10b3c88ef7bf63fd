package target_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/targettest"
	"tillbook.example/tillbook/shared/money"
)

func sample() target.Payload {
	return targettest.Sample(targettest.Harness{Currency: "EUR", Accounts: []string{"Cash", "Sales", "VAT"}}, "POS-S1-20261103")
}

func TestAPayloadIsReadBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := sample()
		p.Narration = rapid.String().Draw(t, "narration")
		p.Lines[1].Text = rapid.StringMatching(`[<>&"\\ -~é東]{0,20}`).Draw(t, "text")
		p.Lines[0].Amount = money.Minor(rapid.Int64().Draw(t, "amount"))
		p.Lines[1].Dimensions = rapid.MapOfN(rapid.StringN(1, 5, -1), rapid.String(), 1, 4).Draw(t, "dimensions")
		text, err := p.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		got, err := target.ParsePayload(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, got); diff != "" || !p.Equal(got) {
			t.Fatalf("(-written +read):\n%s", diff)
		}
		if again, err := got.Canonical(); err != nil || !bytes.Equal(text, again) {
			t.Fatalf("%s\n%s\n%v", text, again, err)
		}
	})
}

func TestPayloadsThatDifferHaveAnotherHash(t *testing.T) {
	t.Parallel()
	base, err := sample().Hash()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*target.Payload){
		"key":       func(p *target.Payload) { p.Key += "x" },
		"date":      func(p *target.Payload) { p.Date = "2026-11-04" },
		"amount":    func(p *target.Payload) { p.Lines[0].Amount++ },
		"account":   func(p *target.Payload) { p.Lines[0].Account = "Bank" },
		"tax":       func(p *target.Payload) { p.Lines[1].Tax.Base++ },
		"dimension": func(p *target.Payload) { p.Lines[1].Dimensions["store"] = "s2" },
		"order":     func(p *target.Payload) { p.Lines[0], p.Lines[1] = p.Lines[1], p.Lines[0] },
	} {
		p := sample()
		change(&p)
		if hash, err := p.Hash(); err != nil || hash == base || p.Equal(sample()) {
			t.Errorf("%s: the hash is the same, %v", name, err)
		}
	}
}

func TestAPayloadThatNoTargetCouldBookIsInvalid(t *testing.T) {
	t.Parallel()
	if err := sample().Validate(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		want   string
		change func(*target.Payload)
	}{
		{"1 to 21 characters", func(p *target.Payload) { p.Reference = "" }},
		{"1 to 21 characters", func(p *target.Payload) { p.Reference = strings.Repeat("x", 22) }},
		{"letters, digits and hyphens", func(p *target.Payload) { p.Reference = "../../etc/passwd" }},
		{"no key", func(p *target.Payload) { p.Key = "" }},
		{"date", func(p *target.Payload) { p.Date = "2026-02-30" }},
		{"currency", func(p *target.Payload) { p.Currency = "euro" }},
		{"0 lines", func(p *target.Payload) { p.Lines = nil }},
		{"no account", func(p *target.Payload) { p.Lines[0].Account = "" }},
		{"add up to 1", func(p *target.Payload) { p.Lines[0].Amount++ }},
		{"does not fit", func(p *target.Payload) { p.Lines[0].Amount, p.Lines[2].Amount = 1<<63-1, 1<<63-1 }},
		{"control character", func(p *target.Payload) { p.Narration = "a\nb" }},
		{"control character", func(p *target.Payload) { p.Lines[0].Text = "a\x00b" }},
		{"control character", func(p *target.Payload) { p.Lines[1].Tax.Code = "a\tb" }},
		{"not UTF-8", func(p *target.Payload) { p.Lines[1].Dimensions["x"] = "\xff" }},
		{"more than 500", func(p *target.Payload) { p.Lines[0].Account = strings.Repeat("x", 501) }},
	} {
		p := sample()
		test.change(&p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("want %q, got %v", test.want, err)
		}
	}
}

func TestOnlyAWholePayloadIsRead(t *testing.T) {
	t.Parallel()
	text, err := sample().Canonical()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "{", string(text) + "{}", strings.Replace(string(text), `"key"`, `"kee"`, 1), string(text[:len(text)-1])} {
		if p, err := target.ParsePayload([]byte(bad)); err == nil {
			t.Errorf("%q was read as %+v", bad, p)
		}
	}
}

func TestAnAmountIsReadWithAnyPlacesAndNeverRounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   json.Number
		places int
		want   money.Minor
		bad    bool
	}{
		{"", 2, 0, false}, {"12.3400", 2, 1234, false}, {"-0.01", 2, -1, false}, {"7", 0, 7, false}, {"1.234", 3, 1234, false},
		{"0.005", 2, 0, true}, {"7.5", 0, 0, true}, {"much", 2, 0, true},
	} {
		if got, err := target.Amount(c.text, c.places); got != c.want || (err != nil) != c.bad {
			t.Errorf("%q in %d places: %d, %v", c.text, c.places, got, err)
		}
	}
}
