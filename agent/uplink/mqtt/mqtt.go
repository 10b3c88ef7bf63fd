// Package mqtt carries an uplink's session over an MQTT broker: the same
// messages as over gRPC, in protobuf, one connection for each session.
//
// The agent says Hello to whichever collector the broker gives it to, and speaks
// to the one that answers, by a topic that names both. No message is retained
// and none of an earlier session can be taken for one of this: topics carry a
// random name of the session (shared/wire, Topic). That the broker took a message
// counts for nothing; the uplink counts what the collector acknowledges, and the
// outbox is the only store.
package mqtt

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/internal/broker"
	"tillbook.example/tillbook/internal/tunnel"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"
)

const (
	// maxPacket bounds what the broker may send at once.
	maxPacket = 1 << 20
	// maxWaiting bounds the messages that the uplink has not received yet. A
	// collector sends no more than one for each of the agent's, and heartbeats.
	maxWaiting = 256
	// keepAlive is long, so that a large batch on a slow line is not cut off: the
	// broker wants a whole packet within one and a half times this. That the line
	// is dead is seen by the uplink's heartbeats, much sooner.
	keepAlive = 3 * time.Minute
)

// Options are where, as whom and with what to connect.
type Options struct {
	Broker          string // tls://HOST:PORT or wss://HOST/PATH
	Merchant, Agent string
	// TLS returns the configuration of the next connection to a broker of that
	// host name: the agent's certificate and the authorities it trusts.
	TLS   func(host string) (*tls.Config, error)
	Proxy tunnel.Proxy // nil: the environment's
}

// Carrier is an uplink.Carrier.
type Carrier struct {
	o    Options
	host string
}

// New returns a Carrier. Nothing is connected before Dial.
func New(o Options) (*Carrier, error) {
	if o.TLS == nil || !wire.TopicLevel(o.Merchant) || !wire.TopicLevel(o.Agent) {
		return nil, fmt.Errorf("mqtt carrier: TLS and names that can stand in a topic are needed, not %q and %q", o.Merchant, o.Agent)
	}
	host, err := broker.Host(o.Broker)
	if err != nil {
		return nil, fmt.Errorf("mqtt carrier: %w", err)
	}
	return &Carrier{o: o, host: host}, nil
}

// Check says what is wrong with a broker's address.
func Check(address string) error {
	_, err := broker.Host(address)
	return err
}

// Dial implements uplink.Carrier. It connects to the broker; whether a collector
// is there shows in whether Hello is answered.
func (c *Carrier) Dial(ctx context.Context) (uplink.Session, error) {
	config, err := c.o.TLS(c.host)
	if err != nil {
		return nil, fmt.Errorf("prepare TLS: %w", err)
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	s := &session{
		topic: wire.Topic{Merchant: c.o.Merchant, Agent: c.o.Agent, Session: hex.EncodeToString(random[:])},
		in:    make(chan message, maxWaiting), full: make(chan struct{}),
	}
	s.client, err = broker.Connect(ctx, broker.Options{
		URL: c.o.Broker, TLS: config, ID: "tb" + s.topic.Session, Proxy: c.o.Proxy,
		WillTopic: s.at(wire.TopicBye, ""), Will: "bye",
		KeepAlive: keepAlive, MaxPacket: maxPacket, Receive: s.receive,
	})
	if err != nil {
		return nil, err
	}
	s.release = context.AfterFunc(ctx, s.client.Close)
	if err := s.client.Subscribe(ctx, s.at(wire.TopicDown, wire.Any), wire.CollectorTopic(wire.Any)); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

type message struct {
	topic   string
	payload []byte
}

// session is one connection with the broker.
type session struct {
	client  *broker.Client
	release func() bool
	topic   wire.Topic
	in      chan message
	full    chan struct{} // closed when in had no room
	once    sync.Once

	mu        sync.Mutex
	hello     []byte // the first message, until it is answered
	collector string // that answered
}

func (s *session) at(kind, collector string) string {
	t := s.topic
	t.Kind, t.Collector = kind, collector
	return t.String()
}

// receive takes what the broker delivers. All else is done by Recv: here, the
// library's own work would have to wait.
func (s *session) receive(topic string, payload []byte) {
	select {
	case s.in <- message{topic, payload}:
	default:
		s.once.Do(func() { close(s.full) })
	}
}

// Send implements uplink.Session.
func (s *session) Send(m *tillbookv1.Up) error {
	text, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	s.mu.Lock()
	collector := s.collector
	if collector == "" {
		s.hello = text
	}
	s.mu.Unlock()
	switch {
	case collector != "":
		return s.client.Send(s.at(wire.TopicUp, collector), text)
	case m.GetHello() == nil:
		return errors.New("only Hello can be said before a collector has answered")
	}
	return s.client.Send(s.at(wire.TopicHello, ""), text)
}

// Recv implements uplink.Session.
func (s *session) Recv() (*tillbookv1.Down, error) {
	for {
		var m message
		select {
		case m = <-s.in:
		default:
			select {
			case m = <-s.in:
			case <-s.full:
				return nil, fmt.Errorf("more than %d messages came at once", maxWaiting)
			case <-s.client.Done():
				return nil, s.client.Err()
			}
		}
		down, err := s.take(m)
		if down != nil || err != nil {
			return down, err
		}
	}
}

// take returns a message of the collector that answered first, and nil for what
// is not for the uplink.
func (s *session) take(m message) (*tillbookv1.Down, error) {
	if collector, ok := wire.ParseCollectorTopic(m.topic); ok {
		return nil, s.changed(collector, string(m.payload))
	}
	t, err := wire.ParseTopic(m.topic)
	if err != nil || t.Kind != wire.TopicDown || t.Session != s.topic.Session {
		return nil, nil // of no version that this one knows
	}
	s.mu.Lock()
	if s.collector == "" {
		s.collector, s.hello = t.Collector, nil
	}
	ours := s.collector == t.Collector
	s.mu.Unlock()
	switch {
	case !ours:
		return nil, nil
	case len(m.payload) == 0:
		return nil, errors.New("the collector ended the session")
	}
	down := &tillbookv1.Down{}
	if err := proto.Unmarshal(m.payload, down); err != nil {
		return nil, fmt.Errorf("a message of the collector cannot be read: %w", err)
	}
	return down, nil
}

// changed hears that a collector came or went. A Hello without an answer is said
// again: it may have gone to nobody.
func (s *session) changed(collector, what string) error {
	s.mu.Lock()
	hello, ours := s.hello, s.collector == collector
	s.mu.Unlock()
	switch {
	case hello != nil:
		return s.client.Send(s.at(wire.TopicHello, ""), hello)
	case ours && what == wire.CollectorGone:
		return errors.New("the collector's connection with the broker ended")
	}
	return nil
}

// Close implements uplink.Session. The broker tells the collectors.
func (s *session) Close() {
	s.release()
	s.client.Close()
}
