package day

import (
	"cmp"
	"slices"
	"time"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// Bounds of a period close that lies within one business day.
const (
	// slack is how far outside of the business day its documents may be: a shop
	// that trades on after its cut-off, a clock that is some hours off.
	slack = 4 * time.Hour
	// longest is how far apart they may be.
	longest = 24 * time.Hour
	// reach is how far from its close a document may be.
	reach = 30 * time.Hour
)

// What is added to a period, or taken away, changes no day further away than
// Changes; to place what is that near Place has to know what is within Near.
const (
	Changes = 3 * reach
	Near    = 5 * reach
)

// Tie is what ties a document without a date to the period close of its terminal,
// or a close to the documents that it counts.
type Tie struct {
	Terminal string
	Periods  []string   // names of its period; of a close all that it may be called
	Close    bool       // it is a period close
	Own      bizday.Day // its day by itself
	At       time.Time  // its own moment; that of its capture where none can be read
	Unread   bool       // it cannot be read
	// Of a close: documents of its business day lie from From until Until.
	From, Until time.Time
}

// TieOf returns what ties a document, whose day by itself is own; nothing
// (without Periods) ties one that states its date or no period.
func TieOf(d *document.Document, rule bizday.Rule, own bizday.Day) Tie {
	t := Tie{Terminal: d.Key.Terminal, Own: own}
	z, session := cmp.Or(d.StatedDay.Z, d.Numbers.Z), d.StatedDay.Session
	switch {
	case d.Deleted || own == "":
		return Tie{}
	case d.Kind == document.PeriodClose:
		t.Close, t.Periods = true, names(number(d), session)
		t.From, t.Until = rule.Start(own).Add(-slack), rule.End(own).Add(slack)
	default:
		if _, err := bizday.Parse(d.StatedDay.Date); err == nil {
			return Tie{}
		}
		if z != "" {
			session = "" // the number says more
		}
		t.Periods = names(z, session)
	}
	if len(t.Periods) == 0 {
		return Tie{}
	}
	at, read := instant(d.Time, rule)
	if !read {
		at, t.Unread = d.Source.CapturedAt, true
	}
	t.At = at
	return t
}

func names(z, session string) []string {
	var all []string
	if z != "" {
		all = append(all, "z "+z)
	}
	if session != "" {
		all = append(all, "session "+session)
	}
	return all
}

// Place returns the business days of documents that name one period of one
// terminal, in their order.
//
// A document belongs to the first close of its name that is not earlier by the
// till's clock, at most 30 hours later, else to the last earlier one, if it lies
// within that one's day. It is of the close's business day if the close lies within one: all
// that belongs to it is within 24 hours, and within 4 hours of that day. Otherwise
// the close spans several, and each document is of its own day. Names may be used
// again, as sessions are that are counted anew each day.
func Place(ties []Tie) []bizday.Day {
	days := make([]bizday.Day, len(ties))
	var closes []int
	for i, t := range ties {
		days[i] = t.Own
		if t.Close {
			closes = append(closes, i)
		}
	}
	slices.SortFunc(closes, func(x, y int) int {
		return cmp.Or(ties[x].At.Compare(ties[y].At), cmp.Compare(ties[x].Own, ties[y].Own), x-y)
	})
	members := make([][]int, len(closes))
	for i, t := range ties {
		if t.Close {
			continue
		}
		c, _ := slices.BinarySearchFunc(closes, t.At, func(x int, at time.Time) int { return ties[x].At.Compare(at) })
		switch {
		case c < len(closes) && ties[closes[c]].At.Sub(t.At) <= reach:
		case c > 0 && t.within(ties[closes[c-1]]) && t.At.Sub(ties[closes[c-1]].At) <= reach:
			c--
		default:
			continue
		}
		members[c] = append(members[c], i)
	}
	for c, all := range members {
		if z := ties[closes[c]]; z.single(ties, all) {
			for _, i := range all {
				if !ties[i].Unread || ties[i].within(z) {
					days[i] = z.Own
				}
			}
		}
	}
	return days
}

func (t Tie) within(z Tie) bool { return !t.At.Before(z.From) && t.At.Before(z.Until) }

// single reports whether a close and what belongs to it lie within one business day.
func (t Tie) single(ties []Tie, members []int) bool {
	var first, last time.Time
	for _, i := range members {
		m := ties[i]
		if m.Unread {
			continue
		}
		if !m.within(t) {
			return false
		}
		if first.IsZero() || m.At.Before(first) {
			first = m.At
		}
		if m.At.After(last) {
			last = m.At
		}
	}
	return last.Sub(first) <= longest
}
