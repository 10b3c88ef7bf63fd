package stripe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// transaction is a balance transaction, as far as it is read.
type transaction struct {
	ID          string          `json:"id"`
	Amount      int64           `json:"amount"`
	Fee         int64           `json:"fee"`
	Net         int64           `json:"net"`
	Currency    string          `json:"currency"`
	Created     int64           `json:"created"`
	AvailableOn int64           `json:"available_on"`
	Type        string          `json:"type"`
	Category    string          `json:"reporting_category"`
	Rate        json.Number     `json:"exchange_rate"`
	Source      json.RawMessage `json:"source"` // an id, or the object
	Fees        []struct {
		Amount int64  `json:"amount"`
		Type   string `json:"type"` // application_fee, stripe_fee, tax
	} `json:"fee_details"`
}

// source is what a transaction is about: a charge, a refund, a dispute or a
// payout, as far as they are read.
type source struct {
	ID            string `json:"id"`
	Object        string `json:"object"`
	Amount        int64  `json:"amount"`
	Currency      string `json:"currency"`
	Charge        string `json:"charge"`
	ReceiptNumber string `json:"receipt_number"`
	Transactions  []struct {
		ID       string `json:"id"`
		Category string `json:"reporting_category"`
	} `json:"balance_transactions"` // of a dispute
	Metadata map[string]string `json:"metadata"`
	Details  struct {
		Card    *card `json:"card"`
		Present *card `json:"card_present"`
	} `json:"payment_method_details"`
}

type card struct {
	Brand         string `json:"brand"`
	LastFour      string `json:"last4"`
	Authorisation string `json:"authorization_code"`
	Receipt       struct {
		Authorisation string `json:"authorization_code"`
	} `json:"receipt"`
}

// Metadata of a payment that shops use to say what it is about.
var (
	receiptNames  = []string{"receipt", "receipt_number", "order_id", "order", "invoice"}
	terminalNames = []string{"terminal", "terminal_id", "register"}
	storeNames    = []string{"store", "store_id", "location", "location_id"}
)

// kinds are Stripe's categories of reporting, and types where there is none.
var kinds = map[string]settle.Kind{
	"charge": settle.Charge, "payment": settle.Charge, "charge_failure": settle.Refund, "payment_failure_refund": settle.Refund,
	"refund": settle.Refund, "payment_refund": settle.Refund, "partial_capture_reversal": settle.Refund,
	"refund_failure": settle.Correction, "payment_reversal": settle.Refund,
	"dispute": settle.Dispute, "dispute_reversal": settle.DisputeWon,
	"fee": settle.Fee, "stripe_fee": settle.Fee, "network_cost": settle.Fee, "tax": settle.Fee, "tax_fee": settle.Fee, "stripe_fx_fee": settle.Fee,
	"risk_reserved_funds": settle.Reserve, "reserve_transaction": settle.Reserve, "reserved_funds": settle.Reserve, "payment_network_reserve_hold": settle.Reserve,
	"payment_network_reserve_release": settle.Release, "reserve_hold": settle.Reserve, "reserve_release": settle.Release,
	"advance": settle.Advance, "financing_payout": settle.Advance, "advance_funding": settle.Repayment, "financing_paydown": settle.Repayment, "anticipation_repayment": settle.Repayment,
	"payout": settle.PaidOut, "payout_reversal": settle.PayoutFailed, "payout_failure": settle.PayoutFailed, "payout_cancel": settle.PayoutFailed,
	"currency_conversion": settle.Exchange, "fx": settle.Exchange,
	"other_adjustment": settle.Correction, "adjustment": settle.Correction,
}

