// Package bizday turns an instant into the business day it belongs to.
//
// A store's business day runs from its cut-off on one calendar date to its
// cut-off on the next, in the store's zone: with a cut-off of 04:00 a sale at
// 01:30 belongs to the day before. Days are instants from Start to End, so days
// of 23 and 25 hours leave no gap and do not overlap. The day that a till states
// always wins over this rule; that choice is made in the collector's day room.
package bizday

import (
	"fmt"
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

// Add returns the day n days later.
func (d Day) Add(n int) Day {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return d
	}
	return Day(t.AddDate(0, 0, n).Format(time.DateOnly))
}

// Rule is a store's zone and cut-off.
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

// Start returns the instant at which the day begins. Where the cut-off falls
// into a gap or a repeated hour, time.Date decides.
func (r Rule) Start(d Day) time.Time {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	minutes := int(r.Cutoff / time.Minute)
	return time.Date(t.Year(), t.Month(), t.Day(), minutes/60, minutes%60, 0, 0, r.Zone)
}

// End returns the instant at which the day ends: the start of the next.
func (r Rule) End(d Day) time.Time { return r.Start(d.Add(1)) }

// Of returns the business day of an instant.
func (r Rule) Of(t time.Time) Day {
	d := Day(t.In(r.Zone).Format(time.DateOnly))
	switch {
	case t.Before(r.Start(d)):
		return d.Add(-1)
	case !t.Before(r.End(d)):
		return d.Add(1)
	}
	return d
}

// Flags that Local may give.
const (
	Ambiguous = "DST_AMBIGUOUS" // the wall clock showed this time twice; the first is taken
	Gap       = "DST_GAP"       // the wall clock never showed this time
)

// Local returns the instant of a wall-clock time in the rule's zone, with a
// flag where the clock was changed. The date and time of wall are used, its
// zone is not.
func (r Rule) Local(wall time.Time) (time.Time, string) {
	year, month, day := wall.Date()
	t := time.Date(year, month, day, wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), r.Zone)
	if t.Hour() != wall.Hour() || t.Minute() != wall.Minute() {
		return t, Gap
	}
	for _, shift := range []time.Duration{-2 * time.Hour, -time.Hour, -30 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour} {
		if other := t.Add(shift); other.Hour() == t.Hour() && other.Minute() == t.Minute() && other.Day() == t.Day() {
			if other.Before(t) {
				t = other
			}
			return t, Ambiguous
		}
	}
	return t, ""
}
