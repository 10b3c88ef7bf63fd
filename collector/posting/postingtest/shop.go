package postingtest

import (
	"context"
	"time"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// The shop of these tests: merchant "m", store "high" with the code HIGH in
// London, a cut-off at midnight, connection "books". Its day, of 2026-11-03, ends
// at midnight UTC and may be closed half an hour later.
const Day bizday.Day = "2026-11-03"

// Ref is the shop's day.
var Ref = day.Ref{Merchant: "m", Store: "high", Day: Day}

// Noon is within the day, Morning after its settle time.
var (
	Noon    = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)
	Morning = time.Date(2026, 11, 4, 8, 0, 0, 0, time.UTC)
)

// Shop returns the merchant's configuration.
func Shop() merchant.Merchant {
	return merchant.Merchant{
		ID: "m", Name: "Corner Shop", Country: "GB", Currency: "GBP",
		Stores:      []merchant.Store{{ID: "high", Name: "High Street", Zone: "Europe/London"}},
		Connections: []merchant.Connection{{ID: "books", Target: "text", Settings: map[string]string{"folder": "/books", "format": "hledger"}}},
		Mappings:    []merchant.Mapping{{From: "2026-01-01", Mapping: Mapping("Income:Sales")}},
	}
}

// Mapping books sales to an account.
func Mapping(sales string) books.Mapping {
	rate := money.MustParse("20")
	return books.Mapping{
		Currency: "GBP",
		Accounts: map[books.Role]string{
			books.Sales: sales, books.CashOnHand: "Assets:Cash", books.OutputTax: "Liabilities:VAT",
			books.ConversionRound: "Expenses:Rounding", books.TaxRounding: "Expenses:Rounding", books.OverShort: "Expenses:Over-short",
		},
		Taxes: []books.TaxRule{{Till: "A", Rate: &rate, Code: "S20"}},
	}
}

// Sale is a receipt of the given pence with 20 % in it, paid in cash. A negative
// amount is a refund.
func Sale(number string, pence int64) *document.Document {
	gross := money.Decimal(pence) * 10_000
	tax, err := money.MulDiv(gross, money.One, 6*money.One)
	if err != nil {
		panic(err)
	}
	tax = tax.RoundTo(2)
	kind, direction := document.Sale, document.Paid
	if pence < 0 {
		kind, direction = document.Return, document.Refund
	}
	d := &document.Document{
		Key:  document.Key{Merchant: "m", Store: "high", Terminal: "1", Space: document.SpaceReceipt, Number: number},
		Kind: kind, State: document.Completed, Currency: "GBP", PriceBasis: document.TaxIncluded,
		Time: document.Time{AsGiven: Noon.Format(time.RFC3339), UTC: Noon},
		Lines: []document.Line{{
			Kind: document.Item, Extended: gross,
			Taxes: []document.Tax{{Code: "A", Scheme: "VAT", Rate: money.MustParse("20"), Base: gross - tax, Amount: tax}},
		}},
		Tenders: []document.Tender{{Kind: document.Cash, Direction: direction, Amount: gross}},
	}
	if err := d.Settle(); err != nil {
		panic(err)
	}
	return d
}

// Closer closes the days of a store at a moment of the given clock.
func Closer(s *Memory, now func() time.Time) *day.Closer {
	return &day.Closer{Store: s, Now: now, Mapping: s.Mapping}
}

// Poster posts to the given books.
func Poster(s *Memory, b target.Target, now func() time.Time) *posting.Poster {
	return &posting.Poster{
		Store: s, Directory: s, Now: now,
		Target: func(merchant.Merchant, merchant.Connection) (target.Target, error) { return b, nil },
	}
}

// Sums adds up what is booked, by account.
func Sums(booked []target.Payload) map[string]money.Minor {
	sums := map[string]money.Minor{}
	for _, p := range booked {
		for _, l := range p.Lines {
			if sums[l.Account] += l.Amount; sums[l.Account] == 0 {
				delete(sums, l.Account)
			}
		}
	}
	return sums
}

var _ merchant.Directory = (*Memory)(nil)

// Newest returns the newest entry of the shop's day.
func Newest(ctx context.Context, s *Memory) (day.Entry, error) { return s.Entry(ctx, Ref, 0) }
