package enroll_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/agent/enroll"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
)

// joined joins in a new folder.
func joined(t *testing.T, join pki.Join, options ...enroll.Option) (*enroll.Identity, string) {
	t.Helper()
	folder := t.TempDir()
	identity, err := enroll.Join(t.Context(), folder, join.String(), "till-pc", "test", false, options...)
	if err != nil {
		t.Fatal(err)
	}
	return identity, folder
}

// present returns the file without the key that is asked for next.
func present(t *testing.T, folder string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, enroll.File))
	if err != nil {
		t.Fatal(err)
	}
	var content map[string]any
	if err := json.Unmarshal(text, &content); err != nil {
		t.Fatal(err)
	}
	delete(content, "next")
	return content
}

func TestCertificatesAreRenewedEarlyAndNotAllAtOnce(t *testing.T) {
	t.Parallel()
	s, join := serve(t)
	s.issued = time.Now().Truncate(time.Second)
	begin := s.issued.Add(-pki.Backdate)
	life := pki.AgentLife + pki.Backdate
	moments := map[time.Time]bool{}
	for range 5 {
		identity, folder := joined(t, join)
		at := identity.RenewAfter()
		if at.Before(begin.Add(life/3)) || at.After(begin.Add(life/2)) {
			t.Errorf("renewed %s after the begin of a life of %s", at.Sub(begin), life)
		}
		if again, err := enroll.Load(folder); err != nil || !again.RenewAfter().Equal(at) {
			t.Errorf("after a restart it is another moment: %v", err)
		}
		moments[at] = true
	}
	if len(moments) < 4 {
		t.Errorf("5 agents that joined together renew at %d moments", len(moments))
	}
}

func TestAnAnswerThatIsLostIsAskedForAgainWithTheSameKeyAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	s, join := serve(t)
	identity, folder := joined(t, join)
	before := present(t, folder)
	s.set(func() { s.lose = 2 })
	if err := identity.Renew(t.Context(), "test"); err == nil {
		t.Fatal("an answer was made up")
	}
	before["version"] = present(t, folder)["version"]
	if diff := cmp.Diff(before, present(t, folder)); diff != "" {
		t.Errorf("the identity changed without an answer:\n%s", diff)
	}
	for range 2 {
		var err error
		if identity, err = enroll.Load(folder); err != nil {
			t.Fatal(err)
		}
		err = identity.Renew(t.Context(), "test")
		if lost := len(s.calls()) == 3; (err != nil) != lost {
			t.Fatalf("renewal: %v", err)
		}
	}
	if s.calls()[1] != s.calls()[2] || s.calls()[2] != s.calls()[3] || s.calls()[0] == s.calls()[1] {
		t.Errorf("asked for %v", s.calls())
	}
	if err := identity.Renew(t.Context(), "test"); err != nil || s.calls()[4] == s.calls()[3] {
		t.Errorf("the next renewal is for %s, after %s (%v)", s.calls()[4], s.calls()[3], err)
	}
}

