package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// ErrProof: whoever asks did not show that it holds the key of the certificate.
var ErrProof = errors.New("no proof of the certificate's key")

// Prove signs, with the key of a certificate, that a certificate request (both
// in DER) comes from its holder. The proof names the request's key, so whoever
// reads it on the way has no use of it: what it asks for is a certificate of a
// key that only the holder has.
func Prove(key crypto.Signer, certificate, request []byte) ([]byte, error) {
	proof, err := key.Sign(rand.Reader, proven(certificate, request), crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("prove possession of the key: %w", err)
	}
	return proof, nil
}

// CheckProof returns the certificate if one of the ring's authorities signed it,
// however long ago, and its key signed the request.
func (r *Ring) CheckProof(certificate, request, proof []byte) (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: r.Pool(), CurrentTime: IssuedAt(c), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return nil, fmt.Errorf("the certificate is of no authority here: %w", err)
	}
	public, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || !ecdsa.VerifyASN1(public, proven(certificate, request), proof) {
		return nil, ErrProof
	}
	return c, nil
}

// proven is the digest that is signed. The label keeps it apart from whatever
// else the key signs.
func proven(certificate, request []byte) []byte {
	first, second := sha256.Sum256(certificate), sha256.Sum256(request)
	sum := sha256.New()
	sum.Write([]byte("tillbook recover 1\x00"))
	sum.Write(first[:])
	sum.Write(second[:])
	return sum.Sum(nil)
}

// IssuedAt returns when a certificate of an authority was signed, to the second.
func IssuedAt(c *x509.Certificate) time.Time { return c.NotBefore.Add(Backdate).UTC() }

// KeyOf returns the SHA-256 of a certificate's public key, by which certificates
// of one key are told.
func KeyOf(c *x509.Certificate) [32]byte { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// IssuerOf returns the pin of the authority that signed a certificate, or "".
func (r *Ring) IssuerOf(c *x509.Certificate) string {
	for _, a := range r.authorities {
		if c.CheckSignatureFrom(a.certificate) == nil {
			return a.Pin()
		}
	}
	return ""
}
