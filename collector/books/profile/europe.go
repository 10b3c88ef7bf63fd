package profile

import "tillbook.example/tillbook/collector/books"

// directive is the law that the members of the European Union share.
const directive = "Council Directive 2006/112/EC, "

func unitedKingdom() Profile {
	return Profile{
		Country: "GB", Name: "United Kingdom", Currency: "GBP", Exempt: "GB-EXEMPT",
		Taxes: []TaxSet{
			{Span{"2011-01-04", ""}, "GB-20", percent("20"), "standard rate", "Value Added Tax Act 1994, section 2(1)"},
			{Span{"1997-09-01", ""}, "GB-5", percent("5"), "reduced rate", "Value Added Tax Act 1994, section 29A and Schedule 7A"},
			{Span{"1994-09-01", ""}, "GB-0", percent("0"), "zero rate: most food, books, children's clothes", "Value Added Tax Act 1994, section 30 and Schedule 8"},
		},
		Rules: []Rule{
			{Span{"1994-09-01", ""}, DownPayments, TaxedWhenPaid, "A part payment makes a tax point for its amount.", "Value Added Tax Act 1994, section 6(4)"},
			{Span{"2019-01-01", ""}, Vouchers, SingleAtSale, "A single-purpose voucher is taxed when it is sold, any other when it is used.", "Value Added Tax Act 1994, Schedule 10B"},
			{Span{"1994-09-01", ""}, Bottles, AsGoods, "A deposit bears the tax of the drink, unless a statutory deposit return scheme excludes it.", "Value Added Tax Act 1994, sections 19 and 55B to 55D"},
			{Span{"1994-09-01", ""}, Tips, Voluntary, "A tip that the guest gives freely is outside the scope; all of it goes to workers by the end of the next month.", "HMRC manual VAT Supply and Consideration, on tips and service charges; Employment (Allocation of Tips) Act 2023"},
			{Span{"1994-09-01", ""}, ServiceCharge, Taxed, "A compulsory service charge is taxed as the meal.", "VAT Notice 709/1, section 2"},
			{Span{"1994-09-01", ""}, Meals, ByPlace, "Catering on the premises and hot food to take away are standard-rated; cold food to take away is mostly zero-rated.", "VAT Notice 709/1, sections 2 and 4"},
			{Span{"1994-09-01", ""}, CashRounding, NotRounded, "Cash is not rounded.", "Coinage Act 1971, section 2: one-penny coins are legal tender"},
			{Span{"2008-07-01", ""}, FiledPeriod, FirstOpenDay, "An error up to GBP 10,000 net, or 1 % of box 6 and at most GBP 50,000, may go on the next return.", "VAT Notice 700/45, section 4"},
		},
	}
}

func germany() Profile {
	return Profile{
		Country: "DE", Name: "Germany", Currency: "EUR", Exempt: "DE-FREI",
		Taxes: []TaxSet{
			{Span{"2021-01-01", ""}, "DE-19", percent("19"), "standard rate", "UStG § 12 Abs. 1"},
			{Span{"2021-01-01", ""}, "DE-7", percent("7"), "reduced rate: most food, books", "UStG § 12 Abs. 2"},
			{Span{"2020-07-01", "2020-12-31"}, "DE-16", percent("16"), "standard rate of the second half of 2020", "UStG § 28 Abs. 1"},
			{Span{"2020-07-01", "2020-12-31"}, "DE-5", percent("5"), "reduced rate of the second half of 2020", "UStG § 28 Abs. 2"},
			{Span{"1968-01-01", ""}, "DE-0", percent("0"), "exports and supplies to other members", "UStG §§ 4 Nr. 1, 6, 6a"},
		},
		Rules: []Rule{
			{Span{"1980-01-01", ""}, DownPayments, TaxedWhenPaid, "Tax on a down payment is due with the period in which it comes.", "UStG § 13 Abs. 1 Nr. 1 Buchst. a Satz 4"},
			{Span{"2019-01-01", ""}, Vouchers, SingleAtSale, "A single-purpose voucher is taxed when it is sold, any other when it is used.", "UStG § 3 Abs. 13 bis 15"},
			{Span{"1968-01-01", ""}, Bottles, AsGoods, "A deposit bears the tax of the drink; giving it back reduces the taxable amount.", "UStG §§ 10, 17; UStAE 10.1 Abs. 8"},
			{Span{"1968-01-01", ""}, Tips, Voluntary, "What guests give staff freely is no consideration of the shop; what the owner gets is.", "UStAE 10.1 Abs. 5"},
			{Span{"1968-01-01", ""}, ServiceCharge, Taxed, "A charge for service that is part of the bill is consideration.", "UStG § 10 Abs. 1; UStAE 10.1 Abs. 5"},
			{Span{"2024-01-01", "2025-12-31"}, Meals, ByPlace, "Meals on the spot bear 19 %, food to take away 7 %; drinks 19 %.", "UStG § 12 Abs. 2 Nr. 15 in the form to 2023, lapsed"},
			{Span{"2026-01-01", ""}, Meals, SameRate, "Meals bear 7 % on the spot and to take away; drinks on the spot bear 19 %.", "UStG § 12 Abs. 2 Nr. 15; Steueränderungsgesetz 2025, BGBl. 2025 I Nr. 363"},
			{Span{"2002-01-01", ""}, CashRounding, NotRounded, "Cash is not rounded.", "MünzG § 3: coins from one cent are legal tender"},
			{Span{"1977-01-01", ""}, FiledPeriod, AmendReturn, "A return that turns out wrong is corrected without delay.", "AO § 153"},
		},
	}
}

