package fleet_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tillbook.example/tillbook/collector/fleet"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
	"tillbook.example/tillbook/shared/problem"
)

// enrolled joins and returns the certificate.
func (b *bundle) enrolled(t *testing.T) []byte {
	t.Helper()
	answer, err := b.enrolment.Enrol(t.Context(), &tillbookv1.EnrolRequest{Code: b.join(t).Code, Csr: b.csr})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetChain()[0]
}

// asking makes a request for a new key, proven by a key.
func asking(t *testing.T, key *ecdsa.PrivateKey, certificate []byte) (*tillbookv1.RecoverRequest, *ecdsa.PrivateKey) {
	t.Helper()
	next, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := pki.Request(next)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := pki.Prove(key, certificate, csr)
	if err != nil {
		t.Fatal(err)
	}
	return &tillbookv1.RecoverRequest{Certificate: certificate, Csr: csr, Proof: proof}, next
}

// code is the code whose title an error's text begins with.
func code(err error) string {
	for _, k := range problem.Table() {
		if strings.HasPrefix(status.Convert(err).Message(), k.Title) {
			return k.Code
		}
	}
	return status.Code(err).String()
}

func TestAnAgentThatWasOffForSixtyDaysComesBackByItsKeyAndIsShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	certificate := b.enrolled(t)
	b.now = start.AddDate(0, 0, 60)
	request, next := asking(t, b.key, certificate)
	answer, err := b.enrolment.Recover(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	agent := b.agents[answer.GetAgent()]
	if agent.Recoveries != 1 || !agent.RecoveredAt.Equal(b.now) || b.enrolment.Stats().Recovered != 1 {
		t.Errorf("it recovered unseen: %+v, %+v", agent, b.enrolment.Stats())
	}
	// The answer is lost: the same request is answered again and counts once.
	b.now = b.now.Add(time.Minute)
	if _, err := b.enrolment.Recover(t.Context(), request); err != nil || b.agents[answer.GetAgent()].Recoveries != 1 {
		t.Errorf("the same request again: %v, %d recoveries", err, b.agents[answer.GetAgent()].Recoveries)
	}
	// It goes on from there.
	b.now = b.now.AddDate(0, 0, 50)
	request, _ = asking(t, next, answer.GetChain()[0])
	if _, err := b.enrolment.Recover(t.Context(), request); err != nil {
		t.Errorf("a second recovery, with the next certificate: %v", err)
	}
}

func TestARecoveryIsRefusedToWhomItIsNotFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*testing.T, *bundle, *tillbookv1.RecoverRequest)
		want   string
	}{
		"expired too long ago": {func(_ *testing.T, b *bundle, _ *tillbookv1.RecoverRequest) {
			b.now = start.Add(pki.AgentLife + fleet.DefaultRecovery + time.Second)
		}, "recovery_over"},
		"revoked": {func(_ *testing.T, b *bundle, _ *tillbookv1.RecoverRequest) {
			for id, agent := range b.agents {
				agent.RevokedAt = start
				b.agents[id] = agent
			}
		}, "revoked"},
		"unknown": {func(_ *testing.T, b *bundle, _ *tillbookv1.RecoverRequest) { clear(b.agents) }, "revoked"},
		"another's key": {func(t *testing.T, _ *bundle, r *tillbookv1.RecoverRequest) {
			key, err := pki.NewKey()
			if err != nil {
				t.Fatal(err)
			}
			if r.Proof, err = pki.Prove(key, r.Certificate, r.Csr); err != nil {
				t.Fatal(err)
			}
		}, "certificate_refused"},
		"another authority": {func(t *testing.T, b *bundle, _ *tillbookv1.RecoverRequest) {
			var err error
			if b.ring, err = pki.NewRing(start); err != nil {
				t.Fatal(err)
			}
		}, "certificate_refused"},
		"too much": {func(_ *testing.T, _ *bundle, r *tillbookv1.RecoverRequest) { r.Proof = make([]byte, 5<<10) }, codes.InvalidArgument.String()},
	} {
		b := setup(t)
		request, _ := asking(t, b.key, b.enrolled(t))
		b.now = start.AddDate(0, 0, 60)
		c.change(t, b, request)
		if _, err := b.enrolment.Recover(t.Context(), request); err == nil || code(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if n := b.enrolment.Stats().Recovered; n != 0 {
			t.Errorf("%s: counted as recovered", name)
		}
	}
}

