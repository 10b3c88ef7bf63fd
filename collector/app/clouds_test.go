package app_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/target/xero"
	"tillbook.example/tillbook/shared/settings"
)

func configured(t *testing.T, data, text string) (app.Config, []settings.Origin, error) {
	t.Helper()
	layer, err := settings.YAML("collector.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return app.Load(layer, settings.Values("flag", map[string]string{"data": data}))
}

func TestACloudIsOpenedWithItsSecretAndWithoutOneNothingIsMade(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	secret := filepath.Join(data, "xero.secret")
	if err := os.WriteFile(secret, []byte("the-client-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(text string) []app.Cloud {
		t.Helper()
		config, origins, err := configured(t, data, text)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(fmt.Sprint(origins), "the-client-secret") {
			t.Error("the configuration that is printed has the secret")
		}
		db, err := app.OpenDatabase(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		clouds, err := app.OpenClouds(config, db, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return clouds
	}
	keys := filepath.Join(data, app.SecretsFile)
	if clouds := open(""); len(clouds) != 1 || clouds[0].Target != "tryton" {
		t.Errorf("nothing is configured, and there is %+v; want what needs no configuration", clouds)
	}
	if _, err := os.Stat(keys); !os.IsNotExist(err) {
		t.Errorf("keys for nothing: %v", err)
	}
	clouds := open("clouds:\n  xero:\n    client_id: app-1\n    client_secret_file: " + secret + "\n    token: http://127.0.0.1:1/token\n")
	if len(clouds) != 2 || clouds[0].Target != "xero" || clouds[0].API != xero.API {
		t.Fatalf("clouds are %+v", clouds)
	}
	if c := clouds[0].App; c.ClientID != "app-1" || c.ClientSecret != "the-client-secret" || c.Endpoint.TokenURL != "http://127.0.0.1:1/token" || c.Endpoint.AuthURL != xero.AuthorizeURL {
		t.Errorf("app is %+v", c)
	}
	if info, err := os.Stat(keys); err != nil || info.Mode().Perm()&fs.FileMode(0o077) != 0 && os.PathSeparator == '/' {
		t.Errorf("keys: %v, %v", info, err)
	}
	connection := merchant.Connection{ID: "books", Target: "xero", Settings: map[string]string{"tenant": "t"}}
	if _, err := app.Targets(clouds...)(merchant.Merchant{ID: "acme", Currency: "GBP"}, connection); err != nil {
		t.Error(err)
	}
	connection.Target = "quickbooks"
	if _, err := app.Targets(clouds...)(merchant.Merchant{ID: "acme", Currency: "GBP"}, connection); err == nil || !strings.Contains(err.Error(), "clouds.quickbooks") {
		t.Errorf("a cloud that is not configured: %v", err)
	}
}

func TestACloudThatIsHalfConfiguredIsAnErrorThatNamesTheKey(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"clouds: {xero: {client_id: a}}":                       "clouds.xero.client_id",
		"clouds: {quickbooks: {client_secret_file: /x}}":       "clouds.quickbooks.client_id",
		"clouds: {xero: {token: 'http://xero.example/token'}}": "clouds.xero.token",
		"clouds: {quickbooks: {api: ''}}":                      "clouds.quickbooks.api",
		"clouds: {xero: {client_secret: abc}}":                 "client_secret_file",
	} {
		if _, _, err := configured(t, t.TempDir(), text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", text, err, want)
		}
	}
	for name, content := range map[string]string{"empty": " \n", "long": strings.Repeat("x", 5000)} {
		data := t.TempDir()
		path := filepath.Join(data, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		config, _, err := configured(t, data, "clouds: {xero: {client_id: a, client_secret_file: "+path+"}}")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.OpenClouds(config, nil, time.Now); err == nil || !strings.Contains(err.Error(), "clouds.xero.client_secret_file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
