// Package xero is a stand-in for one organisation at Xero, with the rules that
// decide whether a day can be posted: balance, unique invoice numbers, lock
// dates, archived accounts, tax types and account classes, limits, rotation of
// tokens, granular scopes, and the shapes of errors.
//
// It is made from what Xero publishes, and no more than posting needs: it keeps
// everything in memory and has no reports, no drafts' workflow and no other
// currency than the organisation's. It shares no code with the target, so that
// both cannot be wrong in the same way.
package xero

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/sandbox/gate"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Scopes of an app that was made after March 2026.
const (
	ScopeInvoices = "accounting.invoices"
	ScopePayments = "accounting.payments"
	ScopeJournals = "accounting.manualjournals"
	ScopeSettings = "accounting.settings.read"
	ScopeContacts = "accounting.contacts"
	ScopeFiles    = "accounting.attachments"
)

// AllScopes are what posting needs, with offline access.
func AllScopes() []string {
	return []string{"offline_access", ScopeInvoices, ScopePayments, ScopeJournals, ScopeSettings, ScopeContacts, ScopeFiles}
}

// The app that is let in.
const (
	ClientID     = "sandbox-app"
	ClientSecret = "sandbox-secret"
)

// Organisation is what an organisation states of itself.
type Organisation struct {
	Name, Currency, Country string
	SalesTaxBasis           string // ACCRUALS, CASH, NONE, ...
	PeriodLock, YearLock    bizday.Day
	Suspended               bool // the subscription has ended
}

// Account is one account of the chart.
type Account struct {
	ID, Code, Name, Type, Class, System string
	Archived, PaymentsTo                bool
}

// Tax is one tax rate.
type Tax struct {
	Type, Name string
	Rate       money.Decimal
	Deleted    bool
	Sales      bool // may be used on revenue, else on expenses
}

// Org is one organisation's books.
type Org struct {
	gate.Gate
	Tenant string

	mu        sync.Mutex
	org       Organisation
	accounts  []*Account
	taxes     []*Tax
	tracking  map[string][]string
	documents []*document // journals, invoices, credit notes
	payments  []*payment
	keys      map[string]remembered // answers by idempotency key
}

type remembered struct {
	body   string // of the request
	status int
	answer []byte
	until  time.Time
}

// New returns an organisation in a country, with a small chart. Scopes are those
// its app asks for; none are all.
func New(o Organisation, now func() time.Time) *Org {
	if o.SalesTaxBasis == "" {
		o.SalesTaxBasis = "ACCRUALS"
	}
	x := &Org{Tenant: gate.ID(), org: o, keys: map[string]remembered{}, tracking: map[string][]string{"Store": {"S1", "High Street"}, "Channel": {"Eat in", "Take away"}}}
	x.Gate = gate.Gate{
		Vendor: (*vendor)(x), Now: now,
		Limits: gate.Limits{Minute: 60, Day: 5000, InFlight: 5, Headers: func(h http.Header, minute, day int) {
			h.Set("X-MinLimit-Remaining", strconv.Itoa(minute))
			h.Set("X-DayLimit-Remaining", strconv.Itoa(day))
			h.Set("X-AppMinLimit-Remaining", "9999")
		}},
		Identity: gate.Identity{ClientID: ClientID, ClientSecret: ClientSecret, Scopes: AllScopes(), AccessLife: 30 * time.Minute, RefreshLife: 60 * 24 * time.Hour, Now: now},
	}
	for _, a := range []Account{
		{Code: "090", Name: "Bank", Type: "BANK", Class: "ASSET"},
		{Code: "091", Name: "Till cash", Type: "BANK", Class: "ASSET"},
		{Code: "610", Name: "Accounts Receivable", Type: "CURRENT", Class: "ASSET", System: "DEBTORS"},
		{Code: "611", Name: "Card clearing", Type: "CURRENT", Class: "ASSET", PaymentsTo: true},
		{Code: "612", Name: "Cash clearing", Type: "CURRENT", Class: "ASSET", PaymentsTo: true},
		{Code: "820", Name: "VAT", Type: "CURRLIAB", Class: "LIABILITY", System: "GST"},
		{Code: "821", Name: "Gift cards", Type: "CURRLIAB", Class: "LIABILITY"},
		{Code: "860", Name: "Rounding", Type: "CURRLIAB", Class: "LIABILITY", System: "ROUNDING"},
		{Code: "861", Name: "Till rounding", Type: "EXPENSE", Class: "EXPENSE"},
		{Code: "200", Name: "Sales", Type: "REVENUE", Class: "REVENUE"},
		{Code: "201", Name: "Drinks", Type: "REVENUE", Class: "REVENUE"},
		{Code: "400", Name: "Cleaning", Type: "EXPENSE", Class: "EXPENSE"},
	} {
		a.ID = gate.ID()
		x.accounts = append(x.accounts, &a)
	}
	for _, t := range []Tax{
		{Type: "OUTPUT2", Name: "20% (VAT on Income)", Rate: money.MustParse("20"), Sales: true},
		{Type: "RROUTPUT", Name: "5% (VAT on Income)", Rate: money.MustParse("5"), Sales: true},
		{Type: "ZERORATEDOUTPUT", Name: "Zero Rated Income", Sales: true},
		{Type: "INPUT2", Name: "20% (VAT on Expenses)", Rate: money.MustParse("20")},
		{Type: "NONE", Name: "No VAT"},
		{Type: "BASEXCLUDED", Name: "BAS Excluded"},
	} {
		x.taxes = append(x.taxes, &t)
	}
	return x
}

