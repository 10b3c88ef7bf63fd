package line_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/agent/uplink/uplinktest"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/intake/intaketest"
	"tillbook.example/tillbook/internal/line"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

var leeds = fleet.Identity{Merchant: "acme", Store: "Leeds", Agent: "a1"}

// world is a collector and the machines of one agent: the one that was
// installed, and copies of its disk that run beside it.
type world struct {
	t        *testing.T
	store    *intaketest.Store
	presence *intaketest.Presence
	log      *slog.Logger
	problems problems

	mu       sync.Mutex // of all below
	service  *intake.Service
	faults   int           // of 1000 messages
	storing  int           // of 1000 transactions that fail
	slow     time.Duration // of each transaction
	random   *rand.Rand
	machines []*machine
	sold     int
	backup   *intaketest.Store
}

// machine is a disk with the agent that runs on it.
type machine struct {
	disk   *uplinktest.Outbox
	uplink *uplink.Uplink
	stop   func()
}

// problems are what went wrong where it could not be returned.
type problems struct {
	mu   sync.Mutex
	text []string
}

func (p *problems) add(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = append(p.text, fmt.Sprintf(format, args...))
}

func newWorld(t *testing.T, seed uint64, prepare func(*intaketest.Store)) *world {
	w := &world{
		t: t, store: intaketest.NewStore(), presence: &intaketest.Presence{}, log: slog.New(slog.DiscardHandler),
		random: rand.New(rand.NewPCG(seed, 1)),
	}
	if prepare != nil {
		prepare(w.store)
	}
	fail := func(method string) error {
		w.mu.Lock()
		slow := w.slow
		w.mu.Unlock()
		if slow > 0 {
			pass(slow)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.random.IntN(1000) < w.storing {
			return errors.New("the database went away")
		}
		return nil
	}
	w.store.Before, w.store.After = fail, fail
	w.backup = w.store.Backup()
	w.serve()
	disk := uplinktest.NewOutbox()
	disk.Released = w.released
	w.run(disk)
	return w
}

// serve starts a collector; the one before loses its sessions.
func (w *world) serve() {
	service, err := intake.NewService(intake.Options{
		Store: w.store, Presence: w.presence, Logger: w.log, Version: "1.0",
		Day: func(_ context.Context, _ fleet.Identity, d *document.Document) (bizday.Day, error) {
			return bizday.Day(d.Time.AsGiven[:10]), nil
		},
		Allowed: func(context.Context, fleet.Identity) error { return nil },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.service = service
}

// run starts an agent on a disk.
func (w *world) run(disk *uplinktest.Outbox) *machine {
	carrier := &line.Line{ID: leeds,
		Intake: func() *intake.Service { w.mu.Lock(); defer w.mu.Unlock(); return w.service },
		Fault: func(m proto.Message) line.Fault {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.random.IntN(1000) >= w.faults {
				return line.None
			}
			faults := []line.Fault{line.Cut, line.After}
			if up, ok := m.(*tillbookv1.Up); ok && (up.GetBatch() != nil || up.GetGap() != nil) {
				faults = append(faults, line.Twice)
			}
			if down, ok := m.(*tillbookv1.Down); ok && (down.GetAck() != nil || down.GetHeartbeat() != nil) {
				faults = append(faults, line.Lose)
			}
			return faults[w.random.IntN(len(faults))]
		},
	}
	up, err := uplink.New(uplink.Options{
		Outbox: disk, Carrier: carrier, Agent: leeds.Agent, Version: "1.0", Logger: w.log,
		Captured: func() (time.Time, uint64) { return time.Now(), disk.Next() - 1 },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := up.Run(ctx); err != nil {
			w.problems.add("uplink stopped: %v", err)
		}
	})
	m := &machine{disk: disk, uplink: up, stop: func() { cancel(); running.Wait() }}
	w.machines = append(w.machines, m)
	return m
}

// restart stops a machine and starts its agent again, on the given disk.
func (w *world) restart(i int, disk *uplinktest.Outbox) {
	w.machines[i].stop()
	fresh := w.run(disk)
	w.machines = w.machines[:len(w.machines)-1]
	w.machines[i] = fresh
}

// sell adds sales to a machine's disk; one in five changes an earlier one.
func (w *world) sell(m *machine, n int) {
	for range n {
		w.sold++
		number := w.sold
		if number > 10 && number%5 == 0 {
			number -= 7
		}
		m.disk.Add(intaketest.Sale(leeds.Store, number, 100+w.sold))
	}
}

// holds says whether what a record states had its effect in the store.
func (w *world) holds(effects map[intaketest.Effect]int, text []byte) (bool, string) {
	var r tillbookv1.Record
	if err := proto.Unmarshal(text, &r); err != nil {
		return false, err.Error()
	}
	d, err := document.Unmarshal(r.Document)
	if err != nil {
		return false, err.Error()
	}
	e := intaketest.Effect{Merchant: leeds.Merchant, Key: d.Key.String(), Hash: [32]byte(r.Hash)}
	return effects[e] == 1, fmt.Sprintf("%s, %d times", e.Key, effects[e])
}

// released looks that nothing is let go that the collector does not hold.
func (w *world) released(disk *uplinktest.Outbox, safe uint64) {
	effects := w.store.Effects()
	for n, text := range disk.All() {
		if n > safe {
			continue
		}
		if held, what := w.holds(effects, text); !held {
			w.problems.add("number %d is released, the collector has %s", n, what)
		}
	}
}

// check compares what is stored with every disk.
func (w *world) check() {
	effects := w.store.Effects()
	for e, times := range effects {
		if times != 1 {
			w.problems.add("%s had %d effects", e.Key, times)
		}
	}
	for i, m := range w.machines {
		status := m.uplink.Status()
		if status.Unsent != 0 || !status.Connected {
			w.problems.add("machine %d is not done: %+v, next %d", i, status, m.disk.Next())
		}
		for n, text := range m.disk.All() {
			if held, what := w.holds(effects, text); !held {
				w.problems.add("machine %d: number %d is not stored once: %s", i, n, what)
			}
		}
	}
}

// pass lets time pass on the bubble's clock, which takes none.
func pass(d time.Duration) { <-time.After(d) }

// step is one thing that happens in a world. n is how much or which.
type step struct {
	what string
	n    int
}

func (w *world) do(s step) {
	i := s.n % len(w.machines)
	m := w.machines[i]
	switch s.what {
	case "sell":
		w.sell(m, s.n%40+1)
	case "sell much":
		w.sell(m, 1500+s.n)
	case "wait":
		pass(time.Duration(s.n) * time.Second)
	case "wait a moment":
		pass(time.Duration(s.n) * time.Millisecond)
	case "settle":
		synctest.Wait()
	case "bad line":
		w.mu.Lock()
		w.faults = s.n % 400
		w.mu.Unlock()
	case "bad database":
		w.mu.Lock()
		w.storing = s.n % 200
		w.mu.Unlock()
	case "slow database":
		w.mu.Lock()
		w.slow = time.Duration(s.n) * time.Millisecond
		w.mu.Unlock()
	case "good again":
		w.mu.Lock()
		w.faults, w.storing, w.slow = 0, 0, 0
		w.mu.Unlock()
	case "restart agent":
		w.restart(i, m.disk)
	case "restart collector":
		w.serve()
	case "back up collector":
		w.backup = w.store.Backup()
		w.store.Verify()
	case "restore collector":
		w.store.Restore(w.backup)
	case "lose records":
		first := m.disk.First() + uint64(s.n)
		m.disk.Lose(first, first+uint64(s.n%7))
	case "cut the tail":
		m.stop()
		m.disk.Cut(m.disk.Next() - min(m.disk.Next()-1, uint64(s.n%20)))
		w.restart(i, m.disk)
	case "restore agent":
		old := m.disk.Copy()
		w.do(step{"sell", s.n})
		w.do(step{"wait", s.n % 60})
		w.restart(i, old)
	case "clone":
		if len(w.machines) < 3 {
			w.run(m.disk.Copy())
		}
	}
}

// simulate runs steps, lets everything come to rest without faults, and returns
// what went wrong.
func simulate(t *testing.T, seed uint64, steps []step, prepare func(*intaketest.Store)) (found []string) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed, prepare)
		for _, s := range steps {
			w.do(s)
		}
		w.do(step{what: "good again"})
		pass(20 * time.Minute)
		synctest.Wait()
		w.check()
		for _, m := range w.machines {
			m.stop()
		}
		if epochs := w.store.Epochs(leeds); epochs > 60 {
			w.problems.add("%d epochs", epochs)
		}
		found = w.problems.text
	})
	return found
}

