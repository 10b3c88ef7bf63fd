package app

import (
	"testing"
	"time"
)

func TestTheLineIsLimitedInOpeningHoursOfTheStore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hours, zone, at string
		want            int
	}{
		{"", "", "2026-07-01T03:00:00Z", 8000},
		{"08:00-20:00", "Europe/Berlin", "2026-07-01T05:59:59Z", 0},
		{"08:00-20:00", "Europe/Berlin", "2026-07-01T06:00:00Z", 8000},
		{"08:00-20:00", "Europe/Berlin", "2026-07-01T17:59:59Z", 8000},
		{"08:00-20:00", "Europe/Berlin", "2026-07-01T18:00:00Z", 0},
		{"18:00 - 02:30", "UTC", "2026-07-01T02:29:00Z", 8000},
		{"18:00-02:30", "UTC", "2026-07-01T02:30:00Z", 0},
		{"18:00-02:30", "UTC", "2026-07-01T23:00:00Z", 8000},
	} {
		limit, err := Uplink{MaxKbps: 64, OpenHours: c.hours}.limit(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := limit(at); got != c.want {
			t.Errorf("hours %q in %q at %s: %d bytes a second, want %d", c.hours, c.zone, c.at, got, c.want)
		}
	}
	if limit, err := (Uplink{OpenHours: "08:00-20:00"}).limit(""); limit != nil || err != nil {
		t.Errorf("without max_kbps there is a limit, %v", err)
	}
}

func TestALimitThatCannotWorkIsSaid(t *testing.T) {
	t.Parallel()
	for _, u := range []Uplink{{MaxKbps: -1}, {MaxKbps: 8}, {OpenHours: "8-20"}, {OpenHours: "08:00"}, {MaxKbps: 64, OpenHours: "08:00-25:00"}} {
		c := Defaults()
		c.Uplink = u
		if c.Check() == nil {
			t.Errorf("%+v was taken", u)
		}
	}
}
