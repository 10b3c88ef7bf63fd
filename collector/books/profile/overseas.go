package profile

import "tillbook.example/tillbook/collector/books"

func australia() Profile {
	return Profile{
		Country: "AU", Name: "Australia", Currency: "AUD", Exempt: "AU-INPUT-TAXED",
		Taxes: []TaxSet{
			{Span{"2000-07-01", ""}, "AU-GST", percent("10"), "goods and services tax", "GST Act 1999, section 9-70"},
			{Span{"2000-07-01", ""}, "AU-FREE", percent("0"), "GST-free: basic food, health, exports", "GST Act 1999, Division 38"},
		},
		Rules: []Rule{
			{Span{"2000-07-01", ""}, DownPayments, TaxedOnDelivery, "A security deposit is no consideration until it is applied or forfeited.", "GST Act 1999, Division 99; GSTR 2006/2"},
			{Span{"2000-07-01", ""}, Vouchers, AtUse, "A voucher for a face value is taxed when it is used.", "GST Act 1999, Division 100"},
			{Span{"2000-07-01", ""}, Bottles, AsGoods, "A container deposit is part of the price of the drink.", "GST Act 1999, section 9-75"},
			{Span{"2000-07-01", ""}, Tips, Voluntary, "A tip that is given freely and passed on is no consideration.", "GST Act 1999, section 9-15"},
			{Span{"2000-07-01", ""}, ServiceCharge, Taxed, "A charge that every guest pays is consideration; a card surcharge follows the sale.", "GST Act 1999, section 9-75; GSTR 2014/2"},
			{Span{"2000-07-01", ""}, Meals, ByPlace, "Food eaten on the premises, and hot or prepared food anywhere, is taxed; basic food to take away is GST-free.", "GST Act 1999, sections 38-3 to 38-5 and Schedule 1"},
			{Span{"1992-02-01", ""}, CashRounding, Rounded, "Cash is rounded to five cents: the smallest coin.", "Currency Act 1965, section 16 and Schedule; one- and two-cent coins were withdrawn from 1 February 1992"},
			{Span{"2012-07-01", ""}, FiledPeriod, FirstOpenDay, "An error within the limits of time and value may go on a later activity statement.", "A New Tax System (Goods and Services Tax) (Correcting GST Errors) Determination 2023"},
		},
		Rounding: &books.Rounding{Step: percent("0.05")},
	}
}

func canada() Profile {
	return Profile{
		Country: "CA", Name: "Canada", Currency: "CAD", Exempt: "CA-EXEMPT",
		Taxes: []TaxSet{
			{Span{"2008-01-01", ""}, "CA-GST-5", percent("5"), "GST", "Excise Tax Act, section 165(1)"},
			{Span{"2010-07-01", ""}, "CA-HST-13", percent("13"), "HST: Ontario", "Excise Tax Act, section 165(2) and Schedule VIII"},
			{Span{"2025-04-01", ""}, "CA-HST-14", percent("14"), "HST: Nova Scotia", "Excise Tax Act, section 165(2); Nova Scotia HST Regulations as amended for 1 April 2025"},
			{Span{"2010-07-01", ""}, "CA-HST-15", percent("15"), "HST: New Brunswick, Newfoundland and Labrador, Prince Edward Island; Nova Scotia to March 2025", "Excise Tax Act, section 165(2) and Schedule VIII"},
			{Span{"2013-01-01", ""}, "CA-QST", percent("9.975"), "QST", "Act respecting the Québec sales tax, section 16"},
			{Span{"2013-04-01", ""}, "CA-PST-7", percent("7"), "PST: British Columbia; RST: Manitoba", "Provincial Sales Tax Act (BC), section 34; Retail Sales Tax Act (MB), section 2"},
			{Span{"2017-03-23", ""}, "CA-PST-6", percent("6"), "PST: Saskatchewan", "Provincial Sales Tax Act (SK), section 5"},
			{Span{"1991-01-01", ""}, "CA-ZERO", percent("0"), "zero-rated: basic groceries, exports", "Excise Tax Act, Schedule VI"},
		},
		Rules: []Rule{
			{Span{"1991-01-01", ""}, DownPayments, TaxedOnDelivery, "A deposit is no consideration until it is applied or forfeited.", "Excise Tax Act, sections 168(9) and 182"},
			{Span{"1991-01-01", ""}, Vouchers, AtUse, "A gift certificate is no supply when sold and money when used.", "Excise Tax Act, section 181.2"},
			{Span{"2002-05-01", ""}, Bottles, Untaxed, "A refundable deposit on a beverage container bears no tax.", "Excise Tax Act, section 226; GST/HST Technical Information Bulletin B-089"},
			{Span{"1991-01-01", ""}, Tips, Voluntary, "A tip that is given freely is no consideration.", "Excise Tax Act, section 123(1), consideration"},
			{Span{"1991-01-01", ""}, ServiceCharge, Taxed, "A gratuity that is put on the bill is taxed as the meal.", "Excise Tax Act, sections 123(1) and 165"},
			{Span{"1991-01-01", ""}, Meals, ByPlace, "Prepared food is taxed, as is food sold where it is eaten; basic groceries are zero-rated.", "Excise Tax Act, Schedule VI, Part III"},
			{Span{"2013-02-04", ""}, CashRounding, Rounded, "Cash is rounded to five cents: the Mint has given out no one-cent coins since 4 February 2013.", "Department of Finance Canada, Economic Action Plan 2012: eliminating the penny"},
			{Span{"1991-01-01", ""}, FiledPeriod, AmendReturn, "A return that was filed is adjusted for its own period.", "Excise Tax Act, sections 228 and 238"},
		},
		Rounding: &books.Rounding{Step: percent("0.05")},
	}
}

func unitedStates() Profile {
	return Profile{
		Country: "US", Name: "United States", Currency: "USD", Exempt: "US-EXEMPT", ByJurisdiction: true,
		Taxes: []TaxSet{},
		Rules: []Rule{
			{Span{"2005-10-01", ""}, DownPayments, TaxedOnDelivery, "A layaway is taxed when the goods are handed over; states differ.", "ASC 606-10-45-2; state sales tax laws"},
			{Span{"2005-10-01", ""}, Vouchers, AtUse, "A gift card is a liability when sold; tax is due when it is used.", "ASC 606-10-55-46; state sales tax laws"},
			{Span{"2005-10-01", ""}, Bottles, Untaxed, "Most states keep a container deposit out of the sales price; states differ.", "state bottle bills and sales tax laws"},
			{Span{"2005-10-01", ""}, Tips, Voluntary, "A tip that the guest sets freely is no sales price; it is wages reported by the employee.", "Rev. Rul. 2012-18; state sales tax laws"},
			{Span{"2005-10-01", ""}, ServiceCharge, Taxed, "A charge that the house sets is sales price in most states, and wages where it is passed on.", "Rev. Rul. 2012-18; Streamlined Sales and Use Tax Agreement, Library of Definitions, sales price"},
			{Span{"2005-10-01", ""}, Meals, ByPlace, "Many states exempt food for home and tax prepared food.", "Streamlined Sales and Use Tax Agreement, Library of Definitions, prepared food"},
			{Span{"2005-10-01", ""}, CashRounding, NotRounded, "No federal law rounds cash; a shop that rounds sets rounding in its mapping.", "31 U.S.C. § 5103 and § 5112"},
			{Span{"2005-10-01", ""}, FiledPeriod, AmendReturn, "A filed return is amended for its own period and jurisdiction.", "state sales tax laws"},
		},
	}
}
