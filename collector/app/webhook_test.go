package app_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/merchant"
)

// wakes keeps which books were woken.
type wakes struct {
	woken []string
	fails error
}

func (w *wakes) Merchants(context.Context) ([]merchant.Merchant, error) {
	connections := func(tenant, realm string) []merchant.Connection {
		return []merchant.Connection{
			{ID: "x", Target: "xero", Settings: map[string]string{"tenant": tenant}}, {ID: "q", Target: "quickbooks", Settings: map[string]string{"realm": realm}},
			{ID: "text", Target: "text"},
		}
	}
	return []merchant.Merchant{{ID: "a", Connections: connections("t1", "r1")}, {ID: "b", Connections: connections("t2", "r2")}}, w.fails
}

func (w *wakes) WakeBooks(_ context.Context, merchantID, target string, _ time.Time) error {
	w.woken = append(w.woken, merchantID+"/"+target)
	return nil
}

func TestASignedMessageOfAVendorWakesTheBooksItNamesAndNothingElse(t *testing.T) {
	t.Parallel()
	const intuit = `[{"specversion":"1.0","type":"qbo.journalentry.deleted.v1","intuitentityid":"7","intuitaccountid":"r2"},{"intuitaccountid":"r2"}]`
	for name, test := range map[string]struct {
		path, header, key, body string
		status                  int
		woken                   []string
	}{
		"an invoice at Xero":        {"xero", "X-Xero-Signature", "xk", `{"events":[{"tenantId":"t1","eventCategory":"INVOICE"},{"tenantId":"t9","eventCategory":"INVOICE"}]}`, 200, []string{"a/x"}},
		"a contact at Xero":         {"xero", "X-Xero-Signature", "xk", `{"events":[{"tenantId":"t1","eventCategory":"CONTACT"}]}`, 200, nil},
		"Xero's intent to receive":  {"xero", "X-Xero-Signature", "xk", `{"events":[],"firstEventSequence":0}`, 200, nil},
		"an entry at QuickBooks":    {"quickbooks", "Intuit-Signature", "qk", intuit, 200, []string{"b/q"}},
		"signed by another":         {"quickbooks", "Intuit-Signature", "xk", intuit, 401, nil},
		"signed under another name": {"quickbooks", "X-Xero-Signature", "qk", intuit, 401, nil},
		"not a message":             {"xero", "X-Xero-Signature", "xk", `<xml/>`, 503, nil},
		"too long":                  {"xero", "X-Xero-Signature", "xk", strings.Repeat(" ", 1<<20+1), 413, nil},
		"to nobody":                 {"tryton", "X-Xero-Signature", "xk", `{}`, 404, nil},
	} {
		store := &wakes{}
		handler := app.VendorWebhooks(store, map[string][]byte{"xero": []byte("xk"), "quickbooks": []byte("qk")}, time.Now, slog.New(slog.DiscardHandler))
		mac := hmac.New(sha256.New, []byte(test.key))
		mac.Write([]byte(test.body))
		r := httptest.NewRequest(http.MethodPost, "/webhooks/"+test.path, strings.NewReader(test.body))
		r.Header.Set(test.header, base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != test.status || !slices.Equal(store.woken, test.woken) {
			t.Errorf("%s: status %d, woken %v", name, w.Code, store.woken)
		}
		if w.Code == http.StatusOK && (w.Body.Len() > 0 || w.Header().Get("Set-Cookie") != "") {
			t.Errorf("%s: answered %q", name, w.Body)
		}
	}
}

func TestAMessageThatCannotBeKeptIsToldAgain(t *testing.T) {
	t.Parallel()
	store := &wakes{fails: errors.New("no database")}
	handler := app.VendorWebhooks(store, map[string][]byte{"xero": []byte("k")}, time.Now, slog.New(slog.DiscardHandler))
	body := `{"events":[{"tenantId":"t1","eventCategory":"INVOICE"}]}`
	mac := hmac.New(sha256.New, []byte("k"))
	mac.Write([]byte(body))
	r := httptest.NewRequest(http.MethodPost, "/webhooks/xero", strings.NewReader(body))
	r.Header.Set("X-Xero-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", w.Code)
	}
}

func TestWebhooksListenOnlyWhereTheyAreTold(t *testing.T) {
	t.Parallel()
	collector, _ := start(t, t.TempDir())
	if collector.WebhooksAddr() != "" {
		t.Errorf("they listen at %s", collector.WebhooksAddr())
	}
}
