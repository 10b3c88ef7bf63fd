package books_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// effects adds up what documents do to each account.
func effects(documents []books.SalesDocument) map[string]money.Minor {
	sums := map[string]money.Minor{}
	for _, d := range documents {
		for account, amount := range d.Effect() {
			if sums[account] += amount; sums[account] == 0 {
				delete(sums, account)
			}
		}
	}
	return sums
}

// accountsOf is what an entry does to each account.
func accountsOf(entry books.Entry) map[string]money.Minor {
	sums := map[string]money.Minor{}
	for _, l := range entry.Lines {
		if sums[l.Account] += l.Signed(); sums[l.Account] == 0 {
			delete(sums, l.Account)
		}
	}
	return sums
}

func inForm(t testing.TB, entry books.Entry, m books.Mapping, form books.Form, o books.FormOptions) []books.SalesDocument {
	t.Helper()
	documents, err := entry.SalesDocuments(m, form, o)
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

func TestAFormDoesToTheAccountsWhatTheJournalDoes(t *testing.T) {
	t.Parallel()
	wide(t, func(t *rapid.T, d shopDay) {
		m := d.mapping(t)
		entry, _ := books.Build(day(m, d.documents...))
		o := books.FormOptions{Taxed: rapid.Bool().Draw(t, "taxed"), Redemption: rapid.SampledFrom([]string{"", "acct redemption"}).Draw(t, "redemption")}
		want := accountsOf(entry)
		for _, form := range books.Forms {
			made, err := entry.SalesDocuments(m, form, o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, effects(made)); diff != "" {
				t.Fatalf("%s: journal (-) and form (+):\n%s", form, diff)
			}
			for _, d := range made {
				var paid money.Minor
				for _, p := range d.Payments {
					if paid += p.Amount; p.Amount <= 0 {
						t.Fatalf("%s: payment %+v is not above zero", form, p)
					}
				}
				if paid != d.Total || d.Total < 0 || form != books.InvoiceForm && d.Total != 0 {
					t.Fatalf("%s: %s of %d is settled by %d", form, d.Kind, d.Total, paid)
				}
			}
		}
	})
}

func TestADayInItsThreeForms(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) { m.OutOfScope = "NONE" })
	entry, _ := books.Build(day(m, receipt(document.Sale, "1", item("120.00", vat20("100.00", "20.00")), cash("50.00"), card("70.00"))))
	for _, c := range []struct {
		form     books.Form
		taxed    bool
		kind     books.SalesKind
		lines    string
		payments string
		total    money.Minor
	}{
		{books.JournalForm, false, books.Journal, "Cash on hand 5000 | Card clearing 7000 | Sales -10000 | VAT payable -2000", "", 0},
		{books.JournalForm, true, books.Journal, "Cash on hand 5000 NONE | Card clearing 7000 NONE | Sales -10000 STD-20 -2000", "", 0},
		{books.ZeroForm, true, books.Invoice, "Cash on hand -5000 NONE | Card clearing -7000 NONE | Sales 10000 STD-20 2000", "", 0},
		{books.InvoiceForm, true, books.Invoice, "Sales 10000 STD-20 2000", "Cash on hand 5000 | Card clearing 7000", 12000},
	} {
		made := inForm(t, entry, m, c.form, books.FormOptions{Taxed: c.taxed})
		if len(made) != 1 || made[0].Kind != c.kind || made[0].Total != c.total || text(made[0]) != c.lines || paymentsOf(made[0]) != c.payments {
			t.Errorf("%s is %+v, want %s: %s paid by %s", c.form, made, c.kind, c.lines, c.payments)
		}
	}
}

// text writes the lines of a document.
func text(d books.SalesDocument) string {
	var texts []string
	for _, l := range d.Lines {
		parts := []string{l.Account, l.Amount.Format(0)}
		if l.TaxCode != "" {
			parts = append(parts, l.TaxCode)
		}
		if l.Tax != 0 {
			parts = append(parts, l.Tax.Format(0))
		}
		texts = append(texts, strings.Join(parts, " "))
	}
	return strings.Join(texts, " | ")
}

func paymentsOf(d books.SalesDocument) string {
	var texts []string
	for _, p := range d.Payments {
		texts = append(texts, p.Account+" "+p.Amount.Format(0))
	}
	return strings.Join(texts, " | ")
}

func TestADayWithMoreReturnsThanSalesIsACreditNoteOrAnInvoiceOfZero(t *testing.T) {
	t.Parallel()
	m := ukMapping(t)
	entry, _ := books.Build(day(m,
		receipt(document.Sale, "1", item("12.00", vat20("10.00", "2.00")), card("12.00")),
		receipt(document.Return, "2", item("-120.00", vat20("-100.00", "-20.00")), tender(document.Cash, document.Refund, "-120.00"))))
	note := inForm(t, entry, m, books.InvoiceForm, books.FormOptions{Taxed: true})[0]
	if note.Kind != books.CreditNote || note.Total != 12000 || paymentsOf(note) != "Cash on hand 12000" || !strings.Contains(text(note), "Card clearing 1200") {
		t.Errorf("it is %+v, want a credit note of 120.00 paid back in cash, with the card payment among its lines", note)
	}
	if zero := inForm(t, entry, m, books.ZeroForm, books.FormOptions{Taxed: true})[0]; zero.Kind != books.Invoice || zero.Total != 0 {
		t.Errorf("it is %+v, want an invoice of zero", zero)
	}
}

