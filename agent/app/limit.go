package app

import (
	"fmt"
	"strings"
	"time"
)

// Uplink bounds what sending a backlog takes of the line.
type Uplink struct {
	MaxKbps   int64  `koanf:"max_kbps"`   // kbit/s; 0: as many as go
	OpenHours string `koanf:"open_hours"` // in which max_kbps holds, the store's time: 08:00-20:00; empty: always
}

// hours is a part of each day, in minutes since midnight. It may go over
// midnight, and is the whole day where both are equal.
type hours struct{ from, to int }

func parseHours(text string) (hours, error) {
	if text == "" {
		return hours{}, nil
	}
	from, to, ok := strings.Cut(text, "-")
	begin, err := time.Parse("15:04", strings.TrimSpace(from))
	end, err2 := time.Parse("15:04", strings.TrimSpace(to))
	if !ok || err != nil || err2 != nil {
		return hours{}, fmt.Errorf("%q are no hours, such as 08:00-20:00", text)
	}
	return hours{begin.Hour()*60 + begin.Minute(), end.Hour()*60 + end.Minute()}, nil
}

func (h hours) hold(at time.Time) bool {
	minute := at.Hour()*60 + at.Minute()
	if h.from < h.to {
		return h.from <= minute && minute < h.to
	}
	return h.from == h.to || minute >= h.from || minute < h.to
}

// limit returns how many bytes a second the uplink may send at a moment; nil
// where there is no limit.
func (u Uplink) limit(zone string) (func(time.Time) int, error) {
	if u.MaxKbps == 0 {
		return nil, nil
	}
	open, err := parseHours(u.OpenHours)
	if err != nil {
		return nil, fmt.Errorf("uplink.open_hours: %w", err)
	}
	place := time.Local
	if zone != "" {
		if place, err = time.LoadLocation(zone); err != nil {
			return nil, fmt.Errorf("uplink.open_hours in the store's time: %w", err)
		}
	}
	return func(now time.Time) int {
		if !open.hold(now.In(place)) {
			return 0
		}
		return int(u.MaxKbps * 1000 / 8)
	}, nil
}
