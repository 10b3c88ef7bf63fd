// Package feedtest is the conformance suite of sources: every source passes Run
// against a local server that answers as its provider does, and with what goes
// wrong between the two.
//
// Whatever goes wrong, in the end the same facts are known as if nothing had, and
// nothing is asked for while a source wants to be left alone. Faults are put in
// front of the server, so a source's tests need to know none of them.
package feedtest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// mostStrikes bounds at how many requests of one pull a fault is tried.
const mostStrikes = 10

// Noon is when pulls begin.
var Noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// Kit is one source under test. World is what its provider knows.
type Kit struct {
	Feed merchant.Feed
	// World makes a provider that has more than one page of what there is, as of
	// Noon.
	World func(t *testing.T) World
	// Open opens the source at an address.
	Open func(t *testing.T, base string, f merchant.Feed, now func() time.Time) feed.Source
}

// World is a provider's server.
type World interface {
	http.Handler
	// Grow has something new happen at a moment and changes something that was told
	// before.
	Grow(at time.Time)
	// Forget has the provider know none of the cursors it gave; it says false where
	// it gives none of its own.
	Forget() bool
}

// Run runs the suite.
func Run(t *testing.T, kit Kit) {
	t.Run("everything is told once, page by page, and then nothing", func(t *testing.T) {
		t.Parallel()
		s := start(t, kit)
		s.pull(nil)
		if s.pages < 2 || len(s.store.Facts()) < 3 {
			t.Fatalf("%d facts in %d pages are too few for a test", len(s.store.Facts()), s.pages)
		}
		if covered := s.store.State(s.id()).CoveredTo; covered.IsZero() || covered.After(s.now) {
			t.Errorf("at %s it is said that everything up to %s was handed over", s.now, covered)
		}
		before := s.store.Facts()
		s.now = s.now.Add(time.Minute)
		if kept := s.pull(nil); kept != (feed.Kept{}) {
			t.Errorf("asked again without anything new: %+v", kept)
		}
		same(t, "asked again", before, s.store.Facts())
	})
	t.Run("what is new and what has changed is told", func(t *testing.T) {
		t.Parallel()
		s := start(t, kit)
		s.pull(nil)
		before := s.store.Facts()
		s.now = s.now.Add(time.Minute)
		s.world.Grow(s.now)
		s.now = s.now.Add(time.Minute)
		s.pull(nil)
		added, changed := 0, 0
		after := s.store.Facts()
		for key, text := range after {
			if old, known := before[key]; !known {
				added++
			} else if old != text {
				changed++
			}
		}
		if added == 0 || changed == 0 || len(after) != len(before)+added {
			t.Errorf("%d facts are new and %d changed, of %d before and %d now", added, changed, len(before), len(after))
		}
		other := start(t, kit) // one that never asked before
		other.world.Grow(Noon.Add(time.Minute))
		other.now = s.now
		other.pull(nil)
		same(t, "asked all at once", after, other.store.Facts())
		s.store.Again()
		same(t, "after all pages came once more, the last first", after, s.store.Facts())
	})
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			want := start(t, kit)
			want.pull(nil)
			requests := want.requests
			for at := 0; at < requests; at += 1 + requests/mostStrikes {
				s := start(t, kit)
				s.pull(&strike{fault: fault, at: at})
				same(t, fmt.Sprintf("%s at request %d of %d", fault.name, at+1, requests), want.store.Facts(), s.store.Facts())
				if s.early > 0 {
					t.Errorf("%s at request %d: asked %d times while it wanted to be left alone", fault.name, at+1, s.early)
				}
			}
		})
	}
	t.Run("a cursor that is not known any more begins anew", func(t *testing.T) {
		t.Parallel()
		want := start(t, kit)
		want.pull(nil)
		s := start(t, kit)
		s.runner.Pages = 1
		if _, err := s.runner.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !s.world.Forget() {
			return // its cursors are moments and names, which do not end
		}
		s.runner.Pages = 0
		s.pull(nil)
		same(t, "begun anew", want.store.Facts(), s.store.Facts())
	})
	t.Run("a source that does not let the feed in is told apart", func(t *testing.T) {
		t.Parallel()
		s := start(t, kit)
		s.deny = true
		if _, err := s.runner.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if state := s.store.State(s.id()); state.Code != feed.CodeDenied || !state.NotBefore.After(s.now) {
			t.Errorf("%+v", state)
		}
	})
}

