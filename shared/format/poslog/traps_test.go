package poslog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/money"
)

// wrap puts the inside of a transaction into a file.
func wrap(inside string) string {
	return `<POSLog><Transaction><RetailStoreID>S</RetailStoreID><WorkstationID>1</WorkstationID><SequenceNumber>7</SequenceNumber>` +
		`<BusinessDayDate>2026-03-02</BusinessDayDate><EndDateTime>2026-03-02T10:00:00</EndDateTime><OperatorID OperatorName="Jane Doe">12</OperatorID>` +
		`<CurrencyCode>GBP</CurrencyCode>` + inside + `</Transaction></POSLog>`
}

// retail is a file of one RetailTransaction; each argument is a LineItem's
// inside or, beginning with <Total or <LineItem, an element of its own.
func retail(parts ...string) string {
	var b strings.Builder
	b.WriteString("<RetailTransaction>")
	for _, p := range parts {
		if strings.HasPrefix(p, "<Total ") || strings.HasPrefix(p, "<LineItem") || strings.HasPrefix(p, "<TransactionLink") {
			b.WriteString(p)
			continue
		}
		b.WriteString("<LineItem>" + p + "</LineItem>")
	}
	b.WriteString("</RetailTransaction>")
	return wrap(b.String())
}

func sale(id, amount string) string {
	return `<Sale><ItemID>` + id + `</ItemID><ExtendedAmount>` + amount + `</ExtendedAmount><Quantity>1</Quantity></Sale>`
}

func voided(inside string) string { return `<LineItem VoidFlag="true">` + inside + `</LineItem>` }

func cash(amount string) string {
	return `<Tender TenderType="Cash"><Amount>` + amount + `</Amount></Tender>`
}

func grand(amount string) string {
	return `<Total TotalType="TransactionGrandAmount">` + amount + `</Total>`
}

// one reads a file of one transaction.
func one(t *testing.T, file string, options ...format.Options) *document.Document {
	t.Helper()
	var o format.Options
	if len(options) > 0 {
		o = options[0]
	}
	r, err := New(strings.NewReader(file), o)
	if err != nil {
		t.Fatal(err)
	}
	results := all(t, r)
	if len(results) != 1 {
		t.Fatalf("%d results, want one: %+v", len(results), results)
	}
	if results[0].Refused != nil {
		t.Fatalf("refused: %v", results[0].Refused)
	}
	return results[0].Document
}

// summary is a receipt in short: lines, tenders, gross, differences.
type summary struct {
	Kind    document.Kind
	State   document.State
	Lines   []string // kind extended[ adjustments][ taxes]
	Tenders []string // kind direction amount
	Gross   string
	Off     bool // it has differences
}

func summarise(d *document.Document) summary {
	s := summary{Kind: d.Kind, State: d.State, Off: len(d.Totals.Differences) > 0}
	for _, l := range d.Lines {
		text := string(l.Kind) + " " + l.Extended.String()
		for _, a := range l.Adjustments {
			text += " " + string(a.Kind) + a.Amount.String()
		}
		for _, tax := range l.Taxes {
			text += " " + tax.Code + ":" + tax.Base.String() + "+" + tax.Amount.String()
		}
		s.Lines = append(s.Lines, text)
	}
	for _, row := range d.Tenders {
		text := string(row.Kind) + " " + string(row.Direction) + " " + row.Amount.String()
		if row.Tip != 0 {
			text += " tip " + row.Tip.String()
		}
		s.Tenders = append(s.Tenders, text)
	}
	if d.Totals.Computed != nil {
		s.Gross = d.Totals.Computed.Gross.String()
	}
	return s
}

