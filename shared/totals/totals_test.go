package totals

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/money"
)

func dec(s string) money.Decimal { return money.MustParse(s) }

// sale is a receipt of one line with 20 % tax inside, paid in cash with change.
func sale(number, gross, tax string) *document.Document {
	amount := dec(gross)
	return &document.Document{
		Key: document.Key{Store: "s", Terminal: "1", Space: document.SpaceReceipt, Number: number}, Kind: document.Sale, State: document.Completed,
		Time: document.Time{AsGiven: "2026-03-02T10:00:00"}, Currency: "GBP", PriceBasis: document.TaxIncluded,
		Lines: []document.Line{{Kind: document.Item, Quantity: money.One, Extended: amount + money.One,
			Adjustments: []document.Adjustment{{Kind: document.Discount, Level: document.LevelLine, Amount: -money.One}},
			Taxes:       []document.Tax{{Code: "S", Scheme: "VAT", Rate: dec("20"), Base: amount - dec(tax), Amount: dec(tax)}}}},
		Tenders: []document.Tender{
			{Kind: document.Cash, Direction: document.Paid, Amount: amount + money.One},
			{Kind: document.Cash, Direction: document.Change, Amount: -money.One},
		},
	}
}

// sum adds documents up; each is settled first.
func sum(t testing.TB, rule *bizday.Rule, documents ...*document.Document) Result {
	t.Helper()
	all := New(rule)
	for _, d := range documents {
		if err := format.Finish(d, format.Options{Rule: rule}, 0); err != nil {
			t.Fatal(err)
		}
		if err := all.Add(d); err != nil {
			t.Fatal(err)
		}
	}
	r, err := all.Result()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReceiptsAreAddedUpByRateTenderDayAndTerminal(t *testing.T) {
	t.Parallel()
	second := sale("2", "6.00", "1.00")
	second.Key.Terminal, second.StatedDay.Date = "2", "2026-03-01"
	second.Totals.Stated = &document.Amounts{Gross: ptr(dec("6.10"))}
	got := sum(t, nil, sale("1", "12.00", "2.00"), second)
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"receipts":2,"documents":2,"refused":0,"gross":"18.00","net":"15.00","tax":"3.00","tax_by_rate":{"20.00":"3.00"},"reductions":"2.00",` +
		`"tenders":{"CASH":"18.00"},"rounding":"0.00","by_day":{"2026-03-01":{"receipts":1,"gross":"6.00"},"2026-03-02":{"receipts":1,"gross":"12.00"}},` +
		`"by_terminal":{"1":{"receipts":1,"gross":"12.00"},"2":{"receipts":1,"gross":"6.00"}},"differences":{"gross":{"count":1,"amount":"0.10"}},"currencies":["GBP"]}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func ptr[T any](v T) *T { return &v }

func TestWhatMovedNoMoneyCountsAsADocumentOnly(t *testing.T) {
	t.Parallel()
	training, suspended, voided, control := sale("1", "1.00", "0.17"), sale("2", "1.00", "0.17"), sale("3", "1.00", "0.17"), sale("4", "1.00", "0.17")
	training.Kind, suspended.State = document.Training, document.Suspended
	voided.Kind, voided.State = document.Cancelled, document.Voided
	control.Kind, control.Lines, control.Tenders = document.NoSale, nil, nil
	got := sum(t, nil, training, suspended, voided, control)
	if got.Documents != 4 || got.Receipts != 0 || got.Gross != 0 || len(got.Tenders) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestAVoidTakesItsOriginalBackOnce(t *testing.T) {
	t.Parallel()
	void := func(number, of string) *document.Document {
		d := sale(number, "1.00", "0.00")
		d.Kind, d.Lines, d.Tenders = document.PostVoid, nil, nil
		original := d.Key
		original.Number = of
		d.Links = []document.Link{{Relation: document.Voids, Key: &original, Number: of}}
		return d
	}
	got := sum(t, nil, sale("1", "12.00", "2.00"), sale("2", "6.00", "1.00"), void("3", "1"))
	if got.Gross != dec("6") || got.Tax != dec("1") || got.Tenders["CASH"] != dec("6") || got.Reductions != dec("1") || got.VoidsUnresolved != 0 || got.Receipts != 3 {
		t.Errorf("%+v", got)
	}
	if got = sum(t, nil, sale("1", "12.00", "2.00"), void("3", "1"), void("4", "1"), void("5", "99")); got.Gross != 0 || got.VoidsUnresolved != 2 {
		t.Errorf("%+v", got)
	}
}

func TestTheDayIsTheStatedTheRulesOrTheDateAsGiven(t *testing.T) {
	t.Parallel()
	rule, err := bizday.NewRule("Europe/London", "04:00")
	if err != nil {
		t.Fatal(err)
	}
	late := func() *document.Document {
		d := sale("1", "1.00", "0.17")
		d.Time = format.Options{Rule: &rule}.Time("2026-03-02T01:30:00", mustWall(t, "2026-03-02T01:30:00"))
		return d
	}
	stated := late()
	stated.StatedDay.Date = "2026-02-20"
	for name, test := range map[string]struct {
		d    *document.Document
		rule *bizday.Rule
		want string
	}{
		"stated":         {stated, &rule, "2026-02-20"},
		"by the rule":    {late(), &rule, "2026-03-01"},
		"as it is given": {late(), nil, "2026-03-02"},
	} {
		if got := sum(t, test.rule, test.d); len(got.ByDay) != 1 || got.ByDay[test.want].Receipts != 1 {
			t.Errorf("%s: %v, want %s", name, got.ByDay, test.want)
		}
	}
}

func mustWall(t *testing.T, s string) format.Wall {
	t.Helper()
	w, err := format.ParseXMLTime(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Days, terminals and tenders each add up to the whole, in any order.
func TestPartsAddUpToTheWholeInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		var documents []*document.Document
		for i := range rapid.IntRange(0, 8).Draw(r, "receipts") {
			d := sale(string(rune('a'+i)), money.Decimal(rapid.Int64Range(-5000, 5000).Draw(r, "cents")*10_000).String(), "0.00")
			d.Key.Terminal = rapid.SampledFrom([]string{"1", "2"}).Draw(r, "terminal")
			d.StatedDay.Date = rapid.SampledFrom([]string{"2026-03-01", "2026-03-02"}).Draw(r, "day")
			documents = append(documents, d)
		}
		one := sum(t, nil, documents...)
		if diff := cmp.Diff(one, sum(t, nil, rapid.Permutation(documents).Draw(r, "order")...)); diff != "" {
			r.Fatalf("another order gives another sum:\n%s", diff)
		}
		var days, terminals, tenders money.Decimal
		for _, p := range one.ByDay {
			days += p.Gross
		}
		for _, p := range one.ByTerminal {
			terminals += p.Gross
		}
		for _, amount := range one.Tenders {
			tenders += amount
		}
		if days != one.Gross || terminals != one.Gross || tenders != one.Gross {
			r.Fatalf("gross %s, days %s, terminals %s, tenders %s", one.Gross, days, terminals, tenders)
		}
	})
}
