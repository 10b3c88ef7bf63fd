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
`))
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
`))
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

func ExampleEntry_SalesDocuments() {
	entry := books.Entry{Subject: "store-day/S1/2026-11-03", Currency: "GBP", Lines: []books.Line{
		{Role: books.CashOnHand, Account: "Cash", Side: books.Debit, Amount: 1200},
		{Role: books.Sales, Account: "Sales", Side: books.Credit, Amount: 1000, Tax: &books.Tax{Code: "STD", Base: 1000, Amount: 200, Direction: books.DirectionSale}},
		{Role: books.OutputTax, Account: "VAT", Side: books.Credit, Amount: 200},
	}}
	mapping := books.Mapping{Currency: "GBP", Accounts: map[books.Role]string{books.OutputTax: "VAT"}, Taxes: []books.TaxRule{{Till: "A", Code: "STD"}}}
	documents, err := entry.SalesDocuments(mapping, books.InvoiceForm, books.FormOptions{Taxed: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range documents {
		fmt.Println(d.Kind, d.Total.Format(2))
		for _, l := range d.Lines {
			fmt.Println(l.Account, l.Amount.Format(2), l.TaxCode, l.Tax.Format(2))
		}
		for _, p := range d.Payments {
			fmt.Println("paid:", p.Account, p.Amount.Format(2))
		}
	}
	// Output:
	// INVOICE 12.00
	// Sales 10.00 STD 2.00
	// paid: Cash 12.00
}
