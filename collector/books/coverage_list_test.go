package books_test

type scenarioPart struct {
	title string
	list  []listed
}

func scenarioParts() []scenarioPart {
	return []scenarioPart{
		{"Worked entries", workedList()}, {"Sales and tax", salesList()}, {"Cash, fees and payouts", moneyList()},
		{"Time, place and recovery", recoveryList()}, {"What shops also do", moreList()},
	}
}

func workedList() []listed {
	return []listed{
		{"S1", "sale of two tax rates, split tender", "books", done, of("S1 sale of two tax rates paid by cash and card"), ""},
		{"S2", "taxes of two authorities", "books", done, of("S2 taxes of two authorities"), ""},
		{"S3", "discount", "books", done, of("S3 discount shown apart", "S3 discount netted"), ""},
		{"S4", "tip on a card", "books", done, of("S4 tip on a card paid out of the till"), ""},
		{"S5", "mandatory service charge", "books", done, of("S5 service charge that goes to staff"), ""},
		{"S6", "surcharge for card use", "books", done, of("S6 surcharge for a card"), ""},
		{"S7", "delivery charged", "books", done, of("S7 delivery charged"), ""},
		{"S8", "gift card sold, used; breakage; payment-enabled accounts", "books", done,
			of("S8 gift card sold and used", "8 gift card redeemed on a line", "S8 breakage"), ""},
		{"S9", "promotional gift card", "books", done, of("S9 promotional card is a discount", "17 promotional card that the till takes as a payment"), ""},
		{"S10", "refund of an earlier day's sale", "books", done, of("S10 refund in cash", "S10 refund to store credit"), ""},
		{"S11", "exchange with a difference", "books", done, of("S11 exchange with a difference"), ""},
		{"S12", "sale on account, then paid", "books", done, of("S12 sale on account, paid later", "12 debt created and settled on lines"), ""},
		{"S13", "payment fee billed, returned, under reverse charge", "books", done,
			of("S13 fee billed by the provider, paid out of clearing", "S13 fee returned with a refund", "S13 fee with tax under reverse charge"), ""},
		{"S14", "payout to the bank", "books", done, of("S14 payout to the bank", "S14 payout left to the bank feed"), ""},
		{"S15", "failed payout", "books", done, of("S15 payout that failed"), ""},
		{"S16", "payout across a month end", "books", done, of("S16 payout over the end of a month"), ""},
		{"S17", "reserve held by the provider", "books", done, of("S17 reserve held back"), ""},
		{"S18", "chargeback opened, won, lost", "books", done, of("S18 dispute opened", "S18 dispute won", "S18 dispute lost"), ""},
		{"S19", "merchant advance and repayment", "books", done,
			and(of("S19 cash advance and a repayment"), at("collector/books", "TestTheSharesOfALoansCostAddUpToIt")), ""},
		{"S20", "float, paid-out, drop, over and short", "books", done, of("S20 float, paid out, short, banked", "20 banking left to the bank feed"), ""},
		{"S21", "cash rounding", "books", done, of("S21 cash rounding on a line", "S21 cash rounding that the till does not state"), ""},
		{"S22", "tax rounding, and a target that recomputes", "books", done,
			and(of("S22 the tax the till printed stands"), at("collector/target/xero", "TestAJournalsTaxIsXerosAndTheDifferenceIsItsOwnLine")), ""},
		{"S23", "layaway and its cancellation", "books", done, of("S23 layaway paid in parts", "S23 layaway cancelled with a fee", "S23 untaxed down payment"), ""},
		{"S24", "order by a marketplace that remits the tax", "books", done,
			of("S24 order by a marketplace that remits the tax", "S24 tax that a marketplace remits"), ""},
		{"S25", "overpayment kept as credit", "books", done, of("S25 overpayment kept as credit"), ""},
		{"S26", "loyalty points of the shop", "books", done, of("S26 loyalty points of the shop"), ""},
		{"S27", "cost of goods sold", "books", done, and(of("S27 cost of goods sold"), at("collector/books", "TestGoodsWithoutACostAreListed")), ""},
		{"S28", "foreign sale paid out in home currency", "books", done, of("S28 sale in euros paid out in pounds"), ""},
		{"S29", "void the same day, and later", "books", done, of("S29 void on the same day", "S29 void of a sale that the till marks", "S29 void of an earlier day"), ""},
		{"S30", "tender of a closed sale changed", "books", done, of("S30 tender of a closed sale corrected"), ""},
		{"S31", "cashback", "books", done, of("S31 cashback"), ""},
	}
}

