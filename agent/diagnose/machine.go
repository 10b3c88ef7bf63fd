package diagnose

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/net/http/httpproxy"

	"tillbook.example/tillbook/agent/host"
	"tillbook.example/tillbook/agent/outbox/file"
	"tillbook.example/tillbook/internal/tunnel"
)

// syncs is how many syncs are timed; the middle one counts.
const syncs = 9

// This is the machine that the process runs on.
type This struct{}

// Private implements Machine.
func (This) Private(path string) (private, known bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, false, err
	}
	if runtime.GOOS == "windows" { // a file's mode says nothing of its rights
		return false, false, nil
	}
	return info.Mode().Perm()&0o077 == 0, true, nil
}

// Write implements Machine.
func (This) Write(folder string) error {
	made, err := os.CreateTemp(folder, ".doctor.*")
	if err != nil {
		return err
	}
	return errors.Join(made.Close(), os.Remove(made.Name()))
}

// Sync implements Machine.
func (This) Sync(folder string) (took time.Duration, err error) {
	made, err := os.CreateTemp(folder, ".doctor.*")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, made.Close(), os.Remove(made.Name())) }()
	block := make([]byte, 4<<10)
	times := make([]time.Duration, 0, syncs)
	for range syncs {
		begin := time.Now()
		if _, err := made.Write(block); err != nil {
			return 0, err
		}
		if err := made.Sync(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(begin))
	}
	slices.Sort(times)
	return times[syncs/2], nil
}

// Free implements Machine.
func (This) Free(folder string) (uint64, error) { return file.Free(folder) }

// Listens implements Machine.
func (This) Listens(ctx context.Context, address string) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was said over it
	return true
}

// Proxy implements Machine.
func (This) Proxy(address string) (string, error) {
	through, err := httpproxy.FromEnvironment().ProxyFunc()(&url.URL{Scheme: "https", Host: address})
	if err != nil || through == nil {
		return "", err
	}
	return through.Host, nil
}

// Resolve implements Machine.
func (This) Resolve(ctx context.Context, name string) error {
	_, err := net.DefaultResolver.LookupHost(ctx, name)
	return err
}

// Connect implements Machine.
func (This) Connect(ctx context.Context, address string) error {
	conn, err := tunnel.Dial(ctx, address, nil)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Encrypt implements Machine.
func (This) Encrypt(ctx context.Context, address string, config *tls.Config) error {
	conn, err := tunnel.Dial(ctx, address, nil)
	if err != nil {
		return err
	}
	if err := tls.Client(conn, config).HandshakeContext(ctx); err != nil {
		return errors.Join(fmt.Errorf("encrypt: %w", err), conn.Close())
	}
	return conn.Close()
}

// Service implements Machine.
func (This) Service() (host.State, error) { return host.Status() }
