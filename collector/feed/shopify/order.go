package shopify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// order is an order, as far as it is read: nothing of its customer.
type order struct {
	ID            int64          `json:"id"`
	Name          string         `json:"name"`
	Test          bool           `json:"test"`
	ProcessedAt   string         `json:"processed_at"`
	CreatedAt     string         `json:"created_at"`
	UpdatedAt     string         `json:"updated_at"`
	Currency      string         `json:"currency"`
	Total         money.Decimal  `json:"total_price"`
	Tax           *money.Decimal `json:"total_tax"`
	Tip           money.Decimal  `json:"total_tip_received"`
	TaxesIncluded bool           `json:"taxes_included"`
	Status        string         `json:"financial_status"`
	LocationID    int64          `json:"location_id"`
	Lines         []lineItem     `json:"line_items"`
	Shipping      []shippingLine `json:"shipping_lines"`
	Refunds       []refund       `json:"refunds"`
}

type taxLine struct {
	Title   string        `json:"title"`
	Rate    json.Number   `json:"rate"`
	Price   money.Decimal `json:"price"`
	Channel bool          `json:"channel_liable"`
}

type allocation struct {
	Amount money.Decimal `json:"amount"`
}

type lineItem struct {
	ID        int64           `json:"id"`
	Title     string          `json:"title"`
	SKU       string          `json:"sku"`
	Quantity  int64           `json:"quantity"`
	Price     money.Decimal   `json:"price"`
	Discount  money.Decimal   `json:"total_discount"`
	Discounts []allocation    `json:"discount_allocations"`
	GiftCard  bool            `json:"gift_card"`
	Tip       json.RawMessage `json:"tip"`
	Taxes     []taxLine       `json:"tax_lines"`
}

type shippingLine struct {
	Title     string        `json:"title"`
	Price     money.Decimal `json:"price"`
	Discounts []allocation  `json:"discount_allocations"`
	Taxes     []taxLine     `json:"tax_lines"`
}

type refund struct {
	ID          int64  `json:"id"`
	ProcessedAt string `json:"processed_at"`
	CreatedAt   string `json:"created_at"`
	Lines       []back `json:"refund_line_items"`
	Adjustments []struct {
		Kind   string        `json:"kind"`
		Reason string        `json:"reason"`
		Amount money.Decimal `json:"amount"`
		Tax    money.Decimal `json:"tax_amount"`
	} `json:"order_adjustments"`
	Transactions []transaction `json:"transactions"`
}

// back is a part of a line that is given back.
type back struct {
	Quantity int64         `json:"quantity"`
	Subtotal money.Decimal `json:"subtotal"`
	Tax      money.Decimal `json:"total_tax"`
	Item     lineItem      `json:"line_item"`
}

// taxes splits the tax that is given back over the taxes of the line.
func (b *back) taxes(currency string) ([]money.Decimal, error) {
	if len(b.Item.Taxes) == 0 || b.Tax == 0 {
		return nil, nil
	}
	weights := make([]money.Decimal, len(b.Item.Taxes))
	for i, t := range b.Item.Taxes {
		weights[i] = t.Price
	}
	if !slices.ContainsFunc(weights, func(w money.Decimal) bool { return w != 0 }) {
		weights[0] = money.One
	}
	places, err := money.Places(currency)
	if err != nil {
		return nil, err
	}
	return money.Split(-b.Tax, weights, places)
}

// receipt is how an order is called in its documents and movements. It does not end
// with a digit: orders are not numbered without gaps.
func receipt(orderID int64) string { return strconv.FormatInt(orderID, 10) + "-order" }

