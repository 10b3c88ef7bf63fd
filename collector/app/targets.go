package app

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/quickbooks"
	"tillbook.example/tillbook/collector/target/text"
	"tillbook.example/tillbook/collector/target/tryton"
	"tillbook.example/tillbook/collector/target/xero"
	"tillbook.example/tillbook/shared/bizday"
)

// cloudTimeout bounds one request to an accounting system in the cloud; each cuts
// one of its own after about that.
const cloudTimeout = 110 * time.Second

// Opener opens the books of a connection.
type Opener func(m merchant.Merchant, c merchant.Connection) (target.Target, error)

// OpenTargets returns how books are opened by this configuration.
func OpenTargets(config Config, db *storage.DB, now func() time.Time) (Opener, error) {
	clouds, err := OpenClouds(config, db, now)
	if err != nil {
		return nil, err
	}
	return Targets(clouds...), nil
}

// Targets returns how the books of a connection are opened. Opened books are
// kept until their settings change.
func Targets(clouds ...Cloud) Opener {
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

// openTarget opens the books of a connection; a form that holds from a day leaves
// the days before as they were.
func openTarget(m merchant.Merchant, c merchant.Connection, clouds []Cloud) (target.Target, error) {
	after, err := openForm(m, c, clouds, c.Settings["form"])
	from := c.Settings[merchant.SettingFormFrom]
	if err != nil || from == "" {
		return after, err
	}
	before, err := openForm(m, c, clouds, c.Settings[merchant.SettingFormBefore])
	if err != nil {
		return nil, err
	}
	return target.Switch(before, after, bizday.Day(from)), nil
}

func openForm(m merchant.Merchant, c merchant.Connection, clouds []Cloud, form string) (target.Target, error) {
	set := c.Settings
	filed := bizday.Day(set[merchant.SettingFiledTo])
	if c.Target == "text" {
		return text.Open(text.Options{Folder: set["folder"], Format: set["format"], Currency: m.Currency, Filed: filed})
	}
	i := slices.IndexFunc(clouds, func(cloud Cloud) bool { return cloud.Target == c.Target })
	if i < 0 {
		return nil, fmt.Errorf("this collector has no app at %q: set clouds.%s in its configuration", c.Target, c.Target)
	}
	cloud := clouds[i]
	client := &http.Client{Timeout: cloudTimeout}
	if c.Target == "tryton" {
		return tryton.Open(tryton.Options{
			URL: set["url"], Database: set["database"], Company: set["company"], Journal: set["journal"], HTTP: client, Access: cloud.login(m, c),
			Currency: m.Currency, Filed: filed, Now: cloud.Now,
		})
	}
	access := cloud.source(m, c.ID)
	switch c.Target {
	case "xero":
		return xero.Open(xero.Options{
			Base: cloud.base(c), HTTP: client, Access: access, Tenant: set["tenant"], Currency: m.Currency, Form: form,
			Contact: set["contact"], Rounding: set["rounding"], Filed: filed, Now: cloud.Now,
		})
	case "quickbooks":
		return quickbooks.Open(quickbooks.Options{
			Base: cloud.base(c), HTTP: client, Access: access, Realm: set["realm"], Currency: m.Currency, Form: form,
			Untaxed: set["untaxed"], Deposit: set["deposit"], ClassBy: set["class"], LocationBy: set["location"], Filed: filed, Now: cloud.Now,
		})
	}
	return nil, fmt.Errorf("this collector has no target %q", c.Target)
}
