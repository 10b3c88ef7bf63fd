package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"tillbook.example/tillbook/collector/fleet"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/wire"
)

// Stream is one agent's connection, whatever carries it. Send and Recv are
// called by one goroutine each. Recv must return once the stream has ended.
type Stream interface {
	Send(*tillbookv1.Down) error
	Recv() (*tillbookv1.Up, error)
}

// Presence is what intake tells of an agent; fleet.Store is one.
type Presence interface {
	Seen(ctx context.Context, id fleet.Identity, version string, at time.Time) error
	Beat(ctx context.Context, id fleet.Identity, b fleet.Beat, at time.Time) error
}

// Options are what a Service needs. Zero limits and intervals take the default.
type Options struct {
	Store    Store
	Presence Presence
	// Day derives a document's business day. An error that wraps ErrNoDay rejects
	// the record; any other means try again later.
	Day func(ctx context.Context, id fleet.Identity, d *document.Document) (bizday.Day, error)
	// Tie derives what ties a document, whose day by itself is own, to its period
	// close. Optional: without it a document is of its own day.
	Tie func(ctx context.Context, id fleet.Identity, d *document.Document, own bizday.Day) (Tie, error)
	// Allowed says whether an agent may speak. fleet.ErrRevoked and
	// fleet.ErrUnknown refuse it; any other error means try again later.
	Allowed func(ctx context.Context, id fleet.Identity) error
	// Days returns an agent's store's last days, the newest first, for its people
	// to see. Optional.
	Days    func(ctx context.Context, id fleet.Identity) ([]DayState, error)
	Logger  *slog.Logger
	Version string // of the collector

	MaxSessions int           // default 10,000
	MaxMerchant int           // sessions of one merchant; default 5,000
	MaxAgent    int           // sessions of one agent, of which a new one ends the oldest; default 4
	Rate        int           // messages a second of one agent, in all its sessions; default 200
	MaxBatches  int           // taken apart or being committed at once, in all sessions; default 64
	Credits     uint32        // batches an agent may have unacknowledged; default 8
	Beat        time.Duration // between heartbeats; default 20 s
	Dead        time.Duration // silence after which a session ends; default 60 s
	Check       time.Duration // between looks at Allowed, the incarnation and Days; default 1 min
	SendLimit   time.Duration // how long an agent may take for the last answers of a session; default 20 s
	CommitLimit time.Duration // of one commit; default 30 s, below the agent's patience
}

// Stats counts since start.
type Stats struct {
	Sessions int64             // now
	Batches  uint64            // committed
	Records  uint64            // in them
	Rejected uint64            // of those
	Forks    uint64            // new epochs offered, first ones too
	Refusals map[string]uint64 // by code, each of Codes
}

// Service takes in what agents send, over any carrier.
type Service struct {
	o        Options
	unpacker *wire.Unpacker
	slots    chan struct{} // one for each batch in memory

	mu        sync.Mutex
	live      map[fleet.Identity][]*session // the oldest first; without those that were replaced
	merchants map[string]int                // sessions by merchant
	in        int                           // sessions
	buckets   map[fleet.Identity]*rate.Limiter
	draining  bool
	leave     chan struct{} // closed where sessions are to end
	empty     chan struct{} // closed where they have

	sessions                          atomic.Int64
	batches, records, rejected, forks atomic.Uint64
	refusals                          refusals
}

// NewService returns a Service.
func NewService(o Options) (*Service, error) {
	if o.Store == nil || o.Presence == nil || o.Day == nil || o.Allowed == nil || o.Logger == nil {
		return nil, errors.New("start intake: store, presence, day, allowed and logger are needed")
	}
	fill(&o.MaxSessions, 10_000)
	fill(&o.MaxMerchant, 5_000)
	fill(&o.MaxAgent, 4)
	fill(&o.Rate, 200)
	fill(&o.MaxBatches, 64)
	fill(&o.Credits, 8)
	fill(&o.Beat, 20*time.Second)
	fill(&o.Dead, time.Minute)
	fill(&o.Check, time.Minute)
	fill(&o.SendLimit, 20*time.Second)
	fill(&o.CommitLimit, 30*time.Second)
	unpacker, err := wire.NewUnpacker(runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, fmt.Errorf("start intake: %w", err)
	}
	return &Service{
		o: o, unpacker: unpacker, slots: make(chan struct{}, o.MaxBatches),
		live: map[fleet.Identity][]*session{}, merchants: map[string]int{}, buckets: map[fleet.Identity]*rate.Limiter{},
		leave: make(chan struct{}), empty: make(chan struct{}), refusals: newRefusals(),
	}, nil
}

