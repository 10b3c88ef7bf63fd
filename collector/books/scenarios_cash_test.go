package books_test

import (
	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
)

func returnScenarios() []scenario {
	yesterday := receipt(document.Sale, "40", item("120.00", vat20("100.00", "20.00")), card("120.00"))
	sale := receipt(document.Sale, "1", item("120.00", vat20("100.00", "20.00")), card("120.00"))
	return []scenario{
		{
			name: "S10 refund in cash", title: "A refund in cash of an earlier sale",
			facts: "Goods of 120.00 with tax come back; cash is paid out, dated today.",
			documents: []*document.Document{
				receipt(document.Return, "1", item("-120.00", vat20("-100.00", "-20.00")), tender(document.Cash, document.Refund, "-120.00")),
			},
			journal: `
				Dr Sales returns          100.00
				Dr VAT payable             20.00
				Cr Cash on hand           120.00`,
		},
		{
			name: "S10 refund to store credit", title: "A refund of a card sale to store credit",
			facts: "Goods of 120.00 come back for store credit. No money leaves; the card provider is not concerned.",
			documents: []*document.Document{
				receipt(document.Return, "1", item("-120.00", vat20("-100.00", "-20.00")), tender(document.StoreCredit, document.Refund, "-120.00")),
			},
			journal: `
				Dr Sales returns          100.00
				Dr VAT payable             20.00
				Cr Store credit liability 120.00`,
		},
		{
			name: "15 refund of a card sale to a gift card", title: "A refund to a gift card",
			facts: "Goods of 120.00 come back onto a gift card.",
			documents: []*document.Document{
				receipt(document.Return, "1", item("-120.00", vat20("-100.00", "-20.00")), tender(document.GiftCard, document.Refund, "-120.00")),
			},
			journal: `
				Dr Sales returns         100.00
				Dr VAT payable            20.00
				Cr Gift card liability   120.00`,
		},
		{
			name: "S11 exchange with a difference", title: "An exchange with a difference",
			facts: "48.00 with tax comes back, 60.00 is taken, the customer pays 12.00 by card. Sale and return stay apart.",
			documents: []*document.Document{
				receipt(document.Exchange, "1", item("-48.00", vat20("-40.00", "-8.00")), item("60.00", vat20("50.00", "10.00")), card("12.00")),
			},
			journal: `
				Dr Card clearing           12.00
				Dr Sales returns           40.00
				Dr VAT payable              8.00
				Cr Sales                   50.00
				Cr VAT payable             10.00`,
		},
		{
			name: "20 more returned than sold", title: "A day with more returns than sales",
			facts: "12.00 sold, 120.00 taken back, all in cash.",
			documents: []*document.Document{
				receipt(document.Sale, "1", item("12.00", vat20("10.00", "2.00")), cash("12.00")),
				receipt(document.Return, "2", item("-120.00", vat20("-100.00", "-20.00")), tender(document.Cash, document.Refund, "-120.00")),
			},
			journal: `
				Dr Sales returns 100.00
				Dr VAT payable    20.00
				Cr Cash on hand  108.00
				Cr Sales          10.00
				Cr VAT payable     2.00`,
		},
		{
			name: "S29 void on the same day", title: "A void on the same day",
			facts: "A sale of 120.00 is voided an hour later.",
			documents: []*document.Document{
				sale, receipt(document.PostVoid, "2", voids("1")),
			},
		},
		{
			name: "S29 void of a sale that the till marks", title: "A sale that the till marks as voided",
			facts: "The till keeps the receipt and calls it VOIDED.",
			documents: []*document.Document{
				receipt(document.Sale, "1", document.Voided, item("120.00", vat20("100.00", "20.00")), card("120.00")),
			},
		},
		{
			name: "S29 void of an earlier day", title: "A void of an earlier day",
			facts:     "A card sale of 120.00 of yesterday is voided today; the void names no amounts, so those of the stored receipt count backwards. Today's own sale stays apart.",
			documents: []*document.Document{receipt(document.PostVoid, "41", voids("40")), receipt(document.Sale, "42", item("12.00", vat20("10.00", "2.00")), cash("12.00"))},
			originals: []*document.Document{yesterday},
			journal: `
				Dr Sales                  100.00
				Dr VAT payable             20.00
				Cr Card clearing          120.00

				Dr Cash on hand            12.00
				Cr Sales                   10.00
				Cr VAT payable              2.00`,
		},
		{
			name: "29 void of an earlier day with its own amounts", title: "A void that states its own amounts",
			facts: "The same void from a till that prints the amounts turned; the stored receipt is not needed.",
			documents: []*document.Document{
				receipt(document.PostVoid, "41", voids("40"), item("-120.00", vat20("-100.00", "-20.00")), tender(document.CardCredit, document.Refund, "-120.00")),
			},
			journal: `
				Dr Sales                  100.00
				Dr VAT payable             20.00
				Cr Card clearing          120.00`,
		},
		{
			name: "S30 tender of a closed sale corrected", title: "The tender of a closed sale corrected",
			facts: "A sale of 120.00 was rung up as card but paid in cash; the till states the correction as a receipt without lines.",
			documents: []*document.Document{
				receipt(document.Sale, "2", cash("120.00"), tender(document.CardCredit, document.Refund, "-120.00")),
			},
			journal: `
				Dr Cash on hand           120.00
				Cr Card clearing          120.00`,
		},
	}
}

