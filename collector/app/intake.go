package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	carrier "tillbook.example/tillbook/collector/intake/grpc"
	"tillbook.example/tillbook/collector/intake/mqtt"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/buildinfo"
)

// toldDays is how many of its store's days an agent is told.
const toldDays = 7

// entrance is the role intake: the ways that agents come in by.
type entrance struct {
	keys         *Keys
	certificates *servers
	enrolment    *fleet.Enrolment
	intake       *intake.Service
	mqtt         *mqtt.Carrier // nil without a broker
	server       *grpc.Server
	listener     *carrier.Listener
}

// openEntrance opens what agents need; only a process of this role reads or makes
// the authority.
func (a *App) openEntrance(ctx context.Context) (e *entrance, err error) {
	e = &entrance{}
	a.makeMonths(ctx) // before anything is received
	if e.keys, err = OpenKeys(a.config.Data, time.Now()); err != nil {
		return nil, err
	}
	e.certificates = &servers{keys: e.keys, hosts: append([]string{"localhost", "127.0.0.1", "::1"}, a.config.Agents.Hosts...), now: a.clock}
	e.enrolment = NewEnrolment(a.config, a.db, e.keys, a.log, a.clock)
	calendar, limits := Calendar(a.db), a.config.Limits
	if e.intake, err = intake.NewService(intake.Options{
		Store: a.db, Presence: a.db, Day: calendar.Day, Tie: calendar.Tie, Logger: a.log, Version: buildinfo.Version,
		Allowed: func(ctx context.Context, id fleet.Identity) error { return fleet.Allowed(ctx, a.db, id) },
		Days: func(ctx context.Context, id fleet.Identity) ([]intake.DayState, error) {
			return a.db.LastDays(ctx, id, toldDays)
		},
		MaxSessions: limits.Sessions, MaxMerchant: limits.MerchantSessions, MaxAgent: limits.AgentSessions, Rate: limits.AgentMessages,
	}); err != nil {
		return nil, err
	}
	if e.mqtt, err = a.openMQTT(e); err != nil {
		return nil, err
	}
	if err := e.ready(); err != nil {
		return nil, err
	}
	config := func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		config, err := e.certificates.config(hello)
		if err != nil { // package tls tells nobody
			a.log.Error("connection refused: no certificate to serve it with", "error", err)
		}
		return config, err
	}
	e.server = grpc.NewServer(carrier.ServerOptions(&tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: config})...)
	tillbookv1.RegisterEnrolmentServer(e.server, e.enrolment)
	tillbookv1.RegisterCollectorServer(e.server, carrier.New(e.intake, fleet.Identify))
	listener, err := net.Listen("tcp", a.config.Agents.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for agents: %w", err)
	}
	e.listener = carrier.Limit(listener, limits.Connections)
	return e, nil
}

// monthsEvery is how often tables are made for months to come.
const monthsEvery = time.Hour

// makeMonths makes them. Where that fails it is tried again, months before they are
// needed; without one, documents are stored all the same.
func (a *App) makeMonths(ctx context.Context) {
	if err := a.db.Ahead(ctx, a.now()); err != nil && ctx.Err() == nil {
		a.log.Warn("no table for a month to come; tried again within the hour", "error", err)
	}
}

// ready fails where there is no certificate to serve agents with.
func (e *entrance) ready() error {
	if _, err := e.certificates.config(nil); err != nil {
		return fmt.Errorf("certificate for agents: %w", err)
	}
	return nil
}

// run takes in what agents send until the app is to let them go; what they are at
// then goes on until ctx ends.
func (e *entrance) run(ctx context.Context, a *App) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := e.server.Serve(e.listener); err != nil && ctx.Err() == nil {
			return fmt.Errorf("serve agents: %w", err)
		}
		return nil
	})
	if e.mqtt != nil {
		group.Go(func() error { return e.mqtt.Run(ctx) })
	}
	group.Go(func() error {
		every(ctx, monthsEvery, func() { a.makeMonths(ctx) })
		return nil
	})
	group.Go(func() error {
		fleet.Watch(ctx, a.db, a.now, e.intake.Recheck, func(err error) { a.log.Warn("revoked agents may speak until their next check", "error", err) })
		return nil
	})
	group.Go(func() error {
		defer end()
		defer e.server.Stop()
		select {
		case <-a.leave:
		case <-ctx.Done():
			return nil
		}
		gone := make(chan struct{})
		go func() {
			e.server.GracefulStop() // connections end when what was asked over them is answered
			close(gone)
		}()
		if err := e.intake.Drain(ctx); err != nil {
			return nil // it took too long, which the app tells
		}
		select {
		case <-gone:
		case <-ctx.Done():
		}
		return nil
	})
	return group.Wait()
}
