package quickbooks_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/sandbox/quickbooks"
)

// caller speaks to a company as any client does.
type caller struct {
	*quickbooks.Company
	t      *testing.T
	server *httptest.Server
	token  string
}

func newCaller(t *testing.T, country string) *caller {
	t.Helper()
	now := time.Date(2026, 11, 4, 8, 0, 0, 0, time.UTC)
	c := &caller{t: t, Company: quickbooks.New(country, "GBP", func() time.Time { return now })}
	c.server = httptest.NewServer(c.Handler())
	t.Cleanup(c.server.Close)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.server.URL+"/oauth2/v1/tokens/bearer", strings.NewReader(url.Values{
		"grant_type": {"authorization_code"}, "code": {c.Identity.Code()},
	}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(quickbooks.ClientID, quickbooks.ClientSecret)
	answer, err := c.server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&token); err != nil || token.Access == "" {
		t.Fatalf("token: %v", err)
	}
	c.token = token.Access
	return c
}

func (c *caller) call(method, path, body string) (int, string) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.server.URL+"/v3/company/"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	answer, err := c.server.Client().Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func line(amount, side, account, more string) string {
	return `{"Amount":` + amount + `,"DetailType":"JournalEntryLineDetail","JournalEntryLineDetail":{"PostingType":"` + side + `","AccountRef":{"value":"` + account + `"}` + more + `}}`
}

func entry(lines ...string) string {
	return `{"DocNumber":"A","TxnDate":"2026-11-03","Line":[` + strings.Join(lines, ",") + `]}`
}

// Accounts of the small chart: 31 cash, 33 receivable, 36 sales, 39 tax.
func TestEachRuleOfTheBooksRefusesWithItsOwnCode(t *testing.T) {
	t.Parallel()
	taxed := `,"TaxCodeRef":{"value":"2"},"TaxApplicableOn":"Sales","TaxAmount":20`
	receipt := `{"DocNumber":"A","TxnDate":"2026-11-03","Line":[{"Amount":100,"DetailType":"SalesItemLineDetail","SalesItemLineDetail":{"ItemRef":{"value":"66"},"TaxCodeRef":{"value":"2"}}},` +
		`{"Amount":-120,"DetailType":"SalesItemLineDetail","SalesItemLineDetail":{"ItemRef":{"value":"61"},"TaxCodeRef":{"value":"5"}}}],` +
		`"TxnTaxDetail":{"TotalTax":20,"TaxLine":[{"Amount":20,"DetailType":"TaxLineDetail","TaxLineDetail":{"TaxRateRef":{"value":"11"}}}]}}`
	for _, test := range []struct {
		name, country, kind, body, want string // an empty want is booked
		prepare                         func(*caller)
	}{
		{name: "a journal that balances", body: entry(line("1", "Debit", "31", ""), line("1", "Credit", "36", ""))},
		{name: "one that balances with its tax", body: entry(line("120", "Debit", "31", ""), line("100", "Credit", "36", taxed))},
		{name: "one that does not", body: entry(line("1", "Debit", "31", ""), line("2", "Credit", "36", "")), want: "6000"},
		{name: "tax codes in the United States", country: "US", body: entry(line("120", "Debit", "31", ""), line("100", "Credit", "36", taxed)), want: "2010"},
		{name: "tax codes in Canada", country: "CA", body: entry(line("120", "Debit", "31", ""), line("100", "Credit", "36", taxed)), want: "2010"},
		{name: "an account that is not there", body: entry(line("1", "Debit", "99", ""), line("1", "Credit", "36", "")), want: "2500"},
		{name: "an inactive account", body: entry(line("1", "Debit", "31", ""), line("1", "Credit", "36", "")), want: "610", prepare: func(c *caller) { c.Archive("4000") }},
		{name: "the account of tax", body: entry(line("1", "Debit", "31", ""), line("1", "Credit", "39", "")), want: "6000"},
		{name: "receivables of nobody", body: entry(line("1", "Debit", "33", ""), line("1", "Credit", "36", "")), want: "6000"},
		{name: "a side that is none", body: entry(line("1", "Dr", "31", ""), line("1", "Credit", "36", "")), want: "2170"},
		{name: "a number that is too long", body: strings.Replace(entry(line("1", "Debit", "31", ""), line("1", "Credit", "36", "")), `"A"`, `"1234567890123456789012"`, 1), want: "2050"},
		{name: "closed books", body: entry(line("1", "Debit", "31", ""), line("1", "Credit", "36", "")), want: "6210", prepare: func(c *caller) { c.SetClosed("2026-11-03") }},
		{name: "a number that is used is taken", body: entry(line("1", "Debit", "31", ""), line("1", "Credit", "36", "")), prepare: func(c *caller) {
			c.call(http.MethodPost, c.Realm+"/journalentry", entry(line("1", "Debit", "31", ""), line("1", "Credit", "36", "")))
		}},
		{name: "a receipt that nets to zero", kind: "salesreceipt", body: receipt},
		{name: "a receipt of less than nothing", kind: "salesreceipt", body: strings.Replace(receipt, `-120`, `-121`, 1), want: "6070"},
		{name: "a receipt line without a tax code", kind: "salesreceipt", body: strings.Replace(receipt, `,"TaxCodeRef":{"value":"5"}`, "", 1), want: "6000"},
		{name: "a refund from nowhere", kind: "refundreceipt", body: receipt, want: "2020"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			country, kind := test.country, test.kind
			if country == "" {
				country = "GB"
			}
			if kind == "" {
				kind = "journalentry"
			}
			c := newCaller(t, country)
			if test.prepare != nil {
				test.prepare(c)
			}
			before := fmt.Sprint(c.Documents(""))
			status, text := c.call(http.MethodPost, c.Realm+"/"+kind+"?minorversion=75", test.body)
			if test.want == "" && status != http.StatusOK || test.want != "" && (status != http.StatusBadRequest || !strings.Contains(text, `"code":"`+test.want+`"`)) {
				t.Errorf("status %d: %s\nwant %q", status, text, test.want)
			}
			if changed := fmt.Sprint(c.Documents("")) != before; changed != (test.want == "") {
				t.Errorf("the books changed: %t", changed)
			}
		})
	}
}

