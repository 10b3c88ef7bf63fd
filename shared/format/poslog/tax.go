package poslog

import (
	"strings"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/xmlscan"
	"tillbook.example/tillbook/shared/money"
)

// taxRow is one Tax element as printed.
type taxRow struct {
	tax     document.Tax
	based   bool // TaxableAmount is there
	rated   bool // Percent is there
	group   string
	void    bool
	include string // what the till says of the taxable amount; it is often wrong
}

// taxRow reads a Tax element.
func (x *transaction) taxRow(n xmlscan.Node, isVoid bool) taxRow {
	row := taxRow{void: isVoid || x.flag(n, "VoidFlag"), group: x.value(n, "TaxGroupID")}
	kind := local(x.attr(n, "TaxType"))
	row.tax.Code = x.value(n, "TaxRuleID", "TaxGroupID", "TaxTypeCode", "TaxID", "TaxCode")
	if row.tax.Code == "" {
		row.tax.Code = kind
	}
	row.tax.Jurisdiction = x.value(n, "TaxLocationID", "TaxAuthority")
	row.tax.Rate, row.rated = x.ratio(n, "Percent", "TaxPercent", "Rate")
	row.tax.Base, row.based = x.amount(n, "TaxableAmount")
	amount, ok := x.amount(n, "Amount", "TaxAmount")
	if !ok {
		x.fail("Tax: Amount is missing")
	}
	row.tax.Amount = amount
	if row.tax.Rate < 0 {
		x.fail("Tax: the rate %s %% is negative", row.tax.Rate)
	}
	switch strings.ToUpper(kind) {
	case "VAT", "GST", "IVA", "MWST":
		row.tax.Scheme = "VAT"
	case "EXCISE":
		row.tax.Scheme = "EXCISE"
	default:
		row.tax.Scheme = "SALES"
	}
	if row.tax.Code == "" {
		row.tax.Code = "TAX"
	}
	if exempt := x.tree.Child(n, "TaxExemption"); exempt != 0 {
		row.tax.ExemptReason = x.value(exempt, "ReasonCode", "TaxExemptReasonCode")
		if row.tax.ExemptReason == "" {
			row.tax.ExemptReason = "exempt"
		}
	}
	row.include = x.attr(x.tree.Child(n, "TaxableAmount"), "TaxIncludedInTaxableAmountFlag")
	return row
}

// itemTaxes reads the taxes that stand on an item.
func (x *transaction) itemTaxes(i *item, n xmlscan.Node) {
	for c := x.tree.First(n); c != 0; c = x.tree.Next(c) {
		if string(x.tree.Name(c)) != "Tax" {
			continue
		}
		row := x.taxRow(c, false)
		if row.void {
			continue
		}
		t := row.tax
		if i.line.Extended < 0 && t.Amount > 0 {
			t.Amount, t.Base = -t.Amount, -t.Base
		} else if i.line.Extended < 0 && t.Base > 0 {
			t.Base = -t.Base
		}
		i.taxed = true
		if !row.rated && !row.based && len(i.line.Taxes) > 0 {
			// A correction by a cent of the tax before it.
			last := &i.line.Taxes[len(i.line.Taxes)-1]
			last.Amount = x.add(last.Amount, t.Amount)
			continue
		}
		if row.based {
			t.Base = x.withoutTax(t)
		}
		i.line.Taxes = append(i.line.Taxes, t)
		if !row.based {
			i.line.Taxes[len(i.line.Taxes)-1].Base = unknownBase
		}
	}
}

// unknownBase marks a tax whose base is worked out once it is known whether
// prices contain tax.
const unknownBase = money.Decimal(-1 << 62)

// withoutTax returns a taxable amount without the tax, where it turns out to
// contain it: the flag that says so is set wrongly by known dialects.
func (x *transaction) withoutTax(t document.Tax) money.Decimal {
	if t.Rate == 0 || t.Amount == 0 {
		return t.Base
	}
	outside, err := money.MulDiv(t.Base, t.Rate, 100*money.One)
	if err != nil {
		x.fail("Tax: %v", err)
	}
	inside, err := money.MulDiv(t.Base, t.Rate, 100*money.One+t.Rate)
	if err != nil {
		x.fail("Tax: %v", err)
	}
	if (inside - t.Amount).Abs() < (outside - t.Amount).Abs() {
		return x.add(t.Base, -t.Amount)
	}
	return t.Base
}

// spreadTaxes puts the tax rows of the receipt on the items they tax.
func (x *transaction) spreadTaxes(r *receipt, basis document.PriceBasis) {
	onItems := map[string]bool{}
	var itemSum, rowSum money.Decimal
	for _, i := range r.items {
		for _, t := range i.line.Taxes {
			onItems[t.Code] = true
			itemSum = x.add(itemSum, t.Amount)
		}
	}
	for _, row := range r.taxes {
		if !row.void {
			rowSum = x.add(rowSum, row.tax.Amount)
		}
	}
	for _, row := range r.taxes {
		if row.void || len(onItems) > 0 && (onItems[row.tax.Code] || itemSum == rowSum) {
			continue
		}
		x.spreadTax(r, row, basis)
	}
}

// spreadTax divides one row over the items of its group by largest remainder.
func (x *transaction) spreadTax(r *receipt, row taxRow, basis document.PriceBasis) {
	grouped := false
	for _, i := range r.items {
		grouped = grouped || row.group != "" && i.taxGroup == row.group
	}
	t := row.tax
	net := x.itemsSum(r)
	if net < 0 && t.Amount > 0 || net < 0 && t.Amount == 0 && t.Base > 0 {
		t.Amount, t.Base = -t.Amount.Abs(), -t.Base.Abs()
	}
	negative := t.Amount < 0 || t.Amount == 0 && t.Base < 0
	var of []int
	var weights []money.Decimal
	for i := range r.items {
		it := &r.items[i]
		amount, err := it.line.Adjusted()
		if err != nil {
			x.fail("%v", err)
		}
		if grouped && it.taxGroup != row.group || amount == 0 || amount < 0 != negative || !format.Taxable(it.line.Kind) {
			continue
		}
		of, weights = append(of, i), append(weights, amount.Abs())
	}
	if len(of) == 0 {
		r.items = append(r.items, item{line: document.Line{Kind: document.OtherLine, Quantity: money.One, Text: "tax"}})
		of, weights = []int{len(r.items) - 1}, []money.Decimal{money.One}
	}
	if row.based {
		t.Base = x.withoutTax(t)
	} else {
		t.Base = 0
		for i, w := range weights {
			if r.items[of[i]].line.Extended < 0 || negative {
				w = -w
			}
			t.Base = x.add(t.Base, w)
		}
		if basis == document.TaxIncluded {
			t.Base = x.add(t.Base, -t.Amount)
		}
	}
	amounts, bases := x.split(t.Amount, weights), x.split(t.Base, weights)
	for i, at := range of {
		t.Amount, t.Base = amounts[i], bases[i]
		r.items[at].line.Taxes = append(r.items[at].line.Taxes, t)
	}
}

func (x *transaction) itemsSum(r *receipt) money.Decimal {
	var sum money.Decimal
	for _, i := range r.items {
		if format.Taxable(i.line.Kind) {
			sum = x.add(sum, i.line.Extended)
		}
	}
	return sum
}
