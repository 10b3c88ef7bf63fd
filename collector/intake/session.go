package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"tillbook.example/tillbook/collector/fleet"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
)

// seenEvery is how often an agent that speaks is noted as seen.
const seenEvery = 15 * time.Second

// session is one agent's session. While one batch is being committed the next
// is taken apart by receive; no more than these two, and one that waits for its
// turn, are in memory. Commits and their acknowledgements are in order.
type session struct {
	*Service
	id     fleet.Identity
	stream Stream
	log    *slog.Logger

	version     string
	protocol    uint32 // of the session
	incarnation [16]byte
	live        bool // welcomed: batches are taken
	forked      bool // a new epoch was offered: what is still on its way belongs to the old one
	offers      int  // of new epochs
	offered     offer
	position    Position
	agreed      point // the last point that agent and collector both have
	coveredTo   time.Time
	claim       Watermark // the newest that was made

	bucket   *rate.Limiter // of the agent
	replaced chan struct{} // holds a token when a newer session has taken its place

	recheck                 chan struct{} // holds a token when the agent is to be looked up again
	checked, seenAt, beaten time.Time
	told                    time.Time // of the store's days
}

// point is a number of an epoch with its digest.
type point struct {
	known  bool
	epoch  [16]byte
	number uint64
	digest [32]byte
}

// received is one message, a batch taken apart.
type received struct {
	up    *tillbookv1.Up
	batch *Batch // with a slot held
	err   error
}

func (s *session) run(ctx context.Context) error {
	in := make(chan received)
	go s.receive(ctx, in)
	tick := time.NewTicker(s.o.Beat)
	defer tick.Stop()
	heard := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-in:
			if err := s.handle(ctx, r); err != nil {
				return err
			}
			heard = time.Now()
		case <-s.leave:
			return draining()
		case <-s.replaced:
			return &refusal{code: RefusedReplaced, text: "the agent has begun more sessions than it may have at once", retry: true, after: 30 * time.Second}
		case <-s.recheck:
			if err := s.check(ctx); err != nil {
				return err
			}
		case now := <-tick.C:
			if now.Sub(heard) > s.o.Dead {
				return fmt.Errorf("nothing heard for %s", now.Sub(heard).Round(time.Second))
			}
			if now.Sub(s.checked) >= s.o.Check {
				if err := s.check(ctx); err != nil {
					return err
				}
			}
			beat := &tillbookv1.Heartbeat{ClockUs: now.UnixMicro(), Version: s.o.Version, Days: s.days(ctx, now)}
			if err := s.stream.Send(&tillbookv1.Down{Message: &tillbookv1.Down_Heartbeat{Heartbeat: beat}}); err != nil {
				return fmt.Errorf("send heartbeat: %w", err)
			}
		}
	}
}

