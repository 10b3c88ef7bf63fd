package books_test

import (
	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
)

// happening is a fact of a provider, a bank or the accountant.
func happening(kind books.EventKind, key, amount string, change ...func(*books.Event)) books.Event {
	e := books.Event{Kind: kind, Key: key, Amount: dec(amount)}
	for _, c := range change {
		c(&e)
	}
	return e
}

func received(amount string) func(*books.Event) {
	d := dec(amount)
	return func(e *books.Event) { e.Received = &d }
}

func payouts(m *books.Mapping) { m.PostPayouts = true }

func providerScenarios() []scenario {
	bill := happening(books.ProviderFee, "fee_1", "1.75", func(e *books.Event) { e.Billed = true })
	sales := receipt(document.Sale, "1", item("1000.00", zero("1000.00")), card("1000.00"))
	refund := receipt(document.Return, "9", item("-50.00", zero("-50.00")), tender(document.CardCredit, document.Refund, "-50.00"))
	january := receipt(document.Sale, "31", item("600.00", zero("600.00")), card("600.00"))
	february := receipt(document.Sale, "32", item("400.00", zero("400.00")), card("400.00"))
	euro := inEuro(receipt(document.Sale, "1", item("100.00", zero("100.00")), card("100.00"), &document.Rate{To: "GBP", Value: dec("0.86")}))
	inEuros := func(e *books.Event) { e.Currency, e.Rate = "EUR", dec("0.86") }
	loan := func(e *books.Event) { e.Cost, e.Total = dec("400.00"), dec("5400.00") }
	return []scenario{
		{
			name: "S13 fee billed by the provider, paid out of clearing", title: "A fee that the provider bills",
			facts:  "1.75 of fees on a bill, which the provider then takes out of what it owes. Fees that are not billed go straight to clearing; never both.",
			events: []books.Event{bill, happening(books.BillPaid, "fee_1/paid", "1.75")},
			journal: `
				Dr Payment processing fees  1.75
				Cr Accounts payable         1.75

				Dr Accounts payable         1.75
				Cr Card clearing            1.75`,
		},
		{
			name: "S13 fee returned with a refund", title: "A fee that comes back with a refund",
			facts:  "0.90 of fees returned.",
			events: []books.Event{happening(books.ProviderFee, "fee_2", "-0.90")},
			journal: `
				Dr Card clearing            0.90
				Cr Payment processing fees  0.90`,
		},
		{
			name: "S13 fee with tax under reverse charge", title: "A fee whose tax the merchant owes",
			facts: "A fee of 10.00 from a provider abroad: the merchant owes 20 % on it and takes it back at once.",
			events: []books.Event{happening(books.ProviderFee, "fee_3", "10.00", func(e *books.Event) {
				e.ReverseCharge, e.Taxes = true, []document.Tax{vat20("10.00", "2.00")}
			})},
			journal: `
				Dr Payment processing fees 10.00
				Dr Input VAT                2.00
				Cr VAT payable              2.00
				Cr Card clearing           10.00`,
			source: "Council Directive 2006/112/EC, Articles 44 and 196; Value Added Tax Act 1994, section 8.",
		},
		{
			name: "38 fees billed monthly are paid at the bank", title: "Fees billed at the end of the month",
			facts:  "A bill of 120.00 with 20.00 of tax. Clearing is not concerned.",
			events: []books.Event{happening(books.ProviderFee, "bill_11", "120.00", func(e *books.Event) { e.Billed, e.Taxes = true, []document.Tax{vat20("100.00", "20.00")} })},
			journal: `
				Dr Payment processing fees 100.00
				Dr Input VAT                20.00
				Cr Accounts payable        120.00`,
		},
		{
			name: "S14 payout to the bank", title: "A payout",
			facts:   "Card sales of 1,000.00, refunds of 50.00, fees of 17.50: the provider pays out 932.50.",
			choice:  "post_payouts: true.",
			mapping: payouts, days: [][]*document.Document{{sales}, {refund}},
			events: []books.Event{happening(books.ProviderFee, "po_1/fees", "17.50"), happening(books.Payout, "po_1", "932.50")},
			journal: `
				Dr Card clearing           1000.00
				Cr Sales                   1000.00

				Dr Sales returns             50.00
				Cr Card clearing             50.00

				Dr Payment processing fees   17.50
				Dr Bank                     932.50
				Cr Card clearing            932.50
				Cr Card clearing             17.50`,
			leaves: map[string]string{"Card clearing": "0.00"},
		},
		{
			name: "S14 payout left to the bank feed", title: "The same, left to the bank feed",
			facts:  "The merchant codes the bank's own line to clearing, so that it is not counted twice. Fees are booked in any case.",
			days:   [][]*document.Document{{sales}, {refund}},
			events: []books.Event{happening(books.ProviderFee, "po_1/fees", "17.50"), happening(books.Payout, "po_1", "932.50")},
			journal: `
				Dr Card clearing           1000.00
				Cr Sales                   1000.00

				Dr Sales returns             50.00
				Cr Card clearing             50.00

				Dr Payment processing fees   17.50
				Cr Card clearing             17.50`,
			leaves: map[string]string{"Card clearing": "932.50"},
		},
		{
			name: "S15 payout that failed", title: "A payout that failed",
			facts:  "The bank sends 932.50 back. It lies in clearing until it is sent again.",
			choice: "post_payouts: true.", mapping: payouts,
			events: []books.Event{happening(books.Payout, "po_1/failed", "-932.50")},
			journal: `
				Dr Card clearing          932.50
				Cr Bank                   932.50`,
		},
		{
			name: "37 failed payout sent again", title: "A payout that failed and was sent again",
			facts:  "932.50 paid out, sent back, and paid out again: the bank has it once.",
			choice: "post_payouts: true.", mapping: payouts,
			events: []books.Event{
				happening(books.Payout, "po_1", "932.50"), happening(books.Payout, "po_1/failed", "-932.50"), happening(books.Payout, "po_1/again", "932.50"),
			},
			journal: `
				Dr Bank         932.50
				Cr Card clearing 932.50`,
			leaves: map[string]string{"Bank": "932.50"},
		},
		{
			name: "S16 payout over the end of a month", title: "A payout over the end of a month",
			facts: "Card sales of 600.00 in January and 400.00 in February are paid out together on 3 February. Each day is booked in its month; " +
				"clearing carries January's part over, so nothing is dated anew.",
			choice:  "post_payouts: true; card_clearing: Carried-forward balance.",
			mapping: func(m *books.Mapping) { payouts(m); m.Accounts[books.CardClearing] = "Carried-forward balance" },
			days:    [][]*document.Document{{january}, {february}},
			events:  []books.Event{happening(books.Payout, "po_2", "1000.00")},
			journal: `
				Dr Carried-forward balance  600.00
				Cr Sales                    600.00

				Dr Carried-forward balance  400.00
				Cr Sales                    400.00

				Dr Bank                    1000.00
				Cr Carried-forward balance 1000.00`,
			leaves: map[string]string{"Carried-forward balance": "0.00", "Bank": "1000.00"},
		},
		{
			name: "35 payout of three days", title: "A payout of three days",
			facts:  "Three days of card sales, a refund and fees. What clearing holds after the payout is what the provider still holds.",
			choice: "post_payouts: true.", mapping: payouts,
			days: [][]*document.Document{
				{receipt(document.Sale, "1", item("400.00", zero("400.00")), card("400.00"))},
				{receipt(document.Sale, "2", item("350.00", zero("350.00")), card("350.00")), refund},
				{receipt(document.Sale, "3", item("250.00", zero("250.00")), card("250.00"))},
			},
			events: []books.Event{happening(books.ProviderFee, "po_3/fees", "12.25"), happening(books.Payout, "po_3", "687.75")},
			journal: `
				Dr Card clearing 400.00
				Cr Sales         400.00

				Dr Card clearing 300.00
				Dr Sales returns  50.00
				Cr Sales         350.00

				Dr Card clearing 250.00
				Cr Sales         250.00

				Dr Bank                    687.75
				Dr Payment processing fees  12.25
				Cr Card clearing           687.75
				Cr Card clearing            12.25`,
			leaves: map[string]string{"Card clearing": "250.00"},
		},
		{
			name: "S17 reserve held back", title: "A reserve that the provider holds back",
			facts:  "80.00 is held back.",
			events: []books.Event{happening(books.Reserve, "res_1", "80.00")},
			journal: `
				Dr Provider reserve        80.00
				Cr Card clearing           80.00`,
		},
		{
			name: "correction by a provider", title: "A provider corrects what it owes",
			facts:  "The provider finds that it owes 3.00 less than it said, and gives no other reason.",
			events: []books.Event{happening(books.Correction, "adj_1", "-3.00")},
			journal: `
				Dr Provider corrections     3.00
				Cr Card clearing            3.00`,
		},
		{
			name: "exchange at a provider", title: "An exchange between balances at a provider",
			facts:  "The provider exchanges a balance in euros; 0.40 less comes of it than it stood at.",
			events: []books.Event{happening(books.Exchanged, "fx_1", "-0.40")},
			journal: `
				Dr Exchange difference      0.40
				Cr Card clearing            0.40`,
		},
		{
			name: "S18 dispute opened", title: "A disputed payment",
			facts:  "A card payment of 120.00 is disputed; the provider takes it back at once with a fee of 15.00.",
			events: []books.Event{happening(books.Dispute, "dp_1", "120.00", func(e *books.Event) { e.Fee = dec("15.00") })},
			journal: `
				Dr Disputed payments      120.00
				Dr Dispute fees            15.00
				Cr Card clearing          135.00`,
		},
		{
			name: "S18 dispute won", title: "The dispute is won",
			facts:  "60 days later the provider gives 120.00 back.",
			events: []books.Event{happening(books.DisputeWon, "dp_1/won", "120.00")},
			journal: `
				Dr Card clearing          120.00
				Cr Disputed payments      120.00`,
		},
		{
			name: "S18 dispute lost", title: "The dispute is lost",
			facts:  "The payment does not come back. Tax comes back only where the law grants it.",
			events: []books.Event{happening(books.DisputeLost, "dp_1/lost", "120.00")},
			journal: `
				Dr Chargeback losses      120.00
				Cr Disputed payments      120.00`,
		},
		{
			name: "39 dispute lost where the tax comes back", title: "The dispute is lost, and the law gives the tax back",
			facts: "The same with 20.00 of tax in it.",
			events: []books.Event{happening(books.DisputeLost, "dp_1/lost", "120.00", func(e *books.Event) {
				e.Taxes = []document.Tax{vat20("100.00", "20.00")}
			})},
			journal: `
				Dr Chargeback losses      100.00
				Dr VAT payable             20.00
				Cr Disputed payments      120.00`,
			source: "Council Directive 2006/112/EC, Article 90 (total or partial non-payment; member states may derogate).",
		},
		{
			name: "S19 cash advance and a repayment", title: "An advance, repaid out of payouts",
			facts:  "The provider lends 5,000.00 at a cost of 400.00 and withholds 90.00. The cost is spread over what is repaid: 400.00 × 90.00 / 5,400.00.",
			events: []books.Event{happening(books.Advance, "ln_1", "5000.00", loan), happening(books.Repayment, "ln_1/1", "90.00", loan)},
			journal: `
				Dr Card clearing         5000.00
				Dr Prepaid finance cost   400.00
				Cr Loan payable          5400.00

				Dr Loan payable            90.00
				Cr Card clearing           90.00

				Dr Finance cost             6.67
				Cr Prepaid finance cost     6.67`,
		},
		{
			name: "S8 breakage", title: "Gift cards that will not be used",
			facts:  "3.20 of gift cards has run out, where the law allows it and the accountant decides so.",
			events: []books.Event{happening(books.Breakage, "2026-11", "3.20")},
			journal: `
				Dr Gift card liability      3.20
				Cr Breakage income          3.20`,
			source: "IFRS 15, B44 to B47; ASC 606-10-55-46 to 49.",
		},
		{
			name: "S24 order by a marketplace that remits the tax", title: "An order by a marketplace that remits the tax",
			facts: "Food of 50.00; the marketplace collects 4.00 of tax and remits it itself, and keeps a commission of 15.00. " +
				"Where its tax has no account of its own, it lowers what the marketplace owes.",
			choice: "marketplace_receivable: Marketplace receivable, and no facilitator_tax.",
			mapping: func(m *books.Mapping) {
				m.Taxes = []books.TaxRule{{Till: "ST", Code: "STATE"}}
				m.Accounts[books.Sales] = "Sales (marketplace)"
			},
			documents: []*document.Document{
				receipt(document.Sale, "1", document.TaxExcluded,
					item("50.00", document.Tax{Code: "ST", Scheme: "SALES", Rate: dec("8"), Base: dec("50.00"), Amount: dec("4.00"), Liable: "FACILITATOR"}),
					tender(document.Marketplace, document.Paid, "54.00")),
			},
			events: []books.Event{happening(books.Commission, "st_1", "15.00")},
			journal: `
				Dr Marketplace receivable  50.00
				Cr Sales (marketplace)     50.00

				Dr Marketplace commission  15.00
				Cr Marketplace receivable  15.00`,
			leaves: map[string]string{"Marketplace receivable": "35.00", "Marketplace commission": "15.00", "Sales (marketplace)": "-50.00"},
			source: "the marketplace facilitator laws of the states of the United States.",
		},
		{
			name: "73 delivery order with a commission and its tax", title: "A delivery order with a commission and its tax",
			facts: "Food of 60.00 with tax by a platform that leaves the tax to the shop and keeps 15.00 and 3.00 of tax on it.",
			documents: []*document.Document{
				receipt(document.Sale, "1", item("60.00", vat20("50.00", "10.00")), tender(document.Marketplace, document.Paid, "60.00")),
			},
			events: []books.Event{happening(books.Commission, "st_2", "18.00", func(e *books.Event) { e.Taxes = []document.Tax{vat20("15.00", "3.00")} })},
			journal: `
				Dr Marketplace receivable 60.00
				Cr Sales                  50.00
				Cr VAT payable            10.00

				Dr Marketplace commission 15.00
				Dr Input VAT               3.00
				Cr Marketplace receivable 18.00`,
			leaves: map[string]string{"Marketplace receivable": "42.00"},
		},
		{
			name: "S28 sale in euros paid out in pounds", title: "A sale in euros, paid out in pounds",
			facts:   "EUR 100.00 is booked at 0.86. The provider pays out 85.20.",
			choice:  "post_payouts: true; card_clearing: Card clearing (EUR, home value).",
			mapping: func(m *books.Mapping) { payouts(m); m.Accounts[books.CardClearing] = "Card clearing (EUR, home value)" },
			days:    [][]*document.Document{{euro}},
			events:  []books.Event{happening(books.Payout, "po_4", "100.00", inEuros, received("85.20"))},
			journal: `
				Dr Card clearing (EUR, home value)  86.00
				Cr Sales                            86.00

				Dr Bank                             85.20
				Dr Exchange difference               0.80
				Cr Card clearing (EUR, home value)  86.00`,
			leaves: map[string]string{"Card clearing (EUR, home value)": "0.00"},
			source: "IAS 21, paragraphs 21 and 28.",
		},
		{
			name: "71 foreign cash banked", title: "Foreign cash, banked",
			facts:  "USD 30.00 were taken at 0.80; the bank credits 23.40, a rate of 0.78.",
			choice: "post_payouts: true; foreign_cash: USD cash.",
			mapping: func(m *books.Mapping) {
				payouts(m)
				m.Accounts[books.ForeignCash] = "USD cash"
			},
			events: []books.Event{happening(books.Banked, "bag_1", "30.00", received("23.40"), func(e *books.Event) {
				e.Tender, e.Currency, e.Rate = document.ForeignCash, "USD", dec("0.80")
			})},
			journal: `
				Dr Bank                23.40
				Dr Exchange difference  0.60
				Cr USD cash            24.00`,
		},
		{
			name: "29 bag credited by the bank", title: "A bag of cash, credited by the bank",
			facts:  "453.00 left for the bank two days ago and is credited.",
			choice: "post_payouts: true.", mapping: payouts,
			events: []books.Event{happening(books.Banked, "bag_2", "453.00")},
			journal: `
				Dr Bank            453.00
				Cr Cash in transit 453.00`,
		},
		{
			name: "70 invoice paid at the bank", title: "An invoice paid at the bank",
			facts:  "A customer pays invoice INV-78 of 240.00 by transfer.",
			choice: "post_payouts: true.", mapping: payouts,
			events: []books.Event{happening(books.InvoicePayment, "tx_9", "240.00", func(e *books.Event) { e.Invoice = "INV-78" })},
			journal: `
				Dr Bank                240.00
				Cr Accounts receivable 240.00`,
		},
	}
}

