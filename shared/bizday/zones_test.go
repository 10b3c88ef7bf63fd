package bizday_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/bizday"
)

// zones are those whose clocks do unusual things between 2010 and 2035, and a
// few usual ones.
var zones = []string{
	"UTC", "Europe/London", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Eucla",
	"Australia/Lord_Howe",             // half an hour
	"Antarctica/Troll",                // two hours
	"Antarctica/Casey",                // three hours, and again
	"Pacific/Apia", "Pacific/Fakaofo", // a day left out
	"Pacific/Kiritimati", "Pacific/Pago_Pago", // +14 and -11
	"Pacific/Chatham",                      // 02:45
	"Africa/Casablanca", "Africa/El_Aaiun", // Ramadan
	"America/Sao_Paulo", "America/Asuncion", "America/Havana", "America/Santiago", // midnight
	"Asia/Beirut", "Asia/Amman", "Asia/Damascus", "Asia/Gaza", "Asia/Tehran", "Asia/Jerusalem", // midnight, by decree
	"Africa/Cairo",                                            // given up and taken up
	"America/St_Johns",                                        // one minute past midnight
	"Atlantic/Azores", "America/Scoresbysund", "America/Nuuk", // at 01:00 UTC, before midnight
	"Europe/Moscow", "Europe/Istanbul", "Europe/Volgograd", "Europe/Simferopol", // changed for good
	"Asia/Pyongyang", "America/Caracas", "Pacific/Norfolk", // half an hour for good
	"Africa/Juba", "Africa/Khartoum", "Africa/Sao_Tome", "Africa/Windhoek", // an hour for good
	"Pacific/Fiji", "Pacific/Tongatapu", "Pacific/Easter", "America/Metlakatla", "Asia/Pyongyang", // and others
}

// changes returns the instants between 2010 and 2035 at which the clock of a
// zone is changed, to the second.
func changes(zone *time.Location) []time.Time {
	offset := func(t time.Time) int {
		_, seconds := t.In(zone).Zone()
		return seconds
	}
	var found []time.Time
	for day := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2036; day = day.Add(24 * time.Hour) {
		low, high := day, day.Add(24*time.Hour)
		if offset(low) == offset(high) {
			continue
		}
		for high.Sub(low) > time.Second {
			if middle := low.Add(high.Sub(low) / 2).Truncate(time.Second); offset(middle) == offset(low) {
				low = middle
			} else {
				high = middle
			}
		}
		found = append(found, high)
	}
	return found
}

var cutoffs = []string{"", "00:30", "02:15", "04:00", "23:59"}

func TestEveryInstantBelongsToExactlyOneDayAndDaysFollowOneAnother(t *testing.T) {
	t.Parallel()
	for _, zone := range slices.Compact(slices.Sorted(slices.Values(zones))) {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			location := rule(t, zone, "").Zone
			var probes []time.Time
			around := []time.Time{ // the ends of leap years too
				time.Date(2028, 12, 31, 12, 0, 0, 0, time.UTC), time.Date(2032, 12, 31, 0, 0, 0, 0, time.UTC),
				time.Date(2033, 1, 1, 0, 0, 0, 0, time.UTC),
			}
			for _, at := range append(around, changes(location)...) {
				for hours := -27; hours <= 27; hours += 3 {
					probes = append(probes, at.Add(time.Duration(hours)*time.Hour))
				}
				for _, near := range []time.Duration{-2 * time.Hour, -time.Hour, -31 * time.Minute, -1, 1, time.Second, 29 * time.Minute, time.Hour, 2 * time.Hour} {
					probes = append(probes, at.Add(near))
				}
			}
			slices.SortFunc(probes, time.Time.Compare)
			for _, cutoff := range cutoffs {
				r := rule(t, zone, cutoff)
				last := bizday.Day("")
				for _, at := range probes {
					d := r.Of(at)
					start, end := r.Start(d), r.End(d)
					switch {
					case at.Before(start) || !at.Before(end):
						t.Fatalf("cut-off %q: %s belongs to %s, which is from %s to %s", cutoff, at.In(location), d, start, end)
					case d < last:
						t.Fatalf("cut-off %q: %s belongs to %s, an earlier instant to %s", cutoff, at.In(location), d, last)
					case !r.Start(d.Add(1)).Equal(end):
						t.Fatalf("cut-off %q: %s ends at %s, the next begins at %s", cutoff, d, end, r.Start(d.Add(1)))
					case r.Of(start) != d || r.Of(end.Add(-1)) != d || end.Sub(start) > 28*time.Hour:
						t.Fatalf("cut-off %q: %s is not what lies from %s to %s", cutoff, d, start, end)
					}
					last = d
				}
			}
		})
	}
}

