package poslog

import (
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/xmlscan"
	"tillbook.example/tillbook/shared/money"
)

// reading is one way to understand what the dialects leave open.
type reading struct {
	afterDiscount bool // ExtendedAmount already lacks the item's discount
	docDiscounts  bool // Discount rows are more than a repetition of the items'
	taxIncluded   bool
	tipsInside    bool // the printed total contains the tip lines
}

// totals reads what the till printed.
func (x *transaction) totals(n xmlscan.Node) *document.Amounts {
	a := &document.Amounts{}
	any := false
	for c := x.tree.First(n); c != 0; c = x.tree.Next(c) {
		if string(x.tree.Name(c)) != "Total" || len(x.tree.Text(c)) == 0 {
			continue
		}
		kind := x.attr(c, "TotalType")
		var to **money.Decimal
		switch local(kind) {
		case "TransactionGrandAmount":
			to = &a.Gross
		case "TransactionNetAmount":
			to = &a.Net
		case "TransactionTaxAmount":
			to = &a.Tax
		case "DiscountTotal", "DiscountAmount", "TransactionDiscountAmount":
			to = &a.Discount
		case "TransactionRoundingAmount", "RoundingAmount":
			to = &a.Rounding
		case "TransactionTipAmount", "TipAmount":
			to = &a.Tip
		default:
			continue
		}
		if value := x.number(c, false); *to == nil {
			*to, any = &value, true
		}
	}
	if !any {
		return nil
	}
	return a
}

// choose returns the first reading under which the receipt adds up to its
// printed total, or else to its tenders; without any it is the usual one.
func (x *transaction) choose(r *receipt, stated *document.Amounts) reading {
	usual := reading{docDiscounts: !x.repeated(r), taxIncluded: x.taxIncluded(r), tipsInside: true}
	want, known := x.due(r, stated)
	if !known {
		return usual
	}
	for n := range 16 {
		try := usual
		if n&1 != 0 {
			try.taxIncluded = !try.taxIncluded
		}
		if n&2 != 0 {
			try.docDiscounts = !try.docDiscounts
		}
		if n&4 != 0 {
			try.afterDiscount = true
		}
		if n&8 != 0 {
			try.tipsInside = false
		}
		if x.gross(r, try) == want {
			return try
		}
	}
	return usual
}

// due is the amount that a right reading must give.
func (x *transaction) due(r *receipt, stated *document.Amounts) (money.Decimal, bool) {
	if stated != nil && stated.Gross != nil {
		return *stated.Gross, true
	}
	if len(r.tenders) == 0 {
		return 0, false
	}
	var sum money.Decimal
	for _, t := range r.tenders {
		sum = x.add(sum, t.row.Amount, -t.row.Tip)
	}
	for _, i := range r.items {
		if i.line.Kind == document.CashRounding {
			sum = x.add(sum, -i.line.Extended)
		}
	}
	return sum, true
}

// gross adds the receipt up under a reading.
func (x *transaction) gross(r *receipt, how reading) money.Decimal {
	var sum, onItems, rows money.Decimal
	for _, i := range r.items {
		if i.line.Kind == document.CashRounding || i.line.Kind == document.TipStaff && !how.tipsInside {
			continue
		}
		sum = x.add(sum, i.line.Extended)
		if !(i.open && how.afterDiscount) {
			for _, a := range i.discounts {
				sum = x.add(sum, a.Amount)
			}
		}
		for _, a := range i.line.Adjustments {
			sum = x.add(sum, a.Amount)
		}
		for _, t := range i.line.Taxes {
			onItems = x.add(onItems, t.Amount)
		}
	}
	if how.docDiscounts {
		sum = x.add(sum, r.discountSum(x))
	}
	if how.taxIncluded {
		return sum
	}
	for _, row := range r.taxes {
		if !row.void {
			rows = x.add(rows, row.tax.Amount)
		}
	}
	if onItems != 0 {
		return x.add(sum, onItems)
	}
	if sum < 0 && rows > 0 {
		rows = -rows
	}
	return x.add(sum, rows)
}