// Handler serves the API under /api.xro/2.0, the token endpoint under
// /connect/token, consent under /identity/connect/authorize, what is connected
// under /connections and giving it back under /connect/revocation.
func (x *Org) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /connect/token", x.Identity.Token)
	mux.HandleFunc("GET /identity/connect/authorize", x.Identity.Authorize)
	mux.HandleFunc("POST /connect/revocation", x.Identity.Revoke)
	api := http.NewServeMux()
	for pattern, handle := range map[string]http.HandlerFunc{
		"GET /Organisation":                    x.getOrganisation,
		"GET /Accounts":                        x.getAccounts,
		"GET /TaxRates":                        x.getTaxRates,
		"GET /TrackingCategories":              x.getTracking,
		"GET /{kind}":                          x.list,
		"GET /{kind}/{id}":                     x.get,
		"PUT /{kind}":                          x.once(x.create),
		"POST /{kind}/{id}":                    x.once(x.update),
		"PUT /CreditNotes/{id}/Allocations":    x.once(x.allocate),
		"PUT /{kind}/{id}/Attachments/{name}":  x.attach,
		"GET /{kind}/{id}/Attachments":         x.getAttachments,
		"POST /{kind}/{id}/Attachments/{name}": x.attach,
	} {
		api.HandleFunc(pattern, handle)
	}
	mux.Handle("/api.xro/2.0/", x.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Xero-Tenant-Id") != x.Tenant {
			(*vendor)(x).problem(w, http.StatusForbidden, "Forbidden", "AuthenticationUnsuccessful")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 10<<20)
		http.StripPrefix("/api.xro/2.0", api).ServeHTTP(w, r)
	})))
	mux.Handle("GET /connections", x.Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		x.answer(w, http.StatusOK, []map[string]any{{"id": gate.ID(), "tenantId": x.Tenant, "tenantType": "ORGANISATION", "tenantName": x.org.Name}})
	})))
	return mux
}

// vendor is how Xero refuses.
type vendor Org

func (v *vendor) problem(w http.ResponseWriter, status int, title, detail string) {
	(*Org)(v).answer(w, status, map[string]any{"Type": nil, "Title": title, "Status": status, "Detail": detail, "Instance": gate.ID(), "Extensions": map[string]any{}})
}