// movement adds what a transaction states; payout is the one it was paid out with.
func (s *Source) movement(t *transaction, payout string, page *feed.Page) error {
	of, err := t.source()
	if err != nil {
		return fmt.Errorf("balance transaction %s: %w", t.ID, err)
	}
	m := settle.Movement{
		Provider: Name, Account: s.o.Account, Key: t.ID, At: time.Unix(t.Created, 0).UTC(), Currency: strings.ToUpper(t.Currency), Payout: payout,
	}
	kind, known := kinds[t.Category]
	if !known {
		kind, known = kinds[t.Type]
	}
	if !known {
		kind = settle.Other
	}
	m.Kind, m.Raw = kind, t.Category
	if m.Raw == "" {
		m.Raw = t.Type
	}
	if t.AvailableOn > t.Created {
		m.Available = time.Unix(t.AvailableOn, 0).UTC()
	}
	places, err := Places(m.Currency)
	if err != nil {
		return fmt.Errorf("balance transaction %s: %w", t.ID, err)
	}
	var tax int64
	for _, f := range t.Fees {
		if f.Type == "tax" {
			tax += f.Amount
		}
	}
	if t.Amount-t.Fee != t.Net {
		return fmt.Errorf("balance transaction %s: %d less the fee %d is not %d", t.ID, t.Amount, t.Fee, t.Net)
	}
	for _, a := range []struct {
		into  *money.Decimal
		minor int64
	}{{&m.Amount, t.Amount}, {&m.Fee, t.Fee}, {&m.FeeTax, tax}} {
		if *a.into, err = money.FromMinor(money.Minor(a.minor), places); err != nil {
			return fmt.Errorf("balance transaction %s: %w", t.ID, err)
		}
	}
	switch m.Kind {
	case settle.PaidOut:
		m.Payout = of.ID
	case settle.PayoutFailed:
		m.Payout, m.Of = of.ID, of.ID
	case settle.DisputeWon:
		for _, b := range of.Transactions {
			if b.Category == "dispute" {
				m.Of = b.ID
				break
			}
		}
	case settle.Refund, settle.Dispute:
		m.Of = of.Charge
	case settle.Charge:
		m.Of = of.ID // the charge that refunds and disputes name
	}
	if err := of.describe(&m, t.Rate); err != nil {
		return fmt.Errorf("balance transaction %s: %w", t.ID, err)
	}
	version := int64(0)
	if payout != "" { // it says more than what is said without
		version = 1
	}
	page.Movements = append(page.Movements, feed.Movement{Movement: m, Version: version})
	return nil
}

func (t *transaction) source() (of source, err error) {
	text := bytes.TrimSpace(t.Source)
	switch {
	case len(text) == 0 || bytes.Equal(text, []byte("null")):
	case text[0] == '"':
		err = json.Unmarshal(text, &of.ID)
	default:
		decoder := json.NewDecoder(bytes.NewReader(text))
		err = decoder.Decode(&of)
	}
	return of, err
}

// describe adds what the till may have printed of the same payment.
func (of *source) describe(m *settle.Movement, rate json.Number) error {
	m.Receipt, m.Terminal, m.Store = of.named(receiptNames), of.named(terminalNames), of.named(storeNames)
	if m.Receipt == "" {
		m.Receipt = of.ReceiptNumber
	}
	for _, c := range []*card{of.Details.Card, of.Details.Present} {
		if c != nil {
			m.Brand, m.LastFour, m.Authorisation = c.Brand, c.LastFour, c.Authorisation
			if m.Authorisation == "" {
				m.Authorisation = c.Receipt.Authorisation
			}
		}
	}
	currency := strings.ToUpper(of.Currency)
	if currency == "" || currency == m.Currency || m.Kind == settle.PaidOut || m.Kind == settle.PayoutFailed {
		return nil
	}
	places, err := Places(currency)
	if err != nil {
		return err
	}
	p := settle.Presented{Currency: currency}
	if p.Amount, err = money.FromMinor(money.Minor(of.Amount), places); err != nil {
		return err
	}
	if m.Amount < 0 {
		p.Amount = -p.Amount.Abs()
	}
	if rate != "" {
		if p.Rate, err = exchange(rate.String()); err != nil {
			return err
		}
	}
	m.Presented = &p
	return nil
}

// exchange reads a rate, of which more than six places are cut off: it only shows
// what was done, nothing is worked out with it.
func exchange(text string) (money.Decimal, error) {
	if whole, places, ok := strings.Cut(text, "."); ok && len(places) > 6 && !strings.ContainsAny(places, "eE") {
		text = whole + "." + places[:6]
	}
	return money.Parse(text)
}

func (of *source) named(names []string) string {
	for _, name := range names {
		if value := of.Metadata[name]; value != "" {
			return value
		}
	}
	return ""
}

