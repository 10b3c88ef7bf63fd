package intake

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"
)

// maxOffers bounds the new epochs of one session: each has the agent send again.
const maxOffers = 4

// offer is a new epoch that was offered. It is issued when the agent says Hello
// with it.
type offer struct {
	epoch  [16]byte
	reason string
}

// hello judges where an agent says that it stands.
//
// Its numbering forked if the collector has more of the epoch than the agent
// ever numbered, or another digest at a number that both have: the agent's disk
// was restored or cloned, or lost frames. Then nothing is acknowledged and a new
// epoch offered.
func (s *session) hello(ctx context.Context, h *tillbookv1.Hello) error {
	s.live = false
	if h.Protocol < wire.Oldest {
		return &refusal{code: RefusedProtocol, text: fmt.Sprintf("the agent speaks version %d of the protocol, this collector %d to %d", h.Protocol, wire.Oldest, wire.Protocol)}
	}
	s.protocol = min(h.Protocol, wire.Protocol) // a newer agent says whether it can
	if h.Agent != "" && h.Agent != s.id.Agent {
		return &refusal{code: RefusedMessage, text: fmt.Sprintf("agent %q speaks over the connection of agent %q", h.Agent, s.id.Agent)}
	}
	s.version = clip(h.Version[:min(len(h.Version), 64)])
	within, cancel := context.WithTimeout(ctx, s.o.CommitLimit)
	defer cancel()
	incarnation, err := s.o.Store.Incarnation(within)
	if err != nil {
		return s.failed(ctx, "read the incarnation", err)
	}
	s.incarnation = incarnation
	if err := s.seen(ctx); err != nil {
		return err
	}
	s.agreed = point{}
	if h.Epoch == nil {
		return s.offer(ctx, "the agent has no epoch yet")
	}
	at, fork, err := s.place(within, h)
	if err != nil {
		return s.failed(ctx, "read the position", err)
	}
	if fork != "" {
		return s.offer(ctx, fork)
	}
	s.position, s.live, s.forked = at, true, false
	s.claim = Watermark{}
	return s.welcome()
}

// place returns where a Hello's epoch stands, or why its numbering forked.
func (s *session) place(ctx context.Context, h *tillbookv1.Hello) (at Position, fork string, err error) {
	epoch, ok := id16(h.Epoch.Id)
	digest, known := id32(h.Digest)
	seen, saw := id32(h.SeenDigest)
	switch {
	case !ok || h.Next == 0 || h.Next > 1<<62 || h.Stored >= h.Next || h.Seen >= h.Next:
		return at, "", badMessage("a Hello whose numbers do not fit each other")
	case !known && len(h.Digest) > 0 || !saw && len(h.SeenDigest) > 0:
		return at, "", badMessage("a digest that is not 32 bytes long")
	}
	at, err = s.o.Store.Position(ctx, s.id, epoch)
	if errors.Is(err, ErrEpoch) {
		// An epoch that was offered comes into being here. It must be this
		// database that offered it: what lies below it is stored in no other.
		if offeredBy, _ := id16(h.Incarnation); h.Stored > 0 || offeredBy != s.incarnation {
			return at, "the epoch is not known", nil
		}
		at, err = s.issue(ctx, epoch, digest)
	}
	if err != nil {
		return at, "", err
	}
	s.agreed = point{known: known, epoch: epoch, number: h.Stored, digest: digest}
	if h.Next-1 < at.Stored {
		return at, fmt.Sprintf("the agent is at number %d, %d are stored", h.Next-1, at.Stored), nil
	}
	for _, r := range at.Ranges {
		if h.Next-1 < r.Last {
			return at, fmt.Sprintf("the agent is at number %d, %d is stored", h.Next-1, r.Last), nil
		}
	}
	for _, p := range []point{s.agreed, {known: saw, epoch: epoch, number: h.Seen, digest: seen}} {
		same, known, err := s.same(ctx, p)
		if err != nil {
			return at, "", err
		}
		if known && !same {
			return at, fmt.Sprintf("the digest at number %d is not the one that is stored", p.number), nil
		}
	}
	return at, "", nil
}

// issue brings an offered epoch into being.
func (s *session) issue(ctx context.Context, epoch [16]byte, start [32]byte) (Position, error) {
	reason := "offered in an earlier session"
	if epoch == s.offered.epoch {
		reason = s.offered.reason
	}
	issued, err := s.o.Store.Issue(ctx, s.id, epoch, start, clip(reason), time.Now().UTC())
	if err != nil {
		return Position{}, fmt.Errorf("issue an epoch: %w", err)
	}
	s.log.Info("epoch issued", "order", issued.Order, "reason", reason)
	return s.o.Store.Position(ctx, s.id, epoch)
}

// same compares a digest with the stored one.
func (s *session) same(ctx context.Context, p point) (same, known bool, err error) {
	if !p.known {
		return false, false, nil
	}
	digest, known, err := s.o.Store.DigestAt(ctx, s.id, p.epoch, p.number)
	if err != nil {
		return false, false, fmt.Errorf("read the digest at number %d: %w", p.number, err)
	}
	return known && digest == p.digest, known, nil
}

// offer offers the agent a new epoch, from the last point of agreement on.
func (s *session) offer(ctx context.Context, reason string) error {
	if s.offers++; s.offers > maxOffers {
		return &refusal{code: RefusedForking, text: "the numbering forked again and again: is this agent running twice? Last: " + reason,
			retry: true, after: 30 * time.Second}
	}
	within, cancel := context.WithTimeout(ctx, s.o.CommitLimit)
	defer cancel()
	var agreed uint64
	same, _, err := s.same(within, s.agreed)
	switch {
	case err == nil && same:
		agreed = s.agreed.number
	case err != nil && !errors.Is(err, ErrEpoch):
		return s.failed(ctx, "read the last point of agreement", err)
	}
	s.live, s.forked = false, true
	s.offered.reason = reason
	_, _ = rand.Read(s.offered.epoch[:]) // never fails
	s.forks.Add(1)
	s.log.Info("new epoch offered", "reason", reason, "agreed", agreed)
	err = s.stream.Send(&tillbookv1.Down{Message: &tillbookv1.Down_NewEpoch{NewEpoch: &tillbookv1.NewEpoch{
		Epoch: &tillbookv1.Epoch{Id: s.offered.epoch[:]}, Agreed: agreed, Reason: clip(reason), Incarnation: s.incarnation[:],
	}}})
	if err != nil {
		return fmt.Errorf("send new epoch: %w", err)
	}
	return nil
}

// welcome tells the agent where to go on.
func (s *session) welcome() error {
	p := s.position
	err := s.stream.Send(&tillbookv1.Down{Message: &tillbookv1.Down_Welcome{Welcome: &tillbookv1.Welcome{
		Protocol: s.protocol, Version: s.o.Version, Incarnation: s.incarnation[:], Epoch: p.Epoch.ID[:],
		Stored: p.Stored, Digest: p.Digest[:], Ranges: ranges(p.Ranges), Safe: p.Safe, Credits: s.credits(),
		ClockUs: time.Now().UnixMicro(), MaxBatchBytes: wire.MaxBatchBytes,
	}}})
	if err != nil {
		return fmt.Errorf("send welcome: %w", err)
	}
	return nil
}
