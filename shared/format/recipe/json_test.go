package recipe

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
)

const ordersRecipe = `name: orders
version: 2
format: json
json: {receipts: data.orders}
numbers: {amounts: minor}
receipt:
  store: {column: location.id}
  terminal: {value: web}
  number: id
  time: created_at
  currency: currency
  price_basis: TAX_EXCLUDED
  stated: {gross: total, tax: tax}
rows:
  - from: line_items
    line:
      sku: sku
      text: name
      quantity: quantity
      unit_price: price
      discounts: [{amount: discount}]
      taxes: [{scheme: SALES, code: taxes.0.name, rate: taxes.0.rate, amount: taxes.0.amount}]
  - from: payment
    tender: {name: method, amount: amount, card: card.number}
  - from: shipping
    line: {kind: {value: DELIVERY}, amount: amount, category: ^channel}
tenders:
  - {name: visa, kind: CARD_CREDIT}
`

func TestAReceiptIsAnObjectWithLists(t *testing.T) {
	t.Parallel()
	file := `{"data": {"orders": [
	  {"id": 17, "created_at": "2026-03-02T10:00:00+01:00", "currency": "USD", "location": {"id": "l-1"}, "total": 1880, "tax": 80, "channel": "web",
	   "line_items": [{"sku": "A", "name": "Tea 4111111111111111", "quantity": 2, "price": 600, "discount": 200, "taxes": [{"name": "state", "rate": 8, "amount": 80}]}],
	   "payment": {"method": "Visa", "amount": 1880, "card": {"number": "4111111111111111"}},
	   "shipping": [{"amount": 800}]},
	  {"id": 18, "created_at": "never"}, 7]}}`
	reader, err := parse(t, ordersRecipe).Open([]format.Input{input("orders.json", file)}, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	result, err := reader.Next()
	if err != nil || result.Refused != nil {
		t.Fatal(err, result.Refused)
	}
	d := result.Document
	wantLines := []document.Line{
		{Kind: document.Item, SKU: "A", Text: "Tea ************1111", Quantity: dec("2"), UnitPrice: dec("6"), Extended: dec("12"),
			Adjustments: []document.Adjustment{{Kind: document.Discount, Level: document.LevelLine, Amount: dec("-2")}},
			Taxes:       []document.Tax{{Code: "state", Scheme: "SALES", Rate: dec("8"), Base: dec("10"), Amount: dec("0.80")}}},
		{Kind: document.Delivery, Category: "web", Quantity: dec("1"), Extended: dec("8")},
	}
	if diff := cmp.Diff(wantLines, d.Lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	wantTenders := []document.Tender{{Kind: document.CardCredit, Direction: document.Paid, Amount: dec("18.80"), Label: "Visa", Masked: "1111"}}
	if diff := cmp.Diff(wantTenders, d.Tenders); diff != "" {
		t.Errorf("tenders (-want +got):\n%s", diff)
	}
	if len(d.Totals.Differences) > 0 || d.Key.Store != "l-1" || d.Key.Number != "17" || *d.Time.Offset != 60 {
		t.Errorf("%s %+v %v", d.Key, d.Time, d.Totals.Differences)
	}
	for _, want := range []string{format.BadField, format.Malformed} {
		if result, err = reader.Next(); err != nil || result.Refused == nil || result.Refused.Code != want {
			t.Errorf("%v, %+v; want %s", err, result.Refused, want)
		}
	}
	if _, err = reader.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// FuzzOpen reads anything as CSV and as JSON by recipes: nothing panics, every
// reading ends, and every document holds together.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(rows("1 a 1.00", "1 b 2.00", "2 a 5.00")))
	f.Add([]byte(demo("row=H|receipt=1|kind=SALE", "row=L|receipt=1|item=1|amount=12.00|tax_rate=20", "row=T|receipt=1|tender=CASH|amount=12.00")))
	f.Add([]byte(`{"data":{"orders":[{"id":1,"created_at":"2026-03-02","currency":"GBP","location":{"id":"x"},"line_items":[{"price":1,"quantity":1}]}]}}`))
	recipes := []*Recipe{parse(f, minimal), parse(f, ordersRecipe)}
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, r := range recipes {
			reader, err := r.Open([]format.Input{{Name: "t", Reader: bytes.NewReader(file), Size: int64(len(file))}}, format.Options{Final: true})
			if err != nil {
				continue
			}
			for i := 0; ; i++ {
				result, err := reader.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if (result.Document == nil) == (result.Refused == nil) {
					t.Fatalf("%+v", result)
				}
				if i > len(file)+1 {
					t.Fatal("the reader does not end")
				}
				if d := result.Document; d != nil {
					if err := d.Check(); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	})
}
