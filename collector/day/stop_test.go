package day

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/shared/bizday"
)

const firstFailing = bizday.Day("2026-11-03")

// outcomesOf makes n days that went so, the first of them from on.
func outcomesOf(store string, from bizday.Day, n int, state string, stuck int) []Outcome {
	var all []Outcome
	for i := range n {
		all = append(all, Outcome{Ref: Ref{"m", store, from.Add(i)}, State: state, Stuck: stuck})
	}
	return all
}

func TestFailingDaysAreThoseInARowThatReachedNoBooks(t *testing.T) {
	t.Parallel()
	late := func(r Ref) bool { return r.Day < "2026-11-20" }
	join := func(parts ...[]Outcome) (all []Outcome) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for _, test := range []struct {
		name string
		all  []Outcome
		want int
	}{
		{"none", nil, 0},
		{"held past their deadline", outcomesOf("s", firstFailing, 5, Held, 0), 5},
		{"postings that wait for a person", outcomesOf("s", firstFailing, 5, Ready, 1), 5},
		{"one good day ends the row", join(outcomesOf("s", firstFailing, 5, Held, 0), outcomesOf("s", firstFailing.Add(3), 1, Ready, 0)), 1},
		{"an old day that waits for its accountant is none", join(outcomesOf("s", firstFailing, 1, Held, 0), outcomesOf("s", firstFailing.Add(1), 5, Ready, 0)), 0},
		{"another store's days reach the books", join(outcomesOf("s", firstFailing, 5, Held, 0), outcomesOf("t", firstFailing, 5, Ready, 0)), 0},
		{"days that wait as they should", outcomesOf("s", "2026-11-25", 5, Held, 0), 0},
		{"days that are open, closing or external say nothing", join(outcomesOf("s", firstFailing, 2, Held, 0), outcomesOf("s", firstFailing.Add(2), 2, External, 0), outcomesOf("s", firstFailing.Add(4), 2, Closing, 0)), 2},
	} {
		if got := Failing(test.all, late); got != test.want {
			t.Errorf("%s: %d; want %d", test.name, got, test.want)
		}
	}
}

// stops is a StopStore of one merchant.
type stops struct {
	outcomes []Outcome
	resumed  time.Time
	stop     *Stop
	err      error
}

func (s *stops) Merchants(context.Context) ([]merchant.Merchant, error) {
	return []merchant.Merchant{{ID: "m", Stores: []merchant.Store{{ID: "s", Zone: "Europe/London", Cutoff: "04:00"}}}}, nil
}
func (s *stops) Stopped(context.Context, string) (*Stop, error) { return s.stop, s.err }
func (s *stops) Stop(_ context.Context, _ string, stop Stop) (bool, error) {
	s.stop = &stop
	return true, nil
}
func (s *stops) Outcomes(context.Context, string, bizday.Day) ([]Outcome, time.Time, error) {
	return s.outcomes, s.resumed, s.err
}

// Scenario 57.
func TestAMerchantIsWarnedOfAndStoppedAfter31FailingDays(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	store := &stops{}
	now := utc("2026-11-04T12:00:00Z")
	w := &Watch{Store: store, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	check := func() {
		t.Helper()
		if err := w.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	warned := map[int]int{}
	for n := range 31 {
		store.outcomes = outcomesOf("s", firstFailing, n+1, Held, 0)
		now = utc("2026-11-05T16:00:00Z").AddDate(0, 0, n) // the deadline of the newest
		log.Reset()
		check()
		check() // says nothing twice
		if n := strings.Count(log.String(), "do not reach the books\""); n > 0 {
			warned[len(store.outcomes)] = n
		}
		if n < 30 && store.stop != nil {
			t.Fatalf("stopped after %d days", n+1)
		}
	}
	for _, n := range []int{1, 3, 7, 14, 31} {
		if warned[n] != 1 {
			t.Errorf("%d warnings after %d days", warned[n], n)
		}
	}
	if len(warned) != 5 {
		t.Errorf("warned after %v days", warned)
	}
	if store.stop == nil || store.stop.Reason != StopFailing || store.stop.By != "" || !store.stop.At.Equal(now) {
		t.Fatalf("stopped: %+v", store.stop)
	}
	if f := w.Failures(); f.Stopped != 1 || !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("failures %+v, log %s", f, log.String())
	}
	store.stop, store.resumed = nil, now // a person resumes: what was before does not count
	check()
	if f := w.Failures(); f.Stopped != 0 || len(f.Warned) != 0 || store.stop != nil {
		t.Errorf("after it was resumed: %+v, %+v", f, store.stop)
	}
	store.err = errBrokenStore
	if err := w.Check(t.Context()); !errors.Is(err, errBrokenStore) {
		t.Errorf("a store that fails: %v", err)
	}
}

var errBrokenStore = errors.New("disk on fire")
