package line_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/outbox/file/filetest"
	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/intake/intaketest"
	"tillbook.example/tillbook/internal/line"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// releases tells of each release.
type releases struct {
	*outbox.Outbox
	told chan struct{}
}

func (r releases) Release(safe uint64) error {
	err := r.Outbox.Release(safe)
	select {
	case r.told <- struct{}{}:
	default:
	}
	return err
}

// TestAFullDiskGoesOnSendingAndTakesSalesAgainByItself fills a real disk while the
// collector is away.
func TestAFullDiskGoesOnSendingAndTakesSalesAgainByItself(t *testing.T) {
	const mib = 1 << 20
	loop := filetest.NewLoop(t, 64*mib)
	loop.Occupy(18 * mib)
	disk, err := outbox.Open(filepath.Join(loop.Dir, "outbox"), outbox.Options{SegmentBytes: mib, SoftFree: 16 * mib, HardFree: 8 * mib, Ballast: 2 * mib})
	if err != nil {
		t.Fatal(err)
	}
	sold := 0
	sell := func() error {
		var g outbox.Group
		for i := range 100 {
			g.Items = append(g.Items, outbox.Item{Key: fmt.Sprint(sold + i), Record: intaketest.Sale(leeds.Store, sold+i, 500)})
		}
		_, err := disk.Append(t.Context(), g)
		if err == nil {
			sold += 100
		}
		return err
	}
	for err = sell(); err == nil; err = sell() {
	}
	if !errors.Is(err, outbox.ErrFull) || sold < 1000 {
		t.Fatalf("after %d sales: %v", sold, err)
	}

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
	told := make(chan struct{}, 1)
	u := run(t, uplink.Options{
		Outbox: releases{disk, told}, Carrier: &line.Line{ID: leeds, Intake: func() *intake.Service { return service }}, Agent: leeds.Agent,
		Every: 50 * time.Millisecond, Refresh: 50 * time.Millisecond,
	})
	u.until(t, uint64(sold))
	if err := sell(); !errors.Is(err, outbox.ErrFull) {
		t.Errorf("nothing is safe yet: %v", err)
	}
	before := sold
	store.Verify() // now it is
	select {
	case <-told:
	case <-time.After(patience):
		t.Fatal("nothing was released")
	}
	if err := sell(); err != nil {
		t.Errorf("after the release: %v", err)
	}
	u.until(t, uint64(sold))
	u.stop()
	if effects := len(store.Effects()); effects != before+100 {
		t.Errorf("%d sales are stored, %d were taken", effects, before+100)
	}
	if err := disk.Close(); err != nil {
		t.Error(err)
	}
}
