package poslog

import (
	"strings"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/xmlscan"
	"tillbook.example/tillbook/shared/money"
)

type tender struct {
	row  document.Tender
	void bool
}

// tender reads a Tender with the change, cash-back and tip inside it.
func (x *transaction) tender(r *receipt, n xmlscan.Node, isVoid bool) {
	kind := x.attr(n, "TenderType")
	if kind == "" {
		kind = x.value(n, "TenderType", "TenderTypeCode")
	}
	amount, ok := x.amount(n, "Amount")
	if !ok {
		x.fail("Tender %s: Amount is missing", format.Clip(kind))
	}
	if local(kind) == "Rounding" {
		// What a till books as paid by rounding is not paid: the receipt was
		// rounded the other way.
		r.items = append(r.items, item{void: isVoid, line: document.Line{Kind: document.CashRounding, Quantity: money.One, Extended: -amount}})
		return
	}
	t := tender{void: isVoid || x.flag(n, "VoidFlag")}
	t.row = document.Tender{Kind: x.tenderKind(n, kind), Direction: document.Paid, Amount: amount,
		Label: x.attr(n, "TenderDescription")}
	if t.row.Label == "" {
		t.row.Label = x.value(n, "TenderDescription", "Description")
	}
	if t.row.Label == "" {
		t.row.Label = kind
	}
	switch code := local(x.attr(n, "TypeCode")); {
	case t.void:
	case code == "Refund" || code == "Return":
		t.row.Direction, t.row.Amount = document.Refund, -amount.Abs()
	case code == "Change":
		t.row.Direction, t.row.Amount = document.Change, -amount.Abs()
	case amount < 0 && t.row.Kind == document.Cash && paid(r.tenders) > 0:
		t.row.Direction = document.Change
	case amount < 0:
		t.row.Direction = document.Refund
	}
	x.card(&t.row, n)
	if tip, ok := x.amount(n, "Tip", "TipAmount"); ok {
		t.row.Tip = tip
	} else if c := x.tree.Child(n, "Tip"); c != 0 {
		t.row.Tip, _ = x.amount(c, "Amount")
	}
	x.foreign(&t.row, n)
	if t.row.Amount != 0 || t.row.Tip != 0 {
		r.tenders = append(r.tenders, t)
	}
	if c := x.tree.Child(n, "TenderChange"); c != 0 {
		x.change(r, c, document.Change, document.Cash, t.void)
	}
	if c := x.tree.Child(n, "Cashback"); c != 0 {
		x.change(r, c, document.Cashback, document.Cash, t.void)
	}
}

// change reads money that went back over the counter.
func (x *transaction) change(r *receipt, n xmlscan.Node, direction document.Direction, kind document.TenderKind, isVoid bool) {
	amount, ok := x.amount(n, "Amount")
	if !ok && len(x.tree.Text(n)) > 0 {
		amount, ok = x.number(n, false), true
	}
	if !ok {
		x.fail("%s: Amount is missing", x.tree.Name(n))
	}
	if amount == 0 {
		return
	}
	label := x.attr(n, "TenderType")
	if label != "" {
		kind = x.tenderKind(n, label)
	}
	t := tender{void: isVoid, row: document.Tender{Kind: kind, Direction: direction, Amount: -amount.Abs(), Label: label}}
	if isVoid && paid(r.tenders) < 0 {
		t.row.Amount = amount.Abs()
	}
	r.tenders = append(r.tenders, t)
}

// paid is the amount of the last row.
func paid(tenders []tender) money.Decimal {
	if len(tenders) == 0 {
		return 0
	}
	return tenders[len(tenders)-1].row.Amount
}