func france() Profile {
	return Profile{
		Country: "FR", Name: "France", Currency: "EUR", Exempt: "FR-EXO",
		Taxes: []TaxSet{
			{Span{"2014-01-01", ""}, "FR-20", percent("20"), "standard rate, alcohol", "CGI article 278"},
			{Span{"2014-01-01", ""}, "FR-10", percent("10"), "meals on the spot, food for immediate consumption", "CGI article 279"},
			{Span{"2014-01-01", ""}, "FR-5.5", percent("5.5"), "food, books", "CGI article 278-0 bis"},
			{Span{"1989-01-01", ""}, "FR-2.1", percent("2.1"), "press, some medicines", "CGI articles 281 quater to 281 octies"},
			{Span{"1979-01-01", ""}, "FR-0", percent("0"), "exports and supplies to other members", "CGI articles 262 and 262 ter"},
		},
		Rules: []Rule{
			{Span{"2023-01-01", ""}, DownPayments, TaxedWhenPaid, "Tax on a down payment is due when it is cashed, for goods as for services.", "CGI article 269, 2-a and 2-c"},
			{Span{"2019-01-01", ""}, Vouchers, SingleAtSale, "A single-purpose voucher is taxed when it is sold, any other when it is used.", "CGI article 256 ter"},
			{Span{"1995-08-15", ""}, Bottles, Untaxed, "A deposit on packaging that comes back is no price; what is kept is taxed.", directive + "Article 92; BOI-TVA-SECT-90-30"},
			{Span{"2001-10-01", ""}, Tips, Voluntary, "What guests give freely over a price that includes service is no consideration.", "BOFiP, base d'imposition, pourboires; CGI article 266, 1-a"},
			{Span{"2001-10-01", ""}, ServiceCharge, Taxed, "Service, in the price or on top of it, is taxed.", "CJEU 29 March 2001, C-404/99; CGI articles 266, 1-a and 267, I"},
			{Span{"2014-01-01", ""}, Meals, ByPlace, "Meals and what is eaten at once bear 10 %, food that keeps 5.5 %, alcohol 20 %.", "CGI articles 278-0 bis and 279, m and n"},
			{Span{"2002-01-01", ""}, CashRounding, NotRounded, "Cash is not rounded.", "Council Regulation (EC) No 974/98, Article 11"},
			{Span{"1979-01-01", ""}, FiledPeriod, AmendReturn, "A return that was filed is corrected for its own period.", "CGI article 287"},
		},
	}
}

