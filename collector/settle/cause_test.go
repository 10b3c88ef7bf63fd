package settle_test

import (
	"testing"

	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/document"
)

func TestEachDifferenceHasItsCauseItsOwnerAndItsAge(t *testing.T) {
	t.Parallel()
	stores := func(in *settle.Input) { in.Account.Stores = []string{"north"} }
	brands := func(in *settle.Input) { in.Account.Brands = []string{"VISA"} }
	of := func(store string) func(*settle.Movement) { return func(m *settle.Movement) { m.Store = store } }
	brand := func(s string) func(*settle.Taken) { return func(t *settle.Taken) { t.Brand = s } }
	for name, c := range map[string]struct {
		change    func(*settle.Input)
		tenders   []settle.Taken
		movements []settle.Movement
		want      settle.Difference
	}{
		"rung up and not captured": {nil, []settle.Taken{tender(1, "02 10:00", "5.00"), tender(2, "20 10:00", "6.00")}, nil,
			settle.Difference{Cause: settle.NotCaptured, Amount: dec("11.00"), Count: 2, Since: "2026-03-02", Age: 29, Owner: settle.OwnerMerchant}},
		"rung up a moment ago": {nil, []settle.Taken{tender(1, "26 10:00", "5.00"), tender(2, "30 10:00", "6.00")}, nil,
			settle.Difference{Cause: settle.Awaited, Amount: dec("11.00"), Count: 2, Since: "2026-03-26", Age: 5, Expected: "2026-04-04", Owner: settle.OwnerNobody}},
		"taken a moment ago": {nil, nil, []settle.Movement{moved("a", settle.Charge, "26 10:00", "5.00")},
			settle.Difference{Cause: settle.Awaited, Amount: dec("-5.00"), Count: 1, Since: "2026-03-26", Age: 5, Expected: "2026-03-31", Owner: settle.OwnerNobody}},
		"taken and not rung up": {stores, nil, []settle.Movement{moved("a", settle.Charge, "25 10:00", "5.00", of("north")), moved("b", settle.Charge, "24 10:00", "7.00")},
			settle.Difference{Cause: settle.NotRung, Amount: dec("-12.00"), Count: 2, Since: "2026-03-24", Age: 7, Owner: settle.OwnerMerchant}},
		"of another shop": {stores, nil, []settle.Movement{moved("a", settle.Charge, "02 10:00", "5.00", of("south"))},
			settle.Difference{Cause: settle.SharedMerchant, Amount: dec("-5.00"), Count: 1, Since: "2026-03-02", Age: 29, Owner: settle.OwnerAccountant}},
		"of a brand that another settles": {brands, []settle.Taken{tender(1, "30 10:00", "5.00", brand("AMEX"))}, nil,
			settle.Difference{Cause: settle.SettledPerBrand, Amount: dec("5.00"), Count: 1, Since: "2026-03-30", Age: 1, Owner: settle.OwnerAccountant}},
		"declined after it was taken offline": {nil, []settle.Taken{tender(1, "30 10:00", "5.00")},
			[]settle.Movement{moved("a", settle.Other, "30 12:00", "0", receiptOf("1"))},
			settle.Difference{Cause: settle.OfflineDecline, Amount: dec("5.00"), Count: 1, Since: "2026-03-30", Age: 1, Owner: settle.OwnerMerchant}},
		"captured twice": {nil, []settle.Taken{tender(1, "30 10:00", "5.00")},
			[]settle.Movement{moved("a", settle.Charge, "30 10:00", "5.00", receiptOf("1")), moved("b", settle.Charge, "30 10:01", "5.00", receiptOf("1"))},
			settle.Difference{Cause: settle.Duplicate, Amount: dec("-5.00"), Count: 1, Since: "2026-03-30", Age: 1, Owner: settle.OwnerMerchant}},
	} {
		r := run(t, march(func(in *settle.Input) {
			in.Taken, in.Movements = c.tenders, c.movements
			if c.change != nil {
				c.change(in)
			}
		}))
		addsUp(t, r)
		if len(r.Differences) != 1 {
			t.Errorf("%s: differences are %s, want one", name, causes(r))
			continue
		}
		got := r.Differences[0]
		if got.Text == "" || len(got.Facts) != got.Count {
			t.Errorf("%s: it says %q and names %v", name, got.Text, got.Facts)
		}
		got.Text, got.Facts, c.want.Facts = "", nil, nil
		if got.Cause != c.want.Cause || got.Amount != c.want.Amount || got.Count != c.want.Count || got.Since != c.want.Since || got.Age != c.want.Age ||
			got.Expected != c.want.Expected || got.Owner != c.want.Owner {
			t.Errorf("%s: it is %+v, want %+v", name, got, c.want)
		}
	}
}

