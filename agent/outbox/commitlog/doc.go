// Package commitlog is an append-only log of numbered records with a small
// durable key-value state, in segment files on one disk.
//
// It guarantees: a Commit that returned nil is on stable storage, whole, with
// its number; one that did not return is there whole or not at all; no number
// is ever given to two records; damage is found by checksum, costs only the
// frames it touches, and is declared as a Gap, never passed over. Opening never
// fails because of damage and never needs a file to be deleted by hand. A write
// or sync that failed is never trusted or tried again in the same segment.
// Freeing space (Release) unlinks whole segments and needs no space.
//
// It does not know what a record means, does not queue or group (the outbox
// does), and allows one committing goroutine; reading may go on beside it.
//
// The format is docs/log-format.md. The model test with crashes is
// model_test.go, damage is damage_test.go, failing calls are fault_test.go.
package commitlog

import "errors"

var (
	// ErrFull means that there is no room for a further segment. It may pass.
	ErrFull = errors.New("no room in the log")
	// ErrTooLarge means that a group or the state would be larger than a
	// segment allows. It will not pass.
	ErrTooLarge = errors.New("too large for the log")
	// ErrReleased means that a number lies below the first one that is kept.
	ErrReleased = errors.New("record was released")
	// ErrVersion means that a segment was written by a newer program.
	ErrVersion = errors.New("unknown log format version")
)

// Record is one record as it is kept. Digest is the chained digest after it.
type Record struct {
	Number         uint64
	Digest         [32]byte
	Key            string
	IdempotencyKey string
	Bytes          []byte
}

// Gap is a run of numbers whose records are lost, both ends contained.
type Gap struct {
	First, Last uint64
	Reason      string
}

// Damage is one place where bytes are not what was written. First and Last are
// the numbers lost there; both are 0 where no record was lost.
type Damage struct {
	Segment     uint64
	Offset      int64 // 0: the whole segment
	Bytes       int64
	First, Last uint64
	Reason      string
}
