package document_test

import (
	"fmt"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

func Example() {
	d, err := document.ParseJSON([]byte(`{
		"key": {"store": "Leeds", "terminal": "1", "space": "RECEIPT", "number": "1042"},
		"kind": "SALE", "state": "COMPLETED",
		"time": {"as_given": "2026-03-01 09:30:00"},
		"currency": "GBP", "price_basis": "TAX_INCLUDED",
		"lines": [{"kind": "ITEM", "text": "Pie", "extended": "12.00"}],
		"tenders": [{"kind": "CASH", "direction": "PAID", "amount": "11.50"}]
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Check(); err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Settle(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Key)
	fmt.Println(d.Totals.Differences)
	fmt.Print(string(document.Canonical(d)))
	// Output:
	// Leeds|1|RECEIPT|1042
	// [{tenders -0.50}]
	// tillbook-document/1
	// key/store	Leeds
	// key/terminal	1
	// key/space	RECEIPT
	// key/number	1042
	// kind	SALE
	// state	COMPLETED
	// time/as_given	2026-03-01 09:30:00
	// currency	GBP
	// price_basis	TAX_INCLUDED
	// lines/1/kind	ITEM
	// lines/1/extended	12.00
	// tenders/1/kind	CASH
	// tenders/1/direction	PAID
	// tenders/1/amount	11.50
}

func ExampleParseJSON() {
	_, err := document.ParseJSON([]byte(`{"key": {"store": "Leeds", "terminl": "1"}}`))
	fmt.Println(err)
	// Output: parse document: key/terminl: unknown field (did you mean "terminal"?)
}

func ExampleMaskPANs() {
	fmt.Printf("%s\n", document.MaskPANs([]byte("paid by 4111 1111 1111 1111")))
	// Output: paid by **** **** **** 1111
}

func ExampleHash() {
	cash := &document.Document{Tenders: []document.Tender{{Kind: document.Cash, Direction: document.Paid, Amount: money.One}}}
	card := &document.Document{Tenders: []document.Tender{{Kind: document.CardDebit, Direction: document.Paid, Amount: money.One}}}
	fmt.Println(document.Hash(cash) == document.Hash(card))
	// Output: false
}