// scene is a moment near a change of some zone's clock.
type scene struct {
	zone    *time.Location
	name    string
	changed time.Time
}

func scenes(t *testing.T) *rapid.Generator[scene] {
	var all []scene
	for _, zone := range zones {
		location := rule(t, zone, "").Zone
		for _, at := range changes(location) {
			all = append(all, scene{location, zone, at})
		}
	}
	if len(all) < 500 {
		t.Fatalf("only %d changes of the clock were found", len(all))
	}
	return rapid.SampledFrom(all)
}

// shows reports what the clock of a zone shows, as a time in UTC.
func shows(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

func TestLocalFindsWhatASearchOfEveryMinuteFinds(t *testing.T) {
	t.Parallel()
	scenes := scenes(t)
	rapid.Check(t, func(t *rapid.T) {
		s := scenes.Draw(t, "scene")
		minutes := rapid.IntRange(-5*60, 27*60).Draw(t, "minutes after what the clock showed")
		wall := shows(s.changed.Add(-time.Second), s.zone).Add(time.Second + time.Duration(minutes)*time.Minute)
		var found []time.Time
		for at := wall.Add(-30 * time.Hour); at.Before(wall.Add(30 * time.Hour)); at = at.Add(time.Minute) {
			if shows(at, s.zone).Equal(wall) {
				found = append(found, at)
			}
		}
		got, flag := bizday.Rule{Zone: s.zone}.Local(wall)
		want := map[int]string{0: bizday.Gap, 1: ""}[min(len(found), 2)]
		if len(found) > 1 {
			want = bizday.Ambiguous
		}
		if flag != want || len(found) > 0 && !got.Equal(found[0]) {
			t.Fatalf("%s in %s is %s %q, want one of %v %q", wall, s.name, got, flag, found, want)
		}
		if len(found) == 0 && (got.Before(s.changed) || got.Sub(s.changed) >= 24*time.Hour) {
			t.Fatalf("%s in %s was left out at %s and is read as %s", wall, s.name, s.changed, got)
		}
	})
}

func TestADayBeginsAtTheFirstMinuteThatShowsItsCutOffOrLater(t *testing.T) {
	t.Parallel()
	scenes := scenes(t)
	rapid.Check(t, func(t *rapid.T) {
		s := scenes.Draw(t, "scene")
		cutoff := time.Duration(rapid.IntRange(0, 24*60).Draw(t, "cut-off")) * time.Minute
		date := shows(s.changed, s.zone).Truncate(24*time.Hour).AddDate(0, 0, rapid.IntRange(-2, 2).Draw(t, "day"))
		want := date.Add(-20 * time.Hour)
		for shows(want, s.zone).Before(date.Add(cutoff)) {
			want = want.Add(time.Minute)
		}
		day := bizday.Day(date.Format(time.DateOnly))
		if got := (bizday.Rule{Zone: s.zone, Cutoff: cutoff}).Start(day); !got.Equal(want) {
			t.Fatalf("%s in %s, cut-off %s, begins at %s, want %s", day, s.name, cutoff, got, want.In(s.zone))
		}
	})
}
