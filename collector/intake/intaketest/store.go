// Package intaketest has an intake.Store in memory for tests. It is small enough
// to be read as what the interface means: what a test finds in it after any
// faults is what a database should hold.
//
// It keeps nothing on disk, knows no merchants beyond their names, and is not
// made for many records.
package intaketest

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/shared/bizday"
)

// Store is an intake.Store in memory.
type Store struct {
	// NewestOnly makes an agent's older epochs take no more batches (ErrEpoch).
	NewestOnly bool
	// Sparse makes DigestAt know only what a store must: the start, the
	// watermark and the ends of ranges.
	Sparse bool
	// Before and After, where set, are called around each transaction with the
	// name of its method. An error of Before leaves nothing stored, one of After
	// hides from the caller that all of it is.
	Before, After func(method string) error

	mu sync.Mutex
	state
}

// state is all that a backup holds.
type state struct {
	incarnation [16]byte
	epochs      map[epochKey]*epoch
	newest      map[agentKey]uint64
	heads       map[docKey]*intake.Head
	effects     map[Effect]int
	conflicts   map[Effect]int
	versions    map[StoreDay]int64
	rejected    []Rejected
}

type (
	agentKey struct{ merchant, agent string }
	epochKey struct {
		agentKey
		id [16]byte
	}
	docKey struct{ merchant, key string }
)

// Effect is a document that changed something: new, a revision, or kept as an
// older one.
type Effect struct {
	Merchant, Key string
	Hash          [32]byte
}

// StoreDay names a store-day.
type StoreDay struct {
	Merchant, Store string
	Day             bizday.Day
}

// Rejected is a record that is kept raw.
type Rejected struct {
	Agent   string
	Capture uint64
	Code    string
	Bytes   []byte
}

// epoch is one numbering of an agent.
type epoch struct {
	order   uint64
	start   [32]byte
	stored  uint64
	top     uint64
	safe    uint64
	digests map[uint64][32]byte // by number; of a gap only the last is known
	before  map[uint64][32]byte // digest before a number, as its batch stated
	lost    map[uint64]string   // by number: the reason
	covered intake.Watermark
	claims  []intake.Watermark
}

// NewStore returns an empty store.
func NewStore() *Store {
	s := &Store{state: state{
		epochs: map[epochKey]*epoch{}, newest: map[agentKey]uint64{}, heads: map[docKey]*intake.Head{},
		effects: map[Effect]int{}, conflicts: map[Effect]int{}, versions: map[StoreDay]int64{},
	}}
	_, _ = rand.Read(s.incarnation[:]) // never fails
	return s
}

func (e *epoch) has(n uint64) bool {
	_, stored := e.digests[n]
	_, lost := e.lost[n]
	return stored || lost
}

func (e *epoch) digestAt(n uint64) ([32]byte, bool) {
	if n == 0 {
		return e.start, true
	}
	digest, known := e.digests[n]
	return digest, known
}

// meets says whether a digest stated at a number is the one that is known there,
// if one is.
func (e *epoch) meets(n uint64, digest [32]byte) bool {
	at, known := e.digestAt(n)
	next, told := e.before[n+1]
	return (!known || at == digest) && (!told || next == digest)
}

func (e *epoch) position(id [16]byte) intake.Position {
	digest, _ := e.digestAt(e.stored)
	p := intake.Position{Epoch: intake.Epoch{ID: id, Order: e.order}, Stored: e.stored, Digest: digest, Safe: e.safe}
	for n := e.stored + 1; n <= e.top; n++ {
		switch last := len(p.Ranges) - 1; {
		case !e.has(n):
		case last >= 0 && p.Ranges[last].Last == n-1:
			p.Ranges[last].Last = n
		default:
			p.Ranges = append(p.Ranges, intake.Range{First: n, Last: n})
		}
	}
	return p
}

// advance moves the watermark over what follows it.
func (e *epoch) advance() {
	for e.has(e.stored + 1) {
		e.stored++
	}
	e.claims = slices.DeleteFunc(e.claims, func(w intake.Watermark) bool {
		if w.Number > e.stored {
			return false
		}
		if w.Time.After(e.covered.Time) {
			e.covered = w
		}
		return true
	})
}

