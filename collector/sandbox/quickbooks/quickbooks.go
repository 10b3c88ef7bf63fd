// Package quickbooks is a stand-in for one company at QuickBooks Online, with the
// rules that decide whether a day can be posted: balance, request ids, closed
// books, inactive accounts, tax by country, sync tokens, limits, rotation of
// tokens, and the three shapes of faults.
//
// It is made from what Intuit publishes, and no more than posting needs: it keeps
// everything in memory and has one currency. It shares no code with the target,
// so that both cannot be wrong in the same way.
package quickbooks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/sandbox/gate"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Scope is the one scope there is.
const Scope = "com.intuit.quickbooks.accounting"

// The app that is let in.
const (
	ClientID     = "sandbox-app"
	ClientSecret = "sandbox-secret"
)

// Account is one account of the chart.
type Account struct {
	ID, Number, Name, Type, SubType, Class string
	Inactive                               bool
}

type taxRate struct {
	id      string
	percent money.Decimal
}

type taxCode struct {
	id, name string
	inactive bool
	sales    []taxRate
}

type item struct {
	id, name string
	account  *Account
}

// Company is one company's books.
type Company struct {
	gate.Gate
	Realm string

	mu          sync.Mutex
	country     string
	currency    string
	closed      bizday.Day
	suspended   bool // the subscription has ended
	simple      bool // the plan has no journal entries
	accounts    []*Account
	taxes       []*taxCode
	items       []*item
	classes     []string // the place is the id
	departments []string
	documents   []*document
	attachments []*attachment
	deleted     []*document
	requests    map[string]remembered
	last        int
}

type remembered struct {
	status int
	answer []byte
}

// New returns a company in a country, with a small chart.
func New(country, currency string, now func() time.Time) *Company {
	c := &Company{Realm: "9341452700000001", country: country, currency: currency, requests: map[string]remembered{}, last: 100}
	c.Gate = gate.Gate{
		Vendor: (*vendor)(c), Now: now, Limits: gate.Limits{Minute: 500, InFlight: 10},
		Identity: gate.Identity{
			ClientID: ClientID, ClientSecret: ClientSecret, Scopes: []string{Scope}, AccessLife: time.Hour, RefreshLife: 100 * 24 * time.Hour, Now: now,
			Callback: url.Values{"realmId": {c.Realm}},
		},
	}
	tax := Account{Name: "VAT Control", Type: "Other Current Liability", SubType: "GlobalTaxPayable", Class: "Liability"}
	if country == "US" {
		tax = Account{Name: "Board of Equalization Payable", Type: "Other Current Liability", SubType: "SalesTaxPayable", Class: "Liability"}
	}
	for i, a := range []Account{
		{Number: "1000", Name: "Bank", Type: "Bank", SubType: "Checking", Class: "Asset"},
		{Number: "1100", Name: "Cash clearing", Type: "Other Current Asset", SubType: "OtherCurrentAssets", Class: "Asset"},
		{Number: "1110", Name: "Card clearing", Type: "Other Current Asset", SubType: "OtherCurrentAssets", Class: "Asset"},
		{Number: "1200", Name: "Accounts Receivable (A/R)", Type: "Accounts Receivable", SubType: "AccountsReceivable", Class: "Asset"},
		{Number: "2200", Name: "State sales tax", Type: "Other Current Liability", SubType: "OtherCurrentLiabilities", Class: "Liability"},
		{Number: "2210", Name: "City sales tax", Type: "Other Current Liability", SubType: "OtherCurrentLiabilities", Class: "Liability"},
		{Number: "4000", Name: "Sales", Type: "Income", SubType: "SalesOfProductIncome", Class: "Revenue"},
		{Number: "4010", Name: "Drinks", Type: "Income", SubType: "SalesOfProductIncome", Class: "Revenue"},
		{Number: "6000", Name: "Cleaning", Type: "Expense", SubType: "OtherMiscellaneousServiceCost", Class: "Expense"},
		tax,
	} {
		a.ID = strconv.Itoa(30 + i)
		c.accounts = append(c.accounts, &a)
		if a.SubType != "AccountsReceivable" && a.SubType != tax.SubType {
			c.items = append(c.items, &item{strconv.Itoa(60 + i), "Tillbook " + a.Name, &a})
		}
	}
	c.classes, c.departments = []string{"Eat in", "Take away"}, []string{"S1", "High Street"}
	for i, t := range taxesOf(country) {
		t.id = strconv.Itoa(2 + i)
		if country == "US" {
			t.id = t.name
		}
		c.taxes = append(c.taxes, &t)
	}
	return c
}

