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
	RuleTenders  = "tenders"  // signed tenders ≠ gross + tips not on a line + rounding
	RuleTaxRate  = "tax_rate" // a printed tax ≠ rate × base, by more than rounding
	RuleRounding = "rounding" // the rounding the till printed ≠ its rounding lines
)

// Rules lists every rule.
var Rules = []string{RuleGross, RuleNet, RuleTax, RuleTenders, RuleTaxRate, RuleRounding}

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
// document, replacing what was there. A difference is what the till stated less
// what the document adds up to. Settle fails only if a sum is out of range; the
// totals are then empty.
//
// Computed rounding is that of the rounding lines or, where there is none, the
// one the till stated; computed discount is the sum of all adjustments, negative
// where they took something off. Whether the tenders pay for the lines is asked
// of completed receipts only, and not of a POST_VOID, which may leave its amounts
// to the receipt it voids.
func (d *Document) Settle() error {
	computed, differences, err := d.settle()
	if err != nil {
		computed, differences = nil, nil
	}
	d.Totals.Computed, d.Totals.Differences = computed, differences
	return err
}

func (d *Document) settle() (*Amounts, []Difference, error) {
	receipt := d.Kind.Receipt() && d.Kind != PostVoid
	if len(d.Lines) == 0 && len(d.Tenders) == 0 && (!receipt || d.Totals.Stated == nil) {
		return nil, nil, nil
	}
	computed, tenders, err := d.add()
	if err != nil {
		return nil, nil, err
	}
	var found differences
	if stated := d.Totals.Stated; stated != nil {
		found.note(RuleGross, stated.Gross, *computed.Gross)
		found.note(RuleNet, stated.Net, *computed.Net)
		found.note(RuleTax, stated.Tax, *computed.Tax)
		found.note(RuleRounding, stated.Rounding, *computed.Rounding)
	}
	if receipt && d.State == Completed && !d.Deleted {
		var due money.Sum
		due.Add(*computed.Gross)
		due.Add(*computed.Tip)
		due.Add(*computed.Rounding)
		want, err := due.Value()
		if err != nil {
			return nil, nil, fmt.Errorf("amount due: %w", err)
		}
		found.note(RuleTenders, &tenders, want)
	}
	if err := d.checkRates(&found); err != nil {
		return nil, nil, err
	}
	return computed, found.list, found.err
}

// add adds up the lines and tenders.
func (d *Document) add() (*Amounts, money.Decimal, error) {
	var gross, net, tax, discount, rounding, tips, paid, change, tenders money.Sum
	rounds := false
	for i := range d.Lines {
		l := &d.Lines[i]
		lineNet, err := l.Net(d.PriceBasis)
		if err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", i+1, err)
		}
		lineTax, err := l.Tax()
		if err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", i+1, err)
		}
		if l.Kind == CashRounding {
			rounding.Add(lineNet)
			rounding.Add(lineTax)
			rounds = true
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
	if stated := d.Totals.Stated; stated != nil && stated.Rounding != nil && !rounds {
		rounding.Add(*stated.Rounding)
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
		name string
		to   **money.Decimal
		sum  money.Sum
	}{
		{"gross", &computed.Gross, gross}, {"net", &computed.Net, net}, {"tax", &computed.Tax, tax},
		{"discount", &computed.Discount, discount}, {"rounding", &computed.Rounding, rounding},
		{"tip", &computed.Tip, tips}, {"paid", &computed.Paid, paid}, {"change", &computed.Change, change},
	} {
		value, err := part.sum.Value()
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", part.name, err)
		}
		*part.to = &value
	}
	total, err := tenders.Value()
	if err != nil {
		return nil, 0, fmt.Errorf("tenders: %w", err)
	}
	return computed, total, nil
}

// differences collects broken rules.
type differences struct {
	list []Difference
	err  error
}

// note adds stated − computed where the till stated something else.
func (f *differences) note(rule string, stated *money.Decimal, computed money.Decimal) {
	if stated == nil || *stated == computed || f.err != nil {
		return
	}
	amount, err := money.Sub(*stated, computed)
	if err != nil {
		f.err = fmt.Errorf("difference of %s: %w", rule, err)
		return
	}
	f.list = append(f.list, Difference{Rule: rule, Amount: amount})
}

// checkRates notes printed tax − rate × base for each tax of the document. Tills
// round on each line or on the whole, from the net or from the gross price, so a
// difference of less than one minor unit for each line with the tax is none. A
// tax without a rate that has an amount is a fixed sum, and has none either.
func (d *Document) checkRates(found *differences) error {
	places, err := money.Places(d.Currency)
	if err != nil {
		places = 2
	}
	unit, err := money.FromMinor(1, places)
	if err != nil {
		return err
	}
	type tax struct {
		code string
		rate money.Decimal
	}
	type totals struct {
		base, amount money.Sum
		slack        money.Decimal
	}
	sums := map[tax]*totals{}
	var order []tax
	for i := range d.Lines {
		for _, t := range d.Lines[i].Taxes {
			if t.Rate == 0 && t.Scheme == "EXCISE" {
				continue
			}
			id := tax{t.Code, t.Rate}
			if sums[id] == nil {
				sums[id] = &totals{}
				order = append(order, id)
			}
			sums[id].base.Add(t.Base)
			sums[id].amount.Add(t.Amount)
			sums[id].slack += unit
		}
	}
	slices.SortFunc(order, func(a, b tax) int { return cmp.Or(cmp.Compare(a.code, b.code), cmp.Compare(a.rate, b.rate)) })
	for _, id := range order {
		base, err := sums[id].base.Value()
		if err != nil {
			return fmt.Errorf("base of tax %s: %w", id.code, err)
		}
		amount, err := sums[id].amount.Value()
		if err != nil {
			return fmt.Errorf("tax %s: %w", id.code, err)
		}
		exact, err := money.MulDiv(base, id.rate, 100*money.One)
		if err != nil {
			return fmt.Errorf("tax %s: %w", id.code, err)
		}
		off, err := money.Sub(amount, exact)
		if err != nil {
			return fmt.Errorf("tax %s: %w", id.code, err)
		}
		if off.Abs() >= sums[id].slack {
			found.note(RuleTaxRate, &amount, exact.RoundTo(places))
		}
	}
	return nil
}
