package poslog

import (
	"strings"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/xmlscan"
	"tillbook.example/tillbook/shared/money"
)

// receipt gathers a RetailTransaction before its parts are put together.
type receipt struct {
	items     []item
	tenders   []tender
	rewards   []reward
	taxes     []taxRow // rows of their own, not on an item
	discounts []docDiscount
	voided    bool // some line was taken back
}

// item is one sold, returned or otherwise charged line.
type item struct {
	line     document.Line
	sequence string // LineItem/SequenceNumber
	operator string // NCR's number of it that rewards refer to
	taxGroup string
	void     bool
	returned bool
	taxed    bool // carries taxes of its own

	discounts []document.Adjustment // signed for the line
	discount  money.Decimal         // their sum
	open      bool                  // whether Extended is before them is not known
}

type docDiscount struct {
	amount money.Decimal // negative: a reduction
	reason string
	kind   document.AdjustmentKind
	void   bool
}

// retail reads a RetailTransaction.
func (x *transaction) retail(d *document.Document, n xmlscan.Node) {
	var r receipt
	d.Kind = document.Sale
	x.status(d, n)
	for c := x.tree.First(n); c != 0; c = x.tree.Next(c) {
		switch string(x.tree.Name(c)) {
		case "LineItem":
			x.lineItem(d, &r, c)
		case "TransactionLink":
			x.link(d, c, relation(x.attr(c, "ReasonCode"), document.Resumes))
		}
	}
	if x.err != nil {
		return
	}
	r.items = netVoids(r.items, func(i *item) void {
		return void{i.void, i.line.Extended, i.line.SKU, i.returned}
	}, &r.voided)
	r.tenders = netVoids(r.tenders, func(t *tender) void {
		return void{t.void, t.row.Amount, t.row.Label, false}
	}, &r.voided)
	x.reduce(&r)
	stated := x.totals(n)
	reading := x.choose(&r, stated)
	x.assemble(d, &r, reading, stated)
	if d.Kind == document.Sale {
		d.Kind = r.kind()
		if d.Kind == document.Cancelled {
			d.State = document.Voided
		}
	}
}

// status reads how far the till got with the receipt.
func (x *transaction) status(d *document.Document, n xmlscan.Node) {
	switch status := x.attr(n, "TransactionStatus"); local(status) {
	case "Suspended", "SuspendedRetrieved", "Resumed":
		d.State = document.Suspended
	case "Voided", "Cancelled", "Canceled", "Failed", "Aborted":
		d.State, d.Kind = document.Voided, document.Cancelled
	case "InProcess", "Open":
		d.State = document.Open
	case "Training":
		d.Kind = document.Training
	}
	if x.flag(n, "SuspendFlag") {
		d.State = document.Suspended
	}
	if x.flag(n, "TrainingModeFlag") {
		d.Kind = document.Training
	}
}

// lineItem sorts one LineItem by what it holds.
func (x *transaction) lineItem(d *document.Document, r *receipt, n xmlscan.Node) {
	isVoid := x.flag(n, "VoidFlag") || x.flag(n, "CancelFlag")
	sold := false
	for c := x.tree.First(n); c != 0; c = x.tree.Next(c) {
		switch string(x.tree.Name(c)) {
		case "Sale", "SaleForDelivery", "SaleForPickup", "StoredValueFundSale", "GiftCertificate":
			r.items = append(r.items, x.item(n, c, isVoid, false))
			sold = true
		case "Return", "ReturnForDelivery":
			r.items = append(r.items, x.item(n, c, isVoid, true))
			for l := x.tree.First(c); l != 0; l = x.tree.Next(l) {
				if string(x.tree.Name(l)) == "TransactionLink" {
					x.link(d, l, document.Returns)
				}
			}
			sold = true
		case "PaymentOnAccount":
			if sold { // the same money, said again
				r.items[len(r.items)-1].line.Kind = document.DebtSettle
				continue
			}
			r.items = append(r.items, x.charge(c, document.DebtSettle, isVoid))
		case "Deposit", "PaymentForLayaway", "LayawayPayment", "PreviousLayawayPayment":
			r.items = append(r.items, x.charge(c, document.DownPaymentLine, isVoid))
		case "Tip", "Gratuity":
			r.items = append(r.items, x.charge(c, document.TipStaff, isVoid))
		case "Rounding":
			r.items = append(r.items, x.charge(c, document.CashRounding, isVoid))
		case "Tender":
			x.tender(r, c, isVoid)
		case "TenderChange":
			x.change(r, c, document.Change, document.Cash, isVoid)
		case "Tax":
			r.taxes = append(r.taxes, x.taxRow(c, isVoid))
		case "LoyaltyReward":
			x.reward(r, c, isVoid)
		case "Discount":
			x.docDiscount(r, c, isVoid)
		}
	}
}