func taxesOf(country string) []taxCode {
	at := func(id, percent string) taxRate { return taxRate{id, money.MustParse(percent)} }
	switch country {
	case "US":
		return []taxCode{{name: "TAX"}, {name: "NON"}}
	case "CA":
		return []taxCode{
			{name: "HST ON", sales: []taxRate{at("11", "13")}}, {name: "GST/QST QC", sales: []taxRate{at("12", "5"), at("13", "9.975")}},
			{name: "Zero-rated", sales: []taxRate{at("14", "0")}}, {name: "Out of Scope", sales: []taxRate{at("15", "0")}},
		}
	case "AU":
		return []taxCode{{name: "GST", sales: []taxRate{at("11", "10")}}, {name: "GST free", sales: []taxRate{at("12", "0")}}, {name: "Out of Scope", sales: []taxRate{at("13", "0")}}}
	}
	return []taxCode{
		{name: "20.0% S", sales: []taxRate{at("11", "20")}}, {name: "5.0% R", sales: []taxRate{at("12", "5")}},
		{name: "0.0% Z", sales: []taxRate{at("13", "0")}}, {name: "No VAT", sales: []taxRate{at("14", "0")}},
	}
}

// Handler serves the API under /v3/company, the token endpoint under
// /oauth2/v1/tokens/bearer, consent under /connect/oauth2 and giving it back under
// /v2/oauth2/tokens/revoke.
func (c *Company) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth2/v1/tokens/bearer", c.Identity.Token)
	mux.HandleFunc("GET /connect/oauth2", c.Identity.Authorize)
	mux.HandleFunc("POST /v2/oauth2/tokens/revoke", c.Identity.Revoke)
	api := http.NewServeMux()
	api.HandleFunc("GET /query", c.query)
	api.HandleFunc("GET /cdc", c.changes)
	api.HandleFunc("GET /preferences", c.preferences)
	api.HandleFunc("GET /companyinfo/{realm}", c.companyInfo)
	api.HandleFunc("POST /upload", c.upload)
	api.HandleFunc("POST /attachable", c.unattach)
	api.HandleFunc("GET /{kind}/{id}", c.get)
	api.HandleFunc("POST /{kind}", c.once(c.change))
	mux.Handle("/v3/company/{realm}/", c.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		realm := r.PathValue("realm")
		if realm != c.Realm { // answered in XML, whatever was asked for
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8" standalone="yes"?><IntuitResponse time="2026-11-04T00:00:00Z" xmlns="http://schema.intuit.com/finance/v3"><Fault type="AuthorizationFault"><Error code="100"><Message>General IO error while accessing the server</Message></Error></Fault></IntuitResponse>`)
			return
		}
		c.mu.Lock()
		suspended := c.suspended
		c.mu.Unlock()
		if suspended {
			fault(w, http.StatusForbidden, "ValidationFault", "6190", "Invalid Company Status", "Subscription period has ended or canceled or there was a billing problem : You can't add data to QuickBooks Online Plus because your trial or subscription period ended.")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 10<<20)
		http.StripPrefix("/v3/company/"+realm, api).ServeHTTP(w, r)
	})))
	return mux
}

// vendor is how the gateway before QuickBooks refuses: with small letters.
type vendor Company

