package square

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

type applied struct {
	Of     string `json:"tax_uid"`
	Amount amount `json:"applied_money"`
}

// item is a line of an order, or of what comes back.
type item struct {
	Name      string    `json:"name"`
	Catalog   string    `json:"catalog_object_id"`
	Type      string    `json:"item_type"`
	Quantity  string    `json:"quantity"`
	Price     amount    `json:"base_price_money"`
	Gross     amount    `json:"gross_sales_money"`
	Returned  amount    `json:"gross_return_money"`
	Discount  amount    `json:"total_discount_money"`
	Taxes     []applied `json:"applied_taxes"`
	Surcharge amount    `json:"applied_money"` // of a service charge
}

type tax struct {
	UID     string `json:"uid"`
	Name    string `json:"name"`
	Percent string `json:"percentage"`
	Type    string `json:"type"` // ADDITIVE, INCLUSIVE
}

type tender struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Amount amount `json:"amount_money"`
	Tip    amount `json:"tip_money"`
	Card   struct {
		Card struct {
			Brand    string `json:"card_brand"`
			LastFour string `json:"last_4"`
			Type     string `json:"card_type"`
		} `json:"card"`
	} `json:"card_details"`
}

type order struct {
	ID       string   `json:"id"`
	State    string   `json:"state"`
	Location string   `json:"location_id"`
	Created  string   `json:"created_at"`
	Updated  string   `json:"updated_at"`
	Closed   string   `json:"closed_at"`
	Items    []item   `json:"line_items"`
	Charges  []item   `json:"service_charges"`
	Taxes    []tax    `json:"taxes"`
	Tenders  []tender `json:"tenders"`
	Total    amount   `json:"total_money"`
	Tax      amount   `json:"total_tax_money"`
	Tip      amount   `json:"total_tip_money"`
	Rounding struct {
		Amount amount `json:"amount_money"`
	} `json:"rounding_adjustment"`
	Refunds []struct {
		Tender string `json:"tender_id"`
		Status string `json:"status"`
		Amount amount `json:"amount_money"`
	} `json:"refunds"`
	Returns []struct {
		Source   string `json:"source_order_id"`
		Items    []item `json:"return_line_items"`
		Charges  []item `json:"return_service_charges"`
		Taxes    []tax  `json:"return_taxes"`
		Rounding struct {
			Amount amount `json:"amount_money"`
		} `json:"rounding_adjustment"`
	} `json:"returns"`
}

// document returns what an order is: a sale, a return, or both; nil where its
// location's documents are not read.
func (s *Source) document(ctx context.Context, o *order) (*feed.Document, error) {
	store := s.o.Store(o.Location)
	if store == "" {
		return nil, nil
	}
	var r reader
	at, updated := r.moment(o.Closed, o.Created), r.moment(o.Updated, o.Created)
	d := &document.Document{
		Key:  document.Key{Store: store, Terminal: Name, Space: document.SpaceReceipt, Number: o.ID},
		Kind: document.Sale, State: document.Completed, Source: document.Source{Format: Name, Raw: o.ID},
		Numbers: document.Numbers{Receipt: o.ID}, Place: document.Place{Store: o.Location}, Time: utc(at), Currency: o.Total.code(), PriceBasis: basis(o),
	}
	if o.State == "CANCELED" {
		d.Kind, d.State = document.Cancelled, document.Voided
	}
	for i := range o.Items {
		d.Lines = append(d.Lines, o.Items[i].line(&r, document.Item, o.Taxes, 1, d.PriceBasis))
	}
	for i := range o.Charges {
		d.Lines = append(d.Lines, o.Charges[i].line(&r, document.ServiceCharge, o.Taxes, 1, d.PriceBasis))
	}
	if rounding := r.amount(o.Rounding.Amount); rounding != 0 {
		d.Lines = append(d.Lines, document.Line{Kind: document.CashRounding, Extended: rounding})
	}
	for _, t := range o.Tenders {
		if row, ok := t.row(&r); ok {
			d.Tenders = append(d.Tenders, row)
		}
	}
	for _, back := range o.Returns {
		if d.State == document.Completed {
			d.Kind = document.Return
			if len(o.Items) > 0 {
				d.Kind = document.Exchange
			}
		}
		for i := range back.Items {
			d.Lines = append(d.Lines, back.Items[i].line(&r, document.Item, back.Taxes, -1, d.PriceBasis))
		}
		for i := range back.Charges {
			d.Lines = append(d.Lines, back.Charges[i].line(&r, document.ServiceCharge, back.Taxes, -1, d.PriceBasis))
		}
		if rounding := r.amount(back.Rounding.Amount); rounding != 0 {
			d.Lines = append(d.Lines, document.Line{Kind: document.CashRounding, Extended: rounding})
		}
		if back.Source != "" {
			key := d.Key
			key.Number = back.Source
			d.Links = append(d.Links, document.Link{Relation: document.Returns, Key: &key})
		}
	}
	if err := s.refunded(ctx, &r, o, d); err != nil {
		return nil, err
	}
	if len(o.Returns) == 0 {
		gross, tax := r.sum(r.amount(o.Total), -r.amount(o.Tip)), r.amount(o.Tax)
		d.Totals.Stated = &document.Amounts{Gross: &gross, Tax: &tax}
	}
	return &feed.Document{Document: d, Version: updated.UnixMicro()}, r.err
}

