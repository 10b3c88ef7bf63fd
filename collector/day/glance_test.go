package day

import (
	"context"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/shared/document"
)

// glanceAt is what a glance at a day of facts tells.
func glanceAt(f Facts) Glance {
	g := Glance{StoreDay: f.StoreDay, Store: f.Store, Agents: f.Agents, Entered: f.Entered, Rejected: f.Rejected, Closed: len(f.Later) > 0}
	for _, s := range f.Documents {
		g.Closed = g.Closed || s.Document.Kind == document.PeriodClose
	}
	return g
}

// TestADayThatOnlyWaitsWouldBeDecidedAsItIs goes through a day of every kind, at
// every pair of moments at which it may have been decided and is looked at.
func TestADayThatOnlyWaitsWouldBeDecidedAsItIs(t *testing.T) {
	t.Parallel()
	sold := with(receipt("1", 1), receipt("2", 1))
	unknown := receipt("1", 2)
	unknown.Kind = "HOLOGRAM"
	nothing := func(*Facts) {}
	documents := map[string]factsOption{
		"sales": sold, "sales and a Z": with(receipt("1", 1), zed("1", 1, "1", evening)), "no trade": nothing,
		"all closed": with(receipt("1", 1), zed("1", 1, "1", evening), zed("2", 0, "", evening)), "a newer kind": with(unknown),
		"closed later": func(f *Facts) { sold(f); later(zed("1", 1, "1", nextEvening))(f) },
	}
	agents := map[string]factsOption{
		"away": coveredTo(time.Time{}), "behind": coveredTo(evening), "here": nothing, "none": func(f *Facts) { f.Agents = nil },
		"revoked": func(f *Facts) { f.Agents[0].CoveredTo, f.Agents[0].Revoked = evening, true },
		"two":     func(f *Facts) { f.Agents = append(f.Agents, Agent{ID: "b", CoveredTo: evening}) },
	}
	more := map[string]factsOption{
		"": nothing, "rejected": func(f *Facts) { f.Rejected = 1 }, "entered": func(f *Facts) { f.Entered = true },
		"closed before": func(f *Facts) { f.Entry, f.ChangedAt = 3, deadline }, "conflict": func(f *Facts) { f.Conflicts = 1 },
		"before the start": func(f *Facts) { f.Store.Start = "2026-11-04" }, "stopped": func(f *Facts) { f.Stop = &Stop{} },
		"tills that do not close": func(f *Facts) { f.Store.Terminals = []merchant.Terminal{{ID: "1"}} },
	}
	moments := []time.Time{utc("2026-11-03T09:00:00Z"), evening, dayEnd.Add(-1), dayEnd, night, dayEnd.Add(30 * time.Minute), morning, deadline.Add(-1), deadline, deadline.Add(36 * time.Hour)}
	waited := map[string]int{}
	for docs, option := range documents {
		for who, agent := range agents {
			for what, also := range more {
				f := facts(option, agent, also)
				was := f
				if what == "rejected" || what == "entered" || what == "before the start" { // since then
					was = facts(option, agent)
				}
				for i, decided := range moments {
					before := decide(t, was, decided)
					stored := f
					stored.State, stored.Hold = before.State, before.Hold
					if before.State == Ready {
						stored.State = Open
					}
					for _, now := range moments[i:] {
						hold, waits := glanceAt(stored).Waits(now)
						if !waits {
							continue
						}
						waited[stored.State]++
						got := decide(t, stored, now)
						same := (hold == nil) == (got.Hold == nil) && (hold == nil || *hold == *got.Hold)
						if got.State != stored.State || !same {
							t.Errorf("%s, agents %s, %s: decided at %s it is %s; at %s it is said to wait for %+v, and would be %s, %+v",
								docs, who, what, decided.Format(time.RFC3339), stored.State, now.Format(time.RFC3339), hold, got.State, got.Hold)
						}
					}
				}
			}
		}
	}
	for _, state := range []string{Open, Closing, Held} {
		if waited[state] == 0 {
			t.Errorf("no day that is %s was left alone", state)
		}
	}
}

// glancing is a store of one day that counts how often it is read whole.
type glancing struct {
	Store
	facts Facts
	whole int
}

func (s *glancing) Unsettled(context.Context) ([]Ref, error) { return []Ref{s.facts.Ref}, nil }

func (s *glancing) Facts(context.Context, Ref) (Facts, error) { s.whole++; return s.facts, nil }

func (s *glancing) Glances(context.Context, string, []Ref) ([]Glance, error) {
	return []Glance{glanceAt(s.facts)}, nil
}

func (s *glancing) Set(_ context.Context, _ Ref, _ int64, state string, hold *Hold, _ time.Time) error {
	s.facts.State, s.facts.Hold = state, hold
	return nil
}

func TestADayIsReadWholeOnlyWhenMoreThanItsWordsMayChange(t *testing.T) {
	t.Parallel()
	s := &glancing{facts: facts(with(receipt("1", 1)), coveredTo(evening))}
	now := evening
	c := &Closer{Store: s, Now: func() time.Time { return now }, Glances: s.Glances}
	sweep := func(what string, reads int, state string) {
		t.Helper()
		before := s.whole
		if _, err := c.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.whole-before != reads || s.facts.State != state {
			t.Errorf("%s: read whole %d times and %s, want %d and %s", what, s.whole-before, s.facts.State, reads, state)
		}
	}
	sweep("at first", 1, Open)
	s.facts.Version++
	sweep("while it trades", 0, Open)
	now = dayEnd
	sweep("when it has ended", 1, Closing)
	now = morning
	sweep("when it has settled", 1, Held)
	sweep("while its agent is away", 0, Held)
	s.facts.Agents[0].CoveredTo = nextEvening.Add(-24 * time.Hour).Add(time.Minute)
	held := s.facts.Hold.Action
	sweep("when its agent has sent some", 0, Held)
	if s.facts.Hold.Action == held {
		t.Error("what holds the day is not told anew")
	}
	s.facts.Version++
	sweep("when it has just changed", 0, Held)
	now = now.Add(rereadAfter)
	sweep("when it changed long ago", 1, Held)
	sweep("after that", 0, Held)
	now = deadline
	s.facts.Store.Start = "2026-11-04"
	sweep("at its deadline, with another configuration", 1, External)
}
