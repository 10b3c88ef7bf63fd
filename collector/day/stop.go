package day

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/shared/bizday"
)

// Why nothing of a merchant is closed and posted.
const (
	StopPaused  = "paused"  // a person said so
	StopFailing = "failing" // StopAfter days in a row did not reach the books
)

// StopAfter is after how many failing days in a row a merchant is stopped.
const StopAfter = 31

// looksBack bounds how many days are looked at for failing ones.
const looksBack = 62

// Warnings are the numbers of failing days in a row at which people are warned.
var warnings = [...]int{1, 3, 7, 14, StopAfter}

// Warnings returns the numbers of failing days in a row at which people are
// warned; at the last the merchant is stopped.
func Warnings() []int { return warnings[:] }

// Stop says since when and why nothing of a merchant is closed and posted.
type Stop struct {
	At     time.Time
	By     string // a person; empty: the collector itself
	Reason string
}

func (s Stop) hold() *Hold {
	if s.Reason == StopFailing {
		return &Hold{HoldPaused, OwnerMerchant, fmt.Sprintf("Mend what failed for %d days, then resume: nothing is posted since %s.", StopAfter, s.At.UTC().Format(time.DateOnly))}
	}
	return &Hold{HoldPaused, OwnerMerchant, fmt.Sprintf("Resume the merchant: %s paused it on %s.", s.By, s.At.UTC().Format(time.DateOnly))}
}

// Outcome is how a store-day went.
type Outcome struct {
	Ref   Ref
	State string
	Entry int64 // version of the newest entry, 0 none
	Stuck int   // postings of it that were refused or wait for a person
}

// Failing returns how many business days in a row, up to the newest that is
// decided, failed in every store: they are held past their deadline, or their
// postings wait for a person. late says of a day whether its deadline has passed.
func Failing(all []Outcome, late func(Ref) bool) int {
	good := map[bizday.Day]bool{}
	for _, o := range all {
		switch {
		case o.Stuck > 0, o.State == Held && late(o.Ref):
			if _, known := good[o.Ref.Day]; !known {
				good[o.Ref.Day] = false
			}
		case o.State == Ready:
			good[o.Ref.Day] = true
		}
	}
	var days []bizday.Day
	for d := range good {
		days = append(days, d)
	}
	slices.Sort(days)
	n := 0
	for _, d := range slices.Backward(days) {
		if good[d] {
			break
		}
		n++
	}
	return n
}

// StopStore is what a Watch needs. Each method is one transaction.
type StopStore interface {
	Merchants(ctx context.Context) ([]merchant.Merchant, error)
	// Stopped returns the stop of a merchant, nil: it is not stopped.
	Stopped(ctx context.Context, merchantID string) (*Stop, error)
	// Stop stops a merchant and says whether it was not already.
	Stop(ctx context.Context, merchantID string, s Stop) (bool, error)
	// Outcomes returns how the merchant's days went since a day, and when it was
	// last resumed.
	Outcomes(ctx context.Context, merchantID string, since bizday.Day) ([]Outcome, time.Time, error)
}

// Watch warns of merchants whose days fail, and stops those whose days fail for
// StopAfter days in a row: then somebody has to look, and by then people may have
// entered days themselves.
type Watch struct {
	Store  StopStore
	Now    func() time.Time
	Logger *slog.Logger

	mu      sync.Mutex
	warned  map[string]int // by merchant: at which of the warnings
	stopped int
}

// Failures are how many merchants fail.
type Failures struct {
	Warned  map[int]int // by the last warning
	Stopped int         // by whomever
}

// Failures returns what the last Check found.
func (w *Watch) Failures() Failures {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := Failures{Warned: map[int]int{}, Stopped: w.stopped}
	for _, at := range w.warned {
		f.Warned[at]++
	}
	return f
}

// Check looks at all merchants once. One that cannot be looked at does not keep
// the others from being; the errors come back together.
func (w *Watch) Check(ctx context.Context) error {
	merchants, err := w.Store.Merchants(ctx)
	if err != nil {
		return fmt.Errorf("look for failing days: %w", err)
	}
	warned, stopped := map[string]int{}, 0
	var errs []error
	for _, m := range merchants {
		level, is, err := w.check(ctx, m)
		if err != nil {
			errs = append(errs, fmt.Errorf("look for failing days of merchant %s: %w", m.ID, err))
		}
		if is {
			stopped++
		}
		if level > 0 {
			warned[m.ID] = level
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.warned, w.stopped = warned, stopped
	return errors.Join(errs...)
}

func (w *Watch) check(ctx context.Context, m merchant.Merchant) (level int, stopped bool, err error) {
	stop, err := w.Store.Stopped(ctx, m.ID)
	if err != nil || stop != nil {
		return 0, stop != nil, err
	}
	now := w.Now()
	n, err := FailingDays(ctx, w.Store, m, now)
	if err != nil {
		return 0, false, err
	}
	for _, at := range warnings {
		if n >= at {
			level = at
		}
	}
	w.mu.Lock()
	before := w.warned[m.ID]
	w.mu.Unlock()
	if level > before {
		w.Logger.Warn("the days of a merchant do not reach the books", "merchant", m.ID, "days", n, "stops_at", StopAfter)
	}
	if level < StopAfter {
		return level, false, nil
	}
	_, err = w.Store.Stop(ctx, m.ID, Stop{At: now, Reason: StopFailing})
	if err == nil {
		w.Logger.Error("a merchant was stopped: its days do not reach the books; it has to be resumed by a person", "merchant", m.ID, "days", n)
	}
	return level, err == nil, err
}

// FailingDays counts a merchant's failing days in a row since it was last resumed.
func FailingDays(ctx context.Context, store StopStore, m merchant.Merchant, now time.Time) (int, error) {
	calendars := map[string]merchant.Calendar{}
	for _, s := range m.Stores {
		c, err := s.Calendar()
		if err != nil {
			return 0, err
		}
		calendars[s.ID] = c
	}
	since := bizday.Day(now.UTC().AddDate(0, 0, -looksBack).Format(time.DateOnly))
	all, resumed, err := store.Outcomes(ctx, m.ID, since)
	if err != nil {
		return 0, err
	}
	all = slices.DeleteFunc(all, func(o Outcome) bool {
		c, known := calendars[o.Ref.Store]
		return !known || !resumed.IsZero() && c.Rule.End(o.Ref.Day).Before(resumed)
	})
	return Failing(all, func(ref Ref) bool {
		c := calendars[ref.Store]
		return !now.Before(c.Rule.End(ref.Day).Add(c.Deadline))
	}), nil
}
