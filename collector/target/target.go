// Package target is the one small interface to accounting software. Each system
// is a folder here; all pass the same conformance suite.
//
// A target knows nothing of days or documents: it is handed a finished payload
// with a reference, and can say whether it holds one under a reference. It never
// retries and never decides; posting does.
package target

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Uniqueness is how a target keeps a payload from being booked twice.
type Uniqueness string

const (
	UniqueForEver Uniqueness = "unique for ever" // a second post of a reference is refused by the target itself
	KeyWindow     Uniqueness = "key window"      // the idempotency key holds for a time
	LookUpOnly    Uniqueness = "look-up only"
)

// Capabilities are what posting must know of a target. What a target does not
// offer its methods answer with ErrNotOffered.
type Capabilities struct {
	Uniqueness     Uniqueness
	LongestRequest time.Duration // after this, an unclear request has been carried out or never will be
	Chart          bool          // accounts, tax codes and dimensions must exist before they are posted to
	Closes         bool          // the books can be closed to a day
	Reverses       bool
	Attaches       bool
}

// Line is one line of a payload. Amount is signed: debits positive.
type Line struct {
	Account    string            `json:"account"`
	Amount     money.Minor       `json:"amount"`
	Foreign    *Foreign          `json:"foreign,omitempty"`
	Tax        *Tax              `json:"tax,omitempty"`
	Dimensions map[string]string `json:"dimensions,omitempty"`
	// Control: the line is the sum of the tax of taxed lines. A target that works
	// tax lines out itself leaves it away.
	Control   bool   `json:"control,omitempty"`
	Text      string `json:"text"`                // what the line is
	Documents int64  `json:"documents,omitempty"` // how many are behind it; in a later revision, how many more or less
}

// Foreign is what a line is worth in the currency it was taken in, in that
// currency's minor units, with the line's sign.
type Foreign struct {
	Currency string        `json:"currency"`
	Amount   money.Minor   `json:"amount"`
	Rate     money.Decimal `json:"rate"`
}

// Tax is the tax detail of a line, with the line's sign.
type Tax struct {
	Code         string      `json:"code"`
	Base         money.Minor `json:"base"`
	Amount       money.Minor `json:"amount"`
	Direction    string      `json:"direction"` // SALE, RETURN, PURCHASE
	Jurisdiction string      `json:"jurisdiction,omitempty"`
}

// Payload is one posting as the target books it. Its JSON is canonical: fields
// in this order, lines as posting sorted them.
type Payload struct {
	Key       string     `json:"key"`       // full identity: merchant, subject, part, target, revision
	Reference string     `json:"reference"` // at most 21 characters
	Date      bizday.Day `json:"date"`
	Currency  string     `json:"currency"`
	Narration string     `json:"narration"`
	Reason    string     `json:"reason"` // close, late, recipe, ...
	Lines     []Line     `json:"lines"`
}

// Receipt is the target's answer: its own id of what it booked.
type Receipt struct {
	RemoteID string `json:"remote_id"`
}

// Errors of a target. Anything else is an unknown outcome.
var (
	// ErrTaken: another payload stands under this reference, or one that was taken
	// off the books again.
	ErrTaken = errors.New("reference taken")
	// ErrRefused: definitely not booked, and will not be without a change.
	ErrRefused = errors.New("refused by the accounting system")
	// ErrUnavailable: definitely not booked; try again later.
	ErrUnavailable = errors.New("accounting system unavailable")
	// ErrDisconnected is an ErrUnavailable that lasts until the merchant connects
	// the books again.
	ErrDisconnected = fmt.Errorf("%w: it does not let us in any more; connect it again", ErrUnavailable)
	// ErrNotOffered: the target has no such thing; see its Capabilities.
	ErrNotOffered = errors.New("not offered by this accounting system")
)

// Later is an ErrUnavailable that says for how long.
type Later struct {
	Rest time.Duration
	Err  error
}

// Error says why and for how long.
func (l *Later) Error() string { return fmt.Sprintf("%v; again in %s", l.Err, l.Rest) }

// Unwrap returns ErrUnavailable and what happened.
func (l *Later) Unwrap() []error { return []error{ErrUnavailable, l.Err} }

// Target is one set of books at an accounting system. Its methods may be called
// at the same time.
type Target interface {
	Capabilities() Capabilities
	// Chart returns the accounts, tax codes and dimensions that there are.
	Chart(ctx context.Context) (Chart, error)
	// Period says up to when nothing may change any more. A target that cannot be
	// closed returns what it was told of filed periods.
	Period(ctx context.Context) (Period, error)
	// Post books the payload once. Posting the same payload again is the same
	// receipt; another payload under the same reference is ErrTaken, also where
	// what stood there was reversed. What the chart or the period does not allow is
	// ErrRefused and names what it is.
	Post(ctx context.Context, p Payload) (Receipt, error)
	// Find reads back the payload that stands under a reference, or nil. What was
	// changed at the target is returned as it now is.
	Find(ctx context.Context, reference string) (*Payload, Receipt, error)
	// List returns the references that begin with a prefix, sorted.
	List(ctx context.Context, prefix string) ([]string, error)
	// Reverse takes what stands under a reference off the books, in the target's
	// own way. Nothing there is no error; a closed period is ErrRefused.
	Reverse(ctx context.Context, reference string) error
	// Attach adds a file to what stands under a reference, or replaces the one of
	// the same name. Nothing there is ErrRefused.
	Attach(ctx context.Context, reference string, a Attachment) error
}
