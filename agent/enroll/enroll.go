// Package enroll gives the agent its identity: a key made on this machine, the
// certificate the collector signed for it, and the authority that the
// collector itself is known by.
//
// Joining needs a join string once. All of it is kept in one file that only the
// service's account may read, replaced as a whole, so a power cut leaves either
// the old identity or the new one. The certificate is renewed when a third of
// its life has passed. What protects the key beyond file permissions is not
// decided here.
package enroll

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
)

// File is the identity's name in the data folder.
const File = "identity.json"

// ErrNone: this agent has not joined yet.
var ErrNone = errors.New("not enrolled: run `tillbook-agent enroll JOIN-STRING` with the string from the collector")

// ErrEnrolled: there is an identity already.
var ErrEnrolled = errors.New("already enrolled: to join another store, stop the service and enrol with --replace")

// saved is the file's content.
type saved struct {
	Version     int    `json:"version"`
	Agent       string `json:"agent"`
	Merchant    string `json:"merchant"`
	Store       string `json:"store"`
	Collector   string `json:"collector"` // host:port
	Currency    string `json:"currency"`
	Zone        string `json:"zone"`
	Key         string `json:"key"`   // PEM
	Chain       string `json:"chain"` // PEM, leaf first
	Authorities string `json:"authorities"`
}

// Identity is who this agent is. It may be used by several goroutines.
type Identity struct {
	Agent, Merchant, Store string
	Collector              string // host:port
	Currency, Zone         string // the store's, as told when it joined
	folder                 string
	authorities            *x509.CertPool
	certificate            atomic.Pointer[tls.Certificate]
}

// Join redeems a join string and keeps the identity in the folder. It returns
// ErrEnrolled if there is one already and replace is not set.
func Join(ctx context.Context, folder, text, host, version string, replace bool) (*Identity, error) {
	join, err := pki.ParseJoin(text)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(folder, File)); err == nil && !replace {
		return nil, ErrEnrolled
	}
	key, err := pki.NewKey()
	if err != nil {
		return nil, err
	}
	request, err := pki.Request(key)
	if err != nil {
		return nil, err
	}
	name, _, err := net.SplitHostPort(join.Host)
	if err != nil {
		return nil, fmt.Errorf("join string: %w", err)
	}
	connection, err := grpc.NewClient("dns:///"+join.Host, grpc.WithTransportCredentials(credentials.NewTLS(pki.PinnedTLS(name, join.Pin, time.Now))))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", join.Host, err)
	}
	defer connection.Close()
	answer, err := tillbookv1.NewEnrolmentClient(connection).Enrol(ctx, &tillbookv1.EnrolRequest{Code: join.Code, Csr: request, Host: host, Version: version})
	if err != nil {
		return nil, fmt.Errorf("enrol at %s: %w", join.Host, err)
	}
	private, err := pki.FormatKey(key)
	if err != nil {
		return nil, err
	}
	s := saved{
		Version: 1, Agent: answer.GetAgent(), Merchant: answer.GetMerchant(), Store: answer.GetStore(), Collector: join.Host,
		Currency: answer.GetCurrency(), Zone: answer.GetZone(), Key: string(private),
		Chain: string(pki.FormatCertificates(answer.GetChain()...)), Authorities: string(pki.FormatCertificates(answer.GetAuthorities()...)),
	}
	identity, err := s.identity(folder)
	if err != nil {
		return nil, fmt.Errorf("the collector's answer: %w", err)
	}
	return identity, s.write(folder)
}

// Load reads the identity from the folder, or returns ErrNone.
func Load(folder string) (*Identity, error) {
	s, err := read(folder)
	if err != nil {
		return nil, err
	}
	identity, err := s.identity(folder)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, File), err)
	}
	return identity, nil
}

// TLS returns the configuration for connections to the collector. It follows
// renewals.
func (i *Identity) TLS() (*tls.Config, error) {
	name, _, err := net.SplitHostPort(i.Collector)
	if err != nil {
		return nil, fmt.Errorf("collector's address %q: %w", i.Collector, err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: name, RootCAs: i.authorities,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return i.certificate.Load(), nil },
	}, nil
}

// Expires returns when the certificate ends.
func (i *Identity) Expires() time.Time { return i.certificate.Load().Leaf.NotAfter }

// RenewAfter returns when the certificate should be renewed: when a third of
// its life has passed.
func (i *Identity) RenewAfter() time.Time {
	leaf := i.certificate.Load().Leaf
	return leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 3)
}

// Renew has the collector sign the next certificate, for a new key, and keeps it.
func (i *Identity) Renew(ctx context.Context, version string) error {
	config, err := i.TLS()
	if err != nil {
		return err
	}
	key, err := pki.NewKey()
	if err != nil {
		return err
	}
	request, err := pki.Request(key)
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient("dns:///"+i.Collector, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", i.Collector, err)
	}
	defer connection.Close()
	answer, err := tillbookv1.NewEnrolmentClient(connection).Renew(ctx, &tillbookv1.RenewRequest{Csr: request, Version: version})
	if err != nil {
		return fmt.Errorf("renew certificate: %w", err)
	}
	private, err := pki.FormatKey(key)
	if err != nil {
		return err
	}
	s, err := read(i.folder)
	if err != nil {
		return err
	}
	s.Key, s.Chain = string(private), string(pki.FormatCertificates(answer.GetChain()...))
	s.Authorities = string(pki.FormatCertificates(answer.GetAuthorities()...))
	next, err := s.identity(i.folder)
	if err != nil {
		return fmt.Errorf("the collector's answer: %w", err)
	}
	if err := s.write(i.folder); err != nil {
		return err
	}
	i.certificate.Store(next.certificate.Load())
	return nil
}

// KeepRenewed renews the certificate in time until ctx ends. What fails is told
// to report and tried again within the hour, with jitter.
func (i *Identity) KeepRenewed(ctx context.Context, version string, report func(error)) {
	for {
		wait := time.Until(i.RenewAfter())
		if wait <= 0 {
			err := i.Renew(ctx, version)
			if ctx.Err() != nil {
				return
			}
			report(err)
			if err == nil {
				continue
			}
			wait = time.Duration(rand.Int64N(int64(time.Hour)))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(wait, 24*time.Hour)):
		}
	}
}

func (s saved) identity(folder string) (*Identity, error) {
	certificate, err := tls.X509KeyPair([]byte(s.Chain), []byte(s.Key))
	if err != nil {
		return nil, fmt.Errorf("certificate and key: %w", err)
	}
	authorities, err := pki.ParseCertificates([]byte(s.Authorities))
	if err != nil {
		return nil, fmt.Errorf("authorities: %w", err)
	}
	name, err := pki.NameOf(certificate.Leaf)
	if err != nil {
		return nil, err
	}
	if want := (pki.Name{Merchant: s.Merchant, Store: s.Store, Agent: s.Agent}); name != want {
		return nil, fmt.Errorf("the certificate is for %+v, not %+v", name, want)
	}
	i := &Identity{Agent: s.Agent, Merchant: s.Merchant, Store: s.Store, Collector: s.Collector, Currency: s.Currency, Zone: s.Zone, folder: folder, authorities: x509.NewCertPool()}
	for _, authority := range authorities {
		i.authorities.AddCert(authority)
	}
	i.certificate.Store(&certificate)
	return i, nil
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
	if err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	file, err := os.CreateTemp(folder, File+".*") // created 0600
	if err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	defer os.Remove(file.Name())
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	if err := os.Rename(file.Name(), filepath.Join(folder, File)); err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	return nil
}