// receive hands over what comes in, until the stream or the session ends.
func (s *session) receive(ctx context.Context, in chan<- received) {
	for {
		var r received
		r.up, r.err = s.stream.Recv()
		if r.err == nil && !s.bucket.Allow() {
			r.err = tooFast()
		}
		if b := r.up.GetBatch(); r.err == nil && b != nil {
			select {
			case s.slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			if r.batch, r.err = s.takeApart(ctx, b); r.err != nil {
				<-s.slots
			}
		}
		select {
		case in <- r:
		case <-ctx.Done():
			if r.batch != nil {
				<-s.slots
			}
			return
		}
		if r.err != nil {
			return
		}
	}
}

// takeApart checks a batch and reads its records.
func (s *session) takeApart(ctx context.Context, sent *tillbookv1.Batch) (*Batch, error) {
	if sent.Agent != "" && sent.Agent != s.id.Agent {
		return nil, &refusal{code: RefusedMessage, text: fmt.Sprintf("batch of agent %q over the connection of agent %q", sent.Agent, s.id.Agent)}
	}
	epoch, ok := id16(sent.Epoch)
	if !ok {
		return nil, badMessage("a batch without an epoch")
	}
	whole, err := s.unpacker.Unpack(sent)
	if err != nil {
		return nil, &refusal{code: RefusedBatch, text: err.Error(), retry: true, cause: err}
	}
	now := time.Now().UTC()
	b := &Batch{
		From: s.id, Epoch: epoch, First: sent.First, Before: whole.Before, Digests: whole.Digests,
		Records: make([]Record, len(whole.Records)), Captured: watermark(sent.Captured, now), At: now,
	}
	for i, raw := range whole.Records {
		if b.Records[i], err = s.read(ctx, s.id, raw); err != nil {
			return nil, busy(fmt.Sprintf("record %d cannot be read now", sent.First+uint64(i)), err)
		}
	}
	return b, nil
}

// watermark reads a claim. A clock that is ahead does not cover the future.
func watermark(w *tillbookv1.Watermark, now time.Time) Watermark {
	if w.GetTimeUs() <= 0 {
		return Watermark{}
	}
	at := time.UnixMicro(w.TimeUs).UTC()
	if at.After(now) {
		at = now
	}
	return Watermark{Time: at, Number: w.Number}
}

func (s *session) handle(ctx context.Context, r received) error {
	if r.err != nil {
		return r.err
	}
	switch message := r.up.Message.(type) {
	case *tillbookv1.Up_Hello:
		return s.hello(ctx, message.Hello)
	case *tillbookv1.Up_Batch:
		if pass, err := s.taking(r.batch.Epoch); !pass {
			<-s.slots
			return err
		}
		return s.commit(ctx, *r.batch)
	case *tillbookv1.Up_Gap:
		epoch, _ := id16(message.Gap.GetEpoch())
		if pass, err := s.taking(epoch); !pass {
			return err
		}
		return s.gap(ctx, message.Gap)
	case *tillbookv1.Up_Heartbeat:
		return s.heartbeat(ctx, message.Heartbeat)
	}
	return badMessage("a message of a kind that is not known here")
}

// taking says whether a batch or gap of an epoch is taken, dropped (nil) or an
// error.
func (s *session) taking(epoch [16]byte) (bool, error) {
	switch {
	case s.forked:
		return false, nil
	case !s.live:
		return false, badMessage("Hello must come first")
	case epoch != s.position.Epoch.ID:
		return false, badMessage("a batch of another epoch than Hello's")
	}
	return true, nil
}

// commit stores a batch, gives its slot back, and acknowledges it.
func (s *session) commit(ctx context.Context, b Batch) error {
	within, cancel := context.WithTimeout(ctx, s.o.CommitLimit)
	defer cancel()
	outcome, err := s.o.Store.Commit(within, b)
	<-s.slots // an agent that takes no answers keeps nobody else waiting
	if err != nil {
		return s.failed(ctx, fmt.Sprintf("commit numbers %d to %d", b.First, b.Last()), err)
	}
	s.position = outcome.Position
	if n := outcome.Position.Stored; n >= b.First && n <= b.Last() {
		s.agreed = point{known: true, epoch: b.Epoch, number: n, digest: b.Digests[n-b.First]}
	}
	s.claimed(b.Captured)
	ack := s.ack()
	for i, r := range b.Records {
		if r.Document == nil {
			ack.Rejected = append(ack.Rejected, &tillbookv1.Rejected{Number: b.First + uint64(i), Code: r.Code, Text: r.Text})
		}
	}
	s.batches.Add(1)
	s.records.Add(uint64(len(b.Records)))
	s.rejected.Add(uint64(len(ack.Rejected)))
	if len(ack.Rejected) > 0 {
		first := ack.Rejected[0]
		s.log.Warn("records kept raw", "count", len(ack.Rejected), "first", first.Number, "code", first.Code, "text", first.Text)
	}
	if err := s.stream.Send(&tillbookv1.Down{Message: &tillbookv1.Down_Ack{Ack: ack}}); err != nil {
		return fmt.Errorf("send ack: %w", err)
	}
	return s.seen(ctx)
}

// gap stores that numbers are lost and acknowledges that.
func (s *session) gap(ctx context.Context, g *tillbookv1.Gap) error {
	after, ok := id32(g.DigestAfter)
	if !ok || g.First == 0 || g.Last < g.First || g.Last > 1<<62 {
		return badMessage("a gap without a range or digest")
	}
	within, cancel := context.WithTimeout(ctx, s.o.CommitLimit)
	defer cancel()
	lost := Range{First: g.First, Last: g.Last}
	position, err := s.o.Store.DeclareGap(within, s.id, s.position.Epoch.ID, lost, after, clip(g.Reason), time.Now().UTC())
	if err != nil {
		return s.failed(ctx, fmt.Sprintf("declare gap %d to %d", g.First, g.Last), err)
	}
	s.log.Warn("records are lost", "first", g.First, "last", g.Last, "reason", clip(g.Reason))
	s.position = position
	if position.Stored == g.Last {
		s.agreed = point{known: true, epoch: position.Epoch.ID, number: g.Last, digest: after}
	}
	s.claimed(Watermark{})
	if err := s.stream.Send(&tillbookv1.Down{Message: &tillbookv1.Down_Ack{Ack: s.ack()}}); err != nil {
		return fmt.Errorf("send ack: %w", err)
	}
	return s.seen(ctx)
}

func (s *session) ack() *tillbookv1.Ack {
	p := s.position
	return &tillbookv1.Ack{
		Incarnation: s.incarnation[:], Epoch: p.Epoch.ID[:], Stored: p.Stored, Digest: p.Digest[:],
		Ranges: ranges(p.Ranges), Safe: p.Safe, Credits: s.credits(),
	}
}

// credits is how many batches the agent may have unacknowledged: fewer where
// many agents send at once, and the slots for batches run out.
func (s *session) credits() uint32 {
	free := cap(s.slots) - len(s.slots)
	return max(1, min(s.o.Credits, uint32(2*free*int(s.o.Credits)/cap(s.slots))))
}

// maxRanges bounds what is told of ranges; the agent sends again what it is not
// told.
const maxRanges = 64

func ranges(stored []Range) []*tillbookv1.Range {
	told := make([]*tillbookv1.Range, 0, min(len(stored), maxRanges))
	for _, r := range stored[:min(len(stored), maxRanges)] {
		told = append(told, &tillbookv1.Range{First: r.First, Last: r.Last})
	}
	return told
}

// failed turns an error of the store into what the agent is told.
func (s *session) failed(ctx context.Context, what string, err error) error {
	var told *refusal
	switch {
	case errors.As(err, &told):
		return err
	case errors.Is(err, ErrFork), errors.Is(err, ErrEpoch):
		return s.offer(ctx, err.Error())
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return busy("nothing was stored; "+what+" again later", err)
}

// heartbeat notes what an agent says of itself. More often than makes sense is
// only a sign of life.
func (s *session) heartbeat(ctx context.Context, h *tillbookv1.Heartbeat) error {
	now := time.Now().UTC()
	if !s.live || now.Sub(s.beaten) < s.o.Beat/4 {
		return nil
	}
	s.beaten = now
	within, cancel := context.WithTimeout(ctx, s.o.CommitLimit)
	defer cancel()
	if w := watermark(h.Captured, now); !w.Time.IsZero() {
		if err := s.o.Store.Covered(within, s.id, s.position.Epoch.ID, w, now); err != nil {
			return s.failed(ctx, "note the watermark", err)
		}
		s.claimed(w)
	}
	beat := fleet.Beat{Unsent: h.Unsent, Refused: h.Refused, Quarantined: h.Quarantined, CoveredTo: s.coveredTo}
	if h.ClockUs > 0 {
		beat.Skew = time.UnixMicro(h.ClockUs).Sub(now)
	}
	if len(h.Snapshot) <= fleet.MaxSnapshot {
		beat.Snapshot = h.Snapshot
	}
	if h.OldestUnsentUs > 0 {
		beat.OldestUnsent = time.UnixMicro(h.OldestUnsentUs).UTC()
	}
	if slices.Contains([]string{"ok", "degraded", "failed", "upgrading", "paused"}, h.Work) {
		beat.Work = h.Work
	}
	if err := s.o.Presence.Beat(within, s.id, beat, now); err != nil {
		return s.failed(ctx, "note the heartbeat", err)
	}
	return nil
}

// days is what the agent is told of its store's days now, nil where it is not
// time or they cannot be read: people can wait.
func (s *session) days(ctx context.Context, now time.Time) []*tillbookv1.DayState {
	if s.o.Days == nil || !s.live || now.Sub(s.told) < s.o.Check {
		return nil
	}
	s.told = now
	within, cancel := context.WithTimeout(ctx, s.o.CommitLimit)
	defer cancel()
	days, err := s.o.Days(within, s.id)
	if err != nil {
		s.log.Info("the agent is not told of its days", "error", err)
		return nil
	}
	told := make([]*tillbookv1.DayState, 0, len(days))
	for _, d := range days {
		told = append(told, &tillbookv1.DayState{Day: string(d.Day), State: d.State, Hold: d.Hold, Due: d.Due})
	}
	return told
}

// claimed keeps the newest watermark claim, and since when all it covers is
// stored.
func (s *session) claimed(w Watermark) {
	if w.Time.After(s.claim.Time) {
		s.claim = w
	}
	if s.claim.Number <= s.position.Stored && s.claim.Time.After(s.coveredTo) {
		s.coveredTo = s.claim.Time
	}
}

// seen notes now and then that the agent speaks.
func (s *session) seen(ctx context.Context) error {
	now := time.Now().UTC()
	if now.Sub(s.seenAt) < seenEvery {
		return nil
	}
	s.seenAt = now
	within, cancel := context.WithTimeout(ctx, s.o.CommitLimit)
	defer cancel()
	if err := s.o.Presence.Seen(within, s.id, s.version, now); err != nil {
		return s.failed(ctx, "note the agent's presence", err)
	}
	return nil
}

func id16(b []byte) (id [16]byte, ok bool) {
	copy(id[:], b)
	return id, len(b) == len(id)
}

func id32(b []byte) (digest [32]byte, ok bool) {
	copy(digest[:], b)
	return digest, len(b) == len(digest)
}