func TestARequestIDAnswersAgainWhateverIsAsked(t *testing.T) {
	t.Parallel()
	c := newCaller(t, "GB")
	_, first := c.call(http.MethodPost, c.Realm+"/journalentry?requestid=r", entry(line("1", "Debit", "31", ""), line("1", "Credit", "36", "")))
	_, again := c.call(http.MethodPost, c.Realm+"/journalentry?requestid=r", entry(line("2", "Debit", "31", ""), line("2", "Credit", "36", "")))
	if first != again || c.Balances()["1100"] != 100 {
		t.Errorf("%s\n%s", first, again)
	}
}

func TestAStaleTokenAndAnotherCompanyAreRefused(t *testing.T) {
	t.Parallel()
	c := newCaller(t, "GB")
	c.call(http.MethodPost, c.Realm+"/journalentry", entry(line("1", "Debit", "31", ""), line("1", "Credit", "36", "")))
	if status, text := c.call(http.MethodPost, c.Realm+"/journalentry?operation=delete", `{"Id":"101","SyncToken":"7"}`); status != http.StatusBadRequest || !strings.Contains(text, "5010") {
		t.Errorf("%d %s", status, text)
	}
	if status, text := c.call(http.MethodPost, c.Realm+"/journalentry?operation=delete", `{"Id":"101","SyncToken":"0"}`); status != http.StatusOK || !strings.Contains(text, `"Deleted"`) || len(c.Documents("")) != 0 {
		t.Errorf("%d %s", status, text)
	}
	if status, text := c.call(http.MethodGet, "1/preferences", ""); status != http.StatusForbidden || !strings.Contains(text, "<Fault") {
		t.Errorf("another company: %d %s", status, text)
	}
	c.token = "x"
	if status, text := c.call(http.MethodGet, c.Realm+"/preferences", ""); status != http.StatusUnauthorized || !strings.Contains(text, `"fault"`) {
		t.Errorf("a token of nobody: %d %s", status, text)
	}
}
