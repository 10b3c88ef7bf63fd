// Package backup makes copies of the collector's database that can be relied on,
// proves them, and puts one back.
//
// A backup is a folder with the copy, a file whatever engine the database is on,
// and a manifest: whose database it is, how far each agent's numbering was stored,
// how much there was, and the copy's checksum. It is there whole and on disk or
// not at all. What Verify has found whole may be let go of by the agents, so it
// never takes the manifest's word: it opens the copy and recomputes the promises
// over it.
//
// A database that is put back is another one: it lacks what came later. So Restore
// gives it a new incarnation, which voids what agents were acknowledged, and has
// every posting that could have been sent since looked up before it is sent.
//
// The package knows files and the order of steps, not SQL. A database on a server
// may also be copied and put back by the server's own means; then it has only a
// manifest here.
package backup

import (
	"context"
	"errors"
	"time"

	"tillbook.example/tillbook/collector/audit"
)

var (
	// ErrDamaged: the backup is not what its manifest says.
	ErrDamaged = errors.New("the backup is not whole")
	// ErrThere: something stands where the backup or the database should go.
	ErrThere = errors.New("it is there already")
	// ErrOpen: another process has the database open.
	ErrOpen = errors.New("another process has the database open")
	// ErrOther: the database is not the one that the backup is of.
	ErrOther = errors.New("it is of another database")
	// ErrVersion: the copy was made by another version of the program.
	ErrVersion = errors.New("it is of another version")
)

// Stream is how far one numbering of an agent is stored without a hole.
type Stream struct {
	Merchant string `json:"merchant"`
	Agent    string `json:"agent"`
	Order    uint64 `json:"order"`  // of the epoch
	Epoch    Hex    `json:"epoch"`  // 16 bytes
	Stored   uint64 `json:"stored"` // wire number
	Digest   Hex    `json:"digest"` // chained SHA-256 at Stored
}

// Contents is what a database held at one moment.
type Contents struct {
	Agents    int64    `json:"agents"`
	Documents int64    `json:"documents"` // all revisions
	Rejected  int64    `json:"rejected"`
	Days      int64    `json:"days"`
	Entries   int64    `json:"entries"`
	Postings  int64    `json:"postings"`
	Streams   []Stream `json:"streams"` // by merchant, agent and order
	Logs      []Log    `json:"logs"`    // by merchant
}

// Log is the end of the log of what people did to a merchant's data.
type Log struct {
	Merchant string `json:"merchant"` // or logbook.Collector
	Number   int64  `json:"number"`
	Hash     Hex    `json:"hash"` // 32 bytes
}

// Database is one that is open.
type Database interface {
	audit.Source
	Incarnation(ctx context.Context) ([16]byte, error)
	// Versions returns the version of the tables and the one this program needs.
	Versions(ctx context.Context) (have, want int64, err error)
	// Contents reads one snapshot.
	Contents(ctx context.Context) (Contents, error)
	// DigestOf returns the chained digest that is stored at a stream's number.
	DigestOf(ctx context.Context, s Stream) (digest [32]byte, known bool, err error)
	// HashOfAct returns the hash of a merchant's act of a number, zero where there is none.
	HashOfAct(ctx context.Context, merchant string, number int64) ([32]byte, error)
	// CopyTo writes a copy of one snapshot to a file that must not be there, also of
	// a database on a server. It does not sync it.
	CopyTo(ctx context.Context, path string) error
	Migrate(ctx context.Context) error
	// Standing returns who may speak and what opens books.
	Standing(ctx context.Context) (Standing, error)
	// Restored makes it a database that was put back. How things stood last, where
	// that is known, is taken over; where it is not (nil) no agent may speak until
	// a person admits it. Again, it changes no more than that.
	Restored(ctx context.Context, at time.Time, last *Standing) (Aftermath, error)
	Close() error
}

// Standing is who may speak and what opens books, by a database.
type Standing struct {
	Agents []Agent
	Tokens []Token
}

// Agent is whether one may speak.
type Agent struct {
	Merchant  string    `json:"merchant"`
	Agent     string    `json:"agent"`
	Store     string    `json:"store"`
	Host      string    `json:"host"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// Token is what opens a connection's books, sealed. Systems give a new one with
// each use or some, and let the old one lapse.
type Token struct {
	Merchant, Connection string
	Access, Refresh      []byte
	Expiry, Until        time.Time
	Ended                string
	Version              int64
}

// Connection is one whose token is that of the backup.
type Connection struct {
	Merchant   string `json:"merchant"`
	Connection string `json:"connection"`
}

// Aftermath is what a restore leaves people to look at.
type Aftermath struct {
	Merchants []string `json:"merchants"` // all stopped
	// Revoked since the backup, by the database that was set aside, and again here.
	Revoked []Agent `json:"revoked"`
	// Doubted may have been revoked since the backup: none may speak until it is
	// admitted.
	Doubted []Agent `json:"doubted"`
	// Joined since the backup, by the database that was set aside: they join again.
	Joined []Agent `json:"joined"`
	// Connections whose token may have been renewed or given back since.
	Connections []Connection `json:"connections"`
}

// Opener opens the database in a file, without changing its tables.
type Opener func(ctx context.Context, path string) (Database, error)
