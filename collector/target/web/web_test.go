package web_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/web"
)

// access counts the tokens that were rejected.
type access struct{ rejected atomic.Int64 }

func (a *access) Token(context.Context) (string, error) {
	if a.rejected.Load() > 0 {
		return "second", nil
	}
	return "first", nil
}

func (a *access) Reject(context.Context, string) error {
	a.rejected.Add(1)
	return nil
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func client(t *testing.T, handler http.HandlerFunc, change func(*web.Options)) (*web.Client, *clock) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c := &clock{now: time.Date(2026, 11, 4, 8, 0, 0, 0, time.UTC)}
	o := web.Options{Base: server.URL, HTTP: server.Client(), Access: &access{}, InFlight: 2, Now: c.Now}
	if change != nil {
		change(&o)
	}
	return web.NewClient(o), c
}

var write = web.Request{Method: http.MethodPut, Path: "/x", Body: []byte("{}"), Header: http.Header{"Idempotency-Key": {"k"}}, Writes: true}

func unclear(err error) bool {
	return err != nil && !errors.Is(err, target.ErrUnavailable) && !errors.Is(err, target.ErrRefused)
}

// TestAWriteWithoutAnAnswerIsUnclearAndSentOnce though it has an idempotency key,
// for which net/http would send it again.
func TestAWriteWithoutAnAnswerIsUnclearAndSentOnce(t *testing.T) {
	t.Parallel()
	var arrived atomic.Int64
	c, _ := client(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			arrived.Add(1)
			panic(http.ErrAbortHandler)
		}
	}, nil)
	if _, err := c.Do(t.Context(), web.Request{Method: http.MethodGet, Path: "/x"}); err != nil { // opens a connection that is used again
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), write); !unclear(err) {
		t.Errorf("%v; want an unclear outcome", err)
	}
	if n := arrived.Load(); n != 1 {
		t.Errorf("arrived %d times", n)
	}
}

func TestWhatNeverLeftOrOnlyReadsIsUnavailable(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + listener.Addr().String()
	listener.Close()
	c, _ := client(t, nil, func(o *web.Options) { o.Base = nobody })
	if _, err := c.Do(t.Context(), write); !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("nobody listens: %v", err)
	}
	c, _ = client(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil)
	if _, err := c.Do(t.Context(), web.Request{Method: http.MethodGet, Path: "/x"}); !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("a question without an answer: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Do(ctx, write); !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("cancelled before it was sent: %v", err)
	}
}

func TestEachStatusMeansOneThing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		writes bool
		want   error // nil: answered
		clear  bool
	}{
		{200, true, nil, true},
		{400, true, nil, true},
		{403, true, target.ErrDisconnected, true},
		{429, true, target.ErrUnavailable, true},
		{500, true, nil, false},
		{503, true, nil, false},
		{500, false, target.ErrUnavailable, true},
	} {
		c, _ := client(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(test.status) }, nil)
		r := write
		r.Writes = test.writes
		_, err := c.Do(t.Context(), r)
		if test.want != nil && !errors.Is(err, test.want) || test.want == nil && (err == nil) != test.clear || !test.clear && !unclear(err) {
			t.Errorf("status %d, writes %t: %v", test.status, test.writes, err)
		}
	}
}

func TestAccessIsRenewedOnceAndThenThePersonIsAsked(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"second", "none"} {
		var arrived atomic.Int64
		a := &access{}
		c, _ := client(t, func(w http.ResponseWriter, r *http.Request) {
			arrived.Add(1)
			if body, err := io.ReadAll(r.Body); err != nil || string(body) != "{}" {
				t.Errorf("body %q, %v", body, err)
			}
			if r.Header.Get("Authorization") != "Bearer "+good {
				w.WriteHeader(http.StatusUnauthorized)
			}
		}, func(o *web.Options) { o.Access = a })
		_, err := c.Do(t.Context(), write)
		if arrived.Load() != 2 || a.rejected.Load() != 1 {
			t.Errorf("%s: arrived %d times, rejected %d", good, arrived.Load(), a.rejected.Load())
		}
		if good == "second" && err != nil || good == "none" && !errors.Is(err, target.ErrDisconnected) {
			t.Errorf("%s: %v", good, err)
		}
	}
}

func TestLimitsThatAreSpentAreRestedBeforeTheyAreExceeded(t *testing.T) {
	t.Parallel()
	var arrived atomic.Int64
	c, now := client(t, func(http.ResponseWriter, *http.Request) { arrived.Add(1) }, func(o *web.Options) {
		o.Spent = func(http.Header) time.Duration { return time.Minute }
	})
	if _, err := c.Do(t.Context(), write); err != nil {
		t.Fatal(err)
	}
	now.pass(20 * time.Second)
	var later *target.Later
	if _, err := c.Do(t.Context(), write); !errors.As(err, &later) || later.Rest != 40*time.Second || !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("%v; want a rest of 40s", err)
	}
	now.pass(40 * time.Second)
	if _, err := c.Do(t.Context(), write); err != nil || arrived.Load() != 2 {
		t.Errorf("%v, arrived %d times", err, arrived.Load())
	}
}

func TestNoMoreAreInFlightThanAllowed(t *testing.T) {
	t.Parallel()
	var at, most atomic.Int64
	full, open := make(chan struct{}, 8), make(chan struct{})
	c, _ := client(t, func(http.ResponseWriter, *http.Request) {
		n := at.Add(1)
		defer at.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		full <- struct{}{}
		<-open
	}, nil)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := c.Do(context.WithoutCancel(t.Context()), write); err != nil {
				t.Error(err)
			}
		})
	}
	<-full
	<-full
	close(open)
	group.Wait()
	if most.Load() != 2 {
		t.Errorf("%d in flight, want 2", most.Load())
	}
}

func TestAnAnswerWithoutEndIsNotRead(t *testing.T) {
	t.Parallel()
	c, _ := client(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.CopyN(w, strings.NewReader(strings.Repeat("x", 33<<20)), 33<<20)
	}, nil)
	if _, err := c.Do(t.Context(), web.Request{Method: http.MethodGet, Path: "/x"}); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v", err)
	}
}
