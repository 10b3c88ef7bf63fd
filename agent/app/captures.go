package app

import (
	"context"
	"slices"
	"sync"
	"time"

	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/source"
)

// captures remembers when each way in last brought something.
type captures struct {
	mu      sync.Mutex
	sources []diagnose.SourceStatus
}

// desk returns the desk for a way in, whose captures are noted under its name.
func (c *captures) desk(name string, desk *source.Desk) noting {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.sources, func(s diagnose.SourceStatus) bool { return s.Name == name }); i >= 0 {
		return noting{desk, c, i}
	}
	c.sources = append(c.sources, diagnose.SourceStatus{Name: name})
	return noting{desk, c, len(c.sources) - 1}
}

// list returns all ways in, in the order in which they were made.
func (c *captures) list() []diagnose.SourceStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]diagnose.SourceStatus{}, c.sources...)
}

// noting is a desk that notes when something was taken.
type noting struct {
	*source.Desk
	captures *captures
	index    int
}

// Take implements the sources' Desk.
func (n noting) Take(ctx context.Context, adapter string, taken []source.Capture, marks map[string][]byte) (outbox.Appended, error) {
	appended, err := n.Desk.Take(ctx, adapter, taken, marks)
	if err == nil && len(taken) > 0 {
		n.captures.mu.Lock()
		n.captures.sources[n.index].LastAt = time.Now()
		n.captures.mu.Unlock()
	}
	return appended, err
}
