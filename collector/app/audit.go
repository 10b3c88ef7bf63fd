package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/collector/work"
)

// looksPerAudit is how often between two audits it is looked whether one is due,
// so that one whose collector died is not late by much.
const looksPerAudit = 5

// auditing is what one collector at a time does; it is no merchant's.
var auditing = []work.Subject{{Name: "audit"}}

// Verify audits the promises over a database and the books that its merchants'
// days are posted to.
func Verify(ctx context.Context, db *storage.DB, open Opener, merchantID string, now time.Time) (audit.Report, error) {
	return audit.Verify(ctx, audit.Options{Source: db, Target: open, Now: now, Merchant: merchantID})
}

// auditRegularly audits whenever it is due, until ctx ends.
func (a *App) auditRegularly(ctx context.Context) error {
	ticker := time.NewTicker(a.config.Work.Audit / looksPerAudit)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if _, err := a.AuditOnce(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("audit", "error", err)
		}
	}
}

// AuditOnce audits if it is due and no other collector does, and says whether it
// did. What was found is kept for the metrics of all; a broken promise is an error
// in the log, with where it is. The app must have the role work.
func (a *App) AuditOnce(ctx context.Context) (did bool, err error) {
	if due, err := a.auditDue(ctx); err != nil || !due {
		return false, err
	}
	var failed error
	err = a.worker.share.Each(ctx, auditing, func(ctx context.Context, _ int) time.Duration {
		did, failed = a.audit(ctx)
		return 0
	})
	return did, errors.Join(failed, err)
}

// audit audits under the lease, if nobody else did before it was claimed.
func (a *App) audit(ctx context.Context) (did bool, err error) {
	if due, err := a.auditDue(ctx); err != nil || !due {
		return false, err
	}
	report, err := Verify(ctx, a.db, here(a.worker.open), "", a.now())
	if err != nil {
		return false, err
	}
	for _, result := range report.Results {
		for _, v := range result.Violations {
			a.log.Error("promise broken", "promise", v.Promise, "where", v.Where, "what", v.Text)
		}
	}
	return true, a.db.KeepAudit(ctx, report.Summary())
}

func (a *App) auditDue(ctx context.Context) (bool, error) {
	last, err := a.db.LastAudit(ctx)
	if err != nil {
		return false, fmt.Errorf("when the last audit was: %w", err)
	}
	return a.now().Sub(last.At).Abs() >= a.config.Work.Audit, nil // also where that one's clock was ahead
}
