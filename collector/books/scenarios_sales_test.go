package books_test

import (
	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
)

func chapters() []chapter {
	return []chapter{
		{"Sales, tax and discounts", salesScenarios()},
		{"What tills print", tillScenarios()},
		{"Tips and charges", chargeScenarios()},
		{"Gift cards, vouchers and down payments", storedValueScenarios()},
		{"Returns, exchanges and voids", returnScenarios()},
		{"On account", accountScenarios()},
		{"Cash", cashScenarios()},
		{"Money of others", agencyScenarios()},
		{"Fees, payouts and disputes", providerScenarios()},
		{"Cost of goods, currencies and dimensions", costScenarios()},
		{"What makes a day wait", waitingScenarios()},
	}
}

func salesScenarios() []scenario {
	return []scenario{
		{
			name: "S1 sale of two tax rates paid by cash and card", title: "Two tax rates, two tenders",
			facts: "Goods of 100.00 at 20 % and books of 40.00 at 0 %, paid 60.00 in cash and 100.00 by card.",
			documents: []*document.Document{
				receipt(document.Sale, "1", item("120.00", vat20("100.00", "20.00")), item("40.00", "Books", zero("40.00")), cash("60.00"), card("100.00")),
			},
			journal: `
				Dr Cash on hand            60.00
				Dr Card clearing          100.00
				Cr Sales                  100.00
				Cr Sales zero-rated        40.00
				Cr VAT payable             20.00`,
		},
		{
			name: "1 three rates on three receipts are a line for each", title: "Three rates in a day",
			facts: "Three receipts at 20 %, 5 % and 0 %; the zero-rated line keeps its base.",
			documents: []*document.Document{
				receipt(document.Sale, "1", item("12.00", vat20("10.00", "2.00")), cash("12.00")),
				receipt(document.Sale, "2", item("10.50", tax("B", "5", "10.00", "0.50")), card("10.50")),
				receipt(document.Sale, "3", item("7.00", zero("7.00")), cash("10.00"), change("-3.00")),
			},
			journal: `
				Dr Cash on hand  19.00
				Dr Card clearing 10.50
				Cr Sales         10.00
				Cr Sales         10.00
				Cr Sales          7.00
				Cr VAT payable    2.00
				Cr VAT payable    0.50`,
		},
		{
			name: "S2 taxes of two authorities", title: "Taxes of two authorities",
			facts:  "100.00 with 6 % for the state and 2 % for the city, prices without tax. The base is counted once.",
			choice: "each tax has an account of its own.",
			mapping: func(m *books.Mapping) {
				m.Taxes = []books.TaxRule{
					{Till: "ST", Code: "STATE", Account: "State tax payable"}, {Till: "CT", Code: "CITY", Account: "City tax payable"},
				}
			},
			documents: []*document.Document{
				receipt(document.Sale, "1", document.TaxExcluded, item("100.00", tax("ST", "6", "100.00", "6.00"), tax("CT", "2", "100.00", "2.00")), card("108.00")),
			},
			journal: `
				Dr Card clearing          108.00
				Cr Sales                  100.00
				Cr State tax payable        6.00
				Cr City tax payable         2.00`,
		},
		{
			name: "S3 discount shown apart", title: "A discount, shown apart",
			facts:   "List price 100.00, 10.00 off before 20 % tax.",
			choice:  "discounts: gross.",
			mapping: grossDiscounts,
			documents: []*document.Document{
				receipt(document.Sale, "1", document.TaxExcluded, item("100.00", less(document.Discount, "-10.00"), vat20("90.00", "18.00")), card("108.00")),
			},
			journal: `
				Dr Card clearing          108.00
				Dr Discounts               10.00
				Cr Sales                  100.00
				Cr VAT payable             18.00`,
		},
		{
			name: "S3 discount netted", title: "The same discount, netted",
			facts:  "List price 100.00, 10.00 off before 20 % tax.",
			choice: "discounts: net.",
			documents: []*document.Document{
				receipt(document.Sale, "1", document.TaxExcluded, item("100.00", less(document.Discount, "-10.00"), vat20("90.00", "18.00")), card("108.00")),
			},
			journal: `
				Dr Card clearing          108.00
				Cr Sales                   90.00
				Cr VAT payable             18.00`,
		},
		{
			name: "4 discount on the whole receipt over two rates", title: "A discount on the whole receipt over two rates",
			facts:   "24.00 at 20 % and 10.50 at 5 %, 3.45 off the receipt, which the till spread as 2.40 and 1.05.",
			choice:  "discounts: gross.",
			mapping: grossDiscounts,
			documents: []*document.Document{
				receipt(document.Sale, "1",
					item("24.00", document.Adjustment{Kind: document.Discount, Level: document.LevelDocument, Amount: dec("-2.40")}, vat20("18.00", "3.60")),
					item("10.50", document.Adjustment{Kind: document.Discount, Level: document.LevelDocument, Amount: dec("-1.05")}, tax("B", "5", "9.00", "0.45")),
					card("31.05")),
			},
			journal: `
				Dr Card clearing 31.05
				Dr Discounts      3.00
				Cr Sales         20.00
				Cr Sales         10.00
				Cr VAT payable    3.60
				Cr VAT payable    0.45`,
		},
		{
			name: "5 staff meal given away", title: "A staff meal, given away",
			facts:  "A meal of 12.00 with tax, all of it taken off; nothing is paid and no tax is due.",
			choice: "discounts: gross, with an account for COMP.",
			mapping: func(m *books.Mapping) {
				grossDiscounts(m)
				m.DiscountAccounts = map[document.AdjustmentKind]string{document.Comp: "Staff meals"}
			},
			documents: []*document.Document{
				receipt(document.Sale, "1", item("12.00", less(document.Comp, "-12.00"), vat20("0", "0"))),
			},
			journal: `
				Dr Staff meals 10.00
				Cr Sales       10.00`,
		},
		{
			name: "S9 promotional card is a discount", title: "A promotional card",
			facts:  "A card that nobody paid for takes 20.00 off goods of 60.00 with tax; tax is due on the 40.00 paid.",
			choice: "discounts: gross, with an account for COUPON.",
			mapping: func(m *books.Mapping) {
				grossDiscounts(m)
				m.DiscountAccounts = map[document.AdjustmentKind]string{document.Coupon: "Promotions"}
			},
			documents: []*document.Document{
				receipt(document.Sale, "1", item("60.00", less(document.Coupon, "-20.00"), vat20("33.33", "6.67")), card("40.00")),
			},
			journal: `
				Dr Promotions              16.67
				Dr Card clearing           40.00
				Cr Sales                   50.00
				Cr VAT payable              6.67`,
		},
		{
			name: "S26 loyalty points of the shop", title: "The shop's own loyalty points",
			facts:  "Points take 2.00 off 12.00 with tax.",
			choice: "discounts: gross, with an account for LOYALTY.",
			mapping: func(m *books.Mapping) {
				grossDiscounts(m)
				m.DiscountAccounts = map[document.AdjustmentKind]string{document.Loyalty: "Loyalty"}
			},
			documents: []*document.Document{
				receipt(document.Sale, "1", item("12.00", less(document.Loyalty, "-2.00"), vat20("8.33", "1.67")), cash("10.00")),
			},
			journal: `
				Dr Cash on hand            10.00
				Dr Loyalty                  1.67
				Cr Sales                   10.00
				Cr VAT payable              1.67`,
		},
		{
			name: "S22 the tax the till printed stands", title: "Tax that differs from rate times base",
			facts: "The till printed 11.45 of tax on 76.30 at 15 %; worked out it is 11.44 or 11.45 by the way of rounding. " +
				"What was printed was charged, so it is booked; the difference is recorded in the proof of the day.",
			mapping: func(m *books.Mapping) { m.Taxes = []books.TaxRule{{Till: "V", Code: "STD-15"}} },
			documents: []*document.Document{
				receipt(document.Sale, "1", item("87.75", tax("V", "15", "76.30", "11.45")), card("87.75")),
			},
			journal: `
				Dr Card clearing           87.75
				Cr Sales                   76.30
				Cr VAT payable             11.45`,
		},
		{
			name: "tax printed to four places", title: "Tax printed finer than a penny",
			facts:  "Three lines of 1.99 print 0.3317 of tax each, 0.9951 in all. Tax is rounded once for the receipt; what rounding leaves is a line of its own.",
			choice: "categories with accounts of their own.",
			mapping: func(m *books.Mapping) {
				m.Categories = map[string]string{"a": "Sales a", "b": "Sales b", "c": "Sales c"}
			},
			documents: []*document.Document{
				receipt(document.Sale, "1",
					item("1.99", "a", vat20("1.6583", "0.3317")), item("1.99", "b", vat20("1.6583", "0.3317")), item("1.99", "c", vat20("1.6583", "0.3317")), cash("5.97")),
			},
			journal: `
				Dr Cash on hand   5.97
				Dr Tax rounding   0.01
				Cr Sales a        1.66
				Cr Sales b        1.66
				Cr Sales c        1.66
				Cr VAT payable    1.00`,
		},
		{
			name: "6 exempt customer", title: "An exempt customer",
			facts: "A customer with a certificate buys for 50.00 what bears 20 % otherwise. The exemption has a tax code of its own.",
			documents: []*document.Document{
				receipt(document.Sale, "1", item("50.00", document.Tax{Code: "A", Scheme: "VAT", Base: dec("50.00"), ExemptReason: "diplomatic"}), card("50.00")),
			},
			journal: `
				Dr Card clearing 50.00
				Cr Sales         50.00`,
		},
		{
			name: "65 fixed tax on a line without an amount", title: "A fixed tax on a free bag",
			facts:   "A free bag bears a fixed levy of 0.05: no base, but a tax.",
			mapping: func(m *books.Mapping) { m.Taxes = []books.TaxRule{{Till: "BAG", Code: "BAG-LEVY"}} },
			documents: []*document.Document{
				receipt(document.Sale, "1", item("0.05", tax("BAG", "0", "0", "0.05")), cash("0.05")),
			},
			journal: `
				Dr Cash on hand 0.05
				Cr Sales        0.00
				Cr VAT payable  0.05`,
		},
		{
			name: "sale in another currency at the till's rate", title: "A receipt in another currency",
			facts: "A till in the airport sells for EUR 120.00 with 20.00 of tax at a rate of 0.8611. Each amount is converted; what conversion leaves is a line of its own.",
			documents: []*document.Document{
				inEuro(receipt(document.Sale, "1", item("120.00", vat20("100.00", "20.00")), cash("60.00"), card("60.00"),
					&document.Rate{To: "GBP", Value: dec("0.8611")})),
			},
			journal: `
				Dr Cash on hand         51.67
				Dr Card clearing        51.67
				Cr Sales                86.11
				Cr VAT payable          17.22
				Cr Conversion rounding   0.01`,
		},
		{
			name: "71 foreign cash taken, change in home currency", title: "Foreign cash",
			facts:   "Goods of 18.00 with tax; USD 30.00 taken at 0.80, change of 6.00 in pounds.",
			choice:  "foreign_cash has an account.",
			mapping: func(m *books.Mapping) { m.Accounts[books.ForeignCash] = "USD cash" },
			documents: []*document.Document{
				receipt(document.Sale, "1", item("18.00", vat20("15.00", "3.00")), usd("24.00", "30.00", "0.80"), change("-6.00")),
			},
			journal: `
				Dr USD cash     24.00
				Cr Cash on hand  6.00
				Cr Sales        15.00
				Cr VAT payable   3.00`,
		},
		{
			name: "62 day without trade", title: "A day without trade",
			facts: "The till was opened, the drawer once, and a training sale was rung up.",
			documents: []*document.Document{
				event(document.SignOn, "1"), event(document.NoSale, "2"),
				receipt(document.Training, "7", item("12.00", vat20("10.00", "2.00")), cash("12.00")),
				receipt(document.Sale, "8", document.Suspended, item("12.00", vat20("10.00", "2.00"))),
			},
		},
	}
}

