package reconcile_test

import (
	"testing"

	"tillbook.example/tillbook/collector/reconcile"
	"tillbook.example/tillbook/shared/document"
)

// claims are the claims of the first Z of a proof, as text.
func claims(p reconcile.Proof) map[string]string {
	all := map[string]string{}
	for _, c := range p.Closes[0].Claims {
		all[c.What] = c.Claimed.String() + " " + c.Computed.String()
		if c.Basis != "" {
			all[c.What] += " " + c.Basis
		}
	}
	return all
}

func wantClaims(t *testing.T, p reconcile.Proof, want map[string]string) {
	t.Helper()
	got := claims(p)
	for what, text := range want {
		if got[what] != text {
			t.Errorf("%s is %q, want %q", what, got[what], text)
		}
	}
}

func TestEachFigureOfAZIsComparedByItself(t *testing.T) {
	t.Parallel()
	right := document.Close{
		Receipts: count(2), Gross: ptr("180.00"), Net: ptr("150.00"), Tax: ptr("30.00"),
		ByTax:    []document.Tax{{Code: "A", Base: dec("150.00"), Amount: dec("30.00")}},
		ByTender: []document.TenderAmount{{Kind: document.Cash, Amount: dec("120.00"), Count: 1}, {Kind: document.CardUnknown, Amount: dec("60.00"), Count: 1}},
	}
	for what, wrong := range map[string]struct {
		change func(c *document.Close)
		want   []string
	}{
		"net":         {func(c *document.Close) { c.Net = ptr("151.00") }, []string{"close:1/12/net close_differs 1.00 opened"}},
		"tax":         {func(c *document.Close) { c.Tax = ptr("29.00") }, []string{"close:1/12/tax close_differs -1.00 opened"}},
		"tax by code": {func(c *document.Close) { c.ByTax[0].Amount = dec("31.00") }, []string{"close:1/12/tax:A close_differs 1.00 opened"}},
		"base":        {func(c *document.Close) { c.ByTax[0].Base = dec("149.00") }, []string{"close:1/12/base:A close_differs -1.00 opened"}},
		"cards":       {func(c *document.Close) { c.ByTender[1].Amount = dec("61.00") }, []string{"close:1/12/tender:CARD_UNKNOWN close_differs 1.00 opened"}},
		"slips":       {func(c *document.Close) { c.ByTender[1].Count = 3 }, []string{"close:1/12/count:CARD_UNKNOWN close_differs #2 opened"}},
	} {
		c := right
		c.ByTax, c.ByTender = append([]document.Tax{}, right.ByTax...), append([]document.TenderAmount{}, right.ByTender...)
		wrong.change(&c)
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			want(t, docs(sale("1", "120.00", document.Cash), sale("2", "60.00", document.CardCredit), z("12", c)), false, wrong.want...)
		})
	}
}

func TestATillMayCountItsReceiptsAndSalesInWaysOfItsOwn(t *testing.T) {
	t.Parallel()
	voided := func(number string) *document.Document {
		return sale(number, "12.00", document.Cash, state(document.Voided))
	}
	for claimed, basis := range map[int64]string{1: "", 2: " as this till counts"} {
		p := want(t, docs(sale("1", "12.00", document.Cash), voided("2"), z("12", document.Close{Receipts: count(claimed)})), true)
		wantClaims(t, p, map[string]string{"receipts": map[int64]string{1: "1.00", 2: "2.00"}[claimed] + " 1.00" + basis})
	}
	want(t, docs(sale("1", "12.00", document.Cash), voided("2"), z("12", document.Close{Receipts: count(3)})), false,
		"close:1/12/receipts close_differs #2 opened")

	gift := sale("2", "30.00", document.Cash)
	gift.Lines = []document.Line{{Kind: document.VoucherSell, Extended: dec("30.00")}}
	p := want(t, docs(sale("1", "12.00", document.Cash), gift, z("12", document.Close{Gross: ptr("12.00"), Net: ptr("10.00")})), true)
	wantClaims(t, p, map[string]string{
		"gross": "12.00 42.00 without vouchers, deposits and money of others", "net": "10.00 40.00 without vouchers, deposits and money of others",
	})

	tipped := sale("1", "12.00", document.CardCredit)
	tipped.Tenders[0].Amount, tipped.Tenders[0].Tip = dec("14.00"), dec("2.00")
	wantClaims(t, want(t, docs(tipped, z("12", document.Close{Gross: ptr("14.00")})), true), map[string]string{"gross": "14.00 12.00 with tips"})
}

func TestTheCashThatAZExpectsIsThatOfItsDrawer(t *testing.T) {
	t.Parallel()
	day := func(expected string) reconcile.Input {
		return docs(
			tillCount("1", "OPEN", "50.00", seq(1)), sale("1", "12.00", document.Cash, seq(2)),
			move("2", document.SafeDrop, "5.00", document.Drawer, document.Safe, seq(3)),
			tillCount("3", "CLOSE", "57.00", seq(4)), z("12", document.Close{Expected: ptr(expected)}, seq(5)),
		)
	}
	for expected, basis := range map[string]string{"57.00": "", "7.00": " without the float", "62.00": " before drops and payouts"} {
		wantClaims(t, want(t, day(expected), true), map[string]string{"expected": expected + " 57.00" + basis})
	}
	want(t, day("58.00"), false, "close:1/12/expected close_differs 1.00 opened")
}

func TestASessionIsOpenedWithWhatTheOneBeforeLeft(t *testing.T) {
	t.Parallel()
	day := func(change func(*document.Document), opened string) reconcile.Input {
		return docs(
			sale("1", "12.00", document.Cash, in("D", "1")), tillCount("1", "CLOSE", "12.00", in("D", "1"), change),
			tillCount("2", "OPEN", opened, in("D", "2")), sale("2", "24.00", document.Cash, in("D", "2")),
		)
	}
	removed := func(d *document.Document) { d.Count = &document.Count{Removed: ptr("9.00")} }
	for name, change := range map[string]func(*document.Document){"left is stated": leaving2("D", "1", "3.00", "9.00"), "only what was removed is": removed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want(t, day(change, "3.00"), true)
			p := want(t, day(change, "2.00"), true, "drawer:D/2/GBP/opening opening_difference -1.00 explained")
			if keys := p.Differences[0].Documents; len(keys) != 1 || keys[0] != "S1|1|EVENT|2" {
				t.Errorf("the difference names %q, want the opening count", keys)
			}
		})
	}
}
