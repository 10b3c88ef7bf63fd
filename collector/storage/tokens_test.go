package storage_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"tillbook.example/tillbook/collector/sandbox/gate"
	"tillbook.example/tillbook/collector/secrets"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/collector/target/oauth"
)

// renewing is set in a process that renews tokens; it is what it is told.
const renewing = "TILLBOOK_TEST_RENEWING"

// renewer is what a process is told.
type renewer struct {
	Database storage.Options
	Keys     string
	TokenURL string
	Workers  int
	Times    int // each asks for another token
}

const booksOf = "acme/ledger"

func (r renewer) source(db *storage.DB, keys *secrets.Keys) *oauth.Source {
	return oauth.NewSource(oauth.Options{Connection: booksOf, Tokens: db.Tokens(keys), Now: time.Now, Config: oauth2.Config{
		ClientID: "id", ClientSecret: "secret", Endpoint: oauth2.Endpoint{TokenURL: r.TokenURL, AuthStyle: oauth2.AuthStyleInHeader},
	}})
}

// open returns the database and the keys.
func (r renewer) open(ctx context.Context) (*storage.DB, *secrets.Keys, error) {
	keys, err := secrets.Open(r.Keys)
	if err != nil {
		return nil, nil, err
	}
	db, err := storage.Open(ctx, r.Database)
	return db, keys, err
}

// run has each worker find its token refused and ask for another.
func (r renewer) run(ctx context.Context) error {
	db, keys, err := r.open(ctx)
	if err != nil {
		return err
	}
	errs := make([]error, r.Workers)
	var group sync.WaitGroup
	for i := range r.Workers {
		source := r.source(db, keys)
		group.Go(func() {
			for range r.Times {
				token, err := source.Token(ctx)
				if err == nil {
					err = source.Reject(ctx, token)
				}
				if err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(append(errs, db.Close())...)
}

// renewHere renews tokens if this process was started for it.
func renewHere() (here bool, err error) {
	text := os.Getenv(renewing)
	if text == "" {
		return false, nil
	}
	var r renewer
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return true, err
	}
	return true, r.run(context.Background())
}

// TestManyProcessesThatRenewNeverUseARefreshTokenTwice: eight workers in three
// processes; TILLBOOK_RENEWALS says how often each asks for another token.
func TestManyProcessesThatRenewNeverUseARefreshTokenTwice(t *testing.T) {
	t.Parallel()
	times, err := strconv.Atoi(cmp.Or(os.Getenv("TILLBOOK_RENEWALS"), "12"))
	if err != nil {
		t.Fatal(err)
	}
	for name, database := range map[string]func(testing.TB) storage.Options{
		"SQLite": func(t testing.TB) storage.Options {
			return storage.Options{Path: filepath.Join(t.TempDir(), "tillbook.db")}
		},
		"PostgreSQL": func(t testing.TB) storage.Options { return storage.Options{DSN: server.Database(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			identity := &gate.Identity{ClientID: "id", ClientSecret: "secret", Scopes: []string{"books"}, AccessLife: 30 * time.Minute, RefreshLife: 60 * 24 * time.Hour, Now: time.Now}
			office := httptest.NewServer(http.HandlerFunc(identity.Token))
			t.Cleanup(office.Close)
			r := renewer{Database: database(t), Keys: filepath.Join(t.TempDir(), "secrets.json"), TokenURL: office.URL, Times: times}
			db, keys, err := r.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			if err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := r.source(db, keys).Connect(t.Context(), identity.Code()); err != nil {
				t.Fatal(err)
			}
			var group sync.WaitGroup
			for _, workers := range []int{3, 3, 2} {
				r := r
				r.Workers = workers
				told, err := json.Marshal(r)
				if err != nil {
					t.Fatal(err)
				}
				process := exec.CommandContext(t.Context(), os.Args[0])
				process.Env = append(os.Environ(), renewing+"="+string(told))
				group.Go(func() {
					if said, err := process.CombinedOutput(); err != nil {
						t.Errorf("%v: %s", err, said)
					}
				})
			}
			group.Wait()
			renewed, invalid := identity.Renewals()
			t.Logf("8 workers in 3 processes asked %d times each for another token: %d renewals, %d with a token that was used", times, renewed, invalid)
			if invalid != 0 || renewed < times || renewed > 8*times {
				t.Errorf("renewed %d times, %d with a token that was used", renewed, invalid)
			}
			if _, err := r.source(db, keys).Token(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNoTokenCanBeReadInTheDatabase: neither in a row nor in its files.
func TestNoTokenCanBeReadInTheDatabase(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	r := renewer{Database: storage.Options{Path: filepath.Join(folder, "tillbook.db")}, Keys: filepath.Join(t.TempDir(), "secrets.json")}
	db, keys, err := r.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	given := oauth.Token{Access: "the-access-token", Refresh: "the-refresh-token", Expiry: time.Now()}
	if err := db.Tokens(keys).Save(t.Context(), booksOf, 0, given); err != nil {
		t.Fatal(err)
	}
	// Moved to another connection it opens nothing.
	if err := db.Exec(t.Context(), `INSERT INTO token SELECT 'zeta', connection, access, refresh, expiry, until, ended, version, claimed FROM token`); err != nil {
		t.Fatal(err)
	}
	if moved, err := db.Tokens(keys).Load(t.Context(), "zeta/ledger"); !errors.Is(err, secrets.ErrSealed) || moved.Access != "" {
		t.Errorf("moved: %+v, %v", moved, err)
	}
	if kept, err := db.Tokens(keys).Load(t.Context(), booksOf); err != nil || kept.Refresh != given.Refresh {
		t.Errorf("kept: %+v, %v", kept, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if found := grep(t, folder, "acme"); !found {
		t.Fatal("the merchant is not found either, so nothing would be shown")
	}
	for _, token := range []string{given.Access, given.Refresh} {
		if grep(t, folder, token) {
			t.Errorf("%s can be read", token)
		}
	}
}

// grep looks for a text in the files of a folder.
func grep(t *testing.T, folder, text string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(text)) {
			return true
		}
	}
	return false
}
