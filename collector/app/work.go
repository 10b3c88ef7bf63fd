package app

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"tillbook.example/tillbook/collector/clearing"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/drift"
	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/work"
)

// longestRest is how long a day that still waits is left alone if no document
// of it changed.
const longestRest = 10 * time.Second

// catchUp is how many days of one merchant are closed in a row before others
// have their turn.
const catchUp = 31

// watchEvery is how often days without trade and failing days are looked for.
const watchEvery = time.Hour

// worker is the role work: what is done with what came in.
type worker struct {
	closer  *day.Closer
	poster  *posting.Poster
	watch   *day.Watch
	drift   *drift.Checker
	sheets  *posting.Attacher
	open    Opener
	share   *work.Share // nil where no other collector works on the database
	feeds   *feed.Runner
	clearer *clearing.Clearer
}

func (a *App) openWorker() (*worker, error) {
	open, err := OpenTargets(a.config, a.db, a.clock)
	if err != nil {
		return nil, err
	}
	w := &worker{
		closer:  &day.Closer{Store: a.db, Now: a.clock, Mapping: a.db.Mapping, Glances: a.db.Glances, Rest: min(2*a.config.Work.Every, longestRest), Most: catchUp},
		poster:  &posting.Poster{Store: a.db, Directory: a.db, Target: open, Now: a.clock},
		watch:   &day.Watch{Store: a.db, Now: a.clock, Logger: a.log},
		drift:   &drift.Checker{Store: a.db, Directory: a.db, Target: open, Now: a.clock},
		sheets:  &posting.Attacher{Store: a.db, Directory: a.db, Target: open, Now: a.clock},
		open:    open,
		feeds:   a.openFeeds(),
		clearer: NewClearer(a.db, a.clock),
	}
	if a.config.Database.DSN != "" { // others may work on it too
		w.share = &work.Share{Store: a.db, Holder: rand.Text(), Term: a.config.Work.Term}
		w.closer.Share, w.poster.Share, w.drift.Share, w.sheets.Share = w.share, w.share, w.share, w.share
		w.feeds.Share, w.clearer.Share = w.share, w.share
	}
	return w, nil
}

// run works until the app is to quit; what is in hand then goes on until ctx ends.
func (w *worker) run(inHand context.Context, a *App) error {
	ctx, quit := context.WithCancel(inHand)
	defer quit()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		select {
		case <-a.quit:
			quit()
		case <-ctx.Done():
		}
		return nil
	})
	working := work.Quitting(inHand, a.quit)
	failed := func(what string, err error) {
		if err != nil && inHand.Err() == nil {
			a.log.Error(what, "error", err)
		}
	}
	// Books that answer slowly must keep neither other books waiting nor days open.
	group.Go(func() error {
		every(ctx, a.config.Work.Every, func() {
			pass, err := w.closer.Sweep(working)
			if pass.Closed > 0 {
				a.log.Info("days closed", "closed", pass.Closed, "held", pass.Held)
			}
			failed("close days", err)
		})
		return nil
	})
	group.Go(func() error {
		defer w.poster.Wait()
		every(ctx, a.config.Work.Every, func() {
			failed("post", w.poster.Begin(working, func(pass posting.Pass, err error) {
				if pass.Due > 0 {
					a.log.Info("days posted", "due", pass.Due, "posted", pass.Done, "waiting", pass.Waiting, "refused", pass.Refused)
				}
				if err != nil && inHand.Err() == nil {
					a.log.Error("post", "code", target.CodeOf(err), "error", err)
				}
			}))
		})
		return nil
	})
	group.Go(func() error {
		opener := &day.Opener{Store: a.db, Now: a.now}
		every(ctx, watchEvery, func() {
			if err := errors.Join(opener.Check(ctx), w.watch.Check(ctx)); err != nil && ctx.Err() == nil {
				a.log.Error("watch days", "error", err)
			}
		})
		return nil
	})
	group.Go(func() error { return a.auditRegularly(ctx) })
	group.Go(func() error {
		every(ctx, a.config.Work.Every, func() { a.compare(ctx) })
		return nil
	})
	group.Go(func() error { return a.pullRegularly(ctx) })
	group.Go(func() error { return a.clearRegularly(ctx, working) })
	return group.Wait()
}

// every calls do at once and then each pause, until ctx ends.
func every(ctx context.Context, pause time.Duration, do func()) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// WorkOnce looks at every unsettled day and posting once. The app must have the
// role work.
func (a *App) WorkOnce(ctx context.Context) error {
	_, closing := a.worker.closer.Sweep(ctx)
	_, posting := a.worker.poster.Sweep(ctx)
	return errors.Join(closing, posting)
}
