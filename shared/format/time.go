package format

import (
	"fmt"
	"strings"
	"time"

	"tillbook.example/tillbook/shared/document"
)

// DateOnly flags a time of which the till stated only the date.
const DateOnly = "DATE_ONLY"

// Wall is a time as a till's clock showed it.
type Wall struct {
	Time     time.Time // its zone means nothing unless Zoned
	Zoned    bool      // the text carried an offset, which Time has
	DateOnly bool
}

// Time returns a document's time for a text and what it was read as, in UTC by
// the text's own offset, else by the rule's zone, else not at all.
func (o Options) Time(asGiven string, w Wall) document.Time {
	t := document.Time{AsGiven: asGiven}
	if w.DateOnly {
		t.Flags = append(t.Flags, DateOnly)
	}
	switch {
	case w.Zoned:
		_, seconds := w.Time.Zone()
		minutes := seconds / 60
		t.Offset, t.UTC, t.ZoneFrom = &minutes, w.Time.UTC(), document.ZoneFromData
	case o.Rule != nil && !w.DateOnly:
		at, flag := o.Rule.Local(w.Time)
		t.UTC, t.ZoneFrom = at.UTC(), document.ZoneFromConfig
		if flag != "" {
			t.Flags = append(t.Flags, flag)
		}
	}
	return t
}

// ParseXMLTime reads an xs:dateTime or xs:date: 2017-10-01T02:02:54, with a
// fraction and with Z or an offset if it has them.
func ParseXMLTime(s string) (Wall, error) {
	for _, layout := range []string{"2006-01-02T15:04:05", time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return Wall{Time: t, Zoned: layout == time.RFC3339}, nil
		}
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return Wall{Time: t, DateOnly: true}, nil
	}
	return Wall{}, fmt.Errorf("%q is not a time (YYYY-MM-DDTHH:MM:SS)", Clip(s))
}

// Clip shortens a text from outside for a message.
func Clip(s string) string {
	s = Mask(s)
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

// WithOffset adds an offset that stands apart from the time it belongs to:
// "07:00:00", "+07:00" or "-05:30".
func WithOffset(w Wall, offset string) (Wall, error) {
	sign, rest := "+", offset
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		sign, rest = rest[:1], rest[1:]
	}
	if len(rest) < 5 {
		return w, fmt.Errorf("%q is not an offset from UTC (+HH:MM)", Clip(offset))
	}
	t, err := time.Parse("2006-01-02T15:04:05.999999999Z07:00", w.Time.Format("2006-01-02T15:04:05.999999999")+sign+rest[:5])
	if err != nil {
		return w, fmt.Errorf("%q is not an offset from UTC (+HH:MM)", Clip(offset))
	}
	return Wall{Time: t, Zoned: true}, nil
}
