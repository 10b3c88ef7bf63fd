package line_test

import (
	"context"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/agent/uplink/grpc"
	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/merchant"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
	"tillbook.example/tillbook/shared/wire"
)

// installed is a whole collector and a clock that it shares with its agents.
type installed struct {
	t      *testing.T
	app    *app.App
	keys   *app.Keys
	config app.Config
	ahead  atomic.Int64 // of the machine's clock
}

func install(t *testing.T) *installed {
	t.Helper()
	i := &installed{t: t, config: app.Defaults()}
	i.config.Data, i.config.Agents.Listen, i.config.Ops.Listen = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	i.config.Work.Every, i.config.Work.Audit = time.Hour, time.Hour
	var err error
	if i.app, err = app.New(t.Context(), i.config, slog.New(slog.DiscardHandler), app.WithClock(i.now)); err != nil {
		t.Fatal(err)
	}
	if i.keys, err = app.OpenKeys(i.config.Data, time.Now()); err != nil {
		t.Fatal(err)
	}
	shop := merchant.Merchant{
		ID: leeds.Merchant, Name: "Corner", Country: "GB", Currency: "GBP",
		Stores: []merchant.Store{{ID: leeds.Store, Name: "High Street", Zone: "Europe/London"}},
	}
	if _, err := i.app.DB().Apply(t.Context(), shop, time.Now()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- i.app.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := i.app.Close(); err != nil {
			t.Error(err)
		}
	})
	return i
}

func (i *installed) now() time.Time { return time.Now().Add(time.Duration(i.ahead.Load())) }

func (i *installed) pass(days int) { i.ahead.Add(int64(days) * 24 * int64(time.Hour)) }

// code makes a join string.
func (i *installed) code() pki.Join {
	i.t.Helper()
	enrolment := app.NewEnrolment(i.config, i.app.DB(), i.keys, slog.New(slog.DiscardHandler), i.now)
	join, err := enrolment.NewJoin(i.t.Context(), leeds.Merchant, leeds.Store, i.app.Addr())
	if err != nil {
		i.t.Fatal(err)
	}
	return join
}

func (i *installed) join(code pki.Join) *enroll.Identity {
	i.t.Helper()
	identity, err := enroll.Join(i.t.Context(), i.t.TempDir(), code.String(), "till-pc", "1.0", false, enroll.WithClock(i.now))
	if err != nil {
		i.t.Fatal(err)
	}
	return identity
}

func (i *installed) refresh(name string, identity *enroll.Identity) {
	i.t.Helper()
	if err := identity.Refresh(i.t.Context(), "1.0"); err != nil {
		i.t.Fatalf("%s: %v", name, err)
	}
	// As an agent that is on, it is heard from then on.
	id := fleet.Identity{Merchant: identity.Merchant, Store: identity.Store, Agent: identity.Agent}
	if err := i.app.DB().Seen(i.t.Context(), id, "1.0", i.now().Add(3*time.Hour)); err != nil {
		i.t.Fatal(err)
	}
}

func (i *installed) change(f func(*pki.Ring) (*pki.Ring, error)) {
	i.t.Helper()
	if err := i.keys.Change(f); err != nil {
		i.t.Fatal(err)
	}
}

// rest returns how many agents rest on an authority.
func (i *installed) rest(pin string) (n int) {
	i.t.Helper()
	agents, err := i.app.DB().Agents(i.t.Context())
	if err != nil {
		i.t.Fatal(err)
	}
	for _, a := range agents {
		if a.Rests(pin, i.config.Agents.Recovery, i.now()) {
			n++
		}
	}
	return n
}