func TestReceiptsAreReadAsTheirDialectsMeanThem(t *testing.T) {
	t.Parallel()
	vat := func(code, base, amount, rate string) string {
		return `<Tax TaxType="VAT"><TaxGroupID>` + code + `</TaxGroupID><TaxableAmount>` + base + `</TaxableAmount><Amount>` + amount + `</Amount><Percent>` + rate + `</Percent></Tax>`
	}
	tests := map[string]struct {
		file string
		want summary
	}{
		"change inside the tender is a row of its own": {
			retail(sale("A", "17.50"), `<Tender TenderType="Cash"><Amount>20.00</Amount><TenderChange><Amount>2.50</Amount></TenderChange></Tender>`, grand("17.50")),
			summary{Kind: "SALE", Lines: []string{"ITEM 17.50"}, Tenders: []string{"CASH PAID 20.00", "CASH CHANGE -2.50"}, Gross: "17.50"},
		},
		"change as a line of its own": {
			retail(sale("A", "17.50"), cash("20.00"), `<TenderChange TenderType="Cash"><Amount>2.50</Amount></TenderChange>`, grand("17.50")),
			summary{Kind: "SALE", Lines: []string{"ITEM 17.50"}, Tenders: []string{"CASH PAID 20.00", "CASH CHANGE -2.50"}, Gross: "17.50"},
		},
		"change as a negative tender": {
			retail(sale("A", "17.50"), cash("20.00"), cash("-2.50"), grand("17.50")),
			summary{Kind: "SALE", Lines: []string{"ITEM 17.50"}, Tenders: []string{"CASH PAID 20.00", "CASH CHANGE -2.50"}, Gross: "17.50"},
		},
		"cash-back on a card": {
			retail(sale("A", "20.00"), `<Tender TenderType="CreditDebit"><Amount>50.00</Amount><Cashback>30.00</Cashback><CreditDebit CardType="Debit"/></Tender>`, grand("20.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 20.00"}, Tenders: []string{"CARD_DEBIT PAID 50.00", "CASH CASHBACK -30.00"}, Gross: "20.00"},
		},
		"a line and its negative counter line are both left out": {
			retail(sale("A", "5.00"), sale("B", "3.00"), voided(sale("A", "-5.00")), cash("3.00"), grand("3.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 3.00"}, Tenders: []string{"CASH PAID 3.00"}, Gross: "3.00"},
		},
		"a line flagged itself, with its counter line, counts for nothing once": {
			retail(voided(sale("A", "5.00")), sale("A", "5.00"), voided(sale("A", "-5.00")), cash("5.00"), grand("5.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 5.00"}, Tenders: []string{"CASH PAID 5.00"}, Gross: "5.00"},
		},
		"a flagged positive line alone is left out": {
			retail(voided(sale("A", "5.00")), sale("B", "3.00"), cash("3.00"), grand("3.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 3.00"}, Tenders: []string{"CASH PAID 3.00"}, Gross: "3.00"},
		},
		"a return and its taking back": {
			retail(sale("B", "3.00"), `<Return><ItemID>A</ItemID><ExtendedAmount>12.00</ExtendedAmount></Return>`,
				voided(`<Return><ItemID>A</ItemID><ExtendedAmount>12.00</ExtendedAmount></Return>`), cash("3.00"), grand("3.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 3.00"}, Tenders: []string{"CASH PAID 3.00"}, Gross: "3.00"},
		},
		"a return and its taking back, with signs": {
			retail(sale("B", "3.00"), `<Return><ItemID>A</ItemID><ExtendedAmount>-12.00</ExtendedAmount><Quantity>-1</Quantity></Return>`,
				voided(`<Return><ItemID>A</ItemID><ExtendedAmount>12.00</ExtendedAmount></Return>`), cash("3.00"), grand("3.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 3.00"}, Tenders: []string{"CASH PAID 3.00"}, Gross: "3.00"},
		},
		"a return that is flagged itself": {
			retail(sale("B", "3.00"), voided(`<Return><ItemID>A</ItemID><ExtendedAmount>12.00</ExtendedAmount></Return>`), cash("3.00"), grand("3.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 3.00"}, Tenders: []string{"CASH PAID 3.00"}, Gross: "3.00"},
		},
		"a part of a line that is taken back nets": {
			retail(`<Sale><ItemID>A</ItemID><ExtendedAmount>9.00</ExtendedAmount><Quantity>3</Quantity></Sale>`,
				voided(`<Sale><ItemID>A</ItemID><ExtendedAmount>-3.00</ExtendedAmount><Quantity>-1</Quantity></Sale>`), cash("6.00"), grand("6.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 9.00", "ITEM -3.00"}, Tenders: []string{"CASH PAID 6.00"}, Gross: "6.00"},
		},
		"a tender that is taken back": {
			retail(sale("A", "5.00"), `<Tender TenderType="Check"><Amount>5.00</Amount></Tender>`,
				voided(`<Tender TenderType="Check"><Amount>-5.00</Amount></Tender>`), cash("5.00"), grand("5.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 5.00"}, Tenders: []string{"CASH PAID 5.00"}, Gross: "5.00"},
		},
		"everything taken back": {
			retail(sale("A", "5.00"), voided(sale("A", "-5.00"))),
			summary{Kind: "CANCELLED", State: "VOIDED"},
		},
		"a return with positive amounts": {
			retail(`<Return><ItemID>A</ItemID><ExtendedAmount>12.00</ExtendedAmount><Quantity>1</Quantity>`+vat("A", "10.00", "2.00", "20")+`</Return>`,
				`<Tender TenderType="Cash" TypeCode="Refund"><Amount>12.00</Amount></Tender>`, grand("-12.00")),
			summary{Kind: "RETURN", Lines: []string{"ITEM -12.00 A:-10.00+-2.00"}, Tenders: []string{"CASH REFUND -12.00"}, Gross: "-12.00"},
		},
		"a sale of a negative quantity with a positive amount": {
			retail(`<Sale><ItemID>A</ItemID><ExtendedAmount>12.00</ExtendedAmount><Quantity>-1</Quantity></Sale>`, cash("-12.00"), grand("-12.00")),
			summary{Kind: "RETURN", Lines: []string{"ITEM -12.00"}, Tenders: []string{"CASH REFUND -12.00"}, Gross: "-12.00"},
		},
		"an exchange": {
			retail(sale("B", "60.00"), `<Return><ItemID>A</ItemID><ExtendedAmount>-48.00</ExtendedAmount><Quantity>-1</Quantity></Return>`, cash("12.00"), grand("12.00")),
			summary{Kind: "EXCHANGE", Lines: []string{"ITEM 60.00", "ITEM -48.00"}, Tenders: []string{"CASH PAID 12.00"}, Gross: "12.00"},
		},
		"a discount whose regular price shows that the amount is before it": {
			retail(`<Sale><ItemID>A</ItemID><RegularSalesUnitPrice>10.00</RegularSalesUnitPrice><ExtendedAmount>20.00</ExtendedAmount><ExtendedDiscountAmount>3.00</ExtendedDiscountAmount><Quantity>2</Quantity></Sale>`, cash("17.00"), grand("17.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 20.00 DISCOUNT-3.00"}, Tenders: []string{"CASH PAID 17.00"}, Gross: "17.00"},
		},
		"a discount whose regular price shows that the amount is after it": {
			retail(`<Sale><ItemID>A</ItemID><RegularSalesUnitPrice>10.00</RegularSalesUnitPrice><ExtendedAmount>17.00</ExtendedAmount><ExtendedDiscountAmount>3.00</ExtendedDiscountAmount><Quantity>2</Quantity></Sale>`, cash("17.00"), grand("17.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 20.00 DISCOUNT-3.00"}, Tenders: []string{"CASH PAID 17.00"}, Gross: "17.00"},
		},
		"a discount of which only the receipt's total tells": {
			retail(`<Sale><ItemID>A</ItemID><ExtendedAmount>17.00</ExtendedAmount><ExtendedDiscountAmount>3.00</ExtendedDiscountAmount><Quantity>2</Quantity></Sale>`, cash("17.00"), grand("17.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 20.00 DISCOUNT-3.00"}, Tenders: []string{"CASH PAID 17.00"}, Gross: "17.00"},
		},
		"a discount row that repeats the items' shares": {
			retail(`<Sale><ItemID>A</ItemID><ExtendedAmount>10.00</ExtendedAmount><ExtendedDiscountAmount>1.00</ExtendedDiscountAmount><Quantity>1</Quantity></Sale>`,
				`<Discount><Amount>1.00</Amount></Discount>`, cash("9.00"), grand("9.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 10.00 DISCOUNT-1.00"}, Tenders: []string{"CASH PAID 9.00"}, Gross: "9.00"},
		},
		"a discount row that repeats shares marked as such, without any total": {
			retail(`<Sale><ItemID>A</ItemID><RegularSalesUnitPrice>10.00</RegularSalesUnitPrice><ExtendedAmount>10.00</ExtendedAmount><Quantity>1</Quantity><RetailPriceModifier><Amount Action="Subtract">1.00</Amount>`+
				`<PriceDerivationRule ApplicationType="Total"/></RetailPriceModifier></Sale>`, `<Discount><Amount>1.00</Amount></Discount>`),
			summary{Kind: "SALE", Lines: []string{"ITEM 10.00 DISCOUNT-1.00"}, Gross: "9.00", Off: true},
		},
		"tax on the items and their sum in a row of another code": {
			retail(`<Sale><ItemID>A</ItemID><ExtendedAmount>12.00</ExtendedAmount><Quantity>1</Quantity>`+vat("A", "10.00", "2.00", "20")+`</Sale>`,
				vat("ALL", "10.00", "2.00", "20"), cash("12.00"), grand("12.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 12.00 A:10.00+2.00"}, Tenders: []string{"CASH PAID 12.00"}, Gross: "12.00"},
		},
		"a discount on the receipt is spread by largest remainder": {
			retail(sale("A", "10.00"), sale("B", "10.00"), sale("C", "10.00"), `<Discount><Amount>1.00</Amount></Discount>`, cash("29.00"), grand("29.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 10.00 DISCOUNT-0.34", "ITEM 10.00 DISCOUNT-0.33", "ITEM 10.00 DISCOUNT-0.33"}, Tenders: []string{"CASH PAID 29.00"}, Gross: "29.00"},
		},
		"tax on the items and again in rows of its own counts once": {
			retail(`<Sale><ItemID>A</ItemID><ExtendedAmount>12.00</ExtendedAmount><Quantity>1</Quantity>`+vat("A", "10.00", "2.00", "20")+`</Sale>`,
				vat("A", "10.00", "2.00", "20"), cash("12.00"), grand("12.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 12.00 A:10.00+2.00"}, Tenders: []string{"CASH PAID 12.00"}, Gross: "12.00"},
		},
		"tax rows are spread over the items of their group": {
			retail(`<Sale><ItemID>A</ItemID><TaxGroupID>A</TaxGroupID><ExtendedAmount>12.00</ExtendedAmount><Quantity>1</Quantity></Sale>`,
				`<Sale><ItemID>B</ItemID><TaxGroupID>A</TaxGroupID><ExtendedAmount>6.00</ExtendedAmount><Quantity>1</Quantity></Sale>`,
				`<Sale><ItemID>C</ItemID><TaxGroupID>Z</TaxGroupID><ExtendedAmount>5.00</ExtendedAmount><Quantity>1</Quantity></Sale>`,
				vat("A", "15.00", "3.00", "20"), vat("Z", "5.00", "0.00", "0"), cash("23.00"), grand("23.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 12.00 A:10.00+2.00", "ITEM 6.00 A:5.00+1.00", "ITEM 5.00 Z:5.00+0.00"}, Tenders: []string{"CASH PAID 23.00"}, Gross: "23.00"},
		},
		"sales tax on top": {
			retail(sale("A", "10.00"), sale("B", "5.00"), `<Tax TaxType="Sales"><TaxableAmount>15.00</TaxableAmount><Amount>1.20</Amount><Percent>8</Percent></Tax>`, cash("16.20"), grand("16.20")),
			summary{Kind: "SALE", Lines: []string{"ITEM 10.00 Sales:10.00+0.80", "ITEM 5.00 Sales:5.00+0.40"}, Tenders: []string{"CASH PAID 16.20"}, Gross: "16.20"},
		},
		"a taxable amount that contains the tax, whatever its flag": {
			retail(`<Sale><ItemID>A</ItemID><ExtendedAmount>12.00</ExtendedAmount><Quantity>1</Quantity><Tax TaxType="VAT"><TaxGroupID>A</TaxGroupID><TaxableAmount TaxIncludedInTaxableAmountFlag="false">12.00</TaxableAmount><Amount>2.00</Amount><Percent>20</Percent></Tax></Sale>`, cash("12.00"), grand("12.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 12.00 A:10.00+2.00"}, Tenders: []string{"CASH PAID 12.00"}, Gross: "12.00"},
		},
		"a gift card sold and another used": {
			retail(sale("A", "12.00"), `<Sale ItemType="GiftCertificate"><ItemID>GC</ItemID><SerialNumber>99887766</SerialNumber><ExtendedAmount>50.00</ExtendedAmount><Quantity>1</Quantity></Sale>`,
				`<Tender TenderType="GiftCertificate"><Amount>12.00</Amount></Tender>`, cash("50.00"), grand("62.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 12.00", "VOUCHER_SELL 50.00"}, Tenders: []string{"GIFT_CARD PAID 12.00", "CASH PAID 50.00"}, Gross: "62.00"},
		},
		"a tip inside the total is a line": {
			retail(sale("A", "20.00"), `<Tip><Amount>3.00</Amount></Tip>`, cash("23.00"), grand("23.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 20.00", "TIP_STAFF 3.00"}, Tenders: []string{"CASH PAID 23.00"}, Gross: "23.00"},
		},
		"a tip outside the total stands on the tender": {
			retail(sale("A", "20.00"), `<Tip><Amount>3.00</Amount></Tip>`, cash("23.00"), grand("20.00")),
			summary{Kind: "SALE", Lines: []string{"ITEM 20.00"}, Tenders: []string{"CASH PAID 23.00 tip 3.00"}, Gross: "20.00"},
		},
		"a payment on account": {
			retail(`<PaymentOnAccount><Amount>40.00</Amount></PaymentOnAccount>`, cash("40.00"), grand("40.00")),
			summary{Kind: "ACCOUNT_PAYMENT", Lines: []string{"DEBT_SETTLE 40.00"}, Tenders: []string{"CASH PAID 40.00"}, Gross: "40.00"},
		},
		"rounding that a till books as a tender": {
			retail(sale("A", "19.98"), cash("20.00"), `<Tender TenderType="X:Rounding"><Amount>-0.02</Amount></Tender>`, grand("19.98")),
			summary{Kind: "SALE", Lines: []string{"ITEM 19.98", "CASH_ROUNDING 0.02"}, Tenders: []string{"CASH PAID 20.00"}, Gross: "19.98"},
		},
		"a receipt that does not add up travels with its difference": {
			retail(sale("A", "10.00"), cash("11.00"), grand("10.50")),
			summary{Kind: "SALE", Lines: []string{"ITEM 10.00"}, Tenders: []string{"CASH PAID 11.00"}, Gross: "10.00", Off: true},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.want.State == "" {
				test.want.State = document.Completed
			}
			d := one(t, test.file)
			if diff := cmp.Diff(test.want, summarise(d)); diff != "" {
				t.Errorf("(-want +got):\n%s\ndifferences %v", diff, d.Totals.Differences)
			}
		})
	}
}

