package uplink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tillbook.example/tillbook/agent/outbox"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"
)

// Limits of what a session keeps under way.
const (
	defaultCredits = 8
	maxCredits     = 64
	maxRead        = 1 << 20 // bytes of records that one batch is made of
	maxHellos      = 8       // in one session
)

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
	sent        uint64    // log number of the last record sent, or declared lost
	before      []byte    // digest at sent
	released    uint64    // up to here the outbox was told to let go
	flight      []uint64  // sent when each batch or gap went that has no answer yet
	since       time.Time // the oldest of them, or its predecessor's answer
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
	s := &session{Uplink: u, carrier: carrier, mark: m}
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
		progress, err := s.sendNext()
		if err != nil {
			return err
		}
		if progress { // look for answers, but do not wait for them
			changed = now
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
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *session) hello() error {
	if s.hellos++; s.hellos > maxHellos {
		return errors.New("the collector answered Hello again and again without a welcome that holds")
	}
	s.welcomed, s.flight = false, nil
	h, err := s.mark.hello()
	if err != nil {
		return err
	}
	h.Protocol, h.Agent, h.Version, h.Boot = wire.Protocol, s.o.Agent, s.o.Version, s.boot[:]
	h.ClockUs = time.Now().UnixMicro()
	if err := s.carrier.Send(&tillbookv1.Up{Message: &tillbookv1.Up_Hello{Hello: h}}); err != nil {
		return fmt.Errorf("send hello: %w", err)
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
	if w.Protocol != wire.Protocol {
		return fmt.Errorf("the collector speaks version %d of the protocol, not %d", w.Protocol, wire.Protocol)
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
	s.credits = defaultCredits
	if w.Credits > 0 {
		s.credits = int(min(w.Credits, maxCredits))
	}
	s.release(ctx)
	s.sent = m.stored()
	if s.before, err = m.digest(m.ack.Stored); err != nil {
		return err
	}
	now := time.Now()
	s.note(func(st *Status) {
		st.Connected, st.Since, st.LastError, st.Refusal = true, now, "", ""
		st.Skew = time.UnixMicro(w.ClockUs).Sub(now)
		m.tell(st)
	})
	return s.tick(ctx)
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
	// Each batch and gap has one answer, in order.
	if len(s.flight) > 0 {
		s.flight = s.flight[1:]
	}
	for len(s.flight) > 0 && s.flight[0] <= m.stored() {
		s.flight = s.flight[1:]
	}
	s.since = now
	if s.sent < m.stored() {
		s.sent, s.before = m.stored(), a.Digest
	}
	if a.Credits > 0 {
		s.credits = int(min(a.Credits, maxCredits))
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
	h := &tillbookv1.Heartbeat{Work: "ok"}
	if s.o.Beat != nil {
		h = s.o.Beat()
	}
	status := s.Status()
	h.ClockUs, h.Version, h.Unsent = time.Now().UnixMicro(), s.o.Version, status.Unsent
	h.Next = s.o.Outbox.Next() - s.mark.base()
	h.Captured = s.captured()
	if err := s.carrier.Send(&tillbookv1.Up{Message: &tillbookv1.Up_Heartbeat{Heartbeat: h}}); err != nil {
		return fmt.Errorf("send heartbeat: %w", err)
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

// sendNext sends the next batch or gap, if there is one and the collector has
// room for it.
func (s *session) sendNext() (bool, error) {
	if !s.welcomed || len(s.flight) >= s.credits {
		return false, nil
	}
	up, last, digest, err := s.next()
	if err != nil || up == nil {
		return false, err
	}
	if err := s.carrier.Send(up); err != nil {
		return false, fmt.Errorf("send numbers up to %d: %w", last, err)
	}
	if len(s.flight) == 0 {
		s.since = time.Now()
	}
	s.sent, s.before = last, digest
	s.flight = append(s.flight, last)
	return true, nil
}

// next makes the message that follows what was sent; nil if there is none. last
// and digest are where it ends.
func (s *session) next() (up *tillbookv1.Up, last uint64, digest []byte, err error) {
	captured := s.captured() // before reading: a later claim may cover what is not in the batch, never the other way round
	from := s.sent + 1
	if first := s.o.Outbox.First(); from < first {
		return s.gap(from, first-1, "no longer kept by the agent")
	}
	records, err := s.o.Outbox.Read(from, wire.MaxRecords, maxRead)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("read number %d: %w", from, err)
	}
	if len(records) > 0 && records[0].Number == from {
		return s.batch(records, captured)
	}
	for _, g := range s.o.Outbox.Gaps() {
		if g.First <= from && from <= g.Last {
			return s.gap(from, g.Last, g.Reason)
		}
	}
	if len(records) > 0 {
		return nil, 0, nil, fmt.Errorf("the outbox holds number %d, but neither number %d nor a gap there", records[0].Number, from)
	}
	return nil, 0, nil, nil
}

func (s *session) batch(records []outbox.Stored, captured *tillbookv1.Watermark) (*tillbookv1.Up, uint64, []byte, error) {
	raw := make([][]byte, 0, len(records))
	first, last, digest := records[0].Number, uint64(0), [32]byte{}
	for _, r := range records {
		if r.Number != first+uint64(len(raw)) { // a gap follows
			break
		}
		raw = append(raw, r.Bytes)
		last, digest = r.Number, r.Digest
	}
	b := &tillbookv1.Batch{
		Agent: s.o.Agent, Epoch: s.mark.epoch.Id, Lane: tillbookv1.Lane_LANE_DOCUMENTS, First: first - s.mark.base(),
		DigestBefore: s.before, Captured: captured,
	}
	err := s.packer.Pack(b, raw)
	for errors.Is(err, wire.ErrTooLarge) && len(raw) > 1 {
		raw = raw[:len(raw)/2]
		last, digest = first+uint64(len(raw))-1, records[len(raw)-1].Digest
		err = s.packer.Pack(b, raw)
	}
	if errors.Is(err, wire.ErrTooLarge) {
		s.o.Logger.Error("uplink: a record is too large to be sent", "number", first, "bytes", len(raw[0]))
		return s.lost(first, first, fmt.Sprintf("a record of %d bytes is too large to be sent", len(raw[0])), digest[:])
	}
	if err != nil {
		return nil, 0, nil, err
	}
	b.DigestAfter = digest[:]
	return &tillbookv1.Up{Message: &tillbookv1.Up_Batch{Batch: b}}, last, digest[:], nil
}

// gap declares numbers that the outbox no longer has.
func (s *session) gap(first, last uint64, reason string) (*tillbookv1.Up, uint64, []byte, error) {
	digest, known, err := s.o.Outbox.Digest(last)
	if err != nil || !known {
		return nil, 0, nil, errors.Join(fmt.Errorf("no digest is known at number %d, where a gap ends", last), err)
	}
	return s.lost(first, last, reason, digest[:])
}

func (s *session) lost(first, last uint64, reason string, digest []byte) (*tillbookv1.Up, uint64, []byte, error) {
	g := &tillbookv1.Gap{
		Epoch: s.mark.epoch.Id, First: first - s.mark.base(), Last: last - s.mark.base(), Reason: reason, DigestAfter: digest,
	}
	return &tillbookv1.Up{Message: &tillbookv1.Up_Gap{Gap: g}}, last, digest, nil
}
