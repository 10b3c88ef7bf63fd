package books

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// EventKind is what happened to money outside the tills.
type EventKind string

// Kinds of an Event. A negative amount is the same the other way round: a
// payout that failed, a fee that came back, a reserve that was released.
const (
	Payout         EventKind = "PAYOUT"          // a provider paid what it owed to the bank
	Banked         EventKind = "BANKED"          // the bank credited cash
	InvoicePayment EventKind = "INVOICE_PAYMENT" // a customer paid an invoice at the bank
	ProviderFee    EventKind = "FEE"             // a payment provider's fee
	Commission     EventKind = "COMMISSION"      // a marketplace's commission
	BillPaid       EventKind = "BILL_PAID"       // a provider's bill was taken out of what it owed
	Reserve        EventKind = "RESERVE"         // a provider holds money back
	Dispute        EventKind = "DISPUTE"         // a payment is disputed; the provider takes it back at once
	DisputeWon     EventKind = "DISPUTE_WON"
	DisputeLost    EventKind = "DISPUTE_LOST"
	Advance        EventKind = "ADVANCE"    // a provider lends
	Repayment      EventKind = "REPAYMENT"  // it withholds a part of that from what it pays out
	Correction     EventKind = "CORRECTION" // a provider corrects what it owes; positive: it owes more
	Exchanged      EventKind = "EXCHANGE"   // what came of an exchange at a provider; positive: a gain
	Breakage       EventKind = "BREAKAGE"   // gift cards that will not be used, by the accountant's decision
)

// EventKinds lists every kind.
var EventKinds = []EventKind{
	Payout, Banked, InvoicePayment, ProviderFee, Commission, BillPaid, Reserve, Dispute, DisputeWon, DisputeLost, Advance, Repayment,
	Correction, Exchanged, Breakage,
}

// Event is one fact about money that no till states: a provider's, a bank's or
// the accountant's. Amounts are in Currency, positive as the kind reads.
type Event struct {
	Key      string // as its source names it; what its lines show as their document
	Kind     EventKind
	Tender   document.TenderKind // what is settled: CARD_UNKNOWN where empty, MARKETPLACE for a commission, CASH or FOREIGN_CASH for BANKED
	Label    string              // the till's own name of that tender, where it has an account of its own
	Currency string              // ISO 4217; empty: the books'
	Amount   money.Decimal       // with tax, but for a tax under reverse charge

	// Rate is the one at which the amount stands in the books, where Currency is
	// another; Received is what the bank credited for it, in the books' currency.
	Rate     money.Decimal
	Received *money.Decimal

	Fee           money.Decimal  // DISPUTE: what the provider charges for it
	Taxes         []document.Tax // of a FEE or COMMISSION; of DISPUTE_LOST only where the law gives the tax back
	ReverseCharge bool           // the merchant owes the tax of the fee instead of its sender
	Billed        bool           // FEE: the provider sends a bill and takes nothing out of what it owes
	Invoice       string         // INVOICE_PAYMENT: whose receivable is paid

	// Of an ADVANCE and its REPAYMENTs: what the loan costs, all that is to be
	// repaid with it, and what had been repaid before.
	Cost, Total, Repaid money.Decimal
}

// EventInput is all that the entry of events is made of.
type EventInput struct {
	Merchant       string
	Subject        string // as in payout/stripe/po_123
	Day            string // YYYY-MM-DD, the date of the entry
	Currency       string // of the books; empty: the mapping's
	Mapping        Mapping
	MappingVersion int
	Events         []Event // of the subject, in any order
}

// BuildEvents makes the entry of a payout, a banking, a dispute, an adjustment
// or the payment of an invoice, as Build does that of a store-day and with the
// same promises. What moves money at the bank is booked only where the mapping
// says so (post_payouts): else the bank's own feed is coded to the clearing
// account, and both would count the money twice.
func BuildEvents(in EventInput) (Entry, []Problem) {
	days := Input{Currency: in.Currency, Mapping: in.Mapping}
	b := newBuilder(&days)
	events := slices.Clone(in.Events)
	slices.SortFunc(events, func(x, y Event) int {
		return cmp.Or(cmp.Compare(x.Key, y.Key), cmp.Compare(x.identity(), y.identity()))
	})
	for i, e := range events {
		if i > 0 && events[i-1].Key == e.Key {
			if events[i-1].identity() != e.identity() {
				b.unclear(Unclear{Key: e.Key, Code: Duplicate})
			}
			continue
		}
		if b.begin(Effect{Key: e.Key, Facts: &document.Document{Currency: b.currency}}) && b.event(e) {
			b.finish()
		}
	}
	entry := Entry{
		Merchant: in.Merchant, Subject: in.Subject, Day: in.Day, Currency: b.currency,
		Rules: Rules, MappingVersion: in.MappingVersion, Lines: b.lines(),
	}
	return entry, b.problemList()
}