func TestTheSameRewardInDetailAndSummaryCountsOnce(t *testing.T) {
	t.Parallel()
	reward := func(flags, promotion, amount string) string {
		return `<LoyaltyReward ` + flags + `><PromotionID>` + promotion + `</PromotionID><EventID>1</EventID><RewardCategory>Monetary</RewardCategory><ExtendedRewardAmount>` + amount + `</ExtendedRewardAmount></LoyaltyReward>`
	}
	message := `<LoyaltyReward detailedData="true"><PromotionID>9</PromotionID><RewardCategory>CustomOffer</RewardCategory><ExtendedRewardAmount>1</ExtendedRewardAmount></LoyaltyReward>`
	for name, test := range map[string]struct {
		rewards []string
		want    string
	}{
		"two details and their summary":       {[]string{reward(`detailedData="true"`, "5", "-1.00"), reward(`detailedData="true"`, "5", "-0.50"), reward(`summarizedActivity="true"`, "5", "-1.50")}, "-1.50"},
		"a summary alone":                     {[]string{reward(`summarizedActivity="true"`, "5", "-1.50")}, "-1.50"},
		"one row that is both":                {[]string{reward(`detailedData="true" summarizedActivity="true"`, "5", "-1.50")}, "-1.50"},
		"details that miss a part of the sum": {[]string{reward(`detailedData="true"`, "5", "-1.00"), reward(`summarizedActivity="true"`, "5", "-1.50")}, "-1.50"},
		"two promotions":                      {[]string{reward(`detailedData="true"`, "5", "-1.00"), reward(`detailedData="true"`, "6", "-0.50")}, "-1.50"},
		"points are no money":                 {[]string{message, reward(`detailedData="true"`, "5", "-1.50")}, "-1.50"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts := append([]string{sale("A", "10.00")}, test.rewards...)
			d := one(t, retail(append(parts, cash("8.50"), grand("8.50"))...))
			if got := d.Totals.Computed.Discount.String(); got != test.want || len(d.Totals.Differences) > 0 {
				t.Errorf("reductions %s, want %s; differences %v", got, test.want, d.Totals.Differences)
			}
		})
	}
}

func TestWhatHappensAtATillBesidesSalesIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		inside string
		kind   document.Kind
		state  document.State
	}{
		"sign on":        {"<ControlTransaction><OperatorSignOn/></ControlTransaction>", "SIGN_ON", "COMPLETED"},
		"sign off":       {"<ControlTransaction><SignOff/></ControlTransaction>", "SIGN_OFF", "COMPLETED"},
		"no sale":        {"<ControlTransaction><NoSale/></ControlTransaction>", "NO_SALE", "COMPLETED"},
		"by its reason":  {"<ControlTransaction><ReasonCode>Valid SignOn</ReasonCode></ControlTransaction>", "SIGN_ON", "COMPLETED"},
		"something else": {"<ControlTransaction><PasswordChange/></ControlTransaction>", "OTHER", "COMPLETED"},
		"unknown":        {"<InventoryControlTransaction/>", "OTHER", "COMPLETED"},
		"suspended":      {`<RetailTransaction TransactionStatus="Suspended"><LineItem>` + sale("A", "1.00") + `</LineItem></RetailTransaction>`, "SALE", "SUSPENDED"},
		"cancelled":      {`<RetailTransaction TransactionStatus="Voided"><LineItem>` + sale("A", "1.00") + `</LineItem></RetailTransaction>`, "CANCELLED", "VOIDED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := one(t, wrap(test.inside))
			if d.Kind != test.kind || d.State != test.state || d.Key.Space != document.SpaceReceipt || d.Key.Number != "7" {
				t.Errorf("%s %s, key %s", d.Kind, d.State, d.Key)
			}
		})
	}
	training := strings.Replace(retail(sale("A", "1.00"), cash("1.00")), "<Transaction>", `<Transaction TrainingModeFlag="true">`, 1)
	if d := one(t, training); d.Kind != document.Training {
		t.Errorf("a training receipt is a %s", d.Kind)
	}
}

