package settle

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Cause is why two figures differ.
type Cause string

// Causes of a Difference between the clearing account and what the provider owes.
const (
	CutOff          Cause = "cut_off"           // both sides have it, on different sides of the last day
	Awaited         Cause = "awaited"           // the other side may still state it
	NotRung         Cause = "not_rung"          // taken on the terminal, but not rung up
	NotCaptured     Cause = "not_captured"      // rung up, but not captured
	WrongRung       Cause = "wrong_tender"      // rung up as a tender that it was not; which one is not clear
	Duplicate       Cause = "duplicate_capture" // captured more than once
	OfflineDecline  Cause = "offline_decline"   // taken offline, and declined afterwards
	SharedMerchant  Cause = "shared_merchant"   // of another shop under the same merchant number
	SettledPerBrand Cause = "settled_per_brand" // of a brand that another settles
	AcceptedOff     Cause = "accepted"          // two amounts that a person said belong together
	Unstated        Cause = "unstated"          // by its own word the provider owes something else than by its movements
)

// Causes of a PayoutCause: why a payout is not what the tills took. NotRung,
// Duplicate and SharedMerchant are among them.
const (
	FeeCause        Cause = "fee"
	FeeCorrection   Cause = "fee_correction"
	InstantFee      Cause = "instant_fee"
	DisputeCause    Cause = "dispute"
	ReserveCause    Cause = "reserve"
	CorrectionCause Cause = "correction"
	AdvanceCause    Cause = "advance"
	RepaymentCause  Cause = "repayment"
	ExchangeCause   Cause = "exchange"
	OtherCause      Cause = "other"
	NotAllStated    Cause = "not_all_stated" // the movements do not add up to the payout
	PaidBefore      Cause = "paid_before"    // movements of a payout that came back
)

// Owners of what is open: who can end it.
const (
	OwnerMerchant   = "merchant"
	OwnerAccountant = "accountant"
	OwnerSupport    = "support"
	OwnerNobody     = "nobody" // time does
)

// Difference is one cause of why the clearing account is not what the provider
// owes: positive where the books have more.
type Difference struct {
	Cause    Cause         `json:"cause"`
	Amount   money.Decimal `json:"amount"`
	Count    int           `json:"count"`
	Since    bizday.Day    `json:"since"`             // the oldest of it
	Age      int           `json:"age"`               // days from Since to the last day
	Expected bizday.Day    `json:"expected,omitzero"` // by when it should end by itself
	Owner    string        `json:"owner"`
	Text     string        `json:"text"`
	Facts    []string      `json:"facts"` // ids, oldest first, at most MaxFacts of Count
}

// MaxFacts bounds how many facts a Difference names.
const MaxFacts = 20

// flows are the names of what moves a clearing account, in order.
var flows = []string{
	"taken", "refunded", "wrong_tender", "fees", "disputes", "reserve", "corrections", "exchange", "advances", "repayments", "payouts", "other",
}

// flowOf is the flow of a kind of movement other than a payment.
func flowOf(k Kind) string {
	switch k {
	case Fee:
		return "fees"
	case Dispute, DisputeWon, DisputeLost:
		return "disputes"
	case Reserve, Release:
		return "reserve"
	case Correction:
		return "corrections"
	case Exchange:
		return "exchange"
	case Advance:
		return "advances"
	case Repayment:
		return "repayments"
	case PaidOut, PayoutFailed:
		return "payouts"
	case wrongTender:
		return "wrong_tender"
	}
	return "other"
}

// result adds everything up.
func (r *runner) result() Result {
	a := r.account
	out := Result{
		Rules: Rules, Provider: a.Provider, Account: a.Account, Currency: a.Currency, From: r.in.From, To: r.in.To,
		Opening: a.Opening, Flows: []Flow{}, Unsettled: []Unsettled{}, Differences: []Difference{}, Payouts: []PayoutProof{}, Lines: []OpenLine{},
	}
	r.flows(&out)
	r.owed(&out)
	r.differences(&out)
	r.proofs(&out)
	r.openLines(&out)
	slices.SortFunc(r.pairs, func(x, y Pair) int { return cmp.Or(cmp.Compare(x.Left, y.Left), cmp.Compare(x.Right, y.Right)) })
	out.Pairs, out.Proposals = r.pairs, r.proposals
	if out.Pairs == nil {
		out.Pairs = []Pair{}
	}
	if out.Proposals == nil {
		out.Proposals = []Proposal{}
	}
	return out
}

