package xero_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	sandbox "tillbook.example/tillbook/collector/sandbox/xero"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/oauth"
	"tillbook.example/tillbook/collector/target/oauth/oauthtest"
	"tillbook.example/tillbook/collector/target/targettest"
	"tillbook.example/tillbook/collector/target/xero"
	"tillbook.example/tillbook/shared/bizday"
)

// office is an organisation at the stand-in, with access to it.
type office struct {
	*sandbox.Org
	url    string
	http   *http.Client
	tokens *oauthtest.Memory
	form   string

	mu  sync.Mutex
	now time.Time
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *office) pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

func newOffice(t *testing.T, form string, organisation sandbox.Organisation, scopes ...string) *office {
	t.Helper()
	o := &office{form: form, now: time.Date(2026, 11, 4, 8, 0, 0, 0, time.UTC), tokens: oauthtest.New()}
	organisation.Name = "Corner Shop"
	o.Org = sandbox.New(organisation, o.clock)
	o.Limits.Minute, o.Limits.Day, o.Limits.InFlight = 0, 0, 0
	o.Limits.Headers = nil
	server := httptest.NewServer(o.Handler())
	t.Cleanup(server.Close)
	o.url, o.http = server.URL, server.Client()
	if os.Getenv("TILLBOOK_REFERENCE") != "" {
		o.http.Transport = &contract{t: t, next: o.http.Transport}
	}
	if err := o.access().Connect(t.Context(), o.Identity.Code(scopes...)); err != nil {
		t.Fatal(err)
	}
	return o
}

func british() sandbox.Organisation { return sandbox.Organisation{Currency: "GBP", Country: "GB"} }

func (o *office) access() *oauth.Source {
	return oauth.NewSource(oauth.Options{Connection: "m/xero", Tokens: o.tokens, HTTP: o.http, Now: o.clock, Config: oauth2.Config{
		ClientID: sandbox.ClientID, ClientSecret: sandbox.ClientSecret,
		Endpoint: oauth2.Endpoint{TokenURL: o.url + "/connect/token", AuthStyle: oauth2.AuthStyleInHeader},
	}})
}

func (o *office) options() xero.Options {
	return xero.Options{
		Base: o.url + "/api.xro/2.0", HTTP: o.http, Access: o.access(), Tenant: o.Tenant, Currency: "GBP", Form: o.form, Rounding: "861",
		Now: o.clock, PerMinute: 1_000_000,
	}
}

func (o *office) open(t *testing.T) target.Target { return opened(t, o.options()) }

func opened(t *testing.T, options xero.Options) *xero.Books {
	t.Helper()
	b, err := xero.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (o *office) harness() targettest.Harness {
	h := targettest.Harness{
		Open: o.open, Currency: "GBP", Accounts: []string{"612", "200", "820", "400"}, Tax: "OUTPUT2", Exempt: "ZERORATEDOUTPUT", Purchase: "INPUT2",
		Dimensions: map[string]string{"Store": "S1"},
		Edit:       func(_ *testing.T, reference string) { o.Edit(reference) },
		Remove:     func(_ *testing.T, reference string) { o.Void(reference) },
		Close:      func(_ *testing.T, to bizday.Day) { o.SetLock(to) },
		Retire:     func(_ *testing.T, code string) { o.Archive(code) },
		Attached:   func(_ *testing.T, reference string) []string { return o.Attached(reference) },
	}
	return h
}

func TestXeroPassesTheConformanceSuite(t *testing.T) {
	t.Parallel()
	for _, form := range xero.Forms() {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			targettest.Run(t, func(t *testing.T) targettest.Harness { return newOffice(t, form, british()).harness() })
		})
	}
}