func costScenarios() []scenario {
	costs := func(l document.Line, amount string) document.Line {
		l.Cost = &document.Money{Amount: dec(amount), Currency: "GBP"}
		return l
	}
	american := func(m *books.Mapping) {
		m.CostOfGoods = true
		m.Accounts[books.OutputTax], m.Accounts[books.CustomerDeposits] = "Sales tax payable", "Customer deposits"
		m.Taxes = []books.TaxRule{{Till: "ST", Code: "STATE"}, {Till: books.NoTax, Code: "NON"}}
	}
	state := document.Tax{Code: "ST", Scheme: "SALES", Rate: dec("8"), Base: dec("100.00"), Amount: dec("8.00")}
	return []scenario{
		{
			name: "S27 cost of goods sold", title: "The cost of goods sold",
			facts:   "Goods of 60.00 that cost 42.00. Goods whose cost no till states are listed, never booked as zero.",
			choice:  "cost_of_goods: true.",
			mapping: func(m *books.Mapping) { m.CostOfGoods = true },
			documents: []*document.Document{
				receipt(document.Sale, "1", costs(item("60.00", vat20("50.00", "10.00")), "42.00"), card("60.00")),
			},
			journal: `
				Dr Card clearing           60.00
				Cr Sales                   50.00
				Cr VAT payable             10.00

				Dr Cost of goods sold      42.00
				Cr Inventory               42.00`,
			source: "IAS 2, paragraph 34.",
		},
		{
			name: "27 goods taken back go into stock again", title: "Goods taken back go into stock again",
			facts:   "The same goods come back.",
			choice:  "cost_of_goods: true.",
			mapping: func(m *books.Mapping) { m.CostOfGoods = true },
			documents: []*document.Document{
				receipt(document.Return, "2", costs(item("-60.00", vat20("-50.00", "-10.00")), "42.00"), tender(document.CardCredit, document.Refund, "-60.00")),
			},
			journal: `
				Dr Sales returns           50.00
				Dr VAT payable             10.00
				Cr Card clearing           60.00

				Dr Inventory               42.00
				Cr Cost of goods sold      42.00`,
		},
		{
			name: "S23 layaway paid in parts", title: "Goods laid away and paid in parts",
			facts:   "An item of 100.00 with 8.00 of sales tax that cost 20.00: 10.00 down, 25.00, then 73.00 and the goods. Sale, tax and cost come with the goods (United States).",
			choice:  "cost_of_goods: true.",
			mapping: american,
			days: [][]*document.Document{
				{receipt(document.DownPayment, "1", cash("10.00"))},
				{receipt(document.DownPayment, "2", line(document.DownPaymentLine, "25.00"), cash("25.00"))},
				{receipt(document.Sale, "3", document.TaxExcluded, costs(item("100.00", state), "20.00"), line(document.DownPaymentClear, "-35.00"), cash("73.00"))},
			},
			journal: `
				Dr Cash on hand            10.00
				Cr Customer deposits       10.00

				Dr Cash on hand            25.00
				Cr Customer deposits       25.00

				Dr Cash on hand            73.00
				Dr Customer deposits       35.00
				Cr Sales                  100.00
				Cr Sales tax payable        8.00

				Dr Cost of goods sold      20.00
				Cr Inventory               20.00`,
			leaves: map[string]string{"Customer deposits": "0.00"},
			source: "ASC 606-10-25-30 and ASC 606-10-45-2: a liability until the goods are delivered.",
		},
		{
			name: "S23 layaway cancelled with a fee", title: "The same, cancelled with a fee",
			facts:   "After 35.00 was paid the order is cancelled; 5.00 is kept, 30.00 goes back.",
			mapping: american,
			documents: []*document.Document{
				receipt(document.Return, "4", document.TaxExcluded, line(document.DownPaymentClear, "-35.00"), line(document.Fee, "5.00"), tender(document.Cash, document.Refund, "-30.00")),
			},
			journal: `
				Dr Customer deposits       35.00
				Cr Cancellation income      5.00
				Cr Cash on hand            30.00`,
		},
		{
			name: "currency without minor units", title: "Books in yen",
			facts:   "A sale of 1,100 yen with 100 of tax; yen have no minor units.",
			mapping: func(m *books.Mapping) { m.Currency = "JPY"; m.Taxes = []books.TaxRule{{Till: "J", Code: "JP-10"}} },
			documents: []*document.Document{
				in("JPY", receipt(document.Sale, "1", item("1100", tax("J", "10", "1000", "100")), cash("1100"))),
			},
			journal: `
				Dr Cash on hand 1100
				Cr Sales        1000
				Cr VAT payable   100`,
		},
		{
			name: "currency of three decimals", title: "Books in dinars",
			facts:   "A sale of 1.155 dinars with 0.055 of tax; a dinar has a thousand fils.",
			mapping: func(m *books.Mapping) { m.Currency = "BHD"; m.Taxes = []books.TaxRule{{Till: "V", Code: "BH-5"}} },
			documents: []*document.Document{
				in("BHD", receipt(document.Sale, "1", item("1.155", tax("V", "5", "1.100", "0.055")), cash("1.155"))),
			},
			journal: `
				Dr Cash on hand 1.155
				Cr Sales        1.100
				Cr VAT payable  0.055`,
		},
		{
			name: "each receipt in another currency has its own rate", title: "Two receipts at two rates",
			facts: "EUR 100.00 at 0.86 in the morning and EUR 100.00 at 0.87 in the evening: each at the rate the till stated.",
			documents: []*document.Document{
				inEuro(receipt(document.Sale, "1", item("100.00", zero("100.00")), card("100.00"), &document.Rate{To: "GBP", Value: dec("0.86")})),
				inEuro(receipt(document.Sale, "2", item("100.00", zero("100.00")), card("100.00"), &document.Rate{To: "GBP", Value: dec("0.87")})),
			},
			journal: `
				Dr Card clearing 86.00
				Dr Card clearing 87.00
				Cr Sales         86.00
				Cr Sales         87.00`,
		},
		{
			name: "16 gift card used in a sister shop", title: "A gift card of another company",
			facts:   "A gift card that the sister company sold pays 50.00 here. The sister company owes it; our own liability is not concerned.",
			choice:  "issuers: {Sister Ltd: Due from Sister Ltd}.",
			mapping: func(m *books.Mapping) { m.Issuers = map[string]string{"Sister Ltd": "Due from Sister Ltd"} },
			documents: []*document.Document{
				receipt(document.Sale, "1", item("60.00", vat20("50.00", "10.00")),
					paidWith(tender(document.GiftCard, document.Paid, "50.00"), &document.Voucher{Ref: "7c", Purpose: "MULTI", Issuer: "Sister Ltd"}), cash("10.00")),
			},
			journal: `
				Dr Due from Sister Ltd 50.00
				Dr Cash on hand        10.00
				Cr Sales               50.00
				Cr VAT payable         10.00`,
		},
	}
}

func in(currency string, d *document.Document) *document.Document {
	d.Currency = currency
	return d
}
