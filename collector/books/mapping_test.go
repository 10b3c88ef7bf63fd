package books_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
)

func TestAMappingThatIsWrongSaysWhereAndWhatWasMeant(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ yaml, want string }{
		"empty":                     {"", "empty"},
		"two documents":             {"currency: GBP\n---\ncurrency: GBP\n", "more than one"},
		"unknown field":             {"currency: GBP\nacounts: {sales: Sales}\n", `line 2: unknown field "acounts" (did you mean "accounts"?)`},
		"unknown field of a tax":    {"currency: GBP\ntaxes:\n  - {till: A, cod: X}\n", `line 3: unknown field "cod" (did you mean "code"?)`},
		"unknown field of rounding": {"currency: GBP\nrounding: {stepp: 0.05}\n", `did you mean "step"?`},
		"unknown role":              {"currency: GBP\naccounts: {slaes: Sales}\n", `did you mean "sales"?`},
		"unknown tender":            {"currency: GBP\ntenders: {CARD_DEBT: Cards}\n", `did you mean "CARD_DEBIT"?`},
		"unknown discount":          {"currency: GBP\ndiscount_accounts: {DISCONT: D}\n", `did you mean "DISCOUNT"?`},
		"suspense among accounts":   {"currency: GBP\naccounts: {suspense: S}\n", "accounts"},
		"currency":                  {"currency: pounds\n", "currency"},
		"no currency":               {"accounts: {sales: Sales}\n", "currency"},
		"empty account":             {"currency: GBP\naccounts: {sales: ' '}\n", "accounts/sales: empty"},
		"control character":         {"currency: GBP\naccounts: {sales: \"a\\nb\"}\n", "control character"},
		"long account":              {"currency: GBP\naccounts: {sales: " + strings.Repeat("x", 201) + "}\n", "longer than"},
		"tax without a code":        {"currency: GBP\ntaxes: [{till: A}]\n", "taxes/1/code"},
		"two rules for one tax":     {"currency: GBP\ntaxes: [{till: A, code: X}, {till: A, code: Y}]\n", "taxes/2: matches the same taxes as taxes/1"},
		"rate that is none":         {"currency: GBP\ntaxes: [{till: A, rate: -1, code: X}]\n", "taxes/1/rate"},
		"discounts":                 {"currency: GBP\ndiscounts: gros\n", `did you mean "gross"?`},
		"tip route":                 {"currency: GBP\ntip_route: pocket\n", "tip_route"},
		"rounding without a step":   {"currency: GBP\nrounding: {method: up}\n", "rounding/step"},
		"dimension there twice":     {"currency: GBP\ndimensions: [store, store]\n", "dimensions/2"},
		"three dimensions":          {"currency: GBP\ntracking: [{name: A, by: store}, {name: B, by: terminal}, {name: C, by: category}]\n", "more than 2"},
		"dimension by nothing":      {"currency: GBP\ntracking: [{name: Class}]\n", "tracking/1/by: missing"},
		"dimension by a guess":      {"currency: GBP\ntracking: [{name: Class, by: stor}]\n", `did you mean "store"?`},
		"dimension of a taken name": {"currency: GBP\ntracking: [{name: drawer, by: store}]\n", "is taken"},
		"unknown field of tracking": {"currency: GBP\ntracking: [{name: Class, buy: store}]\n", `did you mean "by"?`},
		"where it is eaten":         {"currency: GBP\ntaxes: [{till: A, consumption: EATIN, code: X}]\n", `did you mean "EAT_IN"?`},
		"one reason twice":          {"currency: GBP\nreasons: {Tips: A, 'tips ': B}\n", "the same reason"},
		"not a mapping":             {"- a\n", "line 1"},
	} {
		m, err := books.ParseMapping([]byte(c.yaml), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want %q in it", name, err, c.want)
		}
		if m.Currency != "" {
			t.Errorf("%s: a mapping was returned beside the error", name)
		}
	}
}

