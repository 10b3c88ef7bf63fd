// Package posting brings each entry to each target exactly once: the intent is
// committed before anything is sent, an unclear outcome is looked up before it
// is sent again, and a day that changed is posted as the difference between its
// new full entry and what already stands.
//
// The live postings of one subject at one target always sum to one entry, and
// at most one of them is unsettled. Revision n+1 is not made before n is settled.
package posting

import (
	"context"
	"errors"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/target"
)

// States of a posting.
const (
	Intended = "intended"
	Sent     = "sent"
	Unknown  = "unknown"
	Posted   = "posted"
	Refused  = "refused"
	Parked   = "parked"
	Undone   = "undone"
)

// Settled reports whether nothing more is going to happen to a posting by itself.
func Settled(state string) bool { return state == Posted || state == Undone }

// Posting is the delivery of one entry (or the difference to one) to one target.
type Posting struct {
	day.Ref
	Target    string // connection id
	Revision  int    // 1, 2, ...
	Entry     int64  // version of the day's entry that is complete with this posting
	Reference string
	Payload   target.Payload
	Hash      [32]byte // SHA-256 of the payload's canonical JSON
	State     string
	Attempts  int
	Error     string
	RemoteID  string
	At        time.Time // intended
	SettledAt time.Time
}

// Due is a subject whose newest entry is not fully posted at one target.
type Due struct {
	day.Ref
	Target   string
	Entry    day.Entry
	Postings []Posting // all of this subject and target, by revision
}

var (
	// ErrStale: the entry is not the newest any more, or another posting is unsettled.
	ErrStale = errors.New("a newer entry or an unsettled posting exists")
	// ErrReference: the reference belongs to another subject.
	ErrReference = errors.New("posting reference is used by another subject")
)

// Store keeps postings. Each method is one transaction.
type Store interface {
	// Due returns the subjects with an entry that is newer than what is posted, or
	// with an unsettled posting, oldest day first.
	Due(ctx context.Context) ([]Due, error)
	// Intend stores a new posting as intended. It fails with ErrStale unless the
	// posting's entry is the newest of the day and every earlier posting of the
	// subject and target is settled, and with ErrReference if another subject has
	// the reference.
	Intend(ctx context.Context, p Posting) error
	// Advance moves a posting from one state to another, counting attempts on
	// sent; ErrStale if it is not in the state, or was sent since it was read
	// (its attempts are not the posting's).
	Advance(ctx context.Context, p Posting, from string) error
	// Complete notes that what is posted already equals the entry: nothing to send.
	Complete(ctx context.Context, ref day.Ref, target string, entry int64, at time.Time) error
	// Adopt stores postings that were found at the target and are not known here,
	// as after a restore. They are taken in as they are: posted, with Entry 0, so
	// that the subject stays due until what stands equals its entry. A revision or
	// a reference that is known already is left as it is.
	Adopt(ctx context.Context, found []Posting) error
	Postings(ctx context.Context, ref day.Ref) ([]Posting, error)
}
