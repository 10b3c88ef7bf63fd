package intake_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/intake/intaketest"
)

// gated is a store whose commits wait for a gate.
type gated struct {
	*intaketest.Store
	gate chan struct{}
}

func (g gated) Commit(ctx context.Context, b intake.Batch) (intake.Outcome, error) {
	<-g.gate
	return g.Store.Commit(ctx, b)
}

func TestACollectorThatStopsAcknowledgesWhatItIsAtAndSendsItsAgentsElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p := collector(t, func(o *intake.Options) { o.Store = gated{intaketest.NewStore(), gate} })
		busy, idle := p.connect(leeds), p.connect(fleet.Identity{Merchant: "acme", Store: "York", Agent: "a2"})
		busy.join()
		idle.join()
		busy.send(busy.pack(sales(1, 2)...))
		synctest.Wait() // it is being committed
		drained := make(chan error, 1)
		go func() { drained <- p.service.Drain(t.Context()) }()
		synctest.Wait()
		if r := idle.refused(intake.RefusedDraining); !r.Retry || r.AfterMs > 5000 {
			t.Errorf("an idle agent was told %v, want to come back within seconds", r)
		}
		late := p.connect(fleet.Identity{Merchant: "acme", Store: "Hull", Agent: "a3"})
		late.refused(intake.RefusedDraining)
		select {
		case err := <-drained:
			t.Fatalf("drained while a batch is being committed: %v", err)
		default:
		}
		close(gate)
		if ack := busy.hearAck(); ack.Stored != 2 {
			t.Errorf("acknowledged up to %d, want 2", ack.Stored)
		}
		busy.refused(intake.RefusedDraining)
		if err := <-drained; err != nil {
			t.Errorf("drain: %v", err)
		}
		if n := p.service.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}

func TestAgentsThatAreSentElsewhereDoNotAllComeAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := collector(t, nil)
		if err := p.service.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		moments := map[int64]bool{}
		for range 50 {
			moments[p.connect(leeds).refused(intake.RefusedDraining).AfterMs] = true
		}
		if len(moments) < 25 {
			t.Errorf("50 agents come at %d moments", len(moments))
		}
	})
}

func TestDrainingIsNotWaitedForLongerThanItMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p := collector(t, func(o *intake.Options) { o.Store = gated{intaketest.NewStore(), gate} })
		a := p.connect(leeds)
		a.join()
		a.send(a.pack(sales(1, 1)...))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := p.service.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("drain: %v, want the deadline", err)
		}
		close(gate)
	})
}
