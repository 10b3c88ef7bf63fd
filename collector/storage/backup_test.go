package storage_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/backup"
	"tillbook.example/tillbook/collector/storage"
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
			merchants, err := db.Restored(t.Context(), time.UnixMicro(7))
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

func TestACopyHoldsWhatIsStoredAndIsOfTheSameDatabase(t *testing.T) {
	t.Parallel()
	db := fresh(t)()
	twoMerchants(t, db)
	want, err := db.Contents(t.Context())
	if err != nil || want.Documents != 6 || len(want.Streams) != 2 || want.Streams[0].Stored != 3 {
		t.Fatalf("contents %+v: %v", want, err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := db.CopyTo(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	copied := opener(t, storage.Options{Path: path})()
	got, err := copied.Contents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("contents (-stored +copied):\n%s", diff)
	}
	of, err := db.Incarnation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if is, err := copied.Incarnation(t.Context()); err != nil || is != of {
		t.Errorf("incarnation %x, not %x: %v", is, of, err)
	}
	if err := freshPostgres(t)().CopyTo(t.Context(), path); err == nil {
		t.Error("a database on a server was copied")
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
