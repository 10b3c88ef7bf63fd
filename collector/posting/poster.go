package posting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/work"
)

// Bounds of trying.
const (
	// MaxAttempts is how often a posting with an unclear outcome is sent; then it
	// is parked and waits for a person.
	MaxAttempts = 12
	firstWait   = time.Second
	longestWait = 15 * time.Minute
	// refusedWait is how long a refused posting rests: what it was refused for may
	// have been put right at the target.
	refusedWait = time.Hour
)

// Points of a delivery at which Poster.At is called.
const (
	AtDue      = "due read"
	AtIntend   = "before intend"
	AtIntended = "intended"
	AtSend     = "before send"
	AtSent     = "sent" // the target has answered, or not
	AtSettle   = "before settle"
	AtSettled  = "settled"
)

// Poster delivers. Any number of them may work on the same store: those that
// share the work leave each other's subjects alone, and each step of a posting is
// a compare-and-set of its state.
//
// It waits in memory only: after a restart an unclear posting is looked up no
// earlier than the target's longest request time after the start, and others
// are tried at once.
type Poster struct {
	Store     Store
	Directory merchant.Directory
	// Target opens the books of a connection. It is called for each subject.
	Target func(m merchant.Merchant, c merchant.Connection) (target.Target, error)
	Now    func() time.Time
	// Share is this collector's part of the work; nil: there is no other.
	Share *work.Share
	// At is called at each point of a delivery, by tests; it may be nil.
	At func(point string)

	begun sync.WaitGroup // turns that Begin has begun
	slots chan struct{}  // held by those that are worked on

	mu     sync.Mutex
	pauses map[attempt]time.Time // not before
	busy   map[Books]bool        // whose turn it is now
	turns  map[Books]day.Ref     // up to where books with much to do had their turn
}

// attempt is one attempt of one posting.
type attempt struct {
	merchant, target, reference, state string
	undo                               bool
	attempts                           int
}

// subject is one delivery while it is worked on.
type subject struct {
	*Poster
	due    Due
	config merchant.Merchant
	store  merchant.Store
	books  merchant.Connection
	target target.Target
}

// Deliver brings one subject on: it settles what is unsettled, or intends and
// sends what is still missing. It returns the state of the last posting.
func (p *Poster) Deliver(ctx context.Context, due Due) (string, error) {
	s, err := p.open(ctx, due)
	if err == nil {
		var state string
		if state, err = s.deliver(ctx); err == nil {
			return state, nil
		}
	}
	return "", fmt.Errorf("post day %s of store %s, merchant %s, to %s: %w", due.Day, due.Store, due.Merchant, due.Target, err)
}

func (p *Poster) open(ctx context.Context, due Due) (*subject, error) {
	m, err := p.Directory.Merchant(ctx, due.Merchant)
	if err != nil {
		return nil, err
	}
	store, known := m.Store(due.Store)
	if !known {
		return nil, fmt.Errorf("the store is not in the merchant's configuration any more; put it back")
	}
	connection, known := m.Connection(due.Target)
	if !known {
		return nil, fmt.Errorf("the connection is not in the merchant's configuration any more; put it back to settle its postings")
	}
	t, err := p.Target(m, connection)
	if err != nil {
		return nil, err
	}
	return &subject{p, due, m, store, connection, t}, nil
}

func (s *subject) deliver(ctx context.Context) (string, error) {
	if i := slices.IndexFunc(s.due.Postings, func(p Posting) bool { return !Settled(p.State) }); i >= 0 {
		return s.settle(ctx, s.due.Postings[i]) // the next pass goes on from there
	}
	if err := s.adopt(ctx); err != nil {
		return "", err
	}
	if p, found := s.toTakeOff(); found {
		return s.beginTakingOff(ctx, p)
	}
	lines, err := s.missing()
	if err != nil {
		return "", err
	}
	if len(lines) == 0 {
		return Posted, s.Store.Complete(ctx, s.due.Ref, s.due.Target, s.due.Entry.Version, s.due.Withdrawn, s.Now())
	}
	p, err := s.next(ctx, lines)
	if err != nil {
		return "", err
	}
	s.at(AtIntend)
	if err := s.Store.Intend(ctx, p, s.due.Withdrawn); err != nil {
		return "", err
	}
	s.at(AtIntended)
	return s.send(ctx, p)
}