func gateway(w http.ResponseWriter, status int, kind, name, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(map[string]any{"time": 1793779200000, "fault": map[string]any{"type": kind, "error": []any{map[string]any{
		"message": fmt.Sprintf("message=%s; errorCode=%s; statusCode=%d", name, code, status), "detail": nil, "element": nil, "code": strings.TrimLeft(code, "0"),
	}}}})
}

func (v *vendor) Unauthorized(w http.ResponseWriter, _ string) {
	gateway(w, http.StatusUnauthorized, "AUTHENTICATION", "AuthenticationFailed", "003200")
}

func (v *vendor) Forbidden(w http.ResponseWriter, _ string) {
	gateway(w, http.StatusForbidden, "SERVICE", "ApplicationAuthorizationFailed", "003100")
}

func (v *vendor) Throttled(w http.ResponseWriter, _ string) {
	gateway(w, http.StatusTooManyRequests, "THROTTLING", "ThrottleExceeded", "003001")
}

func (v *vendor) Broken(w http.ResponseWriter) {
	fault(w, http.StatusInternalServerError, "SystemFault", "10000", "An application error has occurred while processing your request", "System Failure Error")
}

func (v *vendor) Scope(*http.Request) string { return Scope }

// fault is how QuickBooks itself refuses.
func fault(w http.ResponseWriter, status int, kind, code, message, detail string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(faultBody(kind, code, message, detail))
}

func faultBody(kind, code, message, detail string) map[string]any {
	return map[string]any{
		"Fault": map[string]any{"Error": []any{map[string]any{"Message": message, "Detail": detail, "code": code, "element": ""}}, "type": kind},
		"time":  "2026-11-04T00:00:00.000-08:00",
	}
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (c *Company) stamp(body map[string]any) map[string]any {
	body["time"] = c.Now().Format(time.RFC3339)
	return body
}

func (c *Company) companyInfo(w http.ResponseWriter, _ *http.Request) {
	answer(w, c.stamp(map[string]any{"CompanyInfo": map[string]any{"CompanyName": "Corner Shop", "Country": c.country, "Id": "1", "SyncToken": "0", "domain": "QBO", "sparse": false}}))
}

func (c *Company) preferences(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	books := map[string]any{"TrackDepartments": true, "ClassTrackingPerTxnLine": true, "UseAccountNumbers": true}
	if c.closed != "" {
		books["BookCloseDate"] = string(c.closed)
	}
	answer(w, c.stamp(map[string]any{"Preferences": map[string]any{
		"AccountingInfoPrefs": books, "TaxPrefs": map[string]any{"UsingSalesTax": true, "PartnerTaxEnabled": c.country == "US"},
		"CurrencyPrefs": map[string]any{"MultiCurrencyEnabled": false, "HomeCurrency": map[string]any{"value": c.currency}},
		"Id":            "1", "SyncToken": "0",
	}}))
}

// SetClosed closes the books up to a day; empty opens them.
func (c *Company) SetClosed(to bizday.Day) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = to
}

// Suspend ends the company's subscription, or renews it.
func (c *Company) Suspend(ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.suspended = ended
}

// Simple puts the company on a plan without journal entries, or back.
func (c *Company) Simple(simple bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.simple = simple
}

// Archive makes the account of a number or name, or the tax code of a name,
// inactive.
func (c *Company) Archive(name string) { c.setActive(name, false) }

// Restore takes an Archive back.
func (c *Company) Restore(name string) { c.setActive(name, true) }

func (c *Company) setActive(name string, active bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.accounts {
		if a.Number == name || a.Name == name {
			a.Inactive = !active
		}
	}
	for _, t := range c.taxes {
		if t.name == name {
			t.inactive = !active
		}
	}
}

func (c *Company) account(id string) *Account {
	for _, a := range c.accounts {
		if a.ID == id {
			return a
		}
	}
	return nil
}

func (c *Company) taxCode(id string) *taxCode {
	i := slices.IndexFunc(c.taxes, func(t *taxCode) bool { return t.id == id })
	if i < 0 {
		return nil
	}
	return c.taxes[i]
}