func accountScenarios() []scenario {
	return []scenario{
		{
			name: "S12 sale on account, paid later", title: "A sale on account, paid later",
			facts: "Goods of 120.00 on account; the customer pays by card at the till. The payment is no second sale.",
			documents: []*document.Document{
				receipt(document.Sale, "1", item("120.00", vat20("100.00", "20.00")), tender(document.Account, document.Paid, "120.00")),
				receipt(document.AccountPayment, "2", card("120.00")),
			},
			journal: `
				Dr Accounts receivable    120.00
				Cr Sales                  100.00
				Cr VAT payable             20.00

				Dr Card clearing          120.00
				Cr Accounts receivable    120.00`,
		},
		{
			name: "12 debt created and settled on lines", title: "A debt that the till states on lines",
			facts: "The same, from a till that books the debt as a line.",
			documents: []*document.Document{
				receipt(document.Sale, "1", item("120.00", vat20("100.00", "20.00")), line(document.DebtCreate, "-120.00")),
				receipt(document.AccountPayment, "2", line(document.DebtSettle, "120.00"), card("120.00")),
			},
			journal: `
				Dr Accounts receivable    120.00
				Cr Sales                  100.00
				Cr VAT payable             20.00

				Dr Card clearing          120.00
				Cr Accounts receivable    120.00`,
		},
		{
			name: "70 invoice paid at the till", title: "An invoice paid at the till",
			facts: "A customer pays invoice INV-77 of 240.00 by card. The line names the invoice.",
			documents: []*document.Document{
				receipt(document.AccountPayment, "1", &document.Invoice{Number: "INV-77"}, card("240.00")),
			},
			journal: `
				Dr Card clearing       240.00
				Cr Accounts receivable 240.00`,
		},
		{
			name: "75 receipt that another system invoices", title: "A receipt that another system invoices",
			facts: "A sale of 120.00 was also issued as an invoice elsewhere, which books sale and tax; here only the payment counts.",
			documents: []*document.Document{
				receipt(document.Sale, "1", &document.Invoice{Number: "R-9", BookedElsewhere: true}, item("120.00", vat20("100.00", "20.00")), card("120.00")),
			},
			journal: `
				Dr Card clearing   120.00
				Cr Invoice interim 120.00`,
		},
		{
			name: "S25 overpayment kept as credit", title: "An overpayment kept as credit",
			facts: "Goods of 120.00, 130.00 paid by card, 10.00 kept as store credit.",
			documents: []*document.Document{
				receipt(document.Sale, "1", item("120.00", vat20("100.00", "20.00")), card("130.00"), tender(document.StoreCredit, document.Change, "-10.00")),
			},
			journal: `
				Dr Card clearing          130.00
				Cr Sales                  100.00
				Cr VAT payable             20.00
				Cr Store credit liability  10.00`,
		},
	}
}