// flows makes the clearing account as the books have it.
func (r *runner) flows(out *Result) {
	sums := map[string]*Flow{}
	move := func(name string, day bizday.Day, amount money.Decimal) {
		switch {
		case day > r.in.To || amount == 0:
			return
		case day < r.in.From:
			out.Opening += amount
			return
		case sums[name] == nil:
			sums[name] = &Flow{Name: name}
		}
		sums[name].Amount += amount
		sums[name].Count++
	}
	for i := range r.taken {
		t := &r.taken[i]
		name := "taken"
		if t.Booked < 0 {
			name = "refunded"
		}
		move(name, t.Day, t.Booked)
		if t.Currency != r.account.Currency && t.match != unmatched { // alone with its movement: see bySum and byBatch
			m := &r.movements[t.match]
			move("exchange", max(t.Day, m.day), m.Amount-t.Booked)
		}
	}
	for i := range r.movements {
		m := &r.movements[i]
		switch {
		case m.Kind == wrongTender:
			move("wrong_tender", m.day, -m.Amount)
		case m.Kind == Charge || m.Kind == Refund:
			move("fees", m.day, -m.Fee)
		default:
			move(flowOf(m.Kind), m.day, m.Amount)
			move("fees", m.day, -m.Fee)
		}
	}
	out.Closing = out.Opening
	for _, name := range flows {
		if f := sums[name]; f != nil {
			out.Flows = append(out.Flows, *f)
			out.Closing += f.Amount
		}
	}
}

// owed adds up what the provider owes: what it stated and has not paid out.
func (r *runner) owed(out *Result) {
	days := map[bizday.Day]*Unsettled{}
	groups := map[string]*Unsettled{}
	for i := range r.movements {
		m := &r.movements[i]
		if m.day > r.in.To || m.change == 0 {
			continue
		}
		out.Owed += m.change
		if m.Payout != "" && r.left(m.Payout) {
			key := cmp.Or(r.again[m.Payout], m.Payout)
			g := groups[key]
			if g == nil {
				g = &Unsettled{Day: m.day, Payout: key}
				groups[key] = g
			}
			g.Amount += m.change
			g.Count++
			g.Day = min(g.Day, m.day)
			continue
		}
		d := days[m.day]
		if d == nil {
			d = &Unsettled{Day: m.day}
			days[m.day] = d
		}
		d.Amount += m.change
		d.Count++
	}
	if r.account.Opening != 0 {
		out.Owed += r.account.Opening
		out.Unsettled = append(out.Unsettled, Unsettled{Day: r.account.From, Amount: r.account.Opening, Count: 1})
	}
	for _, d := range days {
		out.Unsettled = append(out.Unsettled, *d)
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		if groups[key].Amount != 0 {
			out.Unsettled = append(out.Unsettled, *groups[key])
		}
	}
	slices.SortFunc(out.Unsettled, func(x, y Unsettled) int {
		return cmp.Or(cmp.Compare(x.Day, y.Day), cmp.Compare(x.Payout, y.Payout), cmp.Compare(x.Amount, y.Amount))
	})
	r.stated(out)
}

// left reports whether a payout had left the provider by the last day. Until then
// its movements are owed day by day.
func (r *runner) left(key string) bool {
	return slices.ContainsFunc(r.groups[key].itself, func(i int) bool { return r.movements[i].day <= r.in.To })
}

// stated takes in the last word of the provider up to the last day, and carries it
// on to the end of that day by the movements since.
func (r *runner) stated(out *Result) {
	var last *Balance
	for i := range r.in.Balances {
		b := &r.in.Balances[i]
		if b.Provider != r.account.Provider || b.Account != r.account.Account || b.Currency != r.account.Currency || r.dayOf(b.At) > r.in.To {
			continue
		}
		if last == nil || cmp.Or(b.At.Compare(last.At), cmp.Compare(b.Available, last.Available), cmp.Compare(b.Pending, last.Pending)) > 0 {
			last = b
		}
	}
	if last == nil {
		return
	}
	stated := last.Available + last.Pending
	for i := range r.movements {
		if m := &r.movements[i]; m.day <= r.in.To && m.At.After(last.At) {
			stated += m.change
		}
	}
	out.Stated = &stated
}

// differences names why the closing balance is not what the provider owes.
func (r *runner) differences(out *Result) {
	found := map[Cause]*Difference{}
	differ := func(c Cause, amount money.Decimal, since, expected bizday.Day, id string) {
		if amount == 0 {
			return
		}
		d := found[c]
		if d == nil {
			d = &Difference{Cause: c, Since: since, Facts: []string{}}
			found[c] = d
		}
		d.Amount += amount
		d.Since = min(d.Since, since)
		if d.Count++; d.Count <= MaxFacts {
			d.Facts = append(d.Facts, id)
		}
		d.Expected = max(d.Expected, expected)
	}
	declined := r.declined()
	for i := range r.taken {
		t := &r.taken[i]
		if t.Day > r.in.To {
			continue
		}
		if t.match == unmatched {
			cause, expected := r.whyNotCaptured(t, declined)
			differ(cause, t.Booked, t.Day, expected, t.id)
			continue
		}
		if m := &r.movements[t.match]; m.day > r.in.To {
			differ(CutOff, t.Booked, t.Day, m.day, t.id)
		}
	}
	inside := r.tendersInside()
	for i := range r.movements {
		m := &r.movements[i]
		switch {
		case m.Kind != Charge && m.Kind != Refund && m.Kind != wrongTender || m.day > r.in.To:
		case !m.matched:
			cause, expected := r.whyNotRung(m)
			differ(cause, -m.Amount, m.day, expected, m.id)
		default:
			// What of it the tills have by the last day, less what it is; tenders of
			// later days are cut off.
			in := inside[i]
			switch rest := in.booked + in.exchange - m.Amount; {
			case rest == 0:
			case in.later:
				differ(CutOff, rest, m.day, r.in.To.Add(1), m.id)
			default:
				differ(AcceptedOff, rest, m.day, "", m.id)
			}
		}
	}
	if out.Stated != nil {
		differ(Unstated, out.Owed-*out.Stated, r.in.To, "", "balance")
	}
	for _, c := range slices.Sorted(maps.Keys(found)) {
		d := found[c]
		d.Age = age(d.Since, r.in.To)
		d.Owner, d.Text = causeText(c)
		out.Differences = append(out.Differences, *d)
	}
}

