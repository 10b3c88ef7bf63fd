package books_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
)

func TestTheCanonicalFormOfAnEntry(t *testing.T) {
	t.Parallel()
	entry, _ := books.Build(day(ukMapping(t), receipt(document.Sale, "1", item("12.00", vat20("10.00", "2.00")), cash("12.00"))))
	const want = `{"merchant":"m1","subject":"store-day/S1/2026-11-03","store":"S1","day":"2026-11-03","currency":"GBP","rules":2,"mapping_version":3,"lines":[` +
		`{"role":"cash","account":"Cash on hand","side":"DEBIT","amount":1200,"currency":"GBP","rule":"Cash taken, less change, cashback and refunds.","documents":[{"key":"S1|1|RECEIPT|1","amount":1200}]},` +
		`{"role":"sales","account":"Sales","side":"CREDIT","amount":1000,"currency":"GBP","tax":{"code":"STD-20","base":1000,"amount":200,"direction":"SALE"},"rule":"Goods and services sold, without tax.","documents":[{"key":"S1|1|RECEIPT|1","amount":1000}]},` +
		`{"role":"tax","account":"VAT payable","side":"CREDIT","amount":200,"currency":"GBP","rule":"Tax STD-20 on sales, as it was printed.","documents":[{"key":"S1|1|RECEIPT|1","amount":200}]}]}`
	if got := string(entry.Canonical()); got != want {
		t.Errorf("canonical form is\n%s\nwant\n%s", got, want)
	}
	var back books.Entry
	if err := json.Unmarshal(entry.Canonical(), &back); err != nil {
		t.Fatal(err)
	}
	if back.Hash() != entry.Hash() {
		t.Error("an entry read back has another hash")
	}
	none, _ := books.Build(day(ukMapping(t)))
	if got := string(none.Canonical()); !strings.HasSuffix(got, `"lines":[]}`) {
		t.Errorf("an entry without lines is %s", got)
	}
}

func TestTaxesOfTwoAuthoritiesAreOneDetailWithTwoComponents(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) {
		m.Taxes = []books.TaxRule{{Till: "ST", Code: "STATE"}, {Till: "CT", Code: "CITY"}}
	})
	state, city := tax("ST", "6", "100.00", "6.00"), tax("CT", "2", "100.00", "2.00")
	state.Jurisdiction, city.Jurisdiction = "Texas", "Austin"
	entry, problems := books.Build(day(m, receipt(document.Sale, "1", document.TaxExcluded, item("100.00", state, city), card("108.00"))))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	want := &books.Tax{
		Code: "STATE+CITY", Base: 10000, Amount: 800, Direction: books.DirectionSale,
		Components: []books.Tax{
			{Code: "STATE", Base: 10000, Amount: 600, Direction: books.DirectionSale, Jurisdiction: "Texas"},
			{Code: "CITY", Base: 10000, Amount: 200, Direction: books.DirectionSale, Jurisdiction: "Austin"},
		},
	}
	for _, l := range entry.Lines {
		if l.Role == books.Sales {
			if diff := cmp.Diff(want, l.Tax); diff != "" {
				t.Error(diff)
			}
		}
		if l.Role == books.OutputTax && l.Dimensions["jurisdiction"] == "" {
			t.Errorf("control line %+v does not say whose tax it is", l)
		}
	}
}

func TestABillPutOnAnotherThatIsNotKnownIsAskedAbout(t *testing.T) {
	t.Parallel()
	_, problems := books.Build(day(ukMapping(t),
		receipt(document.Sale, "3", item("6.00", vat20("5.00", "1.00")), document.Link{Relation: document.MergedInto, Number: "4"})))
	if len(problems) != 1 || problems[0].Code != books.Unbalanced {
		t.Errorf("problems are %+v, want one about what was not paid", problems)
	}
}

func TestTheBaseOfATaxOnATaxIsNotDoubled(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) { m.Taxes = []books.TaxRule{{Till: "F", Code: "FED"}, {Till: "P", Code: "PROV"}} })
	entry, _ := books.Build(day(m, receipt(document.Sale, "1", document.TaxExcluded,
		item("100.00", tax("F", "5", "100.00", "5.00"), tax("P", "10", "105.00", "10.50")), card("115.50"))))
	for _, l := range entry.Lines {
		if l.Role == books.Sales && (l.Tax.Base != 10000 || l.Tax.Amount != 1550 || l.Tax.Components[1].Base != 10500) {
			t.Errorf("tax is %+v, want 15.50 on 100.00, of which one on 105.00", l.Tax)
		}
	}
}

