package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/collector/target/oauth"
)

// How a connection stands with its books.
const (
	Connected    = "connected"
	Expiring     = "expiring"     // it ends within two weeks unless it is used
	Broken       = "broken"       // the merchant has to consent again
	Disconnected = "disconnected" // nobody consented yet, or it was ended here
)

// expiringWithin is how long before its end access is said to be expiring.
const expiringWithin = 14 * 24 * time.Hour

// CodeConnect is the code of a connection that a merchant has to consent for.
const CodeConnect = "connect_again"

// Connection is how one stands.
type Connection struct {
	Merchant   string    `json:"merchant"`
	Connection string    `json:"connection"`
	Target     string    `json:"target"`
	State      string    `json:"state"`
	Until      time.Time `json:"until,omitzero"` // when access ends unless it is used
	Reason     string    `json:"reason,omitempty"`
	Code       string    `json:"code,omitempty"` // of what is to be done
}

// AccessStore is what storage keeps of it.
type AccessStore interface {
	Merchants(ctx context.Context) ([]merchant.Merchant, error)
	Access(ctx context.Context, merchantID string) ([]storage.Access, error)
}

// Connections returns how all connections stand whose books somebody has to open.
func Connections(ctx context.Context, store AccessStore, now time.Time) ([]Connection, error) {
	merchants, err := store.Merchants(ctx)
	if err != nil {
		return nil, err
	}
	all := []Connection{}
	for _, m := range merchants {
		kept, err := store.Access(ctx, m.ID)
		if err != nil {
			return nil, err
		}
		known := map[string]storage.Access{}
		for _, a := range kept {
			known[a.Connection] = a
		}
		for _, c := range m.Connections {
			if !guarded(c) {
				continue
			}
			a, ok := known[c.ID]
			stands := Connection{Merchant: m.ID, Connection: c.ID, Target: c.Target, State: standing(a, ok, now), Until: a.Until, Reason: a.Ended}
			if stands.State == Broken || stands.State == Disconnected {
				stands.Code = CodeConnect
			}
			all = append(all, stands)
		}
	}
	return all, nil
}

func standing(a storage.Access, known bool, now time.Time) string {
	switch {
	case !known:
		return Disconnected
	case a.Ended != "", !a.Until.IsZero() && !now.Before(a.Until):
		return Broken
	case !a.Until.IsZero() && now.Add(expiringWithin).After(a.Until):
		return Expiring
	}
	return Connected
}

// claimToRevoke is how long nobody else may renew a token that is given back.
const claimToRevoke = time.Minute

// Disconnect gives the token of a connection back to the system and forgets it
// here. Where the system does not take it, nothing is forgotten.
func Disconnect(ctx context.Context, clouds []Cloud, m merchant.Merchant, connection string) error {
	cloud, c, err := cloudOf(clouds, m, connection)
	if err != nil {
		return err
	}
	name, tokens := m.ID+"/"+c.ID, cloud.Tokens
	token, err := tokens.Load(ctx, name)
	if err != nil {
		return fmt.Errorf("disconnect: %w", err)
	}
	if token.Ended == "" {
		// Whoever renews it now would hold another that is not given back.
		now := cloud.Now()
		if err := tokens.Claim(ctx, name, token.Version, now, now.Add(claimToRevoke)); err != nil {
			return fmt.Errorf("disconnect: try again: %w", err)
		}
		if err := cloud.giveBack(ctx, token.Refresh); err != nil {
			return errors.Join(fmt.Errorf("disconnect: %w", err), tokens.Release(ctx, name, token.Version))
		}
	}
	if err := tokens.Forget(ctx, name); err != nil && !errors.Is(err, oauth.ErrNone) {
		return fmt.Errorf("disconnect: %w", err)
	}
	return nil
}

// giveBack gives back what renews access. A password stays with its user.
func (c Cloud) giveBack(ctx context.Context, refresh string) error {
	if c.Target == "tryton" {
		return nil
	}
	return c.revoke(ctx, refresh)
}

// revoke gives a refresh token back, as JSON to Intuit and as RFC 7009 wants it to
// Xero.
func (c Cloud) revoke(ctx context.Context, refresh string) error {
	ctx, cancel := context.WithTimeout(ctx, claimToRevoke/2)
	defer cancel()
	body, kind := []byte(url.Values{"token": {refresh}}.Encode()), "application/x-www-form-urlencoded"
	if c.Target == "quickbooks" {
		var err error
		if body, err = json.Marshal(map[string]string{"token": refresh}); err != nil {
			return err
		}
		kind = "application/json"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Revoke, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("give the token back: %w", err)
	}
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Accept", "application/json")
	request.SetBasicAuth(c.App.ClientID, c.App.ClientSecret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("give the token back: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(response.Body, 500))
		return errors.Join(fmt.Errorf("give the token back: %s answered %s: %q", c.Revoke, response.Status, strings.ReplaceAll(string(text), refresh, "…")), err)
	}
	return nil
}
