// Package uplink sends what the outbox holds to the collector, and lets the
// outbox release what the collector has safe.
//
// It sends in order. Where more waits than can go at once, sales that are rung up
// now go out beside it, four batches to one, and the collector closes the hole
// between them (order.go). How much is under way follows how long
// acknowledgements take (pace.go).
//
// A record counts as stored only when the collector said so with the digest
// that the agent itself has at that number, in the epoch and of the database
// (incarnation) of the session. Everything else leaves the mark where it was:
// the worst that any lost, doubled or foreign message can do is that records
// are sent again. Where the collector's database was restored the mark goes
// back; where the numbering forked the agent adopts a new epoch, durably,
// before it sends on. Records that the outbox has lost are declared as a gap,
// never passed over.
//
// It does not read documents, keeps no record in memory beyond the batch that is
// being sent, and does not know how messages travel: a Carrier does.
package uplink

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"tillbook.example/tillbook/agent/outbox"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"
)

// Outbox is what the uplink needs of the durable buffer. Numbers are the log's.
type Outbox interface {
	// First is the lowest number kept (Next if none), Next the one to come.
	First() uint64
	Next() uint64
	// Read returns records from a number on, in order, at least one if there is
	// one; it leaves out only what lies in Gaps.
	Read(from uint64, maxRecords, maxBytes int) ([]outbox.Stored, error)
	// Digest returns the chained digest after a number, where it is known: for
	// all that is kept, the number before that, and the end of each gap.
	Digest(number uint64) ([32]byte, bool, error)
	// Gaps are the numbers that are lost.
	Gaps() []outbox.Gap
	// Changed is closed when Next or Gaps grow.
	Changed() <-chan struct{}
	State(key string) ([]byte, bool)
	Append(ctx context.Context, g outbox.Group) (outbox.Appended, error)
	// Release lets go of everything up to a number.
	Release(safe uint64) error
}

// Carrier opens sessions with the collector.
type Carrier interface {
	// Dial opens a session, which ends when ctx does.
	Dial(ctx context.Context) (Session, error)
}

// Session is one connection. Send and Recv are called by one goroutine each.
type Session interface {
	Send(*tillbookv1.Up) error
	Recv() (*tillbookv1.Down, error)
	// Close ends the session: Send and Recv return. It may be called by any
	// goroutine and again.
	Close()
}

// Options are what an Uplink needs. Zero intervals take the default.
type Options struct {
	Outbox  Outbox
	Carrier Carrier
	Agent   string // its id
	Version string
	Logger  *slog.Logger
	// Beat returns a heartbeat with what the app knows: refused, quarantined,
	// work, oldest unsent, snapshot. The uplink fills in the rest. Optional.
	Beat func() *tillbookv1.Heartbeat
	// Captured returns a moment and a number such that everything captured up to
	// the moment has at most the number (0 and a zero time: not known). Optional.
	Captured func() (time.Time, uint64)
	// Rejected is told of records that the collector could not read. Optional.
	Rejected func(number uint64, code, text string)
	// Limit returns how many bytes a second the line may be used for now; 0: as
	// many as go. What is rung up now is not held back, but counts. Optional.
	Limit func(now time.Time) int

	Every    time.Duration // between heartbeats; default 20 s
	Dead     time.Duration // silence after which a session ends; default 60 s
	Patience time.Duration // for an acknowledgement; default 90 s
	MinWait  time.Duration // before the first new attempt; default 200 ms
	MaxWait  time.Duration // between attempts; default 30 s
	Refused  time.Duration // after a refusal for good; default 5 min
	Refresh  time.Duration // before asking again what is safe, without sales; default 1 h
}

