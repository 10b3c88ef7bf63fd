package documenttest

import (
	"strconv"
	"time"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// Receipt generates completed sales, returns and exchanges as a till prints
// them: lines with discounts and one tax each, in either price basis, paid in
// one or two tenders with tip, change or cash rounding, and stated totals. They
// satisfy the receipt equation: Settle finds no difference.
func Receipt() *rapid.Generator[*document.Document] {
	return rapid.Custom(func(t *rapid.T) *document.Document {
		r := receipt{draw: draw{t}}
		return r.document()
	})
}

// receipt draws amounts in whole minor units of its currency.
type receipt struct {
	draw
	places int
	basis  document.PriceBasis
}

func (r receipt) document() *document.Document {
	currency := r.currency()
	r.places, _ = money.Places(currency) // every currency that is drawn has them
	r.basis = word(r.draw, "price basis", document.PriceBases)
	kind := word(r.draw, "kind", []document.Kind{document.Sale, document.Sale, document.Sale, document.Return, document.Exchange})
	number := strconv.Itoa(rapid.IntRange(1, 99_999).Draw(r.t, "number"))
	at := time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 365*24*60).Draw(r.t, "minute")) * time.Minute)
	d := &document.Document{
		Key: document.Key{
			Store: "Leeds", Terminal: rapid.SampledFrom([]string{"1", "2", "3"}).Draw(r.t, "terminal"),
			Space: document.SpaceReceipt, Number: number,
		},
		Kind: kind, State: document.Completed,
		Time:     document.Time{AsGiven: at.Format(time.DateTime), UTC: at, ZoneFrom: document.ZoneFromConfig},
		Numbers:  document.Numbers{Receipt: number},
		Currency: currency, PriceBasis: r.basis,
	}
	for i := range rapid.IntRange(1, 5).Draw(r.t, "lines") {
		back := kind == document.Return || kind == document.Exchange && i%2 == 0
		d.Lines = append(d.Lines, r.goods(back))
	}
	if r.seldom("document discount") {
		r.discount(d.Lines)
	}
	var gross, tax money.Decimal
	for i := range d.Lines {
		gross += r.tax(&d.Lines[i])
		tax += d.Lines[i].Taxes[0].Amount
	}
	net := gross - tax
	stated := &document.Amounts{Gross: &gross, Net: &net, Tax: &tax}
	due := gross
	if r.places == 2 && r.seldom("cash rounding") {
		rounded := money.Decimal((due + 2*r.unit()).RoundTo(2)) / (5 * r.unit()) * (5 * r.unit())
		if rest := rounded - due; rest != 0 {
			d.Lines = append(d.Lines, document.Line{Kind: document.CashRounding, Extended: rest})
			stated.Rounding = &rest
			due = rounded
		}
	}
	d.Tenders = r.tenders(due)
	d.Totals.Stated = stated
	return d
}

// unit returns one minor unit.
func (r receipt) unit() money.Decimal {
	unit := money.One
	for range r.places {
		unit /= 10
	}
	return unit
}

// minor draws an amount of whole minor units.
func (r receipt) minor(label string, least, most int64) money.Decimal {
	return money.Decimal(rapid.Int64Range(least, most).Draw(r.t, label)) * r.unit()
}

// goods draws a line without its tax.
func (r receipt) goods(back bool) document.Line {
	quantity := rapid.Int64Range(1, 5).Draw(r.t, "quantity")
	price := r.minor("price", 0, 20_000)
	l := document.Line{
		Kind:     rapid.SampledFrom([]document.LineKind{document.Item, document.Service}).Draw(r.t, "line kind"),
		Category: rapid.SampledFrom([]string{"Food", "Drinks", "Books"}).Draw(r.t, "category"),
		Text:     r.text("text"), UnitPrice: price,
		Quantity: money.Decimal(quantity) * money.One, Extended: money.Decimal(quantity) * price,
	}
	if r.seldom("line discount") {
		off := r.minor("off", 0, 1_000)
		l.Adjustments = append(l.Adjustments, document.Adjustment{Kind: document.Discount, Level: document.LevelLine, Amount: -min(off, l.Extended)})
	}
	if back {
		l.Quantity, l.Extended = -l.Quantity, -l.Extended
		for i := range l.Adjustments {
			l.Adjustments[i].Amount = -l.Adjustments[i].Amount
		}
	}
	return l
}

// discount takes a tenth off the whole receipt, split over its lines.
func (r receipt) discount(lines []document.Line) {
	weights := make([]money.Decimal, len(lines))
	var whole money.Decimal
	for i, l := range lines {
		adjusted, _ := l.Adjusted() // far from the bounds
		weights[i] = max(adjusted, 0)
		whole += weights[i]
	}
	parts, err := money.Split((-whole / 10).RoundTo(r.places), weights, r.places)
	if err != nil {
		return // nothing to take it off
	}
	for i, part := range parts {
		if part != 0 {
			lines[i].Adjustments = append(lines[i].Adjustments, document.Adjustment{
				Kind: document.Loyalty, Level: document.LevelDocument, Amount: part,
			})
		}
	}
}

// tax gives the line its tax and returns its amount with tax.
func (r receipt) tax(l *document.Line) money.Decimal {
	t := rapid.SampledFrom([]document.Tax{
		{Code: "S", Scheme: "VAT", Rate: 20 * money.One},
		{Code: "R", Scheme: "VAT", Rate: 5_500_000},
		{Code: "Z", Scheme: "VAT"},
		{Code: "C", Scheme: "SALES", Rate: 8_875_000, Jurisdiction: "City"},
	}).Draw(r.t, "tax")
	amount, _ := l.Adjusted() // far from the bounds
	if r.basis == document.TaxIncluded {
		tax, _ := money.MulDiv(amount, t.Rate, 100*money.One+t.Rate)
		t.Amount = tax.RoundTo(r.places)
		t.Base = amount - t.Amount
	} else {
		tax, _ := money.MulDiv(amount, t.Rate, 100*money.One)
		t.Amount, t.Base = tax.RoundTo(r.places), amount
	}
	l.Taxes = []document.Tax{t}
	return t.Base + t.Amount
}

// tenders settles what is due, in parts where it can.
func (r receipt) tenders(due money.Decimal) []document.Tender {
	if due < 0 {
		kind := rapid.SampledFrom([]document.TenderKind{document.Cash, document.CardDebit, document.StoreCredit}).Draw(r.t, "refunded by")
		return []document.Tender{{Kind: kind, Direction: document.Refund, Amount: due}}
	}
	var tenders []document.Tender
	if rapid.Bool().Draw(r.t, "card") {
		part := due
		if rapid.Bool().Draw(r.t, "card and cash") {
			part = r.minor("by card", 0, int64(due/r.unit()))
		}
		tip := money.Decimal(0)
		if r.seldom("tip") {
			tip = r.minor("tip", 0, 500)
		}
		tenders = append(tenders, document.Tender{
			Kind: document.CardDebit, Direction: document.Paid, Amount: part + tip, Tip: tip, Brand: "VISA", Masked: "************1111",
		})
		due -= part
	}
	if due == 0 {
		return tenders
	}
	change := r.minor("change", 0, 2_000)
	tenders = append(tenders, document.Tender{Kind: document.Cash, Direction: document.Paid, Amount: due + change})
	if change > 0 {
		tenders = append(tenders, document.Tender{Kind: document.Cash, Direction: document.Change, Amount: -change})
	}
	return tenders
}
