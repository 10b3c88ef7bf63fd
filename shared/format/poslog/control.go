package poslog

import (
	"strconv"
	"strings"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/xmlscan"
	"tillbook.example/tillbook/shared/money"
)

// control reads a ControlTransaction: what happened at the till besides sales.
func (x *transaction) control(d *document.Document, n xmlscan.Node) {
	d.Kind = document.OtherKind
	for c := x.tree.First(n); c != 0; c = x.tree.Next(c) {
		name := string(x.tree.Name(c))
		switch {
		case strings.HasSuffix(name, "SignOn"):
			d.Kind = document.SignOn
		case strings.HasSuffix(name, "SignOff"):
			d.Kind = document.SignOff
		case name == "NoSale" || name == "OpenDrawer":
			d.Kind = document.NoSale
		case name == "BusinessEOD" || name == "PeriodClose" || name == "POSEOD":
			x.periodClose(d, c)
		default:
			continue
		}
		return
	}
	reason := x.value(n, "ReasonCode", "TypeCode")
	switch compact := strings.ReplaceAll(reason, " ", ""); {
	case strings.HasSuffix(compact, "SignOn"):
		d.Kind = document.SignOn
	case strings.HasSuffix(compact, "SignOff"):
		d.Kind = document.SignOff
	case compact == "NoSale":
		d.Kind = document.NoSale
	}
}

// tenderControl reads a TenderControlTransaction: money that moves without a
// sale, or is counted. The element inside says which, else the TypeCode.
func (x *transaction) tenderControl(d *document.Document, n xmlscan.Node) {
	inner, kind := n, x.value(n, "TypeCode")
	if kind == "" {
		kind = x.attr(n, "TypeCode")
	}
	if meaning(kind) == unknownMovement {
		for c := x.tree.First(n); c != 0; c = x.tree.Next(c) {
			if name := string(x.tree.Name(c)); meaning(name) != unknownMovement {
				inner, kind = c, name
				break
			}
		}
	} else if c := x.largest(n); c != 0 {
		inner = c
	}
	m := meaning(kind)
	if m == unknownMovement {
		d.Kind = document.OtherKind
		return
	}
	if m.kind == document.TillCount {
		x.count(d, inner, kind)
		return
	}
	amount := x.moved(inner)
	if amount == 0 && inner != n {
		amount = x.moved(n)
	}
	reason := x.value(inner, "ReasonCode", "Reason")
	if reason == "" {
		reason = x.value(n, "ReasonCode", "Reason")
	}
	d.Kind = m.kind
	d.Movement = &document.Movement{Amount: amount.Abs(), From: m.from, To: m.to, Reason: format.Mask(reason),
		ReceiptRef: x.value(inner, "ReceiptNumber", "DepositSlipNumber", "BagNumber")}
}

// movement is where money went.
type movement struct {
	kind     document.Kind
	from, to document.MoneyPlace
}

var unknownMovement = movement{}

// meaning reads the name of an element or type code.
func meaning(name string) movement {
	word := strings.ToLower(strings.NewReplacer(" ", "", "-", "", "_", "").Replace(local(name)))
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(word, p) {
				return true
			}
		}
		return false
	}
	switch {
	case word == "" || has("transaction", "safeid", "lineitem", "account", "discount"):
		return unknownMovement
	case has("settle", "count", "tillreconcile"):
		return movement{kind: document.TillCount}
	case has("paidin", "payin"):
		return movement{document.PayIn, "", document.Drawer}
	case has("paidout", "payout", "disbursement"):
		return movement{document.PayOut, document.Drawer, ""}
	case has("openingbalance", "beginningbalance", "startingbalance", "openingfloat", "startingcash"):
		return movement{document.Float, document.Carried, document.Drawer}
	case has("loan", "float"):
		return movement{document.Float, document.Safe, document.Drawer}
	case has("pickup", "safedrop", "cashdrop", "skim"):
		return movement{document.SafeDrop, document.Drawer, document.Safe}
	case has("bankreceipt", "tenderreceipt", "changeorder"):
		return movement{document.Float, document.Bank, document.Safe}
	case has("deposit", "banking"):
		return movement{document.Banking, document.Safe, document.Bank}
	case has("transfer"):
		return movement{document.TillTransfer, document.Drawer, document.Drawer}
	}
	return unknownMovement
}

// largest returns the child element that has children of its own, if any: the
// one that holds the movement.
func (x *transaction) largest(n xmlscan.Node) xmlscan.Node {
	for c := x.tree.First(n); c != 0; c = x.tree.Next(c) {
		if x.tree.First(c) != 0 && meaning(string(x.tree.Name(c))) != unknownMovement {
			return c
		}
	}
	return 0
}