func salesList() []listed {
	return []listed{
		{"1", "three rates, cash and card, one day", "books", done, of("1 three rates on three receipts are a line for each"), ""},
		{"2", "tax in prices, lines that round off the till", "books", done,
			and(of("2 prices with tax whose lines round another way"), at("collector/reconcile", "TestPrintedTaxThatIsNotRateTimesBaseIsExplained")), ""},
		{"3", "tax on tax, two authorities", "books", done,
			and(of("3 a tax on a tax", "S2 taxes of two authorities"), at("collector/books", "TestTheBaseOfATaxOnATaxIsNotDoubled")), ""},
		{"4", "discount on the order over mixed rates", "books", done,
			and(of("4 discount on the whole receipt over two rates"), at("shared/money", "func ExampleSplit")), ""},
		{"5", "staff meal, 100 % discount", "books", done, of("5 staff meal given away"), ""},
		{"6", "tax-exempt customer", "books", done,
			and(of("6 exempt customer"), at("collector/books", "TestLinesWithoutTaxAreNeverZeroRatedByAccident")), ""},
		{"7", "rate changes at midnight", "books", done, of("7 a rate that changes at midnight"), ""},
		{"8", "weighed goods", "books", done, of("8 weighed goods as the ticket prints them"), ""},
		{"9", "tip adjusted after authorisation", "books", done, of("9 tip known when the batch closes"), ""},
		{"10", "tips paid from the drawer at night", "books", done, of("S4 tip on a card paid out of the till"), ""},
		{"11", "service charge and tip in one bill", "books", done, of("11 service charge and tip on one bill"), ""},
		{"12", "card surcharge", "books", done, of("S6 surcharge for a card"), ""},
		{"13", "gift card sold alone", "books", done, of("S8 gift card sold and used"), ""},
		{"14", "gift card used in part", "books", done, of("S8 gift card sold and used"), ""},
		{"15", "refund to a gift card", "books", done, of("15 refund of a card sale to a gift card"), ""},
		{"16", "gift card used at another shop or company", "books", done,
			and(of("16 gift card used in a sister shop"), at("collector/books", "TestDimensionsOfTheBooksTakeTheTillsWordOrWhatItStandsFor")), ""},
		{"17", "promotional card", "books", done, of("S9 promotional card is a discount", "17 promotional card that the till takes as a payment"), ""},
		{"18", "some lines refunded the next day", "books", done, of("18 some lines come back the next day"), ""},
		{"19", "refund by another way", "books", done, of("19 refund by another way than it was paid"), ""},
		{"20", "more refunds than sales", "books", done,
			and(of("20 more returned than sold"), at("collector/target/xero", "TestXeroPassesTheConformanceSuite"), at("collector/target/quickbooks", "TestQuickBooksPassesTheConformanceSuite")), ""},
		{"21", "exchange", "books", done, of("S11 exchange with a difference"), ""},
		{"22", "void before posting, and three days later", "books, posting", done,
			and(of("S29 void on the same day", "S29 void of an earlier day"), at("collector/posting", "TestADayIsPostedAndThenOnlyWhatChanged")), ""},
		{"23", "void after the lock date", "posting", done, and(of("S29 void of an earlier day"), at("collector/posting", "TestAHeldDayIsBookedOnTheNextOpenDayOnceThatIsChosen")), ""},
		{"24", "training, no-sale, suspended", "books, reconcile", done,
			and(of("62 day without trade"), at("collector/reconcile", "TestNumbersOfWhatIsNoSaleAreAccountedFor")), ""},
	}
}

