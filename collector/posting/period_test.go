package posting_test

import (
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/bizday"
)

// in moves the shop to a country and chooses settings of its connection.
func (s *shop) in(country string, settings map[string]string) {
	m := postingtest.Shop()
	m.Country = country
	for name, value := range settings {
		m.Connections[0].Settings[name] = value
	}
	s.store.Configure(m)
}

// TestScenario56ADayInClosedBooksIsHeldOrBookedOnTheNextOpenDay: the merchant
// sees which.
func TestScenario56ADayInClosedBooksIsHeldOrBookedOnTheNextOpenDay(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.books.SetPeriod(target.Period{Closed: "2026-11-30"})
	s.sell("1", 1200)
	s.sweep(0)
	s.wantStates("refused")
	if text := s.postings()[0].Error; !strings.Contains(text, "closed up to 2026-11-30") || !strings.Contains(text, "open them") {
		t.Errorf("held with %q", text)
	}
	if s.books.Posts() != 0 {
		t.Error("it was sent")
	}
	// Opened again, it goes on by itself after its rest.
	s.books.SetPeriod(target.Period{})
	s.sweep(time.Hour)
	s.wantStates("posted")
	s.wantBooked(1200, "POS-HIGH-20261103")
	if on := s.books.Booked()[0].Date; on != postingtest.Day {
		t.Errorf("booked on %s", on)
	}
}

func TestAHeldDayIsBookedOnTheNextOpenDayOnceThatIsChosen(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.books.SetPeriod(target.Period{Closed: "2026-11-30"})
	s.sell("1", 1200)
	s.sweep(0)
	s.wantStates("refused")
	s.in("GB", map[string]string{"closed": merchant.NextOpenDay})
	s.sweep(0)
	s.sweep(0)
	s.wantStates("undone posted")
	booked := s.books.Booked()
	if len(booked) != 1 || booked[0].Date != "2026-12-01" || !strings.Contains(booked[0].Narration, string(postingtest.Day)) {
		t.Errorf("booked %+v", booked)
	}
	s.wantNothingDue()
}

// TestScenario74ALateSaleOfAFiledPeriodFollowsTheLawOfTheCountry: the first open
// day with the true day in the text, or held until the return is amended.
func TestScenario74ALateSaleOfAFiledPeriodFollowsTheLawOfTheCountry(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		country string
		filed   string // setting
		date    bizday.Day
	}{
		{"GB", "", "2027-01-01"},
		{"DE", "", ""},
		{"NO", "", ""},
		{"US", "", ""},
		{"XX", "", ""}, // not known: held
		{"GB", merchant.Hold, ""},
		{"DE", merchant.NextOpenDay, "2027-01-01"},
	} {
		t.Run(test.country+" "+test.filed, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.in(test.country, map[string]string{"filed": test.filed})
			s.sell("1", 1200)
			s.sweep(0)
			s.books.SetPeriod(target.Period{Filed: "2026-12-31"})
			s.sell("2", 600) // late
			s.sweep(0)
			if test.date == "" {
				s.wantStates("posted refused")
				s.wantBooked(1200, "POS-HIGH-20261103")
				if text := s.postings()[1].Error; !strings.Contains(text, "amend the return") || !strings.Contains(text, "2026-12-31") {
					t.Errorf("held with %q", text)
				}
				return
			}
			s.wantStates("posted posted")
			late := s.books.Booked()[1]
			if late.Date != test.date || !strings.Contains(late.Narration, string(postingtest.Day)) || !strings.HasPrefix(late.Reason, posting.Correction) {
				t.Errorf("booked on %s: %s (%s)", late.Date, late.Narration, late.Reason)
			}
			s.wantNothingDue()
		})
	}
}

// TestARestThatTheTargetAsksForIsKept also where it is longer than ours.
func TestARestThatTheTargetAsksForIsKept(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sell("1", 1200)
	s.books.Fail(postingtest.Throttle)
	s.sweep(0)
	s.wantStates("intended")
	s.sweep(postingtest.ThrottleRest - time.Second)
	if n := s.books.Posts(); n != 1 {
		t.Errorf("sent %d times within the rest", n)
	}
	s.sweep(time.Second)
	s.wantStates("posted")
}
