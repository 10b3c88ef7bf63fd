// Package app is the collector: it wires the rooms together and runs them until
// it is told to stop. A test can start a whole collector inside itself with New
// and Run.
//
// Life cycle: New opens the database and the authority, Run takes in, closes,
// proves and posts until its context ends, Close gives everything back. Any
// moment is a good one to die: what was acknowledged is committed, and what was
// under way is found again by its state.
package app

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	carrier "tillbook.example/tillbook/collector/intake/grpc"
	"tillbook.example/tillbook/collector/intake/mqtt"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/collector/work"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/buildinfo"
)

// longestRest is how long a day that still waits is left alone if no document
// of it changed.
const longestRest = 10 * time.Second

// catchUp is how many days of one merchant are closed in a row before others
// have their turn.
const catchUp = 31

// watchEvery is how often days without trade and failing days are looked for.
const watchEvery = time.Hour

// toldDays is how many of its store's days an agent is told.
const toldDays = 7

// DatabaseFile is the database's name in the data folder.
const DatabaseFile = "collector.db"

// Hooks let a test act at named points of the work; each may be nil.
type Hooks struct {
	Close func(point string) // of closing a day
	Post  func(point string) // of posting an entry
}

// App is one collector.
type App struct {
	config    Config
	log       *slog.Logger
	now       func() time.Time
	db        *storage.DB
	keys      *Keys
	enrolment *fleet.Enrolment
	intake    *intake.Service
	mqtt      *mqtt.Carrier // nil without a broker
	closer    *day.Closer
	poster    *posting.Poster
	watch     *day.Watch
	open      Opener
	listener  net.Listener
	ops       net.Listener
	lastAudit atomic.Pointer[audit.Report]
}

// Option changes how an App works.
type Option func(*App)

// WithClock has the app take the time from now.
func WithClock(now func() time.Time) Option { return func(a *App) { a.now = now } }

// WithHooks has the app call hooks.
func WithHooks(h Hooks) Option {
	return func(a *App) { a.closer.At, a.poster.At = h.Close, h.Post }
}

// OpenDatabase opens and migrates the configured database.
func OpenDatabase(ctx context.Context, config Config) (*storage.DB, error) {
	o := storage.Options{Path: config.Database.Path, DSN: config.Database.DSN}
	if o.DSN == "" && o.Path == "" {
		o.Path = filepath.Join(config.Data, DatabaseFile)
	}
	db, err := storage.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// New opens what the collector needs.
func New(ctx context.Context, config Config, log *slog.Logger, options ...Option) (_ *App, err error) {
	if err := config.Check(); err != nil {
		return nil, err
	}
	a := &App{config: config, log: log, now: time.Now}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.keys, err = OpenKeys(config.Data, time.Now()); err != nil {
		return nil, err
	}
	if a.db, err = OpenDatabase(ctx, config); err != nil {
		return nil, err
	}
	clock := func() time.Time { return a.now() }
	a.enrolment = NewEnrolment(a.config, a.db, a.keys, log, clock)
	calendar := Calendar(a.db)
	if a.intake, err = intake.NewService(intake.Options{
		Store: a.db, Presence: a.db, Day: calendar.Day, Tie: calendar.Tie, Logger: log, Version: buildinfo.Version,
		Allowed: func(ctx context.Context, id fleet.Identity) error { return fleet.Allowed(ctx, a.db, id) },
		Days: func(ctx context.Context, id fleet.Identity) ([]intake.DayState, error) {
			return a.db.LastDays(ctx, id, toldDays)
		},
	}); err != nil {
		return nil, err
	}
	if a.mqtt, err = a.openMQTT(); err != nil {
		return nil, err
	}
	a.closer = &day.Closer{Store: a.db, Now: clock, Mapping: a.db.Mapping, Rest: min(2*config.Work.Every, longestRest), Most: catchUp}
	a.watch = &day.Watch{Store: a.db, Now: clock, Logger: log}
	if a.open, err = OpenTargets(config, a.db, clock); err != nil {
		return nil, err
	}
	a.poster = &posting.Poster{Store: a.db, Directory: a.db, Target: a.open, Now: clock}
	if config.Database.DSN != "" { // others may work on it too
		share := &work.Share{Store: a.db, Holder: rand.Text(), Term: config.Work.Term}
		a.closer.Share, a.poster.Share = share, share
	}
	for _, option := range options {
		option(a)
	}
	if a.listener, err = net.Listen("tcp", config.Agents.Listen); err != nil {
		return nil, fmt.Errorf("listen for agents: %w", err)
	}
	if a.ops, err = net.Listen("tcp", config.Ops.Listen); err != nil {
		return nil, fmt.Errorf("listen for metrics: %w", err)
	}
	return a, nil
}

// Addr returns where agents connect.
func (a *App) Addr() string { return a.listener.Addr().String() }

// OpsAddr returns where metrics and health are.
func (a *App) OpsAddr() string { return a.ops.Addr().String() }

// DB returns the database, for commands and tests.
func (a *App) DB() *storage.DB { return a.db }

// Run works until ctx ends.
func (a *App) Run(ctx context.Context) error {
	server, pin, err := a.server()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(a.listener); err != nil && ctx.Err() == nil {
			return fmt.Errorf("serve agents: %w", err)
		}
		return nil
	})
	group.Go(func() error { return a.serveOps(ctx) })
	if a.mqtt != nil {
		group.Go(func() error { return a.mqtt.Run(ctx) })
	}
	group.Go(func() error { return a.work(ctx) })
	group.Go(func() error { return a.auditRegularly(ctx) })
	group.Go(func() error { return a.watchRegularly(ctx) })
	group.Go(func() error {
		fleet.Watch(ctx, a.db, a.now, a.intake.Recheck, func(err error) { a.log.Warn("revoked agents may speak until their next check", "error", err) })
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		server.Stop()
		return nil
	})
	a.log.Info("collector runs", "agents", a.Addr(), "ops", a.OpsAddr(), "pin", pin, "version", buildinfo.Version)
	err = group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Close gives everything back.
