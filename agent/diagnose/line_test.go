package diagnose_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/agent/uplink"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
)

// wire is a carrier whose sessions say what a test wants.
type wire struct {
	says  chan *tillbookv1.Down
	dials int
	slow  time.Duration // of Dial
}

func (w *wire) Dial(context.Context) (uplink.Session, error) {
	w.dials++
	if w.slow > 0 {
		<-time.After(w.slow)
	}
	return &talk{wire: w, closed: make(chan struct{})}, nil
}

type talk struct {
	*wire
	once   sync.Once
	closed chan struct{}
}

func (s *talk) Send(*tillbookv1.Up) error { return nil }
func (s *talk) Close()                    { s.once.Do(func() { close(s.closed) }) }
func (s *talk) Recv() (*tillbookv1.Down, error) {
	select {
	case down := <-s.says:
		return down, nil
	case <-s.closed:
		return nil, io.EOF
	}
}

func TestACutEndsSessionsAndTheLineComesBackByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{says: make(chan *tillbookv1.Down)}
		line := diagnose.NewLine(w)
		session, err := line.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		cut := make(chan error, 1)
		go func() { cut <- line.Cut(t.Context(), 20*time.Second) }()
		if _, err := session.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("the session goes on: %v", err)
		}
		session.Close()
		if !line.IsCut() {
			t.Error("it is not cut")
		}
		if err := line.Cut(t.Context(), time.Second); !errors.Is(err, diagnose.ErrCut) {
			t.Errorf("cut twice: %v", err)
		}
		next, err := line.Dial(t.Context())
		if took := time.Since(begin); err != nil || took != 20*time.Second {
			t.Errorf("the next session began after %s: %v; want it as soon as the line is back", took, err)
		}
		if err := <-cut; err != nil || line.IsCut() {
			t.Errorf("%v, cut: %t", err, line.IsCut())
		}
		next.Close()
	})
}

func TestALineComesBackWhenWhoeverCutItGoesAwayAndAfterTenMinutesAtTheLatest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		line := diagnose.NewLine(&wire{says: make(chan *tillbookv1.Down)})
		for name, c := range map[string]struct {
			asked, want time.Duration
			leave       time.Duration
		}{
			"goes away": {time.Hour, 3 * time.Second, 3 * time.Second},
			"too long":  {time.Hour, diagnose.MaxCut, 2 * time.Hour},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), c.leave)
			begin := time.Now()
			err := line.Cut(ctx, c.asked)
			cancel()
			if took := time.Since(begin); err != nil || took != c.want || line.IsCut() {
				t.Errorf("%s: back after %s, want %s: %v", name, took, c.want, err)
			}
		}
	})
}

func TestAnAttemptDuringALongCutEndsSoThatTheUplinkTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{says: make(chan *tillbookv1.Down)}
		line := diagnose.NewLine(w)
		go line.Cut(t.Context(), 5*time.Minute)
		synctest.Wait()
		if _, err := line.Dial(t.Context()); !errors.Is(err, diagnose.ErrCut) || w.dials > 0 {
			t.Errorf("%v after %d connections", err, w.dials)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := line.Dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an attempt that is given up: %v", err)
		}
	})
}

func TestASessionThatComesAboutDuringACutIsNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		line := diagnose.NewLine(&wire{says: make(chan *tillbookv1.Down), slow: 10 * time.Second})
		got := make(chan error, 1)
		go func() {
			_, err := line.Dial(t.Context())
			got <- err
		}()
		synctest.Wait()
		if err := line.Cut(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := <-got; !errors.Is(err, diagnose.ErrCut) {
			t.Errorf("%v; want the session refused", err)
		}
	})
}

func TestTheLineRemembersWhatTheCollectorSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{says: make(chan *tillbookv1.Down, 1)}
		line := diagnose.NewLine(w)
		session, err := line.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		hear := func(down *tillbookv1.Down) diagnose.Heard {
			w.says <- down
			if got, err := session.Recv(); err != nil || got != down {
				t.Errorf("the uplink hears %v %v", got, err)
			}
			return line.Heard()
		}
		start := time.Now()
		h := hear(&tillbookv1.Down{Message: &tillbookv1.Down_Welcome{Welcome: &tillbookv1.Welcome{Version: "v1.5.0", ClockUs: start.Add(time.Minute).UnixMicro()}}})
		if want := (diagnose.Heard{At: start, Version: "v1.5.0", Skew: -time.Minute}); !cmp.Equal(h, want) {
			t.Error(cmp.Diff(want, h))
		}
		days := make([]*tillbookv1.DayState, 99)
		for i := range days {
			days[i] = &tillbookv1.DayState{Day: "2026-11-03", State: "held", Hold: string(make([]byte, 1000)), Due: 1}
		}
		h = hear(&tillbookv1.Down{Message: &tillbookv1.Down_Heartbeat{Heartbeat: &tillbookv1.Heartbeat{Version: "v1.6.0", ClockUs: start.UnixMicro(), Days: days}}})
		if h.Version != "v1.6.0" || h.Skew != 0 || len(h.Days) != 31 || len(h.Days[0].Hold) > 40 || h.Days[0].State != "held" || !h.DaysAt.Equal(start) {
			t.Errorf("%d days, skew %s of %s; want it bounded", len(h.Days), h.Skew, h.Version)
		}
		h = hear(&tillbookv1.Down{Message: &tillbookv1.Down_Ack{Ack: &tillbookv1.Ack{}}})
		if len(h.Days) != 31 || h.Version != "v1.6.0" {
			t.Error("an acknowledgement makes it forget")
		}
	})
}