// payout is a payout, as far as it is read.
type payout struct {
	ID             string `json:"id"`
	Amount         int64  `json:"amount"`
	Currency       string `json:"currency"`
	Created        int64  `json:"created"`
	Arrival        int64  `json:"arrival_date"`
	Status         string `json:"status"`
	Automatic      bool   `json:"automatic"`
	Method         string `json:"method"`
	Reconciliation string `json:"reconciliation_status"`
	FailureCode    string `json:"failure_code"`
	Descriptor     string `json:"statement_descriptor"`
	Trace          struct {
		Value string `json:"value"`
	} `json:"trace_id"`
}

// states are those of a payout, in the order in which one follows another.
var states = []struct{ theirs, ours string }{
	{"pending", settle.Pending}, {"in_transit", settle.OnTheWay}, {"paid", settle.Arrived}, {"canceled", settle.Canceled}, {"failed", settle.Failed},
}

func (s *Source) payout(p *payout) (feed.Payout, error) {
	wrong := func(err error) error { return fmt.Errorf("payout %s: %w", p.ID, err) }
	o := settle.Payout{
		Provider: Name, Account: s.o.Account, Key: p.ID, Currency: strings.ToUpper(p.Currency), Created: time.Unix(p.Created, 0).UTC(),
		Reference: p.Descriptor, Instant: p.Method == "instant", Reason: p.FailureCode,
	}
	if p.Trace.Value != "" {
		o.Reference = p.Trace.Value
	}
	rank := slices.IndexFunc(states, func(s struct{ theirs, ours string }) bool { return s.theirs == p.Status })
	if rank < 0 {
		return feed.Payout{}, wrong(fmt.Errorf("its status %q is not known", p.Status))
	}
	o.State = states[rank].ours
	places, err := Places(o.Currency)
	if err != nil {
		return feed.Payout{}, wrong(err)
	}
	if o.Amount, err = money.FromMinor(money.Minor(p.Amount), places); err != nil {
		return feed.Payout{}, wrong(err)
	}
	if p.Arrival > 0 {
		day := bizday.Day(time.Unix(p.Arrival, 0).UTC().Format(time.DateOnly))
		o.Expected = day
		if o.State == settle.Arrived {
			o.Arrival = day
		}
	}
	return feed.Payout{Payout: o, Version: int64(rank)}, nil
}

// balances returns what Stripe says it owes now.
func (s *Source) balances(ctx context.Context) ([]settle.Balance, error) {
	type amount struct {
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	}
	var answer struct {
		Object    string   `json:"object"`
		Available []amount `json:"available"`
		Pending   []amount `json:"pending"`
		Reserved  []amount `json:"connect_reserved"`
	}
	if _, err := s.client.Get(ctx, "/v1/balance", nil, &answer); err != nil {
		return nil, err
	}
	if answer.Object != "balance" {
		return nil, fmt.Errorf("GET /v1/balance: the answer is no balance")
	}
	all := map[string]*settle.Balance{}
	var order []string
	at := s.o.Now().UTC()
	for _, part := range []struct {
		amounts []amount
		into    func(*settle.Balance) *money.Decimal
	}{
		{answer.Available, func(b *settle.Balance) *money.Decimal { return &b.Available }},
		{answer.Pending, func(b *settle.Balance) *money.Decimal { return &b.Pending }},
		{answer.Reserved, func(b *settle.Balance) *money.Decimal { return &b.Reserved }},
	} {
		for _, a := range part.amounts {
			currency := strings.ToUpper(a.Currency)
			places, err := Places(currency)
			if err != nil {
				return nil, fmt.Errorf("balance: %w", err)
			}
			if all[currency] == nil {
				all[currency] = &settle.Balance{Provider: Name, Account: s.o.Account, Currency: currency, At: at}
				order = append(order, currency)
			}
			value, err := money.FromMinor(money.Minor(a.Amount), places)
			if err != nil {
				return nil, fmt.Errorf("balance: %w", err)
			}
			*part.into(all[currency]) = value
		}
	}
	balances := make([]settle.Balance, 0, len(order))
	for _, currency := range order {
		balances = append(balances, *all[currency])
	}
	return balances, nil
}

// Places is how many decimal places Stripe counts a currency in: those of ISO 4217
// but for some that it still counts in hundredths, and one in whole units.
// https://docs.stripe.com/currencies, "Zero-decimal currencies" and "Special cases".
func Places(currency string) (int, error) {
	switch currency {
	case "ISK", "UGX": // of these only whole ones are sent, written in hundredths
		return 2, nil
	case "MGA":
		return 0, nil
	}
	return money.Places(currency)
}