func same(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// site is a source with its provider and what is kept of it.
type site struct {
	t      *testing.T
	world  World
	store  *Memory
	runner *feed.Runner
	kit    Kit

	mu       sync.Mutex
	now      time.Time
	strike   *strike
	requests int
	early    int                                   // requests before rest
	rest     time.Time                             // until then it wants to be left alone
	answers  map[string]*httptest.ResponseRecorder // the last one to each question, whatever its page
	deny     bool
	pages    int
}

func (s *site) id() feed.ID { return feed.ID{Merchant: "acme", Feed: s.kit.Feed.ID} }

// Merchants implements what the runner reads.
func (s *site) Merchants(context.Context) ([]merchant.Merchant, error) {
	return []merchant.Merchant{{ID: "acme", Currency: "GBP", Feeds: []merchant.Feed{s.kit.Feed}}}, nil
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func start(t *testing.T, kit Kit) *site {
	t.Helper()
	s := &site{t: t, world: kit.World(t), store: NewMemory(), kit: kit, now: Noon, answers: map[string]*httptest.ResponseRecorder{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	source := kit.Open(t, server.URL, kit.Feed, s.clock)
	s.runner = &feed.Runner{
		Store: s.store, Merchant: s, Now: s.clock, Logger: slog.New(slog.DiscardHandler),
		Open: func(context.Context, merchant.Merchant, merchant.Feed) (feed.Source, error) { return source, nil },
		Calendar: intake.Calendar{Day: func(_ context.Context, _ fleet.Identity, d *document.Document) (bizday.Day, error) {
			return bizday.Day(Noon.Format(time.DateOnly)), nil
		}},
	}
	return s
}

// pull sweeps until the feed has handed over everything and did not fail, with a
// fault where there is one, and returns what was kept.
func (s *site) pull(fault *strike) (all feed.Kept) {
	s.t.Helper()
	s.strike = fault
	for range 60 {
		pass, err := s.runner.Sweep(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		s.pages += pass.Pages
		all.Documents += pass.Kept.Documents
		all.Movements += pass.Kept.Movements
		all.Payouts += pass.Kept.Payouts
		all.Lines += pass.Kept.Lines
		state := s.store.State(s.id())
		if state.Failures == 0 && state.NotBefore.After(s.clock()) {
			return all
		}
		s.mu.Lock()
		if state.NotBefore.After(s.now) {
			s.now = state.NotBefore
		}
		s.mu.Unlock()
	}
	s.t.Fatalf("it comes to no end: %+v", s.store.State(s.id()))
	return all
}

// ServeHTTP answers as the provider does, or as a fault has it.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.Before(s.rest) {
		s.early++
	}
	at := s.requests
	s.requests++
	if s.deny {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if s.strike != nil && s.strike.at == at {
		s.strike.fault.serve(s, w, r)
		return
	}
	s.pass(w, r)
}

// pass answers as the provider does.
func (s *site) pass(w http.ResponseWriter, r *http.Request) {
	answer := httptest.NewRecorder()
	s.world.ServeHTTP(answer, r)
	s.answers[question(r)] = answer
	send(w, answer)
}

func send(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // a source that has gone reads nothing
}

// question is what is asked for, whatever the page.
func question(r *http.Request) string {
	query := r.URL.Query()
	for _, name := range []string{"cursor", "starting_after", "page_info", "page"} {
		query.Del(name)
	}
	return r.Method + " " + r.URL.Path + "?" + query.Encode()
}

// strike is a fault at one request.
type strike struct {
	fault fault
	at    int
}

// fault is something that goes wrong with one answer.
type fault struct {
	name  string
	serve func(s *site, w http.ResponseWriter, r *http.Request)
}

var faults = []fault{
	{"429 with Retry-After", func(s *site, w http.ResponseWriter, _ *http.Request) {
		s.rest = s.now.Add(17 * time.Second)
		w.Header().Set("Retry-After", "17")
		w.WriteHeader(http.StatusTooManyRequests)
	}},
	{"429 without Retry-After", func(s *site, w http.ResponseWriter, _ *http.Request) {
		s.rest = s.now.Add(30 * time.Second)
		w.WriteHeader(http.StatusTooManyRequests)
	}},
	{"500", func(s *site, w http.ResponseWriter, _ *http.Request) {
		s.rest = s.now.Add(time.Second)
		w.WriteHeader(http.StatusInternalServerError)
	}},
	{"a body that breaks off", func(s *site, w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		s.world.ServeHTTP(answer, r)
		body := answer.Body.Bytes()
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body[:len(body)/2])
	}},
	{"a body that ends early without saying so", func(s *site, w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		s.world.ServeHTTP(answer, r)
		_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
	}},
	{"the page before comes again", func(s *site, w http.ResponseWriter, r *http.Request) {
		if before := s.answers[question(r)]; before != nil {
			send(w, before)
			return
		}
		s.pass(w, r)
	}},
	{"no JSON at all", func(_ *site, w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<html>maintenance</html>"))
	}},
	{"the connection is lost after the answer", func(s *site, w http.ResponseWriter, r *http.Request) {
		s.world.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}},
}