func TestATargetThatWorksTaxOutGetsItsOwnRoundingLine(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) { m.Taxes = []books.TaxRule{{Till: "G", Code: "GST"}} })
	entry, _ := books.Build(day(m, receipt(document.Sale, "1", item("87.75", tax("G", "15", "76.30", "11.45")), card("87.75"))))
	rates := map[string]money.Decimal{"GST": dec("14.995")} // 11.44 on 76.30
	made := inForm(t, entry, m, books.ZeroForm, books.FormOptions{Taxed: true, Rates: rates, Limit: 1})
	want := map[string]money.Minor{"Card clearing": 8775, "Sales": -7630, "VAT payable": -1144, "Tax rounding": -1}
	if diff := cmp.Diff(want, effects(made)); diff != "" || made[0].Total != 0 {
		t.Errorf("the form books\n%s", diff)
	}
	if _, err := entry.SalesDocuments(m, books.ZeroForm, books.FormOptions{Taxed: true, Rates: rates}); err == nil || !strings.Contains(err.Error(), "more than 0") {
		t.Errorf("error is %v, want one about the limit", err)
	}
	if made := inForm(t, entry, m, books.ZeroForm, books.FormOptions{Taxed: true}); effects(made)["VAT payable"] != -1145 {
		t.Errorf("a target that takes tax over books %+v, want the printed 11.45", effects(made))
	}
}

func TestGiftCardsGoByARedemptionAccountWhereAnInvoiceAsksForIt(t *testing.T) {
	t.Parallel()
	m := ukMapping(t)
	entry, _ := books.Build(day(m, receipt(document.Sale, "2", item("60.00", vat20("50.00", "10.00")), tender(document.GiftCard, document.Paid, "50.00"), cash("10.00"))))
	made := inForm(t, entry, m, books.InvoiceForm, books.FormOptions{Taxed: true, Redemption: "Gift card redemption clearing"})
	if len(made) != 2 || paymentsOf(made[0]) != "Cash on hand 1000 | Gift card redemption clearing 5000" || made[0].Total != 6000 ||
		text(made[1]) != "Gift card liability 5000 | Gift card redemption clearing -5000" {
		t.Errorf("it is %+v, want the card as a payment that a journal clears", made)
	}
}

func TestTheCostOfGoodsIsAJournalBesideTheInvoice(t *testing.T) {
	t.Parallel()
	goods := item("60.00", vat20("50.00", "10.00"))
	goods.Cost = &document.Money{Amount: dec("42.00"), Currency: "GBP"}
	m := ukMapping(t, func(m *books.Mapping) { m.CostOfGoods = true })
	entry, _ := books.Build(day(m, receipt(document.Sale, "1", goods, card("60.00"))))
	made := inForm(t, entry, m, books.InvoiceForm, books.FormOptions{Taxed: true})
	if len(made) != 2 || text(made[0]) != "Sales 5000 STD-20 1000" || made[1].Kind != books.Journal || text(made[1]) != "Cost of goods sold 4200 | Inventory -4200" {
		t.Errorf("it is %+v, want an invoice of 60.00 and a journal of 42.00", made)
	}
}

func TestADayKeepsTheFormOfItsFirstPosting(t *testing.T) {
	t.Parallel()
	m := books.Mapping{Form: books.ZeroForm}
	if m.FormOf(books.InvoiceForm) != books.InvoiceForm || m.FormOf("") != books.ZeroForm || (books.Mapping{}).FormOf("") != books.JournalForm {
		t.Error("a posted day has another form, or a new one has not the mapping's")
	}
}

func TestAnEntryThatWaitsHasNoForm(t *testing.T) {
	t.Parallel()
	m := ukMapping(t, func(m *books.Mapping) { delete(m.Accounts, books.CardClearing) })
	entry, _ := books.Build(day(m, receipt(document.Sale, "1", item("1.00", zero("1.00")), card("1.00"))))
	for _, form := range append([]books.Form{"poem"}, books.Forms...) {
		if made, err := entry.SalesDocuments(m, form, books.FormOptions{}); err == nil {
			t.Errorf("%s: it is %+v", form, made)
		}
	}
	m.Accounts[books.CardClearing] = "Card clearing"
	entry, _ = books.Build(day(m, receipt(document.Sale, "1", item("1.00", zero("1.00")), card("1.00"))))
	if _, err := entry.SalesDocuments(m, "poem", books.FormOptions{}); err == nil {
		t.Error("a form that there is not was made")
	}
	m.Taxes = append(m.Taxes, books.TaxRule{Till: "X", Code: "STD-20", Account: "Elsewhere"})
	entry, _ = books.Build(day(m, receipt(document.Sale, "1", item("12.00", vat20("10.00", "2.00")), card("12.00"))))
	if _, err := entry.SalesDocuments(m, books.ZeroForm, books.FormOptions{Taxed: true}); err == nil || !strings.Contains(err.Error(), "two accounts") {
		t.Errorf("error is %v, want one about a tax code of two accounts", err)
	}
}
