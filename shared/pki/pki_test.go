package pki_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/shared/pki"
)

var now = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)

func authority(t *testing.T) *pki.Authority {
	t.Helper()
	a, err := pki.NewAuthority(now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnAgentCertificateCarriesTheNameTheAuthorityChose(t *testing.T) {
	t.Parallel()
	a := authority(t)
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	request, err := pki.Request(key)
	if err != nil {
		t.Fatal(err)
	}
	want := pki.Name{Merchant: "m1", Store: "S-1", Agent: "a7"}
	der, err := a.Agent(request, want, now)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := certificate.Verify(x509.VerifyOptions{Roots: a.Pool(), CurrentTime: now.Add(29 * 24 * time.Hour), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Fatal(err)
	}
	got, err := pki.NameOf(certificate)
	if err != nil || got != want {
		t.Fatalf("name %+v, %v; want %+v", got, err, want)
	}
	if _, err := certificate.Verify(x509.VerifyOptions{Roots: a.Pool(), CurrentTime: now.Add(31 * 24 * time.Hour), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err == nil {
		t.Fatal("the certificate still verifies after its life")
	}
}

func TestNamesThatCouldSpeakForAnotherAreRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []pki.Name{
		{Merchant: "m1/../m2", Store: "s", Agent: "a"}, {Merchant: "", Store: "s", Agent: "a"},
		{Merchant: "m", Store: "s/agent", Agent: "a"}, {Merchant: "m", Store: "s", Agent: "a b"}, {Merchant: "m", Store: "..", Agent: "a"},
	} {
		if uri, err := bad.URI(); err == nil {
			t.Errorf("%+v became %s", bad, uri)
		}
	}
}

func TestARequestSignedByAnotherKeyIsRefused(t *testing.T) {
	t.Parallel()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	request, err := pki.Request(key)
	if err != nil {
		t.Fatal(err)
	}
	request[len(request)-1] ^= 1
	if _, err := authority(t).Agent(request, pki.Name{Merchant: "m", Store: "s", Agent: "a"}, now); err == nil {
		t.Fatal("a request with a broken signature was signed")
	}
}

func TestJoinStringsSurviveBeingWrittenDown(t *testing.T) {
	t.Parallel()
	code, err := pki.NewCode()
	if err != nil {
		t.Fatal(err)
	}
	want := pki.Join{Code: code, Host: "collector.example:8443", Pin: authority(t).Pin()}
	got, err := pki.ParseJoin("  " + want.String() + "\n")
	if err != nil || got != want {
		t.Fatalf("%+v, %v; want %+v", got, err, want)
	}
	clean, err := pki.CleanCode(strings.ToLower(strings.ReplaceAll(code, "0", "o")))
	if err != nil || clean != strings.ReplaceAll(code, "-", "") {
		t.Fatalf("clean code %q, %v", clean, err)
	}
	for _, bad := range []string{"", "ABCD", "ABCD@host", "7K3M-Q2XD-9A@", "7K3M-Q2XD-9A@host#short", "7K3M-Q2XD-9A@ho st"} {
		if j, err := pki.ParseJoin(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, j)
		}
	}
}

func TestOnlyThePinnedAuthorityIsTrusted(t *testing.T) {
	t.Parallel()
	mine, other := authority(t), authority(t)
	shake := func(server *pki.Authority, name, pin string) error {
		certificate, err := server.Server([]string{"collector.example", "127.0.0.1"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		here, there := net.Pipe()
		defer here.Close()
		go func() {
			defer there.Close()
			connection := tls.Server(there, &tls.Config{Certificates: []tls.Certificate{certificate}})
			if connection.Handshake() == nil {
				io.Copy(io.Discard, connection)
			}
		}()
		return tls.Client(here, pki.PinnedTLS(name, pin, time.Now)).Handshake()
	}
	if err := shake(mine, "collector.example", mine.Pin()); err != nil {
		t.Errorf("the pinned authority was refused: %v", err)
	}
	if err := shake(other, "collector.example", mine.Pin()); !errors.Is(err, pki.ErrPin) {
		t.Errorf("another authority: %v, want ErrPin", err)
	}
	if err := shake(mine, "evil.example", mine.Pin()); err == nil {
		t.Error("a certificate for another host was accepted")
	}
	if err := shake(mine, "collector.example", ""); err == nil {
		t.Error("a private authority was trusted without a pin")
	}
}
