package square

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
)

// paidOut is added to the version of what states its payout: what is stated later
// without one does not take its place.
const paidOut = 1 << 60

type fee struct {
	Amount amount `json:"amount_money"`
	Type   string `json:"type"`
}

type payment struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Created  string `json:"created_at"`
	Updated  string `json:"updated_at"`
	Location string `json:"location_id"`
	Order    string `json:"order_id"`
	Source   string `json:"source_type"`
	Total    amount `json:"total_money"`
	Fees     []fee  `json:"processing_fee"`
	Card     struct {
		Code string `json:"auth_result_code"`
		Card struct {
			Brand    string `json:"card_brand"`
			LastFour string `json:"last_4"`
		} `json:"card"`
	} `json:"card_details"`
	Device struct {
		ID string `json:"device_id"`
	} `json:"device_details"`
}

// settled says whether Square itself moves the money of a payment: not of cash, and
// not of what is only noted.
func settled(source string) bool { return source != "CASH" && source != "EXTERNAL" }

// charge adds a payment; e is the payout's entry of it, where it was paid out.
func (s *Source) charge(p *payment, payout string, e *entry, page *feed.Page) error {
	if e == nil && (p.Status != "COMPLETED" || !settled(p.Source)) {
		return nil
	}
	var r reader
	m := settle.Movement{
		Provider: Name, Key: p.ID, Kind: settle.Charge, At: r.moment(p.Created), Currency: p.Total.code(), Amount: r.amount(p.Total), Payout: payout,
		Receipt: p.Order, Terminal: p.Device.ID, Store: p.Location, Authorisation: p.Card.Code, LastFour: p.Card.Card.LastFour, Brand: p.Card.Card.Brand, Raw: p.Source,
	}
	for _, f := range p.Fees {
		m.Fee = r.sum(m.Fee, r.amount(f.Amount))
	}
	return s.add(&r, m, r.moment(p.Updated, p.Created), e, page)
}

type refund struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Created  string `json:"created_at"`
	Updated  string `json:"updated_at"`
	Location string `json:"location_id"`
	Order    string `json:"order_id"`
	Payment  string `json:"payment_id"`
	Source   string `json:"destination_type"`
	Amount   amount `json:"amount_money"`
	Fees     []fee  `json:"processing_fee"`
}

func (s *Source) refund(x *refund, payout string, e *entry, page *feed.Page) error {
	if e == nil && (x.Status != "COMPLETED" || !settled(x.Source)) {
		return nil
	}
	var r reader
	m := settle.Movement{
		Provider: Name, Key: x.ID, Kind: settle.Refund, At: r.moment(x.Created), Currency: x.Amount.code(), Amount: -r.amount(x.Amount), Payout: payout,
		Of: x.Payment, Receipt: x.Order, Store: x.Location, Raw: "REFUND",
	}
	for _, f := range x.Fees {
		m.Fee = r.sum(m.Fee, r.amount(f.Amount))
	}
	return s.add(&r, m, r.moment(x.Updated, x.Created), e, page)
}

// add adds a movement with its version. What the payout says it came to is what it
// came to.
func (s *Source) add(r *reader, m settle.Movement, updated time.Time, e *entry, page *feed.Page) error {
	version := updated.UnixMicro()
	if m.Payout != "" {
		version += paidOut
	}
	if e != nil {
		m.Currency, m.Amount = e.Gross.code(), r.amount(e.Gross)
		m.Fee = r.sum(m.Amount, -r.amount(e.Net))
	}
	if r.err != nil {
		return fmt.Errorf("%s %s: %w", m.Kind, m.Key, r.err)
	}
	if m.At.Before(s.o.Start) && e == nil {
		return nil
	}
	page.Movements = append(page.Movements, feed.Movement{Movement: m, Version: version})
	return nil
}

type dispute struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Amount   amount `json:"amount_money"`
	Created  string `json:"created_at"`
	Reported string `json:"reported_at"`
	Updated  string `json:"updated_at"`
	Location string `json:"location_id"`
	Brand    string `json:"card_brand"`
	Payment  struct {
		ID string `json:"payment_id"`
	} `json:"disputed_payment"`
}

// dispute adds what a dispute took back and what became of it. An inquiry moves
// nothing.
func (s *Source) dispute(x *dispute, page *feed.Page) error {
	if strings.HasPrefix(x.State, "INQUIRY") {
		return nil
	}
	var r reader
	taken := settle.Movement{
		Provider: Name, Key: x.ID, Kind: settle.Dispute, At: r.moment(x.Reported, x.Created), Currency: x.Amount.code(), Amount: -r.amount(x.Amount),
		Of: x.Payment.ID, Store: x.Location, Brand: x.Brand, Raw: "DISPUTE",
	}
	updated := r.moment(x.Updated, x.Created)
	if err := s.add(&r, taken, updated, nil, page); err != nil {
		return err
	}
	decided := taken
	decided.At, decided.Of, decided.Raw = updated, x.ID, x.State
	switch x.State {
	case "WON":
		decided.Key, decided.Kind, decided.Amount = x.ID+"-won", settle.DisputeWon, -taken.Amount
	case "LOST", "ACCEPTED":
		decided.Key, decided.Kind, decided.Amount = x.ID+"-lost", settle.DisputeLost, 0
	default:
		return nil
	}
	return s.add(&r, decided, updated, nil, page)
}