func TestMoneyThatMovesWithoutASaleGoesFromAndTo(t *testing.T) {
	t.Parallel()
	rows := `<TenderControlTransactionTenderLineItem><TenderTypeCode>Cash</TenderTypeCode><Amount>100.00</Amount></TenderControlTransactionTenderLineItem>` +
		`<TenderControlTransactionTenderLineItem VoidFlag="true"><TenderTypeCode>Cash</TenderTypeCode><Amount>7.00</Amount></TenderControlTransactionTenderLineItem>`
	for name, test := range map[string]struct {
		inside   string
		kind     document.Kind
		from, to document.MoneyPlace
		amount   string
	}{
		"paid in":           {"<PaidIn><Amount>12.00</Amount></PaidIn>", "PAY_IN", "", "DRAWER", "12.00"},
		"paid out":          {"<PaidOut><Amount>-25.00</Amount><ReasonCode>window cleaner</ReasonCode></PaidOut>", "PAY_OUT", "DRAWER", "", "25.00"},
		"loan":              {"<Totals><Amount>100</Amount></Totals><TenderLoan><SafeID>1</SafeID>" + rows + "</TenderLoan>", "FLOAT", "SAFE", "DRAWER", "100.00"},
		"pick-up":           {"<TenderPickup>" + rows + "</TenderPickup>", "SAFE_DROP", "DRAWER", "SAFE", "100.00"},
		"deposit":           {"<TenderDeposit>" + rows + "</TenderDeposit>", "BANKING", "SAFE", "BANK", "100.00"},
		"an account beside": {"<AccountNumber>1</AccountNumber><PaidIn><Amount>12.00</Amount></PaidIn>", "PAY_IN", "", "DRAWER", "12.00"},
		"by its code":       {"<TypeCode>TenderPickup</TypeCode><Totals><Amount>30.00</Amount></Totals>", "SAFE_DROP", "DRAWER", "SAFE", "30.00"},
		"declared at dawn":  {"<OpeningBalance><Amount>200.00</Amount></OpeningBalance>", "FLOAT", "CARRIED", "DRAWER", "200.00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := one(t, wrap("<TenderControlTransaction>"+test.inside+"</TenderControlTransaction>"))
			m := d.Movement
			if d.Kind != test.kind || m == nil || m.From != test.from || m.To != test.to || m.Amount != money.MustParse(test.amount) {
				t.Errorf("%s %+v", d.Kind, m)
			}
		})
	}
}

