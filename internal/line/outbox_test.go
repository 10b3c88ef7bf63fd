package line_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/intake/intaketest"
	"tillbook.example/tillbook/internal/line"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// TestTheRealOutboxIsSentOverRestartsAndForks runs the uplink on a real outbox:
// what it keeps as epoch and mark has to lead on after a restart, and its
// numbers and digests to be those of the collector.
func TestTheRealOutboxIsSentOverRestartsAndForks(t *testing.T) {
	t.Parallel()
	store := intaketest.NewStore()
	service, err := intake.NewService(intake.Options{
		Store: store, Presence: &intaketest.Presence{}, Logger: slog.New(slog.DiscardHandler),
		Day: func(context.Context, fleet.Identity, *document.Document) (bizday.Day, error) {
			return "2026-03-02", nil
		},
		Allowed: func(context.Context, fleet.Identity) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	direct := &line.Line{ID: leeds, Intake: func() *intake.Service { return service }}
	dir := t.TempDir()
	sold := 0
	// session opens the outbox, sells, sends all and returns how it stands.
	session := func(n int) uplink.Status {
		t.Helper()
		disk, err := outbox.Open(dir, outbox.Options{SegmentBytes: 128 << 10, SoftFree: -1, HardFree: -1, Ballast: -1, IndexReserve: -1})
		if err != nil {
			t.Fatal(err)
		}
		u := run(t, uplink.Options{Outbox: disk, Carrier: direct, Agent: leeds.Agent})
		for sent := 0; sent < n; {
			var g outbox.Group
			for range min(100, n-sent) {
				sold++
				sent++
				record := intaketest.Sale(leeds.Store, sold, sold)
				g.Items = append(g.Items, outbox.Item{Key: fmt.Sprint(sold), Record: record})
			}
			if _, err := disk.Append(t.Context(), g); err != nil {
				t.Fatal(err)
			}
		}
		u.until(t, uint64(sold))
		u.stop()
		status := u.Status()
		if err := disk.Close(); err != nil {
			t.Fatal(err)
		}
		return status
	}
	check := func(when string, status uplink.Status) {
		t.Helper()
		if status.Unsent != 0 || status.Stored != uint64(sold) {
			t.Errorf("%s: status %+v, want all %d stored", when, status, sold)
		}
		effects := store.Effects()
		for e, times := range effects {
			if times != 1 {
				t.Errorf("%s: %s had %d effects", when, e.Key, times)
			}
		}
		if len(effects) != sold {
			t.Errorf("%s: %d documents stored, want %d", when, len(effects), sold)
		}
		if lost := store.Lost(leeds); len(lost) > 0 {
			t.Errorf("%s: lost %v", when, lost)
		}
	}
	check("first run", session(3000))
	backup := store.Backup()
	store.Verify()
	check("after a restart", session(500))
	store.Restore(backup)
	status := session(500)
	check("after a restore", status)
	if status.Safe == 0 {
		t.Error("nothing was released")
	}

	// A collector that starts from nothing gets what is still kept, and is told
	// what is not.
	store.Restore(intaketest.NewStore())
	status = session(1)
	lost := 0
	for _, n := range store.Lost(leeds) {
		lost += n
	}
	if status.Unsent != 0 || store.Epochs(leeds) != 1 || lost == 0 || lost+len(store.Effects()) != sold {
		t.Errorf("after a loss: status %+v, %d epochs, %d lost and %d stored of %d", status, store.Epochs(leeds), lost, len(store.Effects()), sold)
	}
}