func TestAMappingSaysWhatItChooses(t *testing.T) {
	t.Parallel()
	m, err := books.ParseMapping([]byte(`
currency: AUD
cost_of_goods: true
post_payouts: true
issuers: {Sister Ltd: Due from Sister Ltd}
taxes: [{till: A, consumption: EAT_IN, code: GST}]
tracking: [{name: Class, by: category, values: {Food: Kitchen}, else: Rest}]
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := books.Mapping{
		Currency: "AUD", CostOfGoods: true, PostPayouts: true,
		Issuers: map[string]string{"Sister Ltd": "Due from Sister Ltd"}, Taxes: []books.TaxRule{{Till: "A", Consumption: "EAT_IN", Code: "GST"}},
		Tracking: []books.Tracking{{Name: "Class", By: "category", Values: map[string]string{"Food": "Kitchen"}, Else: "Rest"}},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
}

func TestTheTaxRuleWithMostThatMatchesCounts(t *testing.T) {
	t.Parallel()
	code := func(rules string, tax document.Tax) string {
		m, err := books.ParseMapping([]byte("currency: GBP\naccounts: {cash: C, sales: S, tax: T}\ntaxes:\n"+rules), nil)
		if err != nil {
			t.Fatal(err)
		}
		tax.Base = dec("1.00")
		entry, _ := books.Build(day(m, receipt(document.Sale, "1", item("1.00", tax), cash("1.00"))))
		for _, l := range entry.Lines {
			if l.Tax != nil {
				return l.Tax.Code
			}
		}
		return ""
	}
	const rules = `
  - {code: ANY}
  - {till: A, code: A}
  - {till: A, rate: 20.0, code: A20}
  - {rate: 5, code: FIVE}
  - {till: A, exempt: true, code: EXEMPT}
  - {till: A, jurisdiction: York, code: YORK}
  - {till: NONE, code: OUT}
`
	for _, c := range []struct {
		tax  document.Tax
		want string
	}{
		{document.Tax{Code: "B", Rate: dec("7")}, "ANY"},
		{document.Tax{Code: "A", Rate: dec("7")}, "A"},
		{document.Tax{Code: "A", Rate: dec("20")}, "A20"},
		{document.Tax{Code: "B", Rate: dec("5")}, "FIVE"},
		{document.Tax{Code: "A", Rate: dec("0"), ExemptReason: "export"}, "EXEMPT"},
		{document.Tax{Code: "A", Rate: dec("7"), Jurisdiction: "York"}, "YORK"},
	} {
		if got := code(rules, c.tax); got != c.want {
			t.Errorf("tax %+v has code %q, want %q", c.tax, got, c.want)
		}
	}
}

func TestLinesWithoutTaxAreNeverZeroRatedByAccident(t *testing.T) {
	t.Parallel()
	untaxed := receipt(document.Sale, "1", item("1.00"), cash("1.00"))
	_, problems := books.Build(day(ukMapping(t), untaxed))
	if len(problems) != 1 || problems[0].Code != books.UnmappedTax || !strings.Contains(problems[0].Text, "NONE") {
		t.Errorf("problems are %+v, want one question for till NONE", problems)
	}
	m := ukMapping(t, func(m *books.Mapping) { m.Taxes = append(m.Taxes, books.TaxRule{Till: books.NoTax, Code: "OUT"}) })
	entry, problems := books.Build(day(m, untaxed))
	if len(problems) != 0 || entry.Lines[1].Tax == nil || entry.Lines[1].Tax.Code != "OUT" || entry.Lines[1].Tax.Base != 100 {
		t.Errorf("line is %+v with problems %+v, want code OUT on a base of 1.00", entry.Lines[1], problems)
	}
}

func TestDimensionsOfTheBooksTakeTheTillsWordOrWhatItStandsFor(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) {
		m.Tracking = []books.Tracking{
			{Name: "Class", By: "category", Values: map[string]string{"Food": "Kitchen"}, Else: "Rest"},
			{Name: "Location", By: "store", Values: map[string]string{"S1": "Leeds"}},
		}
	})
	entry, _ := books.Build(day(m, receipt(document.Sale, "1",
		item("1.00", "Food", zero("1.00")), item("2.00", "Wine", zero("2.00")), item("4.00", zero("4.00")), cash("7.00"))))
	got := map[string]string{}
	for _, l := range entry.Lines {
		if l.Dimensions["Location"] != "Leeds" || len(l.Dimensions) > 2 {
			t.Errorf("line %+v is not in Leeds, or has more than two dimensions", l)
		}
		got[string(l.Role)+" "+l.Dimensions["Class"]] = l.Amount.Format(2)
	}
	want := map[string]string{"cash ": "7.00", "sales Kitchen": "1.00", "sales Wine": "2.00", "sales Rest": "4.00"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestATenderHasTheAccountOfItsLabelThenItsKindThenItsRole(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) {
		m.Labels = map[string]string{"AMEX": "Amex"}
		m.Tenders = map[document.TenderKind]string{document.CardDebit: "Debit", "CARD": "Any card"}
	})
	label := card("1.00")
	label.Label = "AMEX"
	for _, c := range []struct {
		tender document.Tender
		want   string
	}{
		{label, "Amex"},
		{tender(document.CardDebit, document.Paid, "1.00"), "Debit"},
		{card("1.00"), "Any card"},
		{cash("1.00"), "Cash on hand"},
	} {
		entry, problems := books.Build(day(m, receipt(document.Sale, "1", item("1.00", zero("1.00")), c.tender)))
		if len(problems) != 0 || entry.Lines[0].Account != c.want {
			t.Errorf("tender %+v is on %+v with problems %+v, want %s", c.tender, entry.Lines[0], problems, c.want)
		}
	}
}

func FuzzParseMapping(f *testing.F) {
	f.Add([]byte("currency: GBP\naccounts: {sales: Sales}\ntaxes: [{till: A, rate: 20, code: STD}]\n"))
	f.Add([]byte("currency: &c GBP\n<<: {a: *c}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := books.ParseMapping(data, nil)
		if err == nil && m.Validate() != nil {
			t.Error("a mapping that does not hold together was read")
		}
	})
}