func moneyList() []listed {
	return []listed{
		{"25", "split tender with change", "books", done, of("25 change is not takings"), ""},
		{"26", "cash rounding to any step", "books, reconcile", done,
			and(of("S21 cash rounding that the till does not state"), at("collector/books", "TestRoundingByMethod"),
				at("collector/reconcile", "TestCashRoundingWithinTheStepIsNoDifference")), ""},
		{"27", "float, paid-in, paid-out; unmapped reason", "books", done, of("S20 float, paid out, short, banked", "27 reason that is not mapped"), ""},
		{"28", "blind count over and short", "reconcile, books", done,
			and(of("28 over in one drawer, short in another"), at("collector/reconcile", "TestACountThatIsShortIsExplainedAndGoesToOverShort")), ""},
		{"29", "drop and bank deposit two days later", "books, feed", partly, of("S20 float, paid out, short, banked", "29 bag credited by the bank"), noFeed},
		{"30", "a new tender", "books, day", done,
			and(of("30 tender that is not mapped", "30 tender that is not mapped, on suspense", "30 tender that was mapped since"),
				at("collector/day", "TestAMissingMappingHoldsTheDayWithOneQuestion")), ""},
		{"31", "sale on account and its payment", "books", done, of("S12 sale on account, paid later"), ""},
		{"32", "layaway by country", "books", done, of("S23 layaway paid in parts", "S23 layaway cancelled with a fee", "66 taxed down payment taken"), ""},
		{"33", "foreign cash, change in home currency", "books", done, of("71 foreign cash taken, change in home currency", "71 foreign cash banked"), ""},
		{"34", "cashback", "books", done, of("S31 cashback"), ""},
		{"35", "payout of three days", "books, feed", partly, of("35 payout of three days"), noFeed},
		{"36", "payout over a month end", "books, feed", partly, of("S16 payout over the end of a month"), noFeed},
		{"37", "failed payout sent again", "books, feed", partly, of("37 failed payout sent again"), noFeed},
		{"38", "fees billed monthly", "books, feed", partly, of("38 fees billed monthly are paid at the bank"), noFeed},
		{"39", "chargeback won, lost", "books, feed", partly, of("S18 dispute opened", "S18 dispute won", "S18 dispute lost", "39 dispute lost where the tax comes back"), noFeed},
		{"40", "repayment withheld from takings", "books, feed", partly, of("S19 cash advance and a repayment"), noFeed},
		{"41", "clearing unmoved, payout without sales", "feed", open, nil, "feeds and their alerts"},
		{"42", "delivery with tax remitted by the marketplace", "books, feed", partly, of("S24 order by a marketplace that remits the tax"), noFeed},
	}
}

