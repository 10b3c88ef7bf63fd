package merchant

import (
	"strings"
	"testing"
)

func TestAConnectionsSettingsAreThoseOfItsTarget(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		target   string
		settings map[string]string
		want     string // empty: all is well
	}{
		{"xero", map[string]string{"tenant": "x"}, ""},
		{"xero", map[string]string{"tenant": "x", "form": "payments", "closed": "next open day", "filed": "hold", "tax_filed_to": "2026-03-31", "url": "http://127.0.0.1:8080/xero"}, ""},
		{"xero", nil, "settings.tenant: is missing"},
		{"xero", map[string]string{"tenant": "x", "form": "journals"}, `settings.form: "journals" must be journal or invoice or payments (did you mean "journal"?)`},
		{"xero", map[string]string{"tenant": "x", "url": "http://example.com"}, "must be an https address"},
		{"xero", map[string]string{"tenant": "x", "realm": "y"}, "settings.realm: is not a setting of target xero"},
		{"quickbooks", map[string]string{"realm": "1", "form": "receipt", "class": "category", "url": "https://sandbox-quickbooks.api.intuit.com"}, ""},
		{"quickbooks", map[string]string{}, "settings.realm: is missing"},
		{"tryton", map[string]string{"url": "https://books.example", "database": "books", "user": "tillbook", "journal": "REV"}, ""},
		{"tryton", map[string]string{"url": "http://books.example", "database": "books", "user": "tillbook"}, "must be an https address"},
		{"tryton", map[string]string{"url": "https://books.example", "database": "books"}, "settings.user: is missing"},
		{"quickbooks", map[string]string{"realm": "1", "tax_filed_to": "March"}, "must be a day"},
		{"quickbooks", map[string]string{"realm": "1", "closed": "draft"}, "must be hold or next open day"},
		{"text", map[string]string{"folder": "/b", "format": "hledger", "filed": "next open day"}, ""},
		{"text", map[string]string{"folder": "b", "format": "hledger"}, "must be an absolute path"},
	} {
		var p problems
		p.connection("c", Connection{ID: "books", Target: test.target, Settings: test.settings})
		var said []string
		for _, found := range p.found {
			said = append(said, found.Error())
		}
		if got := strings.Join(said, "; "); (got == "") != (test.want == "") || !strings.Contains(got, test.want) || len(said) > 1 {
			t.Errorf("%s %v: %q, want %q", test.target, test.settings, got, test.want)
		}
	}
}