func TestEveryDocumentThatMovesMoneyIsFoundFromItsLinesAndBack(t *testing.T) {
	t.Parallel()
	wide(t, func(t *rapid.T, d shopDay) {
		m := d.mapping(t)
		entry, _ := books.Build(day(m, d.documents...))
		behind := map[string]bool{}
		for _, l := range entry.Lines {
			if len(l.Documents) == 0 {
				t.Fatalf("line %+v names no document", l)
			}
			for _, s := range l.Documents {
				behind[s.Key] = true
			}
		}
		for _, document := range d.documents {
			alone, _ := books.Build(day(m, document))
			if len(alone.Lines) > 0 && !behind[document.Key.String()] {
				t.Fatalf("%s is behind no line", document.Key)
			}
			delete(behind, document.Key.String())
		}
		if len(behind) > 0 {
			t.Fatalf("lines name %v, which are not of the day", behind)
		}
	})
}

func TestTaxThatAMarketplaceRemitsIsReportedWithItsBaseAndNoTax(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) {
		m.Taxes = []books.TaxRule{{Till: "ST", Code: "STATE"}}
		m.Accounts[books.FacilitatorTax], m.Accounts[books.Marketplace] = "F", "M"
	})
	x := tax("ST", "8", "50.00", "4.00")
	x.Liable = "FACILITATOR"
	entry, _ := books.Build(day(m, receipt(document.Sale, "1", document.TaxExcluded, item("50.00", x), tender(document.Marketplace, document.Paid, "54.00"))))
	for _, l := range entry.Lines {
		if l.Role == books.Sales && (l.Tax.Base != 5000 || l.Tax.Amount != 0) {
			t.Errorf("tax of the sale is %+v, want a base of 50.00 and no amount", l.Tax)
		}
	}
}

func TestALineOfTwoRatesIsSplitByTheirBases(t *testing.T) {
	t.Parallel()
	entry, problems := books.Build(day(ukMapping(t),
		receipt(document.Sale, "1", item("17.25", vat20("10.00", "2.00"), tax("B", "5", "5.00", "0.25")), card("17.25"))))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	wantJournal(t, entry, `
		Dr Card clearing 17.25
		Cr Sales         10.00
		Cr Sales          5.00
		Cr VAT payable    2.00
		Cr VAT payable    0.25`)
}

func TestDimensionsSplitLines(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) { m.Dimensions = []string{"store", "category"} })
	entry, _ := books.Build(day(m, receipt(document.Sale, "1", item("1.00", "Food", zero("1.00")), item("2.00", "Drinks", zero("2.00")), cash("3.00"))))
	got := map[string]string{}
	for _, l := range entry.Lines {
		if l.Role == books.Sales {
			got[l.Dimensions["category"]] = l.Amount.Format(2)
		}
		if l.Dimensions["store"] != "S1" {
			t.Errorf("line %+v has no store", l)
		}
	}
	if diff := cmp.Diff(map[string]string{"Food": "1.00", "Drinks": "2.00"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAPaymentOfAnInvoiceNamesIt(t *testing.T) {
	t.Parallel()
	entry, _ := books.Build(day(ukMapping(t), receipt(document.AccountPayment, "1", &document.Invoice{Number: "INV-77"}, card("240.00"))))
	if got := entry.Lines[1]; got.Role != books.Receivable || got.Dimensions["invoice"] != "INV-77" {
		t.Errorf("line is %+v, want the receivable of INV-77", got)
	}
}

func TestAForeignLineCarriesItsAmountAndRate(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) { m.Accounts[books.ForeignCash] = "USD cash" })
	entry, _ := books.Build(day(m, receipt(document.Sale, "1", item("24.00", vat20("20.00", "4.00")), usd("24.00", "30.00", "0.80"))))
	want := &books.Foreign{Currency: "USD", Amount: 3000, Rate: dec("0.80")}
	if diff := cmp.Diff(want, entry.Lines[0].Foreign); diff != "" {
		t.Error(diff)
	}
}

