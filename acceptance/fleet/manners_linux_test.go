package fleet

import (
	"testing"
	"time"
)

// TestAStoreThatComesBackKeepsNoOtherWaiting has a store of one merchant send what
// gathered while it was away, and others sell beside it, each one sale at a time:
// all of theirs must be stored while the backlog still drains.
func TestAStoreThatComesBackKeepsNoOtherWaiting(t *testing.T) {
	const backlog, live, sales = 60_000, 6, 8
	tills := []till{{merchant: "north", store: store(0), terminal: "1", sales: backlog, days: lastDays(3)}}
	for i := range live {
		tills = append(tills, till{merchant: merchants[i%2], store: store(1 + i), terminal: []string{"1", "2"}[i/2%2], sales: sales, days: lastDays(1)})
	}
	s := open(t, 4*time.Minute, 1, 1+live)
	var counted lines
	agents := s.join(tills, &counted)
	away := agents[0]
	for n := range backlog {
		away.outbox.Add(away.till.ring(n)...)
	}
	s.run(agents)
	all := away.till.records()
	s.wait("the backlog drains", func() bool { return away.uplink.Status().Stored > 0 })
	var took []time.Duration
	for n := range sales {
		rung := time.Now()
		for _, a := range agents[1:] {
			a.outbox.Add(a.till.ring(n)...)
		}
		for _, a := range agents[1:] {
			s.wait("a sale is stored", func() bool { return a.uplink.Status().Unsent == 0 })
		}
		took = append(took, time.Since(rung))
	}
	if left := all - away.uplink.Status().Stored; left == 0 {
		t.Errorf("the backlog of %d was through before %d sales of the others were stored: they took %v", all, sales, took)
	} else {
		t.Logf("%d of %d still waited; the others' sales took %v", left, all, took)
	}
}
