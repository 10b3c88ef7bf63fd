package fleet

import (
	"context"
	"crypto/tls"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/agent/uplink/grpc"
	"tillbook.example/tillbook/agent/uplink/mqtt"
	"tillbook.example/tillbook/agent/uplink/uplinktest"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
)

// joining is how many agents join at once: a collector takes five a second.
const joining = 8

// beat is the time between an agent's heartbeats; collectors take no more than
// one in five seconds.
const beat = 6 * time.Second

// agent is one agent of the fleet: a real identity, the real uplink and its
// protocol over a real connection. Its outbox is in memory: three hundred of the
// real one would be three hundred Badgers and commit logs on two cores and one
// disk, of which other tests know what they do.
type agent struct {
	till     till
	identity *enroll.Identity
	outbox   *uplinktest.Outbox
	uplink   *uplink.Uplink
}

// lines counts what all agents put on their lines.
type lines struct{ sessions, batches, records atomic.Uint64 }

// join gives an agent its identity, kept in a folder.
func join(ctx context.Context, folder string, t till, code string) (*agent, error) {
	for {
		identity, err := enroll.Join(ctx, filepath.Join(folder, t.merchant, t.store, t.terminal), code, "till-pc", "fleet", false, enroll.WithTPM(""))
		if status.Code(err) == codes.ResourceExhausted && ctx.Err() == nil {
			pause(ctx, 300*time.Millisecond)
			continue
		}
		return &agent{till: t, identity: identity, outbox: uplinktest.NewOutbox()}, err
	}
}

// connect makes the agent's uplink: over the broker's address if there is one,
// else by gRPC.
func (a *agent) connect(broker string, counted *lines) (err error) {
	var carrier uplink.Carrier
	if broker == "" {
		carrier, err = grpc.New(grpc.Options{Target: a.identity.Collector, TLS: a.identity.TLS})
	} else {
		carrier, err = mqtt.New(mqtt.Options{
			Broker: broker, Merchant: a.identity.Merchant, Agent: a.identity.Agent,
			TLS: func(host string) (*tls.Config, error) { return a.identity.BrokerTLS(host, nil), nil },
		})
	}
	if err != nil {
		return err
	}
	all := a.till.records()
	a.uplink, err = uplink.New(uplink.Options{
		Outbox: a.outbox, Carrier: counting{carrier, counted}, Agent: a.identity.Agent, Version: "fleet", Logger: slog.New(slog.DiscardHandler),
		Every: beat, MaxWait: 5 * time.Second,
		// There will never be more: so nothing is claimed to be complete before all of
		// it is stored, and each day is closed once.
		Captured: func() (time.Time, uint64) { return time.Now(), all },
	})
	return err
}

// sell rings all sales up, evenly over a time.
func (a *agent) sell(ctx context.Context, over time.Duration) {
	const turn = 100 * time.Millisecond
	ticker := time.NewTicker(turn)
	defer ticker.Stop()
	turns := max(1, int(over/turn))
	for n, turned := 0, 1; n < a.till.sales; turned++ {
		for ; n < a.till.sales && n < turned*a.till.sales/turns+1; n++ {
			a.outbox.Add(a.till.ring(n)...)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (a *agent) sent() bool {
	return a.uplink.Status().Stored >= a.till.records()
}

// counting is a carrier that counts.
type counting struct {
	uplink.Carrier
	lines *lines
}

func (c counting) Dial(ctx context.Context) (uplink.Session, error) {
	session, err := c.Carrier.Dial(ctx)
	if err != nil {
		return nil, err
	}
	c.lines.sessions.Add(1)
	return countingSession{session, c.lines}, nil
}

type countingSession struct {
	uplink.Session
	lines *lines
}

func (s countingSession) Send(m *tillbookv1.Up) error {
	if b := m.GetBatch(); b != nil {
		s.lines.batches.Add(1)
		s.lines.records.Add(uint64(b.Count))
	}
	return s.Session.Send(m)
}

// each calls f for each element, so many at once, and fails the test with the
// first error.
func each[T any](t testing.TB, atOnce int, all []T, f func(T) error) {
	t.Helper()
	slots := make(chan struct{}, atOnce)
	var working sync.WaitGroup
	var failed atomic.Pointer[error]
	for _, one := range all {
		slots <- struct{}{}
		working.Go(func() {
			defer func() { <-slots }()
			if failed.Load() != nil {
				return
			}
			if err := f(one); err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	working.Wait()
	if err := failed.Load(); err != nil {
		t.Fatal(*err)
	}
}

// pause lets real time pass for real processes; nothing is concluded from its
// length.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
