// Package work lets several collectors on one database share what there is to do:
// of each subject, such as a store-day to close, one holds the lease while it
// works on it, and the others leave it alone.
//
// A lease ends by the database's clock; it is kept while its holder is alive and
// ends by itself where the holder is not. One that was paused, or cut off, and
// wakes up when another has taken over can change nothing any more: its leases
// carry a fence, a number that rises with each claim, and storage compares it in
// the very transaction that writes (Held). That is what is relied on; the own
// clock only makes a holder give up early.
//
// It does not know what the work is, and not in which order it should be done. A
// lease says nothing of what was read before it was claimed: whoever writes by
// that compares versions and states, as without leases.
package work

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrLost: another collector has taken the subject over, or may have.
var ErrLost = errors.New("another collector has taken over")

// Term and Batch of a Share that states none.
const (
	DefaultTerm  = 30 * time.Second
	DefaultBatch = 16
)

// Subject is what one collector at a time works on.
type Subject struct {
	Merchant string
	Name     string // such as "day leeds 2026-03-02"
}

// Lease is the right to work on a subject.
type Lease struct {
	Subject
	Holder string
	Fence  int64 // higher than of each lease of the subject before
}

// Store keeps leases. Its clock is the only one that ends them.
type Store interface {
	// Claim takes those of the subjects that nobody holds, until a term from now.
	Claim(ctx context.Context, holder string, subjects []Subject, term time.Duration) ([]Lease, error)
	// Renew keeps leases until a term from now, those that were not lost.
	Renew(ctx context.Context, leases []Lease, term time.Duration) error
	// Release ends leases; one that was lost is left alone.
	Release(ctx context.Context, leases []Lease) error
}

// Share is one collector's part of the work. A nil Share has all of it: there is
// no other collector.
type Share struct {
	Store  Store
	Holder string        // no other process may ever have the same
	Term   time.Duration // how long a holder may be silent
	Batch  int           // how many subjects are claimed at once
}

// Do works on a subject, by its index. What it writes must be written with the
// ctx it is given. It returns for how long nobody needs to look at the subject
// again; 0: there is nothing to wait for.
type Do func(ctx context.Context, i int) (rest time.Duration)

// Each has do work on each of the subjects that could be claimed, in their order.
// It ends early only when ctx does, when it is to begin nothing more (Quitting), or
// when leases cannot be claimed.
func (s *Share) Each(ctx context.Context, subjects []Subject, do Do) error {
	if s == nil {
		for i := range subjects {
			if err := ctx.Err(); err != nil || quitting(ctx) {
				return err
			}
			do(ctx, i)
		}
		return nil
	}
	batch := s.Batch
	if batch == 0 {
		batch = DefaultBatch
	}
	for first := 0; first < len(subjects) && !quitting(ctx); first += batch {
		if err := s.batch(ctx, subjects, first, min(first+batch, len(subjects)), do); err != nil {
			return err
		}
	}
	return nil
}

// batch works on the subjects from first to before last.
func (s *Share) batch(ctx context.Context, subjects []Subject, first, last int, do Do) (err error) {
	term := s.Term
	if term == 0 {
		term = DefaultTerm
	}
	claimed := time.Now() // before the database's clock was read, so that ours is up first
	leases, err := s.Store.Claim(ctx, s.Holder, subjects[first:last], term)
	if err != nil {
		return fmt.Errorf("claim work: %w", err)
	}
	if len(leases) == 0 {
		return nil
	}
	held, rests := map[Subject]Lease{}, map[Subject]time.Duration{}
	for _, l := range leases {
		held[l.Subject] = l
	}
	working, stop := context.WithCancelCause(ctx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		s.keep(working, stop, leases, term, claimed)
	}()
	defer func() {
		stop(nil)
		<-kept
		if ctx.Err() != nil { // others need not wait for what was cut short
			clear(rests)
		}
		releasing, cancel := context.WithTimeout(context.WithoutCancel(ctx), term)
		defer cancel()
		if failed := s.release(releasing, leases, rests); failed != nil {
			err = errors.Join(err, fmt.Errorf("release work: %w", failed))
		}
	}()
	for i := first; i < last && working.Err() == nil && !quitting(ctx); i++ {
		if lease, ok := held[subjects[i]]; ok {
			rests[lease.Subject] = do(Under(working, lease), i)
		}
	}
	return ctx.Err()
}

// release ends leases, those of subjects that rest when they have rested.
func (s *Share) release(ctx context.Context, leases []Lease, rests map[Subject]time.Duration) error {
	resting := map[time.Duration][]Lease{}
	for _, l := range leases {
		rest := rests[l.Subject]
		resting[rest] = append(resting[rest], l)
	}
	var problems []error
	for rest, those := range resting {
		if rest == 0 {
			problems = append(problems, s.Store.Release(ctx, those))
		} else {
			problems = append(problems, s.Store.Renew(ctx, those, rest))
		}
	}
	return errors.Join(problems...)
}

// keep renews leases until ctx ends. Where that fails for a whole term somebody
// else may hold them: it stops the work.
func (s *Share) keep(ctx context.Context, stop context.CancelCauseFunc, leases []Lease, term time.Duration, renewed time.Time) {
	ticker := time.NewTicker(term / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		trying, cancel := context.WithDeadlineCause(ctx, renewed.Add(term), ErrLost)
		err := s.Store.Renew(trying, leases, term)
		cancel()
		if err == nil {
			renewed = now
			continue
		}
		if !time.Now().Before(renewed.Add(term)) {
			stop(fmt.Errorf("%w: %w", ErrLost, err))
			return
		}
	}
}

type quitKey struct{}

// Quitting returns a context under which Each begins nothing more once quit is
// closed: what is in hand is finished, and the leases of the rest are released.
func Quitting(ctx context.Context, quit <-chan struct{}) context.Context {
	return context.WithValue(ctx, quitKey{}, quit)
}

func quitting(ctx context.Context) bool {
	quit, _ := ctx.Value(quitKey{}).(<-chan struct{})
	select {
	case <-quit: // never, where there is none
		return true
	default:
		return false
	}
}

type leaseKey struct{}

// Under returns a context in which everything is written under a lease.
func Under(ctx context.Context, l Lease) context.Context {
	return context.WithValue(ctx, leaseKey{}, l)
}

// Free returns a context under no lease, for what must be kept even if the work it
// came up in is another's by now.
func Free(ctx context.Context) context.Context { return context.WithValue(ctx, leaseKey{}, nil) }

// Held returns the lease under which to write, if there is one.
func Held(ctx context.Context) (Lease, bool) {
	l, ok := ctx.Value(leaseKey{}).(Lease)
	return l, ok
}
