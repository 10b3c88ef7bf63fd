package storage_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/backup"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/collector/storage/storagetest"
)

func TestADatabaseThatWasPutBackIsAnotherAndDoubtsWhatItWasAboutToSend(t *testing.T) {
	t.Parallel()
	for name, fresh := range map[string]func(testing.TB) func() *storage.DB{"SQLite": fresh, "PostgreSQL": freshPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := fresh(t)()
			twoMerchants(t, db)
			for _, state := range []string{"intended", "sent", "unknown", "posted", "refused", "parked", "undone"} {
				if _, err := db.Change(t.Context(), "acme", `INSERT INTO posting (merchant, store, day, target, revision, entry, reference, payload, hash, state,
					attempts, error, remote_id, at, settled_at) VALUES ('acme', 'leeds', '2026-03-01', '`+state+`', 1, 1, 'R', '{}', '', '`+state+`', 0, 'why', '', 1, 0)`); err != nil {
					t.Fatal(err)
				}
			}
			before, err := db.Incarnation(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			after, err := db.Restored(t.Context(), time.UnixMicro(7), nil)
			merchants := after.Merchants
			if err != nil || !slices.Equal(merchants, []string{"acme", "zeta"}) {
				t.Fatalf("merchants %q: %v", merchants, err)
			}
			if after, err := db.Incarnation(t.Context()); err != nil || after == before {
				t.Errorf("the incarnation is still %x: %v", after, err)
			}
			states, err := db.RowsOf(t.Context(), "acme", `SELECT target || ' is ' || state || ': ' || error FROM posting ORDER BY 1`)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{
				"intended is unknown: before the restore: why", "parked is parked: why", "posted is posted: why",
				"refused is unknown: before the restore: why", "sent is sent: why", "undone is undone: why", "unknown is unknown: why",
			}, states); diff != "" {
				t.Errorf("postings (-want +got):\n%s", diff)
			}
			for _, id := range merchants {
				if s, err := db.Stopped(t.Context(), id); err != nil || s == nil || s.By != "restore" {
					t.Errorf("merchant %s is not stopped: %+v, %v", id, s, err)
				}
			}
		})
	}
}

// rowsOf is all that is in the tables of a database, as text.
func rowsOf(t *testing.T, db *storage.DB) map[string][]string {
	t.Helper()
	all, err := db.AllRows(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestACopyOfEitherEngineHoldsWhatIsStoredAndFillsAnEmptyDatabaseOfEither(t *testing.T) {
	t.Parallel()
	engines := map[string]func(testing.TB) func() *storage.DB{"SQLite": fresh, "PostgreSQL": freshPostgres}
	for of, from := range engines {
		for other, into := range engines {
			t.Run(of+" to "+other, func(t *testing.T) {
				t.Parallel()
				db := from(t)()
				storagetest.Settle(t, db, "acme", "zeta")
				if err := db.Note(t.Context(), logbook.Act{Merchant: logbook.Collector, What: logbook.Rotate}); err != nil {
					t.Fatal(err)
				}
				want := rowsOf(t, db)
				if len(want) < 20 || len(want["document"]) != 10 {
					t.Fatalf("%d tables have rows, %d documents", len(want), len(want["document"]))
				}
				path := filepath.Join(t.TempDir(), "copy.db")
				if err := db.CopyTo(t.Context(), path); err != nil {
					t.Fatal(err)
				}
				copied, err := storage.Open(t.Context(), storage.Options{Path: path})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, rowsOf(t, copied)); diff != "" {
					t.Errorf("rows (-stored +copied):\n%s", diff)
				}
				if err := copied.Close(); err != nil {
					t.Fatal(err)
				}
				filled := into(t)()
				if err := filled.Fill(t.Context(), path); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, rowsOf(t, filled)); diff != "" {
					t.Errorf("rows (-stored +filled):\n%s", diff)
				}
				if err := filled.Fill(t.Context(), path); !errors.Is(err, backup.ErrThere) {
					t.Errorf("filled again: %v", err)
				}
			})
		}
	}
}