func (v *vendor) Unauthorized(w http.ResponseWriter, why string) {
	v.problem(w, http.StatusUnauthorized, "Unauthorized", why)
}

func (v *vendor) Forbidden(w http.ResponseWriter, _ string) {
	v.problem(w, http.StatusUnauthorized, "Unauthorized", "AuthorizationUnsuccessful")
}

func (v *vendor) Throttled(w http.ResponseWriter, limit string) {
	w.Header().Set("X-Rate-Limit-Problem", limit)
	w.WriteHeader(http.StatusTooManyRequests)
}

func (v *vendor) Broken(w http.ResponseWriter) {
	v.problem(w, http.StatusInternalServerError, "An error occurred", "An error occurred in Xero. Check the API Status page")
}

func (v *vendor) Scope(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.Path, "/api.xro/2.0/")
	kind, rest, _ := strings.Cut(path, "/")
	switch {
	case strings.Contains(rest, "Attachments"):
		return ScopeFiles
	case kind == "ManualJournals":
		return ScopeJournals
	case kind == "Invoices", kind == "CreditNotes":
		return ScopeInvoices
	case kind == "Payments":
		return ScopePayments
	case kind == "Accounts", kind == "TaxRates", kind == "TrackingCategories", kind == "Organisation":
		return ScopeSettings
	}
	return ""
}

func (x *Org) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	// The client may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(body)
}

// envelope is how Xero wraps what it answers.
func (x *Org) envelope(name string, elements any) map[string]any {
	return map[string]any{"Id": gate.ID(), "Status": "OK", "ProviderName": "Tillbook", "DateTimeUTC": msDate(x.Now()), name: elements}
}

func msDate(t time.Time) string { return fmt.Sprintf("/Date(%d+0000)/", t.UnixMilli()) }

func dayDate(d bizday.Day) string {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return ""
	}
	return msDate(t)
}