func TestAQuestionSaysWhatItIsForAndCountsItsDocuments(t *testing.T) {
	t.Parallel()
	var documents []*document.Document
	for _, number := range strings.Fields(strings.Repeat("x ", 30)) {
		documents = append(documents, receipt(document.Sale, number+string(rune('A'+len(documents))), item("1.00", zero("1.00")), cash("1.00")))
	}
	m := ukMapping(t, func(m *books.Mapping) { delete(m.Accounts, books.Sales); delete(m.Accounts, books.Returns) })
	_, problems := books.Build(day(m, documents...))
	if len(problems) != 1 {
		t.Fatalf("problems are %+v, want one", problems)
	}
	p := problems[0]
	if p.Count != 30 || len(p.Documents) != books.MaxProblemDocuments || p.Amount != 3000 || p.Key != "account:sales" {
		t.Errorf("problem is %+v, want 30.00 of 30 documents, %d of them named", p, books.MaxProblemDocuments)
	}
	const text = "Which account is for sales (accounts.sales)? It is needed for this: goods and services sold, without tax."
	if p.Text != text {
		t.Errorf("text is %q, want %q", p.Text, text)
	}
}

func TestVoidsThatUndoEachOther(t *testing.T) {
	t.Parallel()
	sale := receipt(document.Sale, "1", item("12.00", vat20("10.00", "2.00")), cash("12.00"))
	for name, c := range map[string]struct {
		documents, originals []*document.Document
		want                 string
		questions            int
	}{
		"a void of a void leaves the sale": {
			documents: []*document.Document{sale, receipt(document.PostVoid, "2", voids("1")), receipt(document.PostVoid, "3", voids("2"))},
			want:      "Dr Cash on hand 12.00\nCr Sales 10.00\nCr VAT payable 2.00",
		},
		"a receipt voided twice is undone once and asked about": {
			documents: []*document.Document{receipt(document.PostVoid, "2", voids("1")), receipt(document.PostVoid, "3", voids("1"))},
			originals: []*document.Document{sale}, questions: 1,
			want: "Cr Cash on hand 12.00\nDr Sales 10.00\nDr VAT payable 2.00",
		},
		"an original that its own day took back is not undone again": {
			documents: []*document.Document{receipt(document.PostVoid, "2", voids("1"), item("-12.00", vat20("-10.00", "-2.00")), tender(document.Cash, document.Refund, "-12.00"))},
			originals: []*document.Document{receipt(document.Sale, "1", document.Voided, item("12.00", vat20("10.00", "2.00")), cash("12.00"))},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := day(ukMapping(t), c.documents...)
			in.Originals = map[string]*document.Document{}
			for _, d := range c.originals {
				in.Originals[d.Key.String()] = d
			}
			entry, problems := books.Build(in)
			wantJournal(t, entry, c.want)
			if len(problems) != c.questions {
				t.Errorf("problems are %+v, want %d", problems, c.questions)
			}
		})
	}
}

func TestTwoDocumentsUnderOneKeyAreAConflict(t *testing.T) {
	t.Parallel()
	a := receipt(document.Sale, "1", item("1.00", zero("1.00")), cash("1.00"))
	same := *a
	entry, problems := books.Build(day(ukMapping(t), a, &same))
	wantJournal(t, entry, "Dr Cash on hand 1.00\nCr Sales 1.00")
	if len(problems) != 0 {
		t.Errorf("the same document twice raises %+v", problems)
	}
	other := receipt(document.Sale, "1", item("2.00", zero("2.00")), cash("2.00"))
	first, problems := books.Build(day(ukMapping(t), a, other))
	second, _ := books.Build(day(ukMapping(t), other, a))
	if len(problems) != 1 || problems[0].Code != books.Duplicate || first.Hash() != second.Hash() {
		t.Errorf("problems are %+v, want one duplicate and the same entry in either order", problems)
	}
}

func TestAMixedBasketPaidBySinglePurposeVoucherIsAskedAbout(t *testing.T) {
	t.Parallel()
	single := paidWith(tender(document.VoucherTender, document.Paid, "22.50"), &document.Voucher{Purpose: "SINGLE"})
	_, problems := books.Build(day(ukMapping(t), receipt(document.Sale, "1", item("12.00", vat20("10.00", "2.00")), item("10.50", tax("B", "5", "10.00", "0.50")), single)))
	if len(problems) != 1 || problems[0].Key != "voucher:tax" {
		t.Errorf("problems are %+v, want one about the voucher's tax", problems)
	}
}