// TestAPowerCutBetweenTheAnswerAndItsKeepingCostsNothing starts again from the
// folder as it was while the collector answered.
func TestAPowerCutBetweenTheAnswerAndItsKeepingCostsNothing(t *testing.T) {
	t.Parallel()
	s, join := serve(t)
	identity, folder := joined(t, join)
	cut := t.TempDir()
	s.set(func() {
		s.spoil = func(*tillbookv1.EnrolResponse) {
			if err := os.CopyFS(cut, os.DirFS(folder)); err != nil {
				t.Error(err)
			}
		}
	})
	if err := identity.Renew(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	s.set(func() { s.spoil = nil })
	if err := os.WriteFile(filepath.Join(cut, enroll.File+".123"), []byte(`{"half`), 0o600); err != nil { // a new file that was being written
		t.Fatal(err)
	}
	after, err := enroll.Load(cut)
	if err != nil {
		t.Fatal(err)
	}
	if err := after.Renew(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	if calls := s.calls(); calls[1] != calls[2] {
		t.Errorf("after the cut it asked for another key: %v", calls)
	}
}

func TestAnAnswerThatDoesNotFitLeavesTheIdentityAsItWas(t *testing.T) {
	t.Parallel()
	stranger, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	request, err := pki.Request(stranger)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*service, *tillbookv1.EnrolResponse){
		"no certificate": func(_ *service, a *tillbookv1.EnrolResponse) { a.Chain = nil },
		"half a one":     func(_ *service, a *tillbookv1.EnrolResponse) { a.Chain[0] = a.Chain[0][:len(a.Chain[0])/2] },
		"no authority":   func(_ *service, a *tillbookv1.EnrolResponse) { a.Authorities = nil },
		"of another key": func(s *service, a *tillbookv1.EnrolResponse) {
			a.Chain[0], err = s.ring.Active().Agent(request, s.name, time.Now())
		},
	} {
		s, join := serve(t)
		identity, folder := joined(t, join)
		before, expires := present(t, folder), identity.Expires()
		s.set(func() { s.spoil = func(a *tillbookv1.EnrolResponse) { spoil(s, a) } })
		if err := identity.Renew(t.Context(), "test"); err == nil {
			t.Errorf("%s: taken", name)
		}
		if diff := cmp.Diff(before, present(t, folder)); diff != "" || !identity.Expires().Equal(expires) {
			t.Errorf("%s: the identity changed:\n%s", name, diff)
		}
		s.set(func() { s.spoil = nil })
		again, err := enroll.Load(folder)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := again.Renew(t.Context(), "test"); err != nil {
			t.Errorf("%s: the next renewal: %v", name, err)
		}
	}
}

func TestAnExpiredCertificateIsRecoveredByItsKey(t *testing.T) {
	t.Parallel()
	at := time.Now()
	s, join := serve(t)
	identity, folder := joined(t, join, enroll.WithClock(func() time.Time { return at }))
	at = at.AddDate(0, 0, 60)
	s.set(func() { s.clock, s.lose = at, 1 })
	if err := identity.Refresh(t.Context(), "test"); err == nil {
		t.Fatal("an answer was made up")
	}
	again, err := enroll.Load(folder, enroll.WithClock(func() time.Time { return at }))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Refresh(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.calls()[1], "recover") || s.calls()[1] != s.calls()[2] || !again.Expires().After(at) {
		t.Errorf("asked %v, expires %s", s.calls(), again.Expires())
	}
	if err := again.Renew(t.Context(), "test"); err != nil {
		t.Errorf("the recovered certificate does not renew: %v", err)
	}
}

func TestACertificateThatOnlyTheCollectorFindsExpiredIsRecoveredToo(t *testing.T) {
	t.Parallel()
	s, join := serve(t)
	s.issued = time.Now().Add(-pki.AgentLife - time.Hour) // it ended an hour ago
	slow := func() time.Time { return time.Now().Add(-2 * time.Hour) }
	identity, _ := joined(t, join, enroll.WithClock(slow))
	if !identity.Expires().After(slow()) {
		t.Fatal("it has expired by the agent's clock as well")
	}
	s.set(func() { s.issued = time.Time{} })
	if err := identity.Refresh(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.calls()[len(s.calls())-1], "recover") {
		t.Errorf("asked %v", s.calls())
	}
}

func TestWhatIsDueIsRenewedByItselfAndTold(t *testing.T) {
	t.Parallel()
	s, join := serve(t)
	s.issued = time.Now().AddDate(0, 0, -20)
	identity, _ := joined(t, join)
	s.set(func() { s.issued = time.Time{} })
	ctx, cancel := context.WithCancel(t.Context())
	told, ended := make(chan error), make(chan struct{})
	go func() {
		identity.KeepRenewed(ctx, "test", func(err error) { told <- err })
		close(ended)
	}()
	if err := <-told; err != nil || identity.RenewAfter().Before(time.Now()) {
		t.Errorf("%v, to be renewed %s", err, identity.RenewAfter())
	}
	cancel()
	<-ended
}
