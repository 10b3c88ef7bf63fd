package settle

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// PayoutProof is why a payout is what it is, and whether the bank has it: Taken
// and the causes add up to Amount exactly.
type PayoutProof struct {
	Payout   string        `json:"payout"`
	State    string        `json:"state,omitzero"` // the provider's word
	Currency string        `json:"currency"`
	Amount   money.Decimal `json:"amount"`
	Sent     bizday.Day    `json:"sent"`
	Taken    money.Decimal `json:"taken"` // what the tills took and gave back of it
	Causes   []PayoutCause `json:"causes"`
	Negative bool          `json:"negative,omitzero"` // the provider took money from the bank
	Instant  bool          `json:"instant,omitzero"`

	Bank     string     `json:"bank"`              // credited, awaited, missing, came_back, not_known
	Expected bizday.Day `json:"expected,omitzero"` // at the bank, unless it is there
	Age      int        `json:"age,omitzero"`      // days since it was sent, unless it is there
	Owner    string     `json:"owner,omitzero"`    // who can look into it, where it is missing
	Lines    []string   `json:"lines,omitzero"`    // ids
}

// PayoutCause is one cause of why a payout is not what the tills took.
type PayoutCause struct {
	Cause  Cause         `json:"cause"`
	Amount money.Decimal `json:"amount"` // positive where more was paid
	Count  int           `json:"count"`
}

// Where a payout is with the bank.
const (
	Credited    = "credited"  // a line of the bank is it
	NotYet      = "awaited"   // the bank may still credit it
	Missing     = "missing"   // it should be there
	CameBack    = "came_back" // it failed
	BankUnknown = "not_known" // nothing is known of the bank
)

// OpenLine is a line of the bank by the provider that is no known payout's.
type OpenLine struct {
	ID       string        `json:"id"`
	Booked   bizday.Day    `json:"booked"`
	Currency string        `json:"currency"`
	Amount   money.Decimal `json:"amount"`
	Text     string        `json:"text,omitzero"`
	Age      int           `json:"age"`
	Owner    string        `json:"owner"`
}

// proofs explains the payouts of the days from From on, and older ones that the
// bank does not have.
func (r *runner) proofs(out *Result) {
	tills := make([]money.Decimal, len(r.movements))
	for i := range r.taken {
		if t := &r.taken[i]; t.match != unmatched {
			if t.Currency == r.account.Currency {
				tills[t.match] += t.Booked
			} else {
				tills[t.match] = r.movements[t.match].Amount
			}
		}
	}
	lines := map[string][]string{}
	for _, p := range r.pairs {
		if strings.HasPrefix(p.Right, "line:") {
			lines[p.Left] = append(lines[p.Left], p.Right)
		}
	}
	for i := range r.payouts {
		p := &r.payouts[i]
		sent, due := r.due(p)
		if sent > r.in.To || sent < r.in.From && (p.matched || p.gone()) {
			continue
		}
		proof := PayoutProof{
			Payout: p.Key, State: p.State, Currency: p.Currency, Amount: p.Amount, Sent: sent, Negative: p.Amount < 0, Instant: p.Instant,
			Bank: Credited, Lines: lines[p.id],
		}
		slices.Sort(proof.Lines)
		r.explain(&proof, p, tills)
		if !p.matched {
			proof.Expected, proof.Age = due, age(sent, r.in.To)
			switch {
			case p.gone():
				proof.Bank, proof.Expected = CameBack, ""
			case len(r.lines) == 0:
				proof.Bank = BankUnknown
			case due.Add(r.account.window()) >= r.in.To:
				proof.Bank = NotYet
			default:
				proof.Bank, proof.Owner = Missing, OwnerMerchant
			}
		}
		out.Payouts = append(out.Payouts, proof)
	}
	slices.SortFunc(out.Payouts, func(x, y PayoutProof) int {
		return cmp.Or(cmp.Compare(x.Sent, y.Sent), cmp.Compare(x.Payout, y.Payout))
	})
}

// explain takes a payout apart.
func (r *runner) explain(proof *PayoutProof, p *payout, tills []money.Decimal) {
	causes := map[Cause]*PayoutCause{}
	because := func(c Cause, amount money.Decimal) {
		if amount == 0 {
			return
		}
		if causes[c] == nil {
			causes[c] = &PayoutCause{Cause: c}
		}
		causes[c].Amount += amount
		causes[c].Count++
	}
	g := r.groups[p.Key]
	var moved, sent money.Decimal
	for _, i := range g.movements {
		m := &r.movements[i]
		moved += m.change
		because(FeeCause, -m.Fee)
		switch {
		case m.Kind != Charge && m.Kind != Refund:
			because(causeOf(m), m.Amount)
		case m.matched:
			proof.Taken += tills[i]
			because(AcceptedOff, m.Amount-tills[i])
		default:
			cause, _ := r.whyNotRung(m)
			because(cause, m.Amount)
		}
	}
	for _, i := range g.itself {
		if m := &r.movements[i]; m.Kind == PaidOut {
			sent -= m.change
		}
	}
	if p.Currency != r.account.Currency {
		proof.Currency, proof.Amount = r.account.Currency, sent // what it took from this balance
	}
	if r.again[p.Key] != "" {
		because(PaidBefore, sent-moved)
	} else {
		because(NotAllStated, sent-moved)
	}
	because(InstantFee, proof.Amount-sent)
	proof.Causes = []PayoutCause{}
	for _, c := range slices.Sorted(maps.Keys(causes)) {
		proof.Causes = append(proof.Causes, *causes[c])
	}
}

// causeOf is the cause of a movement that is no payment.
func causeOf(m *movement) Cause {
	switch m.Kind {
	case Fee:
		if m.Amount > 0 {
			return FeeCorrection
		}
		return FeeCause
	case Dispute, DisputeWon, DisputeLost:
		return DisputeCause
	case Reserve, Release:
		return ReserveCause
	case Correction:
		return CorrectionCause
	case Advance:
		return AdvanceCause
	case Repayment:
		return RepaymentCause
	case Exchange:
		return ExchangeCause
	case PayoutFailed:
		return PaidBefore
	}
	return OtherCause
}

// openLines lists what the bank has of the provider that is no known payout's.
func (r *runner) openLines(out *Result) {
	for i := range r.lines {
		l := &r.lines[i]
		if l.matched || l.Booked > r.in.To || !r.account.pays(l.BankLine) {
			continue
		}
		out.Lines = append(out.Lines, OpenLine{
			ID: l.id, Booked: l.Booked, Currency: l.Currency, Amount: l.Amount, Text: l.Text, Age: age(l.Booked, r.in.To), Owner: OwnerMerchant,
		})
	}
}
