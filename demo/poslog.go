package main

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// poslog writes a till's transactions as POSLog 2.1, one text for each, in the
// order of their numbers. A file is the header, some of them, and the end.
func (t till) poslog(day string) []string {
	var out []string
	for n, r, m := t.next(0); n != 0; n, r, m = t.next(n) {
		var b strings.Builder
		at := m.time
		if r.number != 0 {
			at = r.time
		}
		fmt.Fprintf(&b, "<Transaction><RetailStoreID>S1</RetailStoreID><WorkstationID>%s</WorkstationID><SequenceNumber>%d</SequenceNumber><BusinessDayDate>%s</BusinessDayDate><EndDateTime>%sT%s</EndDateTime><OperatorID>7</OperatorID><CurrencyCode>GBP</CurrencyCode>", t.id, n, day, day, at)
		switch {
		case r.voids != 0:
			fmt.Fprintf(&b, "<PostVoidTransaction><TransactionLink><RetailStoreID>S1</RetailStoreID><WorkstationID>%s</WorkstationID><SequenceNumber>%d</SequenceNumber><BusinessDayDate>%s</BusinessDayDate></TransactionLink></PostVoidTransaction>", t.id, r.voids, day)
		case r.number != 0:
			t.retail(&b, r, day)
		default:
			t.control(&b, m)
		}
		b.WriteString("</Transaction>\n")
		out = append(out, b.String())
	}
	return out
}

const (
	poslogHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<POSLog xmlns="http://www.nrf-arts.org/IXRetail/namespace/">` + "\n"
	poslogEnd  = "</POSLog>\n"
)

// next returns what has the lowest number above n.
func (t till) next(n int) (int, receipt, movement) {
	best := 0
	var r receipt
	var m movement
	for _, x := range t.receipts {
		if x.number > n && (best == 0 || x.number < best) {
			best, r, m = x.number, x, movement{}
		}
	}
	for _, x := range t.movements {
		if x.number > n && (best == 0 || x.number < best) {
			best, r, m = x.number, receipt{}, x
		}
	}
	return best, r, m
}

func (t till) retail(b *strings.Builder, r receipt, day string) {
	element, sign := "Sale", ""
	if r.returns != 0 {
		element, sign = "Return", "-"
	}
	b.WriteString(`<RetailTransaction>`)
	fmt.Fprintf(b, "<ReceiptDateTime>%sT%s</ReceiptDateTime>", day, r.time)
	line := 0
	var tax int64
	for _, i := range r.items {
		line++
		kind := "Stock"
		if i.rate < 0 {
			kind = "GiftCertificate"
		}
		fmt.Fprintf(b, `<LineItem><SequenceNumber>%d</SequenceNumber><%s ItemType="%s"><ItemID>%s</ItemID>`, line, element, kind, i.sku)
		if i.category != "" {
			fmt.Fprintf(b, `<MerchandiseHierarchy Level="Department">%s</MerchandiseHierarchy>`, i.category)
		}
		fmt.Fprintf(b, "<Description>%s</Description><RegularSalesUnitPrice>%s</RegularSalesUnitPrice><ExtendedAmount>%s</ExtendedAmount><Quantity>%d</Quantity>", escape(i.text), pounds(i.price), pounds(i.quantity*i.price), i.quantity)
		if i.rate >= 0 {
			tax += i.tax()
			fmt.Fprintf(b, `<Tax TaxType="VAT"><TaxRuleID>V%d</TaxRuleID><TaxableAmount>%s</TaxableAmount><Amount>%s</Amount><Percent>%d</Percent></Tax>`, i.rate, pounds(i.quantity*i.price-i.tax()), pounds(i.tax()), i.rate)
		}
		fmt.Fprintf(b, "</%s></LineItem>", element)
	}
	for _, p := range r.tenders {
		line++
		fmt.Fprintf(b, `<LineItem><SequenceNumber>%d</SequenceNumber><Tender TenderType="%s"`, line, map[string]string{"cash": "Cash", "card": "CreditDebit", "gift": "GiftCertificate"}[p.kind])
		if r.returns != 0 {
			b.WriteString(` TypeCode="Refund"`)
		}
		fmt.Fprintf(b, "><Amount>%s</Amount>", pounds(p.amount))
		if p.tip != 0 {
			fmt.Fprintf(b, "<Tip>%s</Tip>", pounds(p.tip))
		}
		if p.change != 0 {
			fmt.Fprintf(b, "<TenderChange><Amount>%s</Amount></TenderChange>", pounds(p.change))
		}
		b.WriteString("</Tender></LineItem>")
	}
	if r.returns != 0 {
		fmt.Fprintf(b, `<TransactionLink ReasonCode="Return"><RetailStoreID>S1</RetailStoreID><WorkstationID>%s</WorkstationID><SequenceNumber>%d</SequenceNumber><BusinessDayDate>%s</BusinessDayDate></TransactionLink>`, t.id, r.returns, day)
	}
	fmt.Fprintf(b, `<Total TotalType="TransactionGrandAmount">%s%s</Total><Total TotalType="TransactionTaxAmount">%s%s</Total>`, sign, pounds(r.gross()), sign, pounds(tax))
	b.WriteString("</RetailTransaction>")
}

func (t till) control(b *strings.Builder, m movement) {
	switch m.kind {
	case "open":
		fmt.Fprintf(b, `<TenderControlTransaction><OpeningFloat><TenderType>Cash</TenderType><Amount>%s</Amount></OpeningFloat></TenderControlTransaction>`, pounds(m.amount))
	case "payout":
		fmt.Fprintf(b, `<TenderControlTransaction><PaidOut><Amount>%s</Amount><ReasonCode>%s</ReasonCode></PaidOut></TenderControlTransaction>`, pounds(m.amount), escape(m.reason))
	case "count":
		fmt.Fprintf(b, `<TenderControlTransaction><TillSettle><Tender TenderType="Cash"><Amount>%s</Amount></Tender></TillSettle></TenderControlTransaction>`, pounds(m.amount))
	case "z":
		s := expect([]till{t})
		fmt.Fprintf(b, `<ControlTransaction><BusinessEOD><ZNumber>%s1</ZNumber><GrossAmount>%s</GrossAmount></BusinessEOD></ControlTransaction>`, t.id, pounds(s.gross+s.giftSold))
	}
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a strings.Builder does not fail
	return b.String()
}
