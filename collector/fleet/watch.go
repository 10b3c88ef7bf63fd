package fleet

import (
	"context"
	"fmt"
	"time"
)

// How often revocations are looked for, and how far back each look reaches: a
// command on another machine may have another clock.
const (
	WatchEvery = 2 * time.Second
	watchBack  = 10 * time.Minute
)

// Watch looks every WatchEvery for agents that were revoked lately, with one
// query for all, and hands each over, again and again for as long as the look
// reaches back. What fails is told to report and tried again. It ends with ctx.
func Watch(ctx context.Context, store Store, now func() time.Time, revoked func(Identity), report func(error)) {
	ticker := time.NewTicker(WatchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		agents, err := store.Revoked(ctx, now().Add(-watchBack))
		if err != nil && ctx.Err() == nil {
			report(fmt.Errorf("look for revoked agents: %w", err))
		}
		for _, id := range agents {
			revoked(id)
		}
	}
}
