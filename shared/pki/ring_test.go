package pki_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"tillbook.example/tillbook/shared/pki"
)

func ring(t *testing.T) *pki.Ring {
	t.Helper()
	r, err := pki.NewRing(now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func changed(t *testing.T) func(*pki.Ring, error) *pki.Ring {
	return func(r *pki.Ring, err error) *pki.Ring {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// shake connects to a server of the ring.
func shake(t *testing.T, server *pki.Ring, client *tls.Config) error {
	t.Helper()
	certificate, err := server.Server([]string{"collector.example"}, now)
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
	return tls.Client(here, client).Handshake()
}

func clock() time.Time { return now.Add(time.Hour) }

func TestARingReadBackIsTheSame(t *testing.T) {
	t.Parallel()
	one := ring(t)
	two := changed(t)(one.Add(now))
	for name, r := range map[string]*pki.Ring{"of one": one, "of two": two, "activated": changed(t)(two.Activate())} {
		certificates, keys, err := r.PEM()
		if err != nil {
			t.Fatal(err)
		}
		again, err := pki.ParseRing(certificates, keys)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again.Active().Pin() != r.Active().Pin() || len(again.All()) != len(r.All()) {
			t.Errorf("%s: read back with %d authorities, %s active", name, len(again.All()), again.Active().Pin())
		}
		if c, k, err := again.PEM(); err != nil || !bytes.Equal(c, certificates) || !bytes.Equal(k, keys) {
			t.Errorf("%s: written again it differs (%v)", name, err)
		}
	}
	certificates, _, err := one.PEM()
	if err != nil {
		t.Fatal(err)
	}
	_, foreign, err := ring(t).PEM()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pki.ParseRing(certificates, foreign); err == nil {
		t.Error("a key of another authority was accepted")
	}
}

// TestWhoKnowsEitherAuthorityAcceptsTheServerDuringARollOver goes through every
// state of a roll-over, forth and back, with those who know one authority or the
// other, as a root or by its pin.
func TestWhoKnowsEitherAuthorityAcceptsTheServerDuringARollOver(t *testing.T) {
	t.Parallel()
	old := ring(t)
	added := changed(t)(old.Add(now))
	active := changed(t)(added.Activate())
	back := changed(t)(active.Activate())
	retired := changed(t)(active.Retire())
	former, next := old.Active(), active.Active()
	for name, c := range map[string]struct {
		server   *pki.Ring
		old, new bool // accepted by who knows only that one
	}{
		"before":       {old, true, false},
		"added":        {added, true, true},
		"activated":    {active, true, true},
		"changed back": {back, true, true},
		"retired":      {retired, false, true},
	} {
		for who, a := range map[string]*pki.Authority{"old": former, "new": next} {
			want := c.old
			if who == "new" {
				want = c.new
			}
			for how, config := range map[string]*tls.Config{
				"root": pki.TrustingTLS("collector.example", a.Pool(), clock), "pin": pki.PinnedTLS("collector.example", a.Pin(), clock),
			} {
				if err := shake(t, c.server, config); (err == nil) != want {
					t.Errorf("%s: who knows the %s one by its %s gets %v, want accepted %t", name, who, how, err, want)
				}
			}
		}
		stranger := ring(t).Active()
		if err := shake(t, c.server, pki.TrustingTLS("collector.example", stranger.Pool(), clock)); err == nil {
			t.Errorf("%s: accepted by who knows neither", name)
		}
	}
}

func TestARollOverIsOfTwoAuthorities(t *testing.T) {
	t.Parallel()
	one := ring(t)
	if _, err := one.Activate(); !errors.Is(err, pki.ErrOne) {
		t.Errorf("activated: %v", err)
	}
	if _, err := one.Retire(); !errors.Is(err, pki.ErrOne) {
		t.Errorf("retired: %v", err)
	}
	two := changed(t)(one.Add(now))
	if _, err := two.Add(now); !errors.Is(err, pki.ErrTwo) {
		t.Errorf("a third: %v", err)
	}
	if one.Other() != nil || two.Other() == nil || two.Active().Pin() != one.Active().Pin() {
		t.Error("adding changed what signs, or the ring it was added to")
	}
	after := changed(t)(changed(t)(two.Activate()).Retire())
	if again := changed(t)(after.Add(now)); again.Active().Pin() != two.Other().Pin() {
		t.Error("a second roll-over does not start from the first one's authority")
	}
}

func TestOnlyTheHolderOfACertificatesKeyProvesIt(t *testing.T) {
	t.Parallel()
	r := ring(t)
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	request, err := pki.Request(key)
	if err != nil {
		t.Fatal(err)
	}
	next, err := pki.Request(other)
	if err != nil {
		t.Fatal(err)
	}
	name := pki.Name{Merchant: "m1", Store: "S1", Agent: "a1"}
	certificate, err := r.Active().Agent(request, name, now)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := ring(t).Active().Agent(request, name, now)
	if err != nil {
		t.Fatal(err)
	}
	server, err := r.Server([]string{"collector.example"}, now)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := pki.Prove(key, certificate, next)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := r.CheckProof(certificate, next, proof); err != nil || c.Subject.CommonName != "a1" {
		t.Fatalf("the holder was refused: %v", err)
	}
	wrong, err := pki.Prove(other, certificate, next)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][3][]byte{
		"another key":            {certificate, next, wrong},
		"another request":        {certificate, request, proof},
		"another authority":      {foreign, next, proof},
		"no proof":               {certificate, next, nil},
		"no certificate":         {nil, next, proof},
		"a server's certificate": {server.Certificate[0], next, proof},
	} {
		if _, err := r.CheckProof(c[0], c[1], c[2]); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestACertificateThatIsNotAcceptedNamesItsIssuerAndDates(t *testing.T) {
	t.Parallel()
	server := ring(t)
	for name, c := range map[string]struct {
		config *tls.Config
		is     func(error) bool
	}{
		"another pin": {pki.PinnedTLS("collector.example", ring(t).Active().Pin(), clock), func(err error) bool { return errors.Is(err, pki.ErrPin) }},
		"unknown authority": {pki.TrustingTLS("collector.example", ring(t).Active().Pool(), clock), func(err error) bool {
			_, ok := errors.AsType[x509.UnknownAuthorityError](err)
			return ok
		}},
		"another name": {pki.TrustingTLS("other.example", server.Pool(), clock), func(err error) bool {
			_, ok := errors.AsType[x509.HostnameError](err)
			return ok
		}},
		"clock": {pki.TrustingTLS("collector.example", server.Pool(), func() time.Time { return now.AddDate(-1, 0, 0) }), func(err error) bool {
			invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
			return ok && invalid.Reason == x509.Expired
		}},
	} {
		err := shake(t, server, c.config)
		chain, ok := errors.AsType[*pki.ChainError](err)
		if !ok || !c.is(err) || chain.Leaf.Issuer.String() != server.Active().Name() {
			t.Errorf("%s: %v", name, err)
		}
	}
}
