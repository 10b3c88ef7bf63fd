package storagetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/collector/target/oauth"
	"tillbook.example/tillbook/collector/work"
)

// label is a sealer that hides nothing: it writes down what a text is about.
type label struct{}

func (label) Seal(text string, about ...string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	return fmt.Appendf(nil, "%q %s", about, text), nil
}

func (label) Unseal(sealed []byte, about ...string) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	text, ok := strings.CutPrefix(string(sealed), fmt.Sprintf("%q ", about))
	if !ok {
		return "", fmt.Errorf("%s is not about %q", sealed, about)
	}
	return text, nil
}

func access(n int) oauth.Token {
	return oauth.Token{Access: fmt.Sprint("access ", n), Refresh: fmt.Sprint("refresh ", n), Expiry: noon.Add(time.Hour), Until: noon.AddDate(0, 0, 100)}
}

func tokenTests() []test {
	const connection = mine + "/ledger"
	// load returns the token and its version apart.
	load := func(b *bundle) (oauth.Token, int64) {
		b.Helper()
		t, err := b.db.Tokens(label{}).Load(b.Context(), connection)
		b.must(err)
		version := t.Version
		t.Version = 0
		return t, version
	}
	return []test{
		{"a token is kept as it was given and each save raises its version", func(b *bundle) {
			tokens := b.db.Tokens(label{})
			if _, err := tokens.Load(b.Context(), connection); !errors.Is(err, oauth.ErrNone) {
				b.Fatalf("before it was connected: %v", err)
			}
			b.must(tokens.Save(b.Context(), connection, 0, access(1)))
			kept, version := load(b)
			equal(b, "token", kept, access(1))
			b.must(tokens.Save(b.Context(), connection, version, access(2)))
			kept, next := load(b)
			equal(b, "token", kept, access(2))
			equal(b, "version", next, version+1)
			if err := tokens.Save(b.Context(), connection, version, access(3)); !errors.Is(err, oauth.ErrClaimed) {
				b.Errorf("an old version was saved: %v", err)
			}
			ended := oauth.Token{Refresh: "refresh 2", Expiry: noon, Ended: "revoked"}
			b.must(tokens.Save(b.Context(), connection, next, ended))
			kept, _ = load(b)
			equal(b, "token", kept, ended)
			all, err := b.db.Access(b.Context(), mine)
			b.must(err)
			equal(b, "access", all, []storage.Access{{Connection: "ledger", Ended: "revoked"}})
			b.must(tokens.Save(b.Context(), connection, 0, access(4)))
			kept, last := load(b)
			equal(b, "token", kept, access(4))
			equal(b, "version", last, next+2)
		}},
		{"a claim keeps others from a version until it is released, saved or over", func(b *bundle) {
			tokens := b.db.Tokens(label{})
			b.must(tokens.Save(b.Context(), connection, 0, access(1)))
			_, version := load(b)
			// The caller's clock is of no matter, only the time between.
			claim := func(version int64, term time.Duration) error {
				return tokens.Claim(b.Context(), connection, version, noon, noon.Add(term))
			}
			refused := func(what string, err error) {
				b.Helper()
				if !errors.Is(err, oauth.ErrClaimed) {
					b.Errorf("%s: %v; want ErrClaimed", what, err)
				}
			}
			b.must(claim(version, time.Hour))
			refused("claimed", claim(version, time.Hour))
			b.must(tokens.Release(b.Context(), connection, version))
			b.must(claim(version, over))
			b.must(claim(version, time.Hour))
			b.must(tokens.Save(b.Context(), connection, version, access(2)))
			refused("the old version", claim(version, time.Hour))
			b.must(claim(version+1, time.Hour))
		}},
		{"a token that is forgotten cannot be saved again by who still renews it", func(b *bundle) {
			tokens := b.db.Tokens(label{})
			b.must(tokens.Save(b.Context(), connection, 0, access(1)))
			_, version := load(b)
			b.must(tokens.Forget(b.Context(), connection))
			if err := tokens.Forget(b.Context(), connection); !errors.Is(err, oauth.ErrNone) {
				b.Errorf("forgotten again: %v", err)
			}
			for range 2 {
				if err := tokens.Save(b.Context(), connection, version, access(2)); !errors.Is(err, oauth.ErrClaimed) {
					b.Errorf("saved after it was forgotten: %v", err)
				}
				b.must(tokens.Save(b.Context(), connection, 0, access(3))) // and connected again
			}
			kept, _ := load(b)
			equal(b, "token", kept, access(3))
		}},
		{"a renewed token is kept also under a lease that was lost", func(b *bundle) {
			tokens := b.db.Tokens(label{})
			b.must(tokens.Save(b.Context(), connection, 0, access(1)))
			_, version := load(b)
			lost := work.Under(b.Context(), work.Lease{Subject: work.Subject{Merchant: mine, Name: "posting"}, Holder: "a", Fence: 1})
			b.must(tokens.Save(lost, connection, version, access(2)))
			kept, _ := load(b)
			equal(b, "token", kept, access(2))
		}},
		{"of many that claim a version at once one gets it", func(b *bundle) {
			b.must(b.db.Tokens(label{}).Save(b.Context(), connection, 0, access(1)))
			_, version := load(b)
			var got atomic.Int32
			var claiming sync.WaitGroup
			for range 6 {
				tokens := b.open().Tokens(label{})
				claiming.Go(func() {
					switch err := tokens.Claim(b.Context(), connection, version, noon, noon.Add(time.Hour)); {
					case err == nil:
						got.Add(1)
					case !errors.Is(err, oauth.ErrClaimed):
						b.Error(err)
					}
				})
			}
			claiming.Wait()
			equal(b, "claims", got.Load(), int32(1))
		}},
		{"a name that is not of one merchant's connection is refused", func(b *bundle) {
			for _, name := range []string{"", "ledger", "/ledger", mine + "/", "*/ledger"} {
				if _, err := b.db.Tokens(label{}).Load(b.Context(), name); err == nil || errors.Is(err, oauth.ErrNone) {
					b.Errorf("%q: %v", name, err)
				}
			}
		}},
	}
}
