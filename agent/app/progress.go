package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"tillbook.example/tillbook/agent/uplink"
)

// How long a room may look the same before it counts as stuck. Each is well
// above the longest wait that the room has on purpose: a service that is started
// anew for nothing helps nobody.
const (
	uplinkBound  = 10 * time.Minute // pauses between tries: at most some five minutes
	refusedBound = 2 * time.Hour    // the collector may ask to be left alone for longer
	sourceBound  = 10 * time.Minute // scans come every ten seconds; reading much moves the outbox on
	indexBound   = 10 * time.Minute // the index waits while tills press
	answerBound  = 5 * time.Second  // of the local service to itself
)

// Progress returns why the agent gets nowhere, nil while it gets on. That there
// is nothing to do, no line, or no room on the disk is no lack of progress: a
// new start would not mend it.
func (a *App) Progress() error {
	now, stats, link := time.Now(), a.outbox.Stats(), a.uplink.Status()
	var problems []error
	bound := uplinkBound
	if link.Refusal != "" {
		bound = refusedBound
	}
	problems = append(problems, a.watch.still(now, "uplink", fmt.Sprint(a.turned.Load()), bound))
	for _, drop := range a.drops {
		f := drop.Status()
		problems = append(problems, a.watch.still(now, "source "+f.Name, fmt.Sprint(f.ScannedAt.UnixNano(), stats.Next), sourceBound))
	}
	behind := "" // nothing to follow
	if stats.IndexOpen && stats.Applied+1 < stats.Next {
		behind = fmt.Sprint("at ", stats.Applied)
	}
	problems = append(problems, a.watch.still(now, "index", behind, indexBound), a.answers())
	return errors.Join(problems...)
}

// answers asks the local service whether it lives, as a till would.
func (a *App) answers() error {
	ctx, cancel := context.WithTimeout(context.Background(), answerBound)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.Addr()+"/livez", nil)
	if err != nil {
		return fmt.Errorf("local service: %w", err)
	}
	direct := http.Transport{DisableKeepAlives: true} // past any proxy
	response, err := direct.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("local service: %w", err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<10))
	return errors.Join(err, response.Body.Close())
}

// watch remembers since when each room has looked as it does.
type watch struct {
	mu   sync.Mutex
	seen map[string]glance
}

type glance struct {
	like  string
	since time.Time
}

// still returns an error once a room has looked the same for longer than bound.
// Looking like nothing means that it has nothing to do.
func (w *watch) still(now time.Time, room, like string, bound time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen == nil {
		w.seen = map[string]glance{}
	}
	if before, ok := w.seen[room]; !ok || before.like != like || like == "" {
		w.seen[room] = glance{like, now}
		return nil
	}
	if since := now.Sub(w.seen[room].since); since > bound {
		return fmt.Errorf("%s: no sign of life for %s", room, since.Round(time.Second))
	}
	return nil
}

// watched is a carrier that notes when the uplink begins a session; during one
// its heartbeats do.
type watched struct {
	uplink.Carrier
	turned *atomic.Int64
}

func (w watched) Dial(ctx context.Context) (uplink.Session, error) {
	w.turned.Store(time.Now().UnixNano())
	return w.Carrier.Dial(ctx)
}
