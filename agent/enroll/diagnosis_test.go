package enroll_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/internal/tunnel"
	"tillbook.example/tillbook/shared/pki"
	"tillbook.example/tillbook/shared/problem"
)

// inspected listens as a box that opens TLS does: with a certificate of its own,
// for whichever name is asked for.
func inspected(t *testing.T) string {
	t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	sign := func(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return certificate
	}
	box := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Corner Shield CA, box 7", Organization: []string{"Shield"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	box = sign(box, box, key)
	leaf := sign(&x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"localhost"}, NotBefore: box.NotBefore, NotAfter: box.NotAfter}, box, key)
	listener, err := tls.Listen("tcp", "localhost:0", &tls.Config{NextProtos: []string{"h2"}, Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				io.Copy(io.Discard, connection)
			}()
		}
	}()
	return listener.Addr().String()
}

// TestWhatKeepsAnAgentFromTheCollectorIsNamed makes each trouble for real, and
// has it explained from the error that a call over gRPC ends with, and from the
// text of that alone.
func TestWhatKeepsAnAgentFromTheCollectorIsNamed(t *testing.T) {
	t.Parallel()
	renew := func(identity *enroll.Identity) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return identity.Renew(ctx, "test")
	}
	at := func(address string) func(t *testing.T) error { // what an agent gets whose collector is there
		return func(t *testing.T) error {
			_, join := serve(t)
			identity, _ := joined(t, join)
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			identity.Collector = "localhost:" + port
			return renew(identity)
		}
	}
	through := func(answer int) func(t *testing.T) error {
		return func(t *testing.T) error {
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(answer) }))
			t.Cleanup(proxy.Close)
			way, err := url.Parse(proxy.URL)
			if err != nil {
				t.Fatal(err)
			}
			_, err = tunnel.Dial(t.Context(), "collector.example:443", func(*url.URL) (*url.URL, error) { return way, nil })
			return err
		}
	}
	wrongClock := func(years int) func(t *testing.T) error {
		return func(t *testing.T) error {
			_, join := serve(t)
			_, folder := joined(t, join)
			identity, err := enroll.Load(folder, enroll.WithClock(func() time.Time { return time.Now().AddDate(years, 0, 0) }))
			if err != nil {
				t.Fatal(err)
			}
			return renew(identity)
		}
	}
	page := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(page.Close)
	closed, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	other, _ := serve(t)
	_, elsewhere := serve(t)
	for name, c := range map[string]struct {
		trouble func(t *testing.T) error
		code    string
		says    string
	}{
		"a clock that is behind": {trouble: wrongClock(-1), code: "clock_wrong", says: "behind"},
		"a clock that is ahead":  {trouble: wrongClock(1), code: "clock_wrong", says: "ahead"},
		"TLS inspection":         {trouble: at(inspected(t)), code: "tls_inspection", says: "Corner Shield CA"},
		"another collector":      {trouble: at(elsewhere.Host), code: "other_authority", says: pki.AuthorityName},
		"another collector than the pinned one": {trouble: func(t *testing.T) error {
			_, join := serve(t)
			join.Pin = other.ring.Active().Pin()
			_, err := enroll.Join(t.Context(), t.TempDir(), join.String(), "till-pc", "test", false)
			return err
		}, code: "other_authority", says: pki.AuthorityName},
		"another name": {trouble: func(t *testing.T) error {
			_, join := serve(t)
			identity, _ := joined(t, join)
			_, port, err := net.SplitHostPort(join.Host)
			if err != nil {
				t.Fatal(err)
			}
			identity.Collector = "127.0.0.1:" + port
			return renew(identity)
		}, code: "wrong_name", says: "127.0.0.1"},
		"an authority that was retired": {trouble: func(t *testing.T) error {
			retired, err := pki.NewRing(time.Now().AddDate(-1, 0, 0))
			if err != nil {
				t.Fatal(err)
			}
			return connect(t, other.ring, retired, time.Now())
		}, code: "certificate_refused"},
		"an expired certificate": {trouble: func(t *testing.T) error {
			return connect(t, other.ring, other.ring, time.Now().Add(-pki.AgentLife-time.Hour))
		}, code: "certificate_expired"},
		"a line that is cut": {trouble: func(*testing.T) error {
			return status.Error(codes.Unavailable, syscall.ECONNRESET.Error())
		}, code: "no_answer", says: "cut off"},
		"a proxy that wants a login": {trouble: through(http.StatusProxyAuthRequired), code: "proxy_login"},
		"a proxy that refuses":       {trouble: through(http.StatusForbidden), code: "proxy_refused"},
		"nobody there":               {trouble: at(closed.Addr().String()), code: "connection_refused"},
		"a page":                     {trouble: at(page.Listener.Addr().String()), code: "not_a_collector"},
		"a name that nobody has": {trouble: func(*testing.T) error {
			return fmt.Errorf("dial: %w", &net.DNSError{Err: "no such host", Name: "collector.invalid", IsNotFound: true})
		}, code: "no_such_host"},
		"silence": {trouble: func(*testing.T) error { return status.Error(codes.DeadlineExceeded, "context deadline exceeded") }, code: "no_answer"},
		"a used code": {trouble: func(*testing.T) error {
			return fmt.Errorf("enrol: %w", status.Error(codes.PermissionDenied, problem.New("join_code", "make another").Error()))
		}, code: "join_code", says: "make another"},
		"a copy": {trouble: func(*testing.T) error {
			return status.Error(codes.PermissionDenied, problem.New("identity_copied", "seen").Error())
		}, code: "identity_copied"},
		"a refusal of the stream": {trouble: func(*testing.T) error {
			return fmt.Errorf("session: %w", &uplink.RefusedError{Code: "full", Text: "no room for another session"})
		}, code: "full", says: "no room"},
		"what nobody knows": {trouble: func(*testing.T) error { return errors.New("the moon is full") }, says: "the moon is full"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trouble := c.trouble(t)
			if trouble == nil {
				t.Fatal("there was no trouble")
			}
			now := time.Now()
			if strings.Contains(name, "clock") {
				now = now.AddDate(map[bool]int{true: -1, false: 1}[c.says == "behind"], 0, 0)
			}
			for how, err := range map[string]error{"by the error": trouble, "by its text": errors.New(trouble.Error())} {
				code, text := enroll.Explain(err, now)
				if code != c.code || !strings.Contains(text, c.says) {
					t.Errorf("%s: %q, %q; want %q and %q in it\n%v", how, code, text, c.code, c.says, trouble)
				}
				if _, ok := problem.Find(code); code != "" && !ok {
					t.Errorf("%s has no row in the error table", code)
				}
			}
		})
	}
	if code, text := enroll.Explain(nil, time.Now()); code != "" || text != "" {
		t.Errorf("no error is explained as %q, %q", code, text)
	}
}

// connect shakes hands with a server of one ring as an agent of one, whose
// certificate was signed at a moment.
func connect(t *testing.T, server, agent *pki.Ring, signed time.Time) error {
	t.Helper()
	certificate, err := server.Server([]string{"localhost"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	request, err := pki.Request(key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := agent.Active().Agent(request, pki.Name{Merchant: "m1", Store: "S1", Agent: "a1"}, signed)
	if err != nil {
		t.Fatal(err)
	}
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		_ = tls.Server(there, &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: server.Pool()}).Handshake()
	}()
	config := pki.TrustingTLS("localhost", server.Pool(), time.Now)
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
	}
	client := tls.Client(here, config)
	defer client.Close()
	if err := client.Handshake(); err != nil {
		return err
	}
	_, err = client.Read(make([]byte, 1))
	return err
}
