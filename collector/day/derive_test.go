package day

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

func rule(t testing.TB, zone, cutoff string) bizday.Rule {
	t.Helper()
	r, err := bizday.NewRule(zone, cutoff)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func utc(s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return at.UTC()
}

func TestTheDayIsTheStatedOneElseThePeriodsElseByCutoff(t *testing.T) {
	t.Parallel()
	bar := rule(t, "Europe/London", "04:00")
	offset := 120
	captured := document.Source{CapturedAt: utc("2026-11-05T10:00:00Z")}
	for _, test := range []struct {
		name   string
		d      document.Document
		day    bizday.Day
		origin string
	}{
		{"the stated date wins", document.Document{StatedDay: document.StatedDay{Date: "2026-11-02", Z: "7"}, Time: document.Time{UTC: utc("2026-11-05T12:00:00Z")}}, "2026-11-02", OriginStated},
		{"a stated date that is none is passed over", document.Document{StatedDay: document.StatedDay{Date: "2.11."}, Time: document.Time{UTC: utc("2026-11-05T12:00:00Z")}}, "2026-11-05", OriginTime},
		{"the day of its Z", document.Document{StatedDay: document.StatedDay{Z: "7"}, Time: document.Time{UTC: utc("2026-11-05T12:00:00Z")}}, "2026-11-03", OriginPeriod},
		{"the day of its session", document.Document{StatedDay: document.StatedDay{Session: "s7"}, Time: document.Time{UTC: utc("2026-11-05T12:00:00Z")}}, "2026-11-03", OriginPeriod},
		{"a Z that is not here yet", document.Document{StatedDay: document.StatedDay{Z: "8"}, Time: document.Time{UTC: utc("2026-11-05T12:00:00Z")}}, "2026-11-05", OriginTime},
		{"a Z is not its own period", document.Document{Kind: document.PeriodClose, StatedDay: document.StatedDay{Z: "7"}, Time: document.Time{UTC: utc("2026-11-05T12:00:00Z")}}, "2026-11-05", OriginTime},
		{"01:30 belongs to the day before", document.Document{Time: document.Time{UTC: utc("2026-11-04T01:30:00Z")}}, "2026-11-03", OriginTime},
		{"04:00 begins the day", document.Document{Time: document.Time{UTC: utc("2026-11-04T04:00:00Z")}}, "2026-11-04", OriginTime},
		{"a wall clock of the store", document.Document{Time: document.Time{AsGiven: "2026-07-04T03:59:59"}}, "2026-07-03", OriginTime},
		{"a wall clock with an offset", document.Document{Time: document.Time{AsGiven: "2026-07-04T04:30:00", Offset: &offset}}, "2026-07-03", OriginTime},
		{"a text with a zone", document.Document{Time: document.Time{AsGiven: "2026-07-04T04:30:00+02:00"}}, "2026-07-03", OriginTime},
		{"a date alone is the day", document.Document{Time: document.Time{AsGiven: "2026-07-04", Flags: []string{"DATE_ONLY"}, UTC: utc("2026-07-04T00:00:00Z")}}, "2026-07-04", OriginTime},
		{"a German date", document.Document{Time: document.Time{AsGiven: "04.07.2026 03:00"}}, "2026-07-03", OriginTime},
	} {
		test.d.Source = captured
		period := func(session, z string) (bizday.Day, bool) { return "2026-11-03", z == "7" || session == "s7" }
		day, origin, err := Derive(&test.d, bar, period)
		if err != nil || day != test.day || origin != test.origin {
			t.Errorf("%s: %s by %s, %v; want %s by %s", test.name, day, origin, err, test.day, test.origin)
		}
	}
}

func TestATimeThatCannotBeReadIsAnErrorWithTheDayOfCapture(t *testing.T) {
	t.Parallel()
	d := document.Document{Time: document.Time{AsGiven: "07/04/2026 1:00"}, Source: document.Source{CapturedAt: utc("2026-07-05T02:00:00Z")}}
	day, origin, err := Derive(&d, rule(t, "Europe/London", "04:00"), nil)
	if !errors.Is(err, ErrTime) || day != "2026-07-04" || origin != OriginCaptured {
		t.Errorf("%s by %s, %v", day, origin, err)
	}
	d.Source = document.Source{}
	if day, _, err := Derive(&d, rule(t, "Europe/London", "04:00"), nil); !errors.Is(err, ErrTime) || day != "" {
		t.Errorf("without a capture: %q, %v", day, err)
	}
}

func TestEveryInstantIsInExactlyOneDayAlsoWhenTheClocksChange(t *testing.T) {
	t.Parallel()
	zones := []string{"Europe/London", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Cairo", "UTC"}
	rapid.Check(t, func(t *rapid.T) {
		r, err := bizday.NewRule(rapid.SampledFrom(zones).Draw(t, "zone"), rapid.SampledFrom([]string{"00:00", "02:30", "04:00", "06:00"}).Draw(t, "cutoff"))
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(rapid.Int64Range(1577836800, 2082758400).Draw(t, "at"), 0).UTC()
		day, _, err := Derive(&document.Document{Time: document.Time{UTC: at}}, r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if at.Before(r.Start(day)) || !at.Before(r.End(day)) {
			t.Fatalf("%s is not in %s, which is from %s to %s", at, day, r.Start(day), r.End(day))
		}
	})
}
