// Package app is the collector: it wires the rooms together and runs them until
// it is told to stop. A test can start a whole collector inside itself with New
// and Run.
//
// Life cycle: New opens the database and the authority, Run takes in, closes,
// proves and posts until its context ends, Close gives everything back. Any
// moment is a good one to die: what was acknowledged is committed, and what was
// under way is found again by its state. Stopping is for those beside it: agents
// are told to go elsewhere, and nobody has to wait for the leases of a dead one.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/buildinfo"
)

// DatabaseFile is the database's name in the data folder.
const DatabaseFile = "collector.db"

// Hooks let a test act at named points of the work; each may be nil.
type Hooks struct {
	Close func(point string) // of closing a day
	Post  func(point string) // of posting an entry
}

// App is one collector, or the part of one that its roles say.
type App struct {
	config   Config
	roles    Roles
	log      *slog.Logger
	now      func() time.Time
	db       *storage.DB
	entrance *entrance // nil without the role intake
	worker   *worker   // nil without the role work
	ops      net.Listener

	webhooks    net.Listener // nil where no vendor tells of changes
	webhookKeys map[string][]byte

	stopping atomic.Bool
	quit     chan struct{} // closed where no more work is begun
	leave    chan struct{} // closed where agents are to leave
}

// Option changes how an App works.
type Option func(*App)

// WithClock has the app take the time from now.
func WithClock(now func() time.Time) Option { return func(a *App) { a.now = now } }

// WithHooks has the app call hooks. It must have the role work.
func WithHooks(h Hooks) Option {
	return func(a *App) { a.worker.closer.At, a.worker.poster.At = h.Close, h.Post }
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

// New opens what the collector's roles need.
func New(ctx context.Context, config Config, log *slog.Logger, options ...Option) (_ *App, err error) {
	if err := config.Check(); err != nil {
		return nil, err
	}
	a := &App{config: config, log: log, now: time.Now, quit: make(chan struct{}), leave: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.roles, err = ParseRoles(config.Role); err != nil {
		return nil, err
	}
	if a.db, err = OpenDatabase(ctx, config); err != nil {
		return nil, err
	}
	if a.roles.Intake {
		if a.entrance, err = a.openEntrance(ctx); err != nil {
			return nil, err
		}
	}
	if a.roles.Work {
		if a.worker, err = a.openWorker(); err != nil {
			return nil, err
		}
	}
	if a.roles.Web {
		if err = a.openWebhooks(); err != nil {
			return nil, err
		}
	}
	for _, option := range options {
		option(a)
	}
	if a.ops, err = net.Listen("tcp", config.Ops.Listen); err != nil {
		return nil, fmt.Errorf("listen for metrics: %w", err)
	}
	return a, nil
}

// clock is the time of now, also of one that an option sets later.
func (a *App) clock() time.Time { return a.now() }

// Addr returns where agents connect, "" without the role intake.
func (a *App) Addr() string {
	if a.entrance == nil {
		return ""
	}
	return a.entrance.listener.Addr().String()
}

// OpsAddr returns where metrics and health are.
func (a *App) OpsAddr() string { return a.ops.Addr().String() }

// DB returns the database, for commands and tests.
func (a *App) DB() *storage.DB { return a.db }

// Run works until ctx ends, and then finishes what is in hand (Stop). It may be
// called once.
func (a *App) Run(ctx context.Context) error {
	told := []any{"role", a.roles.String(), "ops", a.OpsAddr(), "version", buildinfo.Version}
	if a.entrance != nil {
		ring, err := a.entrance.keys.Ring()
		if err != nil {
			return err
		}
		told = append(told, "agents", a.Addr(), "pin", ring.Active().Pin())
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	group, running := errgroup.WithContext(running)
	var parts sync.WaitGroup
	part := func(run func(context.Context, *App) error) {
		parts.Add(1)
		group.Go(func() error {
			defer parts.Done()
			return run(running, a)
		})
	}
	if a.entrance != nil {
		part(a.entrance.run)
	}
	if a.worker != nil {
		part(a.worker.run)
	}
	if a.webhooks != nil {
		part(a.serveWebhooks)
		told = append(told, "webhooks", a.WebhooksAddr())
	}
	group.Go(func() error { return a.serveOps(running) }) // to the end, for health and figures
	group.Go(func() error {
		defer end()
		a.stop(ctx, running, &parts)
		return nil
	})
	a.log.Info("collector runs", told...)
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// stop waits until the collector is asked to stop, and lets its parts end: not
// ready first, then no agent is served, and in the end nothing is waited for. It
// returns at once where running ends, because a part failed.
func (a *App) stop(asked, running context.Context, parts *sync.WaitGroup) {
	select {
	case <-asked.Done():
	case <-running.Done():
		return
	}
	a.log.Info("collector stops", "grace", a.config.Stop.Grace, "limit", a.config.Stop.Limit)
	a.stopping.Store(true)
	close(a.quit)
	select {
	case <-time.After(a.config.Stop.Grace):
	case <-running.Done():
		return
	}
	close(a.leave)
	ended := make(chan struct{})
	go func() {
		parts.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-running.Done():
	case <-time.After(a.config.Stop.Limit):
		a.log.Warn("collector ends with work in hand, which others take over", "limit", a.config.Stop.Limit)
	}
}

// Close gives everything back.
func (a *App) Close() error {
	var problems []error
	listeners := []net.Listener{a.ops, a.webhooks}
	if a.entrance != nil {
		listeners = append(listeners, a.entrance.listener)
	}
	for _, listener := range listeners {
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
