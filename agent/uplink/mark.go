package uplink

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/agent/outbox"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
)

// Keys of the outbox's state.
const (
	epochKey = "epoch" // tillbookv1.Epoch
	ackKey   = "ack"   // tillbookv1.Ack: incarnation, epoch, stored, digest, safe
)

// mark is how far the collector has stored what the agent numbered. It is
// durable as the outbox's state; the acknowledgement may lag there, which only
// makes the agent ask again.
type mark struct {
	outbox Outbox
	epoch  *tillbookv1.Epoch // nil before the first
	ack    *tillbookv1.Ack   // of epoch
	dirty  bool              // ack is newer than what is durable
	claim  *claim            // to be stated with the next Hello
}

// claim is the agent's digest at a wire number where the collector's is another.
type claim struct {
	number uint64
	digest []byte
}

func loadMark(o Outbox) (*mark, error) {
	m := &mark{outbox: o, ack: &tillbookv1.Ack{}}
	if text, ok := o.State(epochKey); ok {
		m.epoch = &tillbookv1.Epoch{}
		if err := proto.Unmarshal(text, m.epoch); err != nil || len(m.epoch.Id) != 16 {
			return nil, fmt.Errorf("read the epoch kept in the outbox: %w", errors.Join(err, fmt.Errorf("%d bytes of id", len(m.epoch.Id))))
		}
	}
	if text, ok := o.State(ackKey); ok {
		var ack tillbookv1.Ack
		if err := proto.Unmarshal(text, &ack); err != nil {
			return nil, fmt.Errorf("read the acknowledgement kept in the outbox: %w", err)
		}
		if string(ack.Epoch) == string(m.epoch.GetId()) {
			m.ack = &ack
		}
	}
	return m, nil
}

// save makes the acknowledgement durable.
func (m *mark) save(ctx context.Context) error {
	if !m.dirty {
		return nil
	}
	text, err := proto.Marshal(m.ack)
	if err == nil {
		_, err = m.outbox.Append(ctx, outbox.Group{State: map[string][]byte{ackKey: text}})
	}
	if err != nil {
		return fmt.Errorf("keep the acknowledgement: %w", err)
	}
	m.dirty = false
	return nil
}

func (m *mark) base() uint64 { return m.epoch.GetBase() }

// stored is the log number up to which everything is stored.
func (m *mark) stored() uint64 { return m.base() + m.ack.Stored }

func (m *mark) tell(s *Status) {
	s.Stored, s.Base = m.stored(), m.base()
	if m.ack.Safe > 0 {
		s.Safe = m.base() + m.ack.Safe
	}
}

// digest returns the agent's own digest at a wire number, nil where it is not
// known. The one at the mark is known also where the log has lost it.
func (m *mark) digest(number uint64) ([]byte, error) {
	digest, known, err := m.outbox.Digest(m.base() + number)
	switch {
	case err != nil:
		return nil, err
	case known:
		return digest[:], nil
	case number == m.ack.Stored && len(m.ack.Digest) == 32:
		return m.ack.Digest, nil
	}
	return nil, nil
}

// move sets the acknowledgement. The safe mark never passes stored.
func (m *mark) move(incarnation []byte, stored uint64, digest []byte, safe uint64) {
	m.ack = &tillbookv1.Ack{Incarnation: incarnation, Epoch: m.epoch.Id, Stored: stored, Digest: digest, Safe: min(safe, stored)}
	m.dirty = true
}

// hello says where the agent stands. Of a log that was cut below the mark, or
// below the whole epoch, it claims only what is there.
func (m *mark) hello() (*tillbookv1.Hello, error) {
	next := m.outbox.Next()
	if m.epoch == nil || next <= m.base() {
		return &tillbookv1.Hello{Incarnation: m.ack.Incarnation, Next: next, First: m.outbox.First()}, nil
	}
	if last := next - 1 - m.base(); m.ack.Stored > last {
		m.move(m.ack.Incarnation, last, nil, m.ack.Safe)
	}
	digest, err := m.digest(m.ack.Stored)
	h := &tillbookv1.Hello{
		Epoch: m.epoch, Incarnation: m.ack.Incarnation, Next: next - m.base(), Stored: m.ack.Stored, Digest: digest,
		Safe: m.ack.Safe, First: max(m.outbox.First(), m.base()+1) - m.base(),
	}
	if m.claim != nil && m.claim.number < h.Next {
		h.Seen, h.SeenDigest = m.claim.number, m.claim.digest
	}
	return h, err
}

// adopt takes a new epoch, durably. Nothing above what both sides agree on
// counts as stored any more.
func (m *mark) adopt(ctx context.Context, n *tillbookv1.NewEpoch) error {
	if len(n.GetEpoch().GetId()) != 16 {
		return errors.New("new epoch: no id of 16 bytes")
	}
	base := m.rebase(n)
	epoch := &tillbookv1.Epoch{Id: n.Epoch.Id, Order: n.Epoch.Order, Base: base}
	ack := &tillbookv1.Ack{Incarnation: n.Incarnation, Epoch: epoch.Id}
	if base == m.stored() {
		ack.Digest = m.ack.Digest
	}
	if digest, known, err := m.outbox.Digest(base); err != nil {
		return fmt.Errorf("new epoch: %w", err)
	} else if known {
		ack.Digest = digest[:]
	}
	epochText, err := proto.Marshal(epoch)
	ackText, err2 := proto.Marshal(ack)
	if err = errors.Join(err, err2); err == nil {
		_, err = m.outbox.Append(ctx, outbox.Group{State: map[string][]byte{epochKey: epochText, ackKey: ackText}})
	}
	if err != nil {
		return fmt.Errorf("keep the new epoch: %w", err)
	}
	m.epoch, m.ack, m.dirty, m.claim = epoch, ack, false, nil
	return nil
}

// rebase returns the log number before the new epoch's first record. It is never
// above the mark, so that nothing that is not known to be stored is left out:
// what lies above it and is lost becomes a gap.
//
// Without a point of agreement everything that is kept is sent again. Where the
// database was restored too, and does not know the old epoch, what was sent in
// that epoch and is no longer kept becomes a gap.
func (m *mark) rebase(n *tillbookv1.NewEpoch) uint64 {
	last := m.outbox.Next() - 1
	if n.Agreed > 0 {
		return min(m.base()+min(n.Agreed, m.ack.Stored), last)
	}
	kept := m.outbox.First() - 1
	if m.epoch != nil && string(n.Incarnation) != string(m.ack.Incarnation) {
		return min(kept, m.base(), last)
	}
	return min(kept, m.stored(), last)
}