func utc(at time.Time) document.Time {
	zero := 0
	return document.Time{AsGiven: at.Format(time.RFC3339Nano), Offset: &zero, UTC: at, ZoneFrom: document.ZoneFromData}
}

// refunded adds what was given back, by the means of the order it was paid with.
func (s *Source) refunded(ctx context.Context, r *reader, o *order, d *document.Document) error {
	known := map[string]tender{}
	for _, back := range o.Returns {
		if back.Source == "" || len(o.Refunds) == 0 {
			continue
		}
		var answer struct {
			Order order `json:"order"`
		}
		if _, err := s.client.Get(ctx, "/v2/orders/"+url.PathEscape(back.Source), nil, &answer); err != nil {
			return err
		}
		for _, t := range answer.Order.Tenders {
			known[t.ID] = t
		}
	}
	for _, x := range o.Refunds {
		if x.Status != "APPROVED" && x.Status != "COMPLETED" && x.Status != "PENDING" || len(o.Returns) == 0 {
			continue
		}
		t := known[x.Tender]
		t.Amount, t.Tip = x.Amount, amount{}
		row, _ := t.row(r)
		row.Direction, row.Amount = document.Refund, -row.Amount
		d.Tenders = append(d.Tenders, row)
	}
	return nil
}

// basis says whether lines hold their tax: where one tax is in the price they do,
// and taxes beside the price are added to them.
func basis(o *order) document.PriceBasis {
	taxes := o.Taxes
	for _, back := range o.Returns {
		taxes = append(taxes[:len(taxes):len(taxes)], back.Taxes...)
	}
	for _, t := range taxes {
		if t.Type == "INCLUSIVE" {
			return document.TaxIncluded
		}
	}
	return document.TaxExcluded
}

func (x *item) line(r *reader, kind document.LineKind, taxes []tax, sign money.Decimal, basis document.PriceBasis) document.Line {
	l := document.Line{Kind: kind, SKU: x.Catalog, Text: x.Name, UnitPrice: r.amount(x.Price)}
	if x.Type == "GIFT_CARD" {
		l.Kind = document.VoucherSell
	}
	if x.Quantity != "" {
		quantity, err := money.Parse(x.Quantity)
		if err != nil && r.err == nil {
			r.err = fmt.Errorf("quantity of %.40q: %w", x.Name, err)
		}
		l.Quantity = sign * quantity
	}
	goods := r.sum(r.amount(x.Gross), r.amount(x.Returned))
	if kind == document.ServiceCharge {
		goods = r.amount(x.Surcharge)
	}
	discount := r.amount(x.Discount)
	base, extended := r.sum(goods, -discount), goods
	for _, a := range x.Taxes {
		amount := r.amount(a.Amount)
		if taxOf(taxes, a.Of).Type == "INCLUSIVE" {
			base = r.sum(base, -amount)
		} else if basis == document.TaxIncluded {
			extended = r.sum(extended, amount)
		}
	}
	l.Extended = sign * extended
	if discount != 0 {
		l.Adjustments = []document.Adjustment{{Kind: document.Discount, Level: document.LevelLine, Amount: -sign * discount}}
	}
	for _, a := range x.Taxes {
		t := taxOf(taxes, a.Of)
		rate := money.Decimal(0)
		if t.Percent != "" {
			var err error
			if rate, err = money.Parse(t.Percent); err != nil && r.err == nil {
				r.err = fmt.Errorf("rate of %.40q: %w", t.Name, err)
			}
		}
		scheme := "SALES"
		if t.Type == "INCLUSIVE" {
			scheme = "VAT"
		}
		l.Taxes = append(l.Taxes, document.Tax{Code: t.Name, Scheme: scheme, Rate: rate, Base: sign * base, Amount: sign * r.amount(a.Amount)})
	}
	return l
}