// card reads a card's brand and its last digits.
func (x *transaction) card(row *document.Tender, n xmlscan.Node) {
	card := x.child(n, "CreditDebit", "Card", "GiftCard", "GiftCertificate")
	for _, at := range []xmlscan.Node{card, n} {
		if number := x.value(at, "PrimaryAccountNumber", "AccountNumber", "CardNumber", "MaskedCardNumber", "SerialNumber"); number != "" {
			if row.Kind == document.GiftCard || row.Kind == document.VoucherTender {
				row.Voucher = &document.Voucher{Ref: format.Ref(number), Purpose: "MULTI"}
			}
			row.Masked = format.LastFour(number)
			break
		}
	}
	if brand := local(x.attr(card, "CardType")); brand != "" && brand != "Debit" && brand != "Credit" {
		row.Brand = brand
	} else if brand := x.value(card, "CardBrand", "CardCompanyCode", "IssuerID"); brand != "" {
		row.Brand = brand
	}
	if auth := x.tree.Child(n, "Authorization"); auth != 0 {
		row.MID = x.value(auth, "MerchantNumber", "MerchantID")
		row.Acquirer = x.value(auth, "ProviderID", "AuthorizingTermID")
	}
}

// foreign reads money of another currency.
func (x *transaction) foreign(row *document.Tender, n xmlscan.Node) {
	f := x.tree.Child(n, "ForeignCurrency")
	if f == 0 {
		return
	}
	code := x.value(f, "CurrencyCode", "Currency")
	amount, ok := x.amount(f, "OriginalFaceAmount", "ForeignAmount", "Amount")
	rate, _ := x.ratio(f, "ExchangeRate", "Rate")
	if code == "" || !ok {
		return
	}
	row.Foreign = &document.Foreign{Currency: code, Amount: amount, Rate: rate}
	if row.Kind == document.Cash {
		row.Kind = document.ForeignCash
	}
}

// tenderKind reads what a tender is from its type; the label keeps the till's
// own word.
func (x *transaction) tenderKind(n xmlscan.Node, name string) document.TenderKind {
	word := strings.ToLower(local(name))
	switch word {
	case "cash", "currency":
		return document.Cash
	case "creditdebit", "card", "credit", "debit", "creditcard", "debitcard", "bankcard":
		card := x.tree.Child(n, "CreditDebit")
		kind := strings.ToLower(local(x.attr(card, "CardType")))
		switch {
		case strings.HasPrefix(kind, "debit") || kind == "" && strings.HasPrefix(word, "debit"):
			return document.CardDebit
		case strings.HasPrefix(kind, "credit") || kind == "" && (word == "credit" || word == "creditcard"):
			return document.CardCredit
		}
		return document.CardUnknown
	case "check", "cheque", "travelerscheck", "travellerscheque", "travelerscheque", "personalcheck", "bankcheck":
		return document.Check
	case "giftcertificate", "giftcard", "storedvalue", "storedvaluefund", "giftvoucher":
		return document.GiftCard
	case "voucher":
		return document.VoucherTender
	case "storecredit", "merchandisecredit", "creditnote", "creditvoucher", "issuemerchandisecredit":
		return document.StoreCredit
	case "mealvoucher", "mealticket", "ticketrestaurant", "luncheonvoucher":
		return document.MealVoucher
	case "coupon", "manufacturercoupon", "storecoupon", "vendorcoupon":
		return document.CouponTender
	case "foodstamps", "foodstamp", "ebt", "electronicbenefitstransfer", "wic", "benefit":
		return document.Benefit
	case "accountsreceivable", "houseaccount", "customeraccount", "account", "purchaseorder", "oncredit", "invoice", "housecharge":
		return document.Account
	case "room", "roomcharge", "hotelroom":
		return document.Room
	case "loyalty", "loyaltypoints", "points":
		return document.LoyaltyPoints
	case "wallet", "mobilepayment", "mobilewallet", "ewallet", "paypal", "alipay", "wechat":
		return document.Wallet
	case "banktransfer", "wiretransfer", "eft", "electronicfundstransfer":
		return document.BankTransfer
	case "deposit", "downpayment", "layawaydeposit":
		return document.DownPaymentApplied
	}
	return document.OtherTender
}
