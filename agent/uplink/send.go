package uplink

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tillbook.example/tillbook/agent/outbox"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"
)

const (
	// overtaking is how many batches go from the head before one goes in order.
	overtaking = 4
	// maxBeside is how many go from the head while what is below them is not
	// sent; the collector keeps them apart until then, at most 8,192.
	maxBeside = 6000
)

// flight is a batch or gap on its way.
type flight struct {
	first, last uint64 // log numbers
	bytes       int    // before compression
	sent        time.Time
	live        bool // from the head, beside a backlog
}

// message is what goes next.
type message struct {
	up          *tillbookv1.Up
	first, last uint64 // log numbers
	digest      []byte // at last
	bytes       int
}

// sendNext sends the next batch or gap, if there is one and the collector and the
// line have room for it. wait, where it is not 0, is when to try again even if
// nothing happens.
func (s *session) sendNext() (sent bool, wait time.Duration, err error) {
	if !s.welcomed || len(s.flight) >= s.credits {
		return false, 0, nil
	}
	now := time.Now()
	if s.o.Limit != nil {
		s.pace.limit = max(0, s.o.Limit(now))
	}
	if err := s.overtake(); err != nil {
		return false, 0, err
	}
	turn := s.lives >= overtaking // of what goes in order
	inOrder, wait := s.mayGoInOrder(now, turn)
	live := s.mayGoLive() && (!turn || !inOrder)
	if !live && !inOrder {
		return false, wait, nil
	}
	m, err := s.next(live)
	if err != nil || m == nil {
		return false, 0, err
	}
	if err := s.carrier.Send(m.up); err != nil {
		return false, 0, fmt.Errorf("%w numbers up to %d: %w", errSend, m.last, err)
	}
	if len(s.flight) == 0 {
		s.since = now
	}
	s.flight = append(s.flight, flight{first: m.first, last: m.last, bytes: m.bytes, sent: now, live: live})
	s.order.went(m.first, m.last, m.digest)
	s.pace.went(now, len(m.up.GetBatch().GetRecords()))
	if live {
		s.lives++
		s.beside++
	} else {
		s.lives = 0
	}
	return true, 0, nil
}

// overtake has the newest records go out beside what waits, if that is more than
// can go at once: one batch of them, and what is captured from now on.
func (s *session) overtake() error {
	head, _ := s.order.head()
	last := s.o.Outbox.Next() - 1
	_, overtook := s.order.hole()
	if s.inOrder || last <= head || !s.pace.backlog(last-head, overtook) {
		return nil
	}
	begin := max(head, last-min(last, uint64(s.pace.read()/aRecord)))
	digest, err := s.mark.digest(begin - s.mark.base())
	if err != nil {
		return fmt.Errorf("digest of number %d: %w", begin, err)
	}
	s.order.overtake(begin, digest)
	return nil
}

// mayGoLive says whether something may go from the head now. It waits for the
// answer to what went there before, so that sales gather in batches on a slow
// line, unless they fill one.
func (s *session) mayGoLive() bool {
	if _, ok := s.order.hole(); !ok {
		s.beside = 0
		return false
	}
	if s.beside >= maxBeside {
		return false
	}
	head, _ := s.order.head()
	last := s.o.Outbox.Next() - 1
	if last <= head {
		return false
	}
	waits := slices.ContainsFunc(s.flight, func(f flight) bool { return f.live })
	return !waits || last-head >= wire.MaxRecords
}

// mayGoInOrder says whether a batch may go in order now, or when. One credit is
// left for the head, but when it is not its turn.
func (s *session) mayGoInOrder(now time.Time, turn bool) (bool, time.Duration) {
	credits, under := s.credits, 0
	if _, ok := s.order.hole(); ok && credits > 1 && !turn {
		credits--
	}
	for _, f := range s.flight {
		under += f.bytes
	}
	if len(s.flight) >= credits || under >= s.pace.room() {
		return false, 0
	}
	if wait := s.pace.next.Sub(now); wait > 0 {
		return false, wait
	}
	return true, 0
}

