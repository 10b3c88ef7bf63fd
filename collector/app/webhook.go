package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/target/web"
)

// Limits of a message of a vendor.
const (
	longestMessage = 1 << 20 // bytes
	messageTimeout = 4 * time.Second
)

// Waker notes that the books of a connection were changed.
type Waker interface {
	Merchants(ctx context.Context) ([]merchant.Merchant, error)
	WakeBooks(ctx context.Context, merchantID, target string, at time.Time) error
}

// VendorWebhooks answers what vendors tell of changes, under /webhooks/xero and
// /webhooks/quickbooks. A message is taken if it is signed; all that it does is to
// have the books it names compared. What it says beside is not believed, so one that
// is told twice, late or out of order does no harm.
func VendorWebhooks(store Waker, keys map[string][]byte, now func() time.Time, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	for target, of := range map[string]vendor{
		"xero":       {"X-Xero-Signature", "tenant", tenants},
		"quickbooks": {"Intuit-Signature", "realm", realms},
	} {
		mux.HandleFunc("POST /webhooks/"+target, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longestMessage))
			if err != nil {
				http.Error(w, "", http.StatusRequestEntityTooLarge)
				return
			}
			if !web.Signed(keys[target], body, r.Header.Get(of.header)) {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			ctx, cancel := context.WithTimeout(r.Context(), messageTimeout)
			defer cancel()
			books, err := of.books(body)
			if err == nil {
				err = wake(ctx, store, target, of.setting, books, now())
			}
			if err != nil { // the vendor tells it again
				log.Warn("a message of a vendor was not taken", "target", target, "error", err)
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
	}
	return mux
}

// vendor is how one signs, and names the books.
type vendor struct {
	header, setting string
	books           func(body []byte) (map[string]bool, error)
}

// tenants reads the organisations whose invoices Xero says were changed. An
// intent to receive has none.
func tenants(body []byte) (map[string]bool, error) {
	var message struct {
		Events []struct{ TenantID, EventCategory string }
	}
	if err := json.Unmarshal(body, &message); err != nil {
		return nil, fmt.Errorf("read the message: %w", err)
	}
	books := map[string]bool{}
	for _, e := range message.Events {
		if e.EventCategory == "INVOICE" || e.EventCategory == "CREDITNOTE" {
			books[e.TenantID] = true
		}
	}
	return books, nil
}

// realms reads the companies that Intuit's CloudEvents are of.
func realms(body []byte) (map[string]bool, error) {
	var events []struct {
		Account string `json:"intuitaccountid"`
	}
	if err := json.Unmarshal(body, &events); err != nil {
		return nil, fmt.Errorf("read the message: %w", err)
	}
	books := map[string]bool{}
	for _, e := range events {
		books[e.Account] = true
	}
	return books, nil
}

func wake(ctx context.Context, store Waker, target, setting string, books map[string]bool, at time.Time) error {
	if len(books) == 0 {
		return nil
	}
	merchants, err := store.Merchants(ctx)
	if err != nil {
		return err
	}
	for _, m := range merchants {
		for _, c := range m.Connections {
			if c.Target == target && c.Settings[setting] != "" && books[c.Settings[setting]] {
				if err := store.WakeBooks(ctx, m.ID, c.ID, at); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// openWebhooks opens the door for messages of vendors, if there is one.
func (a *App) openWebhooks() (err error) {
	if a.config.Webhooks.Listen == "" {
		return nil
	}
	keys := map[string][]byte{}
	for target, app := range map[string]CloudApp{"xero": a.config.Clouds.Xero, "quickbooks": a.config.Clouds.QuickBooks} {
		if app.WebhookKeyFile == "" {
			continue
		}
		key, err := ReadSecret(app.WebhookKeyFile)
		if err != nil {
			return fmt.Errorf("clouds.%s.webhook_key_file: %w", target, err)
		}
		keys[target] = []byte(key)
	}
	if a.webhooks, err = net.Listen("tcp", a.config.Webhooks.Listen); err != nil {
		return fmt.Errorf("listen for messages of vendors: %w", err)
	}
	a.webhookKeys = keys
	return nil
}

// WebhooksAddr returns where vendors tell of changes, "" if nowhere.
func (a *App) WebhooksAddr() string {
	if a.webhooks == nil {
		return ""
	}
	return a.webhooks.Addr().String()
}

func (a *App) serveWebhooks(ctx context.Context, _ *App) error {
	mux := http.NewServeMux()
	mux.Handle("/", VendorWebhooks(a.db, a.webhookKeys, a.clock, a.log))
	mux.Handle("/webhooks/feeds/", a.feedHook())
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: 2 * headerTimeout, MaxHeaderBytes: 16 << 10,
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-a.leave:
		case <-ctx.Done():
		case <-ended:
		}
		_ = server.Close() // a message that is cut is told again
	}()
	if err := server.Serve(a.webhooks); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("messages of vendors: %w", err)
	}
	return nil
}
