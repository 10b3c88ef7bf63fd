package xero_test

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

	"tillbook.example/tillbook/collector/sandbox/xero"
)

// caller speaks to an organisation as any client does.
type caller struct {
	*xero.Org
	t      *testing.T
	server *httptest.Server
	token  string
}

func newCaller(t *testing.T) *caller {
	t.Helper()
	now := time.Date(2026, 11, 4, 8, 0, 0, 0, time.UTC)
	c := &caller{t: t, Org: xero.New(xero.Organisation{Name: "Shop", Currency: "GBP", Country: "GB"}, func() time.Time { return now })}
	c.server = httptest.NewServer(c.Handler())
	t.Cleanup(c.server.Close)
	c.connect()
	return c
}

func (c *caller) connect(scopes ...string) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.server.URL+"/connect/token", strings.NewReader(url.Values{
		"grant_type": {"authorization_code"}, "code": {c.Identity.Code(scopes...)},
	}.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(xero.ClientID, xero.ClientSecret)
	answer, err := c.server.Client().Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&token); err != nil || token.Access == "" {
		c.t.Fatalf("token: %v", err)
	}
	c.token = token.Access
}

func (c *caller) call(method, path, body string, headers ...string) (int, string, http.Header) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.server.URL+"/api.xro/2.0"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Xero-Tenant-Id", c.Tenant)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := c.server.Client().Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer.StatusCode, string(text), answer.Header
}

const day = `"Date":"2026-11-03"`

func journal(lines string) string {
	return `{"ManualJournals":[{"Narration":"n",` + day + `,"Status":"POSTED","LineAmountTypes":"Exclusive","JournalLines":[` + lines + `]}]}`
}

func invoice(number, lines string) string {
	return `{"Invoices":[{"Type":"ACCREC","Contact":{"Name":"x"},` + day + `,"InvoiceNumber":"` + number + `","Status":"AUTHORISED","LineAmountTypes":"Exclusive","LineItems":[` + lines + `]}]}`
}

const (
	debit  = `{"LineAmount":120.00,"AccountCode":"612","TaxType":"NONE"},`
	credit = `{"LineAmount":-100.00,"AccountCode":"200","TaxType":"OUTPUT2"}`
	sold   = `{"Description":"d","Quantity":1,"UnitAmount":100.00,"AccountCode":"200","TaxType":"OUTPUT2"}`
)

func TestEachRuleOfTheBooksRefusesWithItsOwnWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, kind, body, want string // an empty want is booked
		prepare                func(*caller)
	}{
		{name: "a journal that balances with its tax", kind: "ManualJournals", body: journal(debit + credit)},
		{name: "one that does not", kind: "ManualJournals", body: journal(debit + `{"LineAmount":-100.01,"AccountCode":"200","TaxType":"OUTPUT2"}`), want: "The total debits (120.00) must equal total credits (120.01)"},
		{name: "tax of a journal is worked out, whatever is said", kind: "ManualJournals", body: journal(debit + `{"LineAmount":-100.00,"AccountCode":"200","TaxType":"OUTPUT2","TaxAmount":-20.01}`)},
		{name: "no narration", kind: "ManualJournals", body: strings.Replace(journal(debit+credit), `"Narration":"n",`, "", 1), want: "Narration"},
		{name: "an account that is not there", kind: "ManualJournals", body: journal(`{"LineAmount":1,"AccountCode":"999","TaxType":"NONE"},{"LineAmount":-1,"AccountCode":"200","TaxType":"NONE"}`), want: "'999' is not a valid code"},
		{name: "a system account", kind: "ManualJournals", body: journal(`{"LineAmount":1,"AccountCode":"820","TaxType":"NONE"},{"LineAmount":-1,"AccountCode":"200","TaxType":"NONE"}`), want: "'820' is not a valid code"},
		{name: "a bank account", kind: "ManualJournals", body: journal(`{"LineAmount":1,"AccountCode":"090","TaxType":"NONE"},{"LineAmount":-1,"AccountCode":"200","TaxType":"NONE"}`), want: "'090' is not a valid code"},
		{name: "an archived account", kind: "ManualJournals", body: journal(debit + credit), want: "archived", prepare: func(c *caller) { c.Archive("200") }},
		{name: "a deleted tax rate", kind: "ManualJournals", body: journal(debit + credit), want: "'OUTPUT2' does not exist", prepare: func(c *caller) { c.Archive("OUTPUT2") }},
		{name: "a tax type of another class", kind: "ManualJournals", body: journal(debit + `{"LineAmount":-100.00,"AccountCode":"200","TaxType":"INPUT2"}`), want: "'INPUT2' cannot be used with account code '200'"},
		{name: "an unknown tracking option", kind: "ManualJournals", body: journal(debit + `{"LineAmount":-100.00,"AccountCode":"200","TaxType":"OUTPUT2","Tracking":[{"Name":"Store","Option":"Z"}]}`), want: "tracking"},
		{name: "the last locked day", kind: "ManualJournals", body: journal(debit + credit), want: "period lock date, currently set at 03 Nov 2026", prepare: func(c *caller) { c.SetLock("2026-11-03") }},
		{name: "the day after it", kind: "ManualJournals", body: journal(debit + credit), prepare: func(c *caller) { c.SetLock("2026-11-02") }},
		{name: "an invoice", kind: "Invoices", body: invoice("A", sold)},
		{name: "a number that is used", kind: "Invoices", body: invoice("a", sold), want: "Invoice # must be unique", prepare: func(c *caller) { c.call(http.MethodPut, "/Invoices", invoice("A", sold)) }},
		{name: "a number whose invoice was voided", kind: "Invoices", body: invoice("A", sold), want: "Invoice # must be unique", prepare: func(c *caller) {
			c.call(http.MethodPut, "/Invoices", invoice("A", sold))
			c.Void("A")
		}},
		{name: "a negative invoice", kind: "Invoices", body: invoice("A", strings.Replace(sold, "100.00", "-100.00", 1)), want: "greater than or equal to zero"},
		{name: "a line without a description", kind: "Invoices", body: invoice("A", strings.Replace(sold, `"d"`, `""`, 1)), want: "Description"},
		{name: "a payment of more than is due", kind: "Payments", body: `{"Payments":[{"Invoice":{"InvoiceNumber":"A"},"Account":{"Code":"090"},` + day + `,"Amount":120.01}]}`, want: "exceeds the amount outstanding",
			prepare: func(c *caller) { c.call(http.MethodPut, "/Invoices", invoice("A", sold)) }},
		{name: "a payment of nothing", kind: "Payments", body: `{"Payments":[{"Invoice":{"InvoiceNumber":"A"},"Account":{"Code":"090"},` + day + `,"Amount":0}]}`, want: "must be positive",
			prepare: func(c *caller) { c.call(http.MethodPut, "/Invoices", invoice("A", sold)) }},
		{name: "a payment to an account of sales", kind: "Payments", body: `{"Payments":[{"Invoice":{"InvoiceNumber":"A"},"Account":{"Code":"200"},` + day + `,"Amount":1}]}`, want: "cannot be used for payments",
			prepare: func(c *caller) { c.call(http.MethodPut, "/Invoices", invoice("A", sold)) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newCaller(t)
			if test.prepare != nil {
				test.prepare(c)
			}
			before := fmt.Sprint(c.Balances())
			status, text, _ := c.call(http.MethodPut, "/"+test.kind+"?summarizeErrors=false", test.body)
			if status != http.StatusOK || strings.Contains(text, `"StatusAttributeString":"ERROR"`) != (test.want != "") || !strings.Contains(text, test.want) {
				t.Errorf("status %d: %s\nwant %q", status, text, test.want)
			}
			if changed := fmt.Sprint(c.Balances()) != before; changed != (test.want == "") {
				t.Errorf("the books changed: %t", changed)
			}
			if test.want == "" {
				return
			}
			if status, text, _ = c.call(http.MethodPut, "/"+test.kind, test.body); status != http.StatusBadRequest || !strings.Contains(text, `"ErrorNumber":10`) || !strings.Contains(text, test.want) {
				t.Errorf("summarized: status %d: %s", status, text)
			}
		})
	}
}

