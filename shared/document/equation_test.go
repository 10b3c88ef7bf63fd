package document_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/document/documenttest"
	"tillbook.example/tillbook/shared/money"
)

// settled settles d and returns its differences as "rule amount", joined.
func settled(t testing.TB, d *document.Document) string {
	t.Helper()
	if err := d.Settle(); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, difference := range d.Totals.Differences {
		found = append(found, fmt.Sprint(difference.Rule, " ", difference.Amount))
	}
	return strings.Join(found, ", ")
}

func vat(rate, base, tax string) []document.Tax {
	return []document.Tax{{Code: "S", Scheme: "VAT", Rate: money.MustParse(rate), Base: money.MustParse(base), Amount: money.MustParse(tax)}}
}

// pie is a sale of one pie for 12.00, of which 2.00 are tax, paid in cash.
func pie() *document.Document {
	return &document.Document{
		Kind: document.Sale, State: document.Completed, Currency: "GBP", PriceBasis: document.TaxIncluded,
		Lines:   []document.Line{{Kind: document.Item, Extended: money.MustParse("12"), Taxes: vat("20", "10", "2")}},
		Tenders: []document.Tender{{Kind: document.Cash, Direction: document.Paid, Amount: money.MustParse("12")}},
	}
}

func TestEachRuleIsBrokenByItsOwnAmount(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(d *document.Document)
		want   string
	}{
		"nothing stated": {func(d *document.Document) {}, ""},
		"all stated rightly": {func(d *document.Document) {
			d.Totals.Stated = &document.Amounts{Gross: amount("12"), Net: amount("10"), Tax: amount("2")}
		}, ""},
		"gross":              {func(d *document.Document) { d.Totals.Stated = &document.Amounts{Gross: amount("12.01")} }, "gross 0.01"},
		"net":                {func(d *document.Document) { d.Totals.Stated = &document.Amounts{Net: amount("9.99")} }, "net -0.01"},
		"tax":                {func(d *document.Document) { d.Totals.Stated = &document.Amounts{Tax: amount("0")} }, "tax -2.00"},
		"tenders too little": {func(d *document.Document) { d.Tenders[0].Amount = money.MustParse("11.50") }, "tenders -0.50"},
		"no tenders":         {func(d *document.Document) { d.Tenders = nil }, "tenders -12.00"},
		"no lines":           {func(d *document.Document) { d.Lines = nil }, "tenders 12.00"},
		"neither, but a stated gross": {func(d *document.Document) {
			d.Lines, d.Tenders, d.Totals.Stated = nil, nil, &document.Amounts{Gross: amount("12")}
		}, "gross 12.00"},
		"change": {func(d *document.Document) {
			d.Tenders[0].Amount = money.MustParse("20")
			d.Tenders = append(d.Tenders, document.Tender{Kind: document.Cash, Direction: document.Change, Amount: money.MustParse("-8")})
		}, ""},
		"cashback": {func(d *document.Document) {
			d.Tenders[0].Amount = money.MustParse("32")
			d.Tenders = append(d.Tenders, document.Tender{Kind: document.Cash, Direction: document.Cashback, Amount: money.MustParse("-20")})
		}, ""},
		"tip on the tender": {func(d *document.Document) {
			d.Tenders[0].Amount, d.Tenders[0].Tip = money.MustParse("13.50"), money.MustParse("1.50")
		}, ""},
		"tip on a line": {func(d *document.Document) {
			d.Lines = append(d.Lines, document.Line{Kind: document.TipStaff, Extended: money.MustParse("1.50")})
			d.Tenders[0].Amount = money.MustParse("13.50")
		}, ""},
		"the same tip on both": {func(d *document.Document) {
			d.Lines = append(d.Lines, document.Line{Kind: document.TipStaff, Extended: money.MustParse("1.50")})
			d.Tenders[0].Amount, d.Tenders[0].Tip = money.MustParse("13.50"), money.MustParse("1.50")
		}, "tenders -1.50"},
		"tip that is not in the amount": {func(d *document.Document) { d.Tenders[0].Tip = money.MustParse("1.50") }, "tenders -1.50"},
		"rounding line": {func(d *document.Document) {
			d.Lines[0].Extended, d.Lines[0].Taxes = money.MustParse("12.02"), nil
			d.Lines = append(d.Lines, document.Line{Kind: document.CashRounding, Extended: money.MustParse("-0.02")})
			d.Totals.Stated = &document.Amounts{Gross: amount("12.02"), Rounding: amount("-0.02")}
		}, ""},
		"rounding stated otherwise than its line": {func(d *document.Document) {
			d.Lines = append(d.Lines, document.Line{Kind: document.CashRounding, Extended: money.MustParse("-0.02")})
			d.Tenders[0].Amount = money.MustParse("11.98")
			d.Totals.Stated = &document.Amounts{Rounding: amount("0.02")}
		}, "rounding 0.04"},
		"rounding lines that cancel out": {func(d *document.Document) {
			d.Lines = append(d.Lines, document.Line{Kind: document.CashRounding, Extended: money.MustParse("0.02")},
				document.Line{Kind: document.CashRounding, Extended: money.MustParse("-0.02")})
			d.Totals.Stated = &document.Amounts{Rounding: amount("0.05")}
		}, "rounding 0.05"},
		"rounding stated without a line": {func(d *document.Document) {
			d.Tenders[0].Amount = money.MustParse("11.98")
			d.Totals.Stated = &document.Amounts{Rounding: amount("-0.02")}
		}, ""},
		"discount on the line": {func(d *document.Document) {
			d.Lines[0].Extended = money.MustParse("15")
			d.Lines[0].Adjustments = []document.Adjustment{{Kind: document.Discount, Level: document.LevelLine, Amount: money.MustParse("-3")}}
			d.Totals.Stated = &document.Amounts{Gross: amount("12"), Net: amount("10")}
		}, ""},
		"tax on top": {func(d *document.Document) {
			d.PriceBasis, d.Lines[0].Extended = document.TaxExcluded, money.MustParse("10")
			d.Totals.Stated = &document.Amounts{Gross: amount("12"), Net: amount("10"), Tax: amount("2")}
		}, ""},
		"tax taken for included": {func(d *document.Document) {
			d.Lines[0].Extended = money.MustParse("10")
			d.Totals.Stated = &document.Amounts{Gross: amount("12"), Net: amount("10"), Tax: amount("2")}
		}, "gross 2.00, net 2.00, tenders 2.00"},
		"no price basis is taken for included": {func(d *document.Document) {
			d.PriceBasis = ""
			d.Totals.Stated = &document.Amounts{Gross: amount("12"), Net: amount("10")}
		}, ""},
		"two taxes on one line": {func(d *document.Document) {
			d.PriceBasis = document.TaxExcluded
			d.Lines[0].Extended = money.MustParse("10")
			d.Lines[0].Taxes = append(vat("6", "10", "0.60"), document.Tax{Code: "C", Scheme: "SALES", Rate: money.MustParse("2.125"), Base: money.MustParse("10"), Amount: money.MustParse("0.21")})
			d.Tenders[0].Amount = money.MustParse("10.81")
		}, ""},
		"tax of another rate":         {func(d *document.Document) { d.Lines[0].Taxes = vat("10", "10", "2") }, "tax_rate 1.00"},
		"tax one cent off":            {func(d *document.Document) { d.Lines[0].Taxes = vat("20", "10", "2.01") }, "tax_rate 0.01"},
		"tax rounded up":              {func(d *document.Document) { d.Lines[0].Taxes = vat("20", "10.01", "2.01") }, ""},
		"tax of a zero rate":          {func(d *document.Document) { d.Lines[0].Taxes = vat("0", "12", "0") }, ""},
		"tax without a base or a sum": {func(d *document.Document) { d.Lines[0].Taxes = vat("20", "0", "0") }, ""},
		"excise of a fixed sum": {func(d *document.Document) {
			d.Lines[0].Taxes = []document.Tax{{Code: "E", Scheme: "EXCISE", Amount: money.MustParse("0.25")}}
		}, ""},
		"tax in yen": {func(d *document.Document) {
			d.Currency, d.Lines[0].Taxes = "JPY", vat("10", "11", "1")
		}, ""},
		"the same tax rounded on three lines": {func(d *document.Document) {
			for range 2 {
				d.Lines = append(d.Lines, d.Lines[0])
			}
			for i := range d.Lines { // 0.05 × 10 % is 0.005 on each, 0.015 in all
				d.Lines[i] = document.Line{Kind: document.Item, Extended: money.MustParse("0.06"), Taxes: vat("10", "0.05", "0.01")}
			}
			d.Tenders[0].Amount = money.MustParse("0.18")
		}, ""},
		"return": {func(d *document.Document) {
			d.Kind = document.Return
			d.Lines[0].Extended, d.Lines[0].Taxes = money.MustParse("-12"), vat("20", "-10", "-2")
			d.Tenders[0] = document.Tender{Kind: document.Cash, Direction: document.Refund, Amount: money.MustParse("-12")}
			d.Totals.Stated = &document.Amounts{Gross: amount("-12"), Net: amount("-10"), Tax: amount("-2")}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := pie()
			c.change(d)
			if got := settled(t, d); got != c.want {
				t.Errorf("differences %q, want %q", got, c.want)
			}
		})
	}
}