// missing is what brings what stands to what shall stand: the entry, or nothing.
func (s *subject) missing() ([]target.Line, error) {
	if s.due.Withdrawn {
		return Difference(nil, s.due.Postings), nil
	}
	full, err := Lines(s.due.Entry)
	if err != nil {
		return nil, err
	}
	return Difference(full, s.due.Postings), nil
}

// next is the next posting of the subject, with the lines.
func (s *subject) next(ctx context.Context, lines []target.Line) (Posting, error) {
	revision := 1
	for _, p := range s.due.Postings {
		revision = max(revision, p.Revision+1)
	}
	period, err := s.period(ctx)
	if err != nil {
		return Posting{}, err
	}
	entry, completes := s.due.Entry, s.due.Entry.Version
	if s.due.Withdrawn {
		entry.Reason, completes = ReasonUndone, 0
	}
	payload, err := Payload(s.config, s.store, entry, s.due.Target, revision, lines, s.dated(period))
	if err != nil {
		return Posting{}, err
	}
	hash, err := payload.Hash()
	if err != nil {
		return Posting{}, err
	}
	return Posting{
		Ref: s.due.Ref, Target: s.due.Target, Revision: revision, Entry: completes, Reference: payload.Reference,
		Payload: payload, Hash: hash, State: Intended, At: s.Now(),
	}, nil
}

func (s *subject) period(ctx context.Context) (target.Period, error) {
	period, err := s.target.Period(ctx)
	if err != nil {
		return period, fmt.Errorf("ask up to when the books are closed: %w", err)
	}
	return period, nil
}

// settle brings an unsettled posting on.
func (s *subject) settle(ctx context.Context, p Posting) (string, error) {
	s.at(AtSettle)
	switch {
	case p.State == Parked:
		return p.State, nil
	case p.Undo: // what was posted is not given up
	case (p.State == Refused || p.State == Intended) && s.due.Withdrawn != p.takesBack(),
		p.State == Refused && !p.takesBack() && s.due.Entry.Version > p.Entry:
		// It was never booked, and is of no use any more.
		return s.move(ctx, p, Undone)
	case p.State == Refused:
		if dated, err := s.datedOtherwise(ctx, p); err != nil || dated {
			if err != nil {
				return "", err
			}
			return s.move(ctx, p, Undone)
		}
	}
	if s.waits(p) {
		return p.State, nil
	}
	switch {
	case p.State == Sent || p.State == Unknown:
		return s.lookUp(ctx, p)
	case p.Undo:
		return s.takeOff(ctx, p)
	}
	return s.send(ctx, p)
}

// send sends a posting, once it is noted that it is being sent.
func (s *subject) send(ctx context.Context, p Posting) (string, error) {
	return s.try(ctx, p, func(ctx context.Context, p Posting) (Posting, string, error) {
		receipt, err := s.target.Post(ctx, p.Payload)
		p.RemoteID = receipt.RemoteID
		return p, Posted, err
	})
}

