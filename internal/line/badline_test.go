package line_test

import (
	"testing"
	"time"

	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/agent/uplink/uplinktest"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/internal/line"
)

// shortly are options of a collector whose silence and whose agents' silence
// shows within seconds.
func shortly(o *intake.Options) { o.Beat, o.Dead = 500*time.Millisecond, 3*time.Second }

// soon is how soon silence and a missing acknowledgement show at the agent: after
// a twentieth of what it is in a store.
func soon(o *uplink.Options) {
	o.Every, o.Dead, o.Patience = 500*time.Millisecond, 3*time.Second, 4500*time.Millisecond
}

// onBad runs a test over each carrier with a line whose quality it sets between
// the agent and what it connects to.
func onBad(t *testing.T, test func(t *testing.T, s *site, wire *line.Wire, disk *uplinktest.Outbox, u *running), agent func(*uplink.Options), collector func(*intake.Options)) {
	t.Helper()
	onEach(t, func(t *testing.T, s *site) {
		wire, err := line.NewWire(s.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(wire.Close)
		disk := uplinktest.NewOutbox()
		o := quick(s, disk)
		o.Carrier = s.dialAt(wire.Addr(), nil, s.authority, leeds)
		agent(&o)
		test(t, s, wire, disk, run(t, o))
	}, collector)
}

func TestEachSaleArrivesOnceOverALineThatBreaksAgainAndAgain(t *testing.T) {
	onBad(t, func(t *testing.T, s *site, wire *line.Wire, disk *uplinktest.Outbox, u *running) {
		const breaks, sales = 8, 1200
		wire.Set(line.Quality{CutAfter: 200_000}) // in the middle of a batch, of up to 80,000
		for at := range breaks {
			sell(disk, at*sales, at*sales+sales)
			u.until(t, uint64(at*sales+sales/8))
			wire.Cut()
		}
		u.until(t, breaks*sales)
		s.once(t, breaks*sales)
		if n := wire.Dialled(); n < breaks {
			t.Errorf("%d connections, want one for each break", n)
		}
	}, soon, shortly)
}

// A delay of 3 s each way where silence ends a session after 60 s.
func TestEachSaleArrivesOnceOverASlowReply(t *testing.T) {
	onBad(t, func(t *testing.T, s *site, wire *line.Wire, disk *uplinktest.Outbox, u *running) {
		wire.Set(line.Quality{Delay: 150 * time.Millisecond})
		sell(disk, 0, 3000)
		u.until(t, 3000)
		s.once(t, 3000)
		if n := wire.Dialled(); n > 2 {
			t.Errorf("%d connections: the delay ended sessions", n)
		}
	}, soon, shortly)
}

// At the intervals of a store: the batch takes seven seconds.
func TestEachSaleArrivesOnceOver64KilobitsPerSecond(t *testing.T) {
	onBad(t, func(t *testing.T, s *site, wire *line.Wire, disk *uplinktest.Outbox, u *running) {
		wire.Set(line.Quality{Rate: 64_000 / 8, Delay: 50 * time.Millisecond})
		sell(disk, 0, 800)
		u.until(t, 800)
		s.once(t, 800)
	}, func(*uplink.Options) {}, func(*intake.Options) {})
}

func TestALineThatIsHalfOpenIsLeftByBothSides(t *testing.T) {
	onBad(t, func(t *testing.T, s *site, wire *line.Wire, disk *uplinktest.Outbox, u *running) {
		sell(disk, 0, 200)
		u.until(t, 200)
		wire.Set(line.Quality{HalfOpen: true})
		sell(disk, 200, 400)
		late := time.After(patience)
		for u.Status().Connected || s.services[0].Stats().Sessions > 0 {
			select {
			case <-time.After(20 * time.Millisecond):
			case <-late:
				t.Fatalf("the agent: %+v, the collector: %+v", u.Status(), s.services[0].Stats())
			}
		}
		s.once(t, 200)
		wire.Set(line.Quality{})
		wire.Cut() // what tries to connect meanwhile would wait for its time limit
		u.until(t, 400)
		s.once(t, 400)
	}, soon, shortly)
}
