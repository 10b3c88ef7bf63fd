package books_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

func TestExemptAndFacilitatorSalesAreReportedByJurisdictionWithoutTax(t *testing.T) {
	t.Parallel()
	sales := func(jurisdiction, base, amount string) document.Tax {
		return document.Tax{Code: "ST", Scheme: "SALES", Rate: dec("8"), Base: dec(base), Amount: dec(amount), Jurisdiction: jurisdiction}
	}
	facilitated := sales("Austin", "50.00", "4.00")
	facilitated.Liable = "FACILITATOR"
	exempt := document.Tax{Code: "ST", Scheme: "SALES", Base: dec("30.00"), Jurisdiction: "Dallas"}
	certified := receipt(document.Sale, "3", document.TaxExcluded, item("30.00", exempt), card("30.00"))
	certified.Customer = &document.Customer{Exemption: &document.Exemption{Reason: "resale", Certificate: "TX-77"}}
	documents := []*document.Document{
		receipt(document.Sale, "1", document.TaxExcluded, item("100.00", sales("Austin", "100.00", "8.00")), card("108.00")),
		receipt(document.Sale, "2", document.TaxExcluded, item("50.00", facilitated), tender(document.Marketplace, document.Paid, "54.00")),
		certified,
		receipt(document.Return, "4", document.TaxExcluded, item("-10.00", sales("Austin", "-10.00", "-0.80")), tender(document.CardCredit, document.Refund, "-10.80")),
	}
	got, err := books.Jurisdictions(documents, nil, "GBP")
	if err != nil {
		t.Fatal(err)
	}
	want := []books.Jurisdiction{
		{Name: "Austin", Gross: dec("140"), Exempt: map[string]money.Decimal{}, Taxable: dec("90"), Tax: dec("7.20"), Facilitated: dec("50"), FacilitatedTax: dec("4")},
		{Name: "Dallas", Gross: dec("30"), Exempt: map[string]money.Decimal{"resale": dec("30")}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	m := ukMapping(t, func(m *books.Mapping) {
		m.Taxes = []books.TaxRule{{Jurisdiction: "Austin", Code: "AUSTIN"}, {Jurisdiction: "Dallas", Code: "DALLAS"}}
	})
	entry, problems := books.Build(day(m, documents...))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	var tax money.Minor
	for _, l := range entry.Lines {
		if l.Role == books.OutputTax {
			tax -= l.Signed()
		}
	}
	if tax != 720 {
		t.Errorf("tax of %d is booked, want 7.20", tax)
	}
}

func TestAMenuOfTwoRatesCountsBothPartsAndALevyNone(t *testing.T) {
	t.Parallel()
	report, err := books.Jurisdictions([]*document.Document{
		receipt(document.Sale, "1", item("22.50", vat20("10.00", "2.00"), tax("B", "5", "10.00", "0.50")), item("12.05", tax("BAG", "0", "0", "0.05"), vat20("10.00", "2.00")), cash("34.55")),
	}, nil, "GBP")
	if err != nil {
		t.Fatal(err)
	}
	if len(report) != 1 || report[0].Gross != dec("30") || report[0].Tax != dec("4.55") {
		t.Errorf("reported is %+v, want 4.55 of tax on 30.00", report)
	}
}

func TestWhatAJurisdictionReportsAddsUpAndIsTheTaxThatIsBooked(t *testing.T) {
	t.Parallel()
	wide(t, func(t *rapid.T, d shopDay) {
		var documents []*document.Document
		for _, r := range d.documents {
			single := len(r.Tenders) == 1 && r.Tenders[0].Voucher != nil
			if r.Currency == d.currency && !single {
				documents = append(documents, r)
			}
		}
		report, err := books.Jurisdictions(documents, nil, d.currency)
		if err != nil {
			t.Fatal(err)
		}
		var tax money.Decimal
		for _, j := range report {
			parts := j.Taxable + j.Facilitated
			for _, amount := range j.Exempt {
				parts += amount
			}
			if parts != j.Gross {
				t.Fatalf("%s: %s is not the sum of its parts, %s", j.Name, j.Gross, parts)
			}
			tax += j.Tax
		}
		entry, _ := books.Build(day(d.mapping(t), documents...))
		var booked money.Minor
		for _, l := range entry.Lines {
			if l.Role == books.OutputTax {
				booked -= l.Signed()
			}
		}
		if minor, _ := money.ToMinor(tax, d.places); minor != booked {
			t.Fatalf("reported are %s, booked are %d", tax, booked)
		}
	})
}
