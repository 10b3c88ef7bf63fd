package bizday_test

import (
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every host

	"tillbook.example/tillbook/shared/bizday"
)

func rule(t testing.TB, zone, cutoff string) bizday.Rule {
	t.Helper()
	r, err := bizday.NewRule(zone, cutoff)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func instant(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestASaleAfterMidnightBelongsToTheDayBefore(t *testing.T) {
	t.Parallel()
	bar := rule(t, "Europe/London", "04:00")
	for at, want := range map[string]bizday.Day{
		"2026-06-13T20:00:00+01:00":        "2026-06-13",
		"2026-06-14T01:30:00+01:00":        "2026-06-13",
		"2026-06-14T03:59:59.999999+01:00": "2026-06-13",
		"2026-06-14T04:00:00+01:00":        "2026-06-14",
		"2026-06-14T03:30:00Z":             "2026-06-14", // 04:30 in London
		"2027-01-01T03:00:00Z":             "2026-12-31",
	} {
		if got := bar.Of(instant(t, at)); got != want {
			t.Errorf("%s belongs to %s, want %s", at, got, want)
		}
	}
}

func TestDaysOnWhichTheClockIsChangedHaveAnotherLength(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone, cutoff string
		day          bizday.Day
		start        string
		length       time.Duration
	}{
		{"Europe/London", "", "2026-03-28", "2026-03-28T00:00:00Z", 24 * time.Hour},
		{"Europe/London", "", "2026-03-29", "2026-03-29T00:00:00Z", 23 * time.Hour},
		{"Europe/London", "", "2026-10-25", "2026-10-25T00:00:00+01:00", 25 * time.Hour},
		{"Europe/London", "04:00", "2026-03-28", "2026-03-28T04:00:00Z", 23 * time.Hour},
		{"Europe/London", "01:30", "2026-03-29", "2026-03-29T02:00:00+01:00", 23*time.Hour + 30*time.Minute}, // 01:30 is left out
		{"Europe/London", "01:30", "2026-10-25", "2026-10-25T01:30:00+01:00", 25 * time.Hour},                // the first 01:30
		{"Australia/Lord_Howe", "", "2026-04-05", "2026-04-05T00:00:00+11:00", 24*time.Hour + 30*time.Minute},
		{"Australia/Lord_Howe", "", "2026-10-04", "2026-10-04T00:00:00+10:30", 23*time.Hour + 30*time.Minute},
		{"Antarctica/Troll", "", "2026-03-29", "2026-03-29T00:00:00Z", 22 * time.Hour},
		{"America/Sao_Paulo", "", "2018-11-04", "2018-11-04T01:00:00-02:00", 23 * time.Hour}, // no midnight
		{"America/Sao_Paulo", "", "2018-02-17", "2018-02-17T00:00:00-02:00", 25 * time.Hour}, // 23:00 twice
		{"Asia/Beirut", "", "2026-03-29", "2026-03-29T01:00:00+03:00", 23 * time.Hour},
		{"America/St_Johns", "", "2010-11-07", "2010-11-07T00:00:00-02:30", 25 * time.Hour}, // 00:01 back to 23:01
		{"Asia/Pyongyang", "", "2015-08-14", "2015-08-14T00:00:00+09:00", 24*time.Hour + 30*time.Minute},
		{"America/Caracas", "02:45", "2016-05-01", "2016-05-01T03:00:00-04:00", 23*time.Hour + 45*time.Minute},
		{"Pacific/Kiritimati", "04:00", "2026-01-01", "2025-12-31T14:00:00Z", 24 * time.Hour},
		{"Pacific/Apia", "", "2011-12-29", "2011-12-29T00:00:00-10:00", 24 * time.Hour},
		{"Pacific/Apia", "", "2011-12-30", "2011-12-31T00:00:00+14:00", 0}, // left out
		{"Pacific/Apia", "", "2011-12-31", "2011-12-31T00:00:00+14:00", 24 * time.Hour},
		{"Pacific/Apia", "04:00", "2011-12-30", "2011-12-31T00:00:00+14:00", 4 * time.Hour},
	} {
		r := rule(t, c.zone, c.cutoff)
		if start := r.Start(c.day); !start.Equal(instant(t, c.start)) {
			t.Errorf("%s in %s, cut-off %q, begins at %s, want %s", c.day, c.zone, c.cutoff, start, c.start)
		}
		if length := r.End(c.day).Sub(r.Start(c.day)); length != c.length {
			t.Errorf("%s in %s, cut-off %q, is %s long, want %s", c.day, c.zone, c.cutoff, length, c.length)
		}
	}
}

func TestLocalTellsWhereTheClockWasChanged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, wall, at, flag string }{
		{"Europe/London", "2026-06-13 12:00:00", "2026-06-13T12:00:00+01:00", ""},
		{"Europe/London", "2026-03-29 00:59:59", "2026-03-29T00:59:59Z", ""},
		{"Europe/London", "2026-03-29 01:00:00", "2026-03-29T02:00:00+01:00", bizday.Gap},
		{"Europe/London", "2026-03-29 01:59:59", "2026-03-29T02:59:59+01:00", bizday.Gap},
		{"Europe/London", "2026-03-29 02:00:00", "2026-03-29T02:00:00+01:00", ""},
		{"Europe/London", "2026-10-25 00:59:59", "2026-10-25T00:59:59+01:00", ""},
		{"Europe/London", "2026-10-25 01:00:00", "2026-10-25T01:00:00+01:00", bizday.Ambiguous},
		{"Europe/London", "2026-10-25 01:59:59", "2026-10-25T01:59:59+01:00", bizday.Ambiguous},
		{"Europe/London", "2026-10-25 02:00:00", "2026-10-25T02:00:00Z", ""},
		{"Australia/Lord_Howe", "2026-04-05 01:29:59", "2026-04-05T01:29:59+11:00", ""},
		{"Australia/Lord_Howe", "2026-04-05 01:45:00", "2026-04-05T01:45:00+11:00", bizday.Ambiguous},
		{"Australia/Lord_Howe", "2026-10-04 02:15:00", "2026-10-04T02:45:00+11:00", bizday.Gap},
		{"Antarctica/Troll", "2026-10-25 01:30:00", "2026-10-25T01:30:00+02:00", bizday.Ambiguous},
		{"America/Sao_Paulo", "2018-02-17 23:30:00", "2018-02-17T23:30:00-02:00", bizday.Ambiguous},
		{"America/Sao_Paulo", "2018-11-04 00:00:00", "2018-11-04T01:00:00-02:00", bizday.Gap},
		{"Antarctica/Casey", "2018-03-11 02:30:00", "2018-03-11T02:30:00+11:00", bizday.Ambiguous}, // three hours
		{"Pacific/Apia", "2011-12-29 23:59:59", "2011-12-29T23:59:59-10:00", ""},
		{"Pacific/Apia", "2011-12-30 12:00:00", "2011-12-30T12:00:00-10:00", bizday.Gap},
		{"Pacific/Apia", "2011-12-31 00:00:00", "2011-12-31T00:00:00+14:00", ""},
		{"UTC", "2026-03-29 01:30:00", "2026-03-29T01:30:00Z", ""},
		{"America/New_York", "2028-12-31 12:00:00", "2028-12-31T12:00:00-05:00", ""}, // day 366
		{"America/New_York", "2096-12-31 23:59:59", "2096-12-31T23:59:59-05:00", ""},
	} {
		wall, err := time.Parse(time.DateTime, c.wall)
		if err != nil {
			t.Fatal(err)
		}
		r := rule(t, c.zone, "")
		at, flag := r.Local(wall)
		if !at.Equal(instant(t, c.at)) || flag != c.flag || at.Location() != r.Zone {
			t.Errorf("%s in %s is %s %q, want %s %q", c.wall, c.zone, at, flag, c.at, c.flag)
		}
		elsewhere := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, time.FixedZone("", -7*3600))
		if again, flag2 := r.Local(elsewhere); !again.Equal(at) || flag2 != flag {
			t.Errorf("the zone of %s plays a part: %s %q", elsewhere, again, flag2)
		}
	}
}

