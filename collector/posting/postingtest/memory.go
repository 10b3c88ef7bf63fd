// Package postingtest holds what tests of days and postings run on: a store in
// memory with the rules of the real one, and books that fail on request.
//
// The store keeps the promises that day.Store and posting.Store state, each
// method as one step, and nothing beyond them, so that a test that passes on it
// relies on nothing else. It is not a substitute for the conformance suite of
// package storage.
package postingtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

var (
	_ day.Store     = (*Memory)(nil)
	_ posting.Store = (*Memory)(nil)
)

// ErrNone: what was asked for is not stored.
var ErrNone = errors.New("not stored")

// Memory is a store of one merchant.
type Memory struct {
	mu        sync.Mutex
	merchant  merchant.Merchant
	mappings  map[int]merchant.Mapping
	documents map[string]*stored
	agents    map[string]day.Agent
	days      map[day.Ref]*storeDay
	entries   map[day.Ref][]day.Entry
	postings  map[subject][]posting.Posting
	complete  map[subject]int64
	withdrawn map[subject]bool
	looked    looked
}

type stored struct {
	day.Stored
	store string
	day   bizday.Day
}

type storeDay struct {
	day.StoreDay
	settled bool
}

type subject struct {
	day.Ref
	target string
}

// New returns an empty store with the merchant's configuration.
func New(m merchant.Merchant) *Memory {
	s := &Memory{
		documents: map[string]*stored{}, agents: map[string]day.Agent{}, days: map[day.Ref]*storeDay{},
		entries: map[day.Ref][]day.Entry{}, postings: map[subject][]posting.Posting{}, complete: map[subject]int64{}, withdrawn: map[subject]bool{}, mappings: map[int]merchant.Mapping{},
	}
	s.Configure(m)
	return s
}

// Configure replaces the configuration; mappings without a version get the next.
func (s *Memory) Configure(m merchant.Merchant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Mappings = slices.Clone(m.Mappings)
	for i := range m.Mappings {
		if m.Mappings[i].Version == 0 {
			m.Mappings[i].Version = len(s.mappings) + 1
		}
		s.mappings[m.Mappings[i].Version] = m.Mappings[i]
	}
	s.merchant = m
}

// Put stores a document on a day as the current revision of its key, and raises
// the version of each day it changes.
func (s *Memory) Put(store string, d bizday.Day, doc *document.Document, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := doc.Key.String()
	revision := 1
	if before := s.documents[key]; before != nil {
		revision = before.Revision + 1
		if before.day != d || before.store != store {
			s.raise(day.Ref{Merchant: s.merchant.ID, Store: before.store, Day: before.day}, at)
		}
	}
	s.documents[key] = &stored{day.Stored{Document: doc, Key: key, Revision: revision, Agent: "a"}, store, d}
	s.raise(day.Ref{Merchant: s.merchant.ID, Store: store, Day: d}, at)
}

// SetAgent stores an agent of the only store.
func (s *Memory) SetAgent(a day.Agent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.agents[a.ID] = a
}

// Forget restores the store to a time without the postings of a revision and
// later, and with the others as they were: a backup that is older than them.
func (s *Memory) Forget(ref day.Ref, target string, revision int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := subject{ref, target}
	s.postings[id] = slices.DeleteFunc(s.postings[id], func(p posting.Posting) bool { return p.Revision >= revision })
	s.complete[id] = 0
	for _, p := range s.postings[id] {
		if p.State == posting.Posted {
			s.complete[id] = max(s.complete[id], p.Entry)
		}
	}
}

func (s *Memory) raise(ref day.Ref, at time.Time) {
	d := s.days[ref]
	if d == nil {
		d = &storeDay{StoreDay: day.StoreDay{Ref: ref, State: day.Open}}
		s.days[ref] = d
	}
	d.Version++
	d.ChangedAt, d.settled = at, false
}

// Merchant implements merchant.Directory in part.
func (s *Memory) Merchant(_ context.Context, id string) (merchant.Merchant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != s.merchant.ID {
		return merchant.Merchant{}, ErrNone
	}
	return s.merchant, nil
}

// Merchants returns the one merchant.
func (s *Memory) Merchants(context.Context) ([]merchant.Merchant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []merchant.Merchant{s.merchant}, nil
}

// Apply configures the merchant.
func (s *Memory) Apply(_ context.Context, m merchant.Merchant, _ time.Time) (bool, error) {
	s.Configure(m)
	return true, nil
}

// Mapping returns a mapping by its version.
func (s *Memory) Mapping(_ context.Context, _ string, version int) (merchant.Mapping, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, found := s.mappings[version]
	if !found {
		return m, ErrNone
	}
	return m, nil
}

