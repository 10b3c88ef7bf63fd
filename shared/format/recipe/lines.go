package recipe

import (
	"slices"
	"strings"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/money"
)

// pendingTax is a tax whose amount or base may still have to be worked out.
type pendingTax struct {
	tax             document.Tax
	rated           bool
	stated, printed bool // the base; the amount
}

// line reads an article or another charge.
func (b *builder) line(s *Line, p *part) {
	l := document.Line{
		Category: s.Category.of(p.row), SKU: s.SKU.of(p.row), Text: s.Text.of(p.row),
		Consumption: string(known(b, &s.Consumption, p, document.Consumptions)),
	}
	l.Kind = known(b, &s.Kind, p, document.LineKinds)
	b.itemRules(&l)
	quantity, counted := b.ratio(&s.Quantity, p)
	if !counted {
		quantity = money.One
	}
	price, priced := b.ratio(&s.UnitPrice, p)
	if priced && b.recipe.Numbers.Amounts == "minor" {
		price, _ = b.amount(&s.UnitPrice, p)
	}
	amount, ok := b.amount(&s.Amount, p)
	if !ok {
		if !priced || !counted {
			b.fail(p.line, "the row has no amount, and not both a quantity and a unit price")
			return
		}
		exact, err := money.Mul(quantity, price)
		if err != nil {
			b.fail(p.line, "quantity × unit price: %v", err)
			return
		}
		amount = exact.RoundTo(b.places)
	}
	quantity, amount = b.sign(s.Sign, quantity, amount)
	l.Quantity, l.UnitPrice, l.Extended = quantity, price, amount

	sign := money.Decimal(1)
	if amount < 0 {
		sign = -1
	}
	for i := range s.Discounts {
		if a, ok := b.discount(&s.Discounts[i], p, sign); ok {
			a.Level = document.LevelLine
			if s.AmountIs == "after_discount" {
				l.Extended = b.add(l.Extended, -a.Amount)
			}
			l.Adjustments = append(l.Adjustments, a)
		}
	}
	if s.Voucher != nil {
		l.Voucher = b.voucher(s.Voucher, p)
	}
	b.d.Lines = append(b.d.Lines, l)
	b.taxes = append(b.taxes, b.readTaxes(s.Taxes, p, amount))
}

// sign brings a line's numbers to the document's signs.
func (b *builder) sign(convention string, quantity, amount money.Decimal) (money.Decimal, money.Decimal) {
	negative := false
	switch convention {
	case "as_given":
		return quantity, amount
	case "quantity":
		if quantity < 0 {
			amount = -amount.Abs()
		}
		return quantity, amount
	case "kind":
		if b.d.Kind != document.Return {
			return quantity, amount
		}
		negative = true
	case "negative":
		negative = true
	}
	if negative {
		return -quantity.Abs(), -amount.Abs()
	}
	return quantity.Abs(), amount.Abs()
}

// itemRules gives a line that has no kind of its own the kind that its article
// stands for.
func (b *builder) itemRules(l *document.Line) {
	stated := l.Kind != ""
	if !stated {
		l.Kind = document.Item
	}
	for i := range b.recipe.Items {
		rule := &b.recipe.Items[i]
		if !slices.Contains(rule.SKU, l.SKU) && !rule.pattern.matches(l.Text) {
			continue
		}
		if rule.Kind != "" && !stated {
			l.Kind = document.LineKind(rule.Kind)
		}
		if rule.Category != "" {
			l.Category = rule.Category
		}
		return
	}
}

// discount reads a reduction; sign is that of what it reduces.
func (b *builder) discount(s *Discount, p *part, sign money.Decimal) (document.Adjustment, bool) {
	amount, ok := b.amount(&s.Amount, p)
	if !ok || amount == 0 {
		return document.Adjustment{}, false
	}
	if s.Sign == "taken_off" {
		amount = -amount * sign
	}
	a := document.Adjustment{Kind: known(b, &s.Kind, p, document.AdjustmentKinds), Level: document.LevelDocument, Amount: amount, Reason: s.Reason.of(p.row)}
	if a.Kind == "" {
		a.Kind = document.Discount
	}
	return a, true
}

// readTaxes reads the taxes of a line of the given amount. A tax whose rate and
// amount are both empty in the row is none.
func (b *builder) readTaxes(specs []Tax, p *part, of money.Decimal) []pendingTax {
	var taxes []pendingTax
	for i := range specs {
		s := &specs[i]
		rate, rated := b.ratio(&s.Rate, p)
		amount, printed := b.amount(&s.Amount, p)
		base, stated := b.amount(&s.Base, p)
		if !rated && !printed {
			continue
		}
		if rate < 0 {
			b.fail(p.line, "%s: the tax rate %s %% is negative", s.Rate.name(), rate)
		}
		if of < 0 {
			amount, base = -amount.Abs(), -base.Abs()
		}
		t := pendingTax{rated: rated, printed: printed, stated: stated, tax: document.Tax{
			Scheme: s.Scheme, Code: s.Code.of(p.row), Rate: rate, Amount: amount, Base: base,
			Jurisdiction: s.Jurisdiction.of(p.row), ExemptReason: s.Exempt.of(p.row),
		}}
		if t.tax.Code == "" {
			t.tax.Code = strings.TrimSuffix(strings.TrimRight(rate.String(), "0"), ".")
		}
		taxes = append(taxes, t)
	}
	return taxes
}

// settleTaxes works out what the till does not print: an amount from the rate,
// rounded half up as tills do, the base from the amount, a rate from both. What
// the till prints is never touched.
func (b *builder) settleTaxes(l *document.Line, taxes []pendingTax) {
	if len(taxes) == 0 {
		return
	}
	adjusted, err := l.Adjusted()
	if err != nil {
		b.fail(0, "%v", err)
		return
	}
	included := b.d.PriceBasis == document.TaxIncluded
	whole := 100 * money.One
	for _, t := range taxes {
		if included {
			whole = b.add(whole, t.tax.Rate)
		}
	}
	var inside money.Decimal
	for i := range taxes {
		t := &taxes[i]
		if !t.printed {
			exact, err := money.MulDiv(adjusted, t.tax.Rate, whole)
			if err != nil {
				b.fail(0, "tax %s: %v", t.tax.Code, err)
			}
			t.tax.Amount = exact.RoundTo(b.places)
		}
		inside = b.add(inside, t.tax.Amount)
	}
	for i := range taxes {
		t := &taxes[i]
		if !t.stated {
			if t.tax.Base = adjusted; included {
				t.tax.Base = b.add(adjusted, -inside)
			}
		}
		if !t.rated && t.tax.Base != 0 {
			if rate, err := money.MulDiv(t.tax.Amount, 100*money.One, t.tax.Base); err == nil {
				t.tax.Rate = rate.RoundTo(2)
			}
		}
		l.Taxes = append(l.Taxes, t.tax)
	}
}

// voucher reads a gift card or voucher; its number is carried as a hash.
func (b *builder) voucher(s *Voucher, p *part) *document.Voucher {
	v := document.Voucher{Ref: format.Ref(s.Number.of(p.row)), Purpose: s.Purpose, Funding: s.Funding, Issuer: s.Issuer.of(p.row), Expires: s.Expires.of(p.row)}
	if v == (document.Voucher{}) {
		return nil
	}
	return &v
}
