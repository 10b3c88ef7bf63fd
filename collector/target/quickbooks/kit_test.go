package quickbooks_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	sandbox "tillbook.example/tillbook/collector/sandbox/quickbooks"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/oauth"
	"tillbook.example/tillbook/collector/target/oauth/oauthtest"
	"tillbook.example/tillbook/collector/target/quickbooks"
	"tillbook.example/tillbook/collector/target/targettest"
	"tillbook.example/tillbook/shared/bizday"
)

// office is a company at the stand-in, with access to it.
type office struct {
	*sandbox.Company
	url               string
	http              *http.Client
	tokens            *oauthtest.Memory
	form, currency    string
	tax, zero, taxacc string

	mu  sync.Mutex
	now time.Time
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

// place is a country with how days are posted there.
type place struct{ country, currency, form, tax, zero, account string }

var (
	britishJournal  = place{"GB", "GBP", quickbooks.FormJournal, "20.0% S", "0.0% Z", "VAT Control"}
	britishReceipt  = place{"GB", "GBP", quickbooks.FormReceipt, "20.0% S", "0.0% Z", "VAT Control"}
	canadianReceipt = place{"CA", "CAD", "", "HST ON", "Zero-rated", "VAT Control"}
	americanJournal = place{"US", "USD", "", "TAX", "NON", "2200"}
)

func newOffice(t *testing.T, p place) *office {
	t.Helper()
	o := &office{form: p.form, currency: p.currency, tax: p.tax, zero: p.zero, taxacc: p.account, now: time.Date(2026, 11, 4, 8, 0, 0, 0, time.UTC), tokens: oauthtest.New()}
	o.Company = sandbox.New(p.country, p.currency, o.clock)
	o.Limits.Minute, o.Limits.InFlight = 0, 0
	server := httptest.NewServer(o.Handler())
	t.Cleanup(server.Close)
	o.url, o.http = server.URL, server.Client()
	if passed != nil {
		o.http.Transport = &contract{t: t, next: o.http.Transport, evidence: passed}
	}
	if err := o.access().Connect(t.Context(), o.Identity.Code()); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *office) access() *oauth.Source {
	return oauth.NewSource(oauth.Options{Connection: "m/quickbooks", Tokens: o.tokens, HTTP: o.http, Now: o.clock, Config: oauth2.Config{
		ClientID: sandbox.ClientID, ClientSecret: sandbox.ClientSecret,
		Endpoint: oauth2.Endpoint{TokenURL: o.url + "/oauth2/v1/tokens/bearer", AuthStyle: oauth2.AuthStyleInHeader},
	}})
}

func (o *office) options() quickbooks.Options {
	return quickbooks.Options{
		Base: o.url, HTTP: o.http, Access: o.access(), Realm: o.Realm, Currency: o.currency, Form: o.form, Deposit: "1000",
		ClassBy: "consumption", LocationBy: "store", Now: o.clock, PerSecond: 1_000_000,
	}
}

func opened(t *testing.T, options quickbooks.Options) *quickbooks.Books {
	t.Helper()
	b, err := quickbooks.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (o *office) open(t *testing.T) target.Target { return opened(t, o.options()) }

func (o *office) harness() targettest.Harness {
	return targettest.Harness{
		Open: o.open, Currency: o.currency, Accounts: []string{"1100", "4000", o.taxacc, "6000"}, Tax: o.tax, Exempt: o.zero, Purchase: o.tax,
		Dimensions:  map[string]string{"store": "S1", "consumption": "Eat in"},
		NoPurchases: o.form != quickbooks.FormJournal && o.currency != "USD", NoTaxCodes: o.currency == "USD",
		Edit:     func(_ *testing.T, reference string) { o.Edit(reference) },
		Remove:   func(_ *testing.T, reference string) { o.Delete(reference) },
		Close:    func(_ *testing.T, to bizday.Day) { o.SetClosed(to) },
		Retire:   func(_ *testing.T, name string) { o.Archive(name) },
		Attached: func(_ *testing.T, reference string) []string { return o.Attached(reference) },
	}
}

func TestQuickBooksPassesTheConformanceSuite(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]place{
		"journal with tax codes": britishJournal, "receipt": britishReceipt, "receipt in Canada": canadianReceipt, "journal in the United States": americanJournal,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			targettest.Run(t, func(t *testing.T) targettest.Harness { return newOffice(t, p).harness() })
		})
	}
}
