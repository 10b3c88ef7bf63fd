package reconcile_test

import (
	"strconv"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

func dec(s string) money.Decimal  { return money.MustParse(s) }
func ptr(s string) *money.Decimal { d := dec(s); return &d }
func count(n int64) *int64        { return &n }
func seq(n int) func(*document.Document) {
	return func(d *document.Document) { d.Numbers.Sequence = strconv.Itoa(n) }
}

func in(drawer, session string) func(*document.Document) {
	return func(d *document.Document) { d.Place.Drawer, d.Place.Session = drawer, session }
}

func state(s document.State) func(*document.Document) {
	return func(d *document.Document) { d.State = s }
}

func made(space document.Space, number string, kind document.Kind, change []func(*document.Document)) *document.Document {
	d := &document.Document{
		Key:  document.Key{Store: "S1", Terminal: "1", Space: space, Number: number},
		Kind: kind, State: document.Completed, Currency: "GBP", PriceBasis: document.TaxIncluded,
		Time: document.Time{AsGiven: "2026-11-03T12:00:00Z"},
	}
	for _, c := range change {
		c(d)
	}
	return d
}

// sale is a sale of one line at 20 %, paid by one tender. Amounts end in 2, 4, 6,
// 8 or 0 sixths so that tax is exact: use multiples of 1.20.
func sale(number, gross string, kind document.TenderKind, change ...func(*document.Document)) *document.Document {
	d := made(document.SpaceReceipt, number, document.Sale, change)
	tax := (dec(gross) / 6).RoundTo(2)
	d.Lines = []document.Line{{
		Kind: document.Item, Quantity: money.One, Extended: dec(gross),
		Taxes: []document.Tax{{Code: "A", Scheme: "VAT", Rate: dec("20"), Base: dec(gross) - tax, Amount: tax}},
	}}
	d.Tenders = []document.Tender{{Kind: kind, Direction: document.Paid, Amount: dec(gross)}}
	return d
}

func move(number string, kind document.Kind, amount string, from, to document.MoneyPlace, change ...func(*document.Document)) *document.Document {
	d := made(document.SpaceEvent, number, kind, change)
	d.Movement = &document.Movement{Amount: dec(amount), From: from, To: to, Reason: "reason"}
	return d
}

func tillCount(number, stage, cash string, change ...func(*document.Document)) *document.Document {
	d := made(document.SpaceEvent, number, document.TillCount, change)
	if d.Count == nil {
		d.Count = &document.Count{}
	}
	d.Count.Stage = stage
	d.Count.ByTender = append(d.Count.ByTender, document.TenderAmount{Kind: document.Cash, Amount: dec(cash)})
	return d
}

func leaving(left, removed string) func(*document.Document) {
	return func(d *document.Document) { d.Count = &document.Count{Left: ptr(left), Removed: ptr(removed)} }
}

func batch(number, amount string) *document.Document {
	d := made(document.SpaceEvent, number, document.Batch, nil)
	d.TenderBatch = &document.TenderBatch{Number: number, ByBrand: []document.BatchAmount{{Brand: "VISA", Amount: dec(amount)}}}
	return d
}

func z(number string, c document.Close, change ...func(*document.Document)) *document.Document {
	d := made(document.SpaceZ, number, document.PeriodClose, change)
	d.Close = &c
	return d
}
