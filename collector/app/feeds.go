package app

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/feed/declared"
	"tillbook.example/tillbook/collector/feed/shopify"
	"tillbook.example/tillbook/collector/feed/square"
	"tillbook.example/tillbook/collector/feed/stripe"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
)

// pullEvery is how often it is looked for feeds that are due.
const pullEvery = 5 * time.Second

// openFeeds returns what asks the sources of feeds.
func (a *App) openFeeds() *feed.Runner {
	return &feed.Runner{Store: a.db, Merchant: a.db, Open: OpenSources(a.config, a.db, a.clock), Calendar: Calendar(a.db), Now: a.clock, Logger: a.log}
}

// pullRegularly asks the sources of feeds until ctx ends.
func (a *App) pullRegularly(ctx context.Context) error {
	every(ctx, pullEvery, func() {
		pass, err := a.worker.feeds.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			a.log.Error("read feeds", "error", err)
		}
		if k := pass.Kept; k != (feed.Kept{}) {
			a.log.Info("read feeds", "pages", pass.Pages, "documents", k.Documents, "movements", k.Movements, "payouts", k.Payouts, "lines", k.Lines)
		}
	})
	return nil
}

// failingFeeds counts the feeds whose source could not be read when it was asked
// last, by code.
func (a *App) failingFeeds(ctx context.Context) (map[string]int, error) {
	merchants, err := a.db.Merchants(ctx)
	if err != nil {
		return nil, err
	}
	configured := map[feed.ID]bool{}
	for _, m := range merchants {
		for _, f := range m.Feeds {
			configured[feed.ID{Merchant: m.ID, Feed: f.ID}] = true
		}
	}
	states, err := a.db.Feeds(ctx)
	if err != nil {
		return nil, err
	}
	failing := map[string]int{feed.CodeDenied: 0, feed.CodeUnavailable: 0}
	for _, s := range states {
		if configured[s.ID] && s.Failures > 0 {
			failing[s.Code]++
		}
	}
	return failing, nil
}

// OpenSource opens the source of a feed with what opens it.
type OpenSource func(ctx context.Context, m merchant.Merchant, f merchant.Feed) (feed.Source, error)

// OpenSources returns how sources are opened by this configuration.
func OpenSources(config Config, db *storage.DB, now func() time.Time) OpenSource {
	return func(ctx context.Context, m merchant.Merchant, f merchant.Feed) (feed.Source, error) {
		secrets, err := feedSecrets(ctx, config, db, feed.ID{Merchant: m.ID, Feed: f.ID}, f)
		if err != nil {
			return nil, err
		}
		begin, err := feedStart(f, now())
		if err != nil {
			return nil, err
		}
		switch f.Source {
		case "stripe":
			return stripe.Open(stripe.Options{
				Base: cmp.Or(f.Settings["url"], stripe.API), Key: secrets["key"], Account: f.Settings["account"], Start: begin, Now: now,
			}), nil
		case "shopify":
			return shopify.Open(shopify.Options{
				Base: cmp.Or(f.Settings["url"], "https://"+f.Settings["shop"]), Token: secrets["token"], Store: f.Store, Orders: len(f.Stores) > 0,
				Payments: f.Settings["payments"] != "no", Start: begin, Now: now,
			}), nil
		case "square":
			return square.Open(square.Options{
				Base: cmp.Or(f.Settings["url"], square.API), Token: secrets["token"], Locations: locations(f), Store: f.Store, Orders: len(f.Stores) > 0,
				Start: begin, Now: now,
			})
		case "http":
			text, err := readRecipe(f)
			if err != nil {
				return nil, err
			}
			recipe, err := declared.Parse(text)
			if err != nil {
				return nil, fmt.Errorf("recipe %s: %w", f.Settings["recipe"], err)
			}
			return declared.Open(declared.Options{
				Base: strings.TrimSuffix(f.Settings["url"], "/"), Recipe: recipe, Secrets: secrets, Provider: cmp.Or(f.Settings["provider"], f.ID), Currency: m.Currency,
				Store: f.Store, Start: begin, Now: now,
			})
		}
		return nil, fmt.Errorf("feed %s of merchant %s: this collector has no source %q", f.ID, m.ID, f.Source)
	}
}

// locations are those that a feed reads: named in its settings, else those of its
// stores.
func locations(f merchant.Feed) (all []string) {
	for name := range strings.SplitSeq(f.Settings["locations"], ",") {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, name)
		}
	}
	if len(all) > 0 {
		return all
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(f.Stores)), func(name string) bool { return name == merchant.AnyLocation })
}

// feedSecrets returns what opens a feed's source; one that it needs and that is
// not kept is feed.ErrDenied.
func feedSecrets(ctx context.Context, config Config, db *storage.DB, id feed.ID, f merchant.Feed) (map[string]string, error) {
	needed, optional := f.Secrets()
	all := map[string]string{}
	if len(needed)+len(optional) == 0 {
		return all, nil
	}
	keys, err := OpenSecrets(config)
	if err != nil {
		return nil, err
	}
	kept := db.Credentials(keys)
	for i, name := range append(needed[:len(needed):len(needed)], optional...) {
		if all[name], err = kept.Get(ctx, id, name); err != nil {
			return nil, err
		}
		if all[name] == "" && i < len(needed) {
			return nil, fmt.Errorf("%w: secret %q is not set; `tillbook-collector feed secret %s %s %s` takes it", feed.ErrDenied, name, id.Merchant, id.Feed, name)
		}
	}
	return all, nil
}

// feedBack is how far back a feed begins that does not say.
const feedBack = 31 * 24 * time.Hour

// feedStart returns from when on a feed asks for what happened.
func feedStart(f merchant.Feed, now time.Time) (time.Time, error) {
	if f.Start == "" {
		return now.Add(-feedBack), nil
	}
	day, err := bizday.Parse(string(f.Start))
	if err != nil {
		return time.Time{}, fmt.Errorf("feed %s: start: %w", f.ID, err)
	}
	return time.Parse(time.DateOnly, string(day))
}
