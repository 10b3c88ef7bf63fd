package work_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tillbook.example/tillbook/collector/work"
)

// store keeps leases in memory, by the time of the bubble.
type store struct {
	mu      sync.Mutex
	leases  map[work.Subject]work.Lease
	until   map[work.Subject]time.Time
	renewed int
	down    error
}

func newStore() *store {
	return &store{leases: map[work.Subject]work.Lease{}, until: map[work.Subject]time.Time{}}
}

func (s *store) Claim(_ context.Context, holder string, subjects []work.Subject, term time.Duration) ([]work.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return nil, s.down
	}
	var got []work.Lease
	for _, subject := range subjects {
		if s.until[subject].After(time.Now()) {
			continue
		}
		s.leases[subject] = work.Lease{Subject: subject, Holder: holder, Fence: s.leases[subject].Fence + 1}
		s.until[subject] = time.Now().Add(term)
		got = append(got, s.leases[subject])
	}
	return got, nil
}

func (s *store) Renew(_ context.Context, leases []work.Lease, term time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return s.down
	}
	s.renewed++
	for _, l := range leases {
		if s.leases[l.Subject] == l {
			s.until[l.Subject] = time.Now().Add(term)
		}
	}
	return nil
}

func (s *store) Release(_ context.Context, leases []work.Lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range leases {
		if s.leases[l.Subject] == l {
			s.until[l.Subject] = time.Time{}
		}
	}
	return s.down
}

// held returns which subjects are held now.
func (s *store) held() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for subject, until := range s.until {
		if until.After(time.Now()) {
			names = append(names, subject.Name)
		}
	}
	slices.Sort(names)
	return names
}

func subjects(names ...string) []work.Subject {
	var out []work.Subject
	for _, name := range names {
		out = append(out, work.Subject{Merchant: "acme", Name: name})
	}
	return out
}

func TestWithoutASharePartIsAll(t *testing.T) {
	t.Parallel()
	var share *work.Share
	var done []int
	err := share.Each(t.Context(), subjects("a", "b", "c"), func(ctx context.Context, i int) time.Duration {
		if _, held := work.Held(ctx); held {
			t.Error("there is a lease")
		}
		done = append(done, i)
		return 0
	})
	if err != nil || !slices.Equal(done, []int{0, 1, 2}) {
		t.Errorf("did %v, %v", done, err)
	}
}

func TestTwoShareWhatThereIsAndNeverWorkOnTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		names := []string{"a", "b", "c", "d", "e", "f", "g"}
		var mu sync.Mutex
		by := map[string]map[string]int{"one": {}, "two": {}}
		active := map[string]string{}
		var working sync.WaitGroup
		for holder := range by {
			share := &work.Share{Store: s, Holder: holder, Batch: 2}
			working.Go(func() {
				if err := share.Each(t.Context(), subjects(names...), func(ctx context.Context, i int) time.Duration {
					l, held := work.Held(ctx)
					if !held || l.Name != names[i] || l.Holder != holder {
						t.Errorf("%s works on %s under %+v", holder, names[i], l)
					}
					mu.Lock()
					by[holder][names[i]]++
					if other := active[names[i]]; other != "" {
						t.Errorf("%s and %s work on %s", holder, other, names[i])
					}
					active[names[i]] = holder
					mu.Unlock()
					wait(ctx, time.Minute) // much longer than the term
					mu.Lock()
					defer mu.Unlock()
					active[names[i]] = ""
					return 0
				}); err != nil {
					t.Error(err)
				}
			})
		}
		working.Wait()
		total := map[string]int{}
		for holder, done := range by {
			if len(done) < 2 {
				t.Errorf("%s did only %v", holder, done)
			}
			for name, n := range done {
				total[name] += n
			}
		}
		if len(total) != len(names) {
			t.Errorf("done: %v", total)
		}
		if s.renewed == 0 || len(s.held()) > 0 {
			t.Errorf("renewed %d times, afterwards %v are held", s.renewed, s.held())
		}
	})
}

func TestWhoCannotRenewStopsBeforeAnotherMayBegin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		share := &work.Share{Store: s, Holder: "one", Term: 30 * time.Second}
		begun := time.Now()
		did := 0
		err := share.Each(t.Context(), subjects("a", "b"), func(ctx context.Context, _ int) time.Duration {
			did++
			s.mu.Lock()
			s.down = errors.New("no database")
			s.mu.Unlock()
			wait(ctx, time.Hour)
			if !errors.Is(context.Cause(ctx), work.ErrLost) {
				t.Errorf("stopped by %v", context.Cause(ctx))
			}
			if ran := time.Since(begun); ran < 20*time.Second || ran > 30*time.Second {
				t.Errorf("stopped after %s", ran)
			}
			return 0
		})
		if did != 1 || err == nil { // what was held could not be released
			t.Errorf("worked on %d subjects, %v", did, err)
		}
	})
}

func TestTheEndOfTheContextEndsTheWorkAndReleasesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		ctx, cancel := context.WithCancel(t.Context())
		share := &work.Share{Store: s, Holder: "one"}
		err := share.Each(ctx, subjects("a", "b"), func(context.Context, int) time.Duration { cancel(); return time.Hour })
		if !errors.Is(err, context.Canceled) || len(s.held()) > 0 {
			t.Errorf("%v, afterwards %v are held", err, s.held())
		}
	})
}

func TestWhatRestsIsLeftAloneByAllUntilItHasRested(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		one, two := &work.Share{Store: s, Holder: "one"}, &work.Share{Store: s, Holder: "two"}
		begun := time.Now()
		looks := map[string][]time.Duration{}
		for range 5 {
			for _, share := range []*work.Share{one, two} {
				if err := share.Each(t.Context(), subjects("resting", "not"), func(_ context.Context, i int) time.Duration {
					name := []string{"resting", "not"}[i]
					looks[name] = append(looks[name], time.Since(begun))
					return []time.Duration{10 * time.Second, 0}[i]
				}); err != nil {
					t.Fatal(err)
				}
				wait(t.Context(), 3*time.Second)
			}
		}
		if want := []time.Duration{0, 12 * time.Second, 24 * time.Second}; !slices.Equal(looks["resting"], want) || len(looks["not"]) != 10 {
			t.Errorf("looks: %v", looks)
		}
	})
}

func TestWorkThatCannotBeClaimedIsNotDone(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.down = errors.New("no database")
	share := &work.Share{Store: s, Holder: "one"}
	err := share.Each(t.Context(), subjects("a"), func(context.Context, int) time.Duration { t.Error("worked"); return 0 })
	if !errors.Is(err, s.down) {
		t.Errorf("%v", err)
	}
}

// wait waits for a time, or for the end of ctx.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func TestWhoQuitsFinishesWhatIsInHandAndLeavesTheRestToOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		for name, share := range map[string]*work.Share{"alone": nil, "one of many": {Store: s, Holder: "a", Term: time.Minute, Batch: 2}} {
			quit := make(chan struct{})
			var done []int
			err := share.Each(work.Quitting(t.Context(), quit), subjects("a", "b", "c", "d"), func(ctx context.Context, i int) time.Duration {
				close(quit)
				if ctx.Err() != nil {
					t.Errorf("%s: what is in hand was cut off", name)
				}
				done = append(done, i)
				return 0
			})
			if err != nil || !slices.Equal(done, []int{0}) {
				t.Errorf("%s: did %v, %v; want only what was in hand", name, done, err)
			}
		}
		if held := s.held(); len(held) > 0 {
			t.Errorf("still held: %v", held)
		}
	})
}
