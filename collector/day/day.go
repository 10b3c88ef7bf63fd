// Package day decides which business day a document belongs to, and when a
// store-day is complete, held or ready to be posted.
//
// The decisions are pure functions of what is stored and a given moment. A
// close reads a day at one version, has it proven and turned into an entry, and
// saves that entry only if the version is still the same; a document that
// arrives in between raises the version, so the day is found and closed again.
// What a page shows of a day is computed from the day and its postings.
package day

import (
	"context"
	"errors"
	"time"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// Ref names a store-day.
type Ref struct {
	Merchant string
	Store    string
	Day      bizday.Day
}

// States of a store-day.
const (
	Open    = "open"
	Closing = "closing"
	Held    = "held"
	Ready   = "ready"
	// External: a day before the store's start date, or one that people entered
	// themselves; never posted.
	External = "external"
)

// Hold is why a day waits: one reason, one owner, one action.
type Hold struct {
	Reason string `json:"reason"` // HoldNeedsUpgrade, ...
	Owner  string `json:"owner"`  // merchant, accountant, installer, support, platform, nobody
	Action string `json:"action"` // one sentence
}

// Reasons of a hold, the first of which is given: what makes the rest
// meaningless comes before it. A document that nobody can read yet says nothing
// about proofs, an agent that is behind may bring the missing Z, and a mapping
// is asked for only when the day is complete.
const (
	HoldNeedsUpgrade = "needs_upgrade" // a document has words that this collector does not know
	HoldConflict     = "conflict"      // two agents state different contents of one key
	HoldTime         = "time"          // a document's time cannot be read, so its day is a guess
	HoldRejected     = "rejected"      // records that could not be read may belong to the day; until the deadline
	HoldAgentBehind  = "agent_behind"  // an agent has not sent everything up to the end of the day; until the deadline
	HoldZMissing     = "z_missing"     // a terminal that traded has not closed, or its receipts are not all here; until the deadline
	HoldMapping      = "mapping"       // the mapping has no answer to a question
	HoldPaused       = "paused"        // the merchant is stopped, by a person or because nothing reached its books
	HoldNotProven    = "not_proven"    // the day does not add up; until the deadline where the merchant posts unproven days
)

// Owners of a hold: who can end it.
const (
	OwnerMerchant   = "merchant"
	OwnerAccountant = "accountant"
	OwnerInstaller  = "installer"
	OwnerSupport    = "support"
	OwnerPlatform   = "platform"
)

// Reasons of an entry.
const (
	ReasonClose    = "close"    // the day was complete
	ReasonDeadline = "deadline" // the day's deadline passed with gaps that are named
	ReasonLate     = "late"     // a document came or changed after the day was closed
	ReasonRecipe   = "recipe"   // the documents that changed were read again with a better recipe
	ReasonMapping  = "mapping"  // the day was reopened for a changed mapping
)

// StoreDay is a store-day as it is kept.
type StoreDay struct {
	Ref
	Version   int64     // rises with each document that changes the day
	ChangedAt time.Time // when it last rose
	State     string
	Hold      *Hold
	Entry     int64 // version of the newest entry, 0 none
	ClosedAt  time.Time
}

// Facts are all that a close looks at, read in one transaction.
type Facts struct {
	StoreDay
	Merchant  merchant.Merchant
	Store     merchant.Store
	Documents []Stored
	Originals map[string]*document.Document // what links and voids refer to, where stored, by key
	Previous  []*document.Document          // the till counts of the store's previous day
	Earlier   []Stored                      // documents of the SpanDays before that a close of this day may count
	Later     []*document.Document          // the closes of each terminal on the first of the SpanDays after on which it has one
	Agents    []Agent
	Conflicts int      // keys with an unresolved conflict on this day
	Accepted  []string // IDs of the proof's differences that a person accepted
	Stop      *Stop    // nothing of the merchant is closed; nil: it is
	Entered   bool     // people entered the day themselves
	Seen      []Seen   // what of other days all this was made with
	Rejected  int      // records received for the store since the day began that could not be read and were not replayed
}

// Stored is a current document with where it came from.
type Stored struct {
	Document *document.Document
	Key      string
	Revision int
	Agent    string
}

// Agent is an agent of the store and up to when all it captured is stored.
type Agent struct {
	ID        string
	CoveredTo time.Time
	Revoked   bool
}

// Entry is a saved entry: the full entry of the day at a version.
type Entry struct {
	Ref
	Version int64  // of the day
	Mapping int    // version of the mapping
	Rules   int    // version of the books' rules
	Body    []byte // canonical JSON of books.Entry
	Proof   []byte // JSON of Proof
	Reason  string // why it was made: ReasonClose, ...
	At      time.Time
	Seen    []Seen // of the facts it was made from; only for Save
}

// Seen is something of another day that facts were made with; what it says is the
// store's own business. When it changes, the version of the day rises.
type Seen struct {
	What  string
	Since bizday.Day
	Found string
}

// ErrMoved: the day's version is not the one that was read.
var ErrMoved = errors.New("day changed while it was being closed")

// Store keeps days and entries. Each method is one transaction.
type Store interface {
	// Unsettled returns the days that are not ready at their version, and those
	// whose hold may have ended; oldest first.
	Unsettled(ctx context.Context) ([]Ref, error)
	Facts(ctx context.Context, ref Ref) (Facts, error)
	// Set stores state and hold, if the version is still the given one, else ErrMoved.
	Set(ctx context.Context, ref Ref, version int64, state string, hold *Hold, at time.Time) error
	// Save stores the entry and makes the day ready, if the version is still the
	// entry's and what it looked at is unchanged, else ErrMoved. Saving the same entry again changes nothing.
	Save(ctx context.Context, e Entry) error
	// Reopen raises the version of a day without a document, so that it is closed
	// again with the mapping that holds now.
	Reopen(ctx context.Context, ref Ref, at time.Time) error
	Days(ctx context.Context, merchantID string) ([]StoreDay, error)  // all merchants if empty
	Entry(ctx context.Context, ref Ref, version int64) (Entry, error) // version 0: the newest
}
