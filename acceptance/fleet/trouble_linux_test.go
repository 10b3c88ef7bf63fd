package fleet

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tillbook.example/tillbook/internal/installation"
	"tillbook.example/tillbook/internal/mosquitto"
	"tillbook.example/tillbook/internal/postgres"
)

// trouble is what befalls a fleet's collectors, broker and database, each by
// itself and at any time, so that several may be away at once.
type trouble struct {
	seed  uint64
	calm  time.Duration // on average between two troubles of one collector
	long  bool          // some pauses are so long that nobody waits for their end
	say   func(format string, args ...any)
	ended sync.WaitGroup
	stop  context.CancelFunc

	kills, pauses, brokers, databases, failedStarts atomic.Int64
}

// begin lets trouble come until end. ctx is the test's.
func (tr *trouble) begin(ctx context.Context, collectors []collector, broker *mosquitto.Broker, database *postgres.Server, fail func(error)) {
	calm, stop := context.WithCancel(ctx)
	tr.stop = stop
	next := uint64(0)
	repeat := func(every time.Duration, f func(random *rand.Rand)) {
		next++
		random := rand.New(rand.NewPCG(tr.seed, next))
		tr.ended.Go(func() {
			for {
				pause(calm, every/2+time.Duration(random.Int64N(int64(every))))
				if calm.Err() != nil {
					return
				}
				f(random)
			}
		})
	}
	for _, c := range collectors {
		repeat(tr.calm, func(random *rand.Rand) {
			if random.IntN(5) < 3 {
				tr.kill(ctx, c, random, fail)
				return
			}
			tr.freeze(calm, c, random, fail)
		})
	}
	repeat(2*tr.calm, func(random *rand.Rand) {
		broker.Kill()
		pause(calm, time.Duration(random.Int64N(int64(time.Second))))
		if err := broker.Start(); err != nil {
			fail(err)
		}
		tr.brokers.Add(1)
		tr.say("the broker was killed and is back")
	})
	repeat(3*tr.calm, func(*rand.Rand) {
		if err := database.Crash(); err != nil {
			fail(err)
		}
		tr.databases.Add(1)
		tr.say("the database has crashed and is back")
	})
}

// kill ends a collector and starts it again, as often as a service manager would:
// it may find no database.
func (tr *trouble) kill(ctx context.Context, c collector, random *rand.Rand, fail func(error)) {
	if err := c.Kill(c.data); err != nil {
		fail(err)
	}
	pause(ctx, time.Duration(random.Int64N(int64(time.Second))))
	for c.Start(ctx, installation.Collector, c.data, "serve") != nil {
		if ctx.Err() != nil {
			return
		}
		tr.failedStarts.Add(1)
		pause(ctx, 200*time.Millisecond)
	}
	tr.kills.Add(1)
	tr.say("%s was killed and is back", c.data)
}

// freeze stops a collector for longer than its leases last.
func (tr *trouble) freeze(calm context.Context, c collector, random *rand.Rand, fail func(error)) {
	rest := 2500*time.Millisecond + time.Duration(random.Int64N(int64(3*time.Second)))
	if tr.long && random.IntN(4) == 0 {
		rest = 45 * time.Second
	}
	if err := syscall.Kill(c.Pid(c.data), syscall.SIGSTOP); err != nil {
		fail(err)
	}
	pause(calm, rest)
	if err := syscall.Kill(c.Pid(c.data), syscall.SIGCONT); err != nil {
		fail(err)
	}
	tr.pauses.Add(1)
	tr.say("%s was stopped for %s and goes on", c.data, rest.Round(100*time.Millisecond))
}

// end lets no more trouble come, and returns when all that was away is back.
func (tr *trouble) end() {
	tr.stop()
	tr.ended.Wait()
}
