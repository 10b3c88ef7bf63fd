package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// ErrPin: the server's chain does not contain the pinned authority: another
// server, or something in between that opens TLS.
var ErrPin = errors.New("the collector's authority is not the pinned one")

// ChainError is a server certificate that was not accepted. Its text names the
// issuer and the dates, since a carrier may pass on nothing but the text.
type ChainError struct {
	Leaf *x509.Certificate
	Err  error
}

func (e *ChainError) Error() string {
	return fmt.Sprintf("certificate issued by %s, valid from %s until %s: %v",
		e.Leaf.Issuer, e.Leaf.NotBefore.UTC().Format(time.RFC3339), e.Leaf.NotAfter.UTC().Format(time.RFC3339), e.Err)
}

func (e *ChainError) Unwrap() error { return e.Err }

// PinnedTLS returns a client configuration that trusts the authority with the
// given pin and nothing else, or the system's authorities if pin is empty. What
// is not accepted is a ChainError.
func PinnedTLS(serverName, pin string, now func() time.Time) *tls.Config {
	if pin == "" {
		return TrustingTLS(serverName, nil, now)
	}
	return verifying(serverName, now, func(chain []*x509.Certificate) (*x509.CertPool, error) {
		roots := x509.NewCertPool()
		for _, certificate := range chain {
			if PinOf(certificate.Raw) == pin {
				roots.AddCert(certificate)
				return roots, nil
			}
		}
		return nil, ErrPin
	})
}

// TrustingTLS returns a client configuration that trusts the given roots (nil:
// the system's). What is not accepted is a ChainError.
func TrustingTLS(serverName string, roots *x509.CertPool, now func() time.Time) *tls.Config {
	return verifying(serverName, now, func([]*x509.Certificate) (*x509.CertPool, error) { return roots, nil })
}

// verifying has chains verified here and not by package tls, so that an error
// can name the chain, and a pin can be looked for in it.
func verifying(serverName string, now func() time.Time, roots func(chain []*x509.Certificate) (*x509.CertPool, error)) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: serverName, Time: now,
		InsecureSkipVerify: true, // VerifyConnection does all of it
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return errors.New("the server showed no certificate")
			}
			leaf := state.PeerCertificates[0]
			trusted, err := roots(state.PeerCertificates)
			if err != nil {
				return &ChainError{Leaf: leaf, Err: err}
			}
			between := x509.NewCertPool()
			for _, certificate := range state.PeerCertificates[1:] {
				between.AddCert(certificate)
			}
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: trusted, Intermediates: between, DNSName: serverName, CurrentTime: now()}); err != nil {
				return &ChainError{Leaf: leaf, Err: err}
			}
			return nil
		},
	}
}
