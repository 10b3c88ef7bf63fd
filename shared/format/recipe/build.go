package recipe

import (
	"errors"
	"fmt"
	"slices"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/money"
	"tillbook.example/tillbook/shared/suggest"
)

// builder makes one document of the rows of one receipt.
type builder struct {
	recipe  *Recipe
	options *format.Options
	parts   []part
	main    []row
	d       *document.Document
	places  int
	auto    bool // the kind follows from the lines

	taxes     [][]pendingTax // of each line
	discounts []document.Adjustment
	err       error
}

// build makes the document; start is where the receipt begins in the file.
func (r *Recipe) build(parts []part, o format.Options, start int64) (*document.Document, error) {
	if o.Rule == nil {
		o.Rule = r.zone
	}
	b := &builder{recipe: r, options: &o, parts: parts, d: &document.Document{
		Source: document.Source{Format: r.Format, Recipe: r.Name, Version: r.Version},
	}}
	for _, p := range parts {
		if p.from == r.Files[0].Role {
			b.main = append(b.main, p.row)
		}
	}
	b.head(start)
	for i := range parts {
		if b.err == nil {
			b.row(&parts[i])
		}
	}
	if b.err == nil {
		b.finish()
	}
	if b.err != nil {
		return nil, b.err
	}
	return b.d, format.Finish(b.d, o, start)
}

// fail notes the first thing that is wrong.
func (b *builder) fail(line int, reason string, args ...any) {
	if b.err != nil {
		return
	}
	err := format.Refuse(format.BadField, reason, args...)
	var refusal *format.Refusal
	if errors.As(err, &refusal) {
		refusal.Line = line
	}
	b.err = err
}

// first returns a value of the receipt: the first main row that has it.
func (b *builder) first(v *Value) string {
	for _, row := range b.main {
		if s := v.of(row); s != "" {
			return s
		}
	}
	return ""
}

// head reads what is stated once for the receipt.
func (b *builder) head(start int64) {
	d, c := b.d, &b.recipe.Receipt
	if d.Currency = b.first(&c.Currency); d.Currency == "" {
		d.Currency = b.options.Currency
	}
	if d.Currency == "" {
		b.fail(0, "no currency is stated; set receipt: currency in the recipe or one for this source")
	}
	places, err := money.Places(d.Currency)
	if err != nil {
		b.fail(0, "currency: %v", err)
	}
	b.places = places
	b.kind()
	d.Key.Store, d.Key.Terminal = b.first(&c.Store), b.first(&c.Terminal)
	d.Key.Number, d.Key.Scope = b.first(&c.Number), b.first(&c.Scope)
	if d.Key.Number == "" {
		d.Key.Space, d.Key.Number = document.SpaceFile, fmt.Sprintf("%s:%d", b.options.FileID, start)
	}
	d.Numbers.Sequence, d.Numbers.Receipt, d.Numbers.Z = b.first(&c.Sequence), b.first(&c.ReceiptNo), b.first(&c.Z)
	if d.Numbers.Receipt == "" && d.Key.Space == document.SpaceReceipt {
		d.Numbers.Receipt = d.Key.Number
	}
	d.Place.Drawer, d.Place.Session, d.Place.Operator = b.first(&c.Drawer), b.first(&c.Session), format.Mask(b.first(&c.Operator))
	d.StatedDay.Session, d.StatedDay.Z = d.Place.Session, d.Numbers.Z
	if s := b.first(&c.Day); s != "" {
		if d.StatedDay.Date, err = b.recipe.day(s); err != nil {
			b.fail(0, "%s: %v", c.Day.name(), err)
		}
	}
	if s := b.first(&c.Time); s == "" {
		b.fail(0, "%s is empty: the receipt has no time", c.Time.name())
	} else if wall, err := b.recipe.time(s); err != nil {
		b.fail(0, "%s: %v", c.Time.name(), err)
	} else {
		d.Time = b.options.Time(s, wall)
	}
	d.PriceBasis = document.PriceBasis(c.PriceBasis)
	if n := b.first(&c.Invoice.Number); n != "" {
		d.Invoice = &document.Invoice{Number: n, BookedElsewhere: c.Invoice.BookedElsewhere}
	}
	for i := range c.Fiscal {
		f := document.Fiscal{Scheme: c.Fiscal[i].Scheme, ID: b.first(&c.Fiscal[i].ID), Signature: b.first(&c.Fiscal[i].Signature)}
		if f.ID != "" || f.Signature != "" {
			d.Fiscal = append(d.Fiscal, f)
		}
	}
	b.stated()
}