func grossDiscounts(m *books.Mapping) { m.Discounts = "gross" }

func inEuro(d *document.Document) *document.Document {
	d.Currency = "EUR"
	return d
}

func usd(amount, foreign, rate string) document.Tender {
	t := tender(document.ForeignCash, document.Paid, amount)
	t.Foreign = &document.Foreign{Currency: "USD", Amount: dec(foreign), Rate: dec(rate)}
	return t
}

func event(kind document.Kind, number string) *document.Document {
	return &document.Document{
		Key:  document.Key{Store: "S1", Terminal: "1", Space: document.SpaceEvent, Number: number},
		Kind: kind, State: document.Completed, Currency: "GBP", Time: document.Time{AsGiven: "2026-11-03T08:00:00Z"},
	}
}

func chargeScenarios() []scenario {
	return []scenario{
		{
			name: "S4 tip on a card paid out of the till", title: "A tip on a card, paid out of the till",
			facts: "A meal of 120.00 with tax and a tip of 12.00 by card; the tip is paid to staff in cash at night. It is no turnover.",
			documents: []*document.Document{
				receipt(document.Sale, "1", item("120.00", vat20("100.00", "20.00")), withTip(card("132.00"), "12.00")),
				movement(document.PayOut, "2", "12.00", "Tips", document.Drawer, document.StaffTo),
			},
			journal: `
				Dr Card clearing          132.00
				Cr Sales                  100.00
				Cr VAT payable             20.00
				Cr Tips payable            12.00

				Dr Tips payable            12.00
				Cr Cash on hand            12.00`,
		},
		{
			name: "11 service charge and tip on one bill", title: "A service charge and a tip on one bill",
			facts: "A meal of 120.00, a service charge of 15.00 that every guest pays, and a tip of 5.00: turnover with tax the one, a debt to staff the other.",
			documents: []*document.Document{
				receipt(document.Sale, "1", item("120.00", vat20("100.00", "20.00")), line(document.ServiceCharge, "15.00", vat20("12.50", "2.50")),
					line(document.TipStaff, "5.00"), card("140.00")),
			},
			journal: `
				Dr Card clearing          140.00
				Cr Sales                  100.00
				Cr Service charge income   12.50
				Cr VAT payable             22.50
				Cr Tips payable             5.00`,
		},
		{
			name: "S5 service charge that goes to staff", title: "A service charge that goes to staff",
			facts:   "A service charge of 12.5 % on 100.00, all of it passed on to staff.",
			choice:  "service_charge: staff, tip_route: tronc.",
			mapping: func(m *books.Mapping) { m.ServiceCharge, m.TipRoute = "staff", "tronc" },
			documents: []*document.Document{
				receipt(document.Sale, "1", item("120.00", vat20("100.00", "20.00")), line(document.ServiceCharge, "15.00", vat20("12.50", "2.50")), card("135.00")),
			},
			journal: `
				Dr Card clearing          135.00
				Cr Sales                  100.00
				Cr Service charge income   12.50
				Cr VAT payable             22.50

				Dr Service charge paid to staff  12.50
				Cr Tips payable                  12.50`,
		},
		{
			name: "S6 surcharge for a card", title: "A surcharge for paying by card",
			facts:   "110.00 with 10 % tax and a surcharge of 1.65; its tax follows the sale.",
			mapping: func(m *books.Mapping) { m.Taxes = []books.TaxRule{{Till: "G", Code: "GST-10"}} },
			documents: []*document.Document{
				receipt(document.Sale, "1", item("110.00", tax("G", "10", "100.00", "10.00")), line(document.Surcharge, "1.65", tax("G", "10", "1.50", "0.15")), card("111.65")),
			},
			journal: `
				Dr Card clearing          111.65
				Cr Sales                  100.00
				Cr Surcharge income         1.50
				Cr VAT payable             10.15`,
		},
		{
			name: "S7 delivery charged", title: "Delivery charged",
			facts: "Goods of 60.00 and delivery of 6.00, both with 20 % tax.",
			documents: []*document.Document{
				receipt(document.Sale, "1", item("60.00", vat20("50.00", "10.00")), line(document.Delivery, "6.00", vat20("5.00", "1.00")), card("66.00")),
			},
			journal: `
				Dr Card clearing           66.00
				Cr Sales                   50.00
				Cr Delivery income          5.00
				Cr VAT payable             11.00`,
		},
	}
}

