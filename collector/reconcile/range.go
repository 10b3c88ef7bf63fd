package reconcile

import (
	"slices"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// fits reports whether all amounts of the day, each without its sign, can be
// added up: then no sum of some of them overflows. If not, nothing is compared
// and that is the one difference.
func (p *prover) fits() bool {
	var all money.Sum
	add := func(amounts ...money.Decimal) {
		for _, a := range amounts {
			all.Add(a.Abs())
		}
	}
	addTo := func(amounts ...*money.Decimal) {
		for _, a := range amounts {
			if a != nil {
				add(*a)
			}
		}
	}
	see := func(d *document.Document) {
		addLines(add, d.Lines)
		for _, t := range d.Tenders {
			add(t.Amount, t.Tip)
			if t.Foreign != nil {
				add(t.Foreign.Amount)
			}
		}
		if s := d.Totals.Stated; s != nil {
			addTo(s.Gross, s.Net, s.Tax, s.Discount, s.Rounding, s.Tip, s.Paid, s.Change)
		}
		if d.Movement != nil {
			add(d.Movement.Amount)
			addLines(add, d.Movement.Lines)
		}
		if c := d.Count; c != nil {
			addTo(c.Left, c.Removed)
			for _, t := range c.ByTender {
				add(t.Amount)
			}
			for _, n := range c.Denominations {
				value, err := denomination(n)
				if err != nil {
					value = money.Max
				}
				add(value)
			}
		}
		if b := d.TenderBatch; b != nil {
			for _, row := range b.ByBrand {
				add(row.Amount, row.Tips)
			}
		}
		if c := d.Close; c != nil {
			addTo(c.Gross, c.Net, c.Tax, c.OpeningFloat, c.Counted, c.Expected, c.OverShort)
			for _, t := range c.ByTax {
				add(t.Base, t.Amount)
			}
			for _, t := range c.ByTender {
				add(t.Amount)
			}
		}
	}
	for _, d := range slices.Concat(p.documents, p.in.Earlier) {
		see(d)
	}
	for _, e := range p.effects {
		if e.Facts != e.By {
			see(e.Facts)
		}
	}
	for _, d := range p.in.Previous {
		if d != nil {
			see(d)
		}
	}
	if _, err := all.Value(); err != nil {
		p.differ(Difference{Of: "day", Cause: OutOfRange, Text: "The amounts of the day are too large to be added up.", State: Opened})
		return false
	}
	return true
}

func addLines(add func(...money.Decimal), lines []document.Line) {
	for i := range lines {
		add(lines[i].Extended)
		for _, a := range lines[i].Adjustments {
			add(a.Amount)
		}
		for _, t := range lines[i].Taxes {
			add(t.Base, t.Amount)
		}
	}
}

// denomination is the worth of a row of coins or notes.
func denomination(n document.Denomination) (money.Decimal, error) {
	quantity, err := money.FromInt(n.Quantity)
	if err != nil {
		return 0, err
	}
	return money.Mul(n.Value, quantity)
}