// documents returns what an order is: itself, and each of its refunds.
func (s *Source) documents(o *order, payments []transaction) ([]feed.Document, error) {
	location := ""
	if o.LocationID != 0 {
		location = strconv.FormatInt(o.LocationID, 10)
	}
	store := s.o.Store(location)
	if store == "" {
		return nil, nil // of a location that is not read
	}
	updated, err := time.Parse(time.RFC3339, o.UpdatedAt)
	if err != nil {
		return nil, fmt.Errorf("updated_at: %w", err)
	}
	sale := document.Document{
		Key:        document.Key{Store: store, Terminal: Name, Space: document.SpaceReceipt, Number: receipt(o.ID)},
		Source:     document.Source{Format: Name, Raw: o.Name},
		Numbers:    document.Numbers{Receipt: receipt(o.ID)},
		Place:      document.Place{Store: location},
		Currency:   o.Currency,
		PriceBasis: document.TaxExcluded,
	}
	if o.TaxesIncluded {
		sale.PriceBasis = document.TaxIncluded
	}
	base, at := sale, firstOf(o.ProcessedAt, o.CreatedAt)
	paid := false
	sale.Kind, sale.State = document.Order, document.Open
	switch o.Status {
	case "paid", "partially_refunded", "refunded":
		paid = true
		sale.Kind, sale.State = document.Sale, document.Completed
	case "voided":
		sale.Kind, sale.State = document.Cancelled, document.Voided
	}
	if sale.Lines, err = o.lines(); err != nil {
		return nil, err
	}
	total := o.Total
	sale.Totals.Stated = &document.Amounts{Gross: &total, Tax: o.Tax}
	if paid {
		last := ""
		if sale.Tenders, last, err = tenders(payments, o.Currency, o.Total, document.Paid); err != nil {
			return nil, err
		}
		at = firstOf(last, at)
	}
	if sale.Time, err = instant(at); err != nil {
		return nil, err
	}
	all := []feed.Document{{Document: &sale, Version: updated.UnixMicro()}}
	if !paid {
		return all, nil
	}
	for i := range o.Refunds {
		r := &o.Refunds[i]
		d := base
		d.Key.Number = strconv.FormatInt(r.ID, 10) + "-refund"
		d.Kind, d.State = document.Return, document.Completed
		original := sale.Key
		d.Links = []document.Link{{Relation: document.Returns, Key: &original}}
		if d.Lines, err = r.lines(o.TaxesIncluded, o.Currency); err != nil {
			return nil, fmt.Errorf("refund %d: %w", r.ID, err)
		}
		var sum money.Sum
		for _, l := range d.Lines {
			gross, err := l.Gross(d.PriceBasis)
			if err != nil {
				return nil, fmt.Errorf("refund %d: %w", r.ID, err)
			}
			sum.Add(gross)
		}
		total, err := sum.Value()
		if err != nil {
			return nil, fmt.Errorf("refund %d: %w", r.ID, err)
		}
		if d.Tenders, _, err = tenders(r.Transactions, o.Currency, total, document.Refund); err != nil {
			return nil, fmt.Errorf("refund %d: %w", r.ID, err)
		}
		if len(d.Lines)+len(d.Tenders) == 0 {
			continue
		}
		if d.Time, err = instant(firstOf(r.ProcessedAt, r.CreatedAt)); err != nil {
			return nil, fmt.Errorf("refund %d: %w", r.ID, err)
		}
		all = append(all, feed.Document{Document: &d, Version: updated.UnixMicro()})
	}
	return all, nil
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func instant(text string) (document.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return document.Time{}, fmt.Errorf("its time: %w", err)
	}
	_, seconds := at.Zone()
	offset := seconds / 60
	return document.Time{AsGiven: text, Offset: &offset, UTC: at.UTC(), ZoneFrom: document.ZoneFromData}, nil
}

