// Package posting brings each entry to each target exactly once: the intent is
// committed before anything is sent, an unclear outcome is looked up before it
// is sent again, and a day that changed is posted as the difference between its
// new full entry and what already stands.
//
// The live postings of one subject at one target always sum to one entry, and
// at most one of them is unsettled. Revision n+1 is not made before n is settled.
package posting

import (
	"cmp"
	"context"
	"errors"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/logbook"
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
	Entry     int64  // version of the day's entry that is complete with this posting; 0: of none
	Reference string
	Payload   target.Payload
	Hash      [32]byte // SHA-256 of the payload's canonical JSON
	State     string
	// Undo: the posting was posted, and State is that of taking it off the books in
	// the target's own way. It stands until it is Undone.
	Undo      bool
	Attempts  int
	Error     string
	Code      string // of Error: a row of the error table
	RemoteID  string
	At        time.Time // intended
	SettledAt time.Time
}

// Stands reports whether the target holds the posting, as far as is known.
func (p Posting) Stands() bool { return p.State == Posted || p.Undo && p.State != Undone }

// because returns the posting with the reason for its state.
func (p Posting) because(err error) Posting {
	p.Error, p.Code = plain(err.Error()), target.CodeOf(err)
	return p
}

// Due is a subject whose newest entry is not fully posted at one target, or is to
// be taken off it.
type Due struct {
	day.Ref
	Target string
	Entry  day.Entry
	// Withdrawn: a person said that nothing of the day shall stand at the target.
	Withdrawn bool
	Postings  []Posting // all of this subject and target, by revision
}

// Books are what one merchant keeps at one target.
type Books struct{ Merchant, Target string }

// Compare orders books by merchant and target.
func (b Books) Compare(other Books) int {
	return cmp.Or(cmp.Compare(b.Merchant, other.Merchant), cmp.Compare(b.Target, other.Target))
}

// What people decide about what stands in the books.
const (
	DecideUndo    = logbook.Undo    // nothing of the day shall stand, until it is posted again
	DecideRepost  = logbook.Repost  // the day shall stand again
	DecideRestore = logbook.PutBack // what was posted shall stand as it was
)

// Decision is what a person decided of a day at a target, or of one posting of it.
type Decision struct {
	day.Ref
	Target    string
	Reference string // empty: the whole day
	What      string
	By        string
	At        time.Time
}

var (
	// ErrStale: the entry is not the newest any more, or another posting is unsettled.
	ErrStale = errors.New("a newer entry or an unsettled posting exists")
	// ErrReference: the reference belongs to another subject.
	ErrReference = errors.New("posting reference is used by another subject")
)

// Store keeps postings. Each method is one transaction.
type Store interface {
	// DueBooks returns up to n books for which something may be due, those after some,
	// in the order of Books.Compare.
	DueBooks(ctx context.Context, after Books, n int) ([]Books, error)
	// DueDays returns up to n days that are due at some books, those after one, by day
	// and store: with an entry that is newer than what is posted, with an unsettled
	// posting, or withdrawn where something may still stand.
	DueDays(ctx context.Context, books Books, after day.Ref, n int) ([]day.Ref, error)
	// DueOf returns what is due of a day at a target, and whether anything is.
	DueOf(ctx context.Context, ref day.Ref, target string) (Due, bool, error)
	// Intend stores a new posting as intended. It fails with ErrStale unless the
	// posting's entry is the newest of the day, or none where it is withdrawn, every earlier posting of the
	// subject and target is settled and the subject is withdrawn, or not, as is
	// said; and with ErrReference if another subject has the reference.
	Intend(ctx context.Context, p Posting, withdrawn bool) error
	// Advance moves a posting from one state to another, counting attempts on
	// sent, anew where Undo begins; ErrStale if it is not in the state, or was sent
	// since it was read (its attempts are not the posting's), or if another one of
	// the subject is unsettled.
	Advance(ctx context.Context, p Posting, from string) error
	// Complete notes that what stands is what shall stand: the entry, or nothing
	// where the subject is withdrawn. If it is not withdrawn, or not, as is said,
	// nothing is noted and the subject stays due.
	Complete(ctx context.Context, ref day.Ref, target string, entry int64, withdrawn bool, at time.Time) error
	// Adopt stores postings that were found at the target and are not known here,
	// as after a restore. They are taken in as they are: posted, with Entry 0, so
	// that the subject stays due until what stands equals its entry. A revision or
	// a reference that is known already is left as it is.
	Adopt(ctx context.Context, found []Posting) error
	Postings(ctx context.Context, ref day.Ref) ([]Posting, error)
}