// TestAnAgentThatWasOffForAWholeRollOverComesBackByItself rolls the authority
// over under a running collector: one agent is on all the time, one is off for
// sixty days, one for too long.
func TestAnAgentThatWasOffForAWholeRollOverComesBackByItself(t *testing.T) {
	t.Parallel()
	i := install(t)
	on, off, gone := i.join(i.code()), i.join(i.code()), i.join(i.code())
	early := i.code()
	old := early.Pin

	i.change(func(r *pki.Ring) (*pki.Ring, error) { return r.Add(i.now()) })
	i.join(early)                                              // a code of before
	i.pass(11)                                                 // to where one third and a little have passed
	i.refresh("on, after the new authority was added", on)     // learns it
	i.change((*pki.Ring).Activate)                             // while the others know only the old one
	i.pass(11)                                                 //
	i.refresh("on, after the new authority was activated", on) // leaves the old one
	late := i.join(i.code())                                   // pinned to the new one
	if n := i.rest(old); n != 3 {                              // off, gone, and the one of before
		t.Errorf("%d agents rest on the old authority, want 3", n)
	}
	i.pass(38)
	i.refresh("on, by recovery", on)
	i.refresh("off for sixty days", off)
	i.pass(11)
	i.refresh("off, a renewal later", off)
	if n := i.rest(old); n != 2 {
		t.Errorf("%d agents rest on the old authority after one came back, want 2", n)
	}
	i.pass(60) // so that nobody may recover a certificate of before
	if n := i.rest(old); n != 0 {
		t.Errorf("%d agents rest on the old authority, want none that can come back", n)
	}
	i.change((*pki.Ring).Retire)
	for name, identity := range map[string]*enroll.Identity{"on": on, "off": off, "late": late} {
		i.refresh(name+", after the old authority was retired", identity)
	}
	err := gone.Refresh(t.Context(), "1.0")
	if code, _ := enroll.Explain(err, i.now()); code != "other_authority" {
		t.Errorf("the agent that was off for too long: %q, %v", code, err)
	}
}

func TestARevokedAgentsStreamEndsWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	i := install(t)
	identity := i.join(i.code())
	carrier, err := grpc.New(grpc.Options{Target: identity.Collector, TLS: identity.TLS})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	session, err := carrier.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	hello := &tillbookv1.Up{Message: &tillbookv1.Up_Hello{Hello: &tillbookv1.Hello{Protocol: wire.Protocol, Agent: identity.Agent}}}
	if err := session.Send(hello); err != nil {
		t.Fatal(err)
	}
	if m, err := session.Recv(); err != nil || m.GetRefusal() != nil {
		t.Fatalf("heard %v, %v", m, err)
	}
	if err := i.app.DB().Revoke(t.Context(), identity.Merchant, identity.Agent, i.now()); err != nil {
		t.Fatal(err)
	}
	revoked := time.Now()
	for {
		m, err := session.Recv()
		if err != nil {
			t.Fatalf("the stream ended without a word: %v", err)
		}
		if r := m.GetRefusal(); r != nil {
			if took := time.Since(revoked); r.GetCode() != intake.RefusedRevoked || took > 5*time.Second {
				t.Errorf("%s after %s", r.GetCode(), took)
			}
			break
		}
	}
	if err := identity.Renew(t.Context(), "1.0"); err == nil {
		t.Error("it renewed its certificate")
	}
}

// TestOfTwoCopiesOfAnExpiredIdentityTheSecondIsRefusedAndShown copies the folder
// of an agent, as somebody does who takes the disk.
func TestOfTwoCopiesOfAnExpiredIdentityTheSecondIsRefusedAndShown(t *testing.T) {
	t.Parallel()
	i := install(t)
	folder, copied := t.TempDir(), t.TempDir()
	mine, err := enroll.Join(t.Context(), folder, i.code().String(), "till-pc", "1.0", false, enroll.WithClock(i.now))
	if err != nil {
		t.Fatal(err)
	}
	copyFolder(t, folder, copied)
	stolen, err := enroll.Load(copied, enroll.WithClock(i.now))
	if err != nil {
		t.Fatal(err)
	}
	i.pass(60)
	i.refresh("the agent", mine)
	err = stolen.Refresh(t.Context(), "1.0")
	if code, _ := enroll.Explain(err, i.now()); code != "identity_copied" {
		t.Errorf("the copy: %q, %v", code, err)
	}
	agent, err := i.app.DB().Agent(t.Context(), mine.Merchant, mine.Agent)
	if err != nil || agent.CopiedAt.IsZero() || agent.Recoveries != 1 {
		t.Errorf("support sees %+v, %v", agent, err)
	}
	i.pass(11)
	i.refresh("the agent, later", mine)
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
