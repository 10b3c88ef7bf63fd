// Package bizday turns an instant into the business day it belongs to.
//
// A store's business day runs from its cut-off on one calendar date to its
// cut-off on the next, in the store's zone: with a cut-off of 04:00 a sale at
// 01:30 belongs to the day before. Days are instants from Start to End, so days
// of 23 and 25 hours leave no gap and do not overlap, and every instant of the
// years 1 to 9999 belongs to exactly one. The day that a till states always wins
// over this rule; that choice is made in the collector's day room.
//
// Zones are those of the host or, where a program embeds it, of time/tzdata.
package bizday

import (
	"fmt"
	"iter"
	"time"
)

// Day is a calendar date, YYYY-MM-DD; days compare as text.
type Day string

// Parse checks a date and returns it.
func Parse(s string) (Day, error) {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return "", fmt.Errorf("%q is not a date (YYYY-MM-DD)", s)
	}
	return Day(s), nil
}

// Add returns the day n days later. A Day that is not a date is returned as it
// is.
func (d Day) Add(n int) Day {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return d
	}
	return Day(t.AddDate(0, 0, n).Format(time.DateOnly))
}

// Rule is a store's zone and cut-off. NewRule makes one; the zero value has no
// zone and cannot be used.
type Rule struct {
	Zone   *time.Location
	Cutoff time.Duration // after midnight, 0 to 24 h, wall clock
}

// NewRule reads a zone name such as Europe/London and a cut-off such as 04:00.
// An empty cut-off is midnight.
func NewRule(zone, cutoff string) (Rule, error) {
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "" || zone == "Local" {
		return Rule{}, fmt.Errorf("%q is not a time zone; use a name such as Europe/London", zone)
	}
	if cutoff == "" {
		return Rule{Zone: location}, nil
	}
	t, err := time.Parse("15:04", cutoff)
	if err != nil {
		return Rule{}, fmt.Errorf("cut-off %q is not a time of day (HH:MM)", cutoff)
	}
	return Rule{Zone: location, Cutoff: time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute}, nil
}

// Start returns the instant at which the day begins: the first at which the
// store's clock reads its date and cut-off or later. Where the clock is put back
// over the cut-off, the first pass counts; where it is put forward over it, the
// day begins with the change. A date that the zone left out altogether (Samoa,
// 2011-12-30) with a cut-off at midnight is a day without a length.
//
// For a Day that is not a date Start returns the zero Time.
func (r Rule) Start(d Day) time.Time {
	date, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	return r.start(date)
}

// End returns the instant at which the day ends: the start of the next. The
// instant itself belongs to the next.
func (r Rule) End(d Day) time.Time {
	date, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	return r.start(date.AddDate(0, 0, 1))
}

// Of returns the business day of an instant.
func (r Rule) Of(t time.Time) Day {
	// The day of what the clock reads has begun, since its start is the first
	// instant of such a reading. A later one has too where the clock was put back.
	date := reading(t.In(r.Zone)).Add(-r.Cutoff).Truncate(24 * time.Hour)
	for next := date.AddDate(0, 0, 1); !t.Before(r.start(next)); next = next.AddDate(0, 0, 1) {
		date = next
	}
	return Day(date.Format(time.DateOnly))
}

// Flags that Local may give.
const (
	Ambiguous = "DST_AMBIGUOUS" // the wall clock showed this time twice; the first is taken
	Gap       = "DST_GAP"       // the wall clock never showed this time; it is read as if the clock had not been put forward yet
)

// Local returns the instant of a wall-clock time in the rule's zone, with a
// flag where the clock was changed. The date and time of wall are used, its
// zone is not.
func (r Rule) Local(wall time.Time) (time.Time, string) {
	want := reading(wall)
	var first, missed time.Time
	flag := Gap
	for s := range r.stretches(want) {
		t := want.Add(-s.offset)
		switch {
		case !s.holds(t):
			if s.from.Add(s.offset).Before(want) {
				missed = t // as if the clock had not been changed after this stretch
			}
		case flag == Gap:
			first, flag = t, ""
		default:
			return first.In(r.Zone), Ambiguous
		}
	}
	if flag == Gap {
		first = missed
	}
	return first.In(r.Zone), flag
}

// start returns the start of the day of a date, which is given at 00:00 UTC.
func (r Rule) start(date time.Time) time.Time {
	want := date.Add(r.Cutoff)
	for s := range r.stretches(want) {
		t := want.Add(-s.offset)
		if t.Before(s.from) {
			t = s.from // the clock was put forward over it
		}
		if s.holds(t) {
			return t.In(r.Zone)
		}
	}
	return want.In(r.Zone) // not reached: the last stretch ends after every reading of want
}

// stretch is a time without a change of the clock.
type stretch struct {
	from, to time.Time     // to is not contained; UTC
	offset   time.Duration // east of UTC
}

func (s stretch) holds(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// reach is further than any zone has ever been from UTC (16 hours).
const reach = 26 * time.Hour

// stretches yields, in order, the stretches that lie around a reading of the
// wall clock, wherever in the world it is.
func (r Rule) stretches(wall time.Time) iter.Seq[stretch] {
	return func(yield func(stretch) bool) {
		last := wall.Add(reach)
		for t := wall.Add(-reach); t.Before(last); {
			local := t.In(r.Zone)
			_, seconds := local.Zone()
			_, end := local.ZoneBounds()
			end = end.UTC()
			switch {
			case end.IsZero() || end.After(last):
				end = last
			case !end.After(t):
				// In a leap year the last day lies after the bound that is
				// given for a zone whose changes follow a yearly rule.
				end = t.Truncate(24 * time.Hour).Add(24 * time.Hour)
			}
			if !yield(stretch{t, end, time.Duration(seconds) * time.Second}) {
				return
			}
			t = end
		}
	}
}

// reading returns what the clock shows at t, as a time in UTC.
func reading(t time.Time) time.Time {
	year, month, day := t.Date()
	return time.Date(year, month, day, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}
