package fleet_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"tillbook.example/tillbook/collector/fleet"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
)

var start = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)

// memory keeps codes and agents as fleet.Store says.
type memory struct {
	fleet.Store
	mu     sync.Mutex
	codes  map[[32]byte]fleet.Code
	agents map[string]fleet.Agent
}

func (m *memory) AddCode(_ context.Context, c fleet.Code) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.codes[c.Hash] = c
	return nil
}

func (m *memory) Redeem(_ context.Context, hash [32]byte, agent, host, version string, at time.Time) (fleet.Identity, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	code, ok := m.codes[hash]
	if !ok || at.After(code.ExpiresAt) {
		return fleet.Identity{}, fleet.ErrCode
	}
	delete(m.codes, hash)
	id := fleet.Identity{Merchant: code.Merchant, Store: code.Store, Agent: agent}
	m.agents[agent] = fleet.Agent{Identity: id, Host: host, Version: version, EnrolledAt: at}
	return id, nil
}

func (m *memory) Agent(_ context.Context, merchant, agent string) (fleet.Agent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.agents[agent]
	if !ok || a.Merchant != merchant {
		return fleet.Agent{}, fleet.ErrUnknown
	}
	return a, nil
}

func (m *memory) Certify(_ context.Context, id fleet.Identity, ask fleet.Ask) (fleet.Verdict, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	agent, ok := m.agents[id.Agent]
	if !ok || agent.Identity != id {
		return "", fleet.ErrUnknown
	}
	agent, verdict := fleet.Judge(agent, ask)
	m.agents[id.Agent] = agent
	return verdict, nil
}

type bundle struct {
	*memory
	ring      *pki.Ring
	enrolment *fleet.Enrolment
	now       time.Time
	key       *ecdsa.PrivateKey
	csr       []byte
}

func setup(t *testing.T) *bundle {
	t.Helper()
	ring, err := pki.NewRing(start)
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{memory: &memory{codes: map[[32]byte]fleet.Code{}, agents: map[string]fleet.Agent{}}, ring: ring, now: start}
	describe := func(_ context.Context, merchant, store string) (string, string, error) {
		if merchant != "m1" || store != "S1" {
			return "", "", fmt.Errorf("no store %s/%s", merchant, store)
		}
		return "GBP", "Europe/London", nil
	}
	b.enrolment = fleet.NewEnrolment(fleet.Options{
		Store: b.memory, Ring: func() (*pki.Ring, error) { return b.ring, nil }, Describe: describe,
		Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return b.now },
	})
	if b.key, err = pki.NewKey(); err != nil {
		t.Fatal(err)
	}
	if b.csr, err = pki.Request(b.key); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bundle) join(t *testing.T) pki.Join {
	t.Helper()
	join, err := b.enrolment.NewJoin(t.Context(), "m1", "S1", "localhost:8443")
	if err != nil {
		t.Fatal(err)
	}
	return join
}

func connected(ctx context.Context, t *testing.T, der []byte) context.Context {
	t.Helper()
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return peer.NewContext(ctx, &peer.Peer{AuthInfo: credentials.TLSInfo{State: tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{certificate}}}}})
}

func TestAJoinCodeEnrolsOneAgentOfItsStoreOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	join := b.join(t)
	if join.Pin != b.ring.Active().Pin() {
		t.Errorf("pin %q is not the authority's", join.Pin)
	}
	request := &tillbookv1.EnrolRequest{Code: strings.ToLower(join.Code), Csr: b.csr, Host: "till-pc"}
	answer, err := b.enrolment.Enrol(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(answer.GetChain()[0])
	if err != nil {
		t.Fatal(err)
	}
	identity, err := fleet.Identify(certificate)
	if want := (fleet.Identity{Merchant: "m1", Store: "S1", Agent: answer.GetAgent()}); err != nil || identity != want {
		t.Errorf("certificate speaks for %+v (%v), want %+v", identity, err, want)
	}
	if answer.GetCurrency() != "GBP" || answer.GetZone() != "Europe/London" {
		t.Errorf("the agent was told %q, %q", answer.GetCurrency(), answer.GetZone())
	}
	if _, err := b.enrolment.Enrol(t.Context(), request); status.Code(err) != codes.PermissionDenied {
		t.Errorf("the code worked twice: %v", err)
	}
}

func TestABadRequestDoesNotUseTheCodeUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	join := b.join(t)
	if _, err := b.enrolment.Enrol(t.Context(), &tillbookv1.EnrolRequest{Code: join.Code, Csr: []byte("no")}); status.Code(err) != codes.InvalidArgument {
		t.Fatalf("a broken request: %v", err)
	}
	if _, err := b.enrolment.Enrol(t.Context(), &tillbookv1.EnrolRequest{Code: join.Code, Csr: b.csr}); err != nil {
		t.Errorf("the code was used up: %v", err)
	}
}

func TestAnExpiredCodeAndAStoreNobodyHasAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	join := b.join(t)
	b.now = start.Add(fleet.CodeLife + time.Second)
	if _, err := b.enrolment.Enrol(t.Context(), &tillbookv1.EnrolRequest{Code: join.Code, Csr: b.csr}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("an expired code: %v", err)
	}
	if _, err := b.enrolment.NewJoin(t.Context(), "m1", "S9", "h:1"); err == nil {
		t.Error("a join string for an unknown store was made")
	}
}

func TestGuessesAreLimited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var limited bool
	for range 40 {
		_, err := b.enrolment.Enrol(t.Context(), &tillbookv1.EnrolRequest{Code: "0000-0000-00", Csr: b.csr})
		limited = limited || status.Code(err) == codes.ResourceExhausted
	}
	if !limited {
		t.Error("40 guesses in a row were all looked up")
	}
}

func TestARevokedAgentCannotRenewAndAnotherStoresCertificateSpeaksForNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	answer, err := b.enrolment.Enrol(t.Context(), &tillbookv1.EnrolRequest{Code: b.join(t).Code, Csr: b.csr})
	if err != nil {
		t.Fatal(err)
	}
	ctx := connected(t.Context(), t, answer.GetChain()[0])
	renewed, err := b.enrolment.Renew(ctx, &tillbookv1.RenewRequest{Csr: b.csr})
	if err != nil || renewed.GetAgent() != answer.GetAgent() {
		t.Fatalf("renewal gave %q, %v", renewed.GetAgent(), err)
	}
	if _, err := b.enrolment.Renew(t.Context(), &tillbookv1.RenewRequest{Csr: b.csr}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("renewal without a certificate: %v", err)
	}
	if err := fleet.Allowed(ctx, b.memory, fleet.Identity{Merchant: "m1", Store: "S2", Agent: answer.GetAgent()}); !errors.Is(err, fleet.ErrUnknown) {
		t.Errorf("an agent with another store's name: %v", err)
	}
	agent := b.agents[answer.GetAgent()]
	agent.RevokedAt = start
	b.agents[answer.GetAgent()] = agent
	if _, err := b.enrolment.Renew(ctx, &tillbookv1.RenewRequest{Csr: b.csr}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a revoked agent renewed: %v", err)
	}
}

func TestContactFollowsWhatWasLastHeard(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		agent fleet.Agent
		want  string
	}{
		"never heard":    {fleet.Agent{}, fleet.Pending},
		"heard lately":   {fleet.Agent{SeenAt: start.Add(-time.Second)}, fleet.Online},
		"heard long ago": {fleet.Agent{SeenAt: start.Add(-time.Hour)}, fleet.Silent},
		"revoked":        {fleet.Agent{SeenAt: start, RevokedAt: start}, fleet.Retired},
	} {
		if got := c.agent.Contact(start); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
