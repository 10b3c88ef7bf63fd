package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
	"unicode/utf8"

	"tillbook.example/tillbook/collector/intake"
)

// Trying again after another transaction won.
const (
	maxTries  = 12
	maxTrying = 15 * time.Second     // no other try begins later
	firstTry  = 2 * time.Millisecond // the longest wait before the second
	lastTry   = 250 * time.Millisecond
)

// tx is one transaction of one method.
type tx struct {
	dialect    dialect
	ctx        context.Context
	quiet      context.Context // ctx without its end: see exec
	pool       *pool
	tx         *sql.Tx
	reads      bool // and changes nothing
	bound      map[query]*sql.Stmt
	unprepared []query // by the pool
}

// write runs f in a transaction on a merchant's rows and commits it, if f and ctx
// allow. Whatever else happens at the time, it is as if it happened before or
// after. Where ctx carries a lease that was lost it fails with work.ErrLost. f may
// be run again, so it must not change anything but the database and its own
// variables.
func (db *DB) write(ctx context.Context, merchant, what string, f func(*tx) error) error {
	return db.try(ctx, merchant, what, db.dialect.writing, f)
}

// writeRows is write for transactions that run often and decide by nothing but
// rows which they change or add themselves: for these the database looks only
// whether another transaction changed the same.
func (db *DB) writeRows(ctx context.Context, merchant, what string, f func(*tx) error) error {
	return db.try(ctx, merchant, what, db.dialect.changing, f)
}

// read runs f on one snapshot of a merchant's rows.
func (db *DB) read(ctx context.Context, merchant, what string, f func(*tx) error) error {
	if err := db.run(ctx, db.reader, db.dialect.reading, merchant, f); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// try runs a transaction until it does not lose to another, a bounded number of
// times.
func (db *DB) try(ctx context.Context, merchant, what string, options *sql.TxOptions, f func(*tx) error) error {
	wait, begun := firstTry, time.Now()
	for tries := 1; ; tries++ {
		err := db.run(ctx, db.writer, options, merchant, f)
		if err == nil {
			return nil
		}
		if tries < maxTries && time.Since(begun) < maxTrying && db.dialect.again(err) && pause(ctx, rand.N(wait)) {
			wait = min(2*wait, lastTry)
			continue
		}
		var open commitError
		if db.dialect.busy(err) && (!errors.As(err, &open) || db.dialect.again(err)) {
			err = fmt.Errorf("%w: %w", intake.ErrBusy, err)
		}
		return fmt.Errorf("%s: %w", what, err)
	}
}

// pause waits, and says whether ctx let it.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// commitError leaves it open whether the transaction was committed, unless the
// database itself says that it was not.
type commitError struct{ error }

func (e commitError) Unwrap() error { return e.error }

func (db *DB) run(ctx context.Context, p *pool, options *sql.TxOptions, merchant string, f func(*tx) error) error {
	t, err := p.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	run := &tx{
		dialect: db.dialect, ctx: ctx, quiet: ctx, pool: p, tx: t, reads: options != nil && options.ReadOnly, bound: map[query]*sql.Stmt{},
	}
	if db.dialect.embedded {
		run.quiet = context.WithoutCancel(ctx)
	}
	err = run.as(merchant)
	if err == nil && !run.reads {
		err = run.fenced()
	}
	if err == nil {
		err = f(run)
	}
	if err == nil {
		if err = t.Commit(); err != nil { // also where ctx has ended
			return commitError{err}
		}
		// What was done is done, whether or not this succeeds: a transaction prepares
		// for itself what it does not find.
		_ = p.prepare(run.quiet, run.unprepared)
		return nil
	}
	// The driver may have rolled back by itself, as on a full disk or at the end
	// of ctx, so an error of Rollback says nothing.
	_ = t.Rollback()
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("%w: %w", ended, err)
	}
	return err
}

// as narrows the transaction to a merchant's rows from now on.
func (t *tx) as(merchant string) error {
	if t.dialect.scope == "" {
		return nil
	}
	var set string
	return t.row(t.dialect.scope, merchant)(&set)
}

// locked is a query whose rows are going to be changed: a transaction that
// changes something keeps others from changing them first.
func (t *tx) locked(q query) query {
	if t.reads {
		return q
	}
	return q + t.dialect.lock
}

func (t *tx) statement(q query) (*sql.Stmt, error) {
	if s := t.bound[q]; s != nil {
		return s, nil
	}
	if s := t.pool.prepared(q); s != nil {
		t.bound[q] = t.tx.StmtContext(t.quiet, s)
		return t.bound[q], nil
	}
	s, err := t.tx.PrepareContext(t.quiet, string(q))
	if err != nil {
		return nil, fmt.Errorf("prepare %.60q: %w", q, err)
	}
	t.bound[q] = s
	t.unprepared = append(t.unprepared, q)
	return s, nil
}

// exec runs a statement and returns how many rows it changed. The embedded
// driver starts a goroutine for each statement whose context can end, which is
// dear for a thousand inserts: so the context is looked at here, and the end of
// it rolls the transaction back anyway. The driver of a server keeps its
// statements prepared by itself.
func (t *tx) exec(q query, args ...any) (int64, error) {
	if err := t.ctx.Err(); err != nil {
		return 0, err
	}
	result, err := sql.Result(nil), error(nil)
	if !t.dialect.embedded {
		result, err = t.tx.ExecContext(t.ctx, string(q), readable(args)...)
	} else if s, wrong := t.statement(q); wrong != nil {
		err = wrong
	} else {
		result, err = s.ExecContext(t.quiet, args...)
	}
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// readable puts a mark for what is no text to a server: bytes that are not UTF-8
// and NUL. Keys have none; what an agent says of its machine, or a target of an
// error, may.
func readable(args []any) []any {
	for i, a := range args {
		if s, ok := a.(string); ok && (!utf8.ValidString(s) || strings.Contains(s, "\x00")) {
			args[i] = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
		}
	}
	return args
}

// row returns a function that reads the one row of a query; it fails with
// sql.ErrNoRows where there is none.
func (t *tx) row(q query, args ...any) func(into ...any) error {
	return func(into ...any) error {
		if !t.dialect.embedded {
			return t.tx.QueryRowContext(t.ctx, string(q), args...).Scan(into...)
		}
		s, err := t.statement(q)
		if err != nil {
			return err
		}
		return s.QueryRowContext(t.quiet, args...).Scan(into...)
	}
}

// each calls f for each row of a query. scan is rows.Scan; RawBytes it fills are
// valid until f returns.
func (t *tx) each(f func(scan func(into ...any) error) error, q query, args ...any) error {
	rows, err := t.query(q, args)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

func (t *tx) query(q query, args []any) (*sql.Rows, error) {
	if !t.dialect.embedded {
		return t.tx.QueryContext(t.ctx, string(q), args...)
	}
	s, err := t.statement(q)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(t.ctx, args...)
}

// micros is how a moment is stored; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment is the inverse of micros, in UTC.
func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// flag is how a boolean is stored.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// digest reads 32 stored bytes.
func digest(b []byte) (d [32]byte, err error) {
	if len(b) != len(d) {
		return d, fmt.Errorf("a stored digest has %d bytes, not %d", len(b), len(d))
	}
	copy(d[:], b)
	return d, nil
}
