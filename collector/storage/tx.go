package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/collector/intake"
)

// tx is one transaction of one method.
type tx struct {
	ctx        context.Context
	quiet      context.Context // ctx without its end: see exec
	pool       *pool
	tx         *sql.Tx
	bound      map[query]*sql.Stmt
	unprepared []query // by the pool
}

// write runs f in a transaction and commits it, if f and ctx allow. f may be run
// again, so it must not change anything but the database and its own variables.
func (db *DB) write(ctx context.Context, what string, f func(*tx) error) error {
	err := db.run(ctx, db.writer, nil, f)
	if err != nil && db.dialect.busy(err) {
		err = fmt.Errorf("%w: %w", intake.ErrBusy, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// read runs f on one snapshot.
func (db *DB) read(ctx context.Context, what string, f func(*tx) error) error {
	if err := db.run(ctx, db.reader, &sql.TxOptions{ReadOnly: true}, f); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (db *DB) run(ctx context.Context, p *pool, options *sql.TxOptions, f func(*tx) error) error {
	t, err := p.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	run := &tx{ctx: ctx, pool: p, tx: t, bound: map[query]*sql.Stmt{}, quiet: context.WithoutCancel(ctx)}
	err = f(run)
	if err == nil {
		if err = t.Commit(); err != nil { // also where ctx has ended
			return err
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

// exec runs a statement and returns how many rows it changed. The driver starts
// a goroutine for each statement whose context can end, which is dear for a
// thousand inserts: so the context is looked at here, and the end of it rolls
// the transaction back anyway.
func (t *tx) exec(q query, args ...any) (int64, error) {
	if err := t.ctx.Err(); err != nil {
		return 0, err
	}
	s, err := t.statement(q)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(t.quiet, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row returns a function that reads the one row of a query; it fails with
// sql.ErrNoRows where there is none.
func (t *tx) row(q query, args ...any) func(into ...any) error {
	return func(into ...any) error {
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
	s, err := t.statement(q)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(t.ctx, args...)
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
