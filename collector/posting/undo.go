package posting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/bizday"
)

// ReasonUndone is the reason of a posting that takes back all that stands of a
// day, at a target that cannot take a posting off by itself.
const ReasonUndone = "undone"

// takesBack reports whether the posting was made to take a withdrawn day back.
func (p Posting) takesBack() bool {
	reason, _, _ := strings.Cut(strings.TrimPrefix(p.Payload.Reason, Correction), "; ")
	return reason == ReasonUndone
}

// toTakeOff returns the newest posting of a withdrawn day that stands, where the
// target takes postings off in a way of its own.
func (s *subject) toTakeOff() (Posting, bool) {
	if !s.due.Withdrawn || !s.target.Capabilities().Reverses {
		return Posting{}, false
	}
	for _, p := range slices.Backward(s.due.Postings) {
		if p.Stands() {
			return p, true
		}
	}
	return Posting{}, false
}

// beginTakingOff notes that a posting is to be taken off, and takes it off.
func (s *subject) beginTakingOff(ctx context.Context, p Posting) (string, error) {
	p.Undo, p.State = true, Intended
	s.at(AtIntend)
	if err := s.Store.Advance(ctx, p, Posted); err != nil {
		return "", err
	}
	p.Attempts = 0
	s.at(AtIntended)
	return s.takeOff(ctx, p)
}

// errOther: what stands under the reference is not ours to take off.
var errOther = errors.New("another document stands under the reference")

// takeOff takes a posting off the books in the target's own way. What stands
// under its reference and is another's is left alone.
func (s *subject) takeOff(ctx context.Context, p Posting) (string, error) {
	found, _, err := s.target.Find(ctx, p.Reference)
	switch {
	case err != nil:
		as := Intended
		if p.State == Sent || p.State == Unknown {
			as = Unknown
		}
		return s.move(ctx, p.because(fmt.Errorf("look at what is to be taken off: %w", err)), as)
	case found != nil && found.Key != p.Payload.Key:
		return s.move(ctx, p.because(fmt.Errorf("%w: %w: %s", target.ErrTaken, errOther, found.Key)), Parked)
	}
	return s.try(ctx, p, func(ctx context.Context, p Posting) (Posting, string, error) {
		return p, Undone, s.target.Reverse(ctx, p.Reference)
	})
}

// Step is one thing that undoing a day does at a target.
type Step struct {
	Reference string     `json:"reference"`
	Date      bizday.Day `json:"date"`
	// Opposite: a posting of the opposite is made, under this reference; else what
	// stands under it is taken off in the target's own way.
	Opposite bool   `json:"opposite"`
	Code     string `json:"code,omitempty"` // why it would be refused now
	Why      string `json:"why,omitempty"`
}

// PlanUndo returns what undoing a day would do at a target, in order. It changes
// nothing.
func (p *Poster) PlanUndo(ctx context.Context, due Due) ([]Step, error) {
	due.Withdrawn = true
	s, err := p.open(ctx, due)
	if err != nil {
		return nil, err
	}
	period, err := s.period(ctx)
	if err != nil {
		return nil, err
	}
	var steps []Step
	add := func(reference string, on bizday.Day, opposite bool) {
		step := Step{Reference: reference, Date: on, Opposite: opposite}
		if !period.Open(on) {
			err := s.closed(period, on)
			step.Code, step.Why = target.CodeOf(err), err.Error()
		}
		steps = append(steps, step)
	}
	if s.target.Capabilities().Reverses {
		for _, p := range slices.Backward(due.Postings) {
			if p.Stands() {
				add(p.Reference, p.Payload.Date, false)
			}
		}
		return steps, nil
	}
	lines, err := s.missing()
	if err != nil || len(lines) == 0 {
		return nil, err
	}
	next, err := s.next(ctx, lines)
	if err != nil {
		return nil, err
	}
	add(next.Reference, next.Payload.Date, true)
	return steps, nil
}