func norway() Profile {
	return Profile{
		Country: "NO", Name: "Norway", Currency: "NOK", Exempt: "NO-UNNTATT",
		Taxes: []TaxSet{
			{Span{"2005-01-01", ""}, "NO-25", percent("25"), "standard rate", "merverdiavgiftsloven § 5-1"},
			{Span{"2012-01-01", ""}, "NO-15", percent("15"), "food and drink but alcohol", "merverdiavgiftsloven § 5-2"},
			{Span{"2018-01-01", ""}, "NO-12", percent("12"), "rooms, transport, cinema", "merverdiavgiftsloven §§ 5-3 to 5-7"},
			{Span{"2010-01-01", ""}, "NO-0", percent("0"), "books, newspapers, exports", "merverdiavgiftsloven chapter 6"},
		},
		Rules: []Rule{
			{Span{"2010-01-01", ""}, DownPayments, TaxedOnDelivery, "Tax follows the sales document of the delivery; payment in advance is a liability.", "merverdiavgiftsloven § 15-9; bokføringsforskriften chapter 5"},
			{Span{"2010-01-01", ""}, Vouchers, AtUse, "A gift card is a payment in advance; tax is due when it is used.", "Merverdiavgiftshåndboken, on § 15-9"},
			{Span{"2010-01-01", ""}, Bottles, Untaxed, "A deposit that is paid out for an empty is no turnover.", "Merverdiavgiftshåndboken, on pant"},
			{Span{"2010-01-01", ""}, Tips, Voluntary, "Tips that guests give freely are no consideration of the shop.", "merverdiavgiftsloven § 4-1"},
			{Span{"2010-01-01", ""}, ServiceCharge, Taxed, "A charge that every guest pays is consideration.", "merverdiavgiftsloven § 4-2"},
			{Span{"2012-01-01", ""}, Meals, ByPlace, "Serving on the spot bears 25 %, food to take away 15 %.", "merverdiavgiftsloven § 5-2; FMVA § 5-2-5"},
			{Span{"2012-05-01", ""}, CashRounding, Rounded, "Cash is rounded to whole kroner: the smallest coin is one krone.", "Norges Bank: 50 øre ceased to be legal tender on 1 May 2012"},
			{Span{"2017-01-01", ""}, FiledPeriod, AmendReturn, "An error in a return is corrected by a changed return for its period.", "skatteforvaltningsloven § 9-4"},
		},
		Rounding: &books.Rounding{Step: percent("1")},
	}
}

func switzerland() Profile {
	return Profile{
		Country: "CH", Name: "Switzerland", Currency: "CHF", Exempt: "CH-AUSG",
		Taxes: []TaxSet{
			{Span{"2024-01-01", ""}, "CH-8.1", percent("8.1"), "standard rate", "MWSTG Art. 25 Abs. 1"},
			{Span{"2024-01-01", ""}, "CH-2.6", percent("2.6"), "food, books, medicines", "MWSTG Art. 25 Abs. 2"},
			{Span{"2024-01-01", ""}, "CH-3.8", percent("3.8"), "rooms with breakfast", "MWSTG Art. 25 Abs. 4"},
			{Span{"2018-01-01", "2023-12-31"}, "CH-7.7", percent("7.7"), "standard rate to 2023", "MWSTG Art. 25 Abs. 1 in the form to 2023"},
			{Span{"2018-01-01", "2023-12-31"}, "CH-2.5", percent("2.5"), "reduced rate to 2023", "MWSTG Art. 25 Abs. 2 in the form to 2023"},
			{Span{"2018-01-01", "2023-12-31"}, "CH-3.7", percent("3.7"), "rooms to 2023", "MWSTG Art. 25 Abs. 4 in the form to 2023"},
			{Span{"2010-01-01", ""}, "CH-0", percent("0"), "exports", "MWSTG Art. 23"},
		},
		Rules: []Rule{
			{Span{"2010-01-01", ""}, DownPayments, TaxedWhenPaid, "Tax on a payment in advance arises when it is taken.", "MWSTG Art. 40 Abs. 1 Bst. c"},
			{Span{"2010-01-01", ""}, Vouchers, AtUse, "A voucher for an amount is a means of payment; tax is due when it is used.", "ESTV, MWST-Info 07 on vouchers"},
			{Span{"2010-01-01", ""}, Bottles, Untaxed, "A deposit on packaging that is given back on return is no consideration.", "MWSTG Art. 18 Abs. 2 Bst. h"},
			{Span{"2010-01-01", ""}, Tips, Voluntary, "A tip beyond the price, given freely, is no consideration; service is in the price.", "ESTV, MWST-Branchen-Info 08"},
			{Span{"2010-01-01", ""}, ServiceCharge, Taxed, "A charge for service is consideration.", "MWSTG Art. 24 Abs. 1"},
			{Span{"2010-01-01", ""}, Meals, ByPlace, "Meals on the spot bear the standard rate, food to take away the reduced one.", "MWSTG Art. 25 Abs. 3"},
			{Span{"2007-01-01", ""}, CashRounding, Rounded, "Cash is rounded to five Rappen: the smallest coin.", "WZG; one-Rappen coins ceased to be legal tender on 1 January 2007"},
			{Span{"2010-01-01", ""}, FiledPeriod, AmendReturn, "Errors of a tax period are corrected, at the latest with the account of the period in which half a year after its end falls.", "MWSTG Art. 72"},
		},
		Rounding: &books.Rounding{Step: percent("0.05")},
	}
}