func TestOnlyCompletedReceiptsMustBePaid(t *testing.T) {
	t.Parallel()
	for _, kind := range document.Kinds {
		for _, state := range document.States {
			for _, deleted := range []bool{false, true} {
				d := pie()
				d.Kind, d.State, d.Deleted, d.Tenders = kind, state, deleted, nil
				want := ""
				if kind.Receipt() && kind != document.PostVoid && state == document.Completed && !deleted {
					want = "tenders -12.00"
				}
				if got := settled(t, d); got != want {
					t.Errorf("unpaid %s, %s, deleted %t: differences %q, want %q", kind, state, deleted, got, want)
				}
			}
		}
	}
}

func TestComputedTotalsAreThoseOfTheLinesAndTenders(t *testing.T) {
	t.Parallel()
	d := pie()
	d.Lines[0].Adjustments = []document.Adjustment{{Kind: document.Discount, Level: document.LevelLine, Amount: money.MustParse("-1")}}
	d.Lines = append(d.Lines, document.Line{Kind: document.CashRounding, Extended: money.MustParse("0.02")})
	d.Tenders = []document.Tender{
		{Kind: document.CardDebit, Direction: document.Paid, Amount: money.MustParse("7"), Tip: money.MustParse("1.25")},
		{Kind: document.Cash, Direction: document.Paid, Amount: money.MustParse("10")},
		{Kind: document.Cash, Direction: document.Change, Amount: money.MustParse("-4.75")},
		{Kind: document.Cash, Direction: document.Cashback, Amount: 0},
	}
	settled(t, d)
	want := &document.Amounts{
		Gross: amount("11"), Net: amount("9"), Tax: amount("2"), Discount: amount("-1"),
		Rounding: amount("0.02"), Tip: amount("1.25"), Paid: amount("17"), Change: amount("4.75"),
	}
	if diff := cmp.Diff(want, d.Totals.Computed); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestGeneratedReceiptsSatisfyTheEquation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := documenttest.Receipt().Draw(t, "receipt")
		if err := d.Check(); err != nil {
			t.Fatal(err)
		}
		if err := d.Settle(); err != nil || len(d.Totals.Differences) > 0 {
			t.Fatalf("%v, %v in\n%s", err, d.Totals.Differences, document.Canonical(d))
		}
	})
}

