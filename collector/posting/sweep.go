package posting

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/work"
)

// atOnce is how many books are posted to at the same time. Most of it is waiting
// for answers, so there may be many; each keeps some of the database's
// connections busy now and then.
const atOnce = 32

const (
	// pageBooks is how many books are found at once.
	pageBooks = 256
	// turnDays is how many days of some books a pass looks at; the next goes on from
	// there. So what is read at once is bounded, and of many that share the work each
	// finds some that nobody else is at.
	turnDays = 64
	// forgottenAfter is how long the end of a pause is remembered, for those whose turn
	// is in a later pass.
	forgottenAfter = time.Hour
)

// Pass is what one pass over what is due came to.
type Pass struct {
	Due     int // subjects
	Done    int // nothing more to do for now: posted, or equal already
	Waiting int
	Refused int
	Parked  int
}

func (p *Pass) add(more Pass) {
	p.Due, p.Done, p.Waiting = p.Due+more.Due, p.Done+more.Done, p.Waiting+more.Waiting
	p.Refused, p.Parked = p.Refused+more.Refused, p.Parked+more.Parked
}

// Sweep brings what is due one step on, the books one after the other, each with
// its turn: the oldest days that had none in the pass before. A subject that fails does
// not keep the others from being posted; a target that is unavailable is left alone
// for the rest of the pass. The errors come back together.
func (p *Poster) Sweep(ctx context.Context) (Pass, error) {
	var all Pass
	var errs []error
	err := p.each(ctx, func(b Books) {
		pass, err := p.turn(ctx, b)
		all.add(pass)
		errs = append(errs, err)
	})
	return all, errors.Join(append(errs, err)...)
}

// Begin does what Sweep does, for all books at once and without waiting, so that
// books that answer slowly keep no others waiting. Those that an earlier call
// still works on are left to it. told is called with what came of each set of
// books for which something was due, by several goroutines; Wait waits for the last
// of them.
func (p *Poster) Begin(ctx context.Context, told func(Pass, error)) error {
	return p.each(ctx, func(b Books) {
		if !p.enter(b) {
			return
		}
		p.begun.Go(func() {
			defer p.leave(b)
			select {
			case p.slots <- struct{}{}:
				defer func() { <-p.slots }()
			case <-ctx.Done():
				return
			}
			if pass, err := p.turn(ctx, b); pass.Due > 0 || err != nil {
				told(pass, err)
			}
		})
	})
}

// Wait returns when all that was begun has ended.
func (p *Poster) Wait() { p.begun.Wait() }

func (p *Poster) enter(b Books) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy == nil {
		p.busy, p.slots = map[Books]bool{}, make(chan struct{}, atOnce)
	}
	if p.busy[b] {
		return false
	}
	p.busy[b] = true
	return true
}

func (p *Poster) leave(b Books) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, b)
}

// each calls f with all books for which something may be due.
func (p *Poster) each(ctx context.Context, f func(Books)) error {
	for last := (Books{}); ; {
		page, err := p.Store.DueBooks(ctx, last, pageBooks)
		if err != nil {
			return fmt.Errorf("find what is to be posted: %w", err)
		}
		for _, b := range page {
			f(b)
		}
		if len(page) < pageBooks {
			return nil
		}
		last = page[len(page)-1]
	}
}

// turn brings the days of some books whose turn it is one step on, one after the
// other.
func (p *Poster) turn(ctx context.Context, b Books) (Pass, error) {
	days, err := p.Store.DueDays(ctx, b, p.turned(b), turnDays)
	if err != nil {
		return Pass{}, fmt.Errorf("find what is to be posted: %w", err)
	}
	p.at(AtDue)
	subjects := make([]work.Subject, len(days))
	for i, ref := range days {
		subjects[i] = work.Subject{Merchant: ref.Merchant, Name: fmt.Sprintf("posting %s %s %s", ref.Store, ref.Day, b.Target)}
	}
	var pass Pass
	var errs []error
	down := false
	err = p.Share.Each(ctx, subjects, func(ctx context.Context, i int) time.Duration {
		if down {
			pass.Due++
			pass.Waiting++
			return 0
		}
		due, is, err := p.Store.DueOf(ctx, days[i], b.Target)
		if err != nil {
			errs = append(errs, err)
			return 0
		}
		if !is { // somebody else was faster
			return 0
		}
		pass.Due++
		state, err := p.Deliver(ctx, due)
		switch {
		case errors.Is(err, target.ErrUnavailable):
			down = true
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
	p.had(b, days)
	return pass, errors.Join(append(errs, err)...)
}

// turned returns the day up to which some books had their turn.
func (p *Poster) turned(b Books) day.Ref {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turns[b]
}

// had notes that some days of books had their turn, and drops the pauses that ended
// long before: what paused was settled or sent again.
func (p *Poster) had(b Books, days []day.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(days) < turnDays {
		delete(p.turns, b) // from the oldest again
	} else {
		if p.turns == nil {
			p.turns = map[Books]day.Ref{}
		}
		p.turns[b] = days[len(days)-1]
	}
	old := p.Now().Add(-forgottenAfter)
	maps.DeleteFunc(p.pauses, func(id attempt, until time.Time) bool {
		return id.merchant == b.Merchant && id.target == b.Target && until.Before(old)
	})
}
