package enroll_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"tillbook.example/tillbook/agent/enroll"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
)

// service signs for whoever asks, over real TLS.
type service struct {
	tillbookv1.UnimplementedEnrolmentServer

	mu     sync.Mutex
	ring   *pki.Ring
	clock  time.Time // zero: now
	issued time.Time // as if the certificate had been signed then; zero: by the clock
	name   pki.Name
	lose   int // so many answers are lost
	spoil  func(*tillbookv1.EnrolResponse)
	asked  []string // which call, with which key
}

func (s *service) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clock.IsZero() {
		return time.Now()
	}
	return s.clock
}

// set changes what the service does.
func (s *service) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// calls returns which calls came, each with its key.
func (s *service) calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *service) answer(call string, csr []byte) (*tillbookv1.EnrolResponse, error) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	key, err := pki.CheckRequest(csr)
	if err != nil {
		return nil, err
	}
	if s.asked = append(s.asked, fmt.Sprintf("%s %x", call, key[:4])); s.lose > 0 {
		s.lose--
		return nil, status.Error(codes.Unavailable, "lost")
	}
	if !s.issued.IsZero() {
		now = s.issued
	}
	der, err := s.ring.Active().Agent(csr, s.name, now)
	if err != nil {
		return nil, err
	}
	answer := &tillbookv1.EnrolResponse{
		Agent: "a1", Merchant: "m1", Store: "S1", Currency: "GBP", Zone: "Europe/London",
		Chain: [][]byte{der}, Authorities: s.ring.Certificates(),
	}
	if s.spoil != nil {
		s.spoil(answer)
	}
	return answer, nil
}

func (s *service) Enrol(_ context.Context, r *tillbookv1.EnrolRequest) (*tillbookv1.EnrolResponse, error) {
	return s.answer("enrol", r.GetCsr())
}

func (s *service) Renew(ctx context.Context, r *tillbookv1.RenewRequest) (*tillbookv1.EnrolResponse, error) {
	if n := shownBy(ctx); n != 1 {
		return nil, status.Errorf(codes.Unauthenticated, "%d certificates were shown", n)
	}
	return s.answer("renew", r.GetCsr())
}

func (s *service) Recover(ctx context.Context, r *tillbookv1.RecoverRequest) (*tillbookv1.EnrolResponse, error) {
	if n := shownBy(ctx); n != 0 {
		return nil, status.Errorf(codes.Unauthenticated, "%d certificates were shown", n)
	}
	if _, err := s.ring.CheckProof(r.GetCertificate(), r.GetCsr(), r.GetProof()); err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	return s.answer("recover", r.GetCsr())
}

// shownBy returns how many certificates the caller's connection showed.
func shownBy(ctx context.Context) int {
	from, _ := peer.FromContext(ctx)
	return len(from.AuthInfo.(credentials.TLSInfo).State.PeerCertificates)
}

func serve(t *testing.T) (*service, pki.Join) {
	t.Helper()
	ring, err := pki.NewRing(time.Now().AddDate(-1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &service{ring: ring, name: pki.Name{Merchant: "m1", Store: "S1", Agent: "a1"}}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		certificate, err := s.ring.Server([]string{"localhost"}, s.now())
		return &tls.Config{
			Time: s.now, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{certificate}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: s.ring.Pool(),
		}, err
	}})))
	tillbookv1.RegisterEnrolmentServer(server, s)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return s, pki.Join{Code: "7K3M-Q2XD-9A", Host: "localhost:" + port, Pin: ring.Active().Pin()}
}

func TestJoiningKeepsAnIdentityOnlyTheOwnerMayRead(t *testing.T) {
	t.Parallel()
	_, join := serve(t)
	folder := t.TempDir()
	if _, err := enroll.Load(folder); !errors.Is(err, enroll.ErrNone) {
		t.Fatalf("before joining: %v, want ErrNone", err)
	}
	if _, err := enroll.Join(t.Context(), folder, join.String(), "till-pc", "test", false); err != nil {
		t.Fatal(err)
	}
	identity, err := enroll.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	if identity.Merchant != "m1" || identity.Store != "S1" || identity.Collector != join.Host || identity.Zone != "Europe/London" {
		t.Errorf("identity %+v", identity)
	}
	info, err := os.Stat(filepath.Join(folder, enroll.File))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 { // there the folder's list of rights decides
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if _, err := enroll.Join(t.Context(), folder, join.String(), "till-pc", "test", false); !errors.Is(err, enroll.ErrEnrolled) {
		t.Errorf("joining again: %v, want ErrEnrolled", err)
	}
}

func TestAServerWithAnotherAuthorityGetsNoCode(t *testing.T) {
	t.Parallel()
	_, join := serve(t)
	_, other := serve(t)
	join.Pin = other.Pin
	folder := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := enroll.Join(ctx, folder, join.String(), "till-pc", "test", false); err == nil {
		t.Fatal("the agent joined a collector whose authority is not the pinned one")
	}
	if _, err := enroll.Load(folder); !errors.Is(err, enroll.ErrNone) {
		t.Errorf("a failed join left an identity: %v", err)
	}
}

func TestARenewedCertificateIsUsedAtOnceAndAfterARestart(t *testing.T) {
	t.Parallel()
	s, join := serve(t)
	folder := t.TempDir()
	s.issued = time.Now().Add(-20 * 24 * time.Hour)
	identity, err := enroll.Join(t.Context(), folder, join.String(), "till-pc", "test", false)
	if err != nil {
		t.Fatal(err)
	}
	old := identity.Expires()
	if identity.RenewAfter().After(time.Now()) {
		t.Fatalf("a certificate 20 days old is renewed only after %s", identity.RenewAfter())
	}
	s.set(func() { s.issued = time.Time{} })
	if err := identity.Renew(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	again, err := enroll.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]time.Time{"at once": identity.Expires(), "after a restart": again.Expires()} {
		if !got.After(old) {
			t.Errorf("%s: expires %s, not after %s", name, got, old)
		}
	}
}

func TestAnAnswerForAnotherStoreIsNotKept(t *testing.T) {
	t.Parallel()
	s, join := serve(t)
	s.name.Store = "S2"
	folder := t.TempDir()
	if _, err := enroll.Join(t.Context(), folder, join.String(), "till-pc", "test", false); err == nil {
		t.Fatal("a certificate for another store than the answer names was kept")
	}
	if _, err := enroll.Load(folder); !errors.Is(err, enroll.ErrNone) {
		t.Errorf("it left an identity: %v", err)
	}
}
