package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"tillbook.example/tillbook/collector/sandbox/gate"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/oauth"
	"tillbook.example/tillbook/collector/target/oauth/oauthtest"
)

const connection = "m/books"

// office is a system that rotates refresh tokens, with the tokens kept for it.
type office struct {
	identity *gate.Identity
	tokens   *oauthtest.Memory
	config   oauth2.Config
	mu       sync.Mutex
	now      time.Time
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{tokens: oauthtest.New(), now: time.Now()}
	o.identity = &gate.Identity{ClientID: "id", ClientSecret: "secret", Scopes: []string{"books"}, AccessLife: 30 * time.Minute, RefreshLife: 60 * 24 * time.Hour, Now: o.clock}
	server := httptest.NewServer(http.HandlerFunc(o.identity.Token))
	t.Cleanup(server.Close)
	o.config = oauth2.Config{ClientID: "id", ClientSecret: "secret", Endpoint: oauth2.Endpoint{TokenURL: server.URL, AuthStyle: oauth2.AuthStyleInHeader}}
	if err := o.source().Connect(t.Context(), o.identity.Code()); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *office) pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

// source is one of another process.
func (o *office) source() *oauth.Source {
	return oauth.NewSource(oauth.Options{Connection: connection, Tokens: o.tokens, Config: o.config, Now: o.clock})
}

func (o *office) wantRenewed(t *testing.T, want int) {
	t.Helper()
	if renewed, invalid := o.identity.Renewals(); renewed != want || invalid != 0 {
		t.Errorf("renewed %d times and %d in vain; want %d and 0", renewed, invalid, want)
	}
}

func TestATokenIsRenewedBeforeItExpiresAndNotEarlier(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	s := o.source()
	get := func() string {
		t.Helper()
		token, err := s.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	first := get()
	o.pass(27 * time.Minute)
	if get() != first {
		t.Error("renewed three minutes before the end")
	}
	o.pass(2 * time.Minute)
	if get() == first {
		t.Error("not renewed one minute before the end")
	}
	o.wantRenewed(t, 1)
	if other, err := o.source().Token(t.Context()); err != nil || other != get() {
		t.Errorf("another process has %q, %v", other, err)
	}
	o.wantRenewed(t, 1)
}

// TestManyWhoRenewNeverUseARefreshTokenTwice: each of eight, in two processes of
// four, finds its token refused 1,000 times and asks for another.
func TestManyWhoRenewNeverUseARefreshTokenTwice(t *testing.T) {
	t.Parallel()
	const many, times = 8, 1000
	o := newOffice(t)
	sources := []*oauth.Source{o.source(), o.source()}
	errs := make([]error, many)
	var group sync.WaitGroup
	for i := range many {
		s := sources[i%len(sources)]
		group.Go(func() {
			for range times {
				token, err := s.Token(t.Context())
				if err == nil {
					err = s.Reject(t.Context(), token)
				}
				if err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	renewed, invalid := o.identity.Renewals()
	t.Logf("%d goroutines asked %d times each for another token: %d renewals, %d with a token that was used", many, times, renewed, invalid)
	if invalid != 0 {
		t.Errorf("a refresh token was used twice %d times", invalid)
	}
	if renewed < times/2 || renewed > many*times {
		t.Errorf("renewed %d times", renewed)
	}
}

func TestARenewedTokenIsStoredBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	s := o.source()
	o.pass(time.Hour)
	full := errors.New("disk full")
	o.tokens.FailSaves(full)
	for range 2 {
		if token, err := s.Token(t.Context()); !errors.Is(err, full) || !errors.Is(err, target.ErrUnavailable) {
			t.Fatalf("got %q, %v; want the error of storing", token, err)
		}
	}
	o.tokens.FailSaves(nil)
	token, err := s.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := o.tokens.Load(t.Context(), connection); err != nil || kept.Access != token {
		t.Errorf("kept is %+v, %v; used is %q", kept, err, token)
	}
	o.wantRenewed(t, 1)
}

func TestAnEndedRightAsksForThePersonOnceAndIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.pass(time.Hour)
	o.identity.Disconnect()
	for range 3 {
		for _, s := range []*oauth.Source{o.source(), o.source()} {
			if _, err := s.Token(t.Context()); !errors.Is(err, target.ErrDisconnected) || !errors.Is(err, target.ErrUnavailable) {
				t.Errorf("%v; want ErrDisconnected", err)
			}
		}
	}
	if _, invalid := o.identity.Renewals(); invalid != 1 {
		t.Errorf("tried %d times with a token of no use; want once", invalid)
	}
	// The merchant connects again, and nothing else has to be done.
	s := o.source()
	if err := s.Connect(t.Context(), o.identity.Code()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAClaimOfOneWhoDiedRunsOut(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.pass(time.Hour)
	kept, err := o.tokens.Load(t.Context(), connection)
	if err != nil {
		t.Fatal(err)
	}
	now := o.clock()
	if err := o.tokens.Claim(t.Context(), connection, kept.Version, now, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	waiting, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := o.source().Token(waiting); !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("while it is claimed: %v; want ErrUnavailable", err)
	}
	o.wantRenewed(t, 0)
	o.pass(time.Minute)
	if _, err := o.source().Token(t.Context()); err != nil {
		t.Error(err)
	}
	o.wantRenewed(t, 1)
}

func TestWhatIsNotAdmittedIsNotStoredAndTheEndOfTheRightIsKnown(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	before, err := o.tokens.Load(t.Context(), connection)
	if err != nil {
		t.Fatal(err)
	}
	if want := o.clock().Add(60 * 24 * time.Hour); !before.Until.Equal(want) {
		t.Errorf("it ends %s, want %s", before.Until, want)
	}
	others := errors.New("the books of somebody else")
	if err := o.source().Connect(t.Context(), o.identity.Code(), func(context.Context, string) error { return others }); !errors.Is(err, others) {
		t.Errorf("%v", err)
	}
	if after, err := o.tokens.Load(t.Context(), connection); err != nil || after != before {
		t.Errorf("kept is %+v, %v", after, err)
	}
}

func TestBooksThatWereNeverConnectedSayIt(t *testing.T) {
	t.Parallel()
	s := oauth.NewSource(oauth.Options{Connection: "x", Tokens: oauthtest.New(), Now: time.Now})
	if _, err := s.Token(t.Context()); !errors.Is(err, target.ErrDisconnected) || !strings.Contains(fmt.Sprint(err), "never connected") {
		t.Errorf("%v", err)
	}
}

func TestATroubledIdentityServerIsTriedAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.pass(time.Hour)
	good := o.config.Endpoint.TokenURL
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) }))
	t.Cleanup(broken.Close)
	o.config.Endpoint.TokenURL = broken.URL
	if _, err := o.source().Token(t.Context()); !errors.Is(err, target.ErrUnavailable) || errors.Is(err, target.ErrDisconnected) {
		t.Errorf("%v; want ErrUnavailable", err)
	}
	o.config.Endpoint.TokenURL = good
	if _, err := o.source().Token(t.Context()); err != nil {
		t.Error(err)
	}
}
