package day

import (
	"context"
	"errors"
	"slices"
	"time"

	"tillbook.example/tillbook/collector/merchant"
)

// rereadAfter is when a day that is held for an agent and has changed is read
// whole again, though it cannot be closed: something worse may hold it by now.
const rereadAfter = 5 * time.Minute

// Glance is what little tells that a day only waits, so that its documents need
// not be read to see that it stays as it is: in a large fleet nearly all days do.
type Glance struct {
	StoreDay
	Store    merchant.Store
	Agents   []Agent
	Closed   bool // a period close of the day or of one of the SpanDays after is there
	Entered  bool // people entered the day themselves
	Rejected int  // as in Facts
}

// Waits reports whether Decide could neither find the day ready at a moment nor
// change its state, and what holds it then. A held day may have got something worse
// to be held for; what held it still does.
func (g Glance) Waits(now time.Time) (*Hold, bool) {
	calendar, err := g.Store.Calendar()
	if err != nil || g.Closed || g.Entered || calendar.Start != "" && g.Day < calendar.Start {
		return nil, false
	}
	end := calendar.Rule.End(g.Day)
	settled := !now.Before(end.Add(calendar.Settle))
	switch {
	case g.State == Open:
		return nil, now.Before(end)
	case g.State == Closing:
		return nil, !now.Before(end) && !settled
	case g.State == Held && g.Hold != nil && g.Hold.Reason == HoldAgentBehind && g.Rejected == 0 && settled:
		away := behind(g.Agents, end)
		late := !now.Before(end.Add(calendar.Deadline)) && (g.Entry == 0 || !now.Before(g.ChangedAt.Add(calendar.Deadline)))
		if len(away) > 0 && !late {
			return away[0].hold(), true
		}
	}
	return nil, false
}

// whole is when a day was last read whole, and at which version.
type whole struct {
	version int64
	at      time.Time
}

// glance is what a pass over the days does with each: nothing with those that only
// wait, and less than usual with those of which only the words of their hold change.
type glance struct {
	stirring []Ref
	reworded map[Ref]bool
}

// look glances at days. Those that cannot be glanced at are read whole, as are
// those that this closer has not read yet.
func (c *Closer) look(ctx context.Context, refs []Ref) (glance, error) {
	if c.Glances == nil {
		return glance{stirring: refs}, nil
	}
	byMerchant := map[string][]Ref{}
	for _, ref := range refs {
		byMerchant[ref.Merchant] = append(byMerchant[ref.Merchant], ref)
	}
	var errs []error
	waiting, reworded := map[Ref]bool{}, map[Ref]bool{}
	now := c.Now()
	for merchant, days := range byMerchant {
		glances, err := c.Glances(ctx, merchant, days)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, g := range glances {
			last, known := c.wholes[g.Ref]
			hold, waits := g.Waits(now)
			switch {
			case !known || !waits || g.State == Held && g.Version != last.version && now.Sub(last.at) >= rereadAfter:
				c.wholes[g.Ref] = whole{g.Version, now}
			case hold != nil && *hold != *g.Hold:
				reworded[g.Ref] = true
			default:
				waiting[g.Ref] = true
			}
		}
	}
	return glance{slices.DeleteFunc(slices.Clone(refs), func(r Ref) bool { return waiting[r] }), reworded}, errors.Join(errs...)
}

// reword stores what holds a day now, unless there is more to do with it by now.
func (c *Closer) reword(ctx context.Context, ref Ref) (done bool, err error) {
	glances, err := c.Glances(ctx, ref.Merchant, []Ref{ref})
	if err != nil || len(glances) != 1 {
		return false, err
	}
	now := c.Now()
	hold, waits := glances[0].Waits(now)
	if hold == nil || !waits {
		return false, nil
	}
	err = c.set(ctx, glances[0].StoreDay, Held, hold, now)
	return err == nil, err
}

// forget drops what is remembered of days that are settled.
func (c *Closer) forget(unsettled []Ref) {
	kept := make(map[Ref]whole, len(c.wholes))
	for _, ref := range unsettled {
		if w, known := c.wholes[ref]; known {
			kept[ref] = w
		}
	}
	c.wholes = kept
}