func (a *App) Close() error {
	var problems []error
	for _, listener := range []net.Listener{a.listener, a.ops} {
		if listener != nil {
			if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				problems = append(problems, err)
			}
		}
	}
	if a.db != nil {
		problems = append(problems, a.db.Close())
	}
	return errors.Join(problems...)
}

// server returns the service for agents and the pin of the active authority.
func (a *App) server() (*grpc.Server, string, error) {
	ring, err := a.keys.Ring()
	if err != nil {
		return nil, "", err
	}
	certificates := &servers{keys: a.keys, hosts: append([]string{"localhost", "127.0.0.1", "::1"}, a.config.Agents.Hosts...), now: a.now}
	if _, err := certificates.config(nil); err != nil {
		return nil, "", err
	}
	config := func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		config, err := certificates.config(hello)
		if err != nil { // package tls tells nobody
			a.log.Error("connection refused: no certificate to serve it with", "error", err)
		}
		return config, err
	}
	server := grpc.NewServer(carrier.ServerOptions(&tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: config})...)
	tillbookv1.RegisterEnrolmentServer(server, a.enrolment)
	tillbookv1.RegisterCollectorServer(server, carrier.New(a.intake, fleet.Identify))
	return server, ring.Active().Pin(), nil
}

// work closes and posts days until ctx ends.
func (a *App) work(ctx context.Context) error {
	ticker := time.NewTicker(a.config.Work.Every)
	defer ticker.Stop()
	for {
		if err := a.WorkOnce(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("close and post", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// watchRegularly opens days without trade and looks for merchants whose days fail
// until ctx ends.
func (a *App) watchRegularly(ctx context.Context) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		opener := &day.Opener{Store: a.db, Now: a.now}
		if err := errors.Join(opener.Check(ctx), a.watch.Check(ctx)); err != nil && ctx.Err() == nil {
			a.log.Error("watch days", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// WorkOnce looks at every unsettled day and posting once.
func (a *App) WorkOnce(ctx context.Context) error {
	closed, closing := a.closer.Sweep(ctx)
	posted, posting := a.poster.Sweep(ctx)
	if closed.Closed > 0 || posted.Due > 0 {
		a.log.Info("worked", "closed", closed.Closed, "held", closed.Held, "due", posted.Due, "posted", posted.Done, "waiting", posted.Waiting, "refused", posted.Refused)
	}
	return errors.Join(closing, posting)
}

// NewEnrolment returns the service that gives agents their certificates.
func NewEnrolment(config Config, db *storage.DB, keys *Keys, log *slog.Logger, now func() time.Time) *fleet.Enrolment {
	return fleet.NewEnrolment(fleet.Options{Store: db, Ring: keys.Ring, Describe: Describe(db), Logger: log, Now: now, Recovery: config.Agents.Recovery})
}

// Describe tells an agent its store's currency and zone.
func Describe(directory merchant.Directory) fleet.Describe {
	return func(ctx context.Context, merchantID, storeID string) (string, string, error) {
		m, err := directory.Merchant(ctx, merchantID)
		if err != nil {
			return "", "", err
		}
		store, ok := m.Store(storeID)
		if !ok {
			return "", "", fmt.Errorf("merchant %s has no store %q", merchantID, storeID)
		}
		return m.Currency, store.Zone, nil
	}
}
