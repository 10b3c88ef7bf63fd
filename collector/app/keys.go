package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tillbook.example/tillbook/internal/durable"
	"tillbook.example/tillbook/shared/pki"
)

// Files of the authorities in the data folder. Which there are and which of them
// is active stands in the first; the second has a key for each at least.
const (
	authorityCertificate = "authority.pem"
	authorityKey         = "authority.key"
)

// Keys are the installation's authorities as they stand in the data folder. A
// change that a command makes is seen by a running collector at once.
type Keys struct {
	folder string

	mu   sync.Mutex
	ring *pki.Ring
	read fs.FileInfo // of the certificates that ring was read from
}

// OpenKeys reads the authorities, or makes one at the first start. A key is
// written first and never replaced: a certificate without its key could not be
// told from a lost one.
func OpenKeys(folder string, now time.Time) (*Keys, error) {
	k := &Keys{folder: folder}
	_, err := k.Ring()
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if _, there := os.Stat(k.path(authorityCertificate)); !errors.Is(there, fs.ErrNotExist) {
		return nil, err // it is the key that is not there
	}
	ring, err := pki.NewRing(now)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.MkdirAll(folder, 0o700), k.keep(ring)); err != nil {
		return nil, fmt.Errorf("keep authority: %w", err)
	}
	_, err = k.Ring()
	return k, err
}

func (k *Keys) path(file string) string { return filepath.Join(k.folder, file) }

// Ring returns the authorities of the moment.
func (k *Keys) Ring() (*pki.Ring, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		info, err := os.Stat(k.path(authorityCertificate))
		if err != nil {
			return nil, fmt.Errorf("read authority: %w", err)
		}
		if same(info, k.read) {
			return k.ring, nil
		}
		ring, err := k.load()
		if again, gone := os.Stat(k.path(authorityCertificate)); gone != nil || !same(info, again) {
			continue // it was changed while it was read
		}
		if err != nil {
			return nil, fmt.Errorf("read authority: %w", err)
		}
		k.ring, k.read = ring, info
	}
}

func same(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

func (k *Keys) load() (*pki.Ring, error) {
	certificates, err := os.ReadFile(k.path(authorityCertificate))
	if err != nil {
		return nil, err
	}
	keys, err := os.ReadFile(k.path(authorityKey))
	if err != nil {
		return nil, err
	}
	return pki.ParseRing(certificates, keys)
}

// Change keeps what f makes of the authorities. Two changes must not be made at once.
func (k *Keys) Change(f func(*pki.Ring) (*pki.Ring, error)) error {
	ring, err := k.Ring()
	if err != nil {
		return err
	}
	if ring, err = f(ring); err != nil {
		return err
	}
	if err := k.keep(ring); err != nil {
		return fmt.Errorf("keep authority: %w", err)
	}
	return nil
}

// keep writes the ring so that at any moment each certificate in the one file
// has its key in the other.
func (k *Keys) keep(ring *pki.Ring) error {
	certificates, keys, err := ring.PEM()
	if err != nil {
		return err
	}
	before, err := os.ReadFile(k.path(authorityKey))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := durable.Replace(k.path(authorityKey), append(keys[:len(keys):len(keys)], before...)); err != nil {
		return err
	}
	if err := durable.Replace(k.path(authorityCertificate), certificates); err != nil {
		return err
	}
	return durable.Replace(k.path(authorityKey), keys)
}

// servers signs the collector's own certificate: a new one when a third of its
// life has passed, so that a collector may run for ever, and when the
// authorities have changed.
type servers struct {
	keys  *Keys
	hosts []string
	now   func() time.Time

	mu      sync.Mutex
	ring    *pki.Ring
	current *tls.Config
	renew   time.Time
}

// config returns what a connection that comes in is served with.
func (s *servers) config(*tls.ClientHelloInfo) (*tls.Config, error) {
	ring, err := s.keys.Ring()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.ring == ring && now.Before(s.renew) {
		return s.current, nil
	}
	certificate, err := ring.Server(s.hosts, now)
	if err != nil {
		return nil, err
	}
	s.ring, s.renew = ring, now.Add(pki.ServerLife/3)
	s.current = &tls.Config{
		MinVersion: tls.VersionTLS12, Time: s.now, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{certificate},
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: ring.Pool(),
	}
	return s.current, nil
}
