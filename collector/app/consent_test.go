package app_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/sandbox"
	sandboxxero "tillbook.example/tillbook/collector/sandbox/xero"
	"tillbook.example/tillbook/collector/secrets"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/collector/target/oauth"
	"tillbook.example/tillbook/collector/target/quickbooks"
	"tillbook.example/tillbook/collector/target/xero"
)

// vendors are both stand-ins and a database that keeps what they give.
type vendors struct {
	t       *testing.T
	sandbox *sandbox.Sandbox
	url     string
	clouds  []app.Cloud
	db      *storage.DB
	shop    merchant.Merchant
}

func newVendors(t *testing.T) *vendors {
	t.Helper()
	s, err := sandbox.New(sandbox.Options{Country: "GB", Currency: "GBP", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	data := t.TempDir()
	db, err := app.OpenDatabase(t.Context(), app.Config{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	keys, err := secrets.Open(filepath.Join(data, app.SecretsFile))
	if err != nil {
		t.Fatal(err)
	}
	known := func(target, api, authorize, token, revoke string, scopes ...string) app.Cloud {
		return app.Cloud{Target: target, API: server.URL + api, Revoke: server.URL + revoke, Tokens: db.Tokens(keys), Now: time.Now, App: oauth2.Config{
			ClientID: sandboxxero.ClientID, ClientSecret: sandboxxero.ClientSecret, Scopes: scopes,
			Endpoint: oauth2.Endpoint{AuthURL: server.URL + authorize, TokenURL: server.URL + token, AuthStyle: oauth2.AuthStyleInHeader},
		}}
	}
	v := &vendors{t: t, sandbox: s, url: server.URL, db: db, clouds: []app.Cloud{
		known("xero", "/xero/api.xro/2.0", "/xero/identity/connect/authorize", "/xero/connect/token", "/xero/connect/revocation", xero.Scopes()...),
		known("quickbooks", "/quickbooks", "/quickbooks/connect/oauth2", "/quickbooks/oauth2/v1/tokens/bearer", "/quickbooks/v2/oauth2/tokens/revoke", quickbooks.Scope),
	}}
	v.shop = merchant.Merchant{ID: "corner", Currency: "GBP", Connections: []merchant.Connection{
		{ID: "xero", Target: "xero", Settings: map[string]string{"tenant": s.Xero.Tenant}},
		{ID: "qbo", Target: "quickbooks", Settings: map[string]string{"realm": s.QuickBooks.Realm}},
		{ID: "other-xero", Target: "xero", Settings: map[string]string{"tenant": "another"}},
		{ID: "other-qbo", Target: "quickbooks", Settings: map[string]string{"realm": "another"}},
		{ID: "text", Target: "text"},
	}}
	return v
}

// comesBack returns a consent and what the browser comes back with.
func (v *vendors) comesBack(connection string) (*app.Consent, url.Values) {
	v.t.Helper()
	consent, err := app.NewConsent(v.clouds, v.shop, connection, "http://localhost:1/connected")
	if err != nil {
		v.t.Fatal(err)
	}
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := browser.Get(consent.URL())
	if err != nil {
		v.t.Fatal(err)
	}
	answer.Body.Close()
	back, err := url.Parse(answer.Header.Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		v.t.Fatalf("sent back to %v, %v", back, err)
	}
	return consent, back.Query()
}

func (v *vendors) token(connection string) (oauth.Token, error) {
	return v.clouds[0].Tokens.Load(v.t.Context(), "corner/"+connection)
}

func TestAConsentIsTakenForItsOwnBooksOnly(t *testing.T) {
	t.Parallel()
	v := newVendors(t)
	for _, connection := range []string{"xero", "qbo"} {
		consent, back := v.comesBack(connection)
		forged := url.Values{"state": {"forged"}, "code": back["code"], "realmId": back["realmId"]}
		if err := consent.Take(t.Context(), forged); !errors.Is(err, app.ErrBack) {
			t.Errorf("%s: a forged answer: %v", connection, err)
		}
		refused := url.Values{"state": back["state"], "error": {"access_denied"}}
		if err := consent.Take(t.Context(), refused); err == nil || !strings.Contains(err.Error(), "access_denied") {
			t.Errorf("%s: a refusal: %v", connection, err)
		}
		if _, err := v.token(connection); !errors.Is(err, oauth.ErrNone) {
			t.Errorf("%s: kept before the consent: %v", connection, err)
		}
		if err := consent.Take(t.Context(), back); err != nil {
			t.Fatal(err)
		}
		if token, err := v.token(connection); err != nil || token.Access == "" || token.Refresh == "" {
			t.Errorf("%s: kept is %v, %v", connection, token.Expiry, err)
		}
		other, back := v.comesBack("other-" + connection)
		if err := other.Take(t.Context(), back); err == nil || !strings.Contains(err.Error(), "another") {
			t.Errorf("%s: books of somebody else: %v", connection, err)
		}
		if _, err := v.token("other-" + connection); !errors.Is(err, oauth.ErrNone) {
			t.Errorf("%s: kept for the books of somebody else: %v", connection, err)
		}
	}
	for connection, want := range map[string]string{"text": "nobody has to consent", "nowhere": "no connection"} {
		if _, err := app.NewConsent(v.clouds, v.shop, connection, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", connection, err)
		}
	}
	if _, err := app.NewConsent(nil, v.shop, "xero", ""); err == nil || !strings.Contains(err.Error(), "clouds.xero") {
		t.Errorf("without an app: %v", err)
	}
}

func TestAccessIsForgottenOnceTheVendorTookItBack(t *testing.T) {
	t.Parallel()
	v := newVendors(t)
	for connection, cloud := range map[string]*app.Cloud{"xero": &v.clouds[0], "qbo": &v.clouds[1]} {
		consent, back := v.comesBack(connection)
		if err := consent.Take(t.Context(), back); err != nil {
			t.Fatal(err)
		}
		good := cloud.Revoke
		cloud.Revoke = v.url + "/nowhere"
		err := app.Disconnect(t.Context(), v.clouds, v.shop, connection)
		if token, _ := v.token(connection); err == nil || strings.Contains(err.Error(), token.Refresh) || token.Refresh == "" {
			t.Errorf("%s: a vendor that does not take it: %v", connection, err)
		}
		cloud.Revoke = good
		if err := app.Disconnect(t.Context(), v.clouds, v.shop, connection); err != nil {
			t.Fatal(err)
		}
		if err := app.Disconnect(t.Context(), v.clouds, v.shop, connection); !errors.Is(err, oauth.ErrNone) {
			t.Errorf("%s: again: %v", connection, err)
		}
		source := oauth.NewSource(oauth.Options{Connection: "corner/" + connection, Tokens: cloud.Tokens, Config: cloud.App, Now: time.Now})
		if token, err := source.Token(context.Background()); err == nil {
			t.Errorf("%s: still let in with %q", connection, token)
		}
	}
}

// shops are merchants with what is kept of their access.
type shops struct {
	merchants []merchant.Merchant
	access    []storage.Access
}

func (s shops) Merchants(context.Context) ([]merchant.Merchant, error) { return s.merchants, nil }
func (s shops) Access(context.Context, string) ([]storage.Access, error) {
	return s.access, nil
}

func TestEachConnectionSaysHowItStands(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	kept := []storage.Access{
		{Connection: "unsaid"}, {Connection: "fresh", Until: now.Add(15 * day)}, {Connection: "soon", Until: now.Add(13 * day)},
		{Connection: "over", Until: now}, {Connection: "ended", Until: now.Add(90 * day), Ended: "revoked"},
	}
	m := merchant.Merchant{ID: "corner", Connections: []merchant.Connection{{ID: "files", Target: "text"}, {ID: "new", Target: "quickbooks"}}}
	for _, a := range kept {
		m.Connections = append(m.Connections, merchant.Connection{ID: a.Connection, Target: "xero"})
	}
	all, err := app.Connections(t.Context(), shops{[]merchant.Merchant{m}, kept}, now)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"new": app.Disconnected, "unsaid": app.Connected, "fresh": app.Connected, "soon": app.Expiring, "over": app.Broken, "ended": app.Broken}
	if len(all) != len(want) {
		t.Errorf("%d connections, want %d: %+v", len(all), len(want), all)
	}
	for _, c := range all {
		shut := c.State == app.Broken || c.State == app.Disconnected
		if c.State != want[c.Connection] || (c.Code == app.CodeConnect) != shut {
			t.Errorf("%s is %q with code %q, want %q", c.Connection, c.State, c.Code, want[c.Connection])
		}
	}
}
