// Package app is the agent: it wires the rooms together and runs them until it
// is told to stop. A test can start a whole agent inside itself with New and Run.
//
// Life cycle: New opens the outbox and the identity, Run works until its context
// ends, Close gives everything back. Stopping needs no flushing: what was
// answered to a till is already durable.
package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/source"
	"tillbook.example/tillbook/agent/source/filedrop"
	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/shared/buildinfo"
)

// Files in the data folder.
const (
	OutboxFolder = "outbox"
	TokenFile    = "push.token"
	AddressFile  = "listen.addr" // where the running service listens, for the command line
)

// App is one agent.
type App struct {
	config   Config
	log      *slog.Logger
	identity *enroll.Identity
	outbox   *outbox.Outbox
	desk     *source.Desk
	drops    []*filedrop.Drop
	uplink   *uplink.Uplink
	listener net.Listener
	token    string
	started  time.Time
	kept     *diagnose.Log
	line     *diagnose.Line
	captures captures
	snapshot snapshot
	watch    watch
	turned   atomic.Int64 // when the uplink's loop last turned, in Unix nanoseconds
}

// New opens what the agent needs. The agent must have joined a collector.
func New(config Config, log *slog.Logger) (_ *App, err error) {
	if err := config.Check(); err != nil {
		return nil, err
	}
	kept := diagnose.NewLog(log.Handler())
	log = slog.New(kept)
	a := &App{config: config, log: log, kept: kept, started: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.identity, err = enroll.Load(config.Data); err != nil {
		return nil, err
	}
	if a.token, err = token(config.Data); err != nil {
		return nil, err
	}
	if a.outbox, err = outbox.Open(filepath.Join(config.Data, OutboxFolder), outbox.Options{
		MaxBytes: config.Outbox.MaxMiB << 20, SoftFree: config.Outbox.SoftFreeMiB << 20, HardFree: config.Outbox.HardFreeMiB << 20, Logger: log,
	}); err != nil {
		return nil, err
	}
	a.desk = source.NewDesk(a.outbox, a.identity.Store, time.Now)
	for _, s := range config.Sources {
		drop, err := a.drop(s)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", s.Name, err)
		}
		a.desk.Expect(s.Name)
		a.drops = append(a.drops, drop)
	}
	carrier, err := config.Carrier.open(a.identity)
	if err != nil {
		return nil, err
	}
	limit, err := config.Uplink.limit(a.identity.Zone)
	if err != nil {
		return nil, err
	}
	a.line = diagnose.NewLine(carrier)
	if a.uplink, err = uplink.New(uplink.Options{
		Outbox: a.outbox, Agent: a.identity.Agent, Version: buildinfo.Version,
		Carrier: watched{a.line, &a.turned}, Beat: a.beat, Captured: a.captured, Logger: log, Limit: limit,
	}); err != nil {
		return nil, err
	}
	if a.listener, err = net.Listen("tcp", config.Listen); err != nil {
		return nil, fmt.Errorf("local service: %w", err)
	}
	address := []byte(a.listener.Addr().String())
	if err := os.WriteFile(filepath.Join(config.Data, AddressFile), address, 0o600); err != nil {
		return nil, fmt.Errorf("local service: %w", err)
	}
	return a, nil
}

// Addr returns where the local service listens.
func (a *App) Addr() string { return a.listener.Addr().String() }

// Token returns what a till must show to push.
func (a *App) Token() string { return a.token }

// Run works until ctx ends. It returns an error only if a room failed for good.
func (a *App) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.serve(ctx) })
	group.Go(func() error { return a.uplink.Run(ctx) })
	group.Go(func() error {
		a.identity.KeepRenewed(ctx, buildinfo.Version, func(err error) {
			if err != nil {
				a.log.Warn("certificate not renewed, trying again", "error", err, "expires", a.identity.Expires())
				return
			}
			a.log.Info("certificate renewed", "expires", a.identity.Expires())
		})
		return nil
	})
	for _, drop := range a.drops {
		group.Go(func() error { return drop.Run(ctx) })
	}
	a.log.Info("agent runs", "merchant", a.identity.Merchant, "store", a.identity.Store, "agent", a.identity.Agent,
		"collector", a.identity.Collector, "listen", a.Addr(), "version", buildinfo.Version)
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Close gives everything back.
func (a *App) Close() error {
	var problems []error
	if a.listener != nil {
		if err := a.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			problems = append(problems, err)
		}
	}
	if a.outbox != nil {
		problems = append(problems, a.outbox.Close())
	}
	return errors.Join(problems...)
}

// captured is the agent's claim: all that tills let out before the moment has at
// most the log number. The moment is read first, so that what is appended in
// between only makes the claim weaker than it could be.
func (a *App) captured() (time.Time, uint64) {
	at := a.desk.CapturedTo()
	return at, a.outbox.Next() - 1
}

// token returns the push token, made at the first start.
func token(folder string) (string, error) {
	path := filepath.Join(folder, TokenFile)
	text, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(text))) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read push token: %w", err)
	}
	random := make([]byte, 24)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("make push token: %w", err)
	}
	made := hex.EncodeToString(random)
	if err := os.WriteFile(path, []byte(made+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write push token: %w", err)
	}
	return made, nil
}
