package books

import (
	"fmt"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// Balance says how the lines and the tenders of a receipt compare. Rounding is
// what the till rounded the payment by, stated or found by the shop's rule;
// Gap = tenders − lines − tips not on a line − Rounding, zero if all is well.
type Balance struct {
	Gap      money.Decimal
	Rounding money.Decimal
	Stated   bool // the till itself stated the rounding
}

// BalanceOf checks the receipt equation of a receipt or the lines of a movement,
// under the shop's rounding (nil: none). A receipt that another system invoices,
// and a payment without lines, say nothing about their lines and have no gap.
func BalanceOf(d *document.Document, rounding *Rounding) (Balance, error) {
	var due, paid, rounded money.Sum
	for i := range d.Tenders {
		paid.Add(d.Tenders[i].Amount)
		due.Add(d.Tenders[i].Tip)
	}
	lines := d.Lines
	if d.Movement != nil && d.Kind.Movement() {
		lines = d.Movement.Lines
		paid.Add(d.Movement.Amount)
	}
	for i := range lines {
		gross, err := lines[i].Gross(d.PriceBasis)
		if err != nil {
			return Balance{}, fmt.Errorf("line %d: %w", i+1, err)
		}
		if lines[i].Kind == document.CashRounding {
			rounded.Add(gross)
			continue
		}
		due.Add(gross)
	}
	if impliedLine(d) || elsewhere(d) || len(lines) == 0 && d.Kind.Movement() {
		return Balance{}, nil
	}
	var gap money.Sum
	dueSum, err := due.Value()
	if err != nil {
		return Balance{}, fmt.Errorf("lines: %w", err)
	}
	paidSum, err := paid.Value()
	if err != nil {
		return Balance{}, fmt.Errorf("tenders: %w", err)
	}
	balance := Balance{}
	if balance.Rounding, err = rounded.Value(); err != nil {
		return Balance{}, fmt.Errorf("rounding: %w", err)
	}
	balance.Stated = balance.Rounding != 0
	gap.Add(paidSum)
	gap.Add(-dueSum)
	gap.Add(-balance.Rounding)
	if balance.Gap, err = gap.Value(); err != nil {
		return Balance{}, fmt.Errorf("gap: %w", err)
	}
	if balance.Gap == 0 || balance.Stated {
		return balance, nil
	}
	if s := d.Totals.Stated; s != nil && s.Rounding != nil && *s.Rounding != 0 {
		balance.Rounding, balance.Stated = *s.Rounding, true
		balance.Gap, err = money.Sub(balance.Gap, *s.Rounding)
		return balance, err
	}
	if rounding.explains(balance.Gap, d) {
		balance.Rounding, balance.Gap = balance.Gap, 0
	}
	return balance, nil
}

// impliedLine reports whether a receipt without lines is a payment that settles
// a debt or a down payment, by its kind alone.
func impliedLine(d *document.Document) bool {
	return len(d.Lines) == 0 && (d.Kind == document.AccountPayment || d.Kind == document.DownPayment)
}

func elsewhere(d *document.Document) bool { return d.Invoice != nil && d.Invoice.BookedElsewhere }

// Beyond reports whether an amount is more than the shop rounds by.
func (r *Rounding) Beyond(amount money.Decimal) bool {
	if r == nil {
		return false
	}
	switch r.Method {
	case "up":
		return amount < 0 || amount >= r.Step
	case "down":
		return amount > 0 || -amount >= r.Step
	}
	return amount.Abs() > r.Step/2
}

// explains reports whether a gap that the till did not state is cash rounding:
// within the step, on a receipt paid so, and leaving an amount on the step.
func (r *Rounding) explains(gap money.Decimal, d *document.Document) bool {
	if r == nil || r.Step <= 0 {
		return false
	}
	gapSigned := gap
	var paid money.Decimal
	cash := false
	for _, t := range d.Tenders {
		if t.Kind == document.Cash || r.Scope == "all" {
			paid, cash = paid+t.Amount, true
		}
	}
	if paid < 0 { // a refund: up and down are seen from the customer's bill
		gapSigned = -gap
	}
	return cash && paid%r.Step == 0 && !r.Beyond(gapSigned)
}

// SubUnit reports whether a gap is less than one minor unit of its currency: it
// comes from amounts printed finer than that, and is a matter of rounding.
func SubUnit(gap money.Decimal, currency string) bool {
	places, err := money.Places(currency)
	if err != nil {
		places = 2
	}
	return gap.Abs() < unitOf(places)
}
