// Package enroll gives the agent its identity: a key made on this machine, the
// certificate the collector signed for it, and the authorities that the
// collector itself is known by.
//
// Joining needs a join string once. All of it is kept in one file that only the
// service's account may read, replaced as a whole, so a power cut leaves either
// the old identity or the new one. The next key is made and kept before it is
// asked for, and asked for until it is answered; so an answer that is lost costs
// nothing, and the collector can tell a copy of the identity from the agent. The
// certificate is renewed when a third of its life has passed, and for a time
// after its end against proof of its key. The key is kept by the best this
// machine has. For whom the agent speaks is not decided here.
package enroll

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"tillbook.example/tillbook/internal/tunnel"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
)

// ErrNone: this agent has not joined yet.
var ErrNone = errors.New("not enrolled: run `tillbook-agent enroll JOIN-STRING` with the string from the collector")

// ErrEnrolled: there is an identity already.
var ErrEnrolled = errors.New("already enrolled: to join another store, stop the service and enrol with --replace")

// Identity is who this agent is. It may be used by several goroutines.
type Identity struct {
	Agent, Merchant, Store string
	Collector              string // host:port
	Currency, Zone         string // the store's, as told when it joined

	folder string
	place
	changing sync.Mutex // one change of the file at a time
	current  atomic.Pointer[current]
}

// current is what a renewal replaces.
type current struct {
	certificate tls.Certificate
	authorities *x509.CertPool
	protection  string
}

// place is where an identity lives: its clock and what keeps its keys.
type place struct {
	now     func() time.Time
	keepers []keeper // the best first
}

// Option changes where an identity lives.
type Option func(*settings)

// tpmDevice is the machine's TPM behind Linux' resource manager, so that others
// may use it at the same time.
const tpmDevice = "/dev/tpmrm0"

type settings struct {
	now         func() time.Time
	credentials string
	tpm         string
}

// WithClock has the time taken from now.
func WithClock(now func() time.Time) Option { return func(s *settings) { s.now = now } }

// WithCredentials names the folder in which the service manager put the
// service's credentials. The default is what $CREDENTIALS_DIRECTORY says.
func WithCredentials(folder string) Option { return func(s *settings) { s.credentials = folder } }

// WithTPM names the device of the machine's TPM, or the socket of one in software;
// empty: none is used. Only Linux has a use for it.
func WithTPM(path string) Option { return func(s *settings) { s.tpm = path } }

func newPlace(folder string, options []Option) place {
	s := settings{now: time.Now, credentials: os.Getenv("CREDENTIALS_DIRECTORY"), tpm: tpmDevice}
	for _, option := range options {
		option(&s)
	}
	return place{now: s.now, keepers: append(keepers(folder, s), plain)}
}

// Join redeems a join string and keeps the identity in the folder. It returns
// ErrEnrolled if there is one already and replace is not set.
func Join(ctx context.Context, folder, text, host, version string, replace bool, options ...Option) (*Identity, error) {
	join, err := pki.ParseJoin(text)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(folder, File)); err == nil && !replace {
		return nil, ErrEnrolled
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	at := newPlace(folder, options)
	key, kept, err := at.newKey()
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
	connection, err := dial(join.Host, pki.PinnedTLS(name, join.Pin, at.now))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	answer, err := tillbookv1.NewEnrolmentClient(connection).Enrol(ctx, &tillbookv1.EnrolRequest{Code: join.Code, Csr: request, Host: host, Version: version})
	if err != nil {
		return nil, fmt.Errorf("enrol at %s: %w", join.Host, err)
	}
	s := saved{
		Version: fileVersion, Agent: answer.GetAgent(), Merchant: answer.GetMerchant(), Store: answer.GetStore(), Collector: join.Host,
		Currency: answer.GetCurrency(), Zone: answer.GetZone(), Next: &kept,
	}
	return s.adopt(folder, at, answer)
}

