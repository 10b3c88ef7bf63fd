package host

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// listener is a service manager that remembers what it was told.
type listener struct {
	watchdog time.Duration
	status   string
	lives    []time.Time
	stops    int
}

func (l *listener) ready(status string) error { l.status = status; return nil }
func (l *listener) alive() error              { l.lives = append(l.lives, time.Now()); return nil }
func (l *listener) stopping() error           { l.stops++; return nil }
func (l *listener) watch() time.Duration      { return l.watchdog }

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// until is work that tells at once and ends soon after ctx.
func until(progress func() error) Work {
	return func(ctx context.Context, tell Tell) error {
		tell("at work", progress)
		<-ctx.Done()
		time.Sleep(time.Second) // of the bubble's time
		return nil
	}
}

func TestTheWatchdogIsFedWhileThereIsProgressAndNotWhileThereIsNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		m := &listener{watchdog: 60 * time.Second}
		ended := make(chan error)
		go func() {
			ended <- supervise(ctx, silent(), m, until(func() error {
				if since := time.Since(begin); since > 55*time.Second && since < 115*time.Second {
					return errors.New("the line is stuck")
				}
				return nil
			}))
		}()
		time.Sleep(150 * time.Second)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
		var fed []time.Duration
		for _, at := range m.lives {
			fed = append(fed, at.Sub(begin).Round(time.Second))
		}
		want := []time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second, 40 * time.Second, 50 * time.Second, 120 * time.Second, 130 * time.Second, 140 * time.Second, 150 * time.Second}
		if diff := cmp.Diff(want[:9], fed[:min(9, len(fed))]); diff != "" {
			t.Errorf("fed at:\n%s", diff)
		}
		if m.status != "at work" || m.stops != 1 {
			t.Errorf("status %q, told %d times to be stopping", m.status, m.stops)
		}
	})
}

func TestAProgressThatHangsFeedsNothingAndDoesNotHangTheStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		m := &listener{watchdog: 60 * time.Second}
		ended := make(chan error)
		hang := make(chan struct{})
		go func() { ended <- supervise(ctx, silent(), m, until(func() error { <-hang; return nil })) }()
		time.Sleep(5 * time.Minute)
		if len(m.lives) != 0 {
			t.Errorf("fed %d times", len(m.lives))
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
		close(hang)
	})
}

func TestWhereNobodyWatchesWorkWithoutProgressIsGivenUpAfterAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var calls atomic.Int32
		err := supervise(t.Context(), silent(), &listener{}, until(func() error {
			if calls.Add(1) == 1 {
				return nil
			}
			return errors.New("the index is stuck")
		}))
		if !errors.Is(err, ErrNoProgress) || !strings.Contains(err.Error(), "the index is stuck") {
			t.Errorf("ended with %v", err)
		}
		if after := time.Since(begin); after < patience || after > patience+2*checkEvery {
			t.Errorf("given up after %s", after)
		}
	})
}

func TestWorkThatHasNotToldYetIsLeftInPeace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &listener{}
		err := supervise(t.Context(), silent(), m, func(context.Context, Tell) error {
			time.Sleep(10 * patience)
			return errors.New("the outbox cannot be opened")
		})
		if err == nil || errors.Is(err, ErrNoProgress) || m.status != "" {
			t.Errorf("ended with %v, status %q", err, m.status)
		}
	})
}

func TestWorkThatDoesNotStopIsLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		release := make(chan struct{})
		begin := time.Now()
		err := supervise(ctx, silent(), &listener{}, func(context.Context, Tell) error { <-release; return nil })
		if !errors.Is(err, ErrNotStopped) || time.Since(begin) != stopLimit {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		close(release)
	})
}

func TestKeepSetsKeysAndLeavesTheRest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, want string }{
		"no file":       {"", "data: D:\\Till\nproxy: http://p:3128\n"},
		"only comments": {"# written by hand\n# proxy: none\n", "# written by hand\n# proxy: none\n\ndata: D:\\Till\nproxy: http://p:3128\n"},
		"other keys": {"# top\nlisten: 127.0.0.1:1 # why\nproxy: old # because\nlog:\n  level: debug\n  proxy: inner\n",
			"# top\nlisten: 127.0.0.1:1 # why\nproxy: http://p:3128 # because\nlog:\n  level: debug\n  proxy: inner\ndata: D:\\Till\n"},
		"a value that reads like the key": {"listen: proxy\nname: data\n", "listen: proxy\nname: data\ndata: D:\\Till\nproxy: http://p:3128\n"},
	} {
		path := filepath.Join(t.TempDir(), "etc", "agent.yaml")
		if c.before != "" {
			if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(c.before), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // again changes nothing
			if err := Keep(path, map[string]string{"proxy": "http://p:3128", "data": `D:\Till`}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
		}
	}
}

func TestKeepLeavesAFileThatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "agent.yaml")
	for _, text := range []string{"- a list\n", "key: [\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Keep(path, map[string]string{"data": "x"}); err == nil {
			t.Errorf("%q was taken", text)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
}

// The name and identifier are those of a service that every Windows has.
func TestTheAccountsIdentifierIsTheOneThatWindowsMakes(t *testing.T) {
	t.Parallel()
	const want = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
	if got := serviceSID("TrustedInstaller"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
