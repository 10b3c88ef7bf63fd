package storage

import (
	"context"
	"database/sql"

	"github.com/pressly/goose/v3"
)

// dialect is what differs between the engines. Statements do not, save for the
// few that stand here.
type dialect struct {
	goose      goose.Dialect
	migrations string // folder
	open       func(Options) (writer, reader *sql.DB, err error)
	// check refuses a database on which what this package promises does not hold.
	check func(context.Context, *sql.DB) error
	// embedded: the engine runs in this process. Its statements are prepared here
	// and for good, and it has one writer at a time, so that transactions are in
	// order by themselves.
	embedded bool

	// How transactions that read, that write, and that decide by nothing but the
	// rows they change are kept apart; see writeRows.
	reading, writing, changing *sql.TxOptions

	scope  query // says which merchant's rows a transaction may touch; empty: all
	lock   query // follows the SELECT of a row that is going to be changed
	bulk   query // stores documents whose keys are new, and returns those keys; empty: there is none
	bodies query // stores the bytes of those
	clock  query // the time by the database, in microseconds; empty: the machine's
	heads  query // selectRevisions of many keys
	seen   query // what days looked at, of many things

	again func(error) bool // the transaction lost to another: it can be run again
	busy  func(error) bool // nothing was stored; another try may succeed
}

// everyone in place of a merchant lets a transaction read the rows of all, and
// change none.
const everyone = "*"
