package storage_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/internal/postgres"
)

// stopAt makes each insert into a table wait, as if its transaction took long there,
// until go on is called.
func stopAt(t *testing.T, dsn, table string) (goOn func()) {
	t.Helper()
	admin, err := sql.Open("pgx", server.AsAdmin(dsn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	holder, err := admin.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`CREATE OR REPLACE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END'`,
		`CREATE TRIGGER wait BEFORE INSERT ON ` + table + ` FOR EACH ROW EXECUTE FUNCTION wait()`,
		`SELECT pg_advisory_lock(1)`,
	} {
		if _, err := holder.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		t.Helper()
		if _, err := holder.ExecContext(t.Context(), `SELECT pg_advisory_unlock(1)`); err != nil {
			t.Fatal(err)
		}
		if err := holder.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// waits waits until n transactions of a database wait for a lock, or done says
// that there is nothing to wait for.
func waits(t *testing.T, dsn string, n int, done <-chan error) {
	t.Helper()
	admin, err := sql.Open("pgx", server.AsAdmin(dsn))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		var found int
		err := admin.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&found)
		if err != nil {
			t.Fatal(err)
		}
		if found >= n {
			return
		}
		select {
		case err := <-done:
			t.Fatalf("it did not wait, and ended with %v", err)
		case <-t.Context().Done():
			t.Fatal("nothing waits")
		case <-ticker.C:
		}
	}
}

func async(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

func TestAnEpochIsIssuedAfterTheBatchThatIsUnderWay(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	db := opener(t, storage.Options{DSN: dsn})()
	s := newStream(t, db, "agent-1")
	goOn := stopAt(t, dsn, "document")
	batch := s.next(2)
	committed := async(func() error { _, err := db.Commit(t.Context(), batch); return err })
	waits(t, dsn, 1, committed)
	issued := async(func() error {
		_, err := db.Issue(t.Context(), s.id, [16]byte{2}, [32]byte{}, "test", time.UnixMicro(2))
		return err
	})
	waits(t, dsn, 2, issued)
	goOn()
	if err := errors.Join(<-committed, <-issued); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Commit(t.Context(), s.next(3)); !errors.Is(err, intake.ErrEpoch) {
		t.Errorf("a batch of the older epoch: %v", err)
	}
}

func TestAConnectionThatIsAddedWhileADayClosesGetsItsEntry(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	db := opener(t, storage.Options{DSN: dsn})()
	if _, err := db.Apply(t.Context(), configuration("acme"), time.UnixMicro(1)); err != nil {
		t.Fatal(err)
	}
	newStream(t, db, "agent-1").commit(t, db, 1)
	goOn := stopAt(t, dsn, "entry")
	ref := day.Ref{Merchant: "acme", Store: "leeds", Day: benchDay}
	saved := async(func() error {
		return db.Save(t.Context(), day.Entry{Ref: ref, Version: 1, Mapping: 1, Rules: 1, Body: []byte("{}"), Proof: []byte("{}"), Reason: "close", At: time.UnixMicro(2)})
	})
	waits(t, dsn, 1, saved)
	if _, err := db.Apply(t.Context(), configuration("acme", "books"), time.UnixMicro(3)); err != nil {
		t.Fatal(err)
	}
	goOn()
	if err := <-saved; err != nil {
		t.Fatal(err)
	}
	due, err := db.Due(t.Context(), "")
	if err != nil || len(due) != 1 || due[0].Target != "books" {
		t.Errorf("due is %+v, not the entry at the new connection: %v", due, err)
	}
}

func TestALockThatIsNotToBeHadIsBusyAndStoresNothing(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	db := opener(t, storage.Options{DSN: dsn + " lock_timeout=20"})()
	s := newStream(t, db, "agent-1")
	goOn := stopAt(t, dsn, "stream_batch")
	if _, err := db.Commit(t.Context(), s.next(1)); !errors.Is(err, intake.ErrBusy) {
		t.Errorf("%v is not busy", err)
	}
	goOn()
	s.commit(t, db, 1)
}

func TestALineToTheServerThatBreaksIsBusyAndComesBack(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	db := opener(t, storage.Options{DSN: dsn})()
	s := newStream(t, db, "agent-1")
	goOn := stopAt(t, dsn, "document")
	batch := s.next(2)
	committed := async(func() error { _, err := db.Commit(t.Context(), batch); return err })
	waits(t, dsn, 1, committed)
	kick := `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'tillbook'`
	if err := server.Exec(t.Context(), server.AsAdmin(dsn), kick); err != nil {
		t.Fatal(err)
	}
	if err := <-committed; !errors.Is(err, intake.ErrBusy) {
		t.Errorf("%v is not busy", err)
	}
	goOn()
	outcome, err := db.Commit(t.Context(), batch)
	if err != nil || outcome.Position.Stored != 2 {
		t.Errorf("afterwards: %+v, %v", outcome.Position, err)
	}
}

// loses makes the next n statements that add or change a row of some tables fail
// as one does that lost to another transaction.
func loses(t *testing.T, dsn string, n int) {
	t.Helper()
	statements := []string{
		`DROP SEQUENCE IF EXISTS lost`,
		`CREATE SEQUENCE lost`,
		`GRANT ALL ON lost TO tillbook`,
		fmt.Sprintf(`CREATE OR REPLACE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN IF nextval(''lost'') <= %d THEN RAISE EXCEPTION ''lost'' USING ERRCODE = ''40001''; END IF; RETURN NEW; END'`, n),
	}
	for _, table := range []string{"epoch", "stream_batch", "document", "store_day", "entry", "delivery", "merchant_config", "mapping", "connection"} {
		statements = append(statements, `CREATE OR REPLACE TRIGGER lose BEFORE INSERT OR UPDATE ON `+table+` FOR EACH STATEMENT EXECUTE FUNCTION lose()`)
	}
	if err := server.Exec(t.Context(), server.AsAdmin(dsn), statements...); err != nil {
		t.Fatal(err)
	}
}

func TestATransactionThatLosesIsRunAgainAndInTheEndBusy(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	db := opener(t, storage.Options{DSN: dsn})()
	s := &stream{id: identity("agent-1"), epoch: [16]byte{1}}
	ref := day.Ref{Merchant: "acme", Store: "leeds", Day: benchDay}
	calls := []func() error{
		func() error {
			_, err := db.Apply(t.Context(), configuration("acme", "books"), time.UnixMicro(1))
			return err
		},
		func() error {
			epoch, err := db.Issue(t.Context(), s.id, s.epoch, s.digest, "test", time.UnixMicro(1))
			s.order = epoch.Order
			return err
		},
		func() error { _, err := db.Commit(t.Context(), s.next(2)); return err },
		func() error {
			return db.Save(t.Context(), day.Entry{Ref: ref, Version: 2, Mapping: 1, Rules: 1, Body: []byte("{}"), Proof: []byte("{}"), Reason: "close", At: time.UnixMicro(2)})
		},
	}
	for i, call := range calls {
		loses(t, dsn, 1000)
		if err := call(); !errors.Is(err, intake.ErrBusy) {
			t.Errorf("call %d, losing always: %v", i, err)
		}
		loses(t, dsn, 3) // at another statement each time
		if err := call(); err != nil {
			t.Errorf("call %d, losing three times: %v", i, err)
		}
	}
	due, err := db.Due(t.Context(), "")
	if err != nil || len(due) != 1 || due[0].Entry.Version != 2 || s.order != 1 || countDocuments(t, db) != 2 {
		t.Errorf("due is %+v, the epoch's order %d: %v", due, s.order, err)
	}
}

func TestWhatWasReportedIsStoredThoughTheServerCrashes(t *testing.T) {
	t.Parallel()
	var own postgres.Server
	t.Cleanup(func() {
		if err := own.Stop(); err != nil {
			t.Error(err)
		}
	})
	db := opener(t, storage.Options{DSN: own.Database(t)})()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := newStream(t, db, "agent-1")
	const crashes, between = 3, 20
	reported := make(chan uint64, between)
	ended := async(func() error {
		defer close(reported)
		for range (crashes + 1) * between {
			batch := s.next(20)
			outcome, err := db.Commit(t.Context(), batch)
			for err != nil {
				if t.Context().Err() != nil {
					return err
				}
				outcome, err = db.Commit(t.Context(), batch) // as an agent does that got no answer
			}
			s.stored(20)
			reported <- outcome.Position.Stored
		}
		return nil
	})
	for range crashes {
		var last uint64
		for range between {
			last = <-reported
		}
		if err := own.Crash(); err != nil {
			t.Fatal(err)
		}
		position, err := db.Position(t.Context(), s.id, s.epoch)
		for again := 0; err != nil && again < 10; again++ { // on a connection of before the crash: an agent asks again
			position, err = db.Position(t.Context(), s.id, s.epoch)
		}
		if err != nil || position.Stored < last {
			t.Errorf("stored is %d, %d was reported: %v", position.Stored, last, err)
		}
	}
	for range reported {
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if n := countDocuments(t, db); n != (crashes+1)*between*20 {
		t.Errorf("%d documents, not %d", n, (crashes+1)*between*20)
	}
}

// migrated returns a database that no other test gets.
func migrated(t testing.TB) string {
	t.Helper()
	dsn := server.Database(t)
	db, err := storage.Open(t.Context(), storage.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Migrate(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	return dsn
}

func TestTwoAgentsThatStateTheSameAtOnceLeaveOneDocumentOfEach(t *testing.T) {
	t.Parallel()
	open := freshPostgres(t)
	a, b := open(), open()
	one, other := newStream(t, a, "agent-1"), newStream(t, b, "agent-2")
	for range 5 {
		batches := [2]intake.Batch{one.next(40), other.next(40)}
		first := async(func() error { _, err := a.Commit(t.Context(), batches[0]); return err })
		_, err := b.Commit(context.WithoutCancel(t.Context()), batches[1])
		if err := errors.Join(<-first, err); err != nil {
			t.Fatal(err)
		}
		one.stored(40)
		other.stored(40)
	}
	if n := countDocuments(t, a); n != 200 {
		t.Errorf("%d documents, not 200", n)
	}
	days, err := a.Days(t.Context(), "acme")
	if err != nil || len(days) != 1 || days[0].Version != 200 {
		t.Errorf("days are %+v, not one at version 200: %v", days, err)
	}
}
