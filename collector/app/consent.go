package app

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/target/xero"
)

// ErrBack: what a browser came back with is not the answer to this consent; the
// right one may still come.
var ErrBack = errors.New("this is not the answer to the consent that was asked for")

// Consent is one try to have a merchant let the collector into its books.
type Consent struct {
	cloud      Cloud
	merchant   merchant.Merchant
	connection merchant.Connection
	state      string
}

// NewConsent begins one. The browser comes back to redirect, which the
// collector's app must be registered with.
func NewConsent(clouds []Cloud, m merchant.Merchant, connection, redirect string) (*Consent, error) {
	cloud, c, err := cloudOf(clouds, m, connection)
	if err != nil {
		return nil, err
	}
	if c.Target == "tryton" {
		return nil, fmt.Errorf("connection %s of merchant %s posts to Tryton, where nobody consents in a browser; name a file with the user's password", c.ID, m.ID)
	}
	cloud.App.RedirectURL = redirect
	return &Consent{cloud: cloud, merchant: m, connection: c, state: rand.Text()}, nil
}

// cloudOf returns the system that a connection's books are at.
func cloudOf(clouds []Cloud, m merchant.Merchant, connection string) (Cloud, merchant.Connection, error) {
	i := slices.IndexFunc(m.Connections, func(c merchant.Connection) bool { return c.ID == connection })
	if i < 0 {
		return Cloud{}, merchant.Connection{}, fmt.Errorf("merchant %s has no connection %q", m.ID, connection)
	}
	c := m.Connections[i]
	if !guarded(c) {
		return Cloud{}, c, fmt.Errorf("connection %s of merchant %s posts to %s, where nobody has to consent", c.ID, m.ID, c.Target)
	}
	j := slices.IndexFunc(clouds, func(cloud Cloud) bool { return cloud.Target == c.Target })
	if j < 0 {
		return Cloud{}, c, fmt.Errorf("this collector has no app at %s: set clouds.%s in its configuration", c.Target, c.Target)
	}
	return clouds[j], c, nil
}

// guarded says whether somebody must let us in before a connection's books open.
func guarded(c merchant.Connection) bool {
	return c.Target == "xero" || c.Target == "quickbooks" || c.Target == "tryton"
}

// URL is where the merchant consents.
func (c *Consent) URL() string { return c.cloud.App.AuthCodeURL(c.state) }

// Take takes what the browser came back with. ErrBack means that it was something
// else, as a browser's or somebody else's request.
func (c *Consent) Take(ctx context.Context, back url.Values) error {
	if subtle.ConstantTimeCompare([]byte(back.Get("state")), []byte(c.state)) != 1 {
		return ErrBack
	}
	if refused := back.Get("error"); refused != "" {
		return fmt.Errorf("%s did not let the collector in: %.200q %.200q", c.cloud.Target, refused, back.Get("error_description"))
	}
	if realm, want := back.Get("realmId"), c.connection.Settings["realm"]; c.cloud.Target == "quickbooks" && realm != want {
		return fmt.Errorf("the consent is for company %.100q, connection %s posts to realm %q; consent for that, or correct merchant.yaml", realm, c.connection.ID, want)
	}
	return c.Code(ctx, back.Get("code"))
}

// Code exchanges the code that the browser came back with, and keeps the token.
func (c *Consent) Code(ctx context.Context, code string) error {
	if code == "" {
		return errors.New("no code came back")
	}
	return c.cloud.source(c.merchant, c.connection.ID).Connect(ctx, code, c.admit)
}

// admit refuses what does not open the books that the connection posts to.
func (c *Consent) admit(ctx context.Context, access string) error {
	if c.cloud.Target != "xero" {
		return nil
	}
	all, err := xero.Organisations(ctx, &http.Client{Timeout: cloudTimeout}, c.cloud.base(c.connection), access)
	if err != nil {
		return err
	}
	want, names := c.connection.Settings["tenant"], make([]string, 0, len(all))
	for _, o := range all {
		if o.Tenant == want {
			return nil
		}
		names = append(names, fmt.Sprintf("%q (tenant %s)", o.Name, o.Tenant))
	}
	return fmt.Errorf("the consent is for %s, connection %s posts to tenant %q; consent for that, or correct merchant.yaml", strings.Join(names, ", "), c.connection.ID, want)
}