func TestAPayoutThatNamesNoMovementsPaysTheDaysBeforeIt(t *testing.T) {
	t.Parallel()
	days := []settle.Movement{
		moved("a", settle.Charge, "02 10:00", "10.00"), moved("b", settle.Charge, "03 10:00", "20.00", kept("1.00")), moved("c", settle.Charge, "04 10:00", "40.00"),
	}
	for name, c := range map[string]struct {
		payout settle.Payout
		want   string // payouts of the pairs
		left   int    // days that are unsettled
	}{
		"days in a row":              {paid("po", "04 06:00", "29.00"), "movement:a = payout:po by sum\nmovement:b = payout:po by sum", 1},
		"also of the day itself":     {paid("po", "04 23:00", "69.00"), "movement:a = payout:po by sum\nmovement:b = payout:po by sum\nmovement:c = payout:po by sum", 0},
		"the only days that do":      {paid("po", "06 06:00", "50.00"), "movement:a = payout:po by sum\nmovement:c = payout:po by sum", 1},
		"no day from after it":       {paid("po", "03 06:00", "50.00"), "", 4},
		"not what is a penny off":    {paid("po", "06 06:00", "50.01"), "", 4},
		"with the fee for its haste": {paid("po", "06 06:00", "49.50", func(p *settle.Payout) { p.Fee = dec("0.50") }), "movement:a = payout:po by sum\nmovement:c = payout:po by sum", 1},
	} {
		r := run(t, march(func(in *settle.Input) { in.Movements, in.Payouts = days, []settle.Payout{c.payout} }))
		addsUp(t, r)
		if got := shown(r); got != c.want {
			t.Errorf("%s: matched is\n%s\nwant\n%s", name, got, c.want)
		}
		if len(r.Unsettled) != c.left {
			t.Errorf("%s: unsettled is %+v, want %d", name, r.Unsettled, c.left)
		}
	}
}

func TestAPayoutThatFailedIsOwedAgainHoweverThatIsSaid(t *testing.T) {
	t.Parallel()
	failed := func(p *settle.Payout) { p.State = settle.Failed }
	sent := moved("t2", settle.PaidOut, "03 06:00", "-10.00", within("po"))
	for name, more := range map[string][]settle.Movement{
		"its state alone":             nil,
		"its state, and that it went": {sent},
		"a movement of it":            {sent, moved("t3", settle.PayoutFailed, "05 06:00", "10.00", within("po"))},
		"a movement that names it":    {sent, moved("t3", settle.PayoutFailed, "05 06:00", "10.00", func(m *settle.Movement) { m.Of = "po" })},
		"a movement of its amount":    {sent, moved("t3", settle.PayoutFailed, "05 06:00", "10.00")},
	} {
		in := march(func(in *settle.Input) {
			in.Movements = append([]settle.Movement{moved("a", settle.Charge, "02 10:00", "10.00", within("po"))}, more...)
			in.Payouts = []settle.Payout{paid("po", "03 06:00", "10.00", failed)}
		})
		r := run(t, in)
		addsUp(t, r)
		if r.Owed != dec("10.00") {
			t.Errorf("%s: owed is %s, want 10.00 again", name, r.Owed)
		}
		for _, f := range r.Flows {
			if f.Name == "payouts" && f.Amount != 0 {
				t.Errorf("%s: payouts come to %s, want nothing in the end", name, f.Amount)
			}
		}
		if p := proofOf(t, r, "po"); p.Bank != settle.CameBack {
			t.Errorf("%s: it is %s at the bank", name, p.Bank)
		}
	}
}

