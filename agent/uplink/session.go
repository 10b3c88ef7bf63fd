package uplink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"
)

// Limits of what a session keeps under way.
const (
	defaultCredits = 8
	maxCredits     = 64
	maxHellos      = 8 // in one session
	// lastWords bounds the wait for what the collector said before the line took
	// nothing more.
	lastWords = 2 * time.Second
)

// errSend: the line takes nothing more. Whoever ended it may have said why.
var errSend = errors.New("send")

// session is one connection with the collector.
type session struct {
	*Uplink
	carrier Session
	mark    *mark

	welcomed    bool
	moved       bool // the collector stored something, or the session lasted
	hellos      int
	incarnation []byte // of this session's Welcome
	credits     int
	order       order
	pace        pace
	lives       int       // batches from the head since the last one in order
	beside      int       // since there is a hole
	released    uint64    // up to here the outbox was told to let go
	flight      []flight  // batches and gaps that have no answer yet
	since       time.Time // the oldest of them, or its predecessor's answer
	told        time.Time // the last welcome or acknowledgement
}

type received struct {
	down *tillbookv1.Down
	err  error
}

// session runs one session until it fails or ctx ends. It reports whether it
// got anywhere.
func (u *Uplink) session(ctx context.Context, m *mark) (moved bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	carrier, err := u.o.Carrier.Dial(ctx)
	if err != nil {
		return false, fmt.Errorf("connect: %w", err)
	}
	s := &session{Uplink: u, carrier: carrier, mark: m, pace: newPace()}
	// Whatever this goroutine waits for, silence ends the session.
	watchdog := time.AfterFunc(u.o.Dead, func() {
		cancel(fmt.Errorf("nothing heard for %s", u.o.Dead))
		carrier.Close()
	})
	// Room for all answers that may be under way, so that receiving never waits
	// for sending.
	in := make(chan received, maxCredits+16)
	var receiving sync.WaitGroup
	receiving.Go(func() {
		for {
			down, err := carrier.Recv()
			if err == nil {
				watchdog.Reset(u.o.Dead)
			}
			select {
			case in <- received{down, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	start := time.Now()
	err = s.run(ctx, in)
	if errors.Is(err, errSend) {
		err = s.hearOut(ctx, in, err)
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	watchdog.Stop()
	carrier.Close()
	receiving.Wait()
	return s.moved || s.welcomed && time.Since(start) > u.o.MaxWait, err
}

func (s *session) run(ctx context.Context, in <-chan received) error {
	if err := s.hello(); err != nil {
		return err
	}
	tick := time.NewTicker(s.o.Every)
	defer tick.Stop()
	now := make(chan struct{})
	close(now)
	for {
		changed := s.o.Outbox.Changed()
		progress, wait, err := s.sendNext()
		if err != nil {
			return err
		}
		if progress { // look for answers, but do not wait for them
			changed = now
		}
		var paced <-chan time.Time
		if wait > 0 {
			paced = time.After(wait)
		}
		select {
		case r := <-in:
			if err := s.handle(ctx, r); err != nil {
				return err
			}
		case <-tick.C:
			if err := s.tick(ctx); err != nil {
				return err
			}
		case <-changed:
		case <-paced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hearOut takes what the collector said before its side ended, and returns its
// refusal, or else err.
func (s *session) hearOut(ctx context.Context, in <-chan received, err error) error {
	limit := time.NewTimer(lastWords)
	defer limit.Stop()
	for {
		select {
		case r := <-in:
			var refused *RefusedError
			switch r.down.GetMessage().(type) {
			case *tillbookv1.Down_Refusal, *tillbookv1.Down_Ack:
				if said := s.handle(ctx, r); errors.As(said, &refused) {
					return refused
				}
			}
			if r.err != nil {
				return err
			}
		case <-limit.C:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

func (s *session) hello() error {
	if s.hellos++; s.hellos > maxHellos {
		return errors.New("the collector answered Hello again and again without a welcome that holds")
	}
	s.welcomed, s.flight, s.order = false, nil, order{}
	h, err := s.mark.hello()
	if err != nil {
		return err
	}
	h.Protocol, h.Agent, h.Version, h.Boot = wire.Protocol, s.o.Agent, s.o.Version, s.boot[:]
	h.ClockUs = time.Now().UnixMicro()
	if err := s.carrier.Send(&tillbookv1.Up{Message: &tillbookv1.Up_Hello{Hello: h}}); err != nil {
		return fmt.Errorf("%w hello: %w", errSend, err)
	}
	return nil
}

func (s *session) handle(ctx context.Context, r received) error {
	if r.err != nil {
		return fmt.Errorf("receive: %w", r.err)
	}
	switch message := r.down.Message.(type) {
	case *tillbookv1.Down_Welcome:
		return s.welcome(ctx, message.Welcome)
	case *tillbookv1.Down_Ack:
		return s.acked(ctx, message.Ack)
	case *tillbookv1.Down_NewEpoch:
		return s.newEpoch(ctx, message.NewEpoch)
	case *tillbookv1.Down_Refusal:
		m := message.Refusal
		return &RefusedError{Code: m.Code, Text: m.Text, Retry: m.Retry, After: time.Duration(max(0, m.AfterMs)) * time.Millisecond}
	}
	return nil // a heartbeat, or something newer: a sign of life
}

// welcome takes up where the collector stands. It goes on from there if the
// digests agree. A position below the mark is a database that went back, and
// taken; one above it that cannot be compared, since the agent has lost those
// records, is not.
func (s *session) welcome(ctx context.Context, w *tillbookv1.Welcome) error {
	m := s.mark
	if w.Protocol < wire.Oldest || w.Protocol > wire.Protocol {
		return fmt.Errorf("the collector speaks version %d of the protocol, this agent %d to %d", w.Protocol, wire.Oldest, wire.Protocol)
	}
	if s.welcomed || m.epoch == nil || string(w.Epoch) != string(m.epoch.Id) || len(w.Incarnation) != 16 {
		return errors.New("a welcome that does not answer our hello")
	}
	agrees, known, err := s.compare(w.Stored, w.Digest)
	switch {
	case err != nil:
		return err
	case s.beyond(w.Stored):
		return fmt.Errorf("the collector has number %d, which was never given", w.Stored)
	case known && !agrees:
		return s.hello()
	case agrees || w.Stored < m.ack.Stored:
		if w.Stored < m.ack.Stored {
			s.o.Logger.Warn("uplink: the collector has less than it acknowledged", "acknowledged", m.ack.Stored, "has", w.Stored)
		}
		m.move(w.Incarnation, w.Stored, w.Digest, w.Safe)
	default:
		m.move(w.Incarnation, m.ack.Stored, m.ack.Digest, min(w.Safe, m.ack.Safe))
	}
	m.claim, s.welcomed, s.incarnation = nil, true, w.Incarnation
	s.credit(w.Credits)
	s.release(ctx)
	s.order = order{sent: m.stored()}
	s.order.ahead = s.has(w.Ranges)
	now := time.Now()
	s.told = now
	s.note(func(st *Status) {
		st.Connected, st.Since, st.LastError, st.Refusal = true, now, "", ""
		st.Skew = time.UnixMicro(w.ClockUs).Sub(now)
		m.tell(st)
		st.Ahead = s.count(w.Ranges)
	})
	return s.tick(ctx)
}

// credit sets how many batches may be under way; 0: as many as is usual.
func (s *session) credit(n uint32) {
	if n == 0 {
		n = defaultCredits
	}
	s.credits = int(min(n, maxCredits))
	s.pace.credits(s.credits)
}

// has turns the ranges that the collector stored out of order into spans that
// need not be sent. What makes no sense counts for nothing: then it is sent
// again. Nor is more than this believed: a record counts as stored only when the
// watermark passes it with our digest.
func (s *session) has(ranges []*tillbookv1.Range) []span {
	base, last := s.mark.base(), s.mark.ack.Stored
	var spans []span
	for _, r := range ranges {
		if r.Last <= s.mark.ack.Stored {
			continue
		}
		if r.First <= last+1 || r.Last < r.First || s.beyond(r.Last) || len(spans) == maxAhead {
			return nil
		}
		spans = append(spans, span{first: base + r.First, last: base + r.Last})
		last = r.Last
	}
	return spans
}

// count is how many records lie in ranges above the mark.
func (s *session) count(ranges []*tillbookv1.Range) (n uint64) {
	for _, r := range ranges {
		if r.Last > s.mark.ack.Stored && r.Last >= r.First && !s.beyond(r.Last) {
			n += r.Last - max(r.First, s.mark.ack.Stored+1) + 1
		}
	}
	return n
}

// compare looks whether the collector's digest at a wire number is the agent's
// own. Where it is not, the next Hello says so.
func (s *session) compare(number uint64, digest []byte) (agrees, known bool, err error) {
	own, err := s.mark.digest(number)
	if err != nil || own == nil {
		return false, false, err
	}
	if !bytes.Equal(own, digest) {
		s.mark.claim = &claim{number: number, digest: own}
		return false, true, nil
	}
	return true, true, nil
}

// beyond says whether a wire number was never given.
func (s *session) beyond(number uint64) bool { return number >= s.o.Outbox.Next()-s.mark.base() }

// acked takes an acknowledgement, or fails: then nothing counts as acknowledged
// by it, and the next session finds out why.
func (s *session) acked(ctx context.Context, a *tillbookv1.Ack) error {
	m := s.mark
	if !s.welcomed || string(a.Epoch) != string(m.epoch.Id) || !bytes.Equal(a.Incarnation, s.incarnation) {
		return errors.New("an acknowledgement of another epoch or database")
	}
	agrees, known, err := s.compare(a.Stored, a.Digest)
	switch {
	case err != nil:
		return err
	case known && !agrees:
		return fmt.Errorf("the numbering forked: at number %d the collector has another digest", a.Stored)
	case a.Stored < m.ack.Stored:
		return fmt.Errorf("the collector went back from number %d to %d", m.ack.Stored, a.Stored)
	case s.beyond(a.Stored):
		return fmt.Errorf("the collector has number %d, which was never given", a.Stored)
	}
	now := time.Now()
	if agrees {
		if a.Stored > m.ack.Stored {
			s.moved = true
		}
		m.move(a.Incarnation, a.Stored, a.Digest, max(m.ack.Safe, a.Safe))
		s.release(ctx)
	}
	s.told = now
	s.answered(now, a)
	if n := m.stored(); n > s.order.sent {
		s.order.reached(n, nil)
	}
	if a.Credits > 0 {
		s.credit(a.Credits)
	}
	for _, r := range a.Rejected {
		s.o.Logger.Warn("uplink: the collector could not read a record; it keeps it", "number", m.base()+r.Number, "code", r.Code, "text", r.Text)
		if s.o.Rejected != nil {
			s.o.Rejected(m.base()+r.Number, r.Code, r.Text)
		}
	}
	s.note(func(st *Status) {
		st.LastAck = now
		st.Rejected += uint64(len(a.Rejected))
		m.tell(st)
		st.Ahead = s.count(a.Ranges)
	})
	return nil
}

// release lets the outbox go of what is safe. The mark is made durable first
// where it can be: it should not name what is gone. What fails is tried again
// with the next acknowledgement.
func (s *session) release(ctx context.Context) {
	m := s.mark
	safe := m.base() + m.ack.Safe
	if m.ack.Safe == 0 || safe <= s.released {
		return
	}
	err := m.save(ctx)
	if released := s.o.Outbox.Release(safe); released != nil {
		err = errors.Join(err, released)
	} else {
		s.released = safe
	}
	if err != nil {
		s.o.Logger.Warn("uplink: release of what is safe", "up_to", safe, "error", err)
	}
}

// newEpoch adopts an epoch and says hello with it.
func (s *session) newEpoch(ctx context.Context, n *tillbookv1.NewEpoch) error {
	if err := s.mark.adopt(ctx, n); err != nil {
		return err
	}
	s.o.Logger.Warn("uplink: new epoch", "reason", n.Reason, "base", s.mark.base(), "send_again", s.o.Outbox.Next()-1-s.mark.base())
	s.note(s.mark.tell)
	return s.hello()
}

// tick sends a heartbeat and sees to what is due.
func (s *session) tick(ctx context.Context) error {
	if len(s.flight) > 0 && time.Since(s.since) > s.o.Patience {
		return fmt.Errorf("no acknowledgement for %s", s.o.Patience)
	}
	if err := s.mark.save(ctx); err != nil {
		s.o.Logger.Warn("uplink: the mark is not durable yet; it is tried again", "error", err)
	}
	if !s.welcomed {
		return nil
	}
	if m := s.mark; len(s.flight) == 0 && m.ack.Safe < m.ack.Stored && time.Since(s.told) > s.o.Refresh {
		// What is stored gets safe with time. An outbox that is full takes no sale
		// whose acknowledgement would say so.
		s.hellos = 0
		return s.hello()
	}
	h := &tillbookv1.Heartbeat{Work: "ok"}
	if s.o.Beat != nil {
		h = s.o.Beat()
	}
	status := s.Status()
	h.ClockUs, h.Version, h.Unsent = time.Now().UnixMicro(), s.o.Version, status.Unsent
	h.Next = s.o.Outbox.Next() - s.mark.base()
	h.Captured = s.captured()
	if err := s.carrier.Send(&tillbookv1.Up{Message: &tillbookv1.Up_Heartbeat{Heartbeat: h}}); err != nil {
		return fmt.Errorf("%w heartbeat: %w", errSend, err)
	}
	return nil
}

// captured is the app's claim in wire numbers.
func (s *session) captured() *tillbookv1.Watermark {
	if s.o.Captured == nil {
		return nil
	}
	at, number := s.o.Captured()
	if at.IsZero() {
		return nil
	}
	return &tillbookv1.Watermark{TimeUs: at.UnixMicro(), Number: max(number, s.mark.base()) - s.mark.base()}
}