// kind finds the rule that one of the receipt's rows meets.
func (b *builder) kind() {
	b.d.State, b.d.Key.Space = document.Completed, document.Space(b.recipe.Receipt.Space)
	if len(b.recipe.Kinds) == 0 {
		b.auto, b.d.Kind = true, document.Sale
		return
	}
	for i := range b.recipe.Kinds {
		k := &b.recipe.Kinds[i]
		if !slices.ContainsFunc(b.main, k.When.met) {
			continue
		}
		b.d.Kind, b.d.State, b.d.Key.Space = document.Kind(k.Kind), document.State(k.State), document.Space(k.Space)
		if k.Kind == "auto" {
			b.auto, b.d.Kind = true, document.Sale
		}
		return
	}
	b.fail(0, "none of the recipe's kinds fits this receipt")
}

// stated reads the totals that the till printed.
func (b *builder) stated() {
	s, a := &b.recipe.Receipt.Stated, &document.Amounts{}
	any := false
	for _, f := range []struct {
		from *Value
		to   **money.Decimal
	}{
		{&s.Gross, &a.Gross}, {&s.Net, &a.Net}, {&s.Tax, &a.Tax}, {&s.Discount, &a.Discount},
		{&s.Rounding, &a.Rounding}, {&s.Tip, &a.Tip}, {&s.Paid, &a.Paid}, {&s.Change, &a.Change},
	} {
		text := b.first(f.from)
		if text == "" {
			continue
		}
		value, err := b.recipe.Numbers.amount(text, b.places)
		if err != nil {
			b.fail(0, "%s: %v", f.from.name(), err)
			return
		}
		if s.Sign == "kind" && b.d.Kind == document.Return {
			value = -value.Abs()
		}
		*f.to, any = &value, true
	}
	if any {
		b.d.Totals.Stated = a
	}
}

// row finds what a row is and reads it.
func (b *builder) row(p *part) {
	rules := false
	for i := range b.recipe.Rows {
		rule := &b.recipe.Rows[i]
		if rule.From != p.from {
			continue
		}
		rules = true
		if !rule.When.met(p.row) {
			continue
		}
		b.apply(rule, p)
		return
	}
	if rules {
		b.fail(p.line, "none of the recipe's rows fits this row; add a rule, with skip: true if it means nothing")
	}
}

func (b *builder) apply(rule *RowRule, p *part) {
	if rule.Line != nil {
		b.line(rule.Line, p)
	}
	for i := range rule.Tenders {
		b.tender(&rule.Tenders[i], p)
	}
	if rule.Discount != nil {
		if a, ok := b.discount(rule.Discount, p, 1); ok {
			b.discounts = append(b.discounts, a)
		}
	}
	if rule.Link != nil {
		b.link(rule.Link, p)
	}
	if rule.Movement != nil {
		b.movement(rule.Movement, p)
	}
	if rule.Count != nil {
		b.count(rule.Count, p)
	}
	if rule.Close != nil {
		b.close(rule.Close, p)
	}
}

// amount reads money from a row; ok is false where there is none.
func (b *builder) amount(v *Value, p *part) (money.Decimal, bool) {
	text := v.of(p.row)
	if text == "" {
		return 0, false
	}
	d, err := b.recipe.Numbers.amount(text, b.places)
	if err != nil {
		b.fail(p.line, "%s: %v", v.name(), err)
	}
	return d, true
}

// ratio reads a quantity, price or percentage.
func (b *builder) ratio(v *Value, p *part) (money.Decimal, bool) {
	text := v.of(p.row)
	if text == "" {
		return 0, false
	}
	d, err := b.recipe.Numbers.parse(text, true)
	if err != nil {
		b.fail(p.line, "%s: %v", v.name(), err)
	}
	return d, true
}