func (o *order) lines() ([]document.Line, error) {
	var lines []document.Line
	tipped := false
	for _, item := range o.Lines {
		l := document.Line{Kind: document.Item, SKU: item.SKU, Text: item.Title, UnitPrice: item.Price}
		switch {
		case item.GiftCard:
			l.Kind = document.VoucherSell
		case len(item.Tip) > 0 && string(item.Tip) != "null":
			l.Kind, tipped = document.TipStaff, true
		}
		var err error
		if l.Quantity, err = money.FromInt(item.Quantity); err != nil {
			return nil, err
		}
		if l.Extended, err = money.Mul(item.Price, l.Quantity); err != nil {
			return nil, err
		}
		discounts := item.Discounts
		if len(discounts) == 0 && item.Discount != 0 {
			discounts = []allocation{{item.Discount}}
		}
		if err := complete(&l, discounts, item.Taxes, o.TaxesIncluded); err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	for _, shipping := range o.Shipping {
		l := document.Line{Kind: document.Delivery, Text: shipping.Title, Quantity: money.One, UnitPrice: shipping.Price, Extended: shipping.Price}
		if err := complete(&l, shipping.Discounts, shipping.Taxes, o.TaxesIncluded); err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	if o.Tip != 0 && !tipped {
		lines = append(lines, document.Line{Kind: document.TipStaff, Extended: o.Tip})
	}
	return lines, nil
}

// complete adds discounts and taxes to a line. The base of a tax is not stated: it
// is what the line comes to.
func complete(l *document.Line, discounts []allocation, taxes []taxLine, included bool) error {
	for _, d := range discounts {
		if d.Amount != 0 {
			l.Adjustments = append(l.Adjustments, document.Adjustment{Kind: document.Discount, Level: document.LevelLine, Amount: -d.Amount})
		}
	}
	base, err := l.Adjusted()
	if err != nil {
		return err
	}
	for _, t := range taxes {
		if included && !t.Channel {
			if base, err = money.Sub(base, t.Price); err != nil {
				return err
			}
		}
	}
	for _, t := range taxes {
		tax, err := t.tax(base, t.Price, included)
		if err != nil {
			return err
		}
		l.Taxes = append(l.Taxes, tax)
	}
	return nil
}

func (t taxLine) tax(base, amount money.Decimal, included bool) (document.Tax, error) {
	rate, err := percent(t.Rate.String())
	if err != nil {
		return document.Tax{}, fmt.Errorf("rate of %s: %w", t.Title, err)
	}
	tax := document.Tax{Code: t.Title, Scheme: "SALES", Rate: rate, Base: base, Amount: amount}
	if included {
		tax.Scheme = "VAT"
	}
	if t.Channel {
		tax.Liable = "FACILITATOR"
	}
	return tax, nil
}

// percent reads a share such as 0.0625 as 6.25.
func percent(text string) (money.Decimal, error) {
	if text == "" {
		return 0, nil
	}
	if whole, places, ok := strings.Cut(text, "."); ok && len(places) > 6 {
		text = whole + "." + places[:6]
	}
	share, err := money.Parse(text)
	if err != nil {
		return 0, err
	}
	hundred, err := money.FromInt(100)
	if err != nil {
		return 0, err
	}
	return money.Mul(share, hundred)
}

// lines returns what a refund gives back. Its subtotals hold the tax where prices
// do.
func (r *refund) lines(included bool, currency string) ([]document.Line, error) {
	var lines []document.Line
	for i := range r.Lines {
		back := &r.Lines[i]
		l := document.Line{Kind: document.Item, SKU: back.Item.SKU, Text: back.Item.Title, Extended: -back.Subtotal}
		if back.Item.GiftCard {
			l.Kind = document.VoucherSell
		}
		quantity, err := money.FromInt(-back.Quantity)
		if err != nil {
			return nil, err
		}
		l.Quantity = quantity
		base := l.Extended
		if included {
			if base, err = money.Add(base, back.Tax); err != nil {
				return nil, err
			}
		}
		shares, err := back.taxes(currency)
		if err != nil {
			return nil, fmt.Errorf("its tax: %w", err)
		}
		for i, share := range shares {
			tax, err := back.Item.Taxes[i].tax(base, share, included)
			if err != nil {
				return nil, err
			}
			l.Taxes = append(l.Taxes, tax)
		}
		lines = append(lines, l)
	}
	for _, a := range r.Adjustments {
		l := document.Line{Kind: document.OtherLine, Text: a.Reason, Extended: a.Amount}
		if a.Kind == "shipping_refund" {
			l.Kind = document.Delivery
		}
		base := a.Amount
		var err error
		if included {
			if l.Extended, err = money.Add(a.Amount, a.Tax); err != nil {
				return nil, err
			}
		}
		if a.Tax != 0 {
			scheme := "SALES"
			if included {
				scheme = "VAT"
			}
			l.Taxes = []document.Tax{{Code: "shipping", Scheme: scheme, Base: base, Amount: a.Tax}}
		}
		lines = append(lines, l)
	}
	return lines, nil
}
