package books_test

import (
	"fmt"
	"strings"
	"testing"

	"tillbook.example/tillbook/collector/books/profile"
)

// sources names the law or standard that a treatment follows, by scenario.
func sources() map[string]string {
	const directive = "Council Directive 2006/112/EC, "
	return map[string]string{
		"S1 sale of two tax rates paid by cash and card":       directive + "Articles 1(2) and 73; for the zero rate, Value Added Tax Act 1994, Schedule 8.",
		"S2 taxes of two authorities":                          "ASC 606-10-32-2: taxes collected for others are no revenue.",
		"S3 discount shown apart":                              directive + "Article 79(b); IFRS 15, paragraph 47.",
		"S3 discount netted":                                   directive + "Article 79(b); IFRS 15, paragraph 47.",
		"S9 promotional card is a discount":                    directive + "Articles 30a and 79(b): what nobody paid for is a reduction of the price.",
		"S26 loyalty points of the shop":                       directive + "Article 79(b); deferring revenue when points are earned, IFRS 15, B39 to B43, is the option.",
		"S22 the tax the till printed stands":                  "CJEU 10 July 2008, C-484/06: how tax is rounded is left to national law.",
		"6 exempt customer":                                    directive + "Article 151(1)(a).",
		"sale in another currency at the till's rate":          "IAS 21, paragraph 21.",
		"S4 tip on a card paid out of the till":                "CJEU 3 March 1994, C-16/93: what is given freely is no consideration.",
		"11 service charge and tip on one bill":                "CJEU 29 March 2001, C-404/99: a service charge is consideration; C-16/93 for the tip.",
		"S5 service charge that goes to staff":                 "CJEU 29 March 2001, C-404/99; Employment (Allocation of Tips) Act 2023; Rev. Rul. 2012-18.",
		"S6 surcharge for a card":                              "GSTR 2014/2.",
		"S7 delivery charged":                                  directive + "Article 78(b).",
		"S8 gift card sold and used":                           directive + "Articles 30a, 30b(2) and 73a; IFRS 15, B44.",
		"65 single-purpose voucher sold":                       directive + "Articles 30a and 30b(1).",
		"65 single-purpose voucher used":                       directive + "Article 30b(1): handing over the goods is no further transaction.",
		"66 taxed down payment taken":                          directive + "Article 65; Value Added Tax Act 1994, section 6(4); UStG § 13 Abs. 1 Nr. 1 Buchst. a.",
		"66 taxed down payment cancelled":                      directive + "Article 90; what is kept is taxed as national law says.",
		"S10 refund in cash":                                   directive + "Article 90(1).",
		"S10 refund to store credit":                           directive + "Article 90(1).",
		"S12 sale on account, paid later":                      "IFRS 15, paragraphs 31 and 108.",
		"S21 cash rounding on a line":                          "Currency Act 1965 (Australia), section 16; GST is worked out before cash is rounded.",
		"S31 cashback":                                         directive + "Article 135(1)(e): money is no goods.",
		"69 petty cash with a tax receipt":                     directive + "Articles 168 and 178(a).",
		"69 petty cash without a tax receipt":                  directive + "Article 178(a): no deduction without an invoice.",
		"67 lottery sold, prize paid, commission kept":         directive + "Article 79(c); IFRS 15, B36.",
		"S24 tax that a marketplace remits":                    "the marketplace facilitator laws of the states of the United States; ASC 606-10-55-38.",
		"68 bottle deposits":                                   "UStG §§ 10 and 17; UStAE 10.1 Abs. 8.",
		"S13 fee billed by the provider, paid out of clearing": directive + "Article 135(1)(d): many payment fees are exempt; a fee bears the tax its bill shows.",
		"S18 dispute lost":                                     "IFRS 9, paragraph 5.4.4.",
		"S19 cash advance and a repayment":                     "IFRS 9, paragraph 5.4.1: the cost belongs to the time of the loan.",
		"71 foreign cash banked":                               "IAS 21, paragraph 28.",
		"3 a tax on a tax":                                     directive + "Article 78(a): taxes other than the tax itself belong to its base.",
		"7 a rate that changes at midnight":                    directive + "Article 93.",
		"18 some lines come back the next day":                 directive + "Article 90(1).",
		"73 delivery order with a commission and its tax":      "IFRS 15, B35B: who controls the goods shows the whole price.",
		"16 gift card used in a sister shop":                   directive + "Articles 30a and 30b.",
		"currency without minor units":                         "ISO 4217.",
		"currency of three decimals":                           "ISO 4217.",
		"each receipt in another currency has its own rate":    "IAS 21, paragraph 21.",
		"38 fees billed monthly are paid at the bank":          directive + "Articles 168 and 178(a).",
		"S16 payout over the end of a month":                   "IFRS 15, paragraph 31: revenue belongs to the day of the sale.",
		"17 promotional card that the till takes as a payment": directive + "Articles 30a and 79(b).",
		"70 invoice paid at the till":                          "IFRS 9, paragraph 3.2.3.",
		"75 receipt that another system invoices":              directive + "Article 203: tax is owed on what an invoice shows, once.",
		"5 staff meal given away":                              directive + "Articles 16 and 26 may tax what is given away; the till's tax stands.",
		"S20 float, paid out, short, banked":                   directive + "Articles 168 and 178(a), for the cleaner's receipt.",
		"66 eat in and take away by the till's word":           directive + "Article 98; Council Implementing Regulation (EU) No 282/2011, Article 6.",
	}
}

func TestSourcesAreOfScenariosThatThereAre(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, chapter := range chapters() {
		for _, s := range chapter.scenarios {
			names[s.name] = true
		}
	}
	for name, source := range sources() {
		if !names[name] || !strings.HasSuffix(source, ".") {
			t.Errorf("source of %q is of no scenario or no sentence", name)
		}
	}
}

// countriesOnPage writes the rules of each country with their sources.
func countriesOnPage(t testing.TB, out *strings.Builder) {
	t.Helper()
	out.WriteString("\n## Countries\n\nA mapping that names a profile (`profile: GB`) needs account names only: the profile adds a rule for each rate, and how cash is rounded. `codes: {GB-20: OUTPUT2}` says what the books call its tax codes, `jurisdictions: {TX: 2210}` which account a tax authority has. What the mapping says itself stands. `export` shows all of it: what was applied does not change with a later version of the profile.\n")
	for _, country := range profile.Countries() {
		p, err := profile.Of(country)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(out, "\n### %s (%s)\n\n| | from | to | | source |\n|---|---|---|---|---|\n", p.Name, p.Currency)
		for _, r := range p.Taxes {
			fmt.Fprintf(out, "| %s %% `%s` | %s | %s | %s | %s |\n", r.Rate, r.Code, r.From, r.To, r.What, r.Source)
		}
		if p.ByJurisdiction {
			out.WriteString("| by jurisdiction | | | the merchant names an account for each authority | |\n")
		}
		for _, r := range p.Rules {
			fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", r.Topic, r.From, r.To, r.Text, r.Source)
		}
		fmt.Fprintf(out, "\nExempt `%s`.\n", p.Exempt)
	}
}