// Unsettled implements day.Store.
func (s *Memory) Unsettled(context.Context) ([]day.Ref, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var refs []day.Ref
	for ref, d := range s.days {
		if !d.settled {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, byDay)
	return refs, nil
}

func byDay(a, b day.Ref) int {
	if c := strings.Compare(string(a.Day), string(b.Day)); c != 0 {
		return c
	}
	return strings.Compare(a.Store, b.Store)
}

// Facts implements day.Store.
func (s *Memory) Facts(_ context.Context, ref day.Ref) (day.Facts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	store, _ := s.merchant.Store(ref.Store)
	f := day.Facts{StoreDay: day.StoreDay{Ref: ref}, Merchant: s.merchant, Store: store, Originals: map[string]*document.Document{}}
	if d := s.days[ref]; d != nil {
		f.StoreDay = d.StoreDay
	}
	for _, doc := range s.documents {
		if doc.store == ref.Store && doc.day == ref.Day {
			f.Documents = append(f.Documents, doc.Stored)
		}
	}
	slices.SortFunc(f.Documents, func(a, b day.Stored) int { return strings.Compare(a.Key, b.Key) })
	for _, a := range s.agents {
		f.Agents = append(f.Agents, a)
	}
	return f, nil
}

// Set implements day.Store.
func (s *Memory) Set(_ context.Context, ref day.Ref, version int64, state string, hold *day.Hold, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.days[ref]
	if d == nil || d.Version != version {
		return day.ErrMoved
	}
	d.State, d.Hold, d.settled = state, hold, state == day.External || state == day.Ready
	return nil
}

// Save implements day.Store.
func (s *Memory) Save(_ context.Context, e day.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, old := range s.entries[e.Ref] {
		if old.Version == e.Version {
			if string(old.Body) == string(e.Body) && old.Mapping == e.Mapping {
				return nil
			}
			return fmt.Errorf("another entry is stored at version %d", e.Version)
		}
	}
	d := s.days[e.Ref]
	if d == nil || d.Version != e.Version {
		return day.ErrMoved
	}
	s.entries[e.Ref] = append(s.entries[e.Ref], e)
	d.State, d.Hold, d.Entry, d.ClosedAt, d.settled = day.Ready, nil, e.Version, e.At, true
	return nil
}

// Reopen implements day.Store.
func (s *Memory) Reopen(_ context.Context, ref day.Ref, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.days[ref] == nil {
		return ErrNone
	}
	s.raise(ref, at)
	return nil
}

// Days implements day.Store.
func (s *Memory) Days(context.Context, string) ([]day.StoreDay, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var days []day.StoreDay
	for _, d := range s.days {
		days = append(days, d.StoreDay)
	}
	slices.SortFunc(days, func(a, b day.StoreDay) int { return byDay(a.Ref, b.Ref) })
	return days, nil
}

// Entry implements day.Store.
func (s *Memory) Entry(_ context.Context, ref day.Ref, version int64) (day.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := s.entries[ref]
	for _, e := range slices.Backward(entries) {
		if version == 0 || e.Version == version {
			return e, nil
		}
	}
	return day.Entry{}, ErrNone
}

// DueBooks implements posting.Store.
func (s *Memory) DueBooks(ctx context.Context, after posting.Books, n int) ([]posting.Books, error) {
	due, err := s.Due(ctx, "")
	var books []posting.Books
	for _, d := range due {
		if b := (posting.Books{Merchant: d.Merchant, Target: d.Target}); b.Compare(after) > 0 && !slices.Contains(books, b) {
			books = append(books, b)
		}
	}
	slices.SortFunc(books, posting.Books.Compare)
	return books[:min(n, len(books))], err
}

// DueDays implements posting.Store.
func (s *Memory) DueDays(ctx context.Context, books posting.Books, after day.Ref, n int) ([]day.Ref, error) {
	due, err := s.Due(ctx, books.Merchant)
	var days []day.Ref
	for _, d := range due {
		if d.Target == books.Target && (after.Day == "" || byDay(d.Ref, after) > 0) {
			days = append(days, d.Ref)
		}
	}
	return days[:min(n, len(days))], err
}

// DueOf implements posting.Store.
func (s *Memory) DueOf(ctx context.Context, ref day.Ref, target string) (posting.Due, bool, error) {
	due, err := s.Due(ctx, ref.Merchant)
	for _, d := range due {
		if d.Ref == ref && d.Target == target {
			return d, true, err
		}
	}
	return posting.Due{}, false, err
}

// Due returns all that is due, oldest day first; there is one merchant.
func (s *Memory) Due(context.Context, string) ([]posting.Due, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []posting.Due
	for ref, entries := range s.entries {
		newest := entries[len(entries)-1]
		for _, c := range s.merchant.Connections {
			id := subject{ref, c.ID}
			if s.complete[id] < newest.Version || !s.settled(id) {
				due = append(due, posting.Due{Ref: ref, Target: c.ID, Entry: newest, Withdrawn: s.withdrawn[id], Postings: slices.Clone(s.postings[id])})
			}
		}
	}
	slices.SortFunc(due, func(a, b posting.Due) int {
		if c := byDay(a.Ref, b.Ref); c != 0 {
			return c
		}
		return strings.Compare(a.Target, b.Target)
	})
	return due, nil
}

func (s *Memory) settled(id subject) bool {
	return !slices.ContainsFunc(s.postings[id], func(p posting.Posting) bool { return !posting.Settled(p.State) })
}

// Intend implements posting.Store.
func (s *Memory) Intend(_ context.Context, p posting.Posting, withdrawn bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := subject{p.Ref, p.Target}
	entries := s.entries[p.Ref]
	if len(entries) == 0 || !withdrawn && entries[len(entries)-1].Version != p.Entry || withdrawn && p.Entry != 0 || !s.settled(id) || p.Revision != len(s.postings[id])+1 || s.withdrawn[id] != withdrawn {
		return posting.ErrStale
	}
	for other, postings := range s.postings {
		for _, q := range postings {
			if other.target == p.Target && q.Reference == p.Reference {
				return posting.ErrReference
			}
		}
	}
	p.State, p.Attempts = posting.Intended, 0
	s.postings[id] = append(s.postings[id], p)
	return nil
}

// Advance implements posting.Store.
func (s *Memory) Advance(_ context.Context, p posting.Posting, from string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := subject{p.Ref, p.Target}
	for i, q := range s.postings[id] {
		if q.Revision != p.Revision {
			continue
		}
		if q.State != from || q.Attempts != p.Attempts {
			return posting.ErrStale
		}
		if posting.Settled(from) && !posting.Settled(p.State) && !s.settled(id) {
			return posting.ErrStale
		}
		if q.Undo != p.Undo {
			q.Attempts = 0
		}
		q.State, q.Undo, q.Error, q.Code, q.RemoteID, q.SettledAt = p.State, p.Undo, p.Error, p.Code, p.RemoteID, p.SettledAt
		if p.State == posting.Sent {
			q.Attempts++
		}
		s.postings[id][i] = q
		if p.State == posting.Posted && !s.withdrawn[id] && q.Entry > 0 {
			s.complete[id] = max(s.complete[id], q.Entry)
		}
		return nil
	}
	return posting.ErrStale
}

// Complete implements posting.Store.
func (s *Memory) Complete(_ context.Context, ref day.Ref, target string, entry int64, withdrawn bool, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := (subject{ref, target}); s.withdrawn[id] == withdrawn {
		s.complete[id] = max(s.complete[id], entry)
	}
	return nil
}

// Decide notes that nothing of a day shall stand at a target, or that it shall
// stand again.
func (s *Memory) Decide(_ context.Context, d posting.Decision) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, undo := subject{d.Ref, d.Target}, d.What == posting.DecideUndo
	if s.withdrawn[id] == undo {
		return false, nil
	}
	s.withdrawn[id], s.complete[id] = undo, 0
	for i, p := range s.postings[id] {
		if !undo && p.Undo && p.Attempts == 0 && (p.State == posting.Intended || p.State == posting.Refused || p.State == posting.Parked) {
			s.postings[id][i].State, s.postings[id][i].Undo = posting.Posted, false
		}
	}
	return true, nil
}

