package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// MonthsAhead is for how many months after the present one there is a partition.
const MonthsAhead = 3

// monthLock is how long making a month may wait for others, who wait behind it
// meanwhile. There are months of time to try again.
const monthLock = `SET LOCAL lock_timeout = '1s'`

const (
	postgresParted query = `SELECT count(*) FROM pg_class WHERE oid = to_regclass('document_body') AND relkind = 'p'`
	// One program at a time makes months; nobody who reads or writes rows waits.
	postgresMaking       = `LOCK TABLE document_body IN SHARE UPDATE EXCLUSIVE MODE`
	postgresMonth  query = `SELECT count(*) FROM pg_class WHERE oid = to_regclass($1)`
)

// Ahead makes the partitions for the documents that are received in the month of
// now and in MonthsAhead more, those that are not there. It may be called at any
// time, by any number of collectors, and does nothing where tables have no
// partitions. A month of which something was received before it had a partition
// is left where that is, in document_body_rest.
func (db *DB) Ahead(ctx context.Context, now time.Time) error {
	if db.dialect.embedded {
		return nil
	}
	var parted int
	if err := db.writer.QueryRowContext(ctx, string(postgresParted)).Scan(&parted); err != nil {
		return fmt.Errorf("look for partitions: %w", err)
	}
	if parted == 0 {
		return nil
	}
	first := time.Date(now.UTC().Year(), now.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
	for i := range MonthsAhead + 1 {
		month := first.AddDate(0, i, 0)
		if err := db.makeMonth(ctx, month); err != nil {
			return fmt.Errorf("make the partition of %s: %w", month.Format("2006-01"), err)
		}
	}
	return nil
}

// monthTable is the name of a month's partition.
func monthTable(month time.Time) string { return month.Format("document_body_2006_01") }

func (db *DB) makeMonth(ctx context.Context, month time.Time) error {
	name := monthTable(month)
	there := func(q interface {
		QueryRowContext(context.Context, string, ...any) *sql.Row
	}) (bool, error) {
		var n int
		err := q.QueryRowContext(ctx, string(postgresMonth), name).Scan(&n)
		return n > 0, err
	}
	if known, err := there(db.writer); err != nil || known {
		return err
	}
	t, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer t.Rollback() // of no effect after the commit
	for _, statement := range []string{monthLock, postgresMaking} {
		if _, err := t.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	if known, err := there(t); err != nil || known { // another was quicker
		return err
	}
	// Attached when it is whole, so that nobody waits while it is made, and no row is
	// ever in a table without its wall.
	for _, statement := range []string{
		"CREATE TABLE " + name + " (LIKE document_body INCLUDING ALL)",
		"ALTER TABLE " + name + " ENABLE ROW LEVEL SECURITY",
		"ALTER TABLE " + name + " FORCE ROW LEVEL SECURITY",
		"CREATE POLICY own ON " + name + " USING (merchant = current_setting('tillbook.merchant', true))",
		"CREATE POLICY everyone ON " + name + " FOR SELECT USING (current_setting('tillbook.merchant', true) = '*')",
		fmt.Sprintf("ALTER TABLE document_body ATTACH PARTITION %s FOR VALUES FROM (%d) TO (%d)", name, month.UnixMicro(), month.AddDate(0, 1, 0).UnixMicro()),
	} {
		if _, err := t.ExecContext(ctx, statement); err != nil {
			var e *pgconn.PgError
			if errors.As(err, &e) && slices.Contains([]string{"23514", "42P17"}, e.Code) {
				return nil // rows of it are in document_body_rest, or its months overlap one that an operator made
			}
			return err
		}
	}
	return t.Commit()
}