func TestACountAndACloseAreClaimsOfTheTill(t *testing.T) {
	t.Parallel()
	d := one(t, wrap(`<TenderControlTransaction><TillSettle><TenderSummary><Actual TenderType="Cash"><Amount>653.00</Amount></Actual>`+
		`<Count TenderType="CreditDebit" LedgerType="Expected"><Amount>99.00</Amount></Count></TenderSummary></TillSettle></TenderControlTransaction>`))
	if d.Kind != document.TillCount || d.Count == nil || d.Count.Stage != "CLOSE" || len(d.Count.ByTender) != 1 || d.Count.ByTender[0].Amount != money.MustParse("653.00") {
		t.Errorf("%s %+v", d.Kind, d.Count)
	}
	d = one(t, wrap(`<BusinessEOD><PeriodNumber>41</PeriodNumber><OpenTransactionSequenceNumber>1</OpenTransactionSequenceNumber><CloseTransactionSequenceNumber>90</CloseTransactionSequenceNumber>`+
		`<TransactionCount>88</TransactionCount><Total TotalType="TransactionGrandAmount">1200.00</Total><Total TotalType="TransactionTaxAmount">200.00</Total>`+
		`<TenderTotal TenderType="Cash"><Amount>700.00</Amount><Count>50</Count></TenderTotal><OverShort>-2.00</OverShort></BusinessEOD>`))
	c := d.Close
	if d.Kind != document.PeriodClose || c == nil || d.Numbers.Z != "41" || *c.Receipts != 88 || *c.Gross != money.MustParse("1200") ||
		*c.Tax != money.MustParse("200") || c.LastReceipt != "90" || *c.OverShort != money.MustParse("-2") || len(c.ByTender) != 1 || c.ByTender[0].Count != 50 {
		t.Errorf("%s %+v", d.Kind, c)
	}
}

