package memo_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/memo"
	"tillbook.example/tillbook/shared/money"
)

// texts draws what stands in payloads: no control characters, and all that looks
// like marks of this package.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[ -~é東]{0,12}`),
		rapid.SampledFrom([]string{"", " ", "[]", "a [3 documents]", "x]", "[", `\`, `"`, "a;b", "Key: x", "Also: 1 a 2.00 x", "control"}),
	)
}

func amounts() *rapid.Generator[money.Minor] {
	return rapid.Custom(func(t *rapid.T) money.Minor {
		return money.Minor(rapid.Int64Range(-999_999_999_999, 999_999_999_999).Draw(t, "amount"))
	})
}

func lines() *rapid.Generator[target.Line] {
	return rapid.Custom(func(t *rapid.T) target.Line {
		l := target.Line{
			Account: rapid.StringN(1, 10, -1).Filter(clean).Draw(t, "account"), Amount: amounts().Draw(t, "amount"),
			Text: texts().Draw(t, "text"), Documents: rapid.Int64Range(-3, 3).Draw(t, "documents"), Control: rapid.Bool().Draw(t, "control"),
		}
		if rapid.Bool().Draw(t, "taxed") {
			l.Tax = &target.Tax{
				Code: texts().Draw(t, "code"), Direction: texts().Draw(t, "direction"), Jurisdiction: texts().Draw(t, "jurisdiction"),
				Base: amounts().Draw(t, "base"), Amount: amounts().Draw(t, "tax"),
			}
		}
		if rapid.Bool().Draw(t, "foreign") {
			l.Foreign = &target.Foreign{
				Currency: rapid.SampledFrom([]string{"USD", "JPY", "KWD"}).Draw(t, "currency"), Amount: amounts().Draw(t, "foreign amount"),
				Rate: money.Decimal(rapid.Int64Range(1, 200_000_000).Draw(t, "rate")),
			}
		}
		if d := rapid.MapOfN(texts(), texts(), 0, 3).Draw(t, "dimensions"); len(d) > 0 {
			l.Dimensions = d
		}
		return l
	})
}

func clean(s string) bool { return !strings.ContainsAny(s, "\n\r\x00\u2028") }

func TestAPayloadIsReadBackFromItsNoteAndTexts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		places := rapid.SampledFrom([]int{0, 2, 3}).Draw(t, "places")
		p := target.Payload{
			Key: "m/store-day/s/2026-11-03/whole/x/1", Reference: "POS-S-20261103", Narration: texts().Draw(t, "narration"), Reason: texts().Draw(t, "reason"),
			Lines: rapid.SliceOfN(lines(), 1, 6).Draw(t, "lines"),
		}
		left := func(l target.Line) bool { return l.Control }
		var at []target.Line // what the target has: account, amount, text
		for _, l := range p.Lines {
			if left(l) {
				continue
			}
			text := memo.Text(l, places)
			if text == "" || !clean(text) {
				t.Fatalf("text %q", text)
			}
			got, err := memo.ReadText(text, places)
			if err != nil {
				t.Fatal(err)
			}
			got.Account, got.Amount = l.Account, l.Amount
			at = append(at, got)
		}
		note := memo.Note(p, places, left)
		if memo.ReferenceOf(note) != p.Reference {
			t.Fatalf("the reference of %q is %q", note, memo.ReferenceOf(note))
		}
		got, err := memo.ReadNote(note, places, at)
		if err != nil {
			t.Fatalf("%q: %v", note, err)
		}
		if diff := cmp.Diff(p, got); diff != "" {
			t.Fatalf("(-written +read) of\n%s\n%s", note, diff)
		}
	})
}

func TestWhatStandsInALineReadsLikeASentence(t *testing.T) {
	t.Parallel()
	l := target.Line{Text: "Food 20 %", Documents: 143, Tax: &target.Tax{Code: "OUTPUT2", Base: -10000, Amount: -2000, Direction: "SALE"}, Dimensions: map[string]string{"store": "High Street"}}
	want := `Food 20 % [143 documents; tax OUTPUT2 SALE "" of -100.00 is -20.00; by store "High Street"]`
	if got := memo.Text(l, 2); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := memo.Text(target.Line{Text: "Card takings"}, 2); got != "Card takings" {
		t.Errorf("a line that says no more is %q", got)
	}
}

func TestTextsOfOthersAreErrors(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"x]", "x [y]", "x [3 documents;]", `x ["a]`, "x [tax a b c of d is e]", "x [tax a b c of 1.001 is 1]"} {
		if l, err := memo.ReadText(text, 2); err == nil {
			t.Errorf("%q was read as %+v", text, l)
		}
	}
	for _, note := range []string{"", "POS-1: x", "POS-1: x\nReason: y", "not a reference: x\nReason: \nKey: ", "POS-1: x\nReason: \nKey: k\nhello", "POS-1: x\nReason: \nKey: k\nAlso: 9 a 1.00 t"} {
		if p, err := memo.ReadNote(note, 2, nil); err == nil {
			t.Errorf("%q was read as %+v", note, p)
		}
	}
	if got := memo.ReferenceOf("Invoice: something"); got != "" {
		t.Errorf("somebody's note has the reference %q", got)
	}
}

func FuzzReadText(f *testing.F) {
	f.Add("Food [3 documents; tax A SALE GB of 1.00 is 0.20; USD 1.00 at 0.8; by a b; control]")
	f.Add(`x ["\x5b" documents]`)
	f.Fuzz(func(t *testing.T, text string) {
		l, err := memo.ReadText(text, 2)
		if err != nil {
			return
		}
		again, err := memo.ReadText(memo.Text(l, 2), 2)
		if err != nil {
			t.Fatalf("%q, read as %+v: %v", text, l, err)
		}
		if diff := cmp.Diff(l, again); diff != "" {
			t.Fatalf("%q (-read +written and read):\n%s", text, diff)
		}
	})
}