// answered takes an answer to the oldest of what is on its way, and with it of
// all that the collector says it has: an answer may have been lost.
func (s *session) answered(now time.Time, a *tillbookv1.Ack) {
	if len(s.flight) > 0 {
		f := s.flight[0]
		s.flight = s.flight[1:]
		s.pace.answered(f.sent, now, f.bytes)
	}
	base := s.mark.base()
	s.flight = slices.DeleteFunc(s.flight, func(f flight) bool {
		return f.last <= s.mark.stored() || slices.ContainsFunc(a.Ranges, func(r *tillbookv1.Range) bool {
			return base+r.First <= f.first && f.last <= base+r.Last
		})
	})
	s.since = now
}

// next makes the message that follows in order, or at the head; nil if there is
// none.
func (s *session) next(live bool) (*message, error) {
	captured := s.captured() // before reading: a later claim may cover what is not in the batch, never the other way round
	from, before := s.order.sent+1, s.order.before
	limit, bounded := s.order.hole()
	if live {
		from, before = s.order.head()
		from, bounded = from+1, false
	}
	if first := s.o.Outbox.First(); from < first {
		return s.gap(from, first-1, "no longer kept by the agent")
	}
	records, err := s.o.Outbox.Read(from, wire.MaxRecords, s.pace.read())
	if err != nil {
		return nil, fmt.Errorf("read number %d: %w", from, err)
	}
	if len(records) > 0 && records[0].Number == from {
		if bounded && records[len(records)-1].Number > limit {
			records = slices.DeleteFunc(records, func(r outbox.Stored) bool { return r.Number > limit })
		}
		return s.batch(records, before, captured)
	}
	for _, g := range s.o.Outbox.Gaps() {
		if g.First <= from && from <= g.Last { // it may go on beyond a span: the collector knows what it has
			return s.gap(from, g.Last, g.Reason)
		}
	}
	if len(records) > 0 {
		return nil, fmt.Errorf("the outbox holds number %d, but neither number %d nor a gap there", records[0].Number, from)
	}
	return nil, nil
}

// batch packs records from the first on, up to where one is missing. before is
// the digest before the first, nil: to be looked up.
func (s *session) batch(records []outbox.Stored, before []byte, captured *tillbookv1.Watermark) (*message, error) {
	first := records[0].Number
	if before == nil {
		var err error
		if before, err = s.mark.digest(first - 1 - s.mark.base()); err != nil {
			return nil, fmt.Errorf("digest of number %d: %w", first-1, err)
		}
	}
	raw := make([][]byte, 0, len(records))
	for _, r := range records {
		if r.Number != first+uint64(len(raw)) { // a gap follows
			break
		}
		raw = append(raw, r.Bytes)
	}
	b := &tillbookv1.Batch{
		Agent: s.o.Agent, Epoch: s.mark.epoch.Id, Lane: tillbookv1.Lane_LANE_DOCUMENTS, First: first - s.mark.base(),
		DigestBefore: before, Captured: captured,
	}
	err := s.packer.Pack(b, raw)
	for errors.Is(err, wire.ErrTooLarge) && len(raw) > 1 {
		raw = raw[:len(raw)/2]
		err = s.packer.Pack(b, raw)
	}
	last := records[len(raw)-1]
	if errors.Is(err, wire.ErrTooLarge) {
		s.o.Logger.Error("uplink: a record is too large to be sent", "number", first, "bytes", len(raw[0]))
		return s.lost(first, first, fmt.Sprintf("a record of %d bytes is too large to be sent", len(raw[0])), last.Digest[:]), nil
	}
	if err != nil {
		return nil, err
	}
	b.DigestAfter = last.Digest[:]
	return &message{
		up:    &tillbookv1.Up{Message: &tillbookv1.Up_Batch{Batch: b}},
		first: first, last: last.Number, digest: last.Digest[:], bytes: int(b.RawBytes),
	}, nil
}

// gap declares numbers that the outbox no longer has.
func (s *session) gap(first, last uint64, reason string) (*message, error) {
	digest, known, err := s.o.Outbox.Digest(last)
	if err != nil || !known {
		return nil, errors.Join(fmt.Errorf("no digest is known at number %d, where a gap ends", last), err)
	}
	return s.lost(first, last, reason, digest[:]), nil
}

func (s *session) lost(first, last uint64, reason string, digest []byte) *message {
	g := &tillbookv1.Gap{
		Epoch: s.mark.epoch.Id, First: first - s.mark.base(), Last: last - s.mark.base(), Reason: reason, DigestAfter: digest,
	}
	return &message{up: &tillbookv1.Up{Message: &tillbookv1.Up_Gap{Gap: g}}, first: first, last: last, digest: digest}
}
