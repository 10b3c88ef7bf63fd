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

	"tillbook.example/tillbook/shared/pki"
)

// Files of the authority in the data folder.
const (
	authorityCertificate = "authority.pem"
	authorityKey         = "authority.key"
)

// OpenAuthority reads the installation's authority, or makes one at the first
// start. The key is written first and never replaced: a certificate without its
// key could not be told from a lost one.
func OpenAuthority(folder string, now time.Time) (*pki.Authority, error) {
	certificatePath, keyPath := filepath.Join(folder, authorityCertificate), filepath.Join(folder, authorityKey)
	certificate, err := os.ReadFile(certificatePath)
	if err == nil {
		key, err := os.ReadFile(keyPath)
		if err != nil {
			return nil, fmt.Errorf("read authority: %w", err)
		}
		return pki.ParseAuthority(certificate, key)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	authority, err := pki.NewAuthority(now)
	if err != nil {
		return nil, err
	}
	certificate, key, err := authority.PEM()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.MkdirAll(folder, 0o700), write(keyPath, key), write(certificatePath, certificate)); err != nil {
		return nil, fmt.Errorf("keep authority: %w", err)
	}
	return authority, nil
}

// serverCertificates signs the collector's own certificate, and a new one when a
// third of its life has passed, so that a collector may run for ever.
type serverCertificates struct {
	authority *pki.Authority
	hosts     []string

	mu      sync.Mutex
	current *tls.Certificate
	renew   time.Time
}

func (s *serverCertificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.current != nil && now.Before(s.renew) {
		return s.current, nil
	}
	certificate, err := s.authority.Server(s.hosts, now)
	if err != nil {
		return nil, err
	}
	s.current, s.renew = &certificate, now.Add(pki.ServerLife/3)
	return s.current, nil
}

// write writes a file as a whole: temporary file, sync, rename, sync of the folder.
func write(path string, text []byte) error {
	folder := filepath.Dir(path)
	file, err := os.CreateTemp(folder, filepath.Base(path)+".*") // created 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
