package books

import (
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// lineUse is what a line of a receipt is to the books.
type lineUse struct {
	role    Role
	account string // where the mapping names one apart from the role's
	dims    string
	rule    string
	ours    bool // turnover: it bears tax detail; else a liability or claim
	inverse bool // negative by nature: a negative one belongs to a sale
}

// receiptLine drafts one line: its net amount, its taxes, and its discounts
// where the merchant wants them apart.
func (b *builder) receiptLine(e Effect, l *document.Line, invoice string) {
	d, sign := e.Facts, e.sign()
	net, err := l.Net(d.PriceBasis)
	if err != nil {
		b.doc.err = err
		return
	}
	tax, err := l.Tax()
	if err != nil {
		b.doc.err = err
		return
	}
	returned := goesBack(d, l)
	if e.Reversal && !e.Negate {
		returned = !returned // a void's own amounts are the original's, turned
	}
	use, ok := b.use(d, l, returned, invoice)
	if !ok {
		b.problem(question{UnknownKind, "line:" + string(l.Kind),
			"What is a line of kind \"" + string(l.Kind) + "\"? This version does not know how to book it; an upgrade may."}, e.Key, 0)
	}
	if use.inverse {
		returned = !returned
	}
	direction := DirectionSale
	if returned {
		direction = DirectionReturn
		if use.role == Sales {
			use.role, use.account, use.rule = b.returnsOf(l, use.account)
		}
	}
	g := group{role: use.role, account: use.account, dims: b.dims(d, l, use.dims), rule: use.rule}
	if g.account == "" {
		g.account, g.ask = b.need(use.role)
	}
	if use.ours || tax != 0 {
		g.direction, g.reversal = direction, e.Reversal
		if e.Reversal {
			g.rule = "Undone by a void: " + lower(g.rule)
		}
	}
	if b.gross && use.ours {
		net = b.discounts(d, l, g, net, sign)
	}
	b.taxed(g, l, use.ours || tax != 0, net, sign)
	if use.role == ServiceCharge && b.m.ServiceCharge == "staff" {
		b.addRole(StaffCharge, "Service charges passed on to staff.", sign*net)
		b.addRole(TipsPayable, b.tipRule(), -sign*net)
	}
	if b.m.CostOfGoods && (use.role == Sales || use.role == Returns) && l.Cost != nil {
		b.cost(d, l, g.dims, sign)
	}
}

// taxed adds a net amount with its taxes, as a credit. Where the taxes lie on
// different parts of the line (a menu of two rates), each part is a group.
func (b *builder) taxed(g group, l *document.Line, bears bool, net, sign money.Decimal) {
	taxes, consumption := l.Taxes, l.Consumption
	switch {
	case !bears:
		b.add(g, -sign*net)
	case len(taxes) == 0:
		g.taxes = b.taxSet([]*taxCode{b.noTax()})
		b.add(g, -sign*net, partOf(-sign*net, 0))
	case len(taxes) == 1:
		t := taxes[0]
		g.taxes = b.taxSet([]*taxCode{b.taxCode(t, consumption, false)})
		b.add(g, -sign*net, partOf(-sign*t.Base, -sign*t.Amount))
	case disjoint(taxes, net):
		for _, t := range taxes {
			g.taxes = b.taxSet([]*taxCode{b.taxCode(t, consumption, false)})
			b.add(g, -sign*t.Base, partOf(-sign*t.Base, -sign*t.Amount))
		}
	default:
		codes, parts := make([]*taxCode, len(taxes)), make([]part, len(taxes))
		for i, t := range taxes {
			codes[i], parts[i] = b.taxCode(t, consumption, false), partOf(-sign*t.Base, -sign*t.Amount)
		}
		g.taxes = b.taxSet(codes)
		b.add(g, -sign*net, parts...)
	}
}

// disjoint reports whether each tax lies on a part of the line of its own: their
// bases add up to the line, and none is empty.
func disjoint(taxes []document.Tax, net money.Decimal) bool {
	var sum money.Sum
	for _, t := range taxes {
		if t.Base == 0 {
			return false
		}
		sum.Add(t.Base)
	}
	total, err := sum.Value()
	return err == nil && total == net
}

// goesBack reports whether a line is of a return: its amount is negative or,
// where it has none, its quantity or its receipt says so.
func goesBack(d *document.Document, l *document.Line) bool {
	switch {
	case l.Extended != 0:
		return l.Extended < 0
	case l.Quantity != 0:
		return l.Quantity < 0
	}
	return d.Kind == document.Return
}

const salesRule = "Goods and services sold, without tax."

// use says what a line is to the books; false for a kind these rules do not know.
func (b *builder) use(d *document.Document, l *document.Line, returned bool, invoice string) (lineUse, bool) {
	if l.Agency != nil || l.Kind == document.AgencyLine {
		return b.agency(l), true
	}
	switch l.Kind {
	case document.Item, document.Service:
		return lineUse{role: Sales, account: b.m.Categories[l.Category], rule: salesRule, ours: true}, true
	case document.DocDiscount:
		if b.gross {
			return lineUse{
				role: Discounts, account: b.m.DiscountAccounts[document.Discount], rule: discountRule, ours: true, inverse: true,
			}, true
		}
		return lineUse{role: Sales, account: b.m.Categories[l.Category], rule: salesRule, ours: true, inverse: true}, true
	case document.DepositOut, document.DepositIn:
		if returned {
			return lineUse{role: BottleDeposits, rule: "Bottle deposits given back, without tax.", ours: true}, true
		}
		return lineUse{role: BottleDeposits, rule: "Bottle deposits charged, without tax.", ours: true}, true
	case document.VoucherSell, document.VoucherLoad, document.VoucherRedeem:
		return b.voucher(l), true
	case document.TipStaff:
		return lineUse{role: TipsPayable, rule: b.tipRule()}, true
	case document.TipHouse:
		return lineUse{role: TipsIncome, rule: "Tips that the house keeps, without tax.", ours: true}, true
	case document.ServiceCharge:
		return lineUse{role: ServiceCharge, rule: "Service charges that every guest pays, without tax.", ours: true}, true
	case document.Surcharge:
		return lineUse{role: Surcharge, rule: "Surcharges for a way of paying, without tax; taxed as the sale is.", ours: true}, true
	case document.Delivery:
		return lineUse{role: Delivery, rule: "Delivery charged, without tax.", ours: true}, true
	case document.Fee:
		return lineUse{role: Fees, rule: "Fees charged to customers, without tax.", ours: true}, true
	case document.Donation:
		return lineUse{role: DonationsPayable, rule: "Donations taken, to be passed on."}, true
	case document.DownPaymentLine:
		return lineUse{role: CustomerDeposits, rule: "Down payments taken."}, true
	case document.DownPaymentClear:
		return lineUse{role: CustomerDeposits, rule: "Down payments used.", inverse: true}, true
	case document.DebtCreate:
		return lineUse{role: Receivable, dims: invoice, rule: "Sold on account, less credits.", inverse: true}, true
	case document.DebtSettle:
		return lineUse{role: Receivable, dims: invoice, rule: "Customers paid what they owed; no sale."}, true
	}
	return lineUse{role: OtherIncome, rule: "Lines the till calls OTHER, without tax.", ours: true}, l.Kind == document.OtherLine
}

// agency is the use of a line whose money is somebody else's: never turnover,
// but for the commission.
func (b *builder) agency(l *document.Line) lineUse {
	principal, part := "", ""
	if l.Agency != nil {
		principal, part = l.Agency.Principal, l.Agency.Part
	}
	use := lineUse{role: AgencyPayable, account: b.m.Principals[principal]}
	if principal != "" {
		use.dims = dim("principal", principal)
	}
	switch part {
	case "COMMISSION":
		return lineUse{role: AgencyCommission, dims: use.dims, rule: "Commission earned on what is sold for others.", ours: len(l.Taxes) > 0}
	case "PRIZE":
		use.rule = "Prizes paid out for others."
	default:
		use.rule = "Taken for others, less what was given back."
		if l.Extended < 0 {
			use.rule = "Kept of what is owed to others, or given back for them."
		}
	}
	return use
}

// voucher is the use of a line that sells, loads or redeems a voucher. Tax on a
// multi-purpose voucher falls when it is used, on a single-purpose one when it
// is sold (Council Directive 2006/112/EC, Articles 30a and 30b).
func (b *builder) voucher(l *document.Line) lineUse {
	redeem := l.Kind == document.VoucherRedeem
	if issuer := b.issuer(l.Voucher); issuer != "" {
		return lineUse{role: GiftCards, account: issuer, rule: issuerRule, inverse: redeem}
	}
	if l.Voucher != nil && l.Voucher.Purpose == "SINGLE" {
		if redeem {
			return lineUse{role: VoucherDeferred, rule: tenderRules[VoucherDeferred], inverse: true}
		}
		return lineUse{role: VoucherDeferred, rule: "Single-purpose vouchers sold, without their tax.", ours: true}
	}
	if redeem {
		return lineUse{role: GiftCards, rule: tenderRules[GiftCards], inverse: true}
	}
	return lineUse{role: GiftCards, rule: "Gift cards sold and loaded; no sale yet."}
}

const issuerRule = "Gift cards of another company, sold for it and used against it."

// issuer returns the account of the other company that owes a voucher.
func (b *builder) issuer(v *document.Voucher) string {
	if v == nil || v.Issuer == "" {
		return ""
	}
	return b.m.Issuers[v.Issuer]
}

func voucherRole(r Role) bool { return r == GiftCards || r == VoucherDeferred || r == Vouchers }

// returnsOf is where goods of the line's category go that are taken back.
func (b *builder) returnsOf(l *document.Line, sales string) (Role, string, string) {
	const rule = "Goods and services taken back, without tax."
	if account := b.m.CategoryReturns[l.Category]; account != "" {
		return Returns, account, rule
	}
	if account := b.m.Accounts[Returns]; account != "" {
		return Returns, account, rule
	}
	return Returns, sales, rule
}

const discountRule = "Discounts given, without tax, apart from the sales they reduce."

// discounts drafts the discounts of a line on accounts of their own and returns
// the line's net amount before them.
func (b *builder) discounts(d *document.Document, l *document.Line, g group, net, sign money.Decimal) money.Decimal {
	for i := range l.Adjustments {
		a := &l.Adjustments[i]
		account := b.m.DiscountAccounts[a.Kind]
		if a.Kind == document.SurchargeAdjust || a.Kind == document.PriceOverride && account == "" {
			continue // part of the price
		}
		amount := b.withoutTax(d, l, a.Amount)
		to := group{role: Discounts, account: account, direction: g.direction, reversal: g.reversal, dims: g.dims, rule: discountRule}
		if to.account == "" {
			to.account, to.ask = b.need(Discounts)
		}
		b.add(to, -sign*amount)
		net = b.doc.sum(net, -amount)
	}
	return net
}

// withoutTax takes the tax out of a discount: as much as is in the line, or in
// a line given away for nothing, as its rates say. The discount is rounded to
// minor units, and the sale before it is what makes up the difference.
func (b *builder) withoutTax(d *document.Document, l *document.Line, amount money.Decimal) money.Decimal {
	if d.PriceBasis == document.TaxExcluded {
		return amount
	}
	gross, err := l.Adjusted()
	tax, taxErr := l.Tax()
	if err != nil || taxErr != nil {
		b.doc.err = money.ErrRange
		return amount
	}
	if gross == 0 {
		tax, gross = 0, 100*money.One
		for _, t := range l.Taxes {
			tax = b.doc.sum(tax, t.Rate)
		}
		gross = b.doc.sum(gross, tax)
		if gross <= 0 {
			return amount
		}
	}
	base, err := money.MulDiv(amount, b.doc.sum(gross, -tax), gross)
	if err != nil {
		b.doc.err = err
	}
	return base.RoundTo(b.places)
}

func lower(s string) string {
	if s == "" || s[0] < 'A' || s[0] > 'Z' {
		return s
	}
	return string(s[0]+'a'-'A') + s[1:]
}