func TestASecondCopyOfAnExpiredIdentityIsRefusedAndShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	certificate := b.enrolled(t)
	b.now = start.AddDate(0, 0, 60)
	first, _ := asking(t, b.key, certificate)
	second, _ := asking(t, b.key, certificate)
	if _, err := b.enrolment.Recover(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	_, err := b.enrolment.Recover(t.Context(), second)
	if code(err) != "identity_copied" {
		t.Errorf("the second copy: %v", err)
	}
	for _, agent := range b.agents {
		if agent.CopiedAt.IsZero() || b.enrolment.Stats().Copies != 1 {
			t.Errorf("nobody sees it: %+v", agent)
		}
	}
	if _, err := b.enrolment.Recover(t.Context(), first); err != nil {
		t.Errorf("the first, whose answer was lost: %v", err)
	}
}

func TestRecoveriesAreLimitedApartFromEnrolments(t *testing.T) {
	t.Parallel()
	b := setup(t)
	limited := false
	for range 40 {
		_, err := b.enrolment.Recover(t.Context(), &tillbookv1.RecoverRequest{Certificate: []byte("x")})
		limited = limited || status.Code(err) == codes.ResourceExhausted
	}
	if !limited {
		t.Error("40 recoveries in a row were all looked at")
	}
	b.enrolled(t)
}

func TestDuringARollOverBothAuthoritiesCodesAndCertificatesHold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := b.join(t)
	certificate := b.enrolled(t)
	change := func(f func(*pki.Ring) (*pki.Ring, error)) {
		t.Helper()
		ring, err := f(b.ring)
		if err != nil {
			t.Fatal(err)
		}
		b.ring = ring
	}
	change(func(r *pki.Ring) (*pki.Ring, error) { return r.Add(start) })
	change((*pki.Ring).Activate)
	if join := b.join(t); join.Pin != b.ring.Active().Pin() || join.Pin == old.Pin {
		t.Errorf("a new join string pins %s", join.Pin)
	}
	for name, ask := range map[string]func() (*tillbookv1.EnrolResponse, error){
		"a code of before": func() (*tillbookv1.EnrolResponse, error) {
			return b.enrolment.Enrol(t.Context(), &tillbookv1.EnrolRequest{Code: old.Code, Csr: b.csr})
		},
		"a certificate of before": func() (*tillbookv1.EnrolResponse, error) {
			return b.enrolment.Renew(connected(t.Context(), t, certificate), &tillbookv1.RenewRequest{Csr: b.csr})
		},
		"a certificate of before, expired": func() (*tillbookv1.EnrolResponse, error) {
			b.now = start.AddDate(0, 0, 60)
			request, _ := asking(t, b.key, certificate)
			return b.enrolment.Recover(t.Context(), request)
		},
	} {
		b.now = start
		for id, agent := range b.agents {
			agent.Newest, agent.Before = fleet.Certificate{}, fleet.Certificate{}
			b.agents[id] = agent
		}
		answer, err := ask()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n := len(answer.GetAuthorities()); n != 2 || pki.PinOf(answer.GetAuthorities()[0]) != b.ring.Active().Pin() {
			t.Errorf("%s: the agent is told %d authorities", name, n)
		}
		if agent := b.agents[answer.GetAgent()]; agent.Newest.Issuer != b.ring.Active().Pin() || agent.Rests(old.Pin, fleet.DefaultRecovery, b.now.Add(time.Hour)) == (agent.Before.Issuer == "") {
			t.Errorf("%s: the agent is known as %+v", name, agent)
		}
	}
}

// revocations answers what was revoked, or fails.
type revocations struct {
	fleet.Store
	asked atomic.Int64
	err   error
	ids   []fleet.Identity
}

func (r *revocations) Revoked(_ context.Context, since time.Time) ([]fleet.Identity, error) {
	r.asked.Add(1)
	if since.After(time.Now()) {
		return nil, errors.New("asked for the future")
	}
	return r.ids, r.err
}

func TestRevocationsAreHandedOverWithinSecondsAndFailuresTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		store := &revocations{err: errors.New("away")}
		told, revoked := make(chan error, 1), make(chan fleet.Identity, 1)
		ended := make(chan struct{})
		go func() {
			fleet.Watch(ctx, store, time.Now, func(id fleet.Identity) { revoked <- id }, func(err error) { told <- err })
			close(ended)
		}()
		if err := <-told; !errors.Is(err, store.err) {
			t.Errorf("told %v", err)
		}
		at := time.Now()
		id := fleet.Identity{Merchant: "m1", Store: "S1", Agent: "a1"}
		store.err, store.ids = nil, []fleet.Identity{id}
		if got := <-revoked; got != id || time.Since(at) > 3*time.Second {
			t.Errorf("%v after %s", got, time.Since(at))
		}
		if n := store.asked.Load(); n != 2 {
			t.Errorf("asked %d times, want once every two seconds", n)
		}
		store.ids = nil
		cancel()
		<-ended
	})
}