// Status is where the uplink stands. Numbers are the log's.
type Status struct {
	Connected bool      // the collector has welcomed the agent
	Since     time.Time // connected or not since then
	LastAck   time.Time
	Stored    uint64        // everything up to it is stored by the collector
	Safe      uint64        // everything up to it may be released
	Ahead     uint64        // records above it that are stored too: they overtook a backlog
	Unsent    uint64        // records that are not stored yet
	Rejected  uint64        // records that the collector could not read, since start
	Base      uint64        // of the epoch: wire number = number - base
	Skew      time.Duration // the collector's clock minus ours, at the last Welcome
	Refusal   string        // code of the refusal that ended the last session, if one did
	LastError string        // why the last session ended; empty once connected
}

// Uplink sends until its Run ends.
type Uplink struct {
	o      Options
	boot   [16]byte
	packer wire.Packer
	// inOrder is set where the collector had no room for what overtakes.
	inOrder bool

	mu     sync.Mutex
	status Status
}

// New returns an Uplink that does nothing until Run.
func New(o Options) (*Uplink, error) {
	if o.Outbox == nil || o.Carrier == nil || o.Logger == nil {
		return nil, errors.New("start uplink: outbox, carrier and logger are needed")
	}
	for value, standard := range map[*time.Duration]time.Duration{
		&o.Every: 20 * time.Second, &o.Dead: time.Minute, &o.Patience: 90 * time.Second,
		&o.MinWait: 200 * time.Millisecond, &o.MaxWait: 30 * time.Second, &o.Refused: 5 * time.Minute, &o.Refresh: time.Hour,
	} {
		if *value <= 0 {
			*value = standard
		}
	}
	u := &Uplink{o: o}
	_, _ = rand.Read(u.boot[:]) // never fails
	m, err := loadMark(o.Outbox)
	if err != nil {
		return nil, fmt.Errorf("start uplink: %w", err)
	}
	u.note(func(s *Status) { s.Since = time.Now(); m.tell(s) })
	return u, nil
}

// Status returns where the uplink stands.
func (u *Uplink) Status() Status {
	u.mu.Lock()
	s := u.status
	u.mu.Unlock()
	last := u.o.Outbox.Next() - 1
	s.Unsent = last - min(s.Stored+s.Ahead, last)
	return s
}

func (u *Uplink) note(change func(*Status)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	change(&u.status)
}

// Run connects, sends, and connects again until ctx ends. It returns nil then;
// an error means that the agent's own state cannot be read. It must not run
// twice at once.
func (u *Uplink) Run(ctx context.Context) error {
	m, err := loadMark(u.o.Outbox)
	if err != nil {
		return fmt.Errorf("uplink: %w", err)
	}
	wait, away := u.o.MinWait, time.Now()
	for {
		moved, err := u.session(ctx, m)
		err = errors.Join(err, m.save(context.WithoutCancel(ctx)))
		if ctx.Err() != nil {
			return nil
		}
		if moved {
			wait, away = u.o.MinWait, time.Now()
		}
		// A collector that is only restarted is found again within a second or so;
		// one that stays away is asked less and less often.
		pause := min(wait/2+mathrand.N(wait), max(time.Second, time.Since(away)/8))
		wait = min(2*wait, u.o.MaxWait)
		var refused *RefusedError
		u.inOrder = errors.As(err, &refused) && refused.Code == refusedBusy
		if refused != nil {
			pause = max(pause, refused.After+mathrand.N(refused.After/4+1))
			if !refused.Retry {
				pause = max(pause, u.o.Refused)
			}
		}
		u.note(func(s *Status) {
			if s.Connected {
				s.Connected, s.Since = false, time.Now()
			}
			s.LastError, s.Refusal = fmt.Sprint(err), ""
			if refused != nil {
				s.Refusal = refused.Code
			}
		})
		u.o.Logger.Info("uplink: session ended", "reason", err, "next_try_in", pause.Round(time.Millisecond))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// refusedBusy is the code with which a collector refuses what it cannot store
// now, runs of numbers beyond those it keeps apart among it.
const refusedBusy = "busy"

// RefusedError is a refusal by the collector.
type RefusedError struct {
	Code, Text string
	Retry      bool
	After      time.Duration
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the collector refused (%s): %s", e.Code, e.Text)
}