// item reads a Sale or Return.
func (x *transaction) item(lineItem, n xmlscan.Node, isVoid, returned bool) item {
	i := item{void: isVoid || x.flag(n, "VoidFlag"), returned: returned,
		sequence: x.value(lineItem, "SequenceNumber"), operator: x.value(n, "OperatorSequence"),
		taxGroup: x.value(n, "TaxGroupID", "TaxGroup")}
	if i.taxGroup == "" {
		i.taxGroup = x.attr(n, "TaxGroupID")
	}
	l := &i.line
	l.SKU = x.value(n, "ItemID", "POSItemID", "SerialNumber")
	if l.SKU == "" {
		l.SKU = x.value(x.tree.Child(n, "POSIdentity"), "POSItemID")
	}
	l.Text = x.value(n, "Description")
	l.Category = x.value(n, "MerchandiseHierarchy")
	quantity, ok := x.ratio(n, "Quantity")
	if !ok {
		quantity = money.One
	}
	price, priced := x.ratio(n, "RegularSalesUnitPrice", "RegularSaleUnitPrice")
	actual, acted := x.ratio(n, "ActualSalesUnitPrice", "ActualUnitPrice")
	if !priced {
		price = actual
	}
	extended, ok := x.amount(n, "ExtendedAmount", "Amount")
	switch {
	case ok:
	case acted:
		extended = x.times(actual, quantity)
	case priced:
		extended = x.times(price, quantity)
	default:
		x.fail("LineItem %s: ExtendedAmount is missing", i.sequence)
	}
	// A return is negative whatever sign its dialect gives it; so is a sale of
	// a negative quantity.
	if returned {
		quantity, extended = -quantity.Abs(), -extended.Abs()
		if i.void { // the taking back of a return is money in again
			quantity, extended = -quantity, -extended
		}
	} else if quantity < 0 && extended > 0 {
		extended = -extended
	}
	if quantity < 0 && !i.void {
		i.returned = true
	}
	l.Quantity, l.UnitPrice, l.Extended = quantity, price, extended
	l.Kind = x.itemKind(n, returned)
	if l.Kind == document.VoucherSell {
		number := x.value(n, "SerialNumber", "GiftCertificateID", "CardNumber")
		if number == "" {
			number = x.value(x.child(n, "GiftCertificate", "GiftCard"), "SerialNumber", "CardNumber")
		}
		l.Voucher = &document.Voucher{Ref: format.Ref(number), Purpose: "MULTI", Funding: "PAID"}
		if format.Ref(l.SKU) == l.Voucher.Ref {
			l.SKU = ""
		}
	}
	x.itemDiscounts(&i, n, priced)
	x.itemTaxes(&i, n)
	return i
}