func TestRoundingByMethod(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, scope string
		tender        document.Tender
		rounds        bool
	}{
		{"", "", cash("20.00"), true},
		{"up", "", cash("20.00"), true},
		{"down", "", cash("19.95"), true},
		{"down", "", cash("20.00"), false},
		{"up", "", cash("19.95"), false},
		{"", "", cash("19.95"), false},
		{"", "", card("20.00"), false},
		{"", "all", card("20.00"), true},
	} {
		m := ukMapping(t, func(m *books.Mapping) {
			m.Rounding = &books.Rounding{Step: dec("0.05"), Method: c.method, Scope: c.scope}
		})
		_, problems := books.Build(day(m, receipt(document.Sale, "1", item("19.98", zero("19.98")), c.tender)))
		if got := len(problems) == 0; got != c.rounds {
			t.Errorf("%s %s %s %s is rounding: %t, want %t", c.method, c.scope, c.tender.Kind, c.tender.Amount, got, c.rounds)
		}
	}
}

// taxesOf returns the tax of each sales line by its account.
func taxesOf(entry books.Entry) map[string]string {
	taxes := map[string]string{}
	for _, l := range entry.Lines {
		if l.Tax != nil {
			taxes[l.Account] = l.Tax.Amount.Format(2)
		}
	}
	return taxes
}

func TestTaxFinerThanPenceIsRoundedOnceAndSpreadByLargestRemainder(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) {
		m.Categories = map[string]string{"a": "a", "b": "b", "c": "c", "d": "d"}
	})
	entry, _ := books.Build(day(m, receipt(document.Sale, "1",
		item("2.00", "a", vat20("1.6651", "0.3349")), item("2.00", "b", vat20("1.6651", "0.3349")),
		item("2.00", "c", vat20("1.6651", "0.3349")), item("2.00", "d", vat20("1.6652", "0.3348")), cash("8.00"))))
	if diff := cmp.Diff(map[string]string{"a": "0.34", "b": "0.34", "c": "0.33", "d": "0.33"}, taxesOf(entry)); diff != "" {
		t.Errorf("1.3395 of tax in four lines:\n%s", diff)
	}
	wantSound(t, entry)
	entry, _ = books.Build(day(m, receipt(document.Sale, "1",
		item("2.00", "a", vat20("1.6690", "0.3310")), item("2.00", "b", vat20("1.6655", "0.3345")), cash("4.00"))))
	if diff := cmp.Diff(map[string]string{"a": "0.33", "b": "0.34"}, taxesOf(entry)); diff != "" {
		t.Errorf("0.6655 of tax in two lines:\n%s", diff)
	}
	wantSound(t, entry)
}

func TestAnAmountTooLargeToAddIsAskedAbout(t *testing.T) {
	t.Parallel()
	entry, problems := books.Build(day(ukMapping(t), receipt(document.Sale, "1", item("200000000000.00", zero("200000000000.00")), cash("200000000000.00"))))
	if len(entry.Lines) != 0 || len(problems) != 1 || problems[0].Code != books.OutOfRange {
		t.Errorf("entry %+v, problems %+v; want no lines and one question", entry.Lines, problems)
	}
}

func TestAGapThatLeavesNoRoundAmountIsNoRounding(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) { m.Rounding = &books.Rounding{Step: dec("0.05")} })
	_, problems := books.Build(day(m, receipt(document.Sale, "1", item("19.98", zero("19.98")), cash("19.97"))))
	if len(problems) != 1 || problems[0].Code != books.Unbalanced {
		t.Errorf("problems are %+v, want the receipt to be off balance", problems)
	}
}

func TestTheBaseOfALineWithAFixedTaxIsCountedOnce(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) { m.Taxes = append(m.Taxes, books.TaxRule{Till: "BAG", Code: "LEVY"}) })
	entry, _ := books.Build(day(m, receipt(document.Sale, "1", item("12.05", vat20("10.00", "2.00"), tax("BAG", "0", "0", "0.05")), cash("12.05"))))
	for _, l := range entry.Lines {
		if l.Role == books.Sales && (l.Tax.Base != 1000 || l.Tax.Amount != 205 || l.Tax.Code != "STD-20+LEVY") {
			t.Errorf("tax is %+v, want 2.05 on 10.00", l.Tax)
		}
	}
}

