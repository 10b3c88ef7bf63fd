package sandbox_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"tillbook.example/tillbook/collector/sandbox"
	sandboxxero "tillbook.example/tillbook/collector/sandbox/xero"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/oauth"
	"tillbook.example/tillbook/collector/target/oauth/oauthtest"
	"tillbook.example/tillbook/collector/target/targettest"
	"tillbook.example/tillbook/collector/target/xero"
)

// TestAPersonTriesEverythingOverHTTP: consent in a browser, a posting, a fault, a
// lock and a look at the books.
func TestAPersonTriesEverythingOverHTTP(t *testing.T) {
	t.Parallel()
	s, err := sandbox.New(sandbox.Options{Country: "GB", Currency: "GBP", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	app := oauth2.Config{
		ClientID: sandboxxero.ClientID, ClientSecret: sandboxxero.ClientSecret, RedirectURL: "http://localhost/back", Scopes: xero.Scopes(),
		Endpoint: oauth2.Endpoint{AuthURL: server.URL + "/xero/identity/connect/authorize", TokenURL: server.URL + "/xero/connect/token", AuthStyle: oauth2.AuthStyleInHeader},
	}
	answer, err := client.Get(app.AuthCodeURL("state-1"))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	back, err := url.Parse(answer.Header.Get("Location"))
	if err != nil || back.Query().Get("state") != "state-1" {
		t.Fatalf("sent back to %v, %v", back, err)
	}
	access := oauth.NewSource(oauth.Options{Connection: "m/x", Tokens: oauthtest.New(), Config: app, HTTP: client, Now: time.Now})
	if err := access.Connect(t.Context(), back.Query().Get("code")); err != nil {
		t.Fatal(err)
	}
	if err := access.Connect(t.Context(), back.Query().Get("code")); err == nil {
		t.Error("a code was exchanged twice")
	}
	b, err := xero.Open(xero.Options{Base: server.URL + "/xero/api.xro/2.0", HTTP: client, Access: access, Tenant: s.Xero.Tenant, Currency: "GBP", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	act := func(what, name string, status int) {
		t.Helper()
		answer, err := client.PostForm(server.URL+"/sandbox/xero/"+what, url.Values{"name": {name}})
		if err != nil {
			t.Fatal(err)
		}
		if answer.Body.Close(); answer.StatusCode != status {
			t.Errorf("%s %q: status %d, want %d", what, name, answer.StatusCode, status)
		}
	}
	p := targettest.Sample(targettest.Harness{Currency: "GBP", Accounts: []string{"612", "200", "820"}, Tax: "OUTPUT2"}, "POS-S1-20261103")
	act("fault", "throttle", http.StatusNoContent)
	act("fault", "earthquake", http.StatusBadRequest)
	act("lock", "soon", http.StatusBadRequest)
	act("dance", "", http.StatusNotFound)
	if _, err := b.Post(t.Context(), p); !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("while throttled: %v", err)
	}
	other, err := xero.Open(xero.Options{Base: server.URL + "/xero/api.xro/2.0", HTTP: client, Access: access, Tenant: s.Xero.Tenant, Currency: "GBP", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Post(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	show, err := client.Get(server.URL + "/sandbox/xero")
	if err != nil {
		t.Fatal(err)
	}
	defer show.Body.Close()
	var state struct {
		Documents, Balances, Met map[string]int
		Code                     string
	}
	if err := json.NewDecoder(show.Body).Decode(&state); err != nil {
		t.Fatal(err)
	}
	if state.Documents[p.Reference] != 1 || state.Balances["612"] != 12000 || state.Met["throttle"] != 1 || state.Code == "" {
		t.Errorf("the books are %+v", state)
	}
}

func TestASandboxThatMakesNoSenseIsAnError(t *testing.T) {
	t.Parallel()
	for _, o := range []sandbox.Options{{Country: "GB", Currency: "pounds"}, {Country: "Britain", Currency: "GBP"}} {
		if _, err := sandbox.New(o); err == nil || !strings.Contains(err.Error(), "sandbox") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
