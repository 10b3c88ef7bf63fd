package app

import (
	"context"
	"fmt"

	"tillbook.example/tillbook/collector/drift"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/target"
)

// compare looks once at the books that are to be compared, and attaches to postings
// what explains them, apart from closing and posting: books that answer slowly keep
// no day waiting.
func (a *App) compare(ctx context.Context) {
	pass, err := a.worker.drift.Sweep(ctx)
	if err != nil && ctx.Err() == nil {
		a.log.Error("compare the books", "error", err)
	}
	if pass.Found > 0 || pass.Doubles > 0 {
		a.log.Warn("the books differ from what was posted", "found", pass.Found, "doubles taken off", pass.Doubles)
	}
	if _, err := a.worker.sheets.Sweep(ctx); err != nil && ctx.Err() == nil {
		a.log.Warn("attach what explains postings", "error", err)
	}
}

// here opens only books that cost nothing to read: those in the cloud are compared
// once a day, and whenever somebody says that they changed (package drift).
func here(open Opener) Opener {
	return func(m merchant.Merchant, c merchant.Connection) (target.Target, error) {
		if guarded(c) {
			return nil, fmt.Errorf("they are compared every %s, see `drift`; `verify` asks them at once", drift.Daily)
		}
		return open(m, c)
	}
}
