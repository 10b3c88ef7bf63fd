// Package drift compares what accounting systems hold under our references with
// what we believe they hold: each posting once after it was posted, and all of a
// connection once a day or when somebody says that its books were changed.
//
// It finds and names; a person decides what becomes of it. One thing it does by
// itself: of two documents of one posting it takes the second off, and counts it,
// for that is our own doing. It never changes anything else in the books, and never
// keeps a day from being posted.
package drift

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/posting"
)

// Codes of findings. Each has a row in the error table.
const (
	Edited  = "drift_edited"  // ours, with other amounts, date or texts
	Voided  = "drift_voided"  // ours, taken off, and still shown
	Deleted = "drift_deleted" // ours, and not there
	Doubled = "drift_doubled" // a second document of one of ours
	Foreign = "drift_foreign" // not ours, under a reference of ours
)

// Codes are all of them.
func Codes() []string { return []string{Edited, Voided, Deleted, Doubled, Foreign} }

// States of a finding.
const (
	Opened   = "opened"
	Accepted = "accepted" // as it is now; another change opens it again
	Ignored  = "ignored"  // whatever becomes of it
	Fixed    = "fixed"    // it is not so any more
)

// What people decide of a finding.
const (
	Restore = logbook.PutBack
	Accept  = logbook.AcceptDrift
	Ignore  = logbook.IgnoreDrift
)

// Finding is one difference between the books and what we believe of them.
type Finding struct {
	day.Ref   // Store and Day are empty where the reference is of no posting
	Target    string
	Reference string
	RemoteID  string // of the document that is too much; else empty
	Code      string
	Text      string   // what differs
	Seen      [32]byte // of what the books hold: what is accepted is this
	State     string
	FoundAt   time.Time
	SeenAt    time.Time // last
	By        string    // who decided; empty: nobody, or the collector itself
}

// Books is one connection's books, and when they were last looked at.
type Books struct {
	Merchant, Target string
	CheckedAt        time.Time // all of them; zero: never
	WokenAt          time.Time // when somebody last said that they were changed
	Unread           bool      // postings wait to be read back
}

// ErrDecided: there is no such finding that waits for a decision.
var ErrDecided = errors.New("no such difference waits for a decision")

// Store keeps findings. Each method is one transaction.
type Store interface {
	// Books returns all connections.
	Books(ctx context.Context) ([]Books, error)
	// Believed returns all postings at a connection.
	Believed(ctx context.Context, merchantID, target string) ([]posting.Posting, error)
	// Unread returns postings that were posted and not read back yet, oldest first,
	// at most so many.
	Unread(ctx context.Context, merchantID, target string, most int) ([]posting.Posting, error)
	// Found stores what a look at all references came to, or at one: findings that
	// are new or say something else than what was accepted are opened; what was
	// known of the references and is not found any more is fixed. What was ignored
	// stays so. The postings looked at are read.
	Found(ctx context.Context, merchantID, target, reference string, findings []Finding, at time.Time) error
}

// seen is what a finding is about: a change of it is another difference.
func seen(text string) [32]byte { return sha256.Sum256([]byte(text)) }