func recoveryList() []listed {
	return []listed{
		{"43", "bar open to 03:00; days of 23 and 25 hours", "day", done,
			and(at("shared/bizday", "TestASaleAfterMidnightBelongsToTheDayBefore"), at("collector/day", "TestEveryInstantIsInExactlyOneDayAlsoWhenTheClocksChange")), ""},
		{"44", "two locations, two zones, one set of books", "day", done, and(at("shared/bizday", "TestEveryInstantBelongsToExactlyOneDayAndDaysFollowOneAnother"),
			at("collector/app", "TestScenario44TwoStoresInTwoZonesHaveADayEachThatClosesByItsOwnClock")), ""},
		{"45", "terminal clock wrong", "day", partly,
			and(at("collector/app", "TestScenario45AReceiptThatAWrongClockPutsOnAnotherDayIsOfTheDayOfItsZ"), at("collector/day", "TestDocumentsAreOfTheDayOfTheirPeriodCloseUnlessItSpansSeveral")),
			"an alarm on a till's clock; the skew of the computer beside it is a metric"},
		{"46", "one of two tills closes late", "day", done,
			at("collector/day", "TestWhatIsMissingAtTheDeadlineIsNamedInTheEntry", "TestALateDocumentIsBookedAsItsDayWas"), ""},
		{"47", "line down for nine days", "outbox, intake, day", partly,
			and(at("internal/line", "TestEachSaleArrivesOnceOverABadLine"), at("collector/posting", "TestADayIsPostedAndThenOnlyWhatChanged")), "one run of nine days and 40,000 sales to the end"},
		{"48", "power cut at the edge", "outbox", done,
			and(at("agent/outbox", "TestAcknowledgedGroupsSurvivePowerCutsWithManyProducers"), at("agent/outbox", "TestAnIdempotencyKeyMakesOneRecordAlsoAfterARestart")), ""},
		{"49", "disk nearly full", "outbox", done, at("agent/outbox", "TestAtTheHardMarkRecordsWaitAndStateGoesOn", "TestAFullDiskRefusesThenGoesOn"), ""},
		{"50", "agent restored from an old image", "uplink, intake", done, at("acceptance", "TestAnAgentFolderRestoredFromACopyLosesAndDoublesNothing"), ""},
		{"51", "restart between written and marked written", "posting", done, at("collector/posting", "TestALostAnswerIsLookedUpAndAdopted", "TestScenario51ACollectorThatDiesBetweenBookedAndNotedFindsItsDocument"), ""},
		{"52", "429, 5xx, timeout after success", "posting, target", done, at("collector/posting", "TestScenario52TroubleOfTheSystemIsTriedAgainAsItWas", "TestARestThatTheTargetAsksForIsKept"), ""},
		{"53", "invoice written, payment refused", "target", done, at("collector/target/xero", "TestScenario53OnlyThePaymentThatIsMissingIsSentAgain"), ""},
		{"54", "token expired, user removed", "target", partly, at("collector/posting", "TestScenario54AnEndedConnectionWaitsAndGoesOnAfterItIsConnectedAgain"), "connecting by a page, and the status there"},
		{"55", "account archived, tax rate deleted", "posting", done, at("collector/posting", "TestScenario55AnArchivedAccountStopsThatDayNamesItAndGoesOnWhenItIsBack", "TestScenario55ARemappedAccountGoesOnByItself"), ""},
		{"56", "books locked while a day is pending", "posting", partly, at("collector/posting", "TestScenario56ADayInClosedBooksIsHeldOrBookedOnTheNextOpenDay", "TestScenario56TheBooksOwnLockHoldsADay"), "as a draft"},
		{"57", "31 days of errors", "day", partly,
			and(at("collector/day", "TestAMerchantIsWarnedOfAndStoppedAfter31FailingDays"), at("collector/cli", "TestAMerchantIsPausedAndResumedFromADayByCommands")),
			"notices other than the log, a metric and what `days` says"},
		{"58", "start date moved back over posted days", "day, posting", done,
			and(at("collector/app", "TestScenario58AStartThatIsMovedBackOpensEarlierDaysAndLeavesPostedOnesAlone"), at("collector/posting", "TestEachReferenceIsBookedOnceAndTheSumIsTheNewestEntry")), ""},
		{"59", "our document edited in the books", "audit", partly, and(at("collector/target/text", "TestAnEditShowsWhenReadBack"), at("collector/posting", "TestScenario59WhatAPersonDidToOurDocumentShowsWhenItIsReadBack")), "a choice of restore, accept, ignore"},
		{"60", "mapping changed", "merchant, posting", done,
			and(at("collector/merchant", "TestTheMappingOfADayIsTheLatestThatHasBegun"), at("collector/day", "TestTheReasonOfAnEntrySaysWhyItWasMade"),
				at("collector/posting", "TestPostingsOfDifferencesAlwaysAddUpToTheNewestEntry")), ""},
		{"61", "a second connector at the same shop", "posting", partly, at("collector/target/xero", "TestScenario61ADocumentOfAnotherConnectorWithTheSameDayTotalIsSeen"), "the warning that a person sees"},
		{"62", "day without trade", "books, day, posting", done,
			and(of("62 day without trade"), at("collector/day", "TestADayWithoutTradeHasAnEntryWithoutLines", "TestADayWithoutTradeIsOpenedOnceEveryAgentHasSentAllOfIt"), at("collector/posting", "TestAnEntryThatMovesNothingIsCompleteWithoutAPosting")), ""},
		{"63", "from a line to its sales and back", "books, pages", partly,
			at("collector/books", "TestEveryDocumentThatMovesMoneyIsFoundFromItsLinesAndBack"), "pages"},
		{"64", "historic import of 14 months", "day, posting", partly,
			at("collector/day", "TestAMerchantThatCatchesUpClosesItsOldestDaysFirstAndABoundedNumberInAPass"), "throttling of postings; today's day before the rest of the merchant's own"},
	}
}