func cashScenarios() []scenario {
	count := []string{"S1|1|EVENT|9"}
	return []scenario{
		{
			name: "25 change is not takings", title: "Change given",
			facts: "50.00 given for goods of 42.30.",
			documents: []*document.Document{
				receipt(document.Sale, "1", item("42.30", zero("42.30")), cash("50.00"), change("-7.70")),
			},
			journal: `
				Dr Cash on hand 42.30
				Cr Sales        42.30`,
		},
		{
			name: "S20 float, paid out, short, banked", title: "A day of cash, with banking",
			facts: "A float of 200.00 fetched from the bank, cash sales of 480.00, the window cleaner paid 25.00 on a tax receipt, " +
				"653.00 counted where 655.00 should be, 453.00 put in the bag and brought to the bank.",
			choice:  "post_banking: true.",
			mapping: func(m *books.Mapping) { m.PostBanking = true },
			documents: []*document.Document{
				movement(document.Float, "1", "200.00", "", document.Bank, document.Drawer),
				receipt(document.Sale, "1", item("480.00", vat20("400.00", "80.00")), cash("480.00")),
				movement(document.PayOut, "2", "25.00", "Cleaning", document.Drawer, "", line(document.Item, "25.00", vat20("20.83", "4.17"))),
				movement(document.Banking, "3", "453.00", "", document.Drawer, document.Transit),
				movement(document.Banking, "4", "453.00", "", document.Transit, document.Bank),
			},
			overShort: []books.DrawerDifference{{Cause: books.Counted, Drawer: "1", Currency: "GBP", Amount: dec("-2.00"), Documents: count}},
			journal: `
				Dr Cash float             200.00
				Cr Bank                   200.00

				Dr Cash on hand           480.00
				Cr Sales                  400.00
				Cr VAT payable             80.00

				Dr Cleaning expense        20.83
				Dr Input VAT                4.17
				Cr Cash on hand            25.00

				Dr Cash over/short          2.00
				Cr Cash on hand             2.00

				Dr Cash in transit        453.00
				Cr Cash on hand           453.00

				Dr Bank                   453.00
				Cr Cash in transit        453.00`,
		},
		{
			name: "20 banking left to the bank feed", title: "The same without banking",
			facts: "Floats, drops and bankings are left to the bank feed; a float carried from the evening before does nothing in any case.",
			documents: []*document.Document{
				movement(document.Float, "0", "200.00", "", document.Carried, document.Drawer),
				movement(document.Float, "1", "200.00", "", document.Bank, document.Drawer),
				receipt(document.Sale, "1", item("480.00", vat20("400.00", "80.00")), cash("480.00")),
				movement(document.SafeDrop, "2", "300.00", "", document.Drawer, document.Safe),
				movement(document.Banking, "3", "453.00", "", document.Drawer, document.Transit),
			},
			journal: `
				Dr Cash on hand           480.00
				Cr Sales                  400.00
				Cr VAT payable             80.00`,
		},
		{
			name: "28 over in one drawer, short in another", title: "Over in one drawer, short in another",
			facts: "Drawer 1 is over by 5.00, drawer 2 short by 2.00: each stands for itself.",
			overShort: []books.DrawerDifference{
				{Cause: books.Counted, Drawer: "1", Currency: "GBP", Amount: dec("5.00"), Documents: []string{"S1|1|EVENT|9"}},
				{Cause: books.Counted, Drawer: "2", Currency: "GBP", Amount: dec("-2.00"), Documents: []string{"S1|2|EVENT|9"}},
			},
			journal: `
				Dr Cash on hand    5.00
				Cr Cash over/short 5.00
				Dr Cash over/short 2.00
				Cr Cash on hand    2.00`,
		},
		{
			name: "72 rung up as card, paid in cash", title: "Rung up as card, paid in cash",
			facts: "The card batch is short of the till by 15.00 and a drawer over by as much: the proposal is a wrong tender, and nothing is over or short.",
			overShort: []books.DrawerDifference{
				{Cause: books.WrongTender, Drawer: "1", Currency: "GBP", Amount: dec("15.00"), Tender: document.CardUnknown, Documents: count},
			},
			journal: `
				Dr Cash on hand  15.00
				Cr Card clearing 15.00`,
		},
		{
			name: "opening count differs from the evening before", title: "An opening count that differs",
			facts: "1.00 less is found in the morning than was left in the evening.",
			overShort: []books.DrawerDifference{
				{Cause: books.Opening, Drawer: "1", Currency: "GBP", Amount: dec("-1.00"), Documents: count},
			},
			journal: `
				Dr Cash over/short 1.00
				Cr Cash on hand    1.00`,
		},
		{
			name: "S21 cash rounding on a line", title: "Cash rounding",
			facts:   "19.98 is due and 20.00 taken in cash, in a country that rounds to 0.05. The till states the rounding.",
			mapping: australia,
			documents: []*document.Document{
				receipt(document.Sale, "1", item("19.98", tax("G", "10", "18.16", "1.82")), line(document.CashRounding, "0.02"), cash("20.00")),
			},
			journal: `
				Dr Cash on hand            20.00
				Cr Sales                   18.16
				Cr VAT payable              1.82
				Cr Cash rounding            0.02`,
		},
		{
			name: "S21 cash rounding that the till does not state", title: "Cash rounding that the till does not state",
			facts:   "The same from a till that prints no rounding: the shop's rule explains it.",
			choice:  "rounding: {step: 0.05}.",
			mapping: australia,
			documents: []*document.Document{
				receipt(document.Sale, "1", item("19.98", tax("G", "10", "18.16", "1.82")), cash("20.00")),
			},
			journal: `
				Dr Cash on hand            20.00
				Cr Sales                   18.16
				Cr VAT payable              1.82
				Cr Cash rounding            0.02`,
		},
		{
			name: "S31 cashback", title: "Cashback",
			facts: "Goods of 20.00 and 30.00 of cash, 50.00 by card.",
			documents: []*document.Document{
				receipt(document.Sale, "1", item("20.00", zero("20.00")), card("50.00"), tender(document.Cash, document.Cashback, "-30.00")),
			},
			journal: `
				Dr Card clearing           50.00
				Cr Sales                   20.00
				Cr Cash on hand            30.00`,
		},
		{
			name: "69 petty cash with a tax receipt", title: "A purchase out of the till, with a tax receipt",
			facts:     "24.00 paid out, with a receipt that shows 4.00 of tax.",
			documents: []*document.Document{movement(document.PayOut, "1", "24.00", "cleaning", document.Drawer, "", line(document.Item, "24.00", vat20("20.00", "4.00")))},
			journal: `
				Dr Cleaning expense 20.00
				Dr Input VAT         4.00
				Cr Cash on hand     24.00`,
		},
		{
			name: "69 petty cash without a tax receipt", title: "A purchase out of the till, without one",
			facts:     "24.00 paid out; no tax comes back.",
			documents: []*document.Document{movement(document.PayOut, "1", "24.00", "cleaning", document.Drawer, "")},
			journal: `
				Dr Cleaning expense 24.00
				Cr Cash on hand     24.00`,
		},
	}
}

