package settle

import (
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// Kinds of a Subject.
const (
	SubjectPayout     = "payout"     // one payout, or its coming back
	SubjectDispute    = "dispute"    // one step of a dispute
	SubjectAdjustment = "adjustment" // fees and all else of one of the provider's days
)

// Subject is what one entry is about, and what happened in it.
type Subject struct {
	Kind   string
	ID     string     // unique among the subjects of its kind: provider, account and what it is
	Day    bizday.Day // the provider's day on which it happened
	Events []books.Event
}

// Name is the subject as entries name it, such as payout/stripe/po_1.
func (s Subject) Name() string { return s.Kind + "/" + s.ID }

// Subjects returns what of an account is to be booked beside the tills' days: all
// that the provider changed but payments, which the tills rang up. The sum of what
// it books on the clearing account is that of the flows of a Result, save for what
// payments in other currencies turned out to be worth. They are in the order of
// their days and names.
func Subjects(in Input) ([]Subject, error) {
	r, err := begin(in)
	if err != nil {
		return nil, err
	}
	r.matchPayouts() // adds what states of payouts imply
	disputed := map[string]money.Decimal{}
	for i := range r.movements {
		if m := &r.movements[i]; m.Kind == Dispute {
			disputed[m.Key] = -m.Amount
		}
	}
	found := map[string]*Subject{}
	for i := range r.movements {
		m := &r.movements[i]
		if m.day > r.in.To {
			continue
		}
		for _, e := range r.events(m, disputed) {
			kind, what := SubjectAdjustment, string(m.day)
			switch {
			case e.Kind == books.Payout && m.Kind == PaidOut:
				kind, what = SubjectPayout, m.Payout
			case e.Kind == books.Payout:
				kind, what = SubjectPayout, m.Key
			case e.Kind == books.Dispute || e.Kind == books.DisputeWon || e.Kind == books.DisputeLost:
				kind, what = SubjectDispute, m.Key
			}
			s := Subject{Kind: kind, ID: subjectID(r.account, what), Day: m.day}
			if found[s.Name()] == nil {
				found[s.Name()] = &s
			}
			found[s.Name()].Events = append(found[s.Name()].Events, e)
		}
	}
	subjects := make([]Subject, 0, len(found))
	for _, s := range found {
		subjects = append(subjects, *s)
	}
	slices.SortFunc(subjects, func(x, y Subject) int {
		return strings.Compare(string(x.Day)+" "+x.Name(), string(y.Day)+" "+y.Name())
	})
	return subjects, nil
}

func subjectID(a Account, what string) string {
	if a.Account == "" {
		return a.Provider + "/" + what
	}
	return a.Provider + "/" + a.Account + "/" + what
}

// events is what one movement is to the books.
func (r *runner) events(m *movement, disputed map[string]money.Decimal) []books.Event {
	of := func(kind books.EventKind, amount money.Decimal, what string) books.Event {
		return books.Event{
			Key: r.account.Provider + ":" + m.Key + what, Kind: kind, Tender: r.account.Tender, Label: r.account.Label,
			Currency: m.Currency, Amount: amount,
		}
	}
	var events []books.Event
	add := func(e books.Event) {
		if e.Amount != 0 || e.Fee != 0 {
			events = append(events, e)
		}
	}
	fee := m.Fee
	switch m.Kind {
	case Charge, Refund, wrongTender:
	case Dispute:
		e := of(books.Dispute, -m.Amount, "")
		e.Fee, fee = fee, 0
		add(e)
	case DisputeWon:
		add(of(books.DisputeWon, m.Amount, ""))
	case DisputeLost:
		add(of(books.DisputeLost, disputed[m.Of], ""))
		add(of(books.Correction, m.Amount, "/moved")) // a decision usually moves nothing
	case Fee:
		e := of(books.ProviderFee, -m.Amount, "")
		r.tax(&e, -m.FeeTax)
		add(e)
	case Reserve, Release:
		add(of(books.Reserve, -m.Amount, ""))
	case Advance:
		add(of(books.Advance, m.Amount, ""))
	case Repayment:
		add(of(books.Repayment, -m.Amount, ""))
	case PaidOut, PayoutFailed:
		amount := -m.Amount
		if p, known := r.payoutOf(m); known && m.Fee == 0 && p.Fee != 0 && p.Currency == m.Currency && amount == p.Amount+p.Fee {
			amount, fee = p.Amount, p.Fee // what it cost to be paid at once is not paid out
		}
		add(of(books.Payout, amount, ""))
	case Exchange:
		add(of(books.Exchanged, m.Amount, ""))
	default: // Correction, Other, and what a later version of a feed may call it
		add(of(books.Correction, m.Amount, ""))
	}
	e := of(books.ProviderFee, fee, "/fee")
	if fee == m.Fee {
		r.tax(&e, m.FeeTax)
	}
	add(e)
	return events
}

// tax states the tax in a fee, where the account says as what.
func (r *runner) tax(e *books.Event, tax money.Decimal) {
	if tax != 0 && r.account.FeeTax != "" {
		e.Taxes = []document.Tax{{Code: r.account.FeeTax, Scheme: "VAT", Base: e.Amount - tax, Amount: tax}}
	}
}

func (r *runner) payoutOf(m *movement) (*payout, bool) {
	i := slices.IndexFunc(r.payouts, func(p payout) bool { return p.Key == m.Payout })
	if i < 0 {
		return nil, false
	}
	return &r.payouts[i], true
}