func TestLinksNameTheOtherReceipt(t *testing.T) {
	t.Parallel()
	link := `<TransactionLink><RetailStoreID>S</RetailStoreID><WorkstationID>2</WorkstationID><SequenceNumber>55</SequenceNumber><BusinessDayDate>2026-03-01</BusinessDayDate></TransactionLink>`
	want := document.Key{Store: "S", Terminal: "2", Space: document.SpaceReceipt, Number: "55", Scope: "2026-03-01"}
	for name, test := range map[string]struct {
		file     string
		relation document.Relation
	}{
		"a void":   {wrap("<PostVoidTransaction>" + link + "</PostVoidTransaction>"), document.Voids},
		"a return": {retail(`<Return><ItemID>A</ItemID><ExtendedAmount>1.00</ExtendedAmount>` + link + `</Return>`), document.Returns},
		"a resume": {retail(sale("A", "1.00"), strings.Replace(link, "<TransactionLink>", `<TransactionLink ReasonCode="Resume">`, 1)), document.Resumes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := one(t, test.file)
			if len(d.Links) != 1 || d.Links[0].Relation != test.relation || *d.Links[0].Key != want {
				t.Fatalf("links %+v", d.Links)
			}
			// The configured store takes the place of the till's own in the link too.
			d = one(t, test.file, format.Options{Store: "london"})
			if d.Key.Store != "london" || d.Links[0].Key.Store != "london" || d.Place.Store != "S" {
				t.Errorf("key %s, link %s, place %+v", d.Key, d.Links[0].Key, d.Place)
			}
		})
	}
}