// once answers a request with an idempotency key that was used before as it was
// answered then, and refuses the key for anything else.
func (x *Org) once(handle func(r *http.Request) (int, map[string]any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			x.answer(w, http.StatusBadRequest, failure(14, "PostDataInvalidException", "JSON for post data was invalid, "+err.Error(), nil))
			return
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		key := r.Header.Get("Idempotency-Key")
		if len(key) > 128 {
			x.answer(w, http.StatusBadRequest, failure(10, "ValidationException", "Idempotency-Key is longer than 128 characters", nil))
			return
		}
		same := r.Method + r.URL.Path + string(body)
		if was, known := x.keys[key]; key != "" && known && x.Now().Before(was.until) {
			if was.body != same {
				x.answer(w, http.StatusBadRequest, failure(10, "ValidationException", "This Idempotency-Key was used with another request", nil))
				return
			}
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(was.status)
			_, _ = w.Write(was.answer)
			return
		}
		r = r.WithContext(withBody(r.Context(), body))
		status, answer := handle(r)
		text, err := json.Marshal(answer)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if key != "" && status == http.StatusOK && !strings.Contains(string(text), `"ERROR"`) {
			x.keys[key] = remembered{same, status, text, x.Now().Add(keyLife)}
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write(text)
	}
}

// keyLife is how long a key is remembered; Xero does not say for how long.
const keyLife = 6 * time.Minute

func failure(number int, kind, message string, elements any) map[string]any {
	f := map[string]any{"ErrorNumber": number, "Type": kind, "Message": message}
	if elements != nil {
		f["Elements"] = elements
	}
	return f
}

func (x *Org) getOrganisation(w http.ResponseWriter, _ *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	status := "ACTIVE"
	if x.org.Suspended {
		status = "SUSPENDED"
	}
	o := map[string]any{
		"OrganisationID": x.Tenant, "Name": x.org.Name, "BaseCurrency": x.org.Currency, "CountryCode": x.org.Country, "SalesTaxBasis": x.org.SalesTaxBasis,
		"OrganisationStatus": status, "IsDemoCompany": true, "Timezone": "GMTSTANDARDTIME",
	}
	for field, day := range map[string]bizday.Day{"PeriodLockDate": x.org.PeriodLock, "EndOfYearLockDate": x.org.YearLock} {
		if day != "" {
			o[field] = dayDate(day)
		}
	}
	x.answer(w, http.StatusOK, x.envelope("Organisations", []any{o}))
}

func (x *Org) getAccounts(w http.ResponseWriter, _ *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := []any{}
	for _, a := range x.accounts {
		status := "ACTIVE"
		if a.Archived {
			status = "ARCHIVED"
		}
		one := map[string]any{
			"AccountID": a.ID, "Code": a.Code, "Name": a.Name, "Type": a.Type, "Class": a.Class, "Status": status,
			"EnablePaymentsToAccount": a.PaymentsTo, "TaxType": "NONE",
		}
		if a.System != "" {
			one["SystemAccount"] = a.System
		}
		all = append(all, one)
	}
	x.answer(w, http.StatusOK, x.envelope("Accounts", all))
}

func (x *Org) getTaxRates(w http.ResponseWriter, _ *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := []any{}
	for _, t := range x.taxes {
		status := "ACTIVE"
		if t.Deleted {
			status = "DELETED"
		}
		none := t.Type == "NONE" || t.Type == "BASEXCLUDED"
		all = append(all, map[string]any{
			"Name": t.Name, "TaxType": t.Type, "Status": status, "EffectiveRate": json.Number(t.Rate.String()), "DisplayTaxRate": json.Number(t.Rate.String()),
			"CanApplyToAssets": none, "CanApplyToEquity": none, "CanApplyToLiabilities": none,
			"CanApplyToExpenses": none || !t.Sales, "CanApplyToRevenue": none || t.Sales,
		})
	}
	x.answer(w, http.StatusOK, x.envelope("TaxRates", all))
}

func (x *Org) getTracking(w http.ResponseWriter, _ *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := []any{}
	for name, values := range x.tracking {
		options := []any{}
		for _, v := range values {
			options = append(options, map[string]any{"TrackingOptionID": gate.ID(), "Name": v, "Status": "ACTIVE"})
		}
		all = append(all, map[string]any{"TrackingCategoryID": gate.ID(), "Name": name, "Status": "ACTIVE", "Options": options})
	}
	x.answer(w, http.StatusOK, x.envelope("TrackingCategories", all))
}

// SetLock closes the books up to a day; empty opens them.
func (x *Org) SetLock(to bizday.Day) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.org.PeriodLock = to
}

// Archive archives the account, or deletes the tax rate, of a code.
func (x *Org) Archive(code string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, a := range x.accounts {
		a.Archived = a.Archived || a.Code == code
	}
	for _, t := range x.taxes {
		t.Deleted = t.Deleted || t.Type == code
	}
}

// Restore takes an Archive back.
func (x *Org) Restore(code string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, a := range x.accounts {
		a.Archived = a.Archived && a.Code != code
	}
	for _, t := range x.taxes {
		t.Deleted = t.Deleted && t.Type != code
	}
}

// Suspend ends the organisation's subscription, or renews it.
func (x *Org) Suspend(ended bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.org.Suspended = ended
}

func (x *Org) account(code, id string) *Account {
	for _, a := range x.accounts {
		if code != "" && a.Code == code || id != "" && a.ID == id {
			return a
		}
	}
	return nil
}

func (x *Org) tax(kind string) *Tax {
	for _, t := range x.taxes {
		if t.Type == kind {
			return t
		}
	}
	return nil
}

// page reads the paging of a list.
func page(q url.Values) (number, size int) {
	number, err := strconv.Atoi(q.Get("page"))
	if err != nil || number < 1 {
		number = 1
	}
	size, err = strconv.Atoi(q.Get("pageSize"))
	if err != nil || size < 1 || size > 1000 {
		size = 100
	}
	return number, size
}
