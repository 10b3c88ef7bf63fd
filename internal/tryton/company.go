package tryton

import (
	"fmt"
	"maps"
	"testing"
)

// Accounts of each chart, by their codes.
const (
	Cash      = "1000"
	Card      = "1010"
	Sales     = "4000"
	VAT       = "2200"
	Rounding  = "6900"
	Purchases = "5000"
)

// Taxes of each company, by their names: of 20 percent on sales, of none, and of
// 20 percent on purchases.
const (
	V20 = "V20"
	EX  = "EX"
	P20 = "P20"
)

// prepare makes what all companies share.
func (s *Server) prepare(t testing.TB) {
	t.Helper()
	s.admin = s.login(t, "admin")
	s.user = s.admin.Find(t, "res.user", []any{[]any{"login", "=", "admin"}}, "login")[0].ID()
	s.pound = s.admin.Create(t, "currency.currency", map[string]any{"name": "Pound", "code": "GBP", "symbol": "£", "digits": 2, "rounding": Decimal("0.01")})
	s.admin.Create(t, "currency.currency", map[string]any{"name": "Dollar", "code": "USD", "symbol": "$", "digits": 2, "rounding": Decimal("0.01")})
	s.kinds = map[string]int{}
	for _, model := range []string{"ir.sequence.type", "res.group"} {
		for _, row := range s.admin.Find(t, model, []any{}, "name") {
			s.kinds[row["name"].(string)] = row.ID()
		}
	}
	for _, name := range []string{V20, EX, P20} {
		kind := "sale"
		if name == P20 {
			kind = "purchase"
		}
		s.kinds[name] = s.admin.Create(t, "account.tax.group", map[string]any{"name": name, "code": name, "kind": kind})
	}
}

// Books makes a company, and a user for whoever posts there.
func (s *Server) Books(t testing.TB) *Books {
	t.Helper()
	n := s.made.Add(1)
	b := &Books{Company: fmt.Sprint("Corner Shop ", n), User: fmt.Sprint("tillbook", n), session: &session{
		url: s.admin.url, key: s.admin.key, context: maps.Clone(s.admin.context),
	}}
	party := b.Create(t, "party.party", map[string]any{"name": b.Company, "code": b.User})
	company := b.Create(t, "company.company", map[string]any{"party": party, "currency": s.pound})
	b.Create(t, "res.user", map[string]any{
		"name": b.User, "login": b.User, "password": Password, "company": company,
		"companies": []any{[]any{"add", []int{company}}}, "groups": []any{[]any{"add", []int{s.kinds["Account Administration"]}}},
	})
	b.Write(t, "res.user", s.user, map[string]any{"companies": []any{[]any{"add", []int{company}}}, "company_filter": "all"})
	b.context["company"] = company
	b.years(t, company, s.kinds["Account Move"])
	b.chart(t, s, company)
	return b
}

// years makes two fiscal years. Of November some days have a period of their own,
// so that books can be closed to a day.
func (b *Books) years(t testing.TB, company, kind int) {
	t.Helper()
	for _, year := range []int{2026, 2028} {
		numbers := b.Create(t, "ir.sequence", map[string]any{"name": fmt.Sprint(year), "sequence_type": kind, "company": company, "prefix": fmt.Sprintf("%d-", year)})
		fiscal := b.Create(t, "account.fiscalyear", map[string]any{
			"name": fmt.Sprint(year), "company": company, "start_date": Date(year, 1, 1), "end_date": Date(year, 12, 31), "post_move_sequence": numbers,
		})
		var periods []map[string]any
		for i, p := range [][4]int{{1, 1, 10, 31}, {11, 1, 11, 2}, {11, 3, 11, 3}, {11, 4, 11, 30}, {12, 1, 12, 31}} {
			periods = append(periods, map[string]any{
				"name": fmt.Sprintf("%d part %d", year, i+1), "fiscalyear": fiscal, "type": "standard",
				"start_date": Date(year, p[0], p[1]), "end_date": Date(year, p[2], p[3]),
			})
		}
		b.createAll(t, "account.period", periods...)
	}
}

func (b *Books) chart(t testing.TB, s *Server, company int) {
	t.Helper()
	types := b.createAll(t, "account.account.type",
		map[string]any{"name": "Asset", "company": company, "statement": "balance", "assets": true},
		map[string]any{"name": "Liability", "company": company, "statement": "balance"},
		map[string]any{"name": "Revenue", "company": company, "statement": "income", "revenue": true},
		map[string]any{"name": "Expense", "company": company, "statement": "income", "expense": true},
	)
	asset, liability, revenue, expense := types[0], types[1], types[2], types[3]
	var accounts, taxes []map[string]any
	for _, a := range []struct {
		code, name string
		kind       int
	}{
		{VAT, "VAT control", liability}, {Cash, "Cash", asset}, {Card, "Card clearing", asset}, {Sales, "Sales", revenue}, {Rounding, "Rounding", expense}, {Purchases, "Purchases", expense},
	} {
		accounts = append(accounts, map[string]any{"code": a.code, "name": a.name, "company": company, "type": a.kind})
	}
	vat := b.createAll(t, "account.account", accounts...)[0]
	for _, tax := range []struct{ name, rate string }{{V20, "0.2"}, {EX, "0"}, {P20, "0.2"}} {
		taxes = append(taxes, map[string]any{
			"name": tax.name, "description": tax.name, "type": "percentage", "rate": Decimal(tax.rate), "company": company, "group": s.kinds[tax.name],
			"invoice_account": vat, "credit_note_account": vat,
		})
	}
	b.createAll(t, "account.tax", taxes...)
}