func TestNoNameAndNoCardNumberIsCarried(t *testing.T) {
	t.Parallel()
	file := strings.Replace(retail(
		`<Sale><ItemID>A</ItemID><Description>Top-up 4111 1111 1111 1111</Description><ExtendedAmount>1.00</ExtendedAmount></Sale>`,
		`<LoyaltyMembership><LoyaltyID>0123456789</LoyaltyID></LoyaltyMembership>`,
		`<Tender TenderType="CreditDebit"><Amount>1.00</Amount><CreditDebit CardType="Visa"><PrimaryAccountNumber>4111111111111111</PrimaryAccountNumber></CreditDebit></Tender>`),
		"<LineItem>", "<Customer><Name>Jane Doe</Name><CustomerID>778899</CustomerID></Customer><LineItem>", 1)
	d := one(t, file)
	text := string(mustJSON(t, d))
	for _, secret := range []string{"Jane", "Doe", "0123456789", "778899", "4111111111111111", "4111 1111 1111 1111"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is carried: %s", secret, text)
		}
	}
	if d.Tenders[0].Masked != "1111" || d.Tenders[0].Brand != "Visa" || d.Place.Operator != "12" {
		t.Errorf("tender %+v, operator %q", d.Tenders[0], d.Place.Operator)
	}
	// The bytes of a refused transaction are masked too.
	r, err := New(strings.NewReader(strings.Replace(file, "<Amount>1.00</Amount><CreditDebit", "<Amount>one</Amount><CreditDebit", 1)), format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	results := all(t, r)
	if len(results) != 1 || results[0].Refused == nil {
		t.Fatalf("%+v", results)
	}
	for _, secret := range []string{"Jane", "Doe", "0123456789", "778899", "4111111111111111", "4111 1111 1111 1111"} {
		if strings.Contains(string(results[0].Refused.Raw), secret) {
			t.Errorf("%q is kept: %s", secret, results[0].Refused.Raw)
		}
	}
}

func TestATimeWithoutAZoneTakesTheConfiguredOne(t *testing.T) {
	t.Parallel()
	rule, err := bizday.NewRule("Europe/Berlin", "")
	if err != nil {
		t.Fatal(err)
	}
	file := retail(sale("A", "1.00"), cash("1.00"))
	if d := one(t, file); !d.Time.UTC.IsZero() || d.Time.ZoneFrom != "" {
		t.Errorf("without a rule: %+v", d.Time)
	}
	d := one(t, file, format.Options{Rule: &rule})
	if got := d.Time.UTC.Format("15:04"); got != "09:00" || d.Time.ZoneFrom != document.ZoneFromConfig {
		t.Errorf("with a rule: %+v", d.Time)
	}
	d = one(t, strings.Replace(file, "T10:00:00<", "T10:00:00+05:00<", 1), format.Options{Rule: &rule})
	if got := d.Time.UTC.Format("15:04"); got != "05:00" || d.Time.ZoneFrom != document.ZoneFromData || *d.Time.Offset != 300 {
		t.Errorf("with an offset: %+v", d.Time)
	}
}
