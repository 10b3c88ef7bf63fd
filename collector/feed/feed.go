// Package feed takes in what sources in the cloud state: payment providers, web
// shops, the platform's own API. Each source has a folder and is asked for one page
// after the other from a cursor on that it alone understands.
//
// A page and the cursor that follows it are kept in one transaction, so a source
// may be asked again at any time and from any cursor before: what is known changes
// nothing, what says something else is a revision, and what is older than what is
// known is passed over. Documents of a feed go through the same door as an
// agent's: a feed speaks for each of its stores as an agent of its own, which
// cannot be enrolled, and a day waits for it as for an agent.
//
// It does not decide what facts mean (settle and books do), and it never writes
// at a source.
package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/document"
)

// Limits of one page.
const (
	MaxFacts     = 1000 // of each kind
	MaxDocuments = 500
	MaxCursor    = 16 << 10 // bytes
	maxText      = 500      // bytes of a fact's text
)

// Source is one source in the cloud. It is asked by one collector at a time.
type Source interface {
	// Pull returns the page that follows a cursor; the empty one is where the source
	// begins. An error leaves everything as it is: one that wraps ErrDenied,
	// ErrCursor or a *Later says what to do, any other is tried again later.
	Pull(ctx context.Context, cursor string) (Page, error)
}

// Page is what a source stated at once.
type Page struct {
	Documents []Document
	Movements []Movement
	Payouts   []Payout
	Lines     []settle.BankLine
	Balances  []settle.Balance

	Next string // cursor to go on from
	More bool   // there is more now; else the source is asked again when it is due
	// Covered says that everything which was at the source up to then has been
	// handed over with this page; zero: not yet.
	Covered time.Time
}

// Document is a document with its place in its source's order.
type Document struct {
	*document.Document
	Version int64 // rises with each change of it, as the time of the last one in microseconds; at least 0
}

// Movement is a movement with its place in its source's order.
type Movement struct {
	settle.Movement
	Version int64
}

// Payout is a payout with its place in its source's order.
type Payout struct {
	settle.Payout
	Version int64
}

// What became of asking a source.
var (
	// ErrDenied: the source does not let the feed in. A person has to act.
	ErrDenied = errors.New("the source does not let the feed in")
	// ErrCursor: the source does not know the cursor any more; it is asked from its
	// beginning again.
	ErrCursor = errors.New("the source does not go on from where it was")
	// ErrStale: the feed went on from another cursor meanwhile. Nothing was kept.
	ErrStale = errors.New("the feed went on meanwhile")
)

// Later is a source that wants to be left alone.
type Later struct {
	Rest time.Duration // 0: it did not say for how long
	Err  error
}

func (l *Later) Error() string { return fmt.Sprintf("asked again in %s: %v", l.Rest, l.Err) }
func (l *Later) Unwrap() error { return l.Err }

// ID names a feed.
type ID struct{ Merchant, Feed string }

func (id ID) String() string { return id.Merchant + "/" + id.Feed }

// Agent is the name under which a feed speaks for a store.
func (id ID) Agent(store string) string { return fleet.FeedPrefix + id.Feed + "." + store }

// State is how a feed stands.
type State struct {
	ID
	Cursor    string
	PulledAt  time.Time // last page that was kept
	CoveredTo time.Time // everything that was at the source up to then is kept
	NotBefore time.Time // when it is asked again
	Failures  int       // in a row
	Code      string    // of the last failure, as in the table of problems; empty: it did not fail
	Error     string
}

// Batch is the documents of one store, read.
type Batch struct {
	Store   string
	Records []intake.Record
	Raw     [][]byte // of each record, as an agent would send it
}

// Taken is a page that was read, to be kept.
type Taken struct {
	Before string // cursor that it follows
	Page
	Batches   []Batch  // of Documents
	Stores    []string // for which the feed speaks
	At        time.Time
	NotBefore time.Time // when it is asked again
}

// Kept counts what a page changed.
type Kept struct {
	Documents, Movements, Payouts, Lines int // new, or said anew
}

// Failure is what became of asking in vain.
type Failure struct {
	Code, Error string
	Restart     bool // the cursor is of no use
	NotBefore   time.Time
}

// Store keeps feeds. Each method is one transaction.
type Store interface {
	// Feeds returns how all feeds stand that were ever asked.
	Feeds(ctx context.Context) ([]State, error)
	// Take keeps a page with the cursor that follows it; ErrStale where the feed's
	// cursor is not the one before it.
	Take(ctx context.Context, id ID, t Taken) (Kept, error)
	// Fail notes that asking failed.
	Fail(ctx context.Context, id ID, f Failure) error
	// Wake has a feed asked at once.
	Wake(ctx context.Context, id ID) error
}