func taxOf(taxes []tax, uid string) tax {
	for _, t := range taxes {
		if t.UID == uid {
			return t
		}
	}
	return tax{UID: uid, Name: uid}
}

// row returns a tender; false where it is none.
func (t *tender) row(r *reader) (document.Tender, bool) {
	row := document.Tender{
		Direction: document.Paid, Amount: r.amount(t.Amount), Tip: r.amount(t.Tip), Label: t.Type,
		Brand: t.Card.Card.Brand, Masked: t.Card.Card.LastFour, Kind: document.CardUnknown,
	}
	switch t.Type {
	case "NO_SALE":
		return row, false
	case "CASH":
		row.Kind = document.Cash
	case "SQUARE_GIFT_CARD":
		row.Kind = document.GiftCard
	case "WALLET", "BUY_NOW_PAY_LATER", "SQUARE_ACCOUNT":
		row.Kind = document.Wallet
	case "BANK_ACCOUNT":
		row.Kind = document.BankTransfer
	case "OTHER", "EXTERNAL":
		row.Kind = document.OtherTender
	case "CARD":
		switch t.Card.Card.Type {
		case "CREDIT":
			row.Kind = document.CardCredit
		case "DEBIT":
			row.Kind = document.CardDebit
		}
	}
	return row, true
}

// shift is one shift of a cash drawer.
type shift struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Opened string `json:"opened_at"`
	Ended  string `json:"ended_at"`
	Closed string `json:"closed_at"`
	Open   amount `json:"opened_cash_money"`
	Count  amount `json:"closed_cash_money"`
}

type event struct {
	ID      string `json:"id"`
	Type    string `json:"event_type"`
	Amount  amount `json:"event_money"`
	Created string `json:"created_at"`
	Text    string `json:"description"`
}

// drawer returns the counts of a shift that is closed, and what was paid in and out
// of its drawer. Its sales are in the orders.
func (s *Source) drawer(ctx context.Context, x *shift, location string) ([]feed.Document, error) {
	store := s.o.Store(location)
	if store == "" {
		return nil, nil
	}
	var r reader
	base := func(number string, kind document.Kind, at time.Time, currency string) document.Document {
		return document.Document{
			Key:  document.Key{Store: store, Terminal: Name, Space: document.SpaceEvent, Number: number},
			Kind: kind, State: document.Completed, Source: document.Source{Format: Name, Raw: x.ID},
			Place: document.Place{Store: location, Drawer: Name, Session: x.ID}, Time: utc(at), Currency: currency,
		}
	}
	counted := func(number, stage, moment string, a amount) feed.Document {
		d := base(number, document.TillCount, r.moment(moment), a.code())
		left := r.amount(a)
		d.Count = &document.Count{Stage: stage, ByTender: []document.TenderAmount{{Kind: document.Cash, Amount: left}}, Left: &left}
		return feed.Document{Document: &d, Version: 1}
	}
	closed := x.Closed
	if x.Ended != "" {
		closed = x.Ended // it is counted when the shift ends
	}
	all := []feed.Document{counted(x.ID+"-open", "OPEN", x.Opened, x.Open), counted(x.ID+"-close", "CLOSE", closed, x.Count)}
	cursor := ""
	for range 50 {
		var answer struct {
			list
			Events []event `json:"cash_drawer_shift_events"`
		}
		query := url.Values{"location_id": {location}, "limit": {"1000"}}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		if _, err := s.client.Get(ctx, "/v2/cash-drawers/shifts/"+url.PathEscape(x.ID)+"/events", query, &answer); err != nil {
			return nil, err
		}
		for _, e := range answer.Events {
			kind, from, to := document.PayIn, document.MoneyPlace(""), document.Drawer
			switch e.Type {
			case "PAID_IN":
			case "PAID_OUT":
				kind, from, to = document.PayOut, document.Drawer, ""
			default: // sales and refunds are in the orders
				continue
			}
			d := base(e.ID+"-event", kind, r.moment(e.Created), e.Amount.code())
			d.Movement = &document.Movement{Amount: r.amount(e.Amount).Abs(), From: from, To: to, Reason: e.Text}
			all = append(all, feed.Document{Document: &d, Version: 1})
		}
		if cursor = answer.Cursor; cursor == "" {
			return all, r.err
		}
	}
	return nil, fmt.Errorf("it has more than %d pages of events", 50)
}