// identity is everything the event says, for comparing.
func (e Event) identity() string {
	received := ""
	if e.Received != nil {
		received = e.Received.String()
	}
	e.Received = nil
	return fmt.Sprintf("%q %q", fmt.Sprintf("%+v", e), received)
}

// event drafts one event; it reports false, with a problem raised, where its
// effect cannot be told.
func (b *builder) event(e Event) bool {
	if !slices.Contains(EventKinds, e.Kind) {
		b.unclear(Unclear{Key: e.Key, Code: UnknownKind, What: string(e.Kind)})
		return false
	}
	if currency := cmp.Or(e.Currency, b.currency); currency != b.currency && e.Rate <= 0 {
		b.noRate(currency, e.Key)
		return false
	}
	amount := b.worth(e, e.Amount)
	switch e.Kind {
	case Payout:
		b.received(e, amount, b.claim(e, "Paid out by the provider."), "Paid out to the bank.")
	case Banked:
		b.received(e, amount, b.claim(e, "Cash that the bank credited."), "Cash credited by the bank.")
	case InvoicePayment:
		g := b.of(Receivable, "Customers paid what they owed; no sale.")
		if e.Invoice != "" {
			g.dims = dim("invoice", e.Invoice)
		}
		b.received(e, amount, g, "Invoices paid at the bank.")
	case ProviderFee, Commission:
		b.fee(e, amount)
	case BillPaid:
		b.add(b.of(AccountsPayable, "Bills of the provider, taken out of what it owed."), amount)
		b.claimed(e, b.claim(e, "Bills of the provider, taken out of what it owed."), -e.Amount, -amount)
	case Reserve:
		b.add(b.of(ProviderReserve, "Held back by the provider, less what it released."), amount)
		b.claimed(e, b.claim(e, "Held back by the provider, less what it released."), -e.Amount, -amount)
	case Dispute:
		fee := b.worth(e, e.Fee)
		b.add(b.of(Disputed, "Disputed payments until they are decided."), amount)
		b.add(b.of(DisputeFees, "Fees of disputed payments."), fee)
		b.claimed(e, b.claim(e, "Taken back by the provider for a dispute, with its fee."), -b.doc.sum(e.Amount, e.Fee), -b.doc.sum(amount, fee))
	case DisputeWon:
		b.claimed(e, b.claim(e, "A dispute was won: the provider gives the payment back."), e.Amount, amount)
		b.add(b.of(Disputed, "A dispute was won."), -amount)
	case DisputeLost:
		b.lost(e, amount)
	case Advance:
		cost := b.worth(e, e.Cost)
		b.claimed(e, b.claim(e, "Lent by the provider."), e.Amount, amount)
		b.add(b.of(PrepaidFinance, "The cost of the loan, spread over its repayments."), cost)
		b.add(b.of(Loan, "Lent by the provider, with its cost; to be repaid."), -b.doc.sum(amount, cost))
	case Repayment:
		b.repaid(e, amount)
	case Correction:
		b.claimed(e, b.claim(e, "Corrected by the provider."), e.Amount, amount)
		b.add(b.of(ProviderCorrections, "Corrected by the provider."), -amount)
	case Exchanged:
		b.claimed(e, b.claim(e, "Exchanged by the provider."), e.Amount, amount)
		b.add(b.of(ExchangeResult, "Exchanged by the provider."), -amount)
	case Breakage:
		b.add(b.of(GiftCards, "Gift cards that will not be used."), amount)
		b.add(b.of(BreakageIncome, "Gift cards that will not be used."), -amount)
	}
	return true
}

// of is the group of a role's own account.
func (b *builder) of(role Role, rule string) group {
	account, ask := b.need(role)
	return group{role: role, account: account, ask: ask, rule: rule}
}

// worth brings an amount of the event to the books' currency and minor units.
func (b *builder) worth(e Event, amount money.Decimal) money.Decimal {
	if cmp.Or(e.Currency, b.currency) != b.currency {
		var err error
		if amount, err = money.Mul(amount, e.Rate); err != nil && b.doc.err == nil {
			b.doc.err = err
		}
	}
	return amount.RoundTo(b.places)
}

