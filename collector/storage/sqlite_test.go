package storage_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/storage"
)

func TestEveryStatementIsPreparedAndLooksRowsUpByAnIndex(t *testing.T) {
	t.Parallel()
	db := fresh(t)()
	queries, err := storage.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if len(queries) < 60 || queries["adoptPosting"] == "" || queries["insertDocument"] == "" {
		t.Fatalf("found %d statements, not all", len(queries))
	}
	whole := map[string]string{ // reads of a whole table, with the reason
		"selectAgents": "all agents of all merchants", "selectDays": "all days of all merchants", "allConfigs": "all merchants",
		"countDays": "counts of all merchants", "countPostings": "counts of all merchants",
		"insertStop": "of the one row that it makes", "countContents": "of the one row that it makes",
	}
	for name, text := range queries {
		if strings.HasPrefix(name, "postgres") { // prepared there
			continue
		}
		steps, err := db.Plan(t.Context(), text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, step := range steps {
			if strings.HasPrefix(step, "SCAN ") && !strings.Contains(step, "INDEX") && !strings.Contains(step, "subquery") && whole[name] == "" {
				t.Errorf("%s reads a whole table: %s", name, step)
			}
		}
	}
}

// notExported are tables of a merchant's rows that an export leaves out, with the
// reason.
var notExported = map[string]string{
	"token": "opens somebody's books", "join_code": "opens the collector", "lease": "of the moment",
	"epoch": "how agents number what they send", "stream_batch": "how agents number what they send",
	"tie": "worked out from documents", "tied": "worked out from documents", "seen": "worked out from documents",
	"feed": "how far sources were read", "credential": "opens a source",
	"day_tender": "worked out from documents", "clearing_run": "worked out from documents and what was stated",
	"connection": "stands in the configuration", "delivery": "worked out from entries and postings",
	"drift": "found again in the books; what was decided stands in the log", "compared": "of the moment",
}

func TestEveryTableIsExportedOrLeftOutForAReason(t *testing.T) {
	t.Parallel()
	db := fresh(t)()
	queries, err := storage.Queries()
	if err != nil {
		t.Fatal(err)
	}
	read := ""
	for name, text := range queries {
		if strings.HasPrefix(name, "every") || name == "auditRejected" || name == "allActs" {
			read += text + " "
		}
	}
	tables, err := db.Rows(t.Context(), `SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'merchant'`)
	if err != nil || len(tables) < 20 {
		t.Fatalf("%d tables: %v", len(tables), err)
	}
	for _, table := range tables {
		if exported := strings.Contains(read, "FROM "+table[0]+" ") || strings.Contains(read, "JOIN "+table[0]+" ") || strings.Contains(read, "JOIN "+table[0]+" "); exported == (notExported[table[0]] != "") {
			t.Errorf("table %s is exported: %t, and said to be left out: %q", table[0], exported, notExported[table[0]])
		}
	}
}

func TestACommitIsOnDiskBeforeItIsReported(t *testing.T) {
	t.Parallel()
	db := fresh(t)()
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "page_size": "8192"} {
		if got, err := db.Pragma(t.Context(), pragma); err != nil || got != want {
			t.Errorf("%s is %s, not %s: %v", pragma, got, want, err)
		}
	}
}

