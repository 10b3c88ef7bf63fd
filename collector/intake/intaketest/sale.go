package intaketest

import (
	"fmt"
	"time"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// opened is the moment of the sale with number 0; each later one is a second
// later.
var opened = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// Document returns a cash sale of a store: one line of the given pence.
// Sales with the same number have the same key.
func Document(store string, number, pence int) *document.Document {
	at := opened.Add(time.Duration(number) * time.Second)
	amount := money.Decimal(pence) * 10_000 // millionths
	d := &document.Document{
		Key:      document.Key{Store: store, Terminal: "1", Space: document.SpaceReceipt, Number: fmt.Sprint(number)},
		Kind:     document.Sale,
		State:    document.Completed,
		Time:     document.Time{AsGiven: at.Format(time.RFC3339), UTC: at, ZoneFrom: "DATA"},
		Numbers:  document.Numbers{Receipt: fmt.Sprint(number)},
		Currency: "GBP", PriceBasis: document.TaxIncluded,
		Lines:   []document.Line{{Kind: document.Item, Category: "Food", Quantity: 1_000_000, UnitPrice: amount, Extended: amount}},
		Tenders: []document.Tender{{Kind: document.Cash, Direction: document.Paid, Amount: amount}},
	}
	if err := d.Settle(); err != nil {
		panic(fmt.Sprintf("the sale of a test does not settle: %v", err))
	}
	return d
}

// Pack returns the Record of a document as an agent makes it, without its
// capture number.
func Pack(d *document.Document) *tillbookv1.Record {
	hash := document.Hash(d)
	body, err := document.Marshal(d)
	if err != nil {
		panic(fmt.Sprintf("the document of a test cannot be marshalled: %v", err))
	}
	return &tillbookv1.Record{Document: body, Hash: hash[:]}
}

// Sale is Pack of Document.
func Sale(store string, number, pence int) *tillbookv1.Record {
	return Pack(Document(store, number, pence))
}
