package enroll_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"tillbook.example/tillbook/agent/enroll"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
)

// service signs for whoever asks, over real TLS.
type service struct {
	tillbookv1.UnimplementedEnrolmentServer
	authority *pki.Authority
	issued    time.Time // as if the certificate had been signed then
	name      pki.Name
}

func (s *service) answer(csr []byte) (*tillbookv1.EnrolResponse, error) {
	der, err := s.authority.Agent(csr, s.name, s.issued)
	if err != nil {
		return nil, err
	}
	return &tillbookv1.EnrolResponse{
		Agent: "a1", Merchant: "m1", Store: "S1", Currency: "GBP", Zone: "Europe/London",
		Chain: [][]byte{der}, Authorities: [][]byte{s.authority.Certificate()},
	}, nil
}

func (s *service) Enrol(_ context.Context, r *tillbookv1.EnrolRequest) (*tillbookv1.EnrolResponse, error) {
	return s.answer(r.GetCsr())
}

func (s *service) Renew(_ context.Context, r *tillbookv1.RenewRequest) (*tillbookv1.EnrolResponse, error) {
	return s.answer(r.GetCsr())
}

func serve(t *testing.T) (*service, pki.Join) {
	t.Helper()
	authority, err := pki.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Server([]string{"localhost"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &service{authority: authority, issued: time.Now(), name: pki.Name{Merchant: "m1", Store: "S1", Agent: "a1"}}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: authority.Pool(),
	})))
	tillbookv1.RegisterEnrolmentServer(server, s)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return s, pki.Join{Code: "7K3M-Q2XD-9A", Host: "localhost:" + port, Pin: authority.Pin()}
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
	if err != nil || info.Mode().Perm() != 0o600 {
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
	s.issued = time.Now()
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
