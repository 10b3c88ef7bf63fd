package main

import (
	"fmt"

	"tillbook.example/tillbook/shared/money"
)

// receipt is one receipt of the demo's business day, before any till's format.
// Amounts are in pence, with tax.
type receipt struct {
	number   int
	time     string // HH:MM:SS
	items    []item
	tenders  []tender
	returns  int   // number of the receipt whose goods come back; amounts stay positive here
	voids    int   // number of the receipt that is voided after the fact
	rounding int64 // what cash rounding added to the sum of the items
}

type item struct {
	sku, text, category string
	quantity            int64
	price               int64
	rate                int64 // per cent; -1: a gift card, no tax yet
}

type tender struct {
	kind   string // cash, card, gift
	amount int64
	change int64 // given back in cash
	tip    int64 // inside amount
}

// movement is money that moves without a sale, and what was found in the drawer.
type movement struct {
	number int
	time   string
	kind   string // open, payout, count, z
	amount int64
	reason string
}

// till is one till's day.
type till struct {
	id        string
	receipts  []receipt
	movements []movement
}

var (
	coffee = item{"1001", "Flat white", "Drinks", 1, 360, 20}
	cake   = item{"1002", "Carrot cake", "Food", 1, 450, 20}
	bread  = item{"2001", "Loaf of bread", "Bakery", 1, 315, 5}
	grain  = item{"2002", "Bag of flour", "Bakery", 2, 189, 5}
	gift   = item{"9001", "Gift card", "", 1, 2500, -1}
)

// tills returns the demo's day: two tills with sales at two tax rates, split
// tender, change, a tip, a gift card sold and redeemed, a refund, a void, cash
// rounding, a pay-out, a count that is 2.00 short, and a Z each.
func tills() []till {
	return []till{
		{
			id: "1",
			receipts: []receipt{
				{number: 2, time: "09:02:11", items: []item{coffee, cake}, tenders: []tender{{kind: "card", amount: 810}}},
				{number: 3, time: "09:10:45", items: []item{bread, grain}, tenders: []tender{{kind: "cash", amount: 1000, change: 307}}},
				{number: 4, time: "09:31:02", items: []item{gift}, tenders: []tender{{kind: "card", amount: 2500}}},
				{number: 5, time: "10:15:30", items: []item{cake, cake, bread}, tenders: []tender{{kind: "cash", amount: 500}, {kind: "card", amount: 715}}},
				{number: 6, time: "11:40:09", items: []item{coffee, coffee}, tenders: []tender{{kind: "card", amount: 820, tip: 100}}},
				{number: 7, time: "12:20:57", items: []item{cake}, tenders: []tender{{kind: "cash", amount: 450}}, returns: 5},
				{number: 8, time: "13:05:13", items: []item{coffee, bread}, tenders: []tender{{kind: "gift", amount: 675}}},
				{number: 9, time: "13:06:40", items: []item{coffee}, tenders: []tender{{kind: "card", amount: 360}}},
				{number: 10, time: "13:09:00", voids: 9},
				{number: 11, time: "15:44:21", items: []item{grain, coffee}, tenders: []tender{{kind: "card", amount: 738}}},
			},
			movements: []movement{
				{number: 1, time: "08:30:00", kind: "open", amount: 15000},
				{number: 12, time: "16:00:00", kind: "payout", amount: 2500, reason: "cleaning"},
				{number: 13, time: "18:01:00", kind: "count", amount: 15000 + 693 + 500 - 450 - 2500 - 200},
				{number: 14, time: "18:02:00", kind: "z"},
			},
		},
		{
			id: "2",
			receipts: []receipt{
				{number: 101, time: "09:05:00", items: []item{bread}, tenders: []tender{{kind: "cash", amount: 315}}},
				{number: 102, time: "09:45:00", items: []item{coffee, grain}, tenders: []tender{{kind: "cash", amount: 1000, change: 260}}, rounding: 2},
				{number: 103, time: "10:30:00", items: []item{cake, coffee}, tenders: []tender{{kind: "gift", amount: 500}, {kind: "cash", amount: 310}}},
				{number: 104, time: "12:00:00", items: []item{cake, cake}, tenders: []tender{{kind: "card", amount: 1000, tip: 100}}},
				{number: 105, time: "12:30:00", items: []item{bread}, tenders: []tender{{kind: "cash", amount: 315}}, returns: 101},
				{number: 106, time: "14:10:00", items: []item{coffee}, tenders: []tender{{kind: "card", amount: 360}}},
				{number: 107, time: "14:11:00", voids: 106},
				{number: 108, time: "16:20:00", items: []item{grain, cake}, tenders: []tender{{kind: "card", amount: 828}}},
			},
			movements: []movement{
				{number: 100, time: "08:31:00", kind: "open", amount: 10000},
				{number: 109, time: "18:05:00", kind: "count", amount: 10000 + 315 + 740 + 310 - 315},
				{number: 110, time: "18:06:00", kind: "z"},
			},
		},
	}
}

// gross returns what the items cost, in pence.
func (r receipt) gross() int64 {
	var sum int64
	for _, i := range r.items {
		sum += i.quantity * i.price
	}
	return sum
}

// tax returns the tax inside an item's price, rounded half up as the tills do.
func (i item) tax() int64 {
	if i.rate <= 0 {
		return 0
	}
	amount := i.quantity * i.price
	return (amount*i.rate*2 + 100 + i.rate) / (2 * (100 + i.rate))
}

// sums are what the day must come to, worked out from the day alone.
type sums struct {
	documents int
	gross     int64            // sales less returns, without gift cards and voided receipts
	tax       map[int64]int64  // by rate
	net       map[string]int64 // "sales 20", "returns 5", ...
	tenders   map[string]int64 // net of change and refunds; tips inside
	tips      int64
	giftSold  int64
	rounding  int64
	payouts   int64
	short     int64
}

func expect(all []till) sums {
	s := sums{tax: map[int64]int64{}, net: map[string]int64{}, tenders: map[string]int64{}, short: 200}
	for _, t := range all {
		voided := map[int]bool{}
		for _, r := range t.receipts {
			voided[r.voids] = true
		}
		s.documents += len(t.receipts) + len(t.movements)
		for _, m := range t.movements {
			if m.kind == "payout" {
				s.payouts += m.amount
			}
		}
		for _, r := range t.receipts {
			if voided[r.number] || r.voids != 0 {
				continue
			}
			s.add(r)
		}
	}
	return s
}

func (s *sums) add(r receipt) {
	sign, side := int64(1), "sales"
	if r.returns != 0 {
		sign, side = -1, "returns"
	}
	for _, i := range r.items {
		if i.rate < 0 {
			s.giftSold += i.quantity * i.price
			continue
		}
		s.gross += sign * i.quantity * i.price
		s.tax[i.rate] += sign * i.tax()
		s.net[fmt.Sprint(side, " ", i.rate)] += i.quantity*i.price - i.tax()
	}
	for _, t := range r.tenders {
		s.tenders[t.kind] += sign * t.amount
		s.tenders["cash"] -= t.change
		s.tips += t.tip
	}
	s.rounding += r.rounding
}

// pounds prints pence.
func pounds(pence int64) string { return money.Minor(pence).Format(2) }