func fill[T int | uint32 | time.Duration](value *T, standard T) {
	if *value <= 0 {
		*value = standard
	}
}

// Stats returns the counters.
func (s *Service) Stats() Stats {
	return Stats{
		Sessions: s.sessions.Load(), Batches: s.batches.Load(), Records: s.records.Load(), Rejected: s.rejected.Load(),
		Forks: s.forks.Load(), Refusals: s.refusals.stats(),
	}
}

// refusal is an error that the agent is told before the stream is closed.
type refusal struct {
	code  string
	text  string
	retry bool
	after time.Duration
	cause error // not told
}

func (r *refusal) Error() string {
	if r.cause != nil {
		return fmt.Sprintf("refused (%s): %s: %v", r.code, r.text, r.cause)
	}
	return fmt.Sprintf("refused (%s): %s", r.code, r.text)
}

func (r *refusal) Unwrap() error { return r.cause }

// Codes of refusals.
const (
	RefusedRevoked  = "revoked"     // the agent may not speak
	RefusedProtocol = "protocol"    // no common version of the envelope
	RefusedMessage  = "bad_message" // a message that no agent sends, or at the wrong time
	RefusedBatch    = "bad_batch"   // a batch that is damaged or beyond the limits
	RefusedBusy     = "busy"        // nothing was stored: try again
	RefusedFull     = "full"        // as many sessions as there may be
	RefusedTooFast  = "too_fast"    // more messages than an agent may send
	RefusedReplaced = "replaced"    // the agent has begun more sessions than it may have at once
	// RefusedMerchantFull: as many sessions as one merchant may have.
	RefusedMerchantFull = "merchant_full"
	RefusedForking      = "forking"  // the numbering forked too often in one session
	RefusedRestored     = "restored" // the database is another: say Hello again
	RefusedDraining     = "draining" // this collector is being stopped: say Hello again, to another
)

// Codes returns the code of every refusal there is.
func Codes() []string {
	return []string{
		RefusedRevoked, RefusedProtocol, RefusedMessage, RefusedBatch, RefusedBusy, RefusedFull, RefusedTooFast, RefusedReplaced,
		RefusedMerchantFull, RefusedForking, RefusedRestored, RefusedDraining,
	}
}

func busy(what string, err error) *refusal {
	return &refusal{code: RefusedBusy, text: what, retry: true, cause: err}
}

func badMessage(text string) *refusal {
	return &refusal{code: RefusedMessage, text: text, retry: true, after: 30 * time.Second}
}

// Serve runs the session of an agent until its stream or ctx ends, and returns
// why it ended: nil where the agent closed it or ctx ended. The agent was told
// and the reason logged. id is from the agent's certificate alone.
//
// The stream's Recv may still be waiting when Serve returns, and Send where the
// agent takes no answers; the carrier ends the stream then.
func (s *Service) Serve(ctx context.Context, id fleet.Identity, stream Stream) error {
	sender := newSender(stream, s.o.Credits, s.o.SendLimit)
	defer sender.close()
	return s.serve(ctx, id, sender)
}