func TestAReceiptShortOfACentDiffersByACent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := documenttest.Receipt().Draw(t, "receipt")
		cent := money.MustParse("0.01")
		d.Tenders = append(d.Tenders, document.Tender{Kind: document.Cash, Direction: document.Paid, Amount: cent})
		if err := d.Settle(); err != nil || len(d.Totals.Differences) != 1 || d.Totals.Differences[0] != (document.Difference{Rule: document.RuleTenders, Amount: cent}) {
			t.Fatalf("%v, %v", err, d.Totals.Differences)
		}
	})
}

func TestSettleIsRepeatableAndChangesNeitherHashNorTheRest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := documenttest.Any().Draw(t, "document")
		before := document.Hash(d)
		first := d.Settle()
		totals := d.Totals
		if second := d.Settle(); (first == nil) != (second == nil) || !cmp.Equal(totals, d.Totals) {
			t.Fatalf("%v, %v: %s", first, second, cmp.Diff(totals, d.Totals))
		}
		if document.Hash(d) != before {
			t.Fatal("settling changes the hash")
		}
	})
}

func TestTotalsOutOfRangeAreAnErrorAndLeaveNone(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(d *document.Document){
		"lines": func(d *document.Document) {
			d.Lines[0].Extended = money.Max
			d.Lines = append(d.Lines, d.Lines[0], d.Lines[0])
		},
		"tenders": func(d *document.Document) {
			d.Tenders[0].Amount = money.Max
			d.Tenders = append(d.Tenders, d.Tenders[0])
		},
		"differences": func(d *document.Document) { d.Totals.Stated = &document.Amounts{Gross: amount("-9000000000000")} },
		"adjustments": func(d *document.Document) {
			d.Lines[0].Extended = money.Max
			d.Lines[0].Adjustments = []document.Adjustment{{Amount: 1}}
		},
		"tax": func(d *document.Document) { d.Lines[0].Taxes = vat("100000", "9000000000000", "0") },
	} {
		d := pie()
		d.Totals.Computed, d.Totals.Differences = &document.Amounts{}, []document.Difference{{}}
		change(d)
		if err := d.Settle(); err == nil || d.Totals.Computed != nil || d.Totals.Differences != nil {
			t.Errorf("%s: %v, %+v", name, err, d.Totals)
		}
	}
}

func BenchmarkSettle(b *testing.B) {
	d := benchDocument(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Settle(); err != nil {
			b.Fatal(err)
		}
	}
}
