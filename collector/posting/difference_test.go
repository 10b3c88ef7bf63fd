package posting

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// figures are what an entry says, without its texts: an amount, a tax base and a
// tax for each account, tax code, direction and dimension.
type figures map[string]money.Minor

func (f figures) add(lines []target.Line) {
	count := func(key string, amount money.Minor) {
		if f[key] += amount; f[key] == 0 {
			delete(f, key)
		}
	}
	for _, l := range lines {
		key := fmt.Sprint(l.Account, l.Dimensions)
		if l.Foreign != nil {
			key += l.Foreign.Currency
			count(key+" foreign", l.Foreign.Amount)
		}
		if l.Tax != nil {
			key += l.Tax.Code + l.Tax.Direction
			count(key+" base", l.Tax.Base)
			count(key+" tax", l.Tax.Amount)
		}
		count(key, l.Amount)
	}
}

// fullLines draws a balanced entry.
func fullLines(t *rapid.T, label string) []target.Line {
	var lines []target.Line
	var sum money.Minor
	for i := range rapid.IntRange(0, 8).Draw(t, label) {
		l := target.Line{
			Account: rapid.SampledFrom([]string{"Cash", "Sales", "VAT"}).Draw(t, "account"),
			Amount:  money.Minor(rapid.IntRange(-3, 3).Draw(t, "amount")),
			Text:    rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "text"), Documents: int64(i),
		}
		if rapid.Bool().Draw(t, "taxed") {
			l.Tax = &target.Tax{
				Code: rapid.SampledFrom([]string{"S", "R"}).Draw(t, "code"), Direction: rapid.SampledFrom([]string{"SALE", "RETURN"}).Draw(t, "direction"),
				Base: money.Minor(rapid.IntRange(-2, 2).Draw(t, "base")), Amount: money.Minor(rapid.IntRange(-2, 2).Draw(t, "tax")),
			}
		}
		if rapid.IntRange(0, 5).Draw(t, "foreign") == 0 {
			l.Foreign = &target.Foreign{Currency: "USD", Amount: money.Minor(rapid.IntRange(-2, 2).Draw(t, "dollars")), Rate: money.One}
		}
		if rapid.Bool().Draw(t, "dimension") {
			l.Dimensions = map[string]string{"till": rapid.SampledFrom([]string{"1", "2"}).Draw(t, "till")}
		}
		sum += l.Amount
		lines = append(lines, l)
	}
	return append(lines, target.Line{Account: "Rounding", Amount: -sum})
}

func TestPostingsOfDifferencesAlwaysAddUpToTheNewestEntry(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var live []Posting
		for range rapid.IntRange(1, 6).Draw(t, "entries") {
			full := fullLines(t, "lines")
			lines := Difference(full, live)
			var sum money.Minor
			for _, l := range lines {
				sum += l.Amount
				if nothing(l) {
					t.Fatalf("the line %+v moves nothing", l)
				}
			}
			if sum != 0 {
				t.Fatalf("the difference is out of balance by %d", sum)
			}
			if len(lines) > 0 {
				live = append(live, Posting{State: Posted, Payload: target.Payload{Lines: lines}})
			}
			want, got := figures{}, figures{}
			want.add(full)
			for _, p := range live {
				got.add(p.Payload.Lines)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("(-entry +postings):\n%s", diff)
			}
			if again := Difference(full, live); len(again) != 0 {
				t.Fatalf("what stands equals the entry, but there is still a difference: %+v", again)
			}
		}
	})
}

func TestTheOrderOfWhatStandsChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		full := fullLines(t, "full")
		live := []Posting{
			{State: Posted, Payload: target.Payload{Lines: fullLines(t, "first")}},
			{State: Posted, Payload: target.Payload{Lines: fullLines(t, "second")}},
		}
		turned := slices.Clone(live)
		slices.Reverse(turned)
		if diff := cmp.Diff(Difference(full, live), Difference(full, turned)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestOnlyWhatIsPostedStands(t *testing.T) {
	t.Parallel()
	full := []target.Line{{Account: "Cash", Amount: 5}, {Account: "Sales", Amount: -5}}
	for _, state := range []string{Intended, Sent, Unknown, Refused, Parked, Undone} {
		if got := Difference(full, []Posting{{State: state, Payload: target.Payload{Lines: full}}}); !cmp.Equal(full, got) {
			t.Errorf("beside one that is %s: %+v", state, got)
		}
	}
	if got := Difference(full, []Posting{{State: Posted, Payload: target.Payload{Lines: full}}}); len(got) != 0 {
		t.Errorf("beside one that is posted: %+v", got)
	}
}

func TestANewTextAloneIsNotPosted(t *testing.T) {
	t.Parallel()
	stands := []Posting{{State: Posted, Payload: target.Payload{Lines: []target.Line{{Account: "Cash", Amount: 5, Text: "cash"}, {Account: "Sales", Amount: -5}}}}}
	if got := Difference([]target.Line{{Account: "Cash", Amount: 5, Text: "notes and coins"}, {Account: "Sales", Amount: -5}}, stands); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestLinesTakeOverEverythingTheEntrySays(t *testing.T) {
	t.Parallel()
	entry := books.Entry{Lines: []books.Line{
		{
			Account: "Sales", Side: books.Credit, Amount: 1000, Rule: "Goods\nsold.", Dimensions: map[string]string{"store": "s"},
			Tax:       &books.Tax{Code: "S20", Base: 1000, Amount: 200, Direction: "SALE", Jurisdiction: "GB"},
			Documents: []books.Share{{Key: "1"}, {Key: "2"}},
		},
		{Account: "Dollars", Side: books.Debit, Amount: 1200, Foreign: &books.Foreign{Currency: "USD", Amount: 1500, Rate: money.MustParse("0.8")}},
	}}
	got, err := Lines(day.Entry{Body: entry.Canonical()})
	want := []target.Line{
		{
			Account: "Sales", Amount: -1000, Text: "Goods sold.", Documents: 2, Dimensions: map[string]string{"store": "s"},
			Tax: &target.Tax{Code: "S20", Base: -1000, Amount: -200, Direction: "SALE", Jurisdiction: "GB"},
		},
		{Account: "Dollars", Amount: 1200, Foreign: &target.Foreign{Currency: "USD", Amount: 1500, Rate: money.MustParse("0.8")}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := Lines(day.Entry{Body: []byte("{")}); err == nil {
		t.Error("an entry that cannot be read gave lines")
	}
}

func TestReferencesAreUniqueAndFit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// Stores whose codes differ, as a valid configuration has them.
		stores := rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Z0-9]{1,4}`), 1, 4, rapid.ID[string]).Draw(t, "codes")
		days := rapid.SliceOfNDistinct(rapid.IntRange(0, 4000), 1, 4, rapid.ID[int]).Draw(t, "days")
		revisions := rapid.SliceOfNDistinct(rapid.IntRange(1, maxRevision), 1, 6, rapid.ID[int]).Draw(t, "revisions")
		seen := map[string]bool{}
		for _, code := range stores {
			for _, n := range days {
				for _, revision := range revisions {
					s := merchant.Store{ID: strings.ToLower(code) + "-x", Short: code}
					reference, err := Reference(s, bizday.Day("2020-01-01").Add(n), revision)
					if err != nil {
						t.Fatal(err)
					}
					if seen[reference] || target.CheckReference(reference) != nil {
						t.Fatalf("%s is there twice, or does not fit", reference)
					}
					seen[reference] = true
				}
			}
		}
	})
}

func TestReferencesLookAsTheyAreDocumented(t *testing.T) {
	t.Parallel()
	s := merchant.Store{ID: "high-street-12"}
	for revision, want := range map[int]string{
		1: "POS-HI12-20261103", 2: "POS-HI12-20261103-r2", 99: "POS-HI12-20261103-r99", 100: "POS-HI12-20261103-rA0", maxRevision: "POS-HI12-20261103-rZZ",
	} {
		if got, err := Reference(s, "2026-11-03", revision); err != nil || got != want {
			t.Errorf("revision %d: %s, %v; want %s", revision, got, err, want)
		}
	}
	for _, revision := range []int{-1, 0, maxRevision + 1} {
		if got, err := Reference(s, "2026-11-03", revision); err == nil {
			t.Errorf("revision %d: %s", revision, got)
		}
	}
}

func TestAKeyIsReadOnlyByItsOwnSubject(t *testing.T) {
	t.Parallel()
	ref := day.Ref{Merchant: "m", Store: "s", Day: "2026-11-03"}
	if got := revisionOf(key(ref, "books", 12), ref, "books"); got != 12 {
		t.Errorf("its own: %d", got)
	}
	for _, other := range []string{
		key(day.Ref{Merchant: "n", Store: "s", Day: "2026-11-03"}, "books", 1), key(ref, "other", 1), key(ref, "books", 0), key(ref, "books", -1),
		"", "/", "1", "m/store-day/s/2026-11-03/whole/books/01", "m/store-day/s/2026-11-03/whole/books/9999999",
	} {
		if got := revisionOf(other, ref, "books"); got != 0 {
			t.Errorf("%q: revision %d", other, got)
		}
	}
}

func TestAPayloadSaysWhatItIsAndWhatIsMissing(t *testing.T) {
	t.Parallel()
	proof, err := json.Marshal(map[string]any{
		"closes": []any{map[string]any{"z": "17"}}, "documents": []any{map[string]any{"key": "a", "revision": 1}}, "missing": []string{"agent a1 has not sent anything\n" + strings.Repeat("x", 900)},
	})
	if err != nil {
		t.Fatal(err)
	}
	e := day.Entry{Ref: day.Ref{Merchant: "m", Store: "s", Day: "2026-11-03"}, Reason: "deadline", Proof: proof}
	p, err := Payload(merchant.Merchant{ID: "m", Currency: "GBP"}, merchant.Store{ID: "s", Name: "High Street"}, e, "books", 2, []target.Line{{Account: "a", Amount: 1}, {Account: "b", Amount: -1}}, e.Day)
	if err != nil {
		t.Fatal(err)
	}
	if p.Narration != "High Street, business day 2026-11-03, change 1 (deadline); Z 17; 1 document" {
		t.Errorf("narration %q", p.Narration)
	}
	if !strings.HasPrefix(p.Reason, "deadline; missing: agent a1 has not sent anything xxx") || len(p.Reason) > target.MaxText {
		t.Errorf("reason of %d bytes: %q", len(p.Reason), p.Reason)
	}
	if p.Key != "m/store-day/s/2026-11-03/whole/books/2" || p.Reference != "POS-S-20261103-r2" || p.Date != "2026-11-03" || p.Currency != "GBP" {
		t.Errorf("payload %+v", p)
	}
}
