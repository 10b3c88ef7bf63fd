package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/work"
)

// How often sources are asked.
const (
	// DefaultEvery is how long after its last page a source is asked again. A feed
	// that speaks for stores is told to be silent after 90 seconds, as an agent is.
	DefaultEvery = time.Minute
	// DefaultPages is how many pages of one feed are taken in a row before others
	// have their turn.
	DefaultPages = 20

	firstRest   = 30 * time.Second // after a failure; doubled with each that follows
	longestRest = time.Hour
	unsaidRest  = time.Minute    // where a source throttles and does not say for how long
	mostRest    = 24 * time.Hour // that a source may ask for
	pullTimeout = 2 * time.Minute
)

// Codes of failures, as in the table of problems.
const (
	CodeDenied      = "feed_denied"
	CodeUnavailable = "feed_unavailable"
)

// Runner asks sources for what is new.
type Runner struct {
	Store    Store
	Merchant interface {
		Merchants(ctx context.Context) ([]merchant.Merchant, error)
	}
	// Open opens the source of a feed. It is called for each turn.
	Open     func(ctx context.Context, m merchant.Merchant, f merchant.Feed) (Source, error)
	Calendar intake.Calendar
	Now      func() time.Time
	Logger   *slog.Logger
	Share    *work.Share // nil: no other collector works on the feeds
	Every    time.Duration
	Pages    int
}

// Pass is what one pass over the feeds came to.
type Pass struct {
	Due, Pages, Failed int
	Kept               Kept
}

// turn is one feed that is due.
type turn struct {
	m     merchant.Merchant
	feed  merchant.Feed
	id    ID
	state State
}

// Sweep asks every source that is due, each for a bounded number of pages.
func (r *Runner) Sweep(ctx context.Context) (Pass, error) {
	var pass Pass
	merchants, err := r.Merchant.Merchants(ctx)
	if err != nil {
		return pass, fmt.Errorf("feeds: %w", err)
	}
	states, err := r.Store.Feeds(ctx)
	if err != nil {
		return pass, fmt.Errorf("feeds: %w", err)
	}
	known := make(map[ID]State, len(states))
	for _, s := range states {
		known[s.ID] = s
	}
	var turns []turn
	var subjects []work.Subject
	for _, m := range merchants {
		for _, f := range m.Feeds {
			id := ID{m.ID, f.ID}
			if !f.Pulled() || r.Now().Before(known[id].NotBefore) {
				continue
			}
			turns = append(turns, turn{m, f, id, known[id]})
			subjects = append(subjects, work.Subject{Merchant: m.ID, Name: "feed " + f.ID})
		}
	}
	pass.Due = len(turns)
	err = r.Share.Each(ctx, subjects, func(ctx context.Context, i int) time.Duration {
		pages, kept, err := r.turn(ctx, turns[i])
		pass.Pages += pages
		pass.Kept.Documents += kept.Documents
		pass.Kept.Movements += kept.Movements
		pass.Kept.Payouts += kept.Payouts
		pass.Kept.Lines += kept.Lines
		if err != nil && ctx.Err() == nil {
			pass.Failed++
			r.Logger.Warn("feed could not be read", "feed", turns[i].id.String(), "error", err)
		}
		return 0
	})
	return pass, err
}

// turn takes pages until there are no more, or others have their turn.
func (r *Runner) turn(ctx context.Context, t turn) (pages int, all Kept, err error) {
	source, err := r.Open(ctx, t.m, t.feed)
	if err != nil {
		return 0, all, errors.Join(err, r.failed(ctx, t, err))
	}
	cursor := t.state.Cursor
	for range r.pages() {
		kept, next, more, err := r.page(ctx, t, source, cursor)
		if errors.Is(err, ErrStale) || errors.Is(err, work.ErrLost) {
			return pages, all, nil // somebody else was faster
		}
		if err != nil {
			return pages, all, errors.Join(err, r.failed(ctx, t, err))
		}
		pages++
		t.state.Failures = 0
		all.Documents += kept.Documents
		all.Movements += kept.Movements
		all.Payouts += kept.Payouts
		all.Lines += kept.Lines
		if !more {
			break
		}
		cursor = next
	}
	return pages, all, nil
}

func (r *Runner) page(ctx context.Context, t turn, source Source, cursor string) (Kept, string, bool, error) {
	pulling, cancel := context.WithTimeout(ctx, pullTimeout)
	defer cancel()
	page, err := source.Pull(pulling, cursor)
	if err != nil {
		return Kept{}, "", false, err
	}
	now := r.Now()
	batches, err := Read(ctx, r.Calendar, t.id, page, now)
	if err != nil {
		return Kept{}, "", false, err
	}
	taken := Taken{Before: cursor, Page: page, Batches: batches, Stores: t.feed.StoreIDs(), At: now, NotBefore: now}
	if !page.More {
		taken.NotBefore = now.Add(r.every())
	}
	kept, err := r.Store.Take(ctx, t.id, taken)
	return kept, page.Next, page.More, err
}

// failed notes why a source could not be read and when it is asked again.
func (r *Runner) failed(ctx context.Context, t turn, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	rest := firstRest << min(t.state.Failures, 12)
	f := Failure{Code: CodeUnavailable, Error: clipTo(err.Error(), maxText), Restart: errors.Is(err, ErrCursor)}
	var later *Later
	switch {
	case errors.As(err, &later) && later.Rest > 0:
		rest = min(later.Rest, mostRest)
	case errors.As(err, &later):
		rest = max(rest, unsaidRest)
		rest = min(rest, longestRest)
	case errors.Is(err, ErrDenied):
		f.Code = CodeDenied
		rest = min(rest, longestRest)
	case f.Restart && t.state.Failures == 0:
		rest = 0
	default:
		rest = min(rest, longestRest)
	}
	f.NotBefore = r.Now().Add(rest)
	if err := r.Store.Fail(ctx, t.id, f); err != nil && !errors.Is(err, work.ErrLost) {
		return fmt.Errorf("note that feed %s failed: %w", t.id, err)
	}
	return nil
}

func (r *Runner) every() time.Duration {
	if r.Every > 0 {
		return r.Every
	}
	return DefaultEvery
}

func (r *Runner) pages() int {
	if r.Pages > 0 {
		return r.Pages
	}
	return DefaultPages
}

func clipTo(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return string([]rune(s))
}
