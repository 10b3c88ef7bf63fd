package books

import (
	"cmp"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// document drafts what one document does.
func (b *builder) document(e Effect) {
	balance, err := BalanceOf(e.Facts, b.m.Rounding)
	if err != nil {
		b.doc.err = err
		return
	}
	if e.Facts.Kind.Movement() {
		b.movement(e)
	} else {
		b.receipt(e)
	}
	sign := e.sign()
	if balance.Rounding != 0 {
		b.addRole(CashRounding, "Cash rounding at the till.", -sign*balance.Rounding)
	}
	if balance.Gap == 0 || SubUnit(balance.Gap, cmp.Or(e.Facts.Currency, b.currency)) {
		return
	}
	const rule = "Lines and tenders of a receipt differ; not yet explained."
	if b.m.Suspense == "" {
		ask := b.ask(Unbalanced, "unbalanced", "Lines and tenders of receipts differ: correct them at the till, or choose an account for what is not explained (suspense)?")
		b.add(group{role: Suspense, ask: ask, rule: rule}, -sign*balance.Gap)
		return
	}
	b.addRole(Suspense, rule, -sign*balance.Gap)
}

func (e Effect) sign() money.Decimal {
	if e.Negate {
		return -1
	}
	return 1
}

// addRole adds an amount to the account of a role that bears no tax.
func (b *builder) addRole(role Role, rule string, amount money.Decimal) {
	account, ask := b.need(role)
	b.add(group{role: role, account: account, ask: ask, rule: rule}, amount)
}

func (b *builder) receipt(e Effect) {
	d, sign := e.Facts, e.sign()
	invoice := ""
	if d.Invoice != nil && d.Invoice.Number != "" {
		invoice = dim("invoice", d.Invoice.Number)
	}
	var taken money.Decimal
	for i := range d.Tenders {
		t := &d.Tenders[i]
		taken = b.doc.sum(taken, t.Amount)
		b.tender(d, t, sign, invoice)
		if t.Tip != 0 && !elsewhere(d) {
			taken = b.doc.sum(taken, -t.Tip)
			b.addRole(TipsPayable, b.tipRule(), -sign*t.Tip)
		}
	}
	switch {
	case elsewhere(d):
		account, ask := b.need(InvoiceInterim)
		b.add(group{
			role: InvoiceInterim, account: account, ask: ask, dims: b.dims(d, nil, invoice),
			rule: "Paid at the till for what another system invoices; no sale and no tax here.",
		}, -sign*taken)
		return
	case impliedLine(d) && d.Kind == document.AccountPayment:
		b.settles(d, nil, invoice, -sign*taken)
		return
	case impliedLine(d):
		b.addRole(CustomerDeposits, "Down payments taken.", -sign*taken)
		return
	}
	for i := range d.Lines {
		l := &d.Lines[i]
		if l.Kind != document.CashRounding { // BalanceOf has it
			b.receiptLine(e, l, invoice)
		}
	}
}

func (b *builder) settles(d *document.Document, l *document.Line, invoice string, amount money.Decimal) {
	account, ask := b.need(Receivable)
	b.add(group{
		role: Receivable, account: account, ask: ask, dims: b.dims(d, l, invoice),
		rule: "Customers paid what they owed; no sale.",
	}, amount)
}

func (b *builder) tipRule() string {
	switch b.m.TipRoute {
	case "payroll":
		return "Tips for staff, paid out through payroll."
	case "tronc":
		return "Tips for staff, paid out by the tronc."
	}
	return "Tips for staff, paid out of the till."
}

// tender drafts one payment row, signed into the till.
func (b *builder) tender(d *document.Document, t *document.Tender, sign money.Decimal, invoice string) {
	role := TenderRole(*t)
	account := b.m.tenderAccount(*t, role)
	g := group{role: role, account: account, rule: tenderRules[role]}
	if issuer := b.issuer(t.Voucher); issuer != "" && voucherRole(role) {
		account, g.account, g.rule = issuer, issuer, issuerRule
	}
	switch {
	case role == Receivable:
		g.dims = invoice
	case b.m.Labels[t.Label] != "" && t.Label != "":
		g.rule = labelRule(t.Label)
	}
	if account == "" {
		name, what := string(t.Kind), string(t.Kind)
		if t.Label != "" {
			name, what = t.Label, t.Label+" ("+string(t.Kind)+")"
		}
		g.role, g.account, g.rule = Suspense, b.m.Suspense, "Taken by "+what+", which has no account yet."
		if b.m.Suspense == "" {
			g.role = role
			g.ask = b.ask(UnknownTender, "tender:"+name,
				"Which account takes payments by "+what+" (labels, tenders, or accounts."+string(role)+")?")
		}
	}
	g.dims = b.dims(d, nil, g.dims)
	switch {
	case role == VoucherDeferred:
		b.singlePurpose(d, g, t.Amount, sign)
	case t.Foreign != nil:
		b.addForeign(g, sign*t.Amount, t.Foreign, sign*t.Foreign.Amount)
	default:
		b.add(g, sign*t.Amount)
	}
}

// singlePurpose drafts the use of a single-purpose voucher: its tax was due when
// it was sold (Council Directive 2006/112/EC, Article 30b), so the tax that the
// till prints on what it buys is taken back. The voucher's tax is known where
// all that is bought bears the same.
func (b *builder) singlePurpose(d *document.Document, g group, amount, sign money.Decimal) {
	var set *taxSet
	var gross, tax money.Decimal
	mixed, untaxed := false, false
	for i := range d.Lines {
		l := &d.Lines[i]
		lineGross, err := l.Gross(d.PriceBasis)
		if err != nil {
			b.doc.err = err
			return
		}
		lineTax, err := l.Tax()
		if err != nil {
			b.doc.err = err
			return
		}
		if lineTax == 0 {
			untaxed = untaxed || lineGross != 0
			continue
		}
		codes := make([]*taxCode, len(l.Taxes))
		for j, t := range l.Taxes {
			codes[j] = b.taxCode(t, l.Consumption, false)
		}
		own := b.taxSet(codes)
		mixed = mixed || set != nil && own != set || len(codes) != 1
		set, gross, tax = own, b.doc.sum(gross, lineGross), b.doc.sum(tax, lineTax)
	}
	switch {
	case tax == 0 || gross == 0: // the till took the tax off by itself
		b.add(g, sign*amount)
		return
	case mixed || untaxed:
		g.ask = b.ask(UnmappedTax, "voucher:tax",
			"Which tax was charged when the single-purpose vouchers were sold? What they paid for bears several.")
		b.add(g, sign*amount)
		return
	}
	part, base := b.taxWithin(amount, tax, gross)
	g.taxes, g.direction = set, DirectionSale
	if amount < 0 {
		g.direction = DirectionReturn
	}
	b.add(g, sign*base, partOf(sign*base, sign*part))
}

func labelRule(label string) string { return "Taken by " + label + ", less change and refunds." }

func partOf(base, amount money.Decimal) part { return part{base: base, amount: amount} }

// taxWithin splits an amount with tax into tax and base as another amount is.
func (b *builder) taxWithin(amount, tax, gross money.Decimal) (part, base money.Decimal) {
	part, err := money.MulDiv(amount, tax, gross)
	if err != nil && b.doc.err == nil {
		b.doc.err = err
	}
	part = part.RoundTo(b.places)
	return part, b.doc.sum(amount, -part)
}

var tenderRules = map[Role]string{
	CashOnHand:       "Cash taken, less change, cashback and refunds.",
	ForeignCash:      "Cash taken in another currency, at the till's rate.",
	CardClearing:     "Card payments taken, less refunds; the provider pays them out.",
	WalletClearing:   "Wallet payments taken, less refunds; the provider pays them out.",
	BankTransfers:    "Bank transfers taken, less refunds.",
	Checks:           "Cheques taken.",
	MealVouchers:     "Meal vouchers taken; their issuer pays.",
	Vouchers:         "Vouchers taken.",
	Coupons:          "Coupons taken; their sponsor pays.",
	Benefits:         "Benefit payments taken.",
	LoyaltyPoints:    "Loyalty points taken as payment.",
	RoomLedger:       "Put on a room.",
	Receivable:       "Sold on account, less credits.",
	Marketplace:      "Sold through a marketplace, which owes it.",
	OtherTender:      "Taken by other means, less refunds.",
	GiftCards:        "Gift cards used, less refunds to them.",
	StoreCredit:      "Store credit used, less store credit given.",
	VoucherDeferred:  "Single-purpose vouchers used; their tax was due when they were sold.",
	CustomerDeposits: "Down payments used.",
	Discounts:        "Promotional vouchers used.",
}
