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
	MaxBatches  int           // taken apart or being committed at once, in all sessions; default 64
	Credits     uint32        // batches an agent may have unacknowledged; default 8
	Beat        time.Duration // between heartbeats; default 20 s
	Dead        time.Duration // silence after which a session ends; default 60 s
	Check       time.Duration // between looks at Allowed, the incarnation and Days; default 1 min
	CommitLimit time.Duration // of one commit; default 30 s, below the agent's patience
}

// Stats counts since start.
type Stats struct {
	Sessions   int64  // now
	Batches    uint64 // committed
	Records    uint64 // in them
	Rejected   uint64 // of those
	Forks      uint64 // new epochs offered, first ones too
	Refusals   uint64
	BadBatches uint64
}

// Service takes in what agents send, over any carrier.
type Service struct {
	o        Options
	unpacker *wire.Unpacker
	slots    chan struct{} // one for each batch in memory

	mu       sync.Mutex
	live     map[fleet.Identity]map[*session]bool
	draining bool
	leave    chan struct{} // closed where sessions are to end
	left     chan struct{} // closed where they have

	sessions                                         atomic.Int64
	batches, records, rejected, forks, refusals, bad atomic.Uint64
}

// NewService returns a Service.
func NewService(o Options) (*Service, error) {
	if o.Store == nil || o.Presence == nil || o.Day == nil || o.Allowed == nil || o.Logger == nil {
		return nil, errors.New("start intake: store, presence, day, allowed and logger are needed")
	}
	fill(&o.MaxSessions, 10_000)
	fill(&o.MaxBatches, 64)
	fill(&o.Credits, 8)
	fill(&o.Beat, 20*time.Second)
	fill(&o.Dead, time.Minute)
	fill(&o.Check, time.Minute)
	fill(&o.CommitLimit, 30*time.Second)
	unpacker, err := wire.NewUnpacker(runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, fmt.Errorf("start intake: %w", err)
	}
	return &Service{o: o, unpacker: unpacker, slots: make(chan struct{}, o.MaxBatches), live: map[fleet.Identity]map[*session]bool{},
		leave: make(chan struct{}), left: make(chan struct{})}, nil
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
		Forks: s.forks.Load(), Refusals: s.refusals.Load(), BadBatches: s.bad.Load(),
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
	RefusedForking  = "forking"     // the numbering forked too often in one session
	RefusedRestored = "restored"    // the database is another: say Hello again
	RefusedDraining = "draining"    // this collector is being stopped: say Hello again, to another
)

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
// The stream's Recv may still be waiting when Serve returns; the carrier ends
// the stream then.
func (s *Service) Serve(ctx context.Context, id fleet.Identity, stream Stream) error {
	log := s.o.Logger.With("merchant", id.Merchant, "store", id.Store, "agent", id.Agent)
	defer s.sessions.Add(-1)
	if n := s.sessions.Add(1); n > int64(s.o.MaxSessions) {
		return s.end(log, stream, &refusal{code: RefusedFull, text: "the collector has no room for another session", retry: true, after: 5 * time.Second})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	session := &session{Service: s, id: id, stream: stream, log: log, recheck: make(chan struct{}, 1)}
	leave, ok := s.enter(session) // before the first look, so that no revocation falls between
	if !ok {
		return s.end(log, stream, draining())
	}
	defer leave()
	if err := session.allowed(ctx); err != nil {
		return s.end(log, stream, err)
	}
	err := session.run(ctx)
	if err == nil || errors.Is(err, io.EOF) || ctx.Err() != nil {
		return nil
	}
	return s.end(log, stream, err)
}

// enter lists a session, unless none is let in any more, and returns what takes it
// off the list.
func (s *Service) enter(entered *session) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return nil, false
	}
	if s.live[entered.id] == nil {
		s.live[entered.id] = map[*session]bool{}
	}
	s.live[entered.id][entered] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if delete(s.live[entered.id], entered); len(s.live[entered.id]) == 0 {
			delete(s.live, entered.id)
		}
		if s.draining && len(s.live) == 0 {
			close(s.left)
		}
	}, true
}

// Drain lets no session in any more, and has each that there is end once what it
// is at is committed and acknowledged. Their agents are told to come back, not all
// at the same moment. It returns when none is left, or why that was not waited for.
// It may be called once.
func (s *Service) Drain(ctx context.Context) error {
	s.mu.Lock()
	s.draining = true
	if len(s.live) == 0 {
		close(s.left)
	}
	s.mu.Unlock()
	close(s.leave)
	select {
	case <-s.left:
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
	for session := range s.live[id] {
		select {
		case session.recheck <- struct{}{}:
		default: // it is told already
		}
	}
}

// end tells the agent why its session ends, if the stream still lets it.
func (s *Service) end(log *slog.Logger, stream Stream, err error) error {
	var told *refusal
	if errors.As(err, &told) {
		s.refusals.Add(1)
		sent := stream.Send(&tillbookv1.Down{Message: &tillbookv1.Down_Refusal{Refusal: &tillbookv1.Refusal{
			Code: told.code, Text: clip(told.text), Retry: told.retry, AfterMs: told.after.Milliseconds(),
		}}})
		err = errors.Join(err, sent)
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
