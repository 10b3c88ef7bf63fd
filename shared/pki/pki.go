// Package pki is the certificate authority of an installation and the names in
// its certificates.
//
// The embedded default needs no authority of anybody else: the collector makes
// one at its first start, shows its pin (the SHA-256 of its certificate) in each
// join string, and signs a server certificate for itself and one for each agent.
// An agent's certificate says for which merchant and store it speaks, and lives
// for 30 days. Keys are ECDSA P-256. This package makes and checks
// certificates; where keys and certificates are kept, and who may have one, is
// decided by the rooms that use it.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Lifetimes. Certificates are backdated so that a store PC whose clock is some
// hours behind can use them.
const (
	AuthorityLife = 10 * 365 * 24 * time.Hour
	ServerLife    = 90 * 24 * time.Hour
	AgentLife     = 30 * 24 * time.Hour
	Backdate      = 24 * time.Hour
)

// AuthorityName begins the common name of every authority.
const AuthorityName = "Tillbook authority"

// Name is whom an agent's certificate names.
type Name struct {
	Merchant, Store, Agent string
}

var part = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$`)

// URI returns the name as the certificate carries it:
// spiffe://MERCHANT/STORE/agent/ID.
func (n Name) URI() (*url.URL, error) {
	for _, p := range []string{n.Merchant, n.Store, n.Agent} {
		if !part.MatchString(p) {
			return nil, fmt.Errorf("%q cannot stand in a certificate: use letters, digits, '-', '_' and '.', at most 80", p)
		}
	}
	return &url.URL{Scheme: "spiffe", Host: n.Merchant, Path: "/" + n.Store + "/agent/" + n.Agent}, nil
}

// NameOf reads the name out of a verified certificate.
func NameOf(certificate *x509.Certificate) (Name, error) {
	if len(certificate.URIs) != 1 {
		return Name{}, fmt.Errorf("certificate has %d URI names, an agent's has one", len(certificate.URIs))
	}
	uri := certificate.URIs[0]
	parts := strings.Split(strings.TrimPrefix(uri.Path, "/"), "/")
	if uri.Scheme != "spiffe" || len(parts) != 3 || parts[1] != "agent" {
		return Name{}, fmt.Errorf("%q is not an agent's name", uri)
	}
	n := Name{Merchant: uri.Host, Store: parts[0], Agent: parts[2]}
	if again, err := n.URI(); err != nil || again.String() != uri.String() {
		return Name{}, fmt.Errorf("%q is not an agent's name", uri)
	}
	return n, nil
}

// NewKey makes a private key.
func NewKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return key, nil
}

// Authority signs certificates.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority makes an authority with a new key.
func NewAuthority(now time.Time) (*Authority, error) {
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: AuthorityName + " " + serial.Text(16)[:8]},
		NotBefore: now.Add(-Backdate), NotAfter: now.Add(AuthorityLife),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true, MaxPathLen: 1, // below it one that it vouches for
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	return &Authority{certificate: certificate, key: key}, nil
}

// PEM returns the authority's certificate and key for keeping.
func (a *Authority) PEM() (certificate, key []byte, err error) {
	key, err = FormatKey(a.key)
	return FormatCertificates(a.certificate.Raw), key, err
}

// Pin returns the SHA-256 of the authority's certificate as it stands in a join
// string.
func (a *Authority) Pin() string { return PinOf(a.certificate.Raw) }

// Certificate returns the authority's certificate in DER.
func (a *Authority) Certificate() []byte { return a.certificate.Raw }

// Name returns the authority's name as it stands in certificates it issued.
func (a *Authority) Name() string { return a.certificate.Subject.String() }

// Since returns when the authority's certificate begins.
func (a *Authority) Since() time.Time { return a.certificate.NotBefore }

// Until returns when the authority's certificate ends.
func (a *Authority) Until() time.Time { return a.certificate.NotAfter }

// Pool returns the authority as the only root.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// Secret derives a key for a named purpose from the authority's key, so that
// the collector needs no further secret beside it.
func (a *Authority) Secret(purpose string) ([]byte, error) {
	material, err := a.key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("derive secret: %w", err)
	}
	secret, err := hkdf.Key(sha256.New, material, nil, "tillbook "+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive secret: %w", err)
	}
	return secret, nil
}

// Server makes a key and a certificate for the given host names and addresses.
func (a *Authority) Server(hosts []string, now time.Time) (tls.Certificate, error) {
	key, err := NewKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Tillbook collector"},
		NotBefore: now.Add(-Backdate), NotAfter: now.Add(ServerLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := a.sign(template, key.Public())
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("sign server certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der, a.certificate.Raw}, PrivateKey: key}, nil
}

// Request makes a certificate request (DER) for a key. It names nobody: the
// authority decides the name.
func Request(key crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "Tillbook agent"}}, key)
	if err != nil {
		return nil, fmt.Errorf("make certificate request: %w", err)
	}
	return der, nil
}

// CheckRequest returns the SHA-256 of the public key of a certificate request
// (DER) that is signed by that key, as KeyOf does of a certificate.
func CheckRequest(request []byte) ([32]byte, error) {
	csr, err := readRequest(request)
	if err != nil {
		return [32]byte{}, err
	}
	return sha256.Sum256(csr.RawSubjectPublicKeyInfo), nil
}

func readRequest(request []byte) (*x509.CertificateRequest, error) {
	csr, err := x509.ParseCertificateRequest(request)
	if err != nil {
		return nil, fmt.Errorf("read certificate request: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("certificate request is not signed by its key: %w", err)
	}
	if public, ok := csr.PublicKey.(*ecdsa.PublicKey); !ok || public.Curve != elliptic.P256() {
		return nil, errors.New("certificate request: the key must be ECDSA P-256")
	}
	return csr, nil
}

// Agent signs a certificate for the key of the request, for the given name.
// Whatever name the request carries is ignored.
func (a *Authority) Agent(request []byte, name Name, now time.Time) ([]byte, error) {
	csr, err := readRequest(request)
	if err != nil {
		return nil, err
	}
	uri, err := name.URI()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name.Agent}, URIs: []*url.URL{uri},
		NotBefore: now.Add(-Backdate), NotAfter: now.Add(AgentLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := a.sign(template, csr.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of %s: %w", uri, err)
	}
	return der, nil
}

func (a *Authority) sign(template *x509.Certificate, public any) ([]byte, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	return x509.CreateCertificate(rand.Reader, template, a.certificate, public, a.key)
}

// PinOf returns the pin of a certificate in DER.
func PinOf(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// FormatCertificates returns certificates as PEM.
func FormatCertificates(ders ...[]byte) []byte {
	var out []byte
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

// ParseCertificates reads one or more certificates from PEM.
func ParseCertificates(text []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read certificate: %w", err)
		}
		out, text = append(out, certificate), rest
	}
	if len(out) == 0 {
		return nil, errors.New("no certificate found in PEM text")
	}
	return out, nil
}

// FormatKey returns a private key as PEM.
func FormatKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("format key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ParseKey reads what FormatKey returned.
func ParseKey(text []byte) (*ecdsa.PrivateKey, error) {
	keys, err := parseKeys(text)
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}

func parseKeys(text []byte) ([]*ecdsa.PrivateKey, error) {
	var keys []*ecdsa.PrivateKey
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read key: %w", err)
		}
		private, ok := key.(*ecdsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("key is %T, not ECDSA", key)
		}
		keys = append(keys, private)
	}
	if len(keys) == 0 {
		return nil, errors.New("no private key found in PEM text")
	}
	return keys, nil
}

func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	return serial.Add(serial, new(big.Int).Lsh(big.NewInt(1), 120)), nil
}
