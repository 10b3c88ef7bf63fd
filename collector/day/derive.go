package day

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// Where a business day came from.
const (
	OriginStated   = "stated"   // the till printed the date
	OriginPeriod   = "period"   // the day of the period close it belongs to
	OriginTime     = "time"     // the store's cut-off rule on the document's time
	OriginCaptured = "captured" // its time cannot be read: the day it was captured on
)

// ErrTime: a document's time cannot be read, so that its day is a guess.
var ErrTime = errors.New("time cannot be read")

// Period finds the business day of the period close with a session or Z number
// (one of them may be empty) of the document's terminal. It knows only closes
// that are stored and lie within one business day: the receipts of one that
// spans several belong to the days of their own times.
type Period func(session, z string) (bizday.Day, bool)

// Derive returns the business day a document belongs to and where it came from:
// the date the till printed, else the day of its period close, else the store's
// cut-off rule on its time, read as the store's wall clock where it has no zone.
// Intake derives the day of a document alone; storage moves it as Place says.
//
// If nothing of this can be read it returns the day on which the document was
// captured together with an error that wraps ErrTime: the document has a place
// where it is seen, and Decide holds that day until a better recipe reads it. The
// day is empty only if the capture has no time either. period may be nil.
func Derive(d *document.Document, rule bizday.Rule, period Period) (bizday.Day, string, error) {
	if d.StatedDay.Date != "" {
		if day, err := bizday.Parse(d.StatedDay.Date); err == nil {
			return day, OriginStated, nil
		}
	}
	if session, z := d.StatedDay.Session, d.StatedDay.Z; period != nil && d.Kind != document.PeriodClose && (session != "" || z != "") {
		if day, ok := period(session, z); ok {
			return day, OriginPeriod, nil
		}
	}
	if day, ok := timeDay(d.Time, rule); ok {
		return day, OriginTime, nil
	}
	err := fmt.Errorf("document %s: %w: %q", d.Key, ErrTime, clip(d.Time.AsGiven))
	if d.Source.CapturedAt.IsZero() {
		return "", OriginCaptured, err
	}
	return rule.Of(d.Source.CapturedAt), OriginCaptured, err
}

// dateOnly flags a time that is a date alone.
const dateOnly = "DATE_ONLY"

// layouts in which a time without a zone is read. Dates whose day and month
// could be taken for each other are not among them.
var layouts = []string{
	"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "20060102150405",
	"02.01.2006 15:04:05", "02.01.2006 15:04",
}

var dates = []string{time.DateOnly, "20060102", "02.01.2006"}

func timeDay(t document.Time, rule bizday.Rule) (bizday.Day, bool) {
	for _, layout := range dates {
		if date, err := time.Parse(layout, t.AsGiven); err == nil {
			return bizday.Day(date.Format(time.DateOnly)), true
		}
	}
	at, ok := instant(t, rule)
	if !ok {
		return "", false
	}
	return rule.Of(at), true
}

// instant reads a time as a moment, as the store's wall clock where it has no
// zone. A date alone is none.
func instant(t document.Time, rule bizday.Rule) (time.Time, bool) {
	if !t.UTC.IsZero() && !slices.Contains(t.Flags, dateOnly) {
		return t.UTC, true
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00"} {
		if at, err := time.Parse(layout, t.AsGiven); err == nil {
			return at, true
		}
	}
	for _, layout := range layouts {
		wall, err := time.Parse(layout, t.AsGiven)
		if err != nil {
			continue
		}
		if t.Offset != nil {
			return wall.Add(-time.Duration(*t.Offset) * time.Minute), true
		}
		at, _ := rule.Local(wall)
		return at, true
	}
	return time.Time{}, false
}

func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
