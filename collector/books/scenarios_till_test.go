package books_test

import (
	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
)

// tillScenarios are what tills print and people do at them.
func tillScenarios() []scenario {
	weighed := item("2.67", zero("2.67"))
	weighed.Quantity, weighed.UnitPrice = dec("0.333"), dec("7.99")
	part := func(number, amount, net, vat string) *document.Document {
		return receipt(document.Sale, number, item(amount, vat20(net, vat)), card(amount),
			document.Link{Relation: document.SplitOf, Number: "T7"})
	}
	order := receipt(document.Order, "T7", item("30.00", vat20("25.00", "5.00")))
	return []scenario{
		{
			name: "2 prices with tax whose lines round another way", title: "Seven lines with tax in their prices",
			facts: "Seven lines of 1.99 at 20 %, on which the till prints 2.32 of tax for the receipt and 0.33 or 0.34 on each line.",
			documents: []*document.Document{receipt(document.Sale, "1",
				item("1.99", vat20("1.66", "0.33")), item("1.99", vat20("1.66", "0.33")), item("1.99", vat20("1.66", "0.33")), item("1.99", vat20("1.66", "0.33")),
				item("1.99", vat20("1.66", "0.33")), item("1.99", vat20("1.66", "0.33")), item("1.99", vat20("1.65", "0.34")), card("13.93"))},
			journal: `
				Dr Card clearing 13.93
				Cr Sales         11.61
				Cr VAT payable    2.32`,
		},
		{
			name: "3 a tax on a tax", title: "A tax on a tax",
			facts: "100.00 with 5 % and then 10 % on 105.00. Each goes to its own account; the base is counted once.",
			mapping: func(m *books.Mapping) {
				m.Taxes = []books.TaxRule{{Till: "F", Code: "FED", Account: "Federal tax payable"}, {Till: "P", Code: "PROV", Account: "Provincial tax payable"}}
			},
			documents: []*document.Document{
				receipt(document.Sale, "1", document.TaxExcluded, item("100.00", tax("F", "5", "100.00", "5.00"), tax("P", "10", "105.00", "10.50")), card("115.50")),
			},
			journal: `
				Dr Card clearing          115.50
				Cr Sales                  100.00
				Cr Federal tax payable      5.00
				Cr Provincial tax payable  10.50`,
		},
		{
			name: "7 a rate that changes at midnight", title: "A rate that changes at midnight",
			facts:   "A bar sells at 17.5 % until midnight and at 20 % after it, all in one business day. Each receipt keeps the rate it printed.",
			mapping: func(m *books.Mapping) { m.Taxes = append(m.Taxes, books.TaxRule{Till: "O", Code: "STD-17.5"}) },
			documents: []*document.Document{
				receipt(document.Sale, "1", item("11.75", tax("O", "17.5", "10.00", "1.75")), cash("11.75")),
				receipt(document.Sale, "2", item("12.00", vat20("10.00", "2.00")), cash("12.00")),
			},
			journal: `
				Dr Cash on hand 23.75
				Cr Sales        10.00
				Cr Sales        10.00
				Cr VAT payable   1.75
				Cr VAT payable   2.00`,
		},
		{
			name: "8 weighed goods as the ticket prints them", title: "Weighed goods",
			facts:     "0.333 kg at 7.99 make 2.66067; the ticket prints 2.67, and that is what is owed.",
			documents: []*document.Document{receipt(document.Sale, "1", weighed, cash("2.67"))},
			journal: `
				Dr Cash on hand 2.67
				Cr Sales        2.67`,
		},
		{
			name: "9 tip known when the batch closes", title: "A tip that is known only in the evening",
			facts: "A card is authorised for 132.00 with a tip of 12.00; when the batch closes it is 14.00. The till states what came on top.",
			documents: []*document.Document{
				receipt(document.Sale, "1", item("120.00", vat20("100.00", "20.00")), withTip(card("132.00"), "12.00")),
				receipt(document.Sale, "2", document.Link{Relation: document.TipAdjusts, Number: "1"}, withTip(card("2.00"), "2.00")),
			},
			journal: `
				Dr Card clearing 134.00
				Cr Sales         100.00
				Cr VAT payable    20.00
				Cr Tips payable   14.00`,
		},
		{
			name: "17 promotional card that the till takes as a payment", title: "A promotional card taken as a payment",
			facts: "A card that nobody paid for pays 20.00 of goods of 60.00; the till prints tax on the 40.00 that are paid. It was never a liability, so it is a discount now.",
			documents: []*document.Document{
				receipt(document.Sale, "1", item("60.00", vat20("53.33", "6.67")),
					paidWith(tender(document.GiftCard, document.Paid, "20.00"), &document.Voucher{Ref: "9d", Funding: "PROMOTIONAL"}), card("40.00")),
			},
			journal: `
				Dr Discounts     20.00
				Dr Card clearing 40.00
				Cr Sales         53.33
				Cr VAT payable    6.67`,
		},
		{
			name: "18 some lines come back the next day", title: "Some of it comes back the next day",
			facts: "Of a receipt of two lines, the one at 5 % comes back with its tax, by the way it was paid.",
			documents: []*document.Document{
				receipt(document.Return, "7", item("-10.50", tax("B", "5", "-10.00", "-0.50")), tender(document.CardCredit, document.Refund, "-10.50"),
					document.Link{Relation: document.Returns, Number: "1", Line: 2}),
			},
			journal: `
				Dr Sales returns 10.00
				Dr VAT payable    0.50
				Cr Card clearing 10.50`,
		},
		{
			name: "19 refund by another way than it was paid", title: "A card sale refunded in cash",
			facts: "Goods of 12.00 that were paid by card come back for cash: cash is what left.",
			documents: []*document.Document{
				receipt(document.Return, "8", item("-12.00", vat20("-10.00", "-2.00")), tender(document.Cash, document.Refund, "-12.00"),
					document.Link{Relation: document.Returns, Number: "1"}),
			},
			journal: `
				Dr Sales returns 10.00
				Dr VAT payable    2.00
				Cr Cash on hand  12.00`,
		},
		{
			name: "76 bill split in three, one part moved", title: "A bill that is split",
			facts: "A table of 30.00 is paid in three parts of 12.00, 12.00 and 6.00; the last was put on another bill first, which has its lines and its payment. The order at the table is no sale.",
			documents: []*document.Document{
				order, part("1", "12.00", "10.00", "2.00"), part("2", "12.00", "10.00", "2.00"),
				receipt(document.Sale, "3", item("6.00", vat20("5.00", "1.00")), document.Link{Relation: document.MergedInto, Number: "4"}),
				receipt(document.Sale, "4", item("6.00", vat20("5.00", "1.00")), item("12.00", vat20("10.00", "2.00")), card("18.00"),
					document.Link{Relation: document.TransferredFrom, Number: "3"}),
			},
			journal: `
				Dr Card clearing 42.00
				Cr Sales         35.00
				Cr VAT payable    7.00`,
		},
		{
			name: "66 eat in and take away by the till's word", title: "Eat in and take away",
			facts:  "A till prints one tax code for a coffee at two rates of two laws, and says where it is drunk.",
			choice: "taxes: two rules that ask for consumption.",
			mapping: func(m *books.Mapping) {
				m.Taxes = []books.TaxRule{
					{Till: "A", Consumption: "EAT_IN", Code: "IN-20"}, {Till: "A", Consumption: "TAKE_AWAY", Code: "AWAY-20", Account: "VAT payable, take away"},
				}
			},
			documents: []*document.Document{
				receipt(document.Sale, "1", eaten(item("3.60", vat20("3.00", "0.60")), "EAT_IN"), eaten(item("1.20", vat20("1.00", "0.20")), "TAKE_AWAY"), cash("4.80")),
			},
			journal: `
				Dr Cash on hand           4.80
				Cr Sales                  3.00
				Cr Sales                  1.00
				Cr VAT payable            0.60
				Cr VAT payable, take away 0.20`,
		},
	}
}

func eaten(l document.Line, consumption string) document.Line {
	l.Consumption = consumption
	return l
}
