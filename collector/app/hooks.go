package app

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/feed/shopify"
	"tillbook.example/tillbook/collector/feed/square"
	"tillbook.example/tillbook/collector/feed/stripe"
	"tillbook.example/tillbook/collector/storage"
)

// feedHook has a feed asked of which its source says that something is new, under
// /webhooks/feeds/MERCHANT/FEED.
func (a *App) feedHook() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/feeds/{merchant}/{feed}", &feed.Hook{
		Verify: VerifyHooks(a.config, a.db, a.clock), Nudge: a.db.Nudge, Now: a.clock, Logger: a.log,
	})
	return mux
}

// VerifyHooks returns how it is told whether a notification is from a feed's source.
func VerifyHooks(config Config, db *storage.DB, now func() time.Time) func(context.Context, feed.ID, http.Header, []byte) error {
	return func(ctx context.Context, id feed.ID, header http.Header, body []byte) error {
		m, err := db.Merchant(ctx, id.Merchant)
		if errors.Is(err, storage.ErrNone) {
			return feed.ErrUnknown
		}
		if err != nil {
			return err
		}
		f, known := m.Feed(id.Feed)
		if !known || !f.Pulled() {
			return feed.ErrUnknown
		}
		keys, err := OpenSecrets(config)
		if err != nil {
			return err
		}
		secret, err := db.Credentials(keys).Get(ctx, id, "webhook")
		if err != nil {
			return err
		}
		if secret == "" {
			return feed.ErrUnknown
		}
		switch f.Source {
		case "stripe":
			return stripe.Verify(secret, header.Get(stripe.SignatureHeader), body, now())
		case "shopify":
			return shopify.Verify(secret, header.Get(shopify.SignatureHeader), body)
		case "square":
			address := strings.TrimSuffix(config.Webhooks.Address, "/") + "/webhooks/feeds/" + id.Merchant + "/" + id.Feed
			return square.Verify(secret, address, header.Get(square.SignatureHeader), body)
		}
		return feed.ErrUnknown
	}
}
