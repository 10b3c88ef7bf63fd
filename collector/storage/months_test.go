package storage_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/storage"
)

// march is the month of the test documents.
var march = time.Date(2026, 3, 31, 23, 59, 59, 0, time.UTC)

// partitions returns the partitions of the bytes of documents with their bounds.
func partitions(t *testing.T, db *storage.DB) map[string]string {
	t.Helper()
	rows, err := db.Rows(t.Context(), `SELECT c.relname::text, pg_get_expr(c.relpartbound, c.oid)
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'document_body'::regclass`)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, r := range rows {
		found[r[0]] = r[1]
	}
	return found
}

func TestMonthsToComeAreMadeOnceByAnyNumberOfCollectors(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	open := opener(t, storage.Options{DSN: dsn})
	made := make([]<-chan error, 4)
	for i := range made {
		db := open()
		made[i] = async(func() error { return db.Ahead(t.Context(), march) })
	}
	for _, done := range made {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	bounds := func(first, last time.Month) string {
		return fmt.Sprintf("FOR VALUES FROM ('%d') TO ('%d')", time.Date(2026, first, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), time.Date(2026, last, 1, 0, 0, 0, 0, time.UTC).UnixMicro())
	}
	want := map[string]string{
		"document_body_rest": "DEFAULT", "document_body_2026_03": bounds(3, 4), "document_body_2026_04": bounds(4, 5),
		"document_body_2026_05": bounds(5, 6), "document_body_2026_06": bounds(6, 7),
	}
	db := open()
	if diff := cmp.Diff(want, partitions(t, db)); diff != "" {
		t.Errorf("partitions (-want +got):\n%s", diff)
	}
	newStream(t, db, "agent-1").commit(t, db, 3)
	for table, own := range map[string][]string{"document_body_2026_03": {"3"}, "document_body_rest": {"0"}} {
		for merchant, want := range map[string][]string{"acme": own, "zeta": {"0"}} { // the wall stands around each
			if got, err := db.RowsOf(t.Context(), merchant, `SELECT count(*)::text FROM `+table); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s sees %v documents in %s, not %v: %v", merchant, got, table, want, err)
			}
		}
	}
}

func TestWhatIsReceivedInAMonthWithoutAPartitionIsStoredAllTheSame(t *testing.T) {
	t.Parallel()
	db := opener(t, storage.Options{DSN: migrated(t)})()
	s := newStream(t, db, "agent-1")
	s.commit(t, db, 3)
	if err := db.Ahead(t.Context(), march); err != nil {
		t.Fatalf("months beside one that has rows without a partition: %v", err)
	}
	if found := partitions(t, db); found["document_body_2026_03"] != "" || found["document_body_2026_04"] == "" {
		t.Errorf("partitions are %v", found)
	}
	s.commit(t, db, 3)
	if n := countDocuments(t, db); n != 6 {
		t.Errorf("%d documents, not 6", n)
	}
}

func TestNobodyWaitsForLongWhileMonthsAreMade(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	open := opener(t, storage.Options{DSN: dsn})
	db := open()
	s := newStream(t, db, "agent-1")
	s.commit(t, db, 1)
	reading, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	long, err := reading.BeginTx(t.Context(), nil) // as an audit reads all
	if err != nil {
		t.Fatal(err)
	}
	if _, err := long.ExecContext(t.Context(), `SELECT count(*) FROM document_body`); err != nil {
		t.Fatal(err)
	}
	if err := open().Ahead(t.Context(), march); err == nil || !strings.Contains(err.Error(), "lock timeout") {
		t.Errorf("made beside somebody who reads all of it: %v", err)
	}
	s.commit(t, db, 1)
	if err := errors.Join(long.Rollback(), open().Ahead(t.Context(), march)); err != nil {
		t.Errorf("tried again: %v", err)
	}
}

func TestAMonthThatIsTakenOutIsMissedAndNothingIsMadeWithoutIt(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	db := opener(t, storage.Options{DSN: dsn})()
	if err := db.Ahead(t.Context(), march); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Apply(t.Context(), configuration("acme"), time.UnixMicro(1)); err != nil {
		t.Fatal(err)
	}
	newStream(t, db, "agent-1").commit(t, db, 3)
	ref := day.Ref{Merchant: "acme", Store: "leeds", Day: benchDay}
	bounds := partitions(t, db)["document_body_2026_03"]
	if err := db.Exec(t.Context(), `ALTER TABLE document_body DETACH PARTITION document_body_2026_03`); err != nil {
		t.Fatal(err)
	}
	if f, err := db.Facts(t.Context(), ref); err == nil || !strings.Contains(err.Error(), "attach it again") {
		t.Errorf("facts without their documents: %d, %v", len(f.Documents), err)
	}
	without := 0
	if err := db.EachDocument(t.Context(), "acme", func(d audit.Document) error {
		if d.Body == nil {
			without++
		}
		return nil
	}); err != nil || without != 3 {
		t.Errorf("%d documents without bytes, not 3: %v", without, err)
	}
	if err := db.Exec(t.Context(), `ALTER TABLE document_body ATTACH PARTITION document_body_2026_03 `+bounds); err != nil {
		t.Fatal(err)
	}
	if f, err := db.Facts(t.Context(), ref); err != nil || len(f.Documents) != 3 {
		t.Errorf("facts when it is back: %d, %v", len(f.Documents), err)
	}
}

func TestDocumentsFromBeforeThereWereMonthsKeepTheirBytes(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		bytesAreKept(t, opener(t, storage.Options{Path: filepath.Join(t.TempDir(), "tillbook.db")})(), `X'%02x'`)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		db := opener(t, storage.Options{DSN: server.Database(t)})()
		bytesAreKept(t, db, `'\x%02x'`)
		if found := partitions(t, db); found["document_body_2025_12"] == "" || found["document_body_2026_01"] == "" || len(found) != 3 {
			t.Errorf("partitions are %v", found)
		}
		if err := db.Ahead(t.Context(), march); err != nil {
			t.Error(err)
		}
	})
}

func bytesAreKept(t *testing.T, db *storage.DB, blob string) {
	t.Helper()
	if err := db.MigrateTo(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	newYear := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	for n, received := range map[int]int64{1: newYear - 1, 2: newYear, 3: newYear + 1} {
		standing, body := "current", fmt.Sprintf(blob, n)
		if n == 3 {
			standing, body = "copy", blob[:len(blob)-5]+"'"
		}
		_, err := db.Change(t.Context(), "acme", fmt.Sprintf(`INSERT INTO document (merchant, key, revision, standing, conflict, hash, agent, epoch, number,
			capture, store, day, kind, receipt, recipe, reason, received, body) VALUES ('acme', 'key %[1]d', 1, '%[2]s', 0, %[3]s, 'agent-1', 1, %[1]d, %[1]d,
			'leeds', '2026-03-02', 'RECEIPT', '', 0, '', %[4]d, %[5]s)`, n, standing, blob[:len(blob)-5]+strings.Repeat("00", 32)+"'", received, body))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	if err := db.EachDocument(t.Context(), "acme", func(d audit.Document) error { got = append(got, d.Body); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]byte{{1}, {2}, nil}, got); diff != "" {
		t.Errorf("bytes (-want +got):\n%s", diff)
	}
}