func (r *receipt) discountSum(x *transaction) money.Decimal {
	var sum money.Decimal
	for _, d := range r.discounts {
		if !d.void {
			sum = x.add(sum, d.amount)
		}
	}
	return sum
}

// repeated reports whether the Discount rows only repeat what the items carry
// as their shares of it.
func (x *transaction) repeated(r *receipt) bool {
	var shares money.Decimal
	for _, i := range r.items {
		for _, a := range i.discounts {
			if a.Level == document.LevelDocument {
				shares = x.add(shares, a.Amount)
			}
		}
	}
	return shares != 0 && shares == r.discountSum(x)
}

// taxIncluded is the usual meaning of a tax where the arithmetic does not tell:
// VAT stands in the price, sales tax on top of it.
func (x *transaction) taxIncluded(r *receipt) bool {
	for _, i := range r.items {
		for _, t := range i.line.Taxes {
			return t.Scheme == "VAT"
		}
	}
	for _, row := range r.taxes {
		return row.tax.Scheme == "VAT"
	}
	return false
}

// assemble puts the receipt together under a reading.
func (x *transaction) assemble(d *document.Document, r *receipt, how reading, stated *document.Amounts) {
	d.PriceBasis = document.TaxExcluded
	if how.taxIncluded {
		d.PriceBasis = document.TaxIncluded
	}
	for i := range r.items {
		it := &r.items[i]
		if it.open && how.afterDiscount {
			for _, a := range it.discounts {
				it.line.Extended = x.add(it.line.Extended, -a.Amount)
			}
		}
		it.line.Adjustments = append(it.discounts, it.line.Adjustments...)
	}
	if how.docDiscounts {
		x.spreadDiscounts(r)
	}
	x.spreadTaxes(r, d.PriceBasis)
	var tips money.Decimal
	for _, it := range r.items {
		if it.line.Kind == document.TipStaff && !how.tipsInside && len(r.tenders) > 0 {
			tips = x.add(tips, it.line.Extended)
			continue
		}
		for j := range it.line.Taxes {
			if t := &it.line.Taxes[j]; t.Base == unknownBase {
				adjusted, err := it.line.Adjusted()
				if err != nil {
					x.fail("%v", err)
				}
				if t.Base = adjusted; how.taxIncluded {
					t.Base = x.add(adjusted, -t.Amount)
				}
			}
		}
		d.Lines = append(d.Lines, it.line)
	}
	for _, t := range r.tenders {
		d.Tenders = append(d.Tenders, t.row)
	}
	if tips != 0 {
		d.Tenders[tipTender(d.Tenders)].Tip = tips
	}
	d.Totals.Stated = stated
}

// tipTender is the row that a tip outside the total was most likely paid with:
// the last that is not cash.
func tipTender(tenders []document.Tender) int {
	at := 0
	for i, t := range tenders {
		if t.Direction == document.Paid && t.Kind != document.Cash {
			at = i
		}
	}
	return at
}

// spreadDiscounts divides reductions of the whole receipt over its lines.
func (x *transaction) spreadDiscounts(r *receipt) {
	lines := make([]*document.Line, len(r.items))
	for i := range r.items {
		lines[i] = &r.items[i].line
	}
	for _, discount := range r.discounts {
		if discount.void {
			continue
		}
		spread, err := format.SpreadDiscount(lines, document.Adjustment{Kind: discount.kind, Amount: discount.amount, Reason: discount.reason}, x.places)
		if err != nil {
			x.fail("Discount: %v", err)
			return
		}
		if !spread {
			r.items = append(r.items, item{line: document.Line{Kind: document.DocDiscount, Quantity: money.One, Extended: discount.amount}})
		}
	}
}
