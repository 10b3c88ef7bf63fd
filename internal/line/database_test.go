package line_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/agent/uplink/uplinktest"
	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/intake/intaketest"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/internal/line"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// database opens a real database that knows the agent, and a service on it.
func database(t testing.TB) (*storage.DB, *intake.Service) {
	t.Helper()
	db, err := storage.Open(t.Context(), storage.Options{Path: filepath.Join(t.TempDir(), "books.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	code := fleet.Code{Hash: [32]byte{1}, Merchant: leeds.Merchant, Store: leeds.Store, ExpiresAt: time.Now().Add(time.Hour)}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.AddCode(t.Context(), code); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Redeem(t.Context(), code.Hash, leeds.Agent, "till-pc", "1.0", time.Now()); err != nil {
		t.Fatal(err)
	}
	service, err := intake.NewService(intake.Options{
		Store: db, Presence: db, Logger: slog.New(slog.DiscardHandler),
		Day: func(_ context.Context, _ fleet.Identity, d *document.Document) (bizday.Day, error) {
			return "2026-03-02", nil
		},
		Allowed: func(context.Context, fleet.Identity) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return db, service
}

// TestARealDatabaseHoldsEachSaleOnceOverForks runs copies of an agent's disk, a
// cut one and a damaged one against a real database: what the uplink and intake
// take for a fork, a gap and an acknowledgement has to be what storage does.
func TestARealDatabaseHoldsEachSaleOnceOverForks(t *testing.T) {
	t.Parallel()
	db, service := database(t)
	carrier := &line.Line{ID: leeds, Intake: func() *intake.Service { return service }}
	start := func(disk *uplinktest.Outbox) *running {
		return run(t, uplink.Options{Outbox: disk, Carrier: carrier, Agent: leeds.Agent, MinWait: time.Millisecond, Captured: func() (time.Time, uint64) {
			return time.Now(), disk.Next() - 1
		}})
	}
	sold := 0
	sell := func(disk *uplinktest.Outbox, n int) {
		for range n {
			sold++
			disk.Add(intaketest.Sale(leeds.Store, sold, sold))
		}
	}
	stop := func(r *running, disk *uplinktest.Outbox) {
		r.until(t, disk.Next()-1)
		r.stop()
	}

	disk := uplinktest.NewOutbox()
	sell(disk, 1500)
	stop(start(disk), disk)

	clone := disk.Copy()
	a, b := start(disk), start(clone)
	for range 3 {
		sell(disk, 20)
		sell(clone, 20)
		a.until(t, disk.Next()-1)
		b.until(t, clone.Next()-1)
	}
	stop(a, disk)
	stop(b, clone)

	disk.Cut(disk.Next() - 7) // what was cut is stored all the same
	sell(disk, 30)
	stop(start(disk), disk)

	sell(disk, 30)
	disk.Lose(disk.Next()-20, disk.Next()-11)
	stop(start(disk), disk)

	seen := map[string]int{}
	if err := db.EachDocument(t.Context(), leeds.Merchant, func(d audit.Document) error {
		if d.Standing != "copy" {
			seen[d.Key]++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for key, times := range seen {
		if times != 1 {
			t.Errorf("%s is stored %d times", key, times)
		}
	}
	lost := 0
	if err := db.EachRun(t.Context(), leeds.Merchant, func(r audit.Run) error {
		if r.Lost != "" {
			lost += int(r.Last - r.First + 1)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != sold-10 || lost != 10 {
		t.Errorf("%d sales are stored and %d numbers lost, want %d and 10", len(seen), lost, sold-10)
	}
	agent, err := db.Agent(t.Context(), leeds.Merchant, leeds.Agent)
	if err != nil || agent.SeenAt.IsZero() || agent.Beat.CoveredTo.IsZero() {
		t.Errorf("the agent is %+v, %v; want it seen and covered", agent, err)
	}
}

// BenchmarkDisks sends 20,000 receipts from a real outbox to a real database, in
// one process without a network: the floor that the disks and the reading set.
func BenchmarkDisks(b *testing.B) {
	const n = 20_000
	records := benchRecords(b, n)
	for b.Loop() {
		b.StopTimer()
		_, service := database(b)
		disk, err := outbox.Open(b.TempDir(), outbox.Options{HardFree: -1, Ballast: -1})
		if err != nil {
			b.Fatal(err)
		}
		for at := 0; at < n; at += 500 {
			var g outbox.Group
			for _, r := range records[at : at+500] {
				g.Items = append(g.Items, outbox.Item{Record: r})
			}
			if _, err := disk.Append(b.Context(), g); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		u := run(b, uplink.Options{Outbox: disk, Carrier: &line.Line{ID: leeds, Intake: func() *intake.Service { return service }}})
		u.until(b, n)
		b.StopTimer()
		u.stop()
		if err := disk.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "docs/s")
}
