package posting

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/work"
)

// atOnce is how many books are posted to at the same time. Most of it is waiting
// for answers, so there may be many; each keeps some of the database's
// connections busy now and then.
const atOnce = 32

// Pass is what one pass over what is due came to.
type Pass struct {
	Due     int // subjects
	Done    int // nothing more to do for now: posted, or equal already
	Waiting int
	Refused int
	Parked  int
}

// place is one merchant's connection, whose books are posted to in order.
type place struct{ merchant, target string }

// queue is what is due at one place, the oldest day first.
type queue struct {
	place
	due []Due
}

// Sweep brings each subject that is due one step on, oldest day first, and waits
// for all of them. A subject that fails does not keep the others from being posted;
// a target that is unavailable is left alone for the rest of the pass. The errors
// come back together.
func (p *Poster) Sweep(ctx context.Context) (Pass, error) {
	all, err := p.due(ctx)
	if err != nil {
		return Pass{}, err
	}
	return p.pass(ctx, all)
}

// Begin does what Sweep does, for all books at once and without waiting, so that
// books that answer slowly keep no others waiting. Those that an earlier call
// still works on are left to it. told is called with what came of each set of
// books, by several goroutines; Wait waits for the last of them.
func (p *Poster) Begin(ctx context.Context, told func(Pass, error)) error {
	before := p.working() // what is read of these may have passed by the time that they are free
	all, err := p.due(ctx)
	if err != nil {
		return err
	}
	for _, q := range queues(all) {
		if before[q.place] || !p.enter(q.place) {
			continue
		}
		p.begun.Go(func() {
			defer p.leave(q.place)
			select {
			case p.slots <- struct{}{}:
				defer func() { <-p.slots }()
			case <-ctx.Done():
				return
			}
			told(p.pass(ctx, q.due))
		})
	}
	return nil
}

// Wait returns when all that was begun has ended.
func (p *Poster) Wait() { p.begun.Wait() }

func (p *Poster) working() map[place]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.busy)
}

func (p *Poster) enter(b place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy == nil {
		p.busy, p.slots = map[place]bool{}, make(chan struct{}, atOnce)
	}
	if p.busy[b] {
		return false
	}
	p.busy[b] = true
	return true
}

func (p *Poster) leave(b place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, b)
}

// queues splits what is due by where it goes.
func queues(all []Due) []queue {
	var found []queue
	at := map[place]int{}
	for _, due := range all {
		b := place{due.Merchant, due.Target}
		i, known := at[b]
		if !known {
			i = len(found)
			at[b], found = i, append(found, queue{place: b})
		}
		found[i].due = append(found[i].due, due)
	}
	return found
}

func (p *Poster) due(ctx context.Context) ([]Due, error) {
	all, err := p.Store.Due(ctx)
	if err != nil {
		return nil, fmt.Errorf("find what is to be posted: %w", err)
	}
	p.at(AtDue)
	p.forget(all)
	return all, nil
}

// pass brings subjects one step on, one after the other.
func (p *Poster) pass(ctx context.Context, all []Due) (Pass, error) {
	var pass Pass
	var errs []error
	down := map[place]bool{}
	subjects := make([]work.Subject, len(all))
	for i, due := range all {
		subjects[i] = work.Subject{Merchant: due.Merchant, Name: fmt.Sprintf("posting %s %s %s", due.Store, due.Day, due.Target)}
	}
	err := p.Share.Each(ctx, subjects, func(ctx context.Context, i int) time.Duration {
		due := all[i]
		pass.Due++
		to := place{due.Merchant, due.Target}
		if down[to] {
			pass.Waiting++
			return 0
		}
		state, err := p.Deliver(ctx, due)
		switch {
		case errors.Is(err, target.ErrUnavailable):
			down[to] = true
			pass.Waiting++
			errs = append(errs, err)
		case errors.Is(err, ErrStale), errors.Is(err, work.ErrLost): // somebody else was faster: look again
			pass.Waiting++
		case err != nil:
			errs = append(errs, err)
		}
		switch state {
		case Posted, Undone:
			pass.Done++
		case Parked:
			pass.Parked++
		case Refused:
			pass.Refused++
		case Sent, Unknown, Intended:
			pass.Waiting++
		}
		return 0
	})
	return pass, errors.Join(append(errs, err)...)
}
