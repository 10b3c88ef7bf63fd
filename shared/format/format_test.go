package format

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

func dec(s string) money.Decimal { return money.MustParse(s) }

// coffee is a document as a reader hands it to Finish.
func coffee() *document.Document {
	return &document.Document{
		Key: document.Key{Store: "9", Terminal: "34", Space: document.SpaceReceipt, Number: "17"}, Kind: document.Sale, State: document.Completed,
		Time: document.Time{AsGiven: "2026-03-02T10:00:00"}, Currency: "GBP",
		Lines: []document.Line{{Kind: document.Item, Quantity: money.One, Extended: dec("3.20")}},
	}
}

func TestFinishPlacesChecksAndHashes(t *testing.T) {
	t.Parallel()
	d := coffee()
	d.Links = []document.Link{
		{Relation: document.Voids, Key: &document.Key{Store: "9", Terminal: "34", Space: document.SpaceReceipt, Number: "16"}},
		{Relation: document.Returns, Key: &document.Key{Store: "8", Terminal: "1", Space: document.SpaceReceipt, Number: "16"}},
	}
	if err := Finish(d, Options{Store: "leeds", Terminal: "1", FileID: "f", Adapter: "filedrop"}, 42); err != nil {
		t.Fatal(err)
	}
	if d.Key.Store != "leeds" || d.Key.Terminal != "1" || d.Place.Store != "9" || d.Place.Terminal != "34" || d.Source.Raw != "f@42" || d.Source.Adapter != "filedrop" {
		t.Errorf("%s %+v %+v", d.Key, d.Place, d.Source)
	}
	if own, other := d.Links[0].Key, d.Links[1].Key; own.Store != "leeds" || own.Terminal != "1" || other.Store != "8" || other.Terminal != "1" {
		t.Errorf("links %+v %+v", own, other)
	}
	if d.ContentHash != document.HashString(d) || d.Totals.Computed == nil || *d.Totals.Computed.Gross != dec("3.20") {
		t.Errorf("hash %q, totals %+v", d.ContentHash, d.Totals)
	}
}

func TestFinishRefusesWhatIsNoDocument(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(*document.Document)
		code  string
	}{
		"no number":   {func(d *document.Document) { d.Key.Number = "" }, BadDocument},
		"no currency": {func(d *document.Document) { d.Currency = "" }, BadField},
		"no money":    {func(d *document.Document) { d.Currency = "pounds" }, BadDocument},
		"too much": {func(d *document.Document) {
			d.Lines[0].Extended = money.Max
			d.Lines = append(d.Lines, d.Lines[0])
		}, BadField},
	} {
		d := coffee()
		test.spoil(d)
		err := Finish(d, Options{}, 0)
		var refused *Refusal
		if !errors.As(err, &refused) || refused.Code != test.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	d := coffee()
	d.Currency = ""
	if err := Finish(d, Options{Currency: "EUR"}, 0); err != nil || d.Currency != "EUR" {
		t.Errorf("the source's currency: %v, %q", err, d.Currency)
	}
}

func TestEveryTextOfADocumentIsMasked(t *testing.T) {
	t.Parallel()
	const card = "4111 1111 1111 1111"
	d := coffee()
	d.Lines[0].Text, d.Lines[0].Category = card, card
	d.Lines[0].Adjustments = []document.Adjustment{{Kind: document.Discount, Level: document.LevelLine, Reason: card}}
	d.Tenders = []document.Tender{{Kind: document.CardUnknown, Direction: document.Paid, Amount: dec("3.20"), Label: card, Masked: card}}
	d.Movement = &document.Movement{Reason: card, Counterparty: card, ReceiptRef: card, Lines: []document.Line{{Kind: document.OtherLine, Text: card}}}
	d.Count = &document.Count{Stage: "CLOSE", ByTender: []document.TenderAmount{{Kind: document.Cash, Label: card}}}
	d.Close = &document.Close{ByTender: []document.TenderAmount{{Kind: document.Cash, Label: card}}}
	if err := Finish(d, Options{}, 0); err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%+v %+v %+v %+v", d.Lines, d.Tenders, *d.Movement, d.Close) + fmt.Sprint(*d.Count); strings.Contains(text, "4111") {
		t.Errorf("a card number is left: %s", text)
	}
	if d.Tenders[0].Masked != "1111" {
		t.Errorf("masked %q", d.Tenders[0].Masked)
	}
}

