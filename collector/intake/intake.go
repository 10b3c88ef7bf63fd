// Package intake takes in what agents send: it checks a batch against the
// chained digest, reads its documents, and commits all of it in one transaction
// that stores the rows and moves the watermark. Only then may it be acknowledged.
//
// Dedupe is by identity, never by time: the wire number within an epoch, the
// capture number of an agent, and the document's key with its content hash. A
// batch that does not continue the digest that is stored is a fork; nothing of
// it is acknowledged and the agent gets a new epoch. Records that cannot be
// read are kept raw and acknowledged as rejected.
package intake

import (
	"context"
	"errors"
	"time"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// Epoch is one numbering of an agent. The collector issues it.
type Epoch struct {
	ID    [16]byte
	Order uint64 // rises with each epoch of an agent
}

// Range is first to last, both contained.
type Range struct{ First, Last uint64 }

// Position is how far an epoch is stored.
type Position struct {
	Epoch  Epoch
	Stored uint64   // contiguous watermark, wire number
	Digest [32]byte // chained digest at Stored
	Ranges []Range  // stored above it, out of order
	Safe   uint64
}

// Batch is a batch whose envelope was checked: decompressed, its chain worked out.
type Batch struct {
	From     fleet.Identity
	Epoch    [16]byte
	First    uint64
	Before   [32]byte   // chained digest before First
	Digests  [][32]byte // after each record
	Records  []Record
	Captured Watermark
	At       time.Time // received
}

// Last returns the batch's last wire number.
func (b Batch) Last() uint64 { return b.First + uint64(len(b.Records)) - 1 }

// DayState is how a store-day is, as an agent's people are told.
type DayState struct {
	Day         bizday.Day
	State, Hold string // as in package day; Hold is its reason, empty for none
	Due         uint32 // targets that do not hold the newest entry yet
}

// Watermark says that everything captured up to Time has a wire number of at
// most Number. A zero Time says nothing.
type Watermark struct {
	Time   time.Time
	Number uint64
}

// Record is one record of a batch. Document is nil where it could not be read;
// then Code and Text say why and Bytes are what came. With CodeNewer the
// document is there as far as it can be read, and Hash is what the agent says.
type Record struct {
	Capture     uint64
	Bytes       []byte // the document as received; of a record that is none, the whole record
	Document    *document.Document
	Key         string // document.Key.String()
	Hash        [32]byte
	Day         bizday.Day // derived by the day room from the document alone
	Tie         Tie        // to its period close
	Recipe      uint32
	Reason      string
	StatesOrder bool
	Code, Text  string
}

// Tie is what ties a document that states no date to the period close of its
// terminal, or a close to the documents it counts, as the day room derived it.
type Tie struct {
	Terminal    string
	Periods     []string // what its period is called; none: nothing ties it
	Close       bool
	At          time.Time // the document's own moment, or that of its capture
	Unread      bool      // it is that of its capture
	From, Until time.Time // of a close: when documents of its day are
}

// Head is what is stored of a key: its current revision and every hash it had.
type Head struct {
	Revision   int
	Hash       [32]byte
	Agent      string
	EpochOrder uint64
	Capture    uint64
	Day        bizday.Day
	Hashes     map[[32]byte]bool // of all revisions, the current one too
	Copies     map[Copy]bool     // captures of all revisions
}

// Copy is one capture of an agent: a record that an agent sends again after its
// numbering forked is the same copy.
type Copy struct {
	Agent   string
	Capture uint64
	Hash    [32]byte
}

// Verdict is what becomes of a record.
type Verdict string

const (
	New       Verdict = "new"       // the first of its key
	Revision  Verdict = "revision"  // newer, becomes current
	Older     Verdict = "older"     // a revision that is not the newest: kept, no effect
	Duplicate Verdict = "duplicate" // known: no effect
	Conflict  Verdict = "conflict"  // another agent says otherwise: both kept, the day held
	Rejected  Verdict = "rejected"  // kept raw
)

// Decide says what becomes of a record whose key has the given head (nil: none).
// It is DESIGN's rule of revisions: newer by (epoch order, capture number),
// never by arrival.
func Decide(head *Head, r Record, agent string, epochOrder uint64) Verdict {
	switch {
	case r.Document == nil:
		return Rejected
	case head == nil:
		return New
	case r.Hash == head.Hash || head.Copies[Copy{agent, r.Capture, r.Hash}]:
		return Duplicate
	case head.Hashes[r.Hash] && !r.StatesOrder:
		return Duplicate
	case agent != head.Agent:
		return Conflict
	case epochOrder > head.EpochOrder || epochOrder == head.EpochOrder && r.Capture > head.Capture:
		return Revision
	}
	return Older
}

// Outcome is what a committed batch came to.
type Outcome struct {
	Position Position
	Verdicts []Verdict // by record; empty for records that were stored before
}

// Errors that a carrier answers in its own way.
var (
	// ErrFork: the digest does not continue what is stored. Nothing was stored.
	ErrFork = errors.New("numbering forked")
	// ErrEpoch: the epoch is not known (any more).
	ErrEpoch = errors.New("epoch unknown")
	// ErrBusy: try again later; nothing was stored.
	ErrBusy = errors.New("busy")
	// ErrNoDay: no business day can be derived of a document, now or later.
	ErrNoDay = errors.New("no business day")
)

// Store keeps what comes in. Each method is one transaction that may be run
// again with the same outcome.
type Store interface {
	// Incarnation identifies the database; a restore makes a new one.
	Incarnation(ctx context.Context) ([16]byte, error)
	// Position returns how far an epoch is stored, or ErrEpoch.
	Position(ctx context.Context, id fleet.Identity, epoch [16]byte) (Position, error)
	// DigestAt returns the chained digest stored at a wire number of an epoch;
	// known is false where nothing is stored at it.
	DigestAt(ctx context.Context, id fleet.Identity, epoch [16]byte, number uint64) (digest [32]byte, known bool, err error)
	// Issue makes a new epoch with the given random id, starting at digest.
	Issue(ctx context.Context, id fleet.Identity, epoch [16]byte, start [32]byte, reason string, at time.Time) (Epoch, error)
	// Commit stores a batch: it locks the epoch's row, checks the digests where
	// the batch touches what is stored (else ErrFork), inserts what is new, decides
	// each record with Decide, raises the version of each store-day it changes
	// (both days of a move), and moves the watermark.
	Commit(ctx context.Context, b Batch) (Outcome, error)
	// DeclareGap stores that wire numbers are lost and moves the watermark over them.
	DeclareGap(ctx context.Context, id fleet.Identity, epoch [16]byte, gap Range, after [32]byte, reason string, at time.Time) (Position, error)
	// Covered notes a watermark claim that came without a batch.
	Covered(ctx context.Context, id fleet.Identity, epoch [16]byte, w Watermark, at time.Time) error
}
