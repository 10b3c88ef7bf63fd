package document

import (
	"cmp"
	"fmt"
	"slices"

	"tillbook.example/tillbook/shared/money"
)

// Rules whose breach is a Difference.
const (
	RuleGross    = "gross"    // the gross the till printed ≠ the sum of the lines
	RuleNet      = "net"      // the net the till printed ≠ lines without tax
	RuleTax      = "tax"      // the tax the till printed ≠ the taxes of the lines
	RuleTenders  = "tenders"  // gross + tips not on a line + rounding ≠ signed tenders
	RuleTaxRate  = "tax_rate" // a printed tax ≠ rate × base
	RuleRounding = "rounding" // the rounding the till printed ≠ its rounding lines
)

// Adjusted returns the line's amount after its adjustments, on the document's
// price basis.
func (l Line) Adjusted() (money.Decimal, error) {
	var sum money.Sum
	sum.Add(l.Extended)
	for _, a := range l.Adjustments {
		sum.Add(a.Amount)
	}
	return sum.Value()
}

// Tax returns the tax on the line that the customer paid with it.
func (l Line) Tax() (money.Decimal, error) {
	var sum money.Sum
	for _, t := range l.Taxes {
		sum.Add(t.Amount)
	}
	return sum.Value()
}

// Net returns the line's amount after adjustments, without tax.
func (l Line) Net(basis PriceBasis) (money.Decimal, error) {
	adjusted, err := l.Adjusted()
	if err != nil || basis == TaxExcluded {
		return adjusted, err
	}
	tax, err := l.Tax()
	if err != nil {
		return 0, err
	}
	return money.Sub(adjusted, tax)
}

// Gross returns the line's amount after adjustments, with tax.
func (l Line) Gross(basis PriceBasis) (money.Decimal, error) {
	adjusted, err := l.Adjusted()
	if err != nil || basis != TaxExcluded {
		return adjusted, err
	}
	tax, err := l.Tax()
	if err != nil {
		return 0, err
	}
	return money.Add(adjusted, tax)
}

// Settle works out Totals.Computed and Totals.Differences from the rest of the
// document, replacing what was there. It fails only if a sum does not fit.
func (d *Document) Settle() error {
	d.Totals.Computed, d.Totals.Differences = nil, nil
	if len(d.Lines) == 0 && len(d.Tenders) == 0 {
		return nil
	}
	var gross, net, tax, discount, rounding, tips, paid, change, tenders money.Sum
	for i, l := range d.Lines {
		lineNet, err := l.Net(d.PriceBasis)
		if err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		lineTax, err := l.Tax()
		if err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		if l.Kind == CashRounding {
			rounding.Add(lineNet)
			continue
		}
		gross.Add(lineNet)
		gross.Add(lineTax)
		net.Add(lineNet)
		tax.Add(lineTax)
		for _, a := range l.Adjustments {
			discount.Add(a.Amount)
		}
	}
	for _, t := range d.Tenders {
		tenders.Add(t.Amount)
		tips.Add(t.Tip)
		switch t.Direction {
		case Paid:
			paid.Add(t.Amount)
		case Change:
			change.Add(-t.Amount)
		}
	}
	computed := &Amounts{}
	for _, part := range []struct {
		to  **money.Decimal
		sum money.Sum
	}{
		{&computed.Gross, gross}, {&computed.Net, net}, {&computed.Tax, tax}, {&computed.Discount, discount},
		{&computed.Rounding, rounding}, {&computed.Tip, tips}, {&computed.Paid, paid}, {&computed.Change, change},
	} {
		value, err := part.sum.Value()
		if err != nil {
			return fmt.Errorf("totals: %w", err)
		}
		*part.to = &value
	}
	d.Totals.Computed = computed
	stated := d.Totals.Stated
	if stated == nil {
		stated = &Amounts{}
	}
	d.differ(RuleGross, stated.Gross, computed.Gross)
	d.differ(RuleNet, stated.Net, computed.Net)
	d.differ(RuleTax, stated.Tax, computed.Tax)
	if *computed.Rounding != 0 {
		d.differ(RuleRounding, stated.Rounding, computed.Rounding)
	} else if stated.Rounding != nil {
		computed.Rounding = stated.Rounding
	}
	if d.Kind.Receipt() && d.State == Completed && d.Kind != PostVoid {
		var due money.Sum
		due.Add(*computed.Gross)
		due.Add(*computed.Tip)
		due.Add(*computed.Rounding)
		want, err := due.Value()
		if err != nil {
			return fmt.Errorf("totals: %w", err)
		}
		got, err := tenders.Value()
		if err != nil {
			return fmt.Errorf("tenders: %w", err)
		}
		d.differ(RuleTenders, &got, &want)
	}
	return d.checkRates()
}

// differ notes stated − computed where both are known and differ.
func (d *Document) differ(rule string, stated, computed *money.Decimal) {
	if stated == nil || computed == nil || *stated == *computed {
		return
	}
	d.Totals.Differences = append(d.Totals.Differences, Difference{Rule: rule, Amount: *stated - *computed})
}

// checkRates notes printed tax − rate × base for each tax of the document,
// rounded as the document's currency is. The printed tax wins; this is data.
func (d *Document) checkRates() error {
	places, err := money.Places(d.Currency)
	if err != nil {
		places = 2
	}
	type tax struct {
		code string
		rate money.Decimal
	}
	bases, amounts := map[tax]*money.Sum{}, map[tax]*money.Sum{}
	var order []tax
	for _, l := range d.Lines {
		for _, t := range l.Taxes {
			id := tax{t.Code, t.Rate}
			if bases[id] == nil {
				bases[id], amounts[id] = &money.Sum{}, &money.Sum{}
				order = append(order, id)
			}
			bases[id].Add(t.Base)
			amounts[id].Add(t.Amount)
		}
	}
	slices.SortFunc(order, func(a, b tax) int { return cmp.Or(cmp.Compare(a.code, b.code), cmp.Compare(a.rate, b.rate)) })
	for _, id := range order {
		base, err := bases[id].Value()
		if err != nil {
			return fmt.Errorf("base of tax %s: %w", id.code, err)
		}
		amount, err := amounts[id].Value()
		if err != nil {
			return fmt.Errorf("tax %s: %w", id.code, err)
		}
		exact, err := money.MulDiv(base, id.rate, 100*money.One)
		if err != nil {
			return fmt.Errorf("tax %s: %w", id.code, err)
		}
		if want := exact.RoundTo(places); amount != want {
			d.Totals.Differences = append(d.Totals.Differences, Difference{Rule: RuleTaxRate, Amount: amount - want})
		}
	}
	return nil
}
