package app_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/merchant"
)

func TestANotificationIsFromTheSourceOfAFeedOrRefused(t *testing.T) {
	t.Parallel()
	config := app.Config{Data: t.TempDir(), Webhooks: app.Webhooks{Address: "https://c.example/"}}
	db, err := app.OpenDatabase(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := db.Apply(t.Context(), merchant.Merchant{ID: "m", Currency: "GBP", Feeds: []merchant.Feed{
		{ID: "cards", Source: "stripe"}, {ID: "shop", Source: "shopify"}, {ID: "tills", Source: "square"}, {ID: "bare", Source: "stripe"}, {ID: "bank", Source: "ofx"},
	}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	keys, err := app.OpenSecrets(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cards", "shop", "tills", "bank"} {
		if err := db.Credentials(keys).Put(t.Context(), feed.ID{Merchant: "m", Feed: name}, "webhook", "s-"+name, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	now, body := time.Now(), []byte("{}")
	mac := func(secret, text string) []byte {
		h := hmac.New(sha256.New, []byte(secret))
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stripes := http.Header{"Stripe-Signature": {fmt.Sprintf("t=%d,v1=%s", now.Unix(), hex.EncodeToString(mac("s-cards", fmt.Sprintf("%d.{}", now.Unix()))))}}
	for name, c := range map[string]struct {
		id     feed.ID
		header http.Header
		want   error
	}{
		"stripe":                  {feed.ID{Merchant: "m", Feed: "cards"}, stripes, nil},
		"shopify":                 {feed.ID{Merchant: "m", Feed: "shop"}, http.Header{"X-Shopify-Hmac-Sha256": {base64.StdEncoding.EncodeToString(mac("s-shop", "{}"))}}, nil},
		"square":                  {feed.ID{Merchant: "m", Feed: "tills"}, http.Header{"X-Square-Hmacsha256-Signature": {base64.StdEncoding.EncodeToString(mac("s-tills", "https://c.example/webhooks/feeds/m/tills{}"))}}, nil},
		"another feed's":          {feed.ID{Merchant: "m", Feed: "shop"}, stripes, feed.ErrSignature},
		"a feed without a secret": {feed.ID{Merchant: "m", Feed: "bare"}, stripes, feed.ErrUnknown},
		"a feed of files":         {feed.ID{Merchant: "m", Feed: "bank"}, stripes, feed.ErrUnknown},
		"no such feed":            {feed.ID{Merchant: "m", Feed: "x"}, stripes, feed.ErrUnknown},
		"no such merchant":        {feed.ID{Merchant: "x", Feed: "cards"}, stripes, feed.ErrUnknown},
	} {
		if err := app.VerifyHooks(config, db, func() time.Time { return now })(t.Context(), c.id, c.header, body); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