type payout struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Location string `json:"location_id"`
	Created  string `json:"created_at"`
	Updated  string `json:"updated_at"`
	Arrival  string `json:"arrival_date"`
	EndToEnd string `json:"end_to_end_id"`
	Version  int64  `json:"version"`
	Type     string `json:"type"`
	Amount   amount `json:"amount_money"`
	Fees     []fee  `json:"payout_fee"`
}

// states are those of a payout.
var states = map[string]string{"SENT": settle.OnTheWay, "PAID": settle.Arrived, "FAILED": settle.Failed}

// payout adds a payout and its own movements.
func (s *Source) payout(p *payout, page *feed.Page) error {
	var r reader
	o := settle.Payout{
		Provider: Name, Key: p.ID, State: states[p.Status], Currency: p.Amount.code(), Amount: r.amount(p.Amount), Created: r.moment(p.Created),
		Reference: p.EndToEnd, Instant: p.Type == "SIMPLE",
	}
	if o.State == "" {
		return fmt.Errorf("payout %s: its status %q is not known", p.ID, p.Status)
	}
	for _, f := range p.Fees {
		o.Fee = r.sum(o.Fee, r.amount(f.Amount))
	}
	if p.Arrival != "" {
		day, err := bizday.Parse(p.Arrival)
		if err != nil {
			return fmt.Errorf("payout %s: %w", p.ID, err)
		}
		o.Expected = day
		if o.State == settle.Arrived {
			o.Arrival = day
		}
	}
	updated := r.moment(p.Updated, p.Created)
	m := settle.Movement{Provider: Name, Key: p.ID, Kind: settle.PaidOut, At: o.Created, Currency: o.Currency, Amount: -o.Amount, Fee: o.Fee, Payout: p.ID, Store: p.Location, Raw: p.Type}
	if err := s.add(&r, m, updated, nil, page); err != nil {
		return err
	}
	if o.State == settle.Failed {
		m.Key, m.Kind, m.At, m.Amount, m.Fee, m.Of = p.ID+"-failed", settle.PayoutFailed, updated, o.Amount, 0, p.ID
		if err := s.add(&r, m, updated, nil, page); err != nil {
			return err
		}
	}
	page.Payouts = append(page.Payouts, feed.Payout{Payout: o, Version: updated.UnixMicro()})
	return nil
}

type entry struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Effective string `json:"effective_at"`
	Gross     amount `json:"gross_amount_money"`
	Fee       amount `json:"fee_amount_money"`
	Net       amount `json:"net_amount_money"`
	Charge    struct {
		Payment string `json:"payment_id"`
	} `json:"type_charge_details"`
	Refund struct {
		Payment string `json:"payment_id"`
		Refund  string `json:"refund_id"`
	} `json:"type_refund_details"`
	Dispute struct {
		Payment string `json:"payment_id"`
		Dispute string `json:"dispute_id"`
	} `json:"type_dispute_details"`
}

// kinds are the types of entries other than charges, refunds and disputes, by what
// they begin with.
var kinds = []struct {
	begins string
	kind   settle.Kind
}{
	{"FEE", settle.Fee}, {"TAX_ON_FEE", settle.Fee}, {"APP_FEE", settle.Fee}, {"SQUARE_CAPITAL_PAYMENT", settle.Repayment}, {"SQUARE_CAPITAL", settle.Correction},
	{"RESERVE_HOLD", settle.Reserve}, {"RESERVE_RELEASE", settle.Release}, {"HOLD_ADJUSTMENT", settle.Reserve}, {"INITIAL_BALANCE", settle.Correction},
	{"ADJUSTMENT", settle.Correction}, {"PROCESSING_FEE", settle.Fee}, {"RETURNED_PAYOUT", settle.PayoutFailed}, {"DEPOSIT_FEE", settle.Fee},
}

// entry adds what was paid out with a payout.
func (s *Source) entry(ctx context.Context, e *entry, payout string, page *feed.Page) error {
	switch {
	case e.Type == "CHARGE" && e.Charge.Payment != "":
		var answer struct {
			Payment payment `json:"payment"`
		}
		if _, err := s.client.Get(ctx, "/v2/payments/"+url.PathEscape(e.Charge.Payment), nil, &answer); err != nil {
			return err
		}
		return s.charge(&answer.Payment, payout, e, page)
	case e.Type == "REFUND" && e.Refund.Refund != "":
		var answer struct {
			Refund refund `json:"refund"`
		}
		if _, err := s.client.Get(ctx, "/v2/refunds/"+url.PathEscape(e.Refund.Refund), nil, &answer); err != nil {
			return err
		}
		return s.refund(&answer.Refund, payout, e, page)
	}
	var r reader
	m := settle.Movement{Provider: Name, Key: e.ID, Kind: settle.Other, At: r.moment(e.Effective), Payout: payout, Raw: e.Type}
	if i := slices.IndexFunc(kinds, func(k struct {
		begins string
		kind   settle.Kind
	}) bool {
		return strings.HasPrefix(e.Type, k.begins)
	}); i >= 0 {
		m.Kind = kinds[i].kind
	}
	if e.Type == "DISPUTE" && e.Dispute.Dispute != "" {
		m.Key, m.Kind, m.Of = e.Dispute.Dispute, settle.Dispute, e.Dispute.Payment
		if e.Gross.Minor > 0 {
			m.Key, m.Kind, m.Of = e.Dispute.Dispute+"-won", settle.DisputeWon, e.Dispute.Dispute
		}
	}
	if m.Kind == settle.Fee { // all of it is the fee
		gross := e.Net
		e = &entry{Gross: gross, Net: gross, Effective: e.Effective}
	}
	return s.add(&r, m, m.At, e, page)
}