// moved adds up the tender rows of a movement, else takes its total.
func (x *transaction) moved(n xmlscan.Node) money.Decimal {
	if rows := x.tenderRows(n, nil); len(rows) > 0 {
		var sum money.Decimal
		for _, row := range rows {
			sum = x.add(sum, row.Amount)
		}
		return sum
	}
	if amount, ok := x.amount(n, "Amount", "Total"); ok {
		return amount
	}
	amount, _ := x.amount(x.child(n, "Totals"), "Amount")
	return amount
}

// tenderRows gathers every element below n that has an amount and says of which
// tender it is. What a till expected is no row of what was there.
func (x *transaction) tenderRows(n xmlscan.Node, rows []document.TenderAmount) []document.TenderAmount {
	for c := x.tree.First(n); c != 0; c = x.tree.Next(c) {
		ledger := strings.ToLower(x.attr(c, "LedgerType") + x.value(c, "LedgerType"))
		if x.flag(c, "VoidFlag") || strings.Contains(ledger, "expected") || strings.Contains(ledger, "over") || strings.Contains(ledger, "short") {
			continue
		}
		name := x.attr(c, "TenderType")
		if name == "" {
			name = x.value(c, "TenderType", "TenderTypeCode", "TenderID")
		}
		amount, ok := x.amount(c, "Amount")
		if name == "" || !ok {
			rows = x.tenderRows(c, rows)
			continue
		}
		rows = append(rows, document.TenderAmount{Kind: x.tenderKind(c, name), Label: name, Amount: amount, Count: x.whole(c, "Count", "TenderCount")})
	}
	return rows
}

func (x *transaction) whole(n xmlscan.Node, names ...string) int64 {
	s := x.value(n, names...)
	if s == "" {
		return 0
	}
	count, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		x.fail("%s: %q is not a whole number", names[0], format.Clip(s))
	}
	return count
}

// count reads a till count.
func (x *transaction) count(d *document.Document, n xmlscan.Node, kind string) {
	stage, word := "CLOSE", strings.ToLower(kind)
	switch {
	case strings.Contains(word, "open") || strings.Contains(word, "start") || strings.Contains(word, "begin"):
		stage = "OPEN"
	case strings.Contains(word, "spot") || strings.Contains(word, "audit"):
		stage = "SPOT"
	}
	d.Kind = document.TillCount
	d.Count = &document.Count{Stage: stage, ByTender: x.tenderRows(n, nil)}
	if len(d.Count.ByTender) == 0 {
		if amount := x.moved(n); amount != 0 {
			d.Count.ByTender = []document.TenderAmount{{Kind: document.Cash, Amount: amount}}
		}
	}
}

// periodClose reads what a till claims at the end of its day.
func (x *transaction) periodClose(d *document.Document, n xmlscan.Node) {
	d.Kind = document.PeriodClose
	c := &document.Close{
		Opened:       x.value(n, "StartDateTimestamp", "BeginDateTime", "OpenDateTime"),
		Closed:       x.value(n, "EndDateTimestamp", "EndDateTime", "CloseDateTime"),
		FirstReceipt: x.value(n, "OpenTransactionSequenceNumber", "FirstSequenceNumber"),
		LastReceipt:  x.value(n, "CloseTransactionSequenceNumber", "LastSequenceNumber"),
		ByTender:     x.tenderRows(n, nil),
	}
	d.Numbers.Z = x.value(n, "PeriodNumber", "ZNumber", "ReportNumber")
	d.StatedDay.Z = d.Numbers.Z
	if x.child(n, "TransactionCount", "ReceiptCount") != 0 {
		receipts := x.whole(n, "TransactionCount", "ReceiptCount")
		c.Receipts = &receipts
	}
	if totals := x.totals(n); totals != nil {
		c.Gross, c.Net, c.Tax = totals.Gross, totals.Net, totals.Tax
	}
	for to, names := range map[**money.Decimal][]string{
		&c.OpeningFloat: {"OpeningFloat", "OpeningBalance"}, &c.Counted: {"CountedAmount", "Counted"},
		&c.Expected: {"ExpectedAmount", "Expected"}, &c.OverShort: {"OverShort", "OverShortAmount"},
		&c.GrandTotal: {"GrandTotal", "PerpetualTotal"},
	} {
		if amount, ok := x.amount(n, names...); ok {
			*to = &amount
		}
	}
	for t := x.tree.First(n); t != 0; t = x.tree.Next(t) {
		if string(x.tree.Name(t)) == "Tax" {
			row := x.taxRow(t, false)
			row.tax.Base = x.withoutTax(row.tax)
			c.ByTax = append(c.ByTax, row.tax)
		}
	}
	d.Close = c
}
