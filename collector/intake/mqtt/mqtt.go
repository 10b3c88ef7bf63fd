// Package mqtt lets agents speak to intake over an MQTT broker.
//
// For whom a message speaks is taken from its topic: the broker must let an
// agent publish only under its own id, which its certificate states (docs/mqtt.md),
// and the collector looks up to which merchant and store the agent belongs. With
// a share group the broker gives each new session to one of several collectors;
// from then on the agent's topics name that collector, so a session stays where
// it began and in its order. Whatever cannot be read or is too much ends that
// session alone. What is said in a session is intake's business, and nothing that
// the broker says counts as stored.
package mqtt

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync/atomic"
	"time"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/internal/broker"
	"tillbook.example/tillbook/internal/tunnel"
	"tillbook.example/tillbook/shared/wire"
)

// Limits.
const (
	// MaxMessage bounds one message of an agent; the broker's own limit should be
	// the same.
	MaxMessage = 2 << 20
	// maxPacket is what would end the whole connection. It is far above what the
	// broker should let through.
	maxPacket   = 32 << 20
	maxSessions = 4  // of one agent; a new one ends the oldest
	maxInbox    = 24 // messages of one session that wait: those it has credit for, and heartbeats
	// keepAlive lets the broker notice within half a minute that a collector is
	// gone, and give its sessions to others.
	keepAlive    = 20 * time.Second
	publishLimit = 20 * time.Second
)

// Options are what a Carrier needs.
type Options struct {
	Intake *intake.Service
	// Identify returns to whom an agent belongs, or fleet.ErrUnknown.
	Identify func(ctx context.Context, merchant, agent string) (fleet.Identity, error)
	Broker   string // tls://HOST:PORT or wss://HOST/PATH
	// Share is the group of collectors that share the work; empty: this one is
	// alone.
	Share string
	// TLS returns the configuration of the next connection: the collector's
	// certificate for the broker and the authorities it trusts.
	TLS        func() (*tls.Config, error)
	Logger     *slog.Logger
	MaxWaiting int64         // bytes of messages that wait, in all sessions; default 256 MiB
	MinWait    time.Duration // before the first new attempt to connect; default 500 ms
	MaxWait    time.Duration // between attempts; default 30 s
	Proxy      tunnel.Proxy  // nil: the environment's
}

// Carrier takes sessions from a broker while Run runs.
type Carrier struct {
	o         Options
	waiting   atomic.Int64 // bytes
	dropped   atomic.Uint64
	connected atomic.Bool
}

// Stats are of now, and since start.
type Stats struct {
	Connected bool   // with the broker, and taking sessions
	Dropped   uint64 // messages that belonged to no session, or were too much
}

// New returns a Carrier. Nothing is connected before Run.
func New(o Options) (*Carrier, error) {
	if o.Intake == nil || o.Identify == nil || o.TLS == nil || o.Logger == nil {
		return nil, errors.New("mqtt: intake, identify, TLS and logger are needed")
	}
	if err := Check(o.Broker, o.Share); err != nil {
		return nil, fmt.Errorf("mqtt: %w", err)
	}
	if o.MaxWaiting <= 0 {
		o.MaxWaiting = 256 << 20
	}
	for value, standard := range map[*time.Duration]time.Duration{&o.MinWait: 500 * time.Millisecond, &o.MaxWait: 30 * time.Second} {
		if *value <= 0 {
			*value = standard
		}
	}
	return &Carrier{o: o}, nil
}

// Check says what is wrong with a broker's URL or the name of a share group.
func Check(url, share string) error {
	if share != "" && !wire.TopicLevel(share) {
		return fmt.Errorf("share group %q: use letters, digits, '-', '_' and '.'", share)
	}
	_, err := broker.Host(url)
	return err
}

// Stats returns the counters.
func (c *Carrier) Stats() Stats {
	return Stats{Connected: c.connected.Load(), Dropped: c.dropped.Load()}
}

// Run takes sessions, and connects again whenever the connection ends, until ctx
// ends.
func (c *Carrier) Run(ctx context.Context) error {
	wait := c.o.MinWait
	for {
		stood, err := c.connect(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if stood {
			wait = c.o.MinWait
		}
		pause := wait/2 + mathrand.N(wait)
		wait = min(2*wait, c.o.MaxWait)
		c.o.Logger.Warn("mqtt: not connected with the broker", "reason", err, "next_try_in", pause.Round(time.Millisecond))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// connect takes sessions over one connection until that or ctx ends. It says
// whether it came about.
func (c *Carrier) connect(ctx context.Context) (stood bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	config, err := c.o.TLS()
	if err != nil {
		return false, fmt.Errorf("prepare TLS: %w", err)
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	l := newLink(ctx, c, hex.EncodeToString(random[:]))
	own := wire.CollectorTopic(l.name)
	client, err := broker.Connect(ctx, broker.Options{
		URL: c.o.Broker, TLS: config, ID: "tbc" + l.name, Proxy: c.o.Proxy,
		WillTopic: own, Will: wire.CollectorGone,
		KeepAlive: keepAlive, MaxPacket: maxPacket, Receive: l.receive,
	})
	if err != nil {
		return false, err
	}
	l.client = client
	stop := context.AfterFunc(ctx, client.Close)
	defer func() {
		stop()
		client.Close()
		cancel()
		l.running.Wait()
	}()
	every := wire.Topic{Merchant: wire.Any, Agent: wire.Any, Session: wire.Any, Collector: l.name}
	hello, bye, up := every, every, every
	hello.Kind, bye.Kind, up.Kind = wire.TopicHello, wire.TopicBye, wire.TopicUp
	shared := hello.String()
	if c.o.Share != "" {
		shared = "$share/" + c.o.Share + "/" + shared
	}
	// Hello comes last: from then on agents are answered.
	if err := client.Subscribe(ctx, up.String(), bye.String()); err != nil {
		return false, err
	}
	if err := client.Subscribe(ctx, shared); err != nil {
		return false, err
	}
	// Agents that found nobody to say Hello to say it again.
	if err := client.Publish(ctx, own, []byte(wire.CollectorHere)); err != nil {
		return false, err
	}
	c.o.Logger.Info("mqtt: connected with the broker", "broker", c.o.Broker, "share", c.o.Share, "as", l.name)
	c.connected.Store(true)
	defer c.connected.Store(false)
	return true, l.tellStrangers()
}