func TestDaysAreDates(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"2026-02-28", "2024-02-29", "0001-01-01", "9999-12-31"} {
		if d, err := bizday.Parse(s); err != nil || string(d) != s {
			t.Errorf("Parse(%q) = %q, %v", s, d, err)
		}
	}
	for _, s := range []string{"", "2026-02-29", "2026-2-1", "26-02-01", "2026-02-01T00:00:00Z", " 2026-02-01", "2026/02/01"} {
		if d, err := bizday.Parse(s); err == nil {
			t.Errorf("Parse(%q) = %q", s, d)
		}
	}
	for _, c := range []struct {
		from bizday.Day
		n    int
		want bizday.Day
	}{
		{"2026-02-28", 1, "2026-03-01"}, {"2024-02-28", 1, "2024-02-29"}, {"2026-01-01", -1, "2025-12-31"}, {"2026-01-01", 0, "2026-01-01"},
		{"2026-01-01", 365, "2027-01-01"}, {"yesterday", 1, "yesterday"},
	} {
		if got := c.from.Add(c.n); got != c.want {
			t.Errorf("%s and %d days is %s, want %s", c.from, c.n, got, c.want)
		}
	}
}

func TestADayThatIsNoDateHasNoBounds(t *testing.T) {
	t.Parallel()
	r := rule(t, "Europe/London", "")
	if start, end := r.Start("soon"), r.End("soon"); !start.IsZero() || !end.IsZero() {
		t.Errorf("%s to %s", start, end)
	}
}