// try does something about a posting at the target, once it is noted that it is
// being done, and notes what became of it.
func (s *subject) try(ctx context.Context, p Posting, do func(context.Context, Posting) (done Posting, state string, err error)) (string, error) {
	period, err := s.period(ctx)
	if err != nil {
		return "", err
	}
	if !period.Open(p.Payload.Date) {
		return s.move(ctx, p.because(s.closed(period, p.Payload.Date)), Refused)
	}
	from := p.State
	p.State, p.Error, p.Code = Sent, "", ""
	if err := s.Store.Advance(ctx, p, from); err != nil {
		return "", err
	}
	p.Attempts++
	s.at(AtSend)
	sending, cancel := context.WithTimeout(ctx, s.target.Capabilities().LongestRequest)
	done, state, err := do(sending, p)
	cancel()
	s.at(AtSent)
	// The answer is stored even if the caller is being stopped.
	ctx = context.WithoutCancel(ctx)
	if err == nil {
		return s.move(ctx, done, state)
	}
	p = p.because(err)
	switch {
	case errors.Is(err, target.ErrTaken):
		return s.move(ctx, p, Parked)
	case errors.Is(err, target.ErrRefused):
		return s.move(ctx, p, Refused)
	case errors.Is(err, target.ErrUnavailable):
		_, moved := s.move(ctx, p, Intended)
		var later *target.Later
		if errors.As(err, &later) && later.Rest > backoff(p.Attempts) {
			p.State = Intended
			s.pause(p, later.Rest)
		}
		return "", errors.Join(err, moved)
	}
	return s.move(ctx, p, Unknown)
}

// lookUp finds out what became of a posting. What was to be taken off is asked to
// be again: where nothing stands any more that does nothing.
func (s *subject) lookUp(ctx context.Context, p Posting) (string, error) {
	if p.Undo {
		if p.Attempts >= MaxAttempts {
			return s.move(ctx, p.because(fmt.Errorf("asked %d times to take it off: %s", p.Attempts, p.Error)), Parked)
		}
		return s.takeOff(ctx, p)
	}
	found, receipt, err := s.target.Find(ctx, p.Reference)
	switch {
	case err != nil:
		return s.move(ctx, p.because(fmt.Errorf("looking it up: %w", err)), Unknown)
	case found == nil && p.Attempts >= MaxAttempts:
		return s.move(ctx, p.because(fmt.Errorf("sent %d times, and not there: %s", p.Attempts, p.Error)), Parked)
	case found == nil:
		return s.send(ctx, p)
	case !found.Equal(p.Payload):
		return s.move(ctx, p.because(fmt.Errorf("%w: %s is %s", target.ErrTaken, p.Reference, differs(*found, p.Payload))), Parked)
	}
	p.RemoteID = receipt.RemoteID
	return s.move(ctx, p, Posted)
}

// differs says how what was found differs from what was sent.
func differs(found, sent target.Payload) string {
	switch {
	case found.Key != sent.Key:
		return "another posting, " + found.Key
	case found.Date != sent.Date:
		return fmt.Sprintf("dated %s there, not %s", found.Date, sent.Date)
	}
	return "there with other amounts or texts: it was changed by hand"
}

// move stores a posting's new state. One that has reached its end has no error.
func (s *subject) move(ctx context.Context, p Posting, state string) (string, error) {
	from := p.State
	p.State = state
	if state == Posted || state == Undone && p.Undo {
		p.Error, p.Code = "", ""
	}
	if Settled(state) {
		p.SettledAt = s.Now()
	}
	if err := s.Store.Advance(ctx, p, from); err != nil {
		return "", err
	}
	s.at(AtSettled)
	switch state {
	case Intended:
		s.pause(p, backoff(p.Attempts))
	case Unknown:
		s.pause(p, s.target.Capabilities().LongestRequest+backoff(p.Attempts))
	case Refused:
		s.pause(p, refusedWait)
	}
	return state, nil
}

