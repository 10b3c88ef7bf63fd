package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"
)

// Reasons for which a session ends without intake having said so.
var (
	errBye      = errors.New("the agent's connection ended")
	errReplaced = errors.New("the agent has begun more sessions than it may have at once")
	errOverflow = errors.New("the agent sent more than it has credit for")
	errNoRoom   = errors.New("too much waits to be stored")
	errLarge    = fmt.Errorf("the agent sent a message of more than %d bytes", MaxMessage)
)

// connection is what a link needs of a broker.Client.
type connection interface {
	Publish(ctx context.Context, topic string, payload []byte) error
	Done() <-chan struct{}
	Err() error
}

// link is one connection with the broker, and the sessions that began over it.
type link struct {
	*Carrier
	ctx       context.Context
	name      string // in topics
	client    connection
	strangers chan wire.Topic // that speak in sessions which are not known here
	running   sync.WaitGroup

	mu       sync.Mutex
	sessions map[wire.Topic]*session // by Merchant, Agent and Session
	agents   map[string][]*session   // by the agent's id, which alone the broker vouches for; oldest first
}

func newLink(ctx context.Context, c *Carrier, name string) *link {
	return &link{
		Carrier: c, ctx: ctx, name: name, strangers: make(chan wire.Topic, 256),
		sessions: map[wire.Topic]*session{}, agents: map[string][]*session{},
	}
}

// session is one session of an agent. It is an intake.Stream.
type session struct {
	*link
	key    wire.Topic
	ctx    context.Context
	end    context.CancelCauseFunc
	inbox  chan []byte
	closed bool // guarded by mu: nothing comes into the inbox any more
}

// receive sorts what the broker delivers to the sessions. It waits for nothing.
func (l *link) receive(topic string, payload []byte) {
	t, err := wire.ParseTopic(topic)
	if err != nil {
		l.dropped.Add(1)
		return
	}
	key := wire.Topic{Merchant: t.Merchant, Agent: t.Agent, Session: t.Session}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sessions[key]
	switch t.Kind {
	case wire.TopicHello:
		if s == nil { // one that is said again, since it seemed to find nobody, changes nothing
			s = l.begin(key)
			s.offer(payload)
		}
	case wire.TopicUp:
		if s != nil {
			s.offer(payload)
			return
		}
		l.dropped.Add(1)
		select {
		case l.strangers <- key:
		default: // it finds out by the silence
		}
	case wire.TopicBye:
		if s != nil {
			s.end(errBye)
		}
	}
}

// begin starts a session; mu is held.
func (l *link) begin(key wire.Topic) *session {
	s := &session{link: l, key: key, inbox: make(chan []byte, maxInbox)}
	s.ctx, s.end = context.WithCancelCause(l.ctx)
	if of := l.agents[key.Agent]; len(of) >= maxSessions {
		of[0].end(errReplaced)
		l.agents[key.Agent] = slices.Delete(of, 0, 1)
	}
	l.sessions[key] = s
	l.agents[key.Agent] = append(l.agents[key.Agent], s)
	l.running.Go(s.serve)
	return s
}

// offer puts a message into the inbox, or ends the session; mu is held.
func (s *session) offer(payload []byte) {
	size := int64(len(payload))
	switch {
	case s.closed || s.ctx.Err() != nil:
		s.dropped.Add(1)
		return
	case size > MaxMessage:
		s.end(errLarge)
	case s.waiting.Load()+size > s.o.MaxWaiting:
		s.end(errNoRoom)
	default:
		select {
		case s.inbox <- payload:
			s.waiting.Add(size)
			return
		default:
			s.end(errOverflow)
		}
	}
	s.dropped.Add(1)
}

// serve runs the session and tells the agent that it ended.
func (s *session) serve() {
	defer s.forget()
	id, err := s.o.Identify(s.ctx, s.key.Merchant, s.key.Agent)
	switch {
	case errors.Is(err, fleet.ErrUnknown):
		err = s.o.Intake.Refuse(s, intake.RefusedRevoked, "this agent is not known here; enrol it again", false)
	case err != nil && s.ctx.Err() == nil:
		err = errors.Join(err, s.o.Intake.Refuse(s, intake.RefusedBusy, "to whom this agent belongs could not be looked up", true))
	case err == nil:
		_ = s.o.Intake.Serve(s.ctx, id, s) // it has told the agent, and logged why
	}
	cause := context.Cause(s.ctx)
	if s.link.ctx.Err() != nil || errors.Is(cause, errBye) {
		return // nobody is there to be told
	}
	err = errors.Join(err, s.refuseFor(cause))
	if err := errors.Join(err, cause, s.publish(nil)); err != nil {
		s.o.Logger.Warn("mqtt: agent session ended", "merchant", s.key.Merchant, "agent", s.key.Agent, "reason", err)
	}
}

// refuseFor tells the agent why the link ended its session, if it did.
func (s *session) refuseFor(cause error) error {
	switch cause {
	case errReplaced:
		return s.o.Intake.Refuse(s, intake.RefusedReplaced, cause.Error(), true)
	case errOverflow:
		return s.o.Intake.Refuse(s, intake.RefusedTooFast, cause.Error(), true)
	case errNoRoom:
		return s.o.Intake.Refuse(s, intake.RefusedBusy, cause.Error(), true)
	case errLarge:
		return s.o.Intake.Refuse(s, intake.RefusedMessage, cause.Error(), true)
	}
	return nil
}

// forget takes the session out of the link, with what still waits.
func (s *session) forget() {
	s.end(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	delete(s.link.sessions, s.key)
	of := slices.DeleteFunc(s.agents[s.key.Agent], func(other *session) bool { return other == s })
	if s.agents[s.key.Agent] = of; len(of) == 0 {
		delete(s.agents, s.key.Agent)
	}
	for {
		select {
		case payload := <-s.inbox:
			s.waiting.Add(-int64(len(payload)))
		default:
			return
		}
	}
}

// Send implements intake.Stream.
func (s *session) Send(m *tillbookv1.Down) error {
	text, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return s.publish(text)
}

// publish sends to the agent. It waits for the broker, so that no more is on its
// way than the broker takes; also once the session has ended, for its last words.
func (s *session) publish(payload []byte) error {
	return s.link.publish(s.key, payload)
}

func (l *link) publish(to wire.Topic, payload []byte) error {
	ctx, cancel := context.WithTimeout(l.ctx, publishLimit)
	defer cancel()
	to.Kind, to.Collector = wire.TopicDown, l.name
	return l.client.Publish(ctx, to.String(), payload)
}

// Recv implements intake.Stream.
func (s *session) Recv() (*tillbookv1.Up, error) {
	select {
	case payload := <-s.inbox:
		s.waiting.Add(-int64(len(payload)))
		m := &tillbookv1.Up{}
		if err := proto.Unmarshal(payload, m); err != nil {
			return nil, fmt.Errorf("a message that cannot be read: %w", err)
		}
		return m, nil
	case <-s.ctx.Done():
		return nil, io.EOF
	}
}

// tellStrangers ends sessions that are not known here, until the connection
// ends: their agents would otherwise wait for answers.
func (l *link) tellStrangers() error {
	for {
		select {
		case t := <-l.strangers:
			if err := l.publish(t, nil); err != nil {
				return err
			}
		case <-l.client.Done():
			return l.client.Err()
		}
	}
}