// whole reads a count.
func (b *builder) whole(v *Value, p *part) (int64, bool) {
	d, ok := b.ratio(v, p)
	if ok && d%money.One != 0 {
		b.fail(p.line, "%s: %s is not a whole number", v.name(), d)
	}
	return int64(d / money.One), ok
}

// known reads a word that must be one of those known.
func known[T ~string](b *builder, v *Value, p *part, words []T) T {
	text := v.of(p.row)
	if text != "" && !slices.Contains(words, T(text)) {
		b.fail(p.line, "%s: %q is not known%s", v.name(), format.Clip(text), suggest.DidYouMean(text, texts(words)))
	}
	return T(text)
}

// add sums with the error noted.
func (b *builder) add(numbers ...money.Decimal) money.Decimal {
	var sum money.Sum
	for _, n := range numbers {
		sum.Add(n)
	}
	d, err := sum.Value()
	if err != nil {
		b.fail(0, "%v", err)
	}
	return d
}

// finish puts together what depends on all rows.
func (b *builder) finish() {
	d := b.d
	lines := make([]*document.Line, len(d.Lines))
	for i := range d.Lines {
		lines[i] = &d.Lines[i]
	}
	for _, a := range b.discounts {
		spread, err := format.SpreadDiscount(lines, a, b.places)
		if err != nil {
			b.fail(0, "discount: %v", err)
			return
		}
		if !spread {
			d.Lines = append(d.Lines, document.Line{Kind: document.DocDiscount, Quantity: money.One, Extended: a.Amount})
			b.taxes = append(b.taxes, nil)
		}
	}
	for i := range d.Lines {
		if i < len(b.taxes) {
			b.settleTaxes(&d.Lines[i], b.taxes[i])
		}
	}
	b.fill()
	if b.auto {
		d.Kind = kindOf(d)
	}
}

// fill adds the side of a receipt that the till leaves out.
func (b *builder) fill() {
	d, f := b.d, b.recipe.Fill
	if f == nil || !d.Kind.Receipt() || d.State != document.Completed {
		return
	}
	if f.Line != nil && len(d.Lines) == 0 && len(d.Tenders) > 0 {
		var sum money.Decimal
		for _, t := range d.Tenders {
			sum = b.add(sum, t.Amount, -t.Tip)
		}
		d.Lines = []document.Line{{Kind: document.LineKind(f.Line.Kind), Category: f.Line.Category, Text: f.Line.Text, Quantity: money.One, Extended: sum}}
	}
	if f.Tender != nil && len(d.Tenders) == 0 && len(d.Lines) > 0 {
		var sum money.Decimal
		for i := range d.Lines {
			gross, err := d.Lines[i].Gross(d.PriceBasis)
			if err != nil {
				b.fail(0, "%v", err)
			}
			sum = b.add(sum, gross)
		}
		t := document.Tender{Kind: document.TenderKind(f.Tender.Kind), Direction: document.Paid, Amount: sum, Label: f.Tender.Label}
		if sum < 0 {
			t.Direction = document.Refund
		}
		if sum != 0 {
			d.Tenders = []document.Tender{t}
		}
	}
}

// kindOf is what a receipt is by its lines.
func kindOf(d *document.Document) document.Kind {
	var sold, returned, settled, paidDown int
	for _, l := range d.Lines {
		switch {
		case l.Kind == document.DebtSettle:
			settled++
		case l.Kind == document.DownPaymentLine:
			paidDown++
		case l.Kind == document.CashRounding || l.Kind == document.TipStaff || l.Kind == document.DocDiscount:
		case l.Quantity < 0 && l.Extended <= 0:
			returned++
		default:
			sold++
		}
	}
	switch {
	case sold > 0 && returned > 0:
		return document.Exchange
	case returned > 0:
		return document.Return
	case sold == 0 && settled > 0 && paidDown == 0:
		return document.AccountPayment
	case sold == 0 && paidDown > 0 && settled == 0:
		return document.DownPayment
	}
	return document.Sale
}