// Load reads the identity from the folder, or returns ErrNone.
func Load(folder string, options ...Option) (*Identity, error) {
	s, err := read(folder)
	if err != nil {
		return nil, err
	}
	identity, err := s.identity(folder, newPlace(folder, options))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, File), err)
	}
	return identity, nil
}

// TLS returns the configuration for the next connection to the collector: the
// certificate and the authorities of the moment.
func (i *Identity) TLS() (*tls.Config, error) {
	config, err := i.serverTLS()
	if err != nil {
		return nil, err
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &i.current.Load().certificate, nil }
	return config, nil
}

// BrokerTLS is TLS for connections to another server than the collector: one that
// has the given name, and a certificate by one of roots (nil: the collector's
// authorities).
func (i *Identity) BrokerTLS(name string, roots *x509.CertPool) *tls.Config {
	if roots == nil {
		roots = i.current.Load().authorities
	}
	config := pki.TrustingTLS(name, roots, i.now)
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &i.current.Load().certificate, nil }
	return config
}

// serverTLS trusts the collector and shows it no certificate.
func (i *Identity) serverTLS() (*tls.Config, error) {
	name, _, err := net.SplitHostPort(i.Collector)
	if err != nil {
		return nil, fmt.Errorf("collector's address %q: %w", i.Collector, err)
	}
	return pki.TrustingTLS(name, i.current.Load().authorities, i.now), nil
}

// Expires returns when the certificate ends.
func (i *Identity) Expires() time.Time { return i.current.Load().certificate.Leaf.NotAfter }

// KeyProtection says what keeps the private key: tpm, dpapi, credential or file.
func (i *Identity) KeyProtection() string { return i.current.Load().protection }

// dial prepares a connection; it is made by the first call over it. The
// environment's proxy is followed.
func dial(address string, config *tls.Config) (*grpc.ClientConn, error) {
	connection, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return tunnel.Dial(ctx, address, nil) }),
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)), grpc.WithDisableServiceConfig(),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return connection, nil
}

// maxAnswer bounds an answer of the collector: some certificates.
const maxAnswer = 64 << 10

// newKey makes a key with the best keeper that can.
func (p place) newKey() (crypto.Signer, keptKey, error) {
	var problems []error
	for _, k := range p.keepers {
		key, text, err := k.create()
		if err == nil {
			return key, keptKey{By: k.name(), Text: text}, nil
		}
		problems = append(problems, fmt.Errorf("%s: %w", k.name(), err))
	}
	return nil, keptKey{}, fmt.Errorf("make key: %w", errors.Join(problems...))
}

// load returns a key that is kept.
func (p place) load(kept keptKey) (crypto.Signer, error) {
	for _, k := range p.keepers {
		if k.name() != kept.By {
			continue
		}
		key, err := k.load(kept.Text)
		if err != nil {
			return nil, fmt.Errorf("key kept by %s: %w", kept.By, err)
		}
		return key, nil
	}
	return nil, fmt.Errorf("the key is kept by %s, which this process cannot use: start the agent as the service, on the machine that it was enrolled on", kept.By)
}

// protect keeps keys that are in a plain file by something better, if there is
// something that takes them. It says whether it changed any.
func (p place) protect(keys ...*keptKey) (changed bool, err error) {
	for _, kept := range keys {
		if kept == nil || kept.By != plain.name() {
			continue
		}
		key, err := p.load(*kept)
		if err != nil {
			return changed, err
		}
		for _, k := range p.keepers {
			private, ok := key.(*ecdsa.PrivateKey)
			if k.name() == plain.name() || !ok {
				break
			}
			text, err := k.take(private)
			if errors.Is(err, errors.ErrUnsupported) {
				continue // it makes the next one
			}
			if err != nil {
				return changed, fmt.Errorf("keep the key by %s: %w", k.name(), err)
			}
			*kept, changed = keptKey{By: k.name(), Text: text}, true
			break
		}
	}
	return changed, nil
}
