package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tillbook.example/tillbook/shared/problem"
)

// The three questions of whoever stands in the shop.
const (
	Arriving = "arriving" // do sales arrive
	Leaving  = "leaving"  // do they leave
	Closing  = "closing"  // does the day close
)

// What an answer may be.
const (
	Well    = "ok"
	Weak    = "degraded"
	Bad     = "failed"
	Unknown = "unknown" // not an alarm: nobody has said yet
)

// Answer is one of the three, for people. Where it is not well, Next says what
// to do.
type Answer struct {
	Question string `json:"question"`
	State    string `json:"state"`
	Text     string `json:"text"`
	Code     string `json:"code,omitempty"` // of the error table
	Next     string `json:"next,omitempty"`
}

// Bounds beyond which something is worth a word.
const (
	slow     = 30 * time.Minute // a sale that waits while the line stands
	maxSkew  = 2 * time.Minute  // between this clock and the collector's
	expiring = 7 * 24 * time.Hour
	old      = 15 * time.Minute // what the collector told of the days
)

// Ask answers the three questions at a moment. A closed shop is no alarm: that
// nothing was sold for long is said and not judged.
func (s Status) Ask(now time.Time) []Answer {
	return []Answer{s.arriving(now), s.leaving(now), s.closing(now)}
}

// Worst is the worst state among answers; what is unknown counts as well.
func Worst(answers []Answer) string {
	worst := Well
	for _, a := range answers {
		if a.State == Bad || a.State == Weak && worst == Well {
			worst = a.State
		}
	}
	return worst
}

// told makes an answer that is not well of a code; its next step is the table's.
func told(question, state, code, text string, args ...any) Answer {
	a := Answer{Question: question, State: state, Text: fmt.Sprintf(text, args...), Code: code}
	if kind, ok := problem.Find(code); ok {
		a.Next = kind.Fix
	}
	return a
}

func (s Status) arriving(now time.Time) Answer {
	for _, f := range s.Folders {
		if f.Error != "" {
			return told(Arriving, Weak, "source_unreadable", "Not from source %s: %s.", f.Name, f.Error)
		}
	}
	o := s.Outbox
	last := fmt.Sprintf("%d so far, the last %s", o.Taken, ago(now, o.LastAt))
	refused := 0
	for _, f := range s.Folders {
		refused += f.Refused
	}
	switch {
	case o.Full:
		return told(Arriving, Bad, "no_room", "No: there is no room, and new sales are refused.")
	case o.Refused > 0:
		return told(Arriving, Weak, "no_room", "Yes again, %s; but %d were refused for lack of room since the start.", last, o.Refused)
	case o.Lost > 0:
		return told(Arriving, Weak, "outbox_lost", "Yes, %s; but the disk lost %d that were kept.", last, o.Lost)
	case refused > 0:
		return told(Arriving, Weak, "source_refused", "Yes, %s; but %d parts of files could not be read.", last, refused)
	case o.Short:
		return told(Arriving, Weak, "disk_short", "Yes, %s; but disk space is short.", last)
	case o.Taken == 0:
		return Answer{Question: Arriving, State: Unknown, Text: "Nothing has come yet.", Next: "Ring up a sale, or wait for the till's first file."}
	}
	return Answer{Question: Arriving, State: Well, Text: "Yes: " + last + "."}
}

func (s Status) leaving(now time.Time) Answer {
	c, o := s.Collector, s.Outbox
	waits := "nothing waits"
	if o.Unsent > 0 {
		waits = fmt.Sprintf("%d wait safely on this machine, the oldest from %s", o.Unsent, ago(now, o.OldestUnsent))
	}
	switch {
	case c.Cut:
		return Answer{Leaving, Weak, fmt.Sprintf("No: the line is cut by a drill; %s.", waits), "drill", "Nothing: it comes back by itself."}
	case !c.Connected && c.Code != "":
		kind, _ := problem.Find(c.Code)
		text := "No: " + lower(kind.Title)
		if c.Text != "" {
			text += " (" + c.Text + ")"
		}
		return told(Leaving, Weak, c.Code, "%s; %s.", text, waits)
	case !c.Connected && c.Error != "":
		return told(Leaving, Weak, "no_line", "No: %s; %s.", c.Error, waits)
	case !c.Connected:
		return told(Leaving, Weak, "no_line", "Not yet: the agent is connecting; %s.", waits)
	case c.Expires.Sub(now) < expiring:
		return told(Leaving, Weak, "certificate_expiring", "Yes, but the agent's certificate ends %s; %s.", c.Expires.Format(time.DateOnly), waits)
	case skew(c.Skew).Abs() > maxSkew:
		return told(Leaving, Weak, "clock_skew", "Yes, but this machine's clock is %s; %s.", off(skew(c.Skew)), waits)
	case o.Unsent > 0 && !o.OldestUnsent.IsZero() && now.Sub(o.OldestUnsent) > slow:
		return told(Leaving, Weak, "slow_line", "Slowly: %s.", waits)
	case o.Unsent > 0:
		return Answer{Question: Leaving, State: Well, Text: fmt.Sprintf("Yes: %d are on their way.", o.Unsent)}
	}
	return Answer{Question: Leaving, State: Well, Text: "Yes: everything is with the collector."}
}

func (s Status) closing(now time.Time) Answer {
	if len(s.Days) == 0 {
		return Answer{Question: Closing, State: Unknown, Text: "Not known: the collector has told of no day yet.", Next: "Wait for a minute after the line stands and the first sale is sent."}
	}
	as := ""
	if now.Sub(s.DaysAt) > old {
		as = fmt.Sprintf(" (as of %s)", ago(now, s.DaysAt))
	}
	if i := slices.IndexFunc(s.Days, func(d DayState) bool { return d.State == "held" }); i >= 0 {
		d := s.Days[i]
		kind, _ := problem.Find(d.Hold)
		return told(Closing, Weak, d.Hold, "Not %s: %s; it waits for the %s%s.", d.Day, lower(kind.Title), kind.Acts, as)
	}
	for _, d := range s.Days { // the newest that has closed
		switch {
		case d.State != "ready":
		case d.Due > 0:
			return Answer{Question: Closing, State: Well, Text: fmt.Sprintf("Yes: %s is closed and on its way to the books%s.", d.Day, as)}
		default:
			return Answer{Question: Closing, State: Well, Text: fmt.Sprintf("Yes: %s is closed and in the books%s.", d.Day, as)}
		}
	}
	return Answer{Question: Closing, State: Well, Text: fmt.Sprintf("None has had to yet: %s is %s%s.", s.Days[0].Day, s.Days[0].State, as)}
}

func skew(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// off says by how much a clock is wrong.
func off(by time.Duration) string {
	if by < 0 {
		return by.Abs().Round(time.Second).String() + " behind the collector's"
	}
	return by.Round(time.Second).String() + " ahead of the collector's"
}

func ago(now, t time.Time) string {
	if t.IsZero() {
		return "at a time that is not known"
	}
	return max(0, now.Sub(t)).Round(time.Second).String() + " ago"
}

// lower has a title go on in a sentence.
func lower(title string) string {
	if title == "" {
		return "something is wrong"
	}
	return strings.ToLower(title[:1]) + title[1:]
}