func (s *Service) serve(ctx context.Context, id fleet.Identity, stream *sender) error {
	log := s.o.Logger.With("merchant", id.Merchant, "store", id.Store, "agent", id.Agent)
	defer s.sessions.Add(-1)
	if n := s.sessions.Add(1); n > int64(s.o.MaxSessions) {
		return s.end(log, stream, &refusal{code: RefusedFull, text: "the collector has no room for another session", retry: true, after: 5 * time.Second})
	}
	session := &session{Service: s, id: id, stream: stream, log: log, recheck: make(chan struct{}, 1), replaced: make(chan struct{}, 1)}
	leave, err := s.enter(session) // before the first look, so that no revocation falls between
	if err != nil {
		return s.end(log, stream, err)
	}
	defer leave()
	defer stream.close() // nobody has left who was not told
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // first of these: what came in and was not taken gives its slot back
	if err := session.allowed(ctx); err != nil {
		return s.end(log, stream, err)
	}
	err = session.run(ctx)
	if err == nil || errors.Is(err, io.EOF) || ctx.Err() != nil {
		return nil
	}
	return s.end(log, stream, err)
}

// Drain lets no session in any more, and has each that there is end once what it
// is at is committed and acknowledged. Their agents are told to come back, not all
// at the same moment. It returns when none is left, or why that was not waited for.
// It may be called once.
func (s *Service) Drain(ctx context.Context) error {
	s.mu.Lock()
	s.draining = true
	if s.in == 0 {
		close(s.empty)
	}
	s.mu.Unlock()
	close(s.leave)
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("let agents go: %w", ctx.Err())
	}
}

// comeBack is within which time the agents of a collector that is being stopped
// come back. It spreads them, and lets another collector take its place.
const comeBack = 5 * time.Second

func draining() *refusal {
	return &refusal{code: RefusedDraining, text: "this collector is being stopped", retry: true, after: rand.N(comeBack)}
}

// Recheck has the sessions of an agent ask Allowed at once instead of at their
// next check. It does not wait for them.
func (s *Service) Recheck(id fleet.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, session := range s.live[id] {
		select {
		case session.recheck <- struct{}{}:
		default: // it is told already
		}
	}
}

// Refuse tells who speaks on a stream that no session is begun, and counts it. It
// is for carriers, where they know before a session begins.
func (s *Service) Refuse(stream Stream, code, text string, retry bool) error {
	return s.refuse(stream, &refusal{code: code, text: text, retry: retry})
}

// refuse tells and counts a refusal.
func (s *Service) refuse(stream Stream, r *refusal) error {
	s.refusals[r.code].Add(1)
	return stream.Send(&tillbookv1.Down{Message: &tillbookv1.Down_Refusal{Refusal: &tillbookv1.Refusal{
		Code: r.code, Text: clip(r.text), Retry: r.retry, AfterMs: r.after.Milliseconds(),
	}}})
}

// end tells the agent why its session ends, if the stream still lets it.
func (s *Service) end(log *slog.Logger, stream Stream, err error) error {
	var told *refusal
	if errors.As(err, &told) && !errors.Is(err, errDeaf) {
		err = errors.Join(err, s.refuse(stream, told))
	}
	log.Warn("agent session ended", "reason", err)
	return err
}

// allowed asks whether the agent may speak.
func (s *session) allowed(ctx context.Context) error {
	s.checked = time.Now()
	err := s.o.Allowed(ctx, s.id)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fleet.ErrRevoked), errors.Is(err, fleet.ErrUnknown):
		return &refusal{code: RefusedRevoked, text: "this agent may no longer speak; enrol it again", cause: err}
	}
	if errors.Is(err, fleet.ErrDoubted) {
		return busy(fleet.ErrDoubted.Error(), err)
	}
	return busy("whether this agent may speak could not be looked up", err)
}

// check looks whether the session may go on: the agent may still speak, and the
// database was not restored under it, so that what was acknowledged still holds.
func (s *session) check(ctx context.Context) error {
	if err := s.allowed(ctx); err != nil || !s.live {
		return err
	}
	incarnation, err := s.o.Store.Incarnation(ctx)
	if err != nil {
		return s.failed(ctx, "read the incarnation", err)
	}
	if incarnation != s.incarnation {
		return &refusal{code: RefusedRestored, text: "the collector's database was restored", retry: true}
	}
	return nil
}