// transaction runs one method with its faults.
func (s *Store) transaction(ctx context.Context, method string, run func() error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if s.Before != nil {
		if err := s.Before(method); err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
	}
	s.mu.Lock()
	err := run()
	s.mu.Unlock()
	if err == nil && s.After != nil {
		err = s.After(method)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

func (s *Store) epoch(id fleet.Identity, epochID [16]byte) (*epoch, error) {
	e := s.epochs[epochKey{agentKey{id.Merchant, id.Agent}, epochID}]
	if e == nil {
		return nil, intake.ErrEpoch
	}
	return e, nil
}

// open returns an epoch that takes batches.
func (s *Store) open(id fleet.Identity, epochID [16]byte) (*epoch, error) {
	e, err := s.epoch(id, epochID)
	if err == nil && s.NewestOnly && e.order != s.newest[agentKey{id.Merchant, id.Agent}] {
		return nil, intake.ErrEpoch
	}
	return e, err
}

// Incarnation implements intake.Store.
func (s *Store) Incarnation(ctx context.Context) (id [16]byte, err error) {
	err = s.transaction(ctx, "Incarnation", func() error { id = s.incarnation; return nil })
	return id, err
}

// Position implements intake.Store.
func (s *Store) Position(ctx context.Context, id fleet.Identity, epochID [16]byte) (p intake.Position, err error) {
	err = s.transaction(ctx, "Position", func() error {
		e, err := s.epoch(id, epochID)
		if err == nil {
			p = e.position(epochID)
		}
		return err
	})
	return p, err
}

// DigestAt implements intake.Store.
func (s *Store) DigestAt(ctx context.Context, id fleet.Identity, epochID [16]byte, number uint64) (digest [32]byte, known bool, err error) {
	err = s.transaction(ctx, "DigestAt", func() error {
		e, err := s.epoch(id, epochID)
		if err != nil {
			return err
		}
		digest, known = e.digestAt(number)
		if s.Sparse && number != 0 && number != e.stored && !slices.ContainsFunc(e.position(epochID).Ranges, func(r intake.Range) bool { return r.Last == number }) {
			digest, known = [32]byte{}, false
		}
		return nil
	})
	return digest, known, err
}

// Issue implements intake.Store.
func (s *Store) Issue(ctx context.Context, id fleet.Identity, epochID [16]byte, start [32]byte, _ string, _ time.Time) (issued intake.Epoch, err error) {
	err = s.transaction(ctx, "Issue", func() error {
		agent := agentKey{id.Merchant, id.Agent}
		e := s.epochs[epochKey{agent, epochID}]
		if e == nil {
			s.newest[agent]++
			e = &epoch{order: s.newest[agent], start: start, digests: map[uint64][32]byte{}, before: map[uint64][32]byte{}, lost: map[uint64]string{}}
			s.epochs[epochKey{agent, epochID}] = e
		}
		issued = intake.Epoch{ID: epochID, Order: e.order}
		return nil
	})
	return issued, err
}

// Commit implements intake.Store.
func (s *Store) Commit(ctx context.Context, b intake.Batch) (out intake.Outcome, err error) {
	err = s.transaction(ctx, "Commit", func() error {
		e, err := s.open(b.From, b.Epoch)
		if err != nil {
			return err
		}
		at := b.Before
		for n := b.First - 1; n <= b.Last(); n++ {
			if n >= b.First {
				at = b.Digests[n-b.First]
			}
			if !e.meets(n, at) {
				return fmt.Errorf("number %d: %w", n, intake.ErrFork)
			}
		}
		out.Verdicts = make([]intake.Verdict, len(b.Records))
		for i, r := range b.Records {
			n := b.First + uint64(i)
			if e.has(n) {
				continue
			}
			if e.digests[n] = b.Digests[i]; i == 0 {
				e.before[n] = b.Before
			} else {
				e.before[n] = b.Digests[i-1]
			}
			out.Verdicts[i] = s.take(b.From, e.order, r)
		}
		e.top = max(e.top, b.Last())
		if !b.Captured.Time.IsZero() {
			e.claims = append(e.claims, b.Captured)
		}
		e.advance()
		out.Position = e.position(b.Epoch)
		return nil
	})
	return out, err
}

// take does what Decide says of one record.
func (s *Store) take(from fleet.Identity, order uint64, r intake.Record) intake.Verdict {
	key := docKey{from.Merchant, r.Key}
	head := s.heads[key]
	verdict := intake.Decide(head, r, from.Agent, order)
	effect := Effect{from.Merchant, r.Key, r.Hash}
	change := func(d bizday.Day) { s.versions[StoreDay{from.Merchant, from.Store, d}]++ }
	switch verdict {
	case intake.Rejected:
		s.rejected = append(s.rejected, Rejected{from.Agent, r.Capture, r.Code, slices.Clone(r.Bytes)})
		return verdict
	case intake.Duplicate:
		return verdict
	case intake.Conflict:
		s.conflicts[effect]++
		change(r.Day)
		if head.Day != r.Day {
			change(head.Day)
		}
		return verdict
	case intake.New:
		head = &intake.Head{Hashes: map[[32]byte]bool{}, Copies: map[intake.Copy]bool{}}
		s.heads[key] = head
	case intake.Revision:
		if head.Day != r.Day {
			change(head.Day)
		}
	}
	s.effects[effect]++
	head.Hashes[r.Hash] = true
	head.Copies[intake.Copy{Agent: from.Agent, Capture: r.Capture, Hash: r.Hash}] = true
	if verdict == intake.Older {
		return verdict
	}
	change(r.Day)
	head.Revision++
	head.Hash, head.Agent, head.EpochOrder, head.Capture, head.Day = r.Hash, from.Agent, order, r.Capture, r.Day
	return verdict
}

// maxLost bounds a gap: this store counts the numbers of one, a database does not.
const maxLost = 1 << 20

// DeclareGap implements intake.Store.
func (s *Store) DeclareGap(ctx context.Context, id fleet.Identity, epochID [16]byte, gap intake.Range, after [32]byte, reason string, _ time.Time) (p intake.Position, err error) {
	err = s.transaction(ctx, "DeclareGap", func() error {
		e, err := s.open(id, epochID)
		if err != nil {
			return err
		}
		if !e.meets(gap.Last, after) {
			return fmt.Errorf("number %d: %w", gap.Last, intake.ErrFork)
		}
		if gap.Last-gap.First > maxLost {
			return fmt.Errorf("a gap of %d numbers is more than is counted here", gap.Last-gap.First)
		}
		for n := gap.First; n <= gap.Last; n++ {
			if !e.has(n) {
				e.lost[n] = reason
			}
		}
		e.digests[gap.Last] = after
		e.top = max(e.top, gap.Last)
		e.advance()
		p = e.position(epochID)
		return nil
	})
	return p, err
}

// Covered implements intake.Store.
func (s *Store) Covered(ctx context.Context, id fleet.Identity, epochID [16]byte, w intake.Watermark, _ time.Time) error {
	return s.transaction(ctx, "Covered", func() error {
		e, err := s.epoch(id, epochID)
		if err != nil {
			return err
		}
		e.claims = append(e.claims, w)
		e.advance()
		return nil
	})
}

// Backup returns a copy of all that is stored, for Restore.
func (s *Store) Backup() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Store{state: s.clone()}
}

// Restore puts a backup in place of what is stored, as a new incarnation.
func (s *Store) Restore(backup *Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = backup.clone()
	_, _ = rand.Read(s.incarnation[:]) // never fails
}

func (s *state) clone() state {
	c := *s
	c.newest, c.effects, c.conflicts, c.versions = maps.Clone(s.newest), maps.Clone(s.effects), maps.Clone(s.conflicts), maps.Clone(s.versions)
	c.rejected = slices.Clone(s.rejected)
	c.epochs, c.heads = map[epochKey]*epoch{}, map[docKey]*intake.Head{}
	for key, e := range s.epochs {
		copied := *e
		copied.digests, copied.before, copied.lost = maps.Clone(e.digests), maps.Clone(e.before), maps.Clone(e.lost)
		copied.claims = slices.Clone(e.claims)
		c.epochs[key] = &copied
	}
	for key, h := range s.heads {
		copied := *h
		copied.Hashes, copied.Copies = maps.Clone(h.Hashes), maps.Clone(h.Copies)
		c.heads[key] = &copied
	}
	return c
}

// Verify marks everything stored so far as safe.
func (s *Store) Verify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.epochs {
		e.safe = e.stored
	}
}
