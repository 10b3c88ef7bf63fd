package books_test

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// drawEvents draws events of every kind, in three currencies, with tax and
// loans, under keys of their own.
func drawEvents(t *rapid.T) []books.Event {
	amount := func(label string) money.Decimal {
		return money.Decimal(rapid.Int64Range(-200_000_000, 200_000_000).Draw(t, label)) * 100
	}
	events := make([]books.Event, rapid.IntRange(0, 12).Draw(t, "events"))
	for i := range events {
		e := books.Event{
			Key: "e" + strconv.Itoa(i), Kind: rapid.SampledFrom(append([]books.EventKind{"LEASE"}, books.EventKinds...)).Draw(t, "kind"),
			Amount: amount("amount"), Fee: amount("fee"), Cost: amount("cost"), Total: amount("total"), Repaid: amount("repaid"),
			Tender:        rapid.SampledFrom([]document.TenderKind{"", document.Cash, document.ForeignCash, document.Marketplace, document.Wallet}).Draw(t, "tender"),
			Currency:      rapid.SampledFrom([]string{"", "GBP", "EUR", "JPY", "BHD"}).Draw(t, "currency"),
			Rate:          money.Decimal(rapid.Int64Range(0, 3_000_000).Draw(t, "rate")),
			Billed:        rapid.Bool().Draw(t, "billed"),
			ReverseCharge: rapid.Bool().Draw(t, "reverse charge"),
		}
		if rapid.Bool().Draw(t, "taxed") {
			e.Taxes = []document.Tax{{Code: "S", Rate: 20 * money.One, Base: amount("base"), Amount: amount("tax")}}
		}
		if rapid.Bool().Draw(t, "received") {
			got := amount("got")
			e.Received = &got
		}
		events[i] = e
	}
	return events
}

func TestAnyEventsBalanceInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawMapping(t)
		m.PostPayouts = rapid.Bool().Draw(t, "payouts")
		input := happened(m, drawEvents(t)...)
		entry, _ := books.BuildEvents(input)
		if err := sound(entry); err != nil {
			t.Fatal(err)
		}
		seed := rapid.Uint64().Draw(t, "seed")
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(input.Events), func(i, j int) {
			input.Events[i], input.Events[j] = input.Events[j], input.Events[i]
		})
		if again, _ := books.BuildEvents(input); again.Hash() != entry.Hash() {
			t.Fatalf("another order, another entry:\n%s\n%s", entry.Canonical(), again.Canonical())
		}
	})
}

func TestTheSharesOfALoansCostAddUpToIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Int64Range(2, 1_000_000).Draw(t, "total")
		cost := rapid.Int64Range(1, total).Draw(t, "cost")
		m := books.Mapping{Currency: "GBP", Accounts: map[books.Role]string{books.FinanceCost: "Cost", books.PrepaidFinance: "Prepaid"}}
		var booked money.Minor
		for repaid := int64(0); repaid < total; {
			part := rapid.Int64Range(max(1, total/20), total).Draw(t, "part")
			part = min(part, total-repaid)
			e := books.Event{
				Kind: books.Repayment, Key: "r", Amount: money.Decimal(part) * money.One / 100, Cost: money.Decimal(cost) * money.One / 100,
				Total: money.Decimal(total) * money.One / 100, Repaid: money.Decimal(repaid) * money.One / 100,
			}
			entry, _ := books.BuildEvents(happened(m, e))
			for _, l := range entry.Lines {
				if l.Role == books.FinanceCost {
					booked += l.Signed()
				}
			}
			repaid += part
		}
		if booked != money.Minor(cost) {
			t.Fatalf("%d of a cost of %d was booked", booked, cost)
		}
	})
}