// Restore notes that a posting is to be taken off and posted anew.
func (s *Memory) Restore(_ context.Context, d posting.Decision) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := subject{d.Ref, d.Target}
	for i, p := range s.postings[id] {
		if p.Reference == d.Reference && p.State == posting.Posted && s.settled(id) {
			s.postings[id][i].State, s.postings[id][i].Undo, s.postings[id][i].Attempts, s.complete[id] = posting.Intended, true, 0, 0
			return nil
		}
	}
	return ErrNone
}

// Adopt implements posting.Store.
func (s *Memory) Adopt(_ context.Context, found []posting.Posting) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range found {
		id := subject{p.Ref, p.Target}
		if !slices.ContainsFunc(s.postings[id], func(q posting.Posting) bool { return q.Revision == p.Revision }) {
			p.State, p.Entry = posting.Posted, 0
			s.postings[id] = append(s.postings[id], p)
		}
	}
	return nil
}

// Postings implements posting.Store.
func (s *Memory) Postings(_ context.Context, ref day.Ref) ([]posting.Posting, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []posting.Posting
	for id, postings := range s.postings {
		if id.Ref == ref {
			all = append(all, postings...)
		}
	}
	slices.SortFunc(all, func(a, b posting.Posting) int {
		if c := strings.Compare(a.Target, b.Target); c != 0 {
			return c
		}
		return a.Revision - b.Revision
	})
	return all, nil
}
