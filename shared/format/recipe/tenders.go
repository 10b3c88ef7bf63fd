package recipe

import (
	"strings"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/money"
)

// tenderName looks up what a till's word means. A word that the recipe does not
// list is OTHER and keeps its label, so that the day asks what it is.
func (r *Recipe) tenderName(name string) (document.TenderKind, document.Direction) {
	for i := range r.Tenders {
		if t := &r.Tenders[i]; strings.EqualFold(t.Name, name) {
			return document.TenderKind(t.Kind), document.Direction(t.Direction)
		}
	}
	return document.OtherTender, ""
}

// tender reads a payment. A row without an amount is none; where a row has a
// column for each tender, neither is one with 0.
func (b *builder) tender(s *Tender, p *part) {
	amount, stated := b.amount(&s.Amount, p)
	tip, _ := b.amount(&s.Tip, p)
	if amount == 0 && tip == 0 && (s.wide || !stated) {
		return
	}
	name := s.Name.of(p.row)
	kind, direction := b.recipe.tenderName(name)
	if k := known(b, &s.Kind, p, document.TenderKinds); k != "" {
		kind = k
	}
	if d := known(b, &s.Direction, p, document.Directions); d != "" {
		direction = d
	}
	if s.Sign == "kind" && b.d.Kind == document.Return {
		amount = -amount.Abs()
	}
	switch {
	case direction == "" && amount < 0:
		direction = document.Refund
	case direction == "":
		direction = document.Paid
	}
	if s.Sign == "direction" && direction != document.Paid {
		amount = -amount.Abs()
	}
	t := document.Tender{
		Kind: kind, Direction: direction, Amount: amount, Label: name, Tip: tip,
		Acquirer: s.Acquirer.of(p.row), MID: s.MID.of(p.row), Batch: s.Batch.of(p.row), Brand: s.Brand.of(p.row),
		Masked: format.LastFour(s.Card.of(p.row)),
	}
	if s.Voucher != nil {
		t.Voucher = b.voucher(s.Voucher, p)
	}
	if f := s.Foreign; f != nil {
		if currency := f.Currency.of(p.row); currency != "" && currency != b.d.Currency {
			given, _ := b.amount(&f.Amount, p)
			rate, _ := b.ratio(&f.Rate, p)
			t.Foreign = &document.Foreign{Currency: currency, Amount: given, Rate: rate}
			if t.Kind == document.Cash {
				t.Kind = document.ForeignCash
			}
		}
	}
	b.d.Tenders = append(b.d.Tenders, t)
}

// link ties the receipt to another of the same store, till and scope where the
// row does not say otherwise.
func (b *builder) link(s *Link, p *part) {
	number := s.Number.of(p.row)
	if number == "" {
		return
	}
	key := document.Key{Store: s.Store.of(p.row), Terminal: s.Terminal.of(p.row), Space: document.SpaceReceipt, Number: number, Scope: s.Scope.of(p.row)}
	if key.Store == "" {
		key.Store = b.d.Key.Store
	}
	if key.Terminal == "" {
		key.Terminal = b.d.Key.Terminal
	}
	if key.Scope == "" && !s.Scope.set {
		key.Scope = b.d.Key.Scope
	}
	relation := known(b, &s.Relation, p, document.Relations)
	for _, l := range b.d.Links {
		if l.Relation == relation && l.Key != nil && *l.Key == key {
			return
		}
	}
	b.d.Links = append(b.d.Links, document.Link{Relation: relation, Key: &key, Number: number})
}

