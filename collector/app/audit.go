package app

import (
	"context"
	"time"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/storage"
)

// Verify audits the promises over a database and the books that its merchants'
// days are posted to.
func Verify(ctx context.Context, db *storage.DB, merchantID string, now time.Time) (audit.Report, error) {
	return audit.Verify(ctx, audit.Options{Source: audited{db}, Target: Targets(), Now: now, Merchant: merchantID})
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
		report, err := Verify(ctx, a.db, "", a.now())
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

// audited is the database in the audit's own words.
type audited struct{ *storage.DB }

func (d audited) EachDocument(ctx context.Context, merchantID string, f func(audit.Document) error) error {
	return d.DB.EachDocument(ctx, merchantID, func(s storage.Document) error {
		return f(audit.Document{
			Ref: s.Ref, Key: s.Key, Revision: s.Revision, Standing: s.Standing, Conflict: s.Conflict, Hash: s.Hash,
			Agent: s.Agent, Epoch: s.Epoch, Number: s.Number, Body: s.Body,
		})
	})
}

func (d audited) EachEpoch(ctx context.Context, merchantID string, f func(audit.Epoch) error) error {
	return d.DB.EachEpoch(ctx, merchantID, func(s storage.Epoch) error {
		return f(audit.Epoch{Agent: s.Agent, Order: s.Order, Start: s.Start, Stored: s.Stored, Digest: s.Digest})
	})
}

func (d audited) EachRun(ctx context.Context, merchantID string, f func(audit.Run) error) error {
	return d.DB.EachRun(ctx, merchantID, func(s storage.Run) error {
		return f(audit.Run{Agent: s.Agent, Epoch: s.Epoch, First: s.First, Last: s.Last, Lost: s.Lost, Before: s.Before, Digests: s.Digests})
	})
}
