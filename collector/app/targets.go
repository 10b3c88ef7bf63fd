package app

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/oauth"
	"tillbook.example/tillbook/collector/target/quickbooks"
	"tillbook.example/tillbook/collector/target/text"
	"tillbook.example/tillbook/collector/target/xero"
	"tillbook.example/tillbook/shared/bizday"
)

// cloudTimeout bounds one request to an accounting system in the cloud; each cuts
// one of its own after about that.
const cloudTimeout = 110 * time.Second

// Cloud is how this collector is known at an accounting system in the cloud: its
// app there, and the tokens it was given.
type Cloud struct {
	Target string        // xero, quickbooks
	App    oauth2.Config // id, secret, and where tokens are given
	Tokens oauth.Tokens
	Now    func() time.Time
}

// source gives access to a connection's books.
func (c Cloud) source(m merchant.Merchant, id string) *oauth.Source {
	return oauth.NewSource(oauth.Options{
		Connection: m.ID + "/" + id, Tokens: c.Tokens, Config: c.App, HTTP: &http.Client{Timeout: cloudTimeout}, Now: c.Now,
	})
}

// Targets returns how the books of a connection are opened. Opened books are
// kept until their settings change.
func Targets(clouds ...Cloud) func(m merchant.Merchant, c merchant.Connection) (target.Target, error) {
	var mu sync.Mutex
	open := map[string]target.Target{}
	return func(m merchant.Merchant, c merchant.Connection) (target.Target, error) {
		key := strings.Join([]string{m.ID, m.Currency, c.ID, c.Target}, "\x00")
		for _, name := range slices.Sorted(maps.Keys(c.Settings)) {
			key += "\x00" + name + "\x00" + c.Settings[name]
		}
		mu.Lock()
		defer mu.Unlock()
		if t, ok := open[key]; ok {
			return t, nil
		}
		t, err := openTarget(m, c, clouds)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", target.ErrUnavailable, err)
		}
		open[key] = t
		return t, nil
	}
}

func openTarget(m merchant.Merchant, c merchant.Connection, clouds []Cloud) (target.Target, error) {
	set := c.Settings
	filed := bizday.Day(set[merchant.SettingFiledTo])
	if c.Target == "text" {
		return text.Open(text.Options{Folder: set["folder"], Format: set["format"], Currency: m.Currency, Filed: filed})
	}
	i := slices.IndexFunc(clouds, func(cloud Cloud) bool { return cloud.Target == c.Target })
	if i < 0 {
		return nil, fmt.Errorf("this collector has no app at %q", c.Target)
	}
	cloud := clouds[i]
	client, access := &http.Client{Timeout: cloudTimeout}, cloud.source(m, c.ID)
	switch c.Target {
	case "xero":
		return xero.Open(xero.Options{
			Base: cmp.Or(set["url"], xero.API), HTTP: client, Access: access, Tenant: set["tenant"], Currency: m.Currency, Form: set["form"],
			Contact: set["contact"], Rounding: set["rounding"], Filed: filed, Now: cloud.Now,
		})
	case "quickbooks":
		return quickbooks.Open(quickbooks.Options{
			Base: cmp.Or(set["url"], quickbooks.API), HTTP: client, Access: access, Realm: set["realm"], Currency: m.Currency, Form: set["form"],
			Untaxed: set["untaxed"], Deposit: set["deposit"], ClassBy: set["class"], LocationBy: set["location"], Filed: filed, Now: cloud.Now,
		})
	}
	return nil, fmt.Errorf("this collector has no target %q", c.Target)
}
