package storage_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/secrets"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/collector/target/oauth"
)

// failing seals a few times, and then no more, as a program that ends.
type failing struct {
	*secrets.Keys
	left int
}

var errEnded = errors.New("ended")

func (f *failing) Seal(text string, about ...string) ([]byte, error) {
	if f.left--; f.left < 0 {
		return nil, errEnded
	}
	return f.Keys.Seal(text, about...)
}

func TestARotationThatWasCutOffGoesOnAndThenTheOldKeyCanBeDropped(t *testing.T) {
	t.Parallel()
	for name, fresh := range map[string]func(testing.TB) func() *storage.DB{"SQLite": fresh, "PostgreSQL": freshPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, path := fresh(t)(), filepath.Join(t.TempDir(), "secrets.key")
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			keys, err := secrets.Open(path)
			must(err)
			collector, err := secrets.Open(path) // of one that runs
			must(err)
			tokens, credentials := db.Tokens(collector), db.Credentials(collector)
			for i := range 3 {
				must(tokens.Save(t.Context(), fmt.Sprintf("acme/books-%d", i), 0, oauth.Token{Access: "access", Refresh: fmt.Sprint("refresh-", i)}))
			}
			must(tokens.Save(t.Context(), "zeta/books", 0, oauth.Token{Access: "access", Refresh: "refresh-z"}))
			shop := feed.ID{Merchant: "acme", Feed: "shop"}
			must(credentials.Put(t.Context(), shop, "key", "secret", time.Now()))
			readable := func(when string) {
				t.Helper()
				for connection, want := range map[string]string{"acme/books-0": "refresh-0", "acme/books-1": "refresh-1", "acme/books-2": "refresh-2", "zeta/books": "refresh-z"} {
					if token, err := tokens.Load(context.WithoutCancel(t.Context()), connection); err != nil || token.Refresh != want {
						t.Errorf("%s, %s: %q, %v", when, connection, token.Refresh, err)
					}
				}
				if secret, err := credentials.Get(t.Context(), shop, "key"); err != nil || secret != "secret" {
					t.Errorf("%s: the feed's secret is %q, %v", when, secret, err)
				}
			}
			stands := func(newest, older int) {
				t.Helper()
				r, err := db.Reseal(t.Context(), keys, false)
				if err != nil || r.Newest != newest || r.Older != older || len(r.Lost) != 0 {
					t.Errorf("%+v, %v, not %d and %d", r, err, newest, older)
				}
			}
			_, err = keys.Rotate()
			must(err)
			readable("rotated")
			stands(0, 5)

			if _, err := db.Reseal(t.Context(), &failing{keys, 5}, true); !errors.Is(err, errEnded) { // amid the third token
				t.Fatalf("cut off: %v", err)
			}
			readable("cut off")
			stands(2, 3)
			// A collector renews one meanwhile.
			token, err := tokens.Load(t.Context(), "acme/books-2")
			must(err)
			must(tokens.Save(t.Context(), "acme/books-2", token.Version, token))
			stands(3, 2)

			r, err := db.Reseal(t.Context(), keys, true)
			if err != nil || r.Newest != 5 || r.Older != 0 {
				t.Errorf("gone on: %+v, %v", r, err)
			}
			stands(5, 0)
			if n, err := keys.Drop(); err != nil || n != 1 {
				t.Fatalf("%d keys were dropped: %v", n, err)
			}
			readable("dropped")
			again, err := tokens.Load(t.Context(), "acme/books-0")
			if err != nil {
				t.Fatal(err)
			}
			// It is still the version that its holder knows.
			must(tokens.Save(t.Context(), "acme/books-0", again.Version, again))

			other, err := secrets.Open(filepath.Join(t.TempDir(), "other.key"))
			must(err)
			if r, err := db.Reseal(t.Context(), other, true); err != nil || len(r.Lost) != 5 || r.Lost[0] != "acme/books-0" {
				t.Errorf("with keys that sealed nothing of it: %+v, %v", r, err)
			}
			readable("after a try with other keys")
		})
	}
}