func TestTheLastWordOfAProviderAndOfAPersonCounts(t *testing.T) {
	t.Parallel()
	in := march(func(in *settle.Input) {
		in.Taken = []settle.Taken{tender(1, "02 10:00", "98.00")}
		in.Movements = []settle.Movement{moved("a", settle.Charge, "02 10:00", "89.00", receiptOf("1")), moved("b", settle.Charge, "30 10:00", "1.00")}
		in.Balances = []settle.Balance{
			{Provider: "p", Currency: "GBP", At: at("28 10:00"), Available: dec("5.00")}, {Provider: "p", Currency: "GBP", At: at("29 10:00"), Available: dec("80.00"), Pending: dec("9.00")},
			{Provider: "p", Currency: "GBP", At: at("04-02 10:00"), Available: dec("7.00")}, {Provider: "p", Currency: "EUR", At: at("30 10:00"), Available: dec("6.00")},
		}
	})
	r := run(t, in)
	if r.Stated == nil || *r.Stated != dec("90.00") {
		t.Errorf("stated is %v, want 89.00 of the 29th and 1.00 since", r.Stated)
	}
	if len(r.Proposals) != 1 {
		t.Fatalf("proposals are %+v, want one", r.Proposals)
	}
	yes := settle.Decision{Proposal: r.Proposals[0], Accepted: true, By: "anna", At: at("10 10:00")}
	no := settle.Decision{Proposal: r.Proposals[0], By: "anna", At: at("11 10:00")}
	for _, c := range []struct {
		decisions []settle.Decision
		want      string
	}{
		{[]settle.Decision{yes}, "accepted 9.00, awaited -1.00"},
		{[]settle.Decision{no, yes}, "awaited -1.00, not_captured 98.00, not_rung -89.00"},
		{[]settle.Decision{yes, no}, "awaited -1.00, not_captured 98.00, not_rung -89.00"},
	} {
		in.Decisions = c.decisions
		if got := causes(run(t, in)); got != c.want {
			t.Errorf("differences are %s, want %s", got, c.want)
		}
	}
}

func TestARuleTakesATenderByEachOfItsFields(t *testing.T) {
	t.Parallel()
	one := settle.Taken{Kind: document.CardCredit, Label: "Visa", Acquirer: "A", MID: "77", Store: "S1"}
	for _, r := range []settle.Rule{{Kind: document.CardCredit}, {Label: "Visa"}, {Acquirer: "A"}, {MID: "77"}, {Store: "S1"}, {Kind: document.CardCredit, Store: "S1"}} {
		if !(settle.Account{Takes: []settle.Rule{{Label: "other"}, r}}).Settles(one) {
			t.Errorf("%+v does not take it", r)
		}
	}
	for _, r := range []settle.Rule{{Kind: document.CardDebit}, {Label: "Amex"}, {Acquirer: "B"}, {MID: "78"}, {Store: "S2"}, {Kind: document.CardCredit, Store: "S2"}} {
		if (settle.Account{Takes: []settle.Rule{r}}).Settles(one) {
			t.Errorf("%+v takes it", r)
		}
	}
	for kind, want := range map[document.TenderKind]bool{document.CardDebit: true, document.Wallet: true, document.GiftCard: false, document.Account: false} {
		if got := (settle.Account{}).Settles(settle.Taken{Kind: kind}); got != want {
			t.Errorf("without rules %s is taken: %t", kind, got)
		}
	}
}