func withTip(t document.Tender, tip string) document.Tender {
	t.Tip = dec(tip)
	return t
}

func storedValueScenarios() []scenario {
	multi := &document.Voucher{Ref: "5f", Purpose: "MULTI"}
	single := &document.Voucher{Ref: "6a", Purpose: "SINGLE"}
	return []scenario{
		{
			name: "S8 gift card sold and used", title: "A gift card, sold and used",
			facts: "A gift card of 50.00 is sold: no sale and no tax yet. It is used with 10.00 in cash for goods of 60.00 with tax, straight against the liability.",
			documents: []*document.Document{
				receipt(document.Sale, "1", line(document.VoucherSell, "50.00", multi), card("50.00")),
				receipt(document.Sale, "2", item("60.00", vat20("50.00", "10.00")), tender(document.GiftCard, document.Paid, "50.00"), cash("10.00")),
			},
			journal: `
				Dr Card clearing           50.00
				Cr Gift card liability     50.00

				Dr Gift card liability     50.00
				Dr Cash on hand            10.00
				Cr Sales                   50.00
				Cr VAT payable             10.00`,
		},
		{
			name: "8 gift card redeemed on a line", title: "A gift card that the till redeems on a line",
			facts: "The same use, stated by the till as a line of -50.00.",
			documents: []*document.Document{
				receipt(document.Sale, "2", item("60.00", vat20("50.00", "10.00")), line(document.VoucherRedeem, "-50.00", multi), cash("10.00")),
			},
			journal: `
				Dr Gift card liability     50.00
				Dr Cash on hand            10.00
				Cr Sales                   50.00
				Cr VAT payable             10.00`,
		},
		{
			name: "65 single-purpose voucher sold", title: "A single-purpose voucher, sold",
			facts: "A voucher of 60.00 for one kind of goods at 20 %: its tax is due now.",
			documents: []*document.Document{
				receipt(document.Sale, "1", line(document.VoucherSell, "60.00", single, vat20("50.00", "10.00")), card("60.00")),
			},
			journal: `
				Dr Card clearing    60.00
				Cr Voucher deferred 50.00
				Cr VAT payable      10.00`,
		},
		{
			name: "65 single-purpose voucher used", title: "A single-purpose voucher, used",
			facts: "It pays goods of 60.00, on which the till prints 10.00 of tax again. That tax is not due twice.",
			documents: []*document.Document{
				receipt(document.Sale, "2", item("60.00", vat20("50.00", "10.00")), paidWith(tender(document.VoucherTender, document.Paid, "60.00"), single)),
			},
			journal: `
				Dr Voucher deferred 50.00
				Cr Sales            50.00`,
		},
		{
			name: "66 taxed down payment taken", title: "A down payment with tax",
			facts: "60.00 down on goods of 120.00; tax is due when the money comes (United Kingdom, Germany).",
			documents: []*document.Document{
				receipt(document.DownPayment, "1", line(document.DownPaymentLine, "60.00", vat20("50.00", "10.00")), cash("60.00")),
			},
			journal: `
				Dr Cash on hand 60.00
				Cr Deposits     50.00
				Cr VAT payable  10.00`,
		},
		{
			name: "66 taxed down payment collected", title: "The goods collected",
			facts: "The rest of 60.00 is paid; the receipt takes the down payment off with its tax.",
			documents: []*document.Document{
				receipt(document.Sale, "2", item("120.00", vat20("100.00", "20.00")), line(document.DownPaymentClear, "-60.00", vat20("-50.00", "-10.00")), cash("60.00")),
			},
			journal: `
				Dr Cash on hand  60.00
				Dr Deposits      50.00
				Cr Sales        100.00
				Cr VAT payable   10.00`,
		},
		{
			name: "66 taxed down payment cancelled", title: "The order cancelled instead",
			facts: "12.00 is kept as a fee, 48.00 goes back in cash.",
			documents: []*document.Document{
				receipt(document.Return, "2", line(document.DownPaymentClear, "-60.00", vat20("-50.00", "-10.00")), line(document.Fee, "12.00", vat20("10.00", "2.00")),
					tender(document.Cash, document.Refund, "-48.00")),
			},
			journal: `
				Dr Deposits            50.00
				Dr VAT payable          8.00
				Cr Cancellation income 10.00
				Cr Cash on hand        48.00`,
		},
		{
			name: "S23 untaxed down payment", title: "A down payment without tax",
			facts: "10.00 down on an order, in a country that taxes the delivery; then the rest of 98.00 and the goods.",
			documents: []*document.Document{
				receipt(document.DownPayment, "1", cash("10.00")),
				receipt(document.Sale, "2", item("108.00", vat20("90.00", "18.00")), tender(document.DownPaymentApplied, document.Paid, "10.00"), cash("98.00")),
			},
			journal: `
				Dr Cash on hand 108.00
				Cr Deposits      10.00

				Dr Deposits      10.00
				Cr Sales         90.00
				Cr VAT payable   18.00`,
		},
	}
}

func paidWith(t document.Tender, v *document.Voucher) document.Tender {
	t.Voucher = v
	return t
}