func moreList() []listed {
	return []listed{
		{"65", "single-purpose voucher", "books", done, of("65 single-purpose voucher sold", "65 single-purpose voucher used"), ""},
		{"66", "down payment taxed when taken", "books", done, of("66 taxed down payment taken", "66 taxed down payment collected", "66 taxed down payment cancelled"), ""},
		{"67", "lottery", "books", done, of("67 lottery sold, prize paid, commission kept"), ""},
		{"68", "bottle deposits", "books", done, of("68 bottle deposits"), ""},
		{"69", "petty cash with and without a tax receipt", "books", done, of("69 petty cash with a tax receipt", "69 petty cash without a tax receipt"), ""},
		{"70", "invoice paid at the till", "books", done, and(of("70 invoice paid at the till", "70 invoice paid at the bank"), at("collector/books", "TestAPaymentOfAnInvoiceNamesIt")), ""},
		{"71", "foreign cash taken and banked", "books", done, of("71 foreign cash taken, change in home currency", "71 foreign cash banked"), ""},
		{"72", "rung up as card, paid in cash", "reconcile, books", done,
			and(of("72 rung up as card, paid in cash"), at("collector/reconcile", "TestACardBatchThatIsShortByWhatADrawerIsOverIsAWrongTender")), ""},
		{"73", "delivery order with commission and its tax", "books, feed", partly, of("73 delivery order with a commission and its tax"), noFeed},
		{"74", "late sale for a filed period", "profile, posting", partly, and(at("collector/books/profile", "TestLateFactsForAFiledPeriodWaitWhereTheReturnIsAmended"), at("collector/posting", "TestScenario74ALateSaleOfAFiledPeriodFollowsTheLawOfTheCountry")), "the total of corrections"},
		{"75", "receipt that another system invoices", "books", done, of("75 receipt that another system invoices"), ""},
		{"76", "bill split in three, a part moved", "books", done, of("76 bill split in three, one part moved"), ""},
		{"77", "exempt and facilitator sales by jurisdiction", "books", done,
			at("collector/books", "TestExemptAndFacilitatorSalesAreReportedByJurisdictionWithoutTax", "TestWhatAJurisdictionReportsAddsUpAndIsTheTaxThatIsBooked"), ""},
		{"78", "Z forgotten, the next spans two days", "day, reconcile", partly,
			and(at("collector/app", "TestScenario78AZThatWasForgottenClosesTwoDaysOverTheEndOfAMonth"), at("collector/reconcile", "TestAZThatSpansTwoDaysIsProvenOverTheReceiptsOfBoth")),
			"the cash of a drawer that was not counted on the first of the days"},
	}
}
