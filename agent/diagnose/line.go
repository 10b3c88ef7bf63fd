package diagnose

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"tillbook.example/tillbook/agent/uplink"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
)

// MaxCut is the longest that a line may be cut for.
const MaxCut = 10 * time.Minute

// maxDays bounds what is kept of what the collector tells of days.
const maxDays = 31

// dialWait is how long one attempt to connect waits for a line that is cut.
const dialWait = 30 * time.Second

// ErrCut: the line is cut by a drill.
var ErrCut = errors.New("the line is cut by a drill")

// Line is a carrier that can be cut for a time, and that listens to what the
// collector says of itself and of the store's days. What it carries it never
// changes.
type Line struct {
	carrier uplink.Carrier

	mu       sync.Mutex
	cut      chan struct{} // closed when the line comes back; nil while it is whole
	sessions map[*tapped]bool
	heard    Heard
}

// Heard is what the collector said.
type Heard struct {
	At      time.Time // last message
	Version string
	Skew    time.Duration // our clock less the collector's
	Days    []DayState
	DaysAt  time.Time
}

// NewLine returns a whole line over a carrier.
func NewLine(carrier uplink.Carrier) *Line {
	return &Line{carrier: carrier, sessions: map[*tapped]bool{}}
}

// Heard returns what the collector said.
func (l *Line) Heard() Heard {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard
}

// IsCut says whether the line is cut now.
func (l *Line) IsCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut != nil
}

// Cut cuts the line and brings it back after d, but at the latest after MaxCut
// or when ctx ends. It returns when the line is whole again, or ErrCut at once if
// another has cut it.
func (l *Line) Cut(ctx context.Context, d time.Duration) error {
	l.mu.Lock()
	if l.cut != nil {
		l.mu.Unlock()
		return ErrCut
	}
	back := make(chan struct{})
	l.cut = back
	under := slices.Collect(maps.Keys(l.sessions))
	l.mu.Unlock()
	for _, s := range under {
		s.Session.Close()
	}
	timer := time.NewTimer(min(d, MaxCut))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	l.mu.Lock()
	l.cut = nil
	l.mu.Unlock()
	close(back)
	return nil
}

// Dial implements uplink.Carrier. While the line is cut it waits for it for a
// while, so that the next session begins as soon as it is back.
func (l *Line) Dial(ctx context.Context) (uplink.Session, error) {
	l.mu.Lock()
	cut := l.cut
	l.mu.Unlock()
	if cut != nil {
		timer := time.NewTimer(dialWait)
		defer timer.Stop()
		select {
		case <-cut:
		case <-timer.C:
			return nil, ErrCut
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	session, err := l.carrier.Dial(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut != nil { // meanwhile
		session.Close()
		return nil, ErrCut
	}
	s := &tapped{Session: session, line: l}
	l.sessions[s] = true
	return s, nil
}

// tapped is a session that is listened to.
type tapped struct {
	uplink.Session
	line *Line
}

// Recv implements uplink.Session.
func (t *tapped) Recv() (*tillbookv1.Down, error) {
	down, err := t.Session.Recv()
	if err == nil {
		t.line.hear(down, time.Now())
	}
	return down, err
}

// Close implements uplink.Session.
func (t *tapped) Close() {
	t.line.mu.Lock()
	delete(t.line.sessions, t)
	t.line.mu.Unlock()
	t.Session.Close()
}

func (l *Line) hear(down *tillbookv1.Down, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard.At = now
	beat, welcome := down.GetHeartbeat(), down.GetWelcome()
	if clock := max(beat.GetClockUs(), welcome.GetClockUs()); clock > 0 {
		l.heard.Skew = now.Sub(time.UnixMicro(clock))
		l.heard.Version = word(beat.GetVersion() + welcome.GetVersion()) // it is one of them
	}
	if days := beat.GetDays(); len(days) > 0 {
		l.heard.Days, l.heard.DaysAt = nil, now
		for _, d := range days[:min(len(days), maxDays)] {
			l.heard.Days = append(l.heard.Days, DayState{Day: word(d.Day), State: word(d.State), Hold: word(d.Hold), Due: d.Due})
		}
	}
}

// word keeps a word that came from outside short.
func word(s string) string { return s[:min(len(s), 40)] }
