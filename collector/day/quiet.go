package day

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/shared/bizday"
)

// Bounds of what is opened without a document.
const (
	quietWindow = 31 // days back
	quietAfter  = 7  // days after the last one with documents: a shop that is quiet for longer is away
)

// Quiet returns the days on which a store had no trade: days without a document
// between days that have some, or shortly after, that are over and up to whose end
// every agent has sent everything. Where an agent is silent nothing is known.
// known are the store's days that there are since since; older says that there are
// some before.
func Quiet(c merchant.Calendar, since bizday.Day, known []bizday.Day, older bool, agents []Agent, now time.Time) []bizday.Day {
	if len(known) == 0 || !slices.ContainsFunc(agents, func(a Agent) bool { return !a.Revoked }) {
		return nil
	}
	first, last := slices.Min(known), slices.Max(known).Add(quietAfter)
	if older {
		first = since
	}
	var quiet []bizday.Day
	for d := first; d <= last && !now.Before(c.Rule.End(d).Add(c.Settle)); d = d.Add(1) {
		if !slices.Contains(known, d) && len(behind(agents, c.Rule.End(d))) == 0 {
			quiet = append(quiet, d)
		}
	}
	return quiet
}

// QuietStore is what an Opener needs. Each method is one transaction.
type QuietStore interface {
	Merchants(ctx context.Context) ([]merchant.Merchant, error)
	// Known returns the days of a store since one, whether there are some before
	// it, and the store's agents.
	Known(ctx context.Context, merchantID, store string, since bizday.Day) (days []bizday.Day, older bool, agents []Agent, err error)
	// Open makes a day that has no document, if it is not there.
	Open(ctx context.Context, ref Ref, at time.Time) error
}

// Opener opens the days without trade, so that they are closed as all others and
// show as complete rather than missing.
type Opener struct {
	Store QuietStore
	Now   func() time.Time
}

// Check looks at all stores once. One that fails does not keep the others from
// being looked at; the errors come back together.
func (o *Opener) Check(ctx context.Context) error {
	merchants, err := o.Store.Merchants(ctx)
	if err != nil {
		return fmt.Errorf("look for days without trade: %w", err)
	}
	var errs []error
	for _, m := range merchants {
		for _, s := range m.Stores {
			if err := o.store(ctx, m.ID, s); err != nil {
				errs = append(errs, fmt.Errorf("look for days without trade of store %s, merchant %s: %w", s.ID, m.ID, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (o *Opener) store(ctx context.Context, merchantID string, s merchant.Store) error {
	calendar, err := s.Calendar()
	if err != nil {
		return err
	}
	now := o.Now()
	since := calendar.Rule.Of(now).Add(-quietWindow)
	known, older, agents, err := o.Store.Known(ctx, merchantID, s.ID, since)
	if err != nil {
		return err
	}
	for _, d := range Quiet(calendar, since, known, older, agents, now) {
		if err := o.Store.Open(ctx, Ref{merchantID, s.ID, d}, now); err != nil {
			return err
		}
	}
	return nil
}
