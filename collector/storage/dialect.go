package storage

import (
	"errors"
	"net/url"
	"runtime"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// dialect is what differs between the engines. Statements do not, save for the
// lock that a row which is going to be changed is read with.
type dialect struct {
	driver     string
	goose      goose.Dialect
	migrations string // folder
	readers    int    // connections that read
	writer     func(path string) string
	reader     func(path string) string
	busy       func(error) bool // nothing was stored; another try may succeed
}

// busyTimeout is how long a writer waits for another process, in milliseconds.
const busyTimeout = "10000"

func sqliteDialect() dialect {
	return dialect{
		driver:     "sqlite",
		goose:      goose.DialectSQLite3,
		migrations: "migrations/sqlite",
		readers:    max(4, runtime.NumCPU()),
		// BEGIN IMMEDIATE, so that a transaction never finds at its first write
		// that what it read has changed.
		writer: func(path string) string {
			return sqliteName(path, "_txlock=immediate", "_journal_mode=WAL", "_synchronous=FULL",
				"_pragma=wal_autocheckpoint(4000)", "_pragma=cache_size(-32768)")
		},
		reader: func(path string) string {
			return sqliteName(path, "_txlock=deferred", "_pragma=cache_size(-8192)", "_query_only=1")
		},
		busy: func(err error) bool {
			var e *sqlite.Error
			return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_BUSY || e.Code()&0xff == sqlite3.SQLITE_LOCKED)
		},
	}
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