func TestEventsThatCannotBeBookedAreAskedAbout(t *testing.T) {
	t.Parallel()
	fee := happening(books.ProviderFee, "fee_1", "1.00")
	for name, c := range map[string]struct {
		events []books.Event
		want   string
	}{
		"a kind that is not known":          {[]books.Event{happening("LEASE", "x", "1.00")}, books.UnknownKind},
		"another currency without a rate":   {[]books.Event{happening(books.Reserve, "x", "1.00", func(e *books.Event) { e.Currency = "EUR" })}, books.ConversionMissing},
		"two events under one key":          {[]books.Event{fee, happening(books.ProviderFee, "fee_1", "2.00")}, books.Duplicate},
		"the same event twice":              {[]books.Event{fee, fee}, ""},
		"a way of paying without a account": {[]books.Event{happening(books.Reserve, "x", "1.00", func(e *books.Event) { e.Tender = document.Wallet })}, books.MissingAccount},
		"a tax that is not mapped": {[]books.Event{happening(books.ProviderFee, "x", "1.00", func(e *books.Event) {
			e.Taxes = []document.Tax{tax("Q", "8", "0.90", "0.10")}
		})}, books.UnmappedTax},
	} {
		entry, problems := books.BuildEvents(happened(ukMapping(t), c.events...))
		wantSound(t, entry)
		got := ""
		for _, p := range problems {
			got += p.Code
		}
		if got != c.want {
			t.Errorf("%s: problems are %+v, want %q", name, problems, c.want)
		}
	}
}

func TestAFeeUnderReverseChargeBearsBothTaxes(t *testing.T) {
	t.Parallel()
	entry, _ := books.BuildEvents(happened(ukMapping(t), happening(books.ProviderFee, "x", "10.00", func(e *books.Event) {
		e.ReverseCharge, e.Taxes = true, []document.Tax{vat20("10.00", "2.00")}
	})))
	for _, l := range entry.Lines {
		if l.Role == books.PaymentFees && (l.Tax.Base != 1000 || l.Tax.Amount != 0 || len(l.Tax.Components) != 2 ||
			l.Tax.Components[0].Direction != books.DirectionPurchase || l.Tax.Components[1].Direction != books.DirectionSale) {
			t.Errorf("tax of the fee is %+v, want a base of 10.00 and two taxes that cancel out", l.Tax)
		}
	}
}

func TestALineSettledInAnotherCurrencyCarriesWhatItWasTakenAt(t *testing.T) {
	t.Parallel()
	entry, _ := books.BuildEvents(happened(ukMapping(t, payouts), happening(books.Payout, "x", "100.00", received("85.20"), func(e *books.Event) {
		e.Currency, e.Rate = "EUR", dec("0.86")
	})))
	for _, l := range entry.Lines {
		if (l.Role == books.CardClearing) != (l.Foreign != nil) || l.Foreign != nil && (l.Foreign.Amount != 10000 || l.Foreign.Rate != dec("0.86")) {
			t.Errorf("line is %+v, want EUR 100.00 at 0.86 on clearing and pounds elsewhere", l)
		}
	}
}

func TestGoodsWithoutACostAreListed(t *testing.T) {
	t.Parallel()
	known := item("2.00", zero("2.00"))
	known.Cost = &document.Money{Amount: dec("1.00"), Currency: "GBP"}
	unknown := item("3.00", "Food", zero("3.00"))
	unknown.SKU = "77"
	gaps := books.UnknownCosts([]*document.Document{receipt(document.Sale, "1", known, unknown, cash("5.00"))}, nil)
	if want := (books.CostGap{Key: "S1|1|RECEIPT|1", Line: 2, SKU: "77", Category: "Food"}); len(gaps) != 1 || gaps[0] != want {
		t.Errorf("listed are %+v, want %+v", gaps, want)
	}
	known.Cost.Currency = "EUR"
	m := ukMapping(t, func(m *books.Mapping) { m.CostOfGoods = true })
	entry, problems := books.Build(day(m, receipt(document.Sale, "1", known, cash("2.00"))))
	wantJournal(t, entry, "Dr Cash on hand 2.00\nCr Sales 2.00")
	if len(problems) != 1 || problems[0].Code != books.ConversionMissing {
		t.Errorf("problems are %+v, want one about a rate for the cost", problems)
	}
}
