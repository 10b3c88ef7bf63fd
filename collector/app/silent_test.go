package app_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/posting/postingtest"
)

// TestAnAgentIsCountedAsSilentWhileOpenOnlyWhereItsStoresDayIsOpen looks at the
// metric that people are called by.
func TestAnAgentIsCountedAsSilentWhileOpenOnlyWhereItsStoresDayIsOpen(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	c := config(t.TempDir())
	c.Database.DSN, c.Role = p.dsn, "web"
	collector, err := app.New(t.Context(), c, slog.New(slog.DiscardHandler), app.WithClock(func() time.Time { return *p.now.Load() }))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- collector.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, collector.Close()); err != nil {
			t.Error(err)
		}
	})
	counts := func(when string, want int) {
		t.Helper()
		_, text := get(t, collector, "/metrics")
		if line := fmt.Sprintf("\ntillbook_collector_agents_silent_open %d\n", want); !strings.Contains(text, line) {
			_, at, _ := strings.Cut(text, "\ntillbook_collector_agents_silent_open ")
			at, _, _ = strings.Cut(at, "\n")
			t.Errorf("%s: %s agents are counted, want %d", when, at, want)
		}
	}
	after := func(d time.Duration) {
		now := p.now.Load().Add(d)
		p.now.Store(&now)
	}
	seen := func(id fleet.Identity) {
		t.Helper()
		if err := p.a.DB().Seen(t.Context(), id, "1.0", *p.now.Load()); err != nil {
			t.Fatal(err)
		}
	}

	p.sell(1200) // its day is open
	agents, err := p.a.DB().Agents(t.Context())
	if err != nil || len(agents) != 1 {
		t.Fatalf("agents are %+v, %v", agents, err)
	}
	seller := agents[0].Identity
	seen(seller)
	counts("just seen", 0)
	after(fleet.SilentAfter)
	counts("at the end of the time it may be silent", 0)
	after(time.Second)
	counts("silent", 1)

	code := fleet.Code{Hash: [32]byte{2}, Merchant: "m", Store: "closed", ExpiresAt: p.now.Load().Add(time.Hour)}
	if err := p.a.DB().AddCode(t.Context(), code); err != nil {
		t.Fatal(err)
	}
	other, err := p.a.DB().Redeem(t.Context(), code.Hash, "agent-2", "till-pc", "1.0", *p.now.Load())
	if err != nil {
		t.Fatal(err)
	}
	counts("beside one that was never seen", 1)
	seen(other)
	after(2 * fleet.SilentAfter)
	counts("beside a silent one of a store in which nothing is sold", 1)
	seen(seller)
	counts("heard again", 0)
	after(2 * fleet.SilentAfter)
	counts("silent again", 1)
	p.now.Store(&postingtest.Morning)
	after(2 * time.Hour)
	p.work(p.a)
	counts("after its day was closed", 0)
}