// movement reads money that moves without a sale. Where the recipe does not say
// from where to where, the kind does.
func (b *builder) movement(s *Movement, p *part) {
	amount, ok := b.amount(&s.Amount, p)
	if !ok {
		b.fail(p.line, "%s is empty", s.Amount.name())
	}
	m := &document.Movement{
		Amount: amount.Abs(), Reason: s.Reason.of(p.row), ReceiptRef: s.ReceiptRef.of(p.row),
		From: known(b, &s.From, p, document.MoneyPlaces), To: known(b, &s.To, p, document.MoneyPlaces),
	}
	if m.From == "" && m.To == "" {
		switch b.d.Kind {
		case document.PayIn:
			m.To = document.Drawer
		case document.PayOut:
			m.From = document.Drawer
		case document.Float:
			m.From, m.To = document.Safe, document.Drawer
		case document.SafeDrop:
			m.From, m.To = document.Drawer, document.Safe
		case document.Banking:
			m.From, m.To = document.Safe, document.Bank
		}
	}
	if taxes := b.readTaxes(s.Taxes, p, m.Amount); len(taxes) > 0 {
		l := document.Line{Kind: document.OtherLine, Category: s.Category.of(p.row), Quantity: money.One, Extended: m.Amount}
		b.settleTaxes(&l, taxes)
		m.Lines = append(m.Lines, l)
	}
	b.d.Movement = m
}

// count adds a row to what was found in the drawer.
func (b *builder) count(s *Count, p *part) {
	if b.d.Count == nil {
		b.d.Count = &document.Count{Stage: "CLOSE", Blind: s.Blind}
	}
	c := b.d.Count
	if stage := known(b, &s.Stage, p, document.CountStages); stage != "" {
		c.Stage = stage
	}
	if amount, ok := b.amount(&s.Amount, p); ok {
		name := s.Tender.of(p.row)
		kind := document.Cash
		if name != "" {
			kind, _ = b.recipe.tenderName(name)
		}
		number, _ := b.whole(&s.Number, p)
		c.ByTender = append(c.ByTender, document.TenderAmount{Kind: kind, Label: name, Amount: amount, Count: number})
	}
	if left, ok := b.amount(&s.Left, p); ok {
		c.Left = &left
	}
	if removed, ok := b.amount(&s.Removed, p); ok {
		c.Removed = &removed
	}
	if d := s.Denomination; d != nil {
		value, ok := b.amount(&d.Value, p)
		number, counted := b.whole(&d.Quantity, p)
		if ok && counted {
			c.Denominations = append(c.Denominations, document.Denomination{Value: value, Quantity: number})
		}
	}
}

// close adds a row to what the till claims.
func (b *builder) close(s *Close, p *part) {
	if b.d.Close == nil {
		b.d.Close = &document.Close{}
	}
	c := b.d.Close
	for _, f := range []struct {
		from *Value
		to   *string
	}{{&s.Opened, &c.Opened}, {&s.Closed, &c.Closed}, {&s.First, &c.FirstReceipt}, {&s.Last, &c.LastReceipt}} {
		if text := f.from.of(p.row); text != "" {
			*f.to = text
		}
	}
	for _, f := range []struct {
		from *Value
		to   **money.Decimal
	}{
		{&s.Gross, &c.Gross}, {&s.Net, &c.Net}, {&s.Tax, &c.Tax}, {&s.OpeningFloat, &c.OpeningFloat}, {&s.Counted, &c.Counted},
		{&s.Expected, &c.Expected}, {&s.OverShort, &c.OverShort}, {&s.GrandTotal, &c.GrandTotal},
	} {
		if amount, ok := b.amount(f.from, p); ok {
			*f.to = &amount
		}
	}
	if n, ok := b.whole(&s.Receipts, p); ok {
		c.Receipts = &n
	}
	if s.ByTax != nil {
		for _, t := range b.readTaxes([]Tax{*s.ByTax}, p, 0) {
			c.ByTax = append(c.ByTax, t.tax)
		}
	}
	if t := s.ByTender; t != nil {
		if amount, ok := b.amount(&t.Amount, p); ok {
			name := t.Name.of(p.row)
			kind, _ := b.recipe.tenderName(name)
			number, _ := b.whole(&t.Number, p)
			c.ByTender = append(c.ByTender, document.TenderAmount{Kind: kind, Label: name, Amount: amount, Count: number})
		}
	}
}
