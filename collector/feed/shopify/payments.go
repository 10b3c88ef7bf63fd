package shopify

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// balanceTransaction is one change of what Shopify Payments owes.
type balanceTransaction struct {
	ID          int64         `json:"id"`
	Type        string        `json:"type"`
	Test        bool          `json:"test"`
	PayoutID    int64         `json:"payout_id"`
	Currency    string        `json:"currency"`
	Amount      money.Decimal `json:"amount"`
	Fee         money.Decimal `json:"fee"`
	Net         money.Decimal `json:"net"`
	SourceID    int64         `json:"source_id"`
	OrderID     int64         `json:"source_order_id"`
	ProcessedAt string        `json:"processed_at"` // a moment, or a day
}

var kinds = map[string]settle.Kind{
	"charge": settle.Charge, "refund": settle.Refund, "dispute": settle.Dispute, "reserve": settle.Reserve, "adjustment": settle.Correction,
	"credit": settle.Correction, "debit": settle.Correction, "payout": settle.PaidOut, "payout_failure": settle.PayoutFailed,
	"payout_cancellation": settle.PayoutFailed, "refund_failure": settle.Correction, "transfer": settle.PaidOut,
}

// movement adds what a transaction states, and returns when it happened; payout is
// the one it was asked for with.
func (s *Source) movement(t *balanceTransaction, payout int64, page *feed.Page) (time.Time, error) {
	wrong := func(err error) (time.Time, error) {
		return time.Time{}, fmt.Errorf("balance transaction %d: %w", t.ID, err)
	}
	at, err := moment(t.ProcessedAt)
	if err != nil {
		return wrong(err)
	}
	if t.Test || at.Before(s.o.Start) {
		return at, nil
	}
	m := settle.Movement{Provider: Name, Key: strconv.FormatInt(t.ID, 10), At: at, Currency: t.Currency, Amount: t.Amount, Raw: t.Type}
	kind, known := kinds[t.Type]
	if !known {
		kind = settle.Other
	}
	m.Kind = kind
	// What arrives is the net amount; a fee that is stated beside it and not taken
	// from it is none.
	if m.Fee, err = money.Sub(t.Amount, t.Net); err != nil {
		return wrong(err)
	}
	if t.OrderID != 0 {
		m.Receipt = receipt(t.OrderID)
	}
	if payout == 0 {
		payout = t.PayoutID
	}
	version := int64(0)
	if payout != 0 {
		m.Payout, version = strconv.FormatInt(payout, 10), 1
	}
	if m.Kind == settle.PayoutFailed {
		m.Of = m.Payout
	}
	page.Movements = append(page.Movements, feed.Movement{Movement: m, Version: version})
	return at, nil
}

func moment(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is no moment", text)
}

// payout is one payment to the bank.
type payout struct {
	ID       int64         `json:"id"`
	Status   string        `json:"status"`
	Date     string        `json:"date"`
	Currency string        `json:"currency"`
	Amount   money.Decimal `json:"amount"`
}

// states are those of a payout, in the order in which one follows another.
var states = []struct{ theirs, ours string }{
	{"scheduled", settle.Pending}, {"in_transit", settle.OnTheWay}, {"paid", settle.Arrived}, {"canceled", settle.Canceled}, {"failed", settle.Failed},
}

func (s *Source) payout(p *payout) (feed.Payout, error) {
	day, err := bizday.Parse(p.Date)
	if err != nil {
		return feed.Payout{}, fmt.Errorf("payout %d: %w", p.ID, err)
	}
	rank := slices.IndexFunc(states, func(s struct{ theirs, ours string }) bool { return s.theirs == p.Status })
	if rank < 0 {
		return feed.Payout{}, fmt.Errorf("payout %d: its status %q is not known", p.ID, p.Status)
	}
	created, err := time.Parse(time.DateOnly, p.Date)
	if err != nil {
		return feed.Payout{}, fmt.Errorf("payout %d: %w", p.ID, err)
	}
	o := settle.Payout{
		Provider: Name, Key: strconv.FormatInt(p.ID, 10), State: states[rank].ours, Currency: p.Currency, Amount: p.Amount, Created: created, Expected: day,
	}
	if o.State == settle.Arrived {
		o.Arrival = day
	}
	return feed.Payout{Payout: o, Version: int64(rank)}, nil
}
