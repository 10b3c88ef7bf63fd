package diagnose_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tillbook.example/tillbook/agent/diagnose"
)

// shop is an agent under a drill: it sells every so often, and drains when the
// line is back.
type shop struct {
	begin    time.Time
	sells    time.Duration // between sales; 0: none
	back     time.Duration // when the line is back; 0: it never was away
	drains   time.Duration // after that
	refused  uint64
	fails    error
	restored bool
}

func (s *shop) status(context.Context) (diagnose.Status, error) {
	now := time.Now()
	since := now.Sub(s.begin)
	st := diagnose.Status{At: now, Collector: diagnose.CollectorStatus{Connected: since == 0 || since >= s.back}, Outbox: diagnose.OutboxStatus{Taken: 100}}
	if since > 0 {
		st.Outbox.Refused = s.refused
	}
	if s.sells > 0 {
		n := uint64(min(since, s.back) / s.sells)
		st.Outbox.Taken += n
		if since < s.back+s.drains {
			st.Outbox.Unsent = n
		}
	}
	return st, nil
}

func (s *shop) cut(ctx context.Context, d time.Duration) (diagnose.Cut, error) {
	if s.fails != nil {
		return diagnose.Cut{}, s.fails
	}
	at := time.Now()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	s.restored = true
	c := diagnose.Cut{At: at, Back: time.Now()}
	if s.sells > 0 {
		c.Taken = uint64(min(d, s.back) / s.sells)
	}
	return c, ctx.Err()
}

func (s *shop) drill(ctx context.Context) (diagnose.Proof, error) {
	s.begin = time.Now()
	return diagnose.Drill{For: time.Minute, Status: s.status, Cut: s.cut, Say: func(string) {}}.Run(ctx)
}

func TestADrillProvesThatWhatWasSoldOfflineArrives(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		shop    shop
		verdict string
		taken   uint64
		drained bool
	}{
		{"sales come and drain", shop{sells: 10 * time.Second, back: time.Minute, drains: 5 * time.Second}, diagnose.Proven, 6, true},
		{"nothing is sold", shop{back: time.Minute}, diagnose.NotProven, 0, true},
		{"the line was never away", shop{sells: 10 * time.Second}, diagnose.NotProven, 0, true},
		{"what was sold stays", shop{sells: 10 * time.Second, back: time.Minute, drains: time.Hour}, diagnose.Failed, 6, false},
		{"the line stays away", shop{sells: 30 * time.Second, back: time.Hour}, diagnose.Failed, 2, false},
		{"sales are refused meanwhile", shop{sells: 10 * time.Second, back: time.Minute, refused: 1}, diagnose.Failed, 6, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				p, err := c.shop.drill(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if p.Verdict != c.verdict || p.Taken != c.taken || p.Drained != c.drained || p.Sentence == "" {
					t.Errorf("%+v; want %s with %d taken, drained: %t", p, c.verdict, c.taken, c.drained)
				}
				if c.verdict == diagnose.Proven && (p.Highest != 6 || p.Last != 106 || p.DrainIn != 5*time.Second) {
					t.Errorf("%+v; want 6 at most unsent, acknowledged to 106 after 5 s", p)
				}
				if took := time.Since(begin); took > 7*time.Minute {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

func TestADrillThatIsGivenUpBringsTheLineBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := shop{sells: time.Second, back: time.Minute}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := s.drill(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		synctest.Wait()
		if !s.restored {
			t.Error("the line is still cut")
		}
	})
}

func TestADrillWithoutALineOrARefusedOneSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("another drill is under way")
		if _, err := (&shop{fails: refused}).drill(t.Context()); !errors.Is(err, refused) {
			t.Errorf("%v", err)
		}
		away := diagnose.Drill{For: time.Minute, Say: func(string) {}, Status: func(context.Context) (diagnose.Status, error) { return diagnose.Status{}, nil }}
		if _, err := away.Run(t.Context()); err == nil {
			t.Error("a drill began without a line")
		}
	})
}
