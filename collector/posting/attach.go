package posting

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/work"
)

const (
	// maxAttach is how often a sheet is tried to be attached. Then the posting goes
	// without one.
	maxAttach    = 10
	attachAtOnce = 20 // in one pass
	attachWait   = time.Minute
)

// Bare is a posting that has no sheet yet.
type Bare struct {
	Posting
	Tries int
}

// AttachStore keeps which postings have their sheet.
type AttachStore interface {
	// Bare returns postings that stand without their sheet and may be tried at a
	// moment, the longest waiting first, at most so many.
	Bare(ctx context.Context, at time.Time, most int) ([]Bare, error)
	// Attached notes that a posting has its sheet, or never will.
	Attached(ctx context.Context, p Posting, has bool, at time.Time) error
	// AttachLater notes a try that failed, and when the next may be.
	AttachLater(ctx context.Context, p Posting, next time.Time) error
	// Entry returns an entry of a day by its version; 0: the newest.
	Entry(ctx context.Context, ref day.Ref, version int64) (day.Entry, error)
}

// Attacher puts beside each posting the sheet that explains it, some time after it
// was posted. It never keeps a posting or a day waiting.
type Attacher struct {
	Store     AttachStore
	Directory merchant.Directory
	Target    func(m merchant.Merchant, c merchant.Connection) (target.Target, error)
	Now       func() time.Time
	Share     *work.Share // nil: there is no other
}

// Sweep tries each sheet that may be tried, and returns how many were attached.
// What failed is tried again later; the errors come back together.
func (a *Attacher) Sweep(ctx context.Context) (attached int, err error) {
	all, err := a.Store.Bare(ctx, a.Now(), attachAtOnce)
	if err != nil {
		return 0, fmt.Errorf("find postings without their sheet: %w", err)
	}
	subjects := make([]work.Subject, len(all))
	for i, b := range all {
		subjects[i] = work.Subject{Merchant: b.Merchant, Name: fmt.Sprintf("sheet %s %s", b.Target, b.Reference)}
	}
	var errs []error
	err = a.Share.Each(ctx, subjects, func(ctx context.Context, i int) time.Duration {
		switch has, err := a.attach(ctx, all[i]); {
		case errors.Is(err, work.ErrLost):
		case err != nil:
			errs = append(errs, fmt.Errorf("attach the sheet of %s: %w", all[i].Reference, err))
		case has:
			attached++
		}
		return 0
	})
	return attached, errors.Join(append(errs, err)...)
}

func (a *Attacher) attach(ctx context.Context, b Bare) (bool, error) {
	m, err := a.Directory.Merchant(ctx, b.Merchant)
	if err != nil {
		return false, err
	}
	c, known := m.Connection(b.Target)
	if !known {
		return false, a.Store.Attached(ctx, b.Posting, false, a.Now())
	}
	t, err := a.Target(m, c)
	if err != nil {
		return false, errors.Join(err, a.later(ctx, b))
	}
	// What was taken in after a restore, or takes a day back, completes no entry.
	if !t.Capabilities().Attaches || b.Entry == 0 {
		return false, a.Store.Attached(ctx, b.Posting, false, a.Now())
	}
	e, err := a.Store.Entry(ctx, b.Ref, b.Entry)
	if err != nil {
		return false, errors.Join(err, a.later(ctx, b))
	}
	sheet, err := Sheet(b.Posting, e)
	if err != nil { // it will be no other
		return false, errors.Join(err, a.Store.Attached(ctx, b.Posting, false, a.Now()))
	}
	attaching, cancel := context.WithTimeout(ctx, t.Capabilities().LongestRequest)
	defer cancel()
	switch err := t.Attach(attaching, b.Reference, sheet); {
	case err == nil:
		return true, a.Store.Attached(ctx, b.Posting, true, a.Now())
	case errors.Is(err, target.ErrUnavailable) || b.Tries+1 < maxAttach:
		return false, errors.Join(err, a.later(ctx, b))
	default:
		return false, errors.Join(err, a.Store.Attached(ctx, b.Posting, false, a.Now()))
	}
}

// later has the sheet tried again, after a pause that grows.
func (a *Attacher) later(ctx context.Context, b Bare) error {
	return a.Store.AttachLater(ctx, b.Posting, a.Now().Add(attachWait<<min(b.Tries, 8)))
}
