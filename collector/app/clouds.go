package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/secrets"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/collector/target/oauth"
	"tillbook.example/tillbook/collector/target/quickbooks"
	"tillbook.example/tillbook/collector/target/xero"
)

// SecretsFile holds the keys that seal tokens, in the data folder.
const SecretsFile = "secrets.key"

// longestSecret bounds the file of a secret, in bytes.
const longestSecret = 4 << 10

// Cloud is how this collector is known at an accounting system in the cloud: its
// app there, and the tokens it was given.
type Cloud struct {
	Target string        // xero, quickbooks, tryton
	API    string        // where books are, unless a connection says otherwise
	App    oauth2.Config // id, secret, and where tokens are given
	Revoke string        // where they are given back
	Tokens Tokens
	Now    func() time.Time
}

// Tokens keeps tokens, and can let go of one (oauth.ErrNone: there is none).
type Tokens interface {
	oauth.Tokens
	Forget(ctx context.Context, connection string) error
}

// source gives access to a connection's books.
func (c Cloud) source(m merchant.Merchant, id string) *oauth.Source {
	return oauth.NewSource(oauth.Options{
		Connection: m.ID + "/" + id, Tokens: c.Tokens, Config: c.App, HTTP: &http.Client{Timeout: cloudTimeout}, Now: c.Now,
	})
}

// OpenSecrets opens the keys that seal tokens; the first start makes them.
func OpenSecrets(config Config) (*secrets.Keys, error) {
	return secrets.Open(filepath.Join(config.Data, SecretsFile))
}

// OpenClouds returns the accounting systems that are configured, and those that
// need no configuration.
func OpenClouds(config Config, db *storage.DB, now func() time.Time) ([]Cloud, error) {
	var clouds []Cloud
	for _, system := range []struct {
		target string
		app    CloudApp
		scopes []string
	}{
		{"xero", config.Clouds.Xero, xero.Scopes()},
		{"quickbooks", config.Clouds.QuickBooks, []string{quickbooks.Scope}},
	} {
		if system.app.ClientID == "" {
			continue
		}
		secret, err := ReadSecret(system.app.ClientSecretFile)
		if err != nil {
			return nil, fmt.Errorf("clouds.%s.client_secret_file: %w", system.target, err)
		}
		clouds = append(clouds, Cloud{
			Target: system.target, API: system.app.API, Revoke: system.app.Revoke, Now: now,
			App: oauth2.Config{ClientID: system.app.ClientID, ClientSecret: secret, Scopes: system.scopes, Endpoint: oauth2.Endpoint{
				AuthURL: system.app.Authorize, TokenURL: system.app.Token, AuthStyle: oauth2.AuthStyleInHeader,
			}},
		})
	}
	keys := late(func() (*secrets.Keys, error) { return OpenSecrets(config) })
	if len(clouds) > 0 { // what is wrong with the keys is said at the start
		if _, err := keys(); err != nil {
			return nil, err
		}
	}
	clouds = append(clouds, Cloud{Target: "tryton", Now: now}) // which knows no apps
	for i := range clouds {
		clouds[i].Tokens = db.Tokens(keys)
	}
	return clouds, nil
}

// late are keys that are opened when something is to be sealed.
type late func() (*secrets.Keys, error)

// Seal implements storage.Sealer.
func (l late) Seal(text string, about ...string) ([]byte, error) {
	keys, err := l()
	if err != nil {
		return nil, err
	}
	return keys.Seal(text, about...)
}

// Unseal implements storage.Sealer.
func (l late) Unseal(sealed []byte, about ...string) (string, error) {
	keys, err := l()
	if err != nil {
		return "", err
	}
	return keys.Unseal(sealed, about...)
}

// ReadSecret reads a file with one secret: a client's, or a password.
func ReadSecret(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(file, longestSecret+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" || len(text) > longestSecret {
		return "", fmt.Errorf("%s is not one secret: it is empty or has more than %d bytes", path, longestSecret)
	}
	return secret, nil
}

// check says what is wrong with the app's settings.
func (c CloudApp) check(bad func(key, what string, args ...any)) {
	if (c.ClientID == "") != (c.ClientSecretFile == "") {
		bad("client_id", "set both client_id and client_secret_file, or neither")
	}
	for key, address := range map[string]string{"api": c.API, "authorize": c.Authorize, "token": c.Token, "revoke": c.Revoke} {
		if wrong := merchant.SecureURL(address); wrong != "" {
			bad(key, "%q %s", address, wrong)
		}
	}
}

// base is where a connection's books are.
func (c Cloud) base(connection merchant.Connection) string {
	return cmp.Or(connection.Settings["url"], c.API)
}
