package host

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// eventLog is the operating system's log of events, as golang.org/x/sys has it.
type eventLog interface {
	Info(id uint32, text string) error
	Warning(id uint32, text string) error
	Error(id uint32, text string) error
}

// Numbers of the events; the message file that every Windows has knows 1 to 1000.
const (
	eventInfo    = 1
	eventWarning = 2
	eventError   = 3
)

// repeatAfter is when the same words are worth another event: other programs
// share the log's room.
const repeatAfter = 10 * time.Minute

// events writes warnings and errors to an event log too, and of the rest what a
// person who opens the event viewer looks for: starts and stops.
type events struct {
	next slog.Handler
	with func(slog.Handler) slog.Handler // attributes and groups given so far
	log  eventLog
	said *said
}

// said is what was written last and when.
type said struct {
	mu   sync.Mutex
	text string
	at   time.Time
}

func newEvents(next slog.Handler, log eventLog) slog.Handler {
	return &events{next: next, with: func(h slog.Handler) slog.Handler { return h }, log: log, said: &said{}}
}

func (e *events) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || e.next.Enabled(ctx, level)
}

func (e *events) Handle(ctx context.Context, r slog.Record) error {
	var problems []error
	if e.next.Enabled(ctx, r.Level) {
		problems = append(problems, e.next.Handle(ctx, r))
	}
	if r.Level >= slog.LevelWarn || r.Level == slog.LevelInfo && lifeCycle[r.Message] {
		problems = append(problems, e.event(ctx, r))
	}
	return errors.Join(problems...)
}

// lifeCycle are the messages that are events although nothing is wrong.
var lifeCycle = map[string]bool{"service ready": true, "service stopped": true, "agent runs": true}

func (e *events) event(ctx context.Context, r slog.Record) error {
	var text bytes.Buffer
	bare := slog.NewTextHandler(&text, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{} // the event has them
		}
		return a
	}})
	if err := e.with(bare).Handle(ctx, r); err != nil {
		return err
	}
	e.said.mu.Lock()
	repeated := e.said.text == text.String() && r.Time.Sub(e.said.at) < repeatAfter
	if !repeated {
		e.said.text, e.said.at = text.String(), r.Time
	}
	e.said.mu.Unlock()
	switch {
	case repeated:
		return nil
	case r.Level >= slog.LevelError:
		return e.log.Error(eventError, text.String())
	case r.Level >= slog.LevelWarn:
		return e.log.Warning(eventWarning, text.String())
	}
	return e.log.Info(eventInfo, text.String())
}

func (e *events) WithAttrs(attrs []slog.Attr) slog.Handler {
	return e.more(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
}

func (e *events) WithGroup(name string) slog.Handler {
	return e.more(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (e *events) more(add func(slog.Handler) slog.Handler) slog.Handler {
	before := e.with
	return &events{next: add(e.next), with: func(h slog.Handler) slog.Handler { return add(before(h)) }, log: e.log, said: e.said}
}
