// Package gate is what stands before the books of a stand-in: who is let in, how
// often, and what goes wrong on the way.
//
// Access works as the vendors have it: codes are exchanged for tokens, access
// tokens end, and a refresh token can be used once. Faults are queued by tests
// and people, and each write takes the next. How a refusal looks is the vendor's
// own business.
package gate

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fault is what goes wrong with one write.
type Fault string

// Faults.
const (
	None            Fault = ""                 // all goes well
	CommitThenHang  Fault = "commit then hang" // booked, no answer until the client gives up
	CommitThenCut   Fault = "commit then cut"  // booked, the connection ends without an answer
	FailUncommitted Fault = "fail"             // not booked, status 500
	Throttle        Fault = "throttle"         // not booked, status 429 with Retry-After
	ThrottleBare    Fault = "throttle bare"    // not booked, status 429 that says no more
	Revoke          Fault = "revoke"           // not booked, all access tokens end
	Warn            Fault = "warn"             // booked, with a warning
)

// Faults are all of them.
func Faults() []Fault {
	return []Fault{CommitThenHang, CommitThenCut, FailUncommitted, Throttle, ThrottleBare, Revoke, Warn}
}

// ThrottleRest is the Retry-After of a Throttle.
const ThrottleRest = 7 * time.Second

// Vendor writes refusals as a system does.
type Vendor interface {
	Unauthorized(w http.ResponseWriter, why string)
	Forbidden(w http.ResponseWriter, scope string)
	Throttled(w http.ResponseWriter, limit string)
	Broken(w http.ResponseWriter)
	// Scope is what a request needs a token to be allowed; empty: nothing.
	Scope(r *http.Request) string
}

// Limits of a connection; zero is no limit.
type Limits struct {
	Minute, Day int // requests in a fixed window
	InFlight    int
	// Headers tells the client what is left.
	Headers func(h http.Header, minute, day int)
}

// Gate stands before one organisation's books.
type Gate struct {
	Vendor   Vendor
	Limits   Limits
	Identity Identity
	Now      func() time.Time

	mu       sync.Mutex
	faults   []Fault
	met      map[Fault]int
	inFlight int
	minute   window
	day      window
}

type window struct {
	since time.Time
	used  int
}

// Fail queues faults: each write takes the next.
func (g *Gate) Fail(faults ...Fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults = append(g.faults, faults...)
}

// Met returns how often each fault was met.
func (g *Gate) Met() map[Fault]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	met := map[Fault]int{}
	for f, n := range g.met {
		met[f] = n
	}
	return met
}

func (g *Gate) next(write bool) Fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !write || len(g.faults) == 0 {
		return ""
	}
	f := g.faults[0]
	g.faults = g.faults[1:]
	if g.met == nil {
		g.met = map[Fault]int{}
	}
	if f != None {
		g.met[f]++
	}
	return f
}

// warned is the header that tells the books to warn.
const warned = "X-Sandbox-Warn"

// Warned reports whether the answer to a request is to have a warning.
func Warned(r *http.Request) bool { return r.Header.Get(warned) != "" }

// Guard lets in what may come in.
func (g *Gate) Guard(books http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		scopes, why := g.Identity.allowed(token, g.Now())
		if why != "" {
			g.Vendor.Unauthorized(w, why)
			return
		}
		if need := g.Vendor.Scope(r); need != "" && !slices.Contains(scopes, need) {
			g.Vendor.Forbidden(w, need)
			return
		}
		leave, limit := g.enter(w.Header())
		if limit != "" {
			w.Header().Set("Retry-After", strconv.Itoa(g.untilNext(limit)))
			g.Vendor.Throttled(w, limit)
			return
		}
		defer leave()
		r.Header.Del(warned)
		switch g.next(r.Method != http.MethodGet) {
		case CommitThenHang:
			books.ServeHTTP(newDiscard(), r)
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		case CommitThenCut:
			books.ServeHTTP(newDiscard(), r)
			panic(http.ErrAbortHandler)
		case FailUncommitted:
			g.Vendor.Broken(w)
		case Throttle:
			w.Header().Set("Retry-After", strconv.Itoa(int(ThrottleRest/time.Second)))
			g.Vendor.Throttled(w, "minute")
		case ThrottleBare:
			g.Vendor.Throttled(w, "minute")
		case Revoke:
			g.Identity.RevokeAccess()
			g.Vendor.Unauthorized(w, "TokenExpired")
		case Warn:
			r.Header.Set(warned, "1")
			books.ServeHTTP(w, r)
		default:
			books.ServeHTTP(w, r)
		}
	})
}

func (g *Gate) enter(h http.Header) (leave func(), limit string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.Now()
	roll := func(w *window, length time.Duration) {
		if since := now.Truncate(length); since != w.since {
			*w = window{since: since}
		}
	}
	roll(&g.minute, time.Minute)
	roll(&g.day, 24*time.Hour)
	l := g.Limits
	switch {
	case l.Minute > 0 && g.minute.used >= l.Minute:
		limit = "minute"
	case l.Day > 0 && g.day.used >= l.Day:
		limit = "day"
	case l.InFlight > 0 && g.inFlight >= l.InFlight:
		limit = "concurrent"
	default:
		g.minute.used++
		g.day.used++
		g.inFlight++
	}
	if l.Headers != nil {
		l.Headers(h, max(l.Minute-g.minute.used, 0), max(l.Day-g.day.used, 0))
	}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.inFlight--
	}, limit
}

func (g *Gate) untilNext(limit string) int {
	length := map[string]time.Duration{"minute": time.Minute, "day": 24 * time.Hour}[limit]
	if length == 0 {
		return 1
	}
	now := g.Now()
	return int(now.Truncate(length).Add(length).Sub(now)/time.Second) + 1
}

// discard takes an answer that nobody gets.
type discard struct {
	bytes.Buffer
	header http.Header
}

func newDiscard() *discard { return &discard{header: http.Header{}} }

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}

// ID returns a random identifier in the form of a UUID.
func ID() string {
	s := strings.ToLower(rand.Text() + rand.Text())
	hex := []byte(strings.Map(func(r rune) rune { return rune("0123456789abcdef"[r%16]) }, s))[:32]
	hex[12], hex[16] = '4', 'a'
	return string(hex[:8]) + "-" + string(hex[8:12]) + "-" + string(hex[12:16]) + "-" + string(hex[16:20]) + "-" + string(hex[20:])
}
