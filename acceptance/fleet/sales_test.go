package fleet

import (
	"fmt"
	"strconv"
	"strings"

	"tillbook.example/tillbook/collector/intake/intaketest"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// Of so many sales one is exported twice by its till, and one is exported with a
// wrong amount first.
const (
	twiceIn   = 50
	wrongIn   = 100
	wrongOver = 1 // pence
)

// till is one terminal of a store and all that it will ever ring up: each sale is
// worked out from its number, so that what arrives is compared with this and with
// nothing that a program said. Stores, terminals and numbers are the same at all
// merchants; amounts are not.
type till struct {
	merchant, store, terminal string
	sales                     int
	days                      []bizday.Day // of its sales, in equal parts
}

func (t till) key(n int) string { return fmt.Sprintf("%s|%s|RECEIPT|%d", t.store, t.terminal, n) }

// number reads the number of a sale of the till from its key.
func (t till) number(key string) (int, bool) {
	text, ours := strings.CutPrefix(key, t.store+"|"+t.terminal+"|RECEIPT|")
	n, err := strconv.Atoi(text)
	return n, ours && err == nil && n >= 0 && n < t.sales
}

func (t till) day(n int) bizday.Day { return t.days[n*len(t.days)/t.sales] }

// pence is what a sale comes to: anything from one pound to a hundred.
func (t till) pence(n int) int64 {
	x := uint64(n) + 1
	for _, text := range []string{t.merchant, t.store, t.terminal} {
		for i := range len(text) {
			x = x*31 + uint64(text[i])
		}
		x ^= x >> 29
		x *= 0x9e3779b97f4a7c15
	}
	return 100 + int64(x>>33)%9901
}

func twice(n int) bool { return n%twiceIn == 7 }
func wrong(n int) bool { return n%wrongIn == 13 }

// records is how many all the sales make.
func (t till) records() (n uint64) {
	for i := range t.sales {
		n++
		if twice(i) || wrong(i) {
			n++
		}
	}
	return n
}

// ring returns what the agent captures of a sale.
func (t till) ring(n int) []*tillbookv1.Record {
	right := intaketest.Pack(t.document(n, t.pence(n)))
	switch {
	case twice(n):
		return []*tillbookv1.Record{right, right}
	case wrong(n):
		return []*tillbookv1.Record{intaketest.Pack(t.document(n, t.pence(n)+wrongOver)), right}
	}
	return []*tillbookv1.Record{right}
}

// document is a sale by card with 20 % tax inside.
func (t till) document(n int, pence int64) *document.Document {
	amount := func(pence int64) money.Decimal { return money.Decimal(pence) * 10_000 }
	tax := (pence*20 + 60) / 120
	number, date := strconv.Itoa(n), string(t.day(n))
	d := &document.Document{
		Key:  document.Key{Store: t.store, Terminal: t.terminal, Space: document.SpaceReceipt, Number: number},
		Kind: document.Sale, State: document.Completed, Currency: "GBP", PriceBasis: document.TaxIncluded,
		Time: document.Time{AsGiven: date + "T12:00:00"}, StatedDay: document.StatedDay{Date: date},
		Numbers: document.Numbers{Receipt: number},
		Lines: []document.Line{{
			Kind: document.Item, SKU: "4006381333931", Category: "Food", Quantity: 1_000_000, UnitPrice: amount(pence), Extended: amount(pence),
			Taxes: []document.Tax{{Code: "V20", Scheme: "VAT", Rate: 20_000_000, Base: amount(pence - tax), Amount: amount(tax)}},
		}},
		Tenders: []document.Tender{{Kind: document.CardDebit, Direction: document.Paid, Amount: amount(pence), Brand: "VISA"}},
	}
	if err := d.Settle(); err != nil {
		panic(fmt.Sprintf("the sale of a test does not settle: %v", err))
	}
	return d
}
