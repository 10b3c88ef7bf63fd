package pki

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Ring is the authorities that an installation trusts at one time: the active
// one, which signs, and during a roll-over one other. The two vouch for each
// other, so that whoever knows only one of them accepts a server of either. A
// Ring is a value: each change returns a new one.
type Ring struct {
	authorities []*Authority        // the active one first
	crosses     []*x509.Certificate // of each one's key, signed by the other
}

// Errors of changing a ring.
var (
	ErrTwo     = errors.New("a roll-over is under way: there are two authorities already")
	ErrOne     = errors.New("no roll-over is under way: there is one authority only")
	ErrNoVouch = errors.New("the authority was made by a version whose authorities cannot vouch for another")
)

// NewRing makes a ring of one new authority.
func NewRing(now time.Time) (*Ring, error) {
	a, err := NewAuthority(now)
	if err != nil {
		return nil, err
	}
	return &Ring{authorities: []*Authority{a}}, nil
}

// ParseRing reads what PEM returned. Keys that belong to none of the
// certificates are passed over.
func ParseRing(certificates, keys []byte) (*Ring, error) {
	all, err := ParseCertificates(certificates)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	private, err := parseKeys(keys)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	r := &Ring{}
	for _, certificate := range all {
		if certificate.CheckSignatureFrom(certificate) != nil {
			r.crosses = append(r.crosses, certificate)
			continue
		}
		a := &Authority{certificate: certificate}
		for _, key := range private {
			if key.PublicKey.Equal(certificate.PublicKey) {
				a.key = key
			}
		}
		if a.key == nil {
			return nil, fmt.Errorf("authority: none of the keys belongs to the certificate of %s", certificate.Subject)
		}
		r.authorities = append(r.authorities, a)
	}
	if len(r.authorities) == 0 || len(r.authorities) > 2 {
		return nil, fmt.Errorf("authority: %d certificates that sign themselves, not one or two", len(r.authorities))
	}
	return r, nil
}

// PEM returns the ring for keeping.
func (r *Ring) PEM() (certificates, keys []byte, err error) {
	for _, a := range r.authorities {
		certificate, key, err := a.PEM()
		if err != nil {
			return nil, nil, err
		}
		certificates, keys = append(certificates, certificate...), append(keys, key...)
	}
	for _, cross := range r.crosses {
		certificates = append(certificates, FormatCertificates(cross.Raw)...)
	}
	return certificates, keys, nil
}

// Active returns the authority that signs.
func (r *Ring) Active() *Authority { return r.authorities[0] }

// All returns every authority, the active one first.
func (r *Ring) All() []*Authority { return append([]*Authority(nil), r.authorities...) }

// Other returns the authority that is trusted and does not sign, nil where there
// is none.
func (r *Ring) Other() *Authority {
	if len(r.authorities) < 2 {
		return nil
	}
	return r.authorities[1]
}

// Certificates returns the authorities' certificates in DER.
func (r *Ring) Certificates() [][]byte {
	var ders [][]byte
	for _, a := range r.authorities {
		ders = append(ders, a.certificate.Raw)
	}
	return ders
}

// Pool returns the authorities as roots.
func (r *Ring) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, a := range r.authorities {
		pool.AddCert(a.certificate)
	}
	return pool
}

// Add returns the ring with a new authority beside the active one. It signs
// nothing yet; agents learn it with their next certificate.
func (r *Ring) Add(now time.Time) (*Ring, error) {
	if len(r.authorities) > 1 {
		return nil, ErrTwo
	}
	old := r.authorities[0]
	if old.certificate.MaxPathLen == 0 {
		return nil, ErrNoVouch
	}
	made, err := NewAuthority(now)
	if err != nil {
		return nil, err
	}
	ofOld, err := made.vouch(old, now)
	if err != nil {
		return nil, err
	}
	ofMade, err := old.vouch(made, now)
	if err != nil {
		return nil, err
	}
	return &Ring{authorities: []*Authority{old, made}, crosses: []*x509.Certificate{ofOld, ofMade}}, nil
}

// Activate returns the ring with the other authority signing.
func (r *Ring) Activate() (*Ring, error) {
	if len(r.authorities) < 2 {
		return nil, ErrOne
	}
	return &Ring{authorities: []*Authority{r.authorities[1], r.authorities[0]}, crosses: r.crosses}, nil
}

// Retire returns the ring without the other authority: whoever knows only that
// one accepts the collector no more, and is accepted no more.
func (r *Ring) Retire() (*Ring, error) {
	if len(r.authorities) < 2 {
		return nil, ErrOne
	}
	return &Ring{authorities: r.authorities[:1:1]}, nil
}

// vouch signs the key and name of another authority.
func (a *Authority) vouch(other *Authority, now time.Time) (*x509.Certificate, error) {
	until := a.certificate.NotAfter
	if other.certificate.NotAfter.Before(until) {
		until = other.certificate.NotAfter
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, RawSubject: other.certificate.RawSubject, SubjectKeyId: other.certificate.SubjectKeyId,
		NotBefore: now.Add(-Backdate), NotAfter: until,
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}, a.certificate, other.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("vouch for %s: %w", other.certificate.Subject, err)
	}
	return x509.ParseCertificate(der)
}

// Server makes a key and a certificate for the given host names and addresses,
// signed by the active authority, with all that others need to accept it.
func (r *Ring) Server(hosts []string, now time.Time) (tls.Certificate, error) {
	certificate, err := r.Active().Server(hosts, now)
	if err != nil {
		return tls.Certificate{}, err
	}
	certificate.Certificate = certificate.Certificate[:1] // the leaf
	for _, cross := range r.crosses {
		if cross.CheckSignatureFrom(r.Active().certificate) != nil {
			certificate.Certificate = append(certificate.Certificate, cross.Raw)
		}
	}
	certificate.Certificate = append(certificate.Certificate, r.Certificates()...)
	return certificate, nil
}
