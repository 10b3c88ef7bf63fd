package enroll

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tillbook.example/tillbook/internal/durable"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
)

// File is the identity's name in the data folder.
const File = "identity.json"

// fileVersion is the form of the file; 1 had the key as plain PEM.
const fileVersion = 2

// saved is the file's content.
type saved struct {
	Version     int      `json:"version"`
	Agent       string   `json:"agent"`
	Merchant    string   `json:"merchant"`
	Store       string   `json:"store"`
	Collector   string   `json:"collector"` // host:port
	Currency    string   `json:"currency"`
	Zone        string   `json:"zone"`
	Key         keptKey  `json:"key"`
	Next        *keptKey `json:"next,omitempty"` // that the next certificate is asked for
	Chain       string   `json:"chain"`          // PEM, leaf first
	Authorities string   `json:"authorities"`
}

// keptKey is a private key as one of the keepers keeps it.
type keptKey struct {
	By   string `json:"by"`
	Text string `json:"text"`
}

// UnmarshalJSON also reads the form of version 1.
func (k *keptKey) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		k.By = plain.name()
		return json.Unmarshal(text, &k.Text)
	}
	type form keptKey
	return json.Unmarshal(text, (*form)(k))
}

// adopt makes the answer, which was given for the next key, the identity, and
// keeps it, if all of it fits together.
func (s saved) adopt(folder string, at place, answer *tillbookv1.EnrolResponse) (*Identity, error) {
	s.Key, s.Next, s.Version = *s.Next, nil, fileVersion
	s.Chain = string(pki.FormatCertificates(answer.GetChain()...))
	s.Authorities = string(pki.FormatCertificates(answer.GetAuthorities()...))
	identity, err := s.identity(folder, at)
	if err != nil {
		return nil, fmt.Errorf("the collector's answer: %w", err)
	}
	return identity, s.write(folder)
}

func (s saved) identity(folder string, at place) (*Identity, error) {
	if s.Version > fileVersion {
		return nil, fmt.Errorf("it was written by a newer agent (version %d of the file)", s.Version)
	}
	key, err := at.load(s.Key)
	if err != nil {
		return nil, err
	}
	chain, err := pki.ParseCertificates([]byte(s.Chain))
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if public, ok := key.Public().(*ecdsa.PublicKey); !ok || !public.Equal(chain[0].PublicKey) {
		return nil, errors.New("the certificate is not for the key")
	}
	authorities, err := pki.ParseCertificates([]byte(s.Authorities))
	if err != nil {
		return nil, fmt.Errorf("authorities: %w", err)
	}
	name, err := pki.NameOf(chain[0])
	if err != nil {
		return nil, err
	}
	if want := (pki.Name{Merchant: s.Merchant, Store: s.Store, Agent: s.Agent}); name != want {
		return nil, fmt.Errorf("the certificate is for %+v, not %+v", name, want)
	}
	i := &Identity{
		Agent: s.Agent, Merchant: s.Merchant, Store: s.Store, Collector: s.Collector, Currency: s.Currency, Zone: s.Zone,
		folder: folder, place: at,
	}
	now := &current{certificate: certificate(chain, key), authorities: x509.NewCertPool(), protection: s.Key.By}
	for _, authority := range authorities {
		now.authorities.AddCert(authority)
	}
	i.current.Store(now)
	return i, nil
}

func certificate(chain []*x509.Certificate, key crypto.Signer) tls.Certificate {
	c := tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, each := range chain {
		c.Certificate = append(c.Certificate, each.Raw)
	}
	return c
}

func read(folder string) (saved, error) {
	var s saved
	text, err := os.ReadFile(filepath.Join(folder, File))
	if errors.Is(err, fs.ErrNotExist) {
		return s, ErrNone
	}
	if err != nil {
		return s, fmt.Errorf("read identity: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("read identity %s: %w", filepath.Join(folder, File), err)
	}
	return s, nil
}

func (s saved) write(folder string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = durable.Replace(filepath.Join(folder, File), text)
	}
	if err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	return nil
}