// claim is the group of what is settled: the account in which the tills booked
// what was paid.
func (b *builder) claim(e Event, rule string) group {
	t := document.Tender{Kind: e.Tender, Label: e.Label}
	switch {
	case t.Kind == "" && e.Kind == Commission:
		t.Kind = document.Marketplace
	case t.Kind == "" && e.Kind == Banked:
		t.Kind = document.Cash
	case t.Kind == "":
		t.Kind = document.CardUnknown
	}
	role := TenderRole(t)
	if role == CashOnHand {
		return b.of(CashInTransit, rule)
	}
	g := group{role: role, account: b.m.tenderAccount(t, role), rule: rule}
	if g.account == "" {
		g.account, g.ask = b.need(role)
	}
	return g
}

// claimed adds to the group of what is settled, with its foreign amount.
func (b *builder) claimed(e Event, g group, foreign, amount money.Decimal) {
	if currency := cmp.Or(e.Currency, b.currency); currency != b.currency {
		b.addForeign(g, amount, &document.Foreign{Currency: currency, Rate: e.Rate}, foreign)
		return
	}
	b.add(g, amount)
}

// received drafts money that came to the bank for what stood in the books.
func (b *builder) received(e Event, amount money.Decimal, claim group, rule string) {
	if !b.m.PostPayouts {
		return
	}
	got := amount
	if e.Received != nil {
		got = e.Received.RoundTo(b.places)
	}
	b.add(b.of(Bank, rule), got)
	b.claimed(e, claim, -e.Amount, -amount)
	if off := b.doc.sum(amount, -got); off != 0 {
		b.add(b.of(ExchangeResult, "What the bank credited less what stood in the books."), off)
	}
}

// fee drafts a fee with its tax: what it cost, the tax that comes back, and
// whom it is owed to or what it was taken out of.
func (b *builder) fee(e Event, amount money.Decimal) {
	cost := b.of(PaymentFees, "Fees of payment providers, without tax.")
	if e.Kind == Commission {
		cost = b.of(MarketplaceFees, "Commission of marketplaces, without tax.")
	}
	net := amount
	var codes []*taxCode
	var parts []part
	for _, t := range e.Taxes {
		base, tax := b.worth(e, t.Base), b.worth(e, t.Amount)
		codes, parts = append(codes, b.taxCode(t, "", true)), append(parts, partOf(base, tax))
		if e.ReverseCharge {
			codes, parts = append(codes, b.taxCode(t, "", false)), append(parts, partOf(-base, -tax))
			continue
		}
		net = b.doc.sum(net, -tax)
	}
	if len(codes) > 0 {
		cost.taxes, cost.direction = b.taxSet(codes), DirectionPurchase
	}
	b.add(cost, net, parts...)
	if e.Billed {
		b.add(b.of(AccountsPayable, "Billed by the provider."), -amount)
		return
	}
	what := strings.ToLower(string(e.Kind))
	b.claimed(e, b.claim(e, "Taken out of what is owed to the merchant: "+what+"."), -e.Amount, -amount)
}

// lost drafts a dispute that was lost, with the tax where the law gives it back.
func (b *builder) lost(e Event, amount money.Decimal) {
	b.add(b.of(Disputed, "A dispute was lost."), -amount)
	loss, net := b.of(ChargebackLosses, "Disputed payments that were lost."), amount
	var codes []*taxCode
	var parts []part
	for _, t := range e.Taxes {
		base, tax := b.worth(e, t.Base), b.worth(e, t.Amount)
		codes, parts = append(codes, b.taxCode(t, "", false)), append(parts, partOf(base, tax))
		net = b.doc.sum(net, -tax)
	}
	if len(codes) > 0 {
		loss.taxes, loss.direction = b.taxSet(codes), DirectionReturn
	}
	b.add(loss, net, parts...)
}

// repaid drafts a repayment and the share of the loan's cost that goes with it,
// counted from the begin so that the shares add up to the cost.
func (b *builder) repaid(e Event, amount money.Decimal) {
	b.add(b.of(Loan, "Repaid out of what the provider owes."), amount)
	b.claimed(e, b.claim(e, "Withheld by the provider to repay what it lent."), -e.Amount, -amount)
	if e.Cost == 0 || e.Total <= 0 {
		return
	}
	upTo := func(repaid money.Decimal) money.Decimal {
		share, err := money.MulDiv(e.Cost, repaid, e.Total)
		if err != nil && b.doc.err == nil {
			b.doc.err = err
		}
		return b.worth(e, share)
	}
	share := b.doc.sum(upTo(b.doc.sum(e.Repaid, e.Amount)), -upTo(e.Repaid))
	b.add(b.of(FinanceCost, "The share of the loan's cost that belongs to what was repaid."), share)
	b.add(b.of(PrepaidFinance, "The share of the loan's cost that belongs to what was repaid."), -share)
}
