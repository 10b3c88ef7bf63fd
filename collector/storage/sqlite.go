package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"runtime"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// busyTimeout is how long a writer waits for another process, in milliseconds.
const busyTimeout = "10000"

func sqliteDialect() dialect {
	return dialect{
		goose:      goose.DialectSQLite3,
		migrations: "migrations/sqlite",
		embedded:   true,
		open:       openSQLite,
		check:      func(context.Context, *sql.DB) error { return nil },
		reading:    &sql.TxOptions{ReadOnly: true},
		seen:       sqliteSeen,
		again:      func(error) bool { return false }, // it waits by itself
		busy: func(err error) bool {
			var e *sqlite.Error
			return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_BUSY || e.Code()&0xff == sqlite3.SQLITE_LOCKED)
		},
	}
}

func openSQLite(o Options) (writer, reader *sql.DB, err error) {
	// BEGIN IMMEDIATE, so that a transaction never finds at its first write that
	// what it read has changed. What is deleted or moved leaves nothing behind in the
	// file, so that what is erased is gone.
	writer, err = sql.Open("sqlite", sqliteName(o.Path, "_txlock=immediate", "_journal_mode=WAL", "_synchronous=FULL",
		"_pragma=wal_autocheckpoint(4000)", "_pragma=cache_size(-32768)", "_pragma=secure_delete(1)"))
	if err != nil {
		return nil, nil, fmt.Errorf("open database %s: %w", o.Path, err)
	}
	limit(writer, 1)
	reader, err = sql.Open("sqlite", sqliteName(o.Path, "_txlock=deferred", "_pragma=cache_size(-8192)", "_query_only=1"))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open database %s: %w", o.Path, err), writer.Close())
	}
	limit(reader, max(4, runtime.NumCPU()))
	return writer, reader, nil
}

// limit bounds the connections of a pool, and keeps that many.
func limit(pool *sql.DB, connections int) {
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
}

// sqliteName returns the URI of a file. Pages of 8 KiB hold ten documents of
// usual size; the driver sets _journal_mode, which writes the first page, after
// every _pragma.
func sqliteName(path string, parameters ...string) string {
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_busy_timeout=" + busyTimeout + "&_pragma=page_size(8192)"
	for _, p := range parameters {
		name += "&" + p
	}
	return name
}
