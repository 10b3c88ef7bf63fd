package day

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/shared/bizday"
)

// Scenario 62.
func TestADayWithoutTradeIsOpenedOnceEveryAgentHasSentAllOfIt(t *testing.T) {
	t.Parallel()
	calendar := merchant.Calendar{Rule: rule(t, "Europe/London", "04:00"), Settle: 30 * time.Minute}
	known := []bizday.Day{"2026-11-03", "2026-11-06"}
	now := utc("2026-11-08T04:30:00Z") // the 7th has settled
	all := utc("2026-11-08T04:30:00Z")
	for _, test := range []struct {
		name   string
		known  []bizday.Day
		older  bool
		agents []Agent
		now    time.Time
		want   []bizday.Day
	}{
		{"between days with trade and after", known, false, []Agent{{ID: "a", CoveredTo: all}}, now, []bizday.Day{"2026-11-04", "2026-11-05", "2026-11-07"}},
		{"one that has not settled", known, false, []Agent{{ID: "a", CoveredTo: all}}, now.Add(-time.Second), []bizday.Day{"2026-11-04", "2026-11-05"}},
		{"an agent that has not sent all of it", known, false, []Agent{{ID: "a", CoveredTo: all}, {ID: "b", CoveredTo: utc("2026-11-05T04:00:00Z")}}, now, []bizday.Day{"2026-11-04"}},
		{"an agent that is revoked says nothing", known, false, []Agent{{ID: "a", CoveredTo: all, Revoked: true}}, now, nil},
		{"a shop that never traded", nil, false, []Agent{{ID: "a", CoveredTo: all}}, now, nil},
		{"a shop that traded before the window", []bizday.Day{"2026-11-06"}, true, []Agent{{ID: "a", CoveredTo: utc("2026-11-05T04:00:00Z")}}, now, []bizday.Day{"2026-11-02", "2026-11-03", "2026-11-04"}},
		{"a shop that is away", []bizday.Day{"2026-11-03"}, false, []Agent{{ID: "a", CoveredTo: utc("2026-12-08T00:00:00Z")}}, utc("2026-12-08T00:00:00Z"),
			[]bizday.Day{"2026-11-04", "2026-11-05", "2026-11-06", "2026-11-07", "2026-11-08", "2026-11-09", "2026-11-10"}},
	} {
		if got := Quiet(calendar, "2026-11-02", test.known, test.older, test.agents, test.now); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v; want %v", test.name, got, test.want)
		}
	}
}

type quietStore struct {
	stops
	opened []Ref
	err    error
}

func (s *quietStore) Known(context.Context, string, string, bizday.Day) ([]bizday.Day, bool, []Agent, error) {
	return []bizday.Day{"2026-11-03"}, false, []Agent{{ID: "a", CoveredTo: utc("2026-11-06T12:00:00Z")}}, s.err
}

func (s *quietStore) Open(_ context.Context, ref Ref, _ time.Time) error {
	s.opened = append(s.opened, ref)
	return nil
}

func TestAnOpenerOpensTheQuietDaysOfEachStore(t *testing.T) {
	t.Parallel()
	s := &quietStore{}
	o := &Opener{Store: s, Now: func() time.Time { return utc("2026-11-06T12:00:00Z") }}
	if err := o.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []Ref{{"m", "s", "2026-11-04"}, {"m", "s", "2026-11-05"}}; !slices.Equal(s.opened, want) {
		t.Errorf("opened %v; want %v", s.opened, want)
	}
	s.err = errBrokenStore
	if err := o.Check(t.Context()); !errors.Is(err, errBrokenStore) {
		t.Errorf("a store that fails: %v", err)
	}
}
