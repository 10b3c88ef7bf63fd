package target

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"tillbook.example/tillbook/shared/bizday"
)

// Switch is one set of books whose form changes with a day: what is booked for
// days before from is booked, found and taken off by before, the rest by after. So
// a day keeps the form of its first posting. Both are the same books.
func Switch(before, after Target, from bizday.Day) Target {
	s := switched{before, after, from}
	if _, follows := after.(Follower); follows {
		return followed{s}
	}
	return s
}

type switched struct {
	before, after Target
	from          bizday.Day
}

var (
	_ Inspector = switched{}
	_ Watcher   = switched{}
	_ Follower  = followed{}
)

// dayOf is the business day in a reference or prefix, or "".
func dayOf(reference string) bizday.Day {
	for _, part := range strings.Split(reference, "-") {
		if t, err := time.Parse("20060102", part); err == nil && len(part) == 8 {
			return bizday.Day(t.Format(time.DateOnly))
		}
	}
	return ""
}

// of is who keeps a reference.
func (s switched) of(reference string) Target {
	if d := dayOf(reference); d != "" && d < s.from {
		return s.before
	}
	return s.after
}

// each asks whom a prefix concerns, and keeps of each answer only what that one
// keeps.
func each[T any](s switched, prefix string, reference func(T) string, ask func(Target) ([]T, error)) ([]T, error) {
	sides := []Target{s.before, s.after}
	if dayOf(prefix) != "" {
		sides = []Target{s.of(prefix)}
	}
	var all []T
	for _, side := range sides {
		found, err := ask(side)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(found, func(t T) bool { return s.of(reference(t)) != side })...)
	}
	return all, nil
}

// Capabilities are those that both have.
func (s switched) Capabilities() Capabilities {
	order := []Uniqueness{LookUpOnly, KeyWindow, UniqueForEver}
	b, a := s.before.Capabilities(), s.after.Capabilities()
	a.Uniqueness = order[min(slices.Index(order, a.Uniqueness), slices.Index(order, b.Uniqueness))]
	a.LongestRequest = max(a.LongestRequest, b.LongestRequest)
	a.Chart, a.Closes, a.Reverses, a.Attaches = a.Chart || b.Chart, a.Closes || b.Closes, a.Reverses && b.Reverses, a.Attaches && b.Attaches
	return a
}

func (s switched) Chart(ctx context.Context) (Chart, error) { return s.after.Chart(ctx) }

func (s switched) Period(ctx context.Context) (Period, error) { return s.after.Period(ctx) }

func (s switched) Post(ctx context.Context, p Payload) (Receipt, error) {
	return s.of(p.Reference).Post(ctx, p)
}

func (s switched) Find(ctx context.Context, reference string) (*Payload, Receipt, error) {
	return s.of(reference).Find(ctx, reference)
}

func (s switched) List(ctx context.Context, prefix string) ([]string, error) {
	all, err := each(s, prefix, func(r string) string { return r }, func(t Target) ([]string, error) { return t.List(ctx, prefix) })
	slices.Sort(all)
	return all, err
}

func (s switched) Reverse(ctx context.Context, reference string) error {
	return s.of(reference).Reverse(ctx, reference)
}

func (s switched) Attach(ctx context.Context, reference string, a Attachment) error {
	return s.of(reference).Attach(ctx, reference, a)
}

func (s switched) Held(ctx context.Context, prefix string) ([]Held, error) {
	all, err := each(s, prefix, func(h Held) string { return h.Reference }, func(t Target) ([]Held, error) { return HeldBy(ctx, t, prefix) })
	slices.SortStableFunc(all, func(x, y Held) int { return cmp.Compare(x.Reference, y.Reference) })
	return all, err
}

func (s switched) Remove(ctx context.Context, reference, remoteID string) error {
	if i, ok := s.of(reference).(Inspector); ok {
		return i.Remove(ctx, reference, remoteID)
	}
	return s.of(reference).Reverse(ctx, reference)
}

func (s switched) Others(ctx context.Context, d bizday.Day) ([]Other, error) {
	if w, ok := s.after.(Watcher); ok {
		return w.Others(ctx, d)
	}
	return nil, nil
}

// followed is switched books that tell what was changed.
type followed struct{ switched }

func (f followed) Changed(ctx context.Context, since time.Time) (remoteIDs, references []string, err error) {
	for _, side := range []Target{f.before, f.after} {
		follower, ok := side.(Follower)
		if !ok {
			continue
		}
		ids, named, err := follower.Changed(ctx, since)
		if err != nil {
			return nil, nil, err
		}
		remoteIDs, references = append(remoteIDs, ids...), append(references, named...)
	}
	slices.Sort(remoteIDs)
	slices.Sort(references)
	return slices.Compact(remoteIDs), slices.Compact(references), nil
}
