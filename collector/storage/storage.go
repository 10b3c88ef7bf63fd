// Package storage keeps everything the collector knows in one SQL database: it
// implements the small interfaces that the rooms declare (intake.Store,
// day.Store, posting.Store, fleet.Store, merchant.Directory, audit.Source,
// work.Store, backup.Database, export.Source, erasure.Store) on *DB.
//
// One method is one transaction, and no transaction leaves this package. What a
// method reports as done is on disk (SQLite: write-ahead log, synchronous FULL;
// PostgreSQL: fsync and synchronous_commit, without which it is not opened);
// after an error nothing of it is stored, save that an error while committing
// leaves it open whether it is: every method may be called again and then has
// the outcome of one call. Decisions are made by the rooms: storage compares
// versions and digests, and asks intake.Decide.
//
// Statements keep to the SQL that SQLite and PostgreSQL share: $1 parameters,
// integers for booleans and times (microseconds UTC), text for days, ON
// CONFLICT; no triggers, no RETURNING, no arithmetic on amounts. What differs
// stands in dialect. The merchant is the first column of every key and is part
// of every condition, so that no method can reach another's rows. On PostgreSQL
// row-level security is a second wall: a transaction is of one merchant, or reads
// those of all and changes none.
//
// Several processes may open one SQLite file (a server and commands beside it).
// Each has one connection that writes and a few that read; a writer waits for
// another's transaction for some seconds, then fails with intake.ErrBusy. On
// PostgreSQL any number of collectors write at once: transactions are
// serializable, those that run most often lock or change each row they decide by,
// and one that loses to another is run again, for some seconds; then it fails
// with intake.ErrBusy. What is written under a lease (package work) is written
// only while nobody else has taken over.
//
// It does not log, cache or check what it is given beyond what its own promises
// need. The conformance suite is in package storagetest.
package storage

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/pressly/goose/v3"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/backup"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/drift"
	"tillbook.example/tillbook/collector/erasure"
	"tillbook.example/tillbook/collector/export"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/work"
)

var (
	_ intake.Store        = (*DB)(nil)
	_ intake.Shelf        = (*DB)(nil)
	_ day.Store           = (*DB)(nil)
	_ posting.Store       = (*DB)(nil)
	_ fleet.Store         = (*DB)(nil)
	_ merchant.Directory  = (*DB)(nil)
	_ audit.Source        = (*DB)(nil)
	_ drift.Store         = (*DB)(nil)
	_ posting.AttachStore = (*DB)(nil)
	_ work.Store          = (*DB)(nil)
	_ backup.Database     = (*DB)(nil)
	_ export.Source       = (*DB)(nil)
	_ erasure.Store       = (*DB)(nil)
)

//go:embed migrations
var migrations embed.FS

// Options say which database to open: exactly one of Path and DSN.
type Options struct {
	Path string // SQLite file; made if absent, with its folder's rights
	DSN  string // of a PostgreSQL database: postgres://USER@HOST/NAME, or key=value words
}

// DB is an open database. It is safe for use by many goroutines.
type DB struct {
	dialect dialect
	writer  *pool
	reader  *pool
}

// pool is a set of connections with the statements prepared on them.
type pool struct {
	*sql.DB
	mu         sync.Mutex
	statements map[query]*sql.Stmt
}

// query is the text of one statement. All are constants of this type, prepared
// for good after the first transaction that used them; a test prepares every one.
type query string

// Open opens a database and checks that the driver binds parameters as the
// statements here expect. It does not make or change tables; see Migrate.
func Open(ctx context.Context, o Options) (*DB, error) {
	var d dialect
	switch {
	case o.DSN != "" && o.Path != "":
		return nil, errors.New("open database: both a path and a DSN are set; keep one")
	case o.DSN != "":
		d = postgresDialect()
	case o.Path != "":
		d = sqliteDialect()
	default:
		return nil, errors.New("open database: neither a path nor a DSN is set")
	}
	writer, reader, err := d.open(o)
	if err != nil {
		return nil, err
	}
	db := &DB{
		dialect: d,
		writer:  &pool{DB: writer, statements: map[query]*sql.Stmt{}},
		reader:  &pool{DB: reader, statements: map[query]*sql.Stmt{}},
	}
	err = db.selfTest(ctx)
	for tries := 0; err != nil && db.dialect.busy(err) && tries < openTries; tries++ {
		select {
		case <-ctx.Done():
		case <-time.After(openPause):
		}
		err = db.selfTest(ctx)
	}
	if err == nil {
		err = d.check(ctx, writer)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", cmp.Or(o.Path, "server"), err), db.Close())
	}
	return db, nil
}