func australia(m *books.Mapping) {
	m.Taxes = []books.TaxRule{{Till: "G", Code: "GST-10"}}
	m.Rounding = &books.Rounding{Step: dec("0.05")}
}

func agencyScenarios() []scenario {
	agency := func(part string) *document.Agency { return &document.Agency{Principal: "Lottery", Part: part} }
	return []scenario{
		{
			name: "67 lottery sold, prize paid, commission kept", title: "Lottery",
			facts: "20.00 of tickets sold, a prize of 50.00 paid, commission of 1.00 kept. None of it but the commission is turnover.",
			documents: []*document.Document{
				receipt(document.Sale, "1", line(document.AgencyLine, "20.00", agency("SALE")), cash("20.00")),
				receipt(document.Sale, "2", line(document.AgencyLine, "-50.00", agency("PRIZE")), tender(document.Cash, document.Refund, "-50.00")),
				receipt(document.Sale, "3", line(document.AgencyLine, "-1.00", agency("SALE")), line(document.AgencyLine, "1.00", agency("COMMISSION"))),
			},
			journal: `
				Cr Lottery payable 20.00
				Dr Lottery payable 50.00
				Cr Cash on hand    30.00

				Dr Lottery payable  1.00
				Cr Commission       1.00`,
		},
		{
			name: "S24 tax that a marketplace remits", title: "Tax that a marketplace remits",
			facts: "Food of 50.00 with 4.00 of tax that the marketplace remits itself. The tax is owed to it, never to the authority; the sale is reported with its base.",
			mapping: func(m *books.Mapping) {
				m.Accounts[books.Marketplace] = "Marketplace receivable"
				m.Accounts[books.FacilitatorTax] = "Marketplace tax"
				m.Taxes = []books.TaxRule{{Till: "ST", Code: "STATE"}}
			},
			documents: []*document.Document{
				receipt(document.Sale, "1", document.TaxExcluded,
					item("50.00", document.Tax{Code: "ST", Scheme: "SALES", Rate: dec("8"), Base: dec("50.00"), Amount: dec("4.00"), Liable: "FACILITATOR"}),
					tender(document.Marketplace, document.Paid, "54.00")),
			},
			journal: `
				Dr Marketplace receivable 54.00
				Cr Sales                  50.00
				Cr Marketplace tax         4.00`,
		},
		{
			name: "68 bottle deposits", title: "Bottle deposits",
			facts: "A drink of 1.19 with a deposit of 0.25 is sold at 19 %, then four empties come back for 1.00.",
			mapping: func(m *books.Mapping) {
				m.Taxes = []books.TaxRule{{Till: "1", Code: "UST-19"}}
			},
			documents: []*document.Document{
				receipt(document.Sale, "1", item("1.19", tax("1", "19", "1.00", "0.19")), line(document.DepositOut, "0.25", tax("1", "19", "0.21", "0.04")), cash("1.44")),
				receipt(document.Return, "2", line(document.DepositIn, "-1.00", tax("1", "19", "-0.84", "-0.16")), tender(document.Cash, document.Refund, "-1.00")),
			},
			journal: `
				Dr Cash on hand     0.44
				Cr Sales            1.00
				Cr Bottle deposits  0.21
				Cr VAT payable      0.23

				Dr Bottle deposits  0.84
				Dr VAT payable      0.16`,
		},
	}
}

