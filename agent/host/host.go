// Package host is where the agent meets its operating system: where its files
// lie, how it is made a service, and how it runs as one.
//
// It promises that a service which ends for whatever reason is started again,
// that one which lives but gets nowhere is ended, and that installing again
// repairs what is there. What counts as getting somewhere is the app's word
// (Tell). It knows nothing of sales and never deletes the agent's data.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Name is the service's name on every system.
const Name = "tillbook-agent"

const (
	displayName = "Tillbook Agent"
	description = "Takes the store's sales from its tills and streams them to the collector."
)

// Limits of a run under a service manager.
const (
	checkEvery = 10 * time.Second // between questions for progress, unless the manager wants to hear more often
	patience   = time.Minute      // without progress, where the manager does not watch by itself
	stopLimit  = 10 * time.Second // for the work to end once it is told to stop
)

// ErrNoProgress: the work was alive but got nowhere, and was given up so that
// the service manager starts it anew.
var ErrNoProgress = errors.New("the service makes no progress")

// ErrNotStopped: the work did not end when it was told to.
var ErrNotStopped = errors.New("the service did not stop in time")

// Tell is how work says that it is ready and what it is at, for people to read.
// The function that goes with it returns why the work does not get on, or nil
// while it does; it may be called at any time until the work ends, and may hang
// if the work does. Work may tell again when what it is at changes.
type Tell func(status string, progress func() error)

// Work is what a service does until ctx ends.
type Work func(ctx context.Context, tell Tell) error

// manager is what a service manager wants to hear.
type manager interface {
	ready(status string) error // the work is under way
	alive() error              // it made progress
	stopping() error
	// watch is how long the manager bears not hearing alive; 0: it does not listen.
	watch() time.Duration
}

// supervise runs the work under a manager: it passes on readiness, says alive
// only when progress was made, and gives work up that neither gets on nor ends.
func supervise(ctx context.Context, log *slog.Logger, m manager, work Work) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type told struct {
		status   string
		progress func() error
	}
	tells, ended := make(chan told), make(chan error, 1)
	go func() {
		ended <- work(ctx, func(status string, progress func() error) {
			select {
			case tells <- told{status, progress}:
			case <-ctx.Done():
			}
		})
	}()
	every := checkEvery
	if m.watch() > 0 {
		every = min(every, m.watch()/3)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var (
		progress func() error
		answer   chan error // of the question that is open, if one is
		last     = time.Now()
		reason   string
	)
	ask := func() {
		if progress != nil && answer == nil {
			asked := make(chan error, 1)
			go func() { asked <- progress() }()
			answer = asked
		}
	}
	for {
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return stop(log, m, ended)
		case t := <-tells:
			progress = t.progress
			heard(log, m.ready(t.status))
			ask()
		case err := <-answer:
			answer = nil
			if err == nil {
				last, reason = time.Now(), ""
				heard(log, m.alive())
			} else if err.Error() != reason {
				reason = err.Error()
				log.Warn("no progress", "reason", err)
			}
		case <-tick.C:
			ask()
		}
		if progress != nil && m.watch() == 0 && time.Since(last) > patience {
			cancel()
			return errors.Join(fmt.Errorf("%w: %s", ErrNoProgress, reason), stop(log, m, ended))
		}
	}
}

// stop waits for work that was told to stop, but not for ever.
func stop(log *slog.Logger, m manager, ended <-chan error) error {
	heard(log, m.stopping())
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case err := <-ended:
		return err
	case <-limit.C:
		return fmt.Errorf("%w (%s)", ErrNotStopped, stopLimit)
	}
}

// heard logs that the service manager could not be told something: the work
// goes on, and a manager that hears nothing does what it was set up to do.
func heard(log *slog.Logger, err error) {
	if err != nil {
		log.Warn("service manager not told", "error", err)
	}
}