func TestAFullDiskStoresNothingAndCommitsGoOnAfterwards(t *testing.T) {
	t.Parallel()
	db := fresh(t)()
	s := newStream(t, db, "agent-1")
	s.commit(t, db, 100)
	pages, err := db.Pragma(t.Context(), "page_count")
	if err != nil {
		t.Fatal(err)
	}
	full, err := strconv.Atoi(pages)
	if err != nil {
		t.Fatal(err)
	}
	// Each limit lets the transaction fail at another of its writes.
	for room := range 30 {
		if err := db.Exec(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", full+room)); err != nil {
			t.Fatal(err)
		}
		_, err = db.Commit(t.Context(), s.next(500))
		if err == nil {
			t.Fatalf("a batch of 500 was stored in %d pages", room)
		}
		if errors.Is(err, intake.ErrBusy) || errors.Is(err, intake.ErrFork) {
			t.Fatalf("a full disk is reported as %v", err)
		}
		if position, err := db.Position(t.Context(), s.id, s.epoch); err != nil || position.Stored != 100 {
			t.Fatalf("stored is %d after a full disk, not 100: %v", position.Stored, err)
		}
	}
	if documents := countDocuments(t, db); documents != 100 {
		t.Errorf("%d documents after a full disk, not 100", documents)
	}
	if err := db.Exec(t.Context(), "PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	s.commit(t, db, 500)
	if documents := countDocuments(t, db); documents != 600 {
		t.Errorf("%d documents after there is room again, not 600", documents)
	}
}

func TestACommitThatCannotGetTheLockIsBusyAndStoresNothing(t *testing.T) {
	t.Parallel()
	open := fresh(t)
	db, other := open(), open()
	s := newStream(t, db, "agent-1")
	for _, statement := range []string{"PRAGMA busy_timeout = 0"} {
		if err := db.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Exec(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Commit(t.Context(), s.next(1)); !errors.Is(err, intake.ErrBusy) {
		t.Errorf("%v is not busy", err)
	}
	if err := other.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	s.commit(t, db, 1)
}

func TestADatabaseWithoutAPathIsNotOpened(t *testing.T) {
	t.Parallel()
	for _, o := range []storage.Options{{}, {Path: "x.db", DSN: "host=/nowhere"}, {DSN: "no such words"}, {Path: filepath.Join(t.TempDir(), "no", "folder", "x.db")}} {
		if db, err := storage.Open(t.Context(), o); err == nil {
			t.Errorf("%+v was opened", o)
			db.Close()
		}
	}
}

func TestAPathWithOddCharactersIsAFileOfThatName(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b%20?mode=ro#1&x.db")
	db, err := storage.Open(t.Context(), storage.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestManyProcessesMayMigrateAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		migrateAtOnce(t, storage.Options{Path: filepath.Join(t.TempDir(), "tillbook.db")})
	})
	t.Run("PostgreSQL", func(t *testing.T) { migrateAtOnce(t, storage.Options{DSN: server.Database(t)}) })
}

func migrateAtOnce(t *testing.T, o storage.Options) {
	t.Helper()
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			db, err := storage.Open(context.WithoutCancel(t.Context()), o)
			if err == nil {
				err = errors.Join(db.Migrate(context.WithoutCancel(t.Context())), db.Close())
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// committing is set in a process that commits until it is killed.
const committing = "TILLBOOK_STORAGE_COMMITTING"

func TestWhatAKilledProcessReportedIsStored(t *testing.T) {
	if where := os.Getenv(committing); where != "" {
		commitUntilKilled(t, where)
		return
	}
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) { killCommitting(t, filepath.Join(t.TempDir(), "tillbook.db")) })
	t.Run("PostgreSQL", func(t *testing.T) { killCommitting(t, server.Database(t)) })
}

// options are of a path or a DSN.
func options(where string) storage.Options {
	if strings.HasPrefix(where, "host=") {
		return storage.Options{DSN: where}
	}
	return storage.Options{Path: where}
}

func killCommitting(t *testing.T, where string) {
	t.Helper()
	reported := 0
	for round := range 4 {
		command := exec.Command(os.Args[0], "-test.run=^TestWhatAKilledProcessReportedIsStored$")
		command.Env = append(os.Environ(), committing+"="+where)
		output, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		// Killed as soon as it has reported some more, so amid a later commit.
		for lines := 0; lines < 3+round; {
			var line string
			if _, err := fmt.Fscanln(output, &line); err != nil {
				t.Fatalf("the process ended by itself: %v", err)
			}
			if number, found := strings.CutPrefix(line, "stored="); found {
				if reported, err = strconv.Atoi(number); err != nil {
					t.Fatal(err)
				}
				lines++
			}
		}
		if err := command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = command.Wait() // says that it was killed

		db, err := storage.Open(t.Context(), options(where))
		if err != nil {
			t.Fatal(err)
		}
		s := &stream{id: identity("agent-1"), epoch: [16]byte{1}}
		position, err := db.Position(t.Context(), s.id, s.epoch)
		if err != nil || int(position.Stored) < reported {
			t.Fatalf("stored is %d, %d was reported: %v", position.Stored, reported, err)
		}
		// The server may still be at the last transaction of the process.
		documents := countDocuments(t, db)
		if later, err := db.Position(t.Context(), s.id, s.epoch); err != nil || documents < int(position.Stored) || documents > int(later.Stored) {
			t.Fatalf("%d documents at watermarks %d and %d: %v", documents, position.Stored, later.Stored, err)
		}
		if options(where).DSN != "" {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if verdict, err := db.Pragma(t.Context(), "integrity_check"); err != nil || verdict != "ok" {
			t.Fatalf("integrity: %s, %v", verdict, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func commitUntilKilled(t *testing.T, where string) {
	db, err := storage.Open(t.Context(), options(where))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := newStream(t, db, "agent-1")
	for {
		outcome, err := db.Commit(t.Context(), s.next(50))
		if err != nil {
			t.Fatal(err)
		}
		s.stored(50)
		fmt.Printf("stored=%d\n", outcome.Position.Stored)
	}
}

func countDocuments(t *testing.T, db *storage.DB) int {
	t.Helper()
	n := 0
	if err := db.EachDocument(t.Context(), "acme", func(audit.Document) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func identity(agent string) fleet.Identity {
	return fleet.Identity{Merchant: "acme", Store: "leeds", Agent: agent}
}