func TestRulesAreReadFromWords(t *testing.T) {
	t.Parallel()
	for cutoff, want := range map[string]time.Duration{"": 0, "00:00": 0, "04:00": 4 * time.Hour, "23:59": 23*time.Hour + 59*time.Minute} {
		if r := rule(t, "Europe/London", cutoff); r.Cutoff != want || r.Zone.String() != "Europe/London" {
			t.Errorf("cut-off %q is %s in %s", cutoff, r.Cutoff, r.Zone)
		}
	}
	for _, c := range [][2]string{
		{"", ""}, {"Local", ""}, {"Mars/Olympus", ""}, {"../etc/passwd", ""}, {"Europe/London", "24:00"}, {"Europe/London", "4"},
		{"Europe/London", "-1:00"}, {"Europe/London", "04:00:00"}, {"Europe/London", "noon"},
	} {
		if r, err := bizday.NewRule(c[0], c[1]); err == nil {
			t.Errorf("zone %q and cut-off %q give %+v", c[0], c[1], r)
		}
	}
}

func TestDaysAtTheEndsOfTheCalendarEnd(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Pacific/Kiritimati", "Pacific/Pago_Pago", "America/New_York"} {
		r := rule(t, zone, "04:00")
		for _, at := range []string{"0001-01-03T00:00:00Z", "1900-01-01T00:00:00Z", "9999-12-29T00:00:00Z"} {
			d := r.Of(instant(t, at))
			if _, err := bizday.Parse(string(d)); err != nil || r.Start(d).After(instant(t, at)) {
				t.Errorf("%s in %s belongs to %s, which begins at %s", at, zone, d, r.Start(d))
			}
		}
	}
}

func BenchmarkOf(b *testing.B) {
	r := rule(b, "Europe/London", "04:00")
	at := time.Date(2026, 6, 13, 1, 30, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		r.Of(at)
	}
}

func BenchmarkLocal(b *testing.B) {
	r := rule(b, "Europe/London", "04:00")
	wall := time.Date(2026, 6, 13, 1, 30, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		r.Local(wall)
	}
}
