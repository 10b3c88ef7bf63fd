package feed_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/feed/feedtest"
	"tillbook.example/tillbook/collector/feed/shopify"
	"tillbook.example/tillbook/collector/feed/square"
	"tillbook.example/tillbook/collector/feed/stripe"
)

func signed(secret, text string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func TestASignatureFitsItsSecretItsBodyAndItsTimeOnly(t *testing.T) {
	t.Parallel()
	now, body := feedtest.Noon, []byte(`{"id":"evt_1"}`)
	at := func(when time.Time, secret string) string {
		return fmt.Sprintf("t=%d,v1=%s", when.Unix(), hex.EncodeToString(signed(secret, fmt.Sprintf("%d.%s", when.Unix(), body))))
	}
	rolled := at(now, "old") + ",v1=" + strings.Split(at(now, "s"), "v1=")[1]
	for name, c := range map[string]struct {
		header string
		fits   bool
	}{
		"its own": {at(now, "s"), true}, "a little old": {at(now.Add(-4*time.Minute), "s"), true}, "of a secret that is rolled": {rolled, true},
		"too old": {at(now.Add(-6*time.Minute), "s"), false}, "from the future": {at(now.Add(6*time.Minute), "s"), false},
		"another secret": {at(now, "x"), false}, "no moment": {"v1=00", false}, "nothing": {"", false}, "no signature": {fmt.Sprintf("t=%d", now.Unix()), false},
	} {
		if err := stripe.Verify("s", c.header, body, now); (err == nil) != c.fits || err != nil && !errors.Is(err, feed.ErrSignature) {
			t.Errorf("stripe, %s: %v", name, err)
		}
	}
	if err := stripe.Verify("s", at(now, "s"), []byte(`{"id":"evt_2"}`), now); !errors.Is(err, feed.ErrSignature) {
		t.Errorf("stripe, another body: %v", err)
	}
	if err := stripe.Verify("", at(now, ""), body, now); !errors.Is(err, feed.ErrSignature) {
		t.Errorf("stripe, no secret: %v", err)
	}
	plain := base64.StdEncoding.EncodeToString(signed("s", string(body)))
	if err := shopify.Verify("s", plain, body); err != nil {
		t.Error(err)
	}
	withURL := base64.StdEncoding.EncodeToString(signed("s", "https://a/b"+string(body)))
	if err := square.Verify("s", "https://a/b", withURL, body); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"shopify, another secret": shopify.Verify("x", plain, body), "shopify, another body": shopify.Verify("s", plain, nil), "shopify, no secret": shopify.Verify("", base64.StdEncoding.EncodeToString(signed("", string(body))), body),
		"shopify, no base64": shopify.Verify("s", "%", body), "square, another address": square.Verify("s", "https://a/c", withURL, body), "square, another body": square.Verify("s", "https://a/b", withURL, nil),
	} {
		if !errors.Is(err, feed.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestANotificationOnlyHasItsFeedAsked(t *testing.T) {
	t.Parallel()
	now, nudged := feedtest.Noon, 0
	var verdict, nudge error
	h := &feed.Hook{
		Verify: func(_ context.Context, id feed.ID, header http.Header, body []byte) error {
			if (id != feed.ID{Merchant: "acme", Feed: "cards"}) {
				return feed.ErrUnknown
			}
			return verdict
		},
		Nudge: func(context.Context, feed.ID) error { nudged++; return nudge }, Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
	}
	mux := http.NewServeMux()
	mux.Handle("POST /feeds/{merchant}/{feed}", h)
	post := func(path, body string) int {
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
		return answer.Code
	}
	for i, step := range []struct {
		path, body     string
		verdict, nudge error
		after          time.Duration
		code, nudged   int
	}{
		{"/feeds/acme/cards", "{}", nil, nil, 0, 204, 1},
		{"/feeds/acme/cards", "{}", nil, nil, time.Second, 204, 1},
		{"/feeds/acme/cards", "{}", nil, nil, 2 * time.Second, 204, 2},
		{"/feeds/acme/other", "{}", nil, nil, 9 * time.Second, 401, 2},
		{"/feeds/acme/cards", "{}", feed.ErrSignature, nil, 9 * time.Second, 401, 2},
		{"/feeds/acme/cards", "{}", errors.New("database"), nil, 9 * time.Second, 503, 2},
		{"/feeds/acme/cards", "{}", nil, errors.New("database"), 9 * time.Second, 503, 3},
		{"/feeds/acme/cards", strings.Repeat("x", 1<<20+1), nil, nil, 9 * time.Second, 413, 3},
	} {
		now, verdict, nudge = now.Add(step.after), step.verdict, step.nudge
		if code := post(step.path, step.body); code != step.code || nudged != step.nudged {
			t.Errorf("step %d: status %d, asked %d times; want %d and %d", i+1, code, nudged, step.code, step.nudged)
		}
	}
}
