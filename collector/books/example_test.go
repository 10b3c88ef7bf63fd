package books_test

import (
	"fmt"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

func ExampleBuild() {
	mapping, err := books.ParseMapping([]byte(`
currency: GBP
accounts: {cash: Cash on hand, sales: Sales, tax: VAT payable}
taxes: [{till: A, rate: 20, code: STD-20}]
`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	entry, problems := books.Build(books.Input{
		Subject: "store-day/S1/2026-11-03", Store: "S1", Day: "2026-11-03", Mapping: mapping,
		Documents: []*document.Document{{
			Key:  document.Key{Store: "S1", Terminal: "1", Space: document.SpaceReceipt, Number: "1042"},
			Kind: document.Sale, State: document.Completed, Currency: "GBP", PriceBasis: document.TaxIncluded,
			Lines: []document.Line{{
				Kind: document.Item, Extended: money.MustParse("12.00"),
				Taxes: []document.Tax{{Code: "A", Scheme: "VAT", Rate: 20 * money.One, Base: 10 * money.One, Amount: 2 * money.One}},
			}},
			Tenders: []document.Tender{{Kind: document.Cash, Direction: document.Paid, Amount: 12 * money.One}},
		}},
	})
	for _, l := range entry.Lines {
		fmt.Println(l.Side, l.Account, l.Amount.Format(2))
	}
	fmt.Println(len(problems), "problems")
	// Output:
	// DEBIT Cash on hand 12.00
	// CREDIT Sales 10.00
	// CREDIT VAT payable 2.00
	// 0 problems
}

func ExampleBuildEvents() {
	mapping, err := books.ParseMapping([]byte(`
currency: GBP
accounts: {card_clearing: Card clearing, payment_fees: Payment fees, bank: Bank}
post_payouts: true
`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	entry, problems := books.BuildEvents(books.EventInput{
		Subject: "payout/stripe/po_1", Day: "2026-11-03", Mapping: mapping,
		Events: []books.Event{
			{Key: "po_1", Kind: books.Payout, Amount: money.MustParse("932.50")},
			{Key: "po_1/fees", Kind: books.ProviderFee, Amount: money.MustParse("17.50")},
		},
	})
	for _, l := range entry.Lines {
		fmt.Println(l.Side, l.Account, l.Amount.Format(2))
	}
	fmt.Println(len(problems), "problems")
	// Output:
	// DEBIT Bank 932.50
	// DEBIT Payment fees 17.50
	// CREDIT Card clearing 932.50
	// CREDIT Card clearing 17.50
	// 0 problems
}
