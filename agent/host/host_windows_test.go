package host

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

// recovery remembers what should follow a failure.
type recovery struct {
	actions  []mgr.RecoveryAction
	forgets  uint32
	nonCrash bool
}

func (r *recovery) SetRecoveryActions(actions []mgr.RecoveryAction, forgotten uint32) error {
	r.actions, r.forgets = actions, forgotten
	return nil
}

func (r *recovery) SetRecoveryActionsOnNonCrashFailures(flag bool) error {
	r.nonCrash = flag
	return nil
}

func TestEveryFailureIsFollowedByARestartLaterEachTime(t *testing.T) {
	t.Parallel()
	var got recovery
	if err := restartAlways(&got); err != nil {
		t.Fatal(err)
	}
	want := recovery{forgets: 3600, nonCrash: true}
	for _, delay := range []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, time.Minute} {
		want.actions = append(want.actions, mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: delay})
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(recovery{})); diff != "" {
		t.Error(diff)
	}
}

// execute runs work as the service manager would, and returns what it was told.
func execute(t *testing.T, work Work, requests ...svc.Cmd) (states []svc.State, failed bool, err error) {
	t.Helper()
	h := &handler{ctx: t.Context(), log: slog.New(slog.DiscardHandler), work: work}
	changes, asked := make(chan svc.Status), make(chan svc.ChangeRequest)
	ended := make(chan uint32)
	go func() {
		_, code := h.Execute(nil, asked, changes)
		ended <- code
	}()
	for {
		select {
		case c := <-changes:
			states = append(states, c.State)
			if c.State == svc.Running && len(requests) > 0 {
				asked <- svc.ChangeRequest{Cmd: requests[0]}
				requests = requests[1:]
			}
		case code := <-ended:
			return states, code != 0, h.err
		}
	}
}

func TestTheServiceManagerIsToldStartingRunningAndStopping(t *testing.T) {
	t.Parallel()
	states, failed, err := execute(t, func(ctx context.Context, tell Tell) error {
		tell("at work", func() error { return nil })
		<-ctx.Done()
		return nil
	}, svc.Stop)
	if diff := cmp.Diff([]svc.State{svc.StartPending, svc.Running, svc.StopPending, svc.StopPending}, states); diff != "" || failed || err != nil {
		t.Errorf("failed %v, %v\n%s", failed, err, diff)
	}
}

func TestWorkThatEndsWithAnErrorIsAFailureOfTheService(t *testing.T) {
	t.Parallel()
	if _, failed, err := execute(t, func(context.Context, Tell) error { return errors.New("no outbox") }); !failed || err == nil {
		t.Errorf("failed %v, %v", failed, err)
	}
}