func steps(what ...string) *rapid.Generator[[]step] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{rapid.SampledFrom(what).Draw(t, "what"), rapid.IntRange(0, 1000).Draw(t, "n")}
	}), 1, 25)
}

func check(t *testing.T, prepare func(*intaketest.Store), what ...string) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		plan := steps(what...).Draw(rt, "steps")
		if found := simulate(t, seed, plan, prepare); len(found) > 0 {
			rt.Fatalf("%d problems, the first: %s", len(found), strings.Join(found[:min(5, len(found))], "\n"))
		}
	})
}

var ordinary = []string{"sell", "sell", "sell", "wait", "settle", "bad line", "bad database", "good again", "restart agent",
	"restart collector", "back up collector"}

func TestEachSaleArrivesOnceOverABadLine(t *testing.T) {
	t.Parallel()
	check(t, nil, ordinary...)
}

func TestEachSaleArrivesOnceAfterTheCollectorWasRestored(t *testing.T) {
	t.Parallel()
	check(t, nil, slices.Concat(ordinary, []string{"restore collector", "restore collector"})...)
}

func TestEachSaleArrivesOnceThoughTheAgentsDiskIsNotWhatItWas(t *testing.T) {
	t.Parallel()
	check(t, nil, slices.Concat(ordinary, []string{"lose records", "cut the tail", "restore agent", "clone"})...)
}

func TestEachSaleArrivesOnceWhereOnlyTheNewestEpochIsTakenAndDigestsAreSparse(t *testing.T) {
	t.Parallel()
	prepare := func(s *intaketest.Store) { s.NewestOnly, s.Sparse = true, true }
	check(t, prepare, slices.Concat(ordinary, []string{"lose records", "cut the tail", "restore agent", "clone", "restore collector"})...)
}

func TestAnIdleAgentLearnsThatTheCollectorWasRestoredUnderIt(t *testing.T) {
	t.Parallel()
	plan := []step{{"sell", 30}, {"wait", 30}, {"back up collector", 0}, {"sell", 30}, {"wait", 30}, {"restore collector", 0}}
	for _, problem := range simulate(t, 1, plan, nil) {
		t.Error(problem)
	}
}