// itemKind reads what a line is from its type.
func (x *transaction) itemKind(n xmlscan.Node, returned bool) document.LineKind {
	switch string(x.tree.Name(n)) {
	case "StoredValueFundSale", "GiftCertificate":
		return document.VoucherSell
	}
	kind := x.attr(n, "ItemType")
	if kind == "" {
		kind = x.value(n, "ItemType")
	}
	switch kind = local(kind); {
	case kind == "Service" || kind == "Alteration" || kind == "Warranty":
		return document.Service
	case kind == "Deposit" || kind == "Bottle" || kind == "DepositItem":
		if returned {
			return document.DepositIn
		}
		return document.DepositOut
	case strings.HasPrefix(kind, "Gift") || kind == "StoredValue" || kind == "StoredValueFund" || kind == "Voucher":
		return document.VoucherSell
	case kind == "Tip" || kind == "Gratuity":
		return document.TipStaff
	case kind == "Fee":
		return document.Fee
	case kind == "Donation" || kind == "Charity":
		return document.Donation
	case kind == "Delivery" || kind == "Shipping":
		return document.Delivery
	}
	return document.Item
}

// charge reads a line that is no article: a payment on account, a deposit, a
// tip, a rounding.
func (x *transaction) charge(n xmlscan.Node, kind document.LineKind, isVoid bool) item {
	amount, ok := x.amount(n, "Amount", "RoundingAmount", "PaymentAmount")
	if !ok && len(x.tree.Text(n)) > 0 {
		amount, ok = x.number(n, false), true
	}
	if !ok {
		x.fail("%s: Amount is missing", x.tree.Name(n))
	}
	return item{void: isVoid, line: document.Line{Kind: kind, Quantity: money.One, Extended: amount}}
}

// kind is what the receipt is, by its lines.
func (r *receipt) kind() document.Kind {
	var sold, returned, settled, paidDown int
	for _, i := range r.items {
		switch {
		case i.line.Kind == document.DebtSettle:
			settled++
		case i.line.Kind == document.DownPaymentLine:
			paidDown++
		case i.line.Kind == document.CashRounding || i.line.Kind == document.TipStaff:
		case i.returned:
			returned++
		default:
			sold++
		}
	}
	switch {
	case len(r.items) == 0 && len(r.tenders) == 0 && r.voided:
		return document.Cancelled
	case returned > 0 && sold > 0:
		return document.Exchange
	case returned > 0:
		return document.Return
	case sold == 0 && settled > 0 && paidDown == 0:
		return document.AccountPayment
	case sold == 0 && paidDown > 0 && settled == 0:
		return document.DownPayment
	}
	return document.Sale
}

// void is what matters of a line when it is taken back.
type void struct {
	flagged  bool
	amount   money.Decimal
	id       string
	returned bool // a Return; flagged, its amount is that of its taking back
}

// undoes reports whether v takes back a line of its own, rather than being the
// line that was taken back.
func (v void) undoes() bool { return v.flagged && (v.amount < 0 || v.returned) }

// netVoids leaves out lines that were taken back and the lines that say so. A
// flagged line against the sign of its counterpart takes that one with it; the
// counterpart of a sale may be flagged too. Without a counterpart, a flagged
// line with a negative amount stays: it takes back a part.
func netVoids[T any](lines []T, of func(*T) void, voided *bool) []T {
	any := false
	for i := range lines {
		any = any || of(&lines[i]).flagged
	}
	if !any {
		return lines
	}
	*voided = true
	gone := make([]bool, len(lines))
	for i := range lines {
		v := of(&lines[i])
		if !v.undoes() {
			continue
		}
		match, matched := -1, void{}
		for j := range lines {
			w := of(&lines[j])
			if j == i || gone[j] || w.amount != -v.amount || w.id != v.id || v.returned && w.flagged {
				continue
			}
			// A flagged counterpart first, else the last before it.
			if match < 0 || w.flagged && !matched.flagged || w.flagged == matched.flagged && j < i {
				match, matched = j, w
			}
		}
		if match >= 0 {
			gone[i], gone[match] = true, true
		}
	}
	var kept []T
	for i := range lines {
		if v := of(&lines[i]); !gone[i] && (!v.flagged || v.amount < 0) {
			kept = append(kept, lines[i])
		}
	}
	return kept
}
