package format

import (
	"fmt"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// Taxable reports whether tills tax lines of this kind and take discounts on
// the whole receipt off them.
func Taxable(k document.LineKind) bool {
	switch k {
	case document.VoucherSell, document.VoucherLoad, document.TipStaff, document.CashRounding, document.DebtSettle, document.DownPaymentLine, document.Donation:
		return false
	}
	return true
}

// Split divides an amount over weights by largest remainder at the currency's
// places, or at as many as the amount has.
func Split(amount money.Decimal, weights []money.Decimal, places int) ([]money.Decimal, error) {
	for places < money.Scale && amount.RoundTo(places) != amount {
		places++
	}
	return money.Split(amount, weights, places)
}

// SpreadDiscount puts a reduction of the whole receipt on the lines that it
// reduces, in proportion to their amounts after what was taken off before. A
// reduction (negative) of a receipt that returns more than it sells gives less
// back: it is turned round. It returns false, and changes nothing, if there is
// no line to take it off.
func SpreadDiscount(lines []*document.Line, a document.Adjustment, places int) (bool, error) {
	adjusted := make([]money.Decimal, len(lines))
	var sum money.Sum
	for i, l := range lines {
		var err error
		if adjusted[i], err = l.Adjusted(); err != nil {
			return false, fmt.Errorf("line %d: %w", i+1, err)
		}
		if Taxable(l.Kind) {
			sum.Add(adjusted[i])
		}
	}
	total, err := sum.Value()
	if err != nil {
		return false, fmt.Errorf("lines: %w", err)
	}
	if total < 0 && a.Amount < 0 {
		a.Amount = -a.Amount
	}
	var of []*document.Line
	var weights []money.Decimal
	for i, l := range lines {
		if Taxable(l.Kind) && adjusted[i] != 0 && adjusted[i] < 0 == (total < 0) {
			of, weights = append(of, l), append(weights, adjusted[i].Abs())
		}
	}
	if len(of) == 0 {
		return false, nil
	}
	parts, err := Split(a.Amount, weights, places)
	if err != nil {
		return false, err
	}
	a.Level = document.LevelDocument
	for i, part := range parts {
		if part != 0 {
			a.Amount = part
			of[i].Adjustments = append(of[i].Adjustments, a)
		}
	}
	return true, nil
}