// Close waits for running transactions and closes all connections.
func (db *DB) Close() error {
	return errors.Join(db.reader.close(), db.writer.close())
}

func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, s := range p.statements {
		errs = append(errs, s.Close())
	}
	p.statements = map[query]*sql.Stmt{}
	return errors.Join(append(errs, p.DB.Close())...)
}

// prepared returns the statement of a query, or nil where it is not prepared yet.
func (p *pool) prepared(q query) *sql.Stmt {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.statements[q]
}

// prepare keeps statements for the transactions to come. It needs a connection,
// so it is not for use within a transaction.
func (p *pool) prepare(ctx context.Context, queries []query) error {
	for _, q := range queries {
		s, err := p.PrepareContext(ctx, string(q)) // not under mu: it may wait for a transaction
		if err != nil {
			return fmt.Errorf("prepare %.60q: %w", q, err)
		}
		p.mu.Lock()
		first := p.statements[q] == nil
		if first {
			p.statements[q] = s
		}
		p.mu.Unlock()
		if !first { // another transaction was quicker
			if err := s.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// How often and how far apart opening is tried while another process makes the
// database: SQLite refuses a second one that chooses the journal at once, without
// the wait that it grants writers.
const (
	openTries = 200
	openPause = 20 * time.Millisecond
)

// selfTest asks for $2 - $1: some SQLite drivers number parameters by where they
// first stand, and would quietly store values in the wrong columns.
func (db *DB) selfTest(ctx context.Context) error {
	var difference int64
	if err := db.writer.QueryRowContext(ctx, `SELECT CAST($2 AS BIGINT) - CAST($1 AS BIGINT)`, 1, 3).Scan(&difference); err != nil {
		return fmt.Errorf("check parameters: %w", err)
	}
	if difference != 2 {
		return fmt.Errorf("check parameters: $2 - $1 with 1 and 3 is %d: the driver does not bind $n by number", difference)
	}
	return nil
}

const (
	insertIncarnation query = `INSERT INTO meta (name, value) VALUES ('incarnation', $1) ON CONFLICT (name) DO NOTHING`
	selectIncarnation query = `SELECT value FROM meta WHERE name = 'incarnation'`
)

// Migrate brings the tables to this version and gives a new database its
// incarnation. Several processes may do so at once; a database that is current
// is left as it is, and so is one that a newer program brought further, unless this
// one does not know enough to work with it (ErrNewer).
func (db *DB) Migrate(ctx context.Context) error {
	provider, err := db.migrator()
	if err != nil {
		return err
	}
	for range len(provider.ListSources()) + 1 {
		if _, err = provider.Up(ctx); err == nil {
			break
		}
		// Another process may have been first with a step, which fails this one: it
		// goes on from there, until there is nothing left to do.
		if pending, again := provider.HasPending(ctx); again == nil && !pending {
			err = nil
			break
		}
	}
	if err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	if err := db.Fits(ctx); err != nil { // nothing was changed where a newer program was here
		return err
	}
	var incarnation [16]byte
	if _, err := rand.Read(incarnation[:]); err != nil {
		return fmt.Errorf("make incarnation: %w", err)
	}
	return db.write(ctx, everyone, "make incarnation", func(tx *tx) error {
		if _, err := tx.exec(raiseOldest, version(oldest)); err != nil {
			return err
		}
		_, err := tx.exec(insertIncarnation, incarnation[:])
		return err
	})
}

// Versions returns the version of the tables and the one this program needs.
func (db *DB) Versions(ctx context.Context) (have, want int64, err error) {
	provider, err := db.migrator()
	if err != nil {
		return 0, 0, err
	}
	if have, want, err = provider.GetVersions(ctx); err != nil {
		return 0, 0, fmt.Errorf("read version of database: %w", err)
	}
	return have, want, nil
}

func (db *DB) migrator() (*goose.Provider, error) {
	folder, err := fs.Sub(migrations, db.dialect.migrations)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	provider, err := goose.NewProvider(db.dialect.goose, db.writer.DB, folder, goose.WithDisableGlobalRegistry(true),
		goose.WithAllowOutofOrder(true)) // numbers are given to changes before they are done, in whichever order
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return provider, nil
}

// Incarnation identifies the database since it was made or restored.
func (db *DB) Incarnation(ctx context.Context) ([16]byte, error) {
	var incarnation [16]byte
	err := db.read(ctx, everyone, "read incarnation", func(tx *tx) error {
		var value []byte
		if err := tx.row(selectIncarnation)(&value); err != nil {
			return err
		}
		if copy(incarnation[:], value) != len(incarnation) || len(value) != len(incarnation) {
			return fmt.Errorf("it has %d bytes, not %d", len(value), len(incarnation))
		}
		return nil
	})
	return incarnation, err
}
