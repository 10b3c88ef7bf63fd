package app

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillbook.example/tillbook/collector/clearing"
	"tillbook.example/tillbook/collector/storage"
)

// clearEvery is how often what providers owe is compared with the tills.
const clearEvery = time.Hour

// NewClearer returns what compares what providers owe, over a database.
func NewClearer(db *storage.DB, now func() time.Time) *clearing.Clearer {
	return &clearing.Clearer{Store: db, Directory: db, Now: now}
}

// clearRegularly compares what providers owe until ctx ends.
func (a *App) clearRegularly(ctx, working context.Context) error {
	every(ctx, clearEvery, func() {
		if _, err := a.worker.clearer.Sweep(working); err != nil && ctx.Err() == nil {
			a.log.Error("compare what providers owe", "error", err)
		}
	})
	return nil
}

// standings gives how what providers owe stands at the newest comparisons.
func (f *figures) standings(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) error {
	all, err := f.app.db.Standings(ctx)
	if err != nil {
		return err
	}
	merchants, err := f.app.db.Merchants(ctx)
	if err != nil {
		return err
	}
	configured := map[[2]string]bool{}
	for _, m := range merchants {
		for _, account := range m.Settlements {
			configured[[2]string{m.ID, account.Name()}] = true
		}
	}
	all = slices.DeleteFunc(all, func(s storage.Standing) bool { return !configured[[2]string{s.Merchant, s.Account}] })
	var open, held float64
	oldest := func(since *float64, day float64) {
		if day > 0 && (*since == 0 || day < *since) {
			*since = day
		}
	}
	states := map[string]int{}
	for _, s := range all {
		began, err := midnight(s.Open)
		if err != nil {
			return err
		}
		oldest(&open, began)
		if began > 0 {
			states["open"]++
		} else {
			states["clear"]++
		}
		if began, err = midnight(s.Held); err != nil {
			return err
		}
		oldest(&held, began)
	}
	for _, state := range []string{"clear", "open"} {
		gauge(f.clearing, float64(states[state]), state)
	}
	gauge(f.clearOpen, open)
	gauge(f.clearHeld, held)
	return nil
}