// inTills is what the tills have of one movement by the last day.
type inTills struct {
	booked, exchange money.Decimal
	later            bool
}

func (r *runner) tendersInside() []inTills {
	inside := make([]inTills, len(r.movements))
	for i := range r.taken {
		t := &r.taken[i]
		if t.match == unmatched {
			continue
		}
		in := &inside[t.match]
		if t.Day > r.in.To {
			in.later = true
			continue
		}
		in.booked += t.Booked
		if m := &r.movements[t.match]; t.Currency != r.account.Currency {
			in.exchange += m.Amount - t.Booked
		}
	}
	return inside
}

// declined are receipts and cards of payments that the provider lists with nothing.
func (r *runner) declined() map[string]bool {
	declined := map[string]bool{}
	for i := range r.movements {
		m := &r.movements[i]
		if m.Amount != 0 || m.Kind != Charge && m.Kind != Other {
			continue
		}
		if m.Receipt != "" {
			declined[told("receipt", m.Receipt)] = true
		}
		if m.LastFour != "" {
			declined[string(m.day)+" "+m.LastFour] = true
		}
	}
	return declined
}

func (r *runner) whyNotCaptured(t *taken, declined map[string]bool) (Cause, bizday.Day) {
	switch expected := t.day.Add(r.account.waits()); {
	case len(r.account.Brands) > 0 && t.Brand != "" && !slices.Contains(r.account.Brands, t.Brand):
		return SettledPerBrand, ""
	case t.Receipt != "" && declined[told("receipt", t.Receipt)], t.LastFour != "" && declined[string(t.day)+" "+t.LastFour]:
		return OfflineDecline, ""
	case expected >= r.in.To:
		return Awaited, expected
	}
	return NotCaptured, ""
}

func (r *runner) whyNotRung(m *movement) (Cause, bizday.Day) {
	switch expected := m.day.Add(r.account.waits()); {
	case m.Kind == wrongTender:
		return WrongRung, ""
	case len(r.account.Stores) > 0 && m.Store != "" && !slices.Contains(r.account.Stores, m.Store):
		return SharedMerchant, ""
	case m.duplicate:
		return Duplicate, ""
	case expected >= r.in.To:
		return Awaited, expected
	}
	return NotRung, ""
}

// causeText says who can end a cause, and how.
func causeText(c Cause) (owner, text string) {
	switch c {
	case CutOff:
		return OwnerNobody, "Both sides have it, on either side of the last day: the provider's days end at another time."
	case Awaited:
		return OwnerNobody, "The other side has not stated it yet, and still may."
	case NotRung:
		return OwnerMerchant, "Taken on the terminal, but not rung up: ring it up, or give it back."
	case NotCaptured:
		return OwnerMerchant, "Rung up, but the provider has no such payment: look whether the terminal sent it, or whether it was paid otherwise."
	case WrongRung:
		return OwnerMerchant, "A drawer was over by what was rung up as another tender; which receipt it was is not clear."
	case Duplicate:
		return OwnerMerchant, "Captured more than once: give it back to the customer."
	case OfflineDecline:
		return OwnerMerchant, "Taken while the terminal was offline, and declined afterwards: collect it from the customer, or write it off."
	case SharedMerchant:
		return OwnerAccountant, "Of another shop under the same merchant number: settle it with that shop."
	case SettledPerBrand:
		return OwnerAccountant, "Of a brand that another provider settles: map that brand to its own account."
	case AcceptedOff:
		return OwnerAccountant, "Amounts that differ and were accepted: book the difference."
	case Unstated:
		return OwnerSupport, "By its own word the provider owes something else than by its movements: some are missing, or stated twice."
	}
	return OwnerSupport, strings.ReplaceAll(string(c), "_", " ")
}

// age is the number of days from one to another.
func age(since, to bizday.Day) int {
	x, y := noon(since), noon(to)
	if x.IsZero() || y.IsZero() || y.Before(x) {
		return 0
	}
	return int(y.Sub(x) / (24 * time.Hour))
}

func noon(d bizday.Day) time.Time {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	return t
}