func TestAForeignAmountWorthLessThanAPennyIsStillThere(t *testing.T) {
	t.Parallel()
	d := receipt(document.Sale, "1", item("10.00", zero("10.00")), cash("10.00"), &document.Rate{To: "GBP", Value: dec("0.00005")})
	d.Currency = "IDR"
	entry, _ := books.Build(day(ukMapping(t), d))
	if len(entry.Lines) != 2 || entry.Lines[0].Foreign == nil || entry.Lines[0].Foreign.Amount != 1000 || entry.Lines[0].Amount != 0 {
		t.Errorf("lines are %+v, want IDR 10.00 worth nothing", entry.Lines)
	}
}

func TestASinglePurposeVoucherBesideUntaxedGoodsIsAskedAbout(t *testing.T) {
	t.Parallel()
	single := paidWith(tender(document.VoucherTender, document.Paid, "19.00"), &document.Voucher{Purpose: "SINGLE"})
	_, problems := books.Build(day(ukMapping(t), receipt(document.Sale, "1", item("7.00", zero("7.00")), item("12.00", vat20("10.00", "2.00")), single)))
	if len(problems) != 1 || problems[0].Key != "voucher:tax" {
		t.Errorf("problems are %+v, want one about the voucher's tax", problems)
	}
}

func TestALineWithoutAnAmountNamesItsDocuments(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) { m.Taxes = []books.TaxRule{{Till: "BAG", Code: "BAG-LEVY"}} })
	entry, _ := books.Build(day(m, receipt(document.Sale, "1", item("0.05", tax("BAG", "0", "0", "0.05")), cash("0.05"))))
	for _, l := range entry.Lines {
		if l.Role == books.Sales && (l.Amount != 0 || len(l.Documents) != 1) {
			t.Errorf("line is %+v, want no amount and one document", l)
		}
	}
}

func TestAFloatWhoseReasonHasAnAccountComesFromThere(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) { m.Reasons["change order"] = "Head office" })
	for _, d := range []*document.Document{
		movement(document.Float, "1", "50.00", "Change order", document.Safe, document.Drawer),
		movement(document.Float, "1", "50.00", "Change order", document.Bank, ""),
	} {
		entry, problems := books.Build(day(m, d))
		wantJournal(t, entry, "Dr Cash float 50.00\nCr Head office 50.00")
		if len(problems) != 0 {
			t.Error(problems)
		}
	}
}

func TestDiscountsOnTwoAccountsLeaveNothingToRound(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, grossDiscounts, func(m *books.Mapping) {
		m.DiscountAccounts = map[document.AdjustmentKind]string{document.Coupon: "Coupons", document.Loyalty: "Loyalty"}
	})
	entry, _ := books.Build(day(m, receipt(document.Sale, "1",
		item("12.80", less(document.Coupon, "-0.40"), less(document.Loyalty, "-0.40"), vat20("10.00", "2.00")), cash("12.00"))))
	wantJournal(t, entry, `
		Dr Cash on hand 12.00
		Dr Coupons       0.33
		Dr Loyalty       0.33
		Cr Sales        10.66
		Cr VAT payable   2.00`)
}

func TestReturnsWithoutAnAccountOfTheirOwnGoWhereSalesAre(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) { delete(m.Accounts, books.Returns) })
	back := func(category string) *document.Document {
		return receipt(document.Return, "1", item("-12.00", category, zero("-12.00")), tender(document.Cash, document.Refund, "-12.00"))
	}
	for category, want := range map[string]string{"Books": "Sales zero-rated", "Food": "Sales"} {
		entry, problems := books.Build(day(m, back(category)))
		if len(problems) != 0 || entry.Lines[0].Role != books.Returns || entry.Lines[0].Account != want {
			t.Errorf("%s: line is %+v with problems %+v, want %s", category, entry.Lines[0], problems, want)
		}
	}
	m.CategoryReturns = map[string]string{"Books": "Books back"}
	entry, _ := books.Build(day(m, back("Books")))
	if entry.Lines[0].Account != "Books back" {
		t.Errorf("line is %+v, want the category's own account", entry.Lines[0])
	}
}