// adopt takes in the postings of the subject that the target holds and the store
// does not know, as after a restore.
func (s *subject) adopt(ctx context.Context) error {
	references, err := s.target.List(ctx, prefix(s.store, s.due.Day))
	if err != nil {
		return fmt.Errorf("list what stands: %w", err)
	}
	var found []Posting
	for _, reference := range references {
		if slices.ContainsFunc(s.due.Postings, func(p Posting) bool { return p.Reference == reference }) {
			continue
		}
		payload, receipt, err := s.target.Find(ctx, reference)
		if err != nil {
			return fmt.Errorf("read what stands: %w", err)
		}
		if payload == nil {
			continue
		}
		revision := revisionOf(payload.Key, s.due.Ref, s.due.Target)
		if revision == 0 {
			continue // not this subject's: taken, if it is ever wanted
		}
		hash, err := payload.Hash()
		if err != nil {
			return err
		}
		found = append(found, Posting{
			Ref: s.due.Ref, Target: s.due.Target, Revision: revision, Reference: reference, Payload: *payload, Hash: hash,
			State: Posted, RemoteID: receipt.RemoteID, At: s.Now(), SettledAt: s.Now(),
		})
	}
	if len(found) == 0 {
		return nil
	}
	slices.SortFunc(found, func(a, b Posting) int { return a.Revision - b.Revision })
	if err := s.Store.Adopt(ctx, found); err != nil {
		return fmt.Errorf("adopt what stands: %w", err)
	}
	known, err := s.Store.Postings(ctx, s.due.Ref)
	if err != nil {
		return err
	}
	s.due.Postings = slices.DeleteFunc(known, func(p Posting) bool { return p.Target != s.due.Target })
	slices.SortFunc(s.due.Postings, func(a, b Posting) int { return a.Revision - b.Revision })
	return nil
}

// backoff grows with each attempt.
func backoff(attempts int) time.Duration {
	wait := firstWait
	for range min(attempts, 20) - 1 {
		wait *= 2
	}
	return min(wait, longestWait)
}

// waits reports whether a posting must rest longer. One that is not known to rest
// is tried at once, save that one which may be under way, perhaps from another
// process, first gets the target's longest request time from now.
func (s *subject) waits(p Posting) bool {
	s.mu.Lock()
	until, known := s.pauses[attemptOf(p)]
	s.mu.Unlock()
	if !known && (p.State == Sent || p.State == Unknown) {
		s.pause(p, s.target.Capabilities().LongestRequest)
		return true
	}
	return s.Now().Before(until)
}

// pause lets a posting rest in the state and attempt it is in.
func (p *Poster) pause(of Posting, rest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pauses == nil {
		p.pauses = map[attempt]time.Time{}
	}
	p.pauses[attemptOf(of)] = p.Now().Add(rest)
}

func attemptOf(p Posting) attempt {
	return attempt{p.Merchant, p.Target, p.Reference, p.State, p.Undo, p.Attempts}
}

// Retry gives a parked or refused posting one more try, as a person may ask. A
// parked one is looked up first: one that is there is posted, one that is there
// otherwise stays parked.
func (p *Poster) Retry(ctx context.Context, due Due) error {
	i := slices.IndexFunc(due.Postings, func(p Posting) bool { return p.State == Parked || p.State == Refused })
	if i < 0 {
		return fmt.Errorf("retry day %s of store %s at %s: no posting of it is %s or %s", due.Day, due.Store, due.Target, Parked, Refused)
	}
	last := due.Postings[i]
	s, err := p.open(ctx, due)
	if err != nil {
		return fmt.Errorf("retry posting %s: %w", last.Reference, err)
	}
	found, receipt, err := s.target.Find(ctx, last.Reference)
	switch {
	case err != nil:
	case found == nil, last.Undo:
		_, err = s.move(ctx, last, Intended)
	case found.Equal(last.Payload):
		last.RemoteID = receipt.RemoteID
		_, err = s.move(ctx, last, Posted)
	default:
		err = fmt.Errorf("%w: it is %s", target.ErrTaken, differs(*found, last.Payload))
	}
	if err != nil {
		return fmt.Errorf("retry posting %s: %w", last.Reference, err)
	}
	return nil
}

func (p *Poster) at(point string) {
	if p.At != nil {
		p.At(point)
	}
}