func TestAnInvoiceWithAPaymentCannotBeVoided(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	c.call(http.MethodPut, "/Invoices", invoice("A", sold))
	c.call(http.MethodPut, "/Payments", `{"Payments":[{"Invoice":{"InvoiceNumber":"A"},"Account":{"Code":"090"},`+day+`,"Amount":120}]}`)
	if _, text, _ := c.call(http.MethodPost, "/Invoices/A", `{"Invoices":[{"Status":"VOIDED"}]}`); !strings.Contains(text, "has a payment or credit note allocated") {
		t.Errorf("%s", text)
	}
	if got := c.Balances(); got["090"] != 12000 || got["610"] != 0 || got["200"] != -10000 || got["820"] != -2000 {
		t.Errorf("balances %v", got)
	}
}

func TestAnIdempotencyKeyAnswersAgainAndRefusesAnotherRequest(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	_, first, _ := c.call(http.MethodPut, "/ManualJournals", journal(debit+credit), "Idempotency-Key", "k")
	_, again, _ := c.call(http.MethodPut, "/ManualJournals", journal(debit+credit), "Idempotency-Key", "k")
	if first != again || len(c.Balances()) != 3 || c.Balances()["612"] != 12000 {
		t.Errorf("%s\n%s\n%v", first, again, c.Balances())
	}
	if status, _, _ := c.call(http.MethodPut, "/ManualJournals", strings.Replace(journal(debit+credit), `"n"`, `"m"`, 1), "Idempotency-Key", "k"); status != http.StatusBadRequest {
		t.Errorf("another request: status %d", status)
	}
}

func TestTheGateLetsInWhatMayComeIn(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	if status, text, _ := c.call(http.MethodGet, "/Accounts", "", "Authorization", "Bearer x"); status != http.StatusUnauthorized || !strings.Contains(text, `"Detail"`) {
		t.Errorf("a token of nobody: %d %s", status, text)
	}
	if status, _, _ := c.call(http.MethodGet, "/Accounts", "", "Xero-Tenant-Id", "x"); status != http.StatusForbidden {
		t.Errorf("another tenant: %d", status)
	}
	c.connect(xero.ScopeSettings)
	if status, text, _ := c.call(http.MethodGet, "/Invoices", ""); status != http.StatusUnauthorized || !strings.Contains(text, "AuthorizationUnsuccessful") {
		t.Errorf("without the scope: %d %s", status, text)
	}
	var header http.Header
	status := 0
	for n := range 70 {
		if status, _, header = c.call(http.MethodGet, "/Accounts", ""); status != http.StatusOK {
			if n < 50 || status != http.StatusTooManyRequests || header.Get("Retry-After") == "" || header.Get("X-Rate-Limit-Problem") != "minute" || header.Get("X-MinLimit-Remaining") != "0" {
				t.Errorf("request %d: status %d, %v", n, status, header)
			}
			return
		}
	}
	t.Error("the limit of a minute is none")
}