func TestADatabaseIsNotTakenAwayFromWhoHasItOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tillbook.db")
	db, err := storage.Open(t.Context(), storage.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := storage.Alone(t.Context(), path); !errors.Is(err, backup.ErrOpen) {
		t.Errorf("while it is open: %v", err)
	}
	if err := errors.Join(db.Close(), storage.Alone(t.Context(), path)); err != nil {
		t.Errorf("once it is closed: %v", err)
	}
	if files, err := filepath.Glob(path + "*"); err != nil || len(files) != 1 {
		t.Errorf("there is more than the one file: %q, %v", files, err)
	}
}

func TestAfterARestoreNobodySpeaksOfWhomItIsNotKnownWhetherTheyMay(t *testing.T) {
	t.Parallel()
	for name, fresh := range map[string]func(testing.TB) func() *storage.DB{"SQLite": fresh, "PostgreSQL": freshPostgres} {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, known: %t", name, known), func(t *testing.T) {
				t.Parallel()
				db := fresh(t)()
				storagetest.Settle(t, db, "acme")
				must := func(err error) {
					t.Helper()
					if err != nil {
						t.Fatal(err)
					}
				}
				for i, agent := range []string{"agent-2", "agent-3"} {
					hash := [32]byte{byte(i + 1)}
					must(db.AddCode(t.Context(), fleet.Code{Hash: hash, Merchant: "acme", Store: "leeds", ExpiresAt: time.Now().Add(time.Hour)}))
					_, err := db.Redeem(t.Context(), hash, agent, "pc", "1", time.Now())
					must(err)
				}
				must(db.Revoke(t.Context(), "acme", "agent-3", time.UnixMicro(3)))
				// Since then agent-2 was revoked, agent-4 joined, and the token was renewed.
				last, err := db.Standing(t.Context())
				must(err)
				if len(last.Agents) != 3 || len(last.Tokens) != 1 {
					t.Fatalf("%+v", last)
				}
				last.Agents = append(last.Agents, backup.Agent{Merchant: "acme", Agent: "agent-4"})
				last.Agents[1].RevokedAt = time.UnixMicro(5).UTC()
				refresh := string(last.Tokens[0].Refresh)
				last.Tokens[0].Version++
				last.Tokens[0].Refresh = []byte("renewed")
				of := &last
				if !known {
					of = nil
				}
				after, err := db.Restored(t.Context(), time.UnixMicro(7), of)
				must(err)
				names := func(agents []backup.Agent) (all string) {
					for _, a := range agents {
						all += a.Agent + " "
					}
					return all
				}
				now, err := db.Standing(t.Context())
				must(err)
				got := fmt.Sprintf("revoked %sdoubted %sjoined %stokens %d %q", names(after.Revoked), names(after.Doubted), names(after.Joined), len(after.Connections), now.Tokens[0].Refresh)
				want := fmt.Sprintf("revoked doubted agent-1 agent-2 joined tokens 1 %q", refresh)
				if known {
					want = `revoked agent-2 doubted joined agent-4 tokens 0 "renewed"`
				}
				if got != want {
					t.Errorf("%s\nnot\n%s", got, want)
				}
				may := func(agent string) error {
					return fleet.Allowed(t.Context(), db, fleet.Identity{Merchant: "acme", Store: "leeds", Agent: agent})
				}
				one, two, three := may("agent-1"), may("agent-2"), may("agent-3")
				if known {
					if one != nil || !errors.Is(two, fleet.ErrRevoked) || !errors.Is(three, fleet.ErrRevoked) {
						t.Errorf("%v, %v, %v", one, two, three)
					}
					return
				}
				if !errors.Is(one, fleet.ErrDoubted) || !errors.Is(two, fleet.ErrDoubted) || !errors.Is(three, fleet.ErrRevoked) {
					t.Errorf("%v, %v, %v", one, two, three)
				}
				for _, want := range []bool{true, false} {
					if admitted, err := db.Admit(t.Context(), "acme", "agent-1", time.Now()); err != nil || admitted != want {
						t.Errorf("admitted: %t, %v", admitted, err)
					}
				}
				if _, err := db.Admit(t.Context(), "acme", "nobody", time.Now()); !errors.Is(err, fleet.ErrUnknown) {
					t.Errorf("nobody: %v", err)
				}
				if one, two := may("agent-1"), may("agent-2"); one != nil || !errors.Is(two, fleet.ErrDoubted) {
					t.Errorf("once the first is admitted: %v, %v", one, two)
				}
			})
		}
	}
}