func TestARefusalKeepsItsCodeThroughWrapping(t *testing.T) {
	t.Parallel()
	wrapped := fmt.Errorf("read x: %w", Refuse(TooLong, "more than %d", 3))
	if r := AsRefusal(wrapped, Malformed); r.Code != TooLong || r.Reason != wrapped.Error() {
		t.Errorf("%+v", r)
	}
	if r := AsRefusal(errors.New("plain"), Malformed); r.Code != Malformed || r.Reason != "plain" {
		t.Errorf("%+v", r)
	}
}

func TestTimesSayWhereTheirZoneCameFrom(t *testing.T) {
	t.Parallel()
	rule, err := bizday.NewRule("Europe/London", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		given   string
		options Options
		utc     string // empty: unknown
		from    string
		flags   []string
	}{
		{"2026-07-01T10:00:00", Options{}, "", "", nil},
		{"2026-07-01T10:00:00", Options{Rule: &rule}, "2026-07-01T09:00:00Z", document.ZoneFromConfig, nil},
		{"2026-07-01T10:00:00.250Z", Options{Rule: &rule}, "2026-07-01T10:00:00.25Z", document.ZoneFromData, nil},
		{"2026-07-01T10:00:00+05:30", Options{}, "2026-07-01T04:30:00Z", document.ZoneFromData, nil},
		{"2026-10-25T01:30:00", Options{Rule: &rule}, "2026-10-25T00:30:00Z", document.ZoneFromConfig, []string{bizday.Ambiguous}},
		{"2026-03-29T01:30:00", Options{Rule: &rule}, "2026-03-29T01:30:00Z", document.ZoneFromConfig, []string{bizday.Gap}},
		{"2026-07-01", Options{Rule: &rule}, "", "", []string{DateOnly}},
	} {
		w, err := ParseXMLTime(test.given)
		if err != nil {
			t.Errorf("%s: %v", test.given, err)
			continue
		}
		got := test.options.Time(test.given, w)
		utc := ""
		if !got.UTC.IsZero() {
			utc = got.UTC.Format(time.RFC3339Nano)
		}
		if utc != test.utc || got.ZoneFrom != test.from || !cmp.Equal(got.Flags, test.flags) || got.AsGiven != test.given {
			t.Errorf("%s: %+v", test.given, got)
		}
	}
	if _, err := ParseXMLTime("yesterday"); err == nil {
		t.Error("yesterday is taken for a time")
	}
}

// Whatever the lines are, a reduction that is spread over them is given once.
func TestASpreadReductionIsGivenOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		var lines []*document.Line
		for range rapid.IntRange(0, 6).Draw(r, "lines") {
			kind := rapid.SampledFrom([]document.LineKind{document.Item, document.Delivery, document.VoucherSell, document.TipStaff}).Draw(r, "kind")
			lines = append(lines, &document.Line{Kind: kind, Extended: money.Decimal(rapid.Int64Range(-10000, 10000).Draw(r, "cents") * 10_000)})
		}
		amount := money.Decimal(rapid.Int64Range(-10000, -1).Draw(r, "reduction") * 10_000)
		spread, err := SpreadDiscount(lines, document.Adjustment{Kind: document.Discount, Amount: amount}, 2)
		if err != nil {
			r.Fatal(err)
		}
		var given, sum money.Decimal
		for _, l := range lines {
			if Taxable(l.Kind) {
				sum += l.Extended
			}
			for _, a := range l.Adjustments {
				given += a.Amount
				if !Taxable(l.Kind) || a.Level != document.LevelDocument {
					r.Fatalf("%+v on a %s", a, l.Kind)
				}
			}
		}
		want := amount
		switch {
		case !spread:
			want = 0
		case sum < 0:
			want = -amount
		}
		if given != want {
			r.Fatalf("%s was given of %s", given, amount)
		}
	})
}