func waitingScenarios() []scenario {
	twint := tender(document.OtherTender, document.Paid, "12.00")
	twint.Label = "TWINT"
	sale := receipt(document.Sale, "1", item("12.00", vat20("10.00", "2.00")), twint)
	return []scenario{
		{
			name: "30 tender that is not mapped", title: "A way of paying that is new",
			facts:     "A customer pays 12.00 by TWINT, which the mapping does not know.",
			documents: []*document.Document{sale},
			journal: `
				Dr ? other_tender 12.00
				Cr Sales          10.00
				Cr VAT payable     2.00`,
			questions: []string{books.UnknownTender},
		},
		{
			name: "30 tender that is not mapped, on suspense", title: "The same where a suspense account is chosen",
			facts:     "The merchant would rather post and sort it out later.",
			choice:    "suspense: Suspense.",
			mapping:   func(m *books.Mapping) { m.Suspense = "Suspense" },
			documents: []*document.Document{sale},
			journal: `
				Dr Suspense    12.00
				Cr Sales       10.00
				Cr VAT payable  2.00`,
		},
		{
			name: "30 tender that was mapped since", title: "The same after it was mapped",
			facts:     "The day is made again with the answer.",
			choice:    "labels: {TWINT: TWINT clearing}.",
			mapping:   func(m *books.Mapping) { m.Labels = map[string]string{"TWINT": "TWINT clearing"} },
			documents: []*document.Document{sale},
			journal: `
				Dr TWINT clearing 12.00
				Cr Sales          10.00
				Cr VAT payable     2.00`,
		},
		{
			name: "27 reason that is not mapped", title: "A reason that is new",
			facts:     "25.00 is paid out for flowers, a reason without an account. It is not dropped.",
			documents: []*document.Document{movement(document.PayOut, "1", "25.00", "Flowers", document.Drawer, "")},
			journal: `
				Dr ? movement   25.00
				Cr Cash on hand 25.00`,
			questions: []string{books.UnmappedReason},
		},
		{
			name: "tax code that is not mapped", title: "A tax code that is new",
			facts:     "A till prints tax code Q at 8 %.",
			documents: []*document.Document{receipt(document.Sale, "1", item("10.80", tax("Q", "8", "10.00", "0.80")), cash("10.80"))},
			journal: `
				Dr Cash on hand 10.80
				Cr Sales        10.00
				Cr VAT payable   0.80`,
			questions: []string{books.UnmappedTax},
		},
		{
			name: "account that is missing", title: "An account that is missing",
			facts:   "A donation is taken, and the mapping has no account for donations.",
			mapping: func(m *books.Mapping) { delete(m.Accounts, books.DonationsPayable) },
			documents: []*document.Document{
				receipt(document.Sale, "1", line(document.Donation, "5.00"), cash("5.00")),
			},
			journal: `
				Dr Cash on hand        5.00
				Cr ? donations_payable 5.00`,
			questions: []string{books.MissingAccount},
		},
		{
			name: "lines and tenders that differ", title: "Lines and tenders that differ",
			facts:     "Goods of 12.00, but 10.00 paid and no reason given.",
			documents: []*document.Document{receipt(document.Sale, "1", item("12.00", vat20("10.00", "2.00")), cash("10.00"))},
			journal: `
				Dr Cash on hand  10.00
				Dr ? suspense     2.00
				Cr Sales         10.00
				Cr VAT payable    2.00`,
			questions: []string{books.Unbalanced},
		},
		{
			name: "currency without a rate", title: "Another currency without a rate",
			facts:     "A receipt of EUR 120.00 states no rate to the books' currency. It is left out until it has one.",
			documents: []*document.Document{inEuro(receipt(document.Sale, "1", item("120.00", vat20("100.00", "20.00")), cash("120.00")))},
			questions: []string{books.ConversionMissing},
		},
		{
			name: "kind that is not known", title: "A kind of document that is new",
			facts:     "A till sends a document of a kind that this version does not know.",
			documents: []*document.Document{receipt("LEASE", "1", item("12.00", vat20("10.00", "2.00")), cash("12.00"))},
			questions: []string{books.UnknownKind},
		},
		{
			name: "void whose original is not stored", title: "A void whose original is not stored",
			facts:     "A void names receipt 40, which never came, and no amounts.",
			documents: []*document.Document{receipt(document.PostVoid, "41", voids("40"))},
			questions: []string{books.OriginalMissing},
		},
	}
}
