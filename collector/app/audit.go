package app

import (
	"context"
	"time"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/storage"
)

// Verify audits the promises over a database and the books that its merchants'
// days are posted to.
func Verify(ctx context.Context, db *storage.DB, open Opener, merchantID string, now time.Time) (audit.Report, error) {
	return audit.Verify(ctx, audit.Options{Source: db, Target: open, Now: now, Merchant: merchantID})
}

// auditRegularly audits until ctx ends and keeps what the last audit found for
// the metrics. A broken promise is an error in the log, with where it is.
func (a *App) auditRegularly(ctx context.Context) error {
	ticker := time.NewTicker(a.config.Work.Audit)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		report, err := Verify(ctx, a.db, a.worker.open, "", a.now())
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			a.log.Error("audit", "error", err)
			continue
		}
		a.lastAudit.Store(&report)
		for _, result := range report.Results {
			for _, v := range result.Violations {
				a.log.Error("promise broken", "promise", v.Promise, "where", v.Where, "what", v.Text)
			}
		}
	}
}
