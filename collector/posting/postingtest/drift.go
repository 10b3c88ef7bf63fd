package postingtest

import (
	"context"
	"slices"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/drift"
	"tillbook.example/tillbook/collector/posting"
)

var _ drift.Store = (*Memory)(nil)

// looked is what the store keeps of looks at the books.
type looked struct {
	read     map[string]bool // by target and reference
	checked  map[string]time.Time
	woken    map[string]time.Time
	findings []drift.Finding
}

// Books implements drift.Store.
func (s *Memory) Books(context.Context) ([]drift.Books, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []drift.Books
	for _, c := range s.merchant.Connections {
		b := drift.Books{Merchant: s.merchant.ID, Target: c.ID, CheckedAt: s.looked.checked[c.ID], WokenAt: s.looked.woken[c.ID]}
		b.Unread = len(s.unread(c.ID)) > 0
		all = append(all, b)
	}
	return all, nil
}

func (s *Memory) unread(target string) []posting.Posting {
	return slices.DeleteFunc(s.at(target), func(p posting.Posting) bool {
		return p.State != posting.Posted || s.looked.read[target+" "+p.Reference]
	})
}

func (s *Memory) at(target string) []posting.Posting {
	var all []posting.Posting
	for id, postings := range s.postings {
		if id.target == target {
			all = append(all, postings...)
		}
	}
	slices.SortFunc(all, func(a, b posting.Posting) int { return strings.Compare(a.Reference, b.Reference) })
	return all
}

// Believed implements drift.Store.
func (s *Memory) Believed(_ context.Context, _, target string) ([]posting.Posting, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at(target), nil
}

// Unread implements drift.Store.
func (s *Memory) Unread(_ context.Context, _, target string, most int) ([]posting.Posting, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.unread(target)
	return all[:min(most, len(all))], nil
}

// Found implements drift.Store.
func (s *Memory) Found(_ context.Context, _, target, reference string, findings []drift.Finding, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looked.read == nil {
		s.looked = looked{read: map[string]bool{}, checked: map[string]time.Time{}, woken: map[string]time.Time{}}
	}
	same := func(a, b drift.Finding) bool {
		return a.Target == b.Target && a.Reference == b.Reference && a.Code == b.Code && a.RemoteID == b.RemoteID
	}
	for i, old := range s.looked.findings {
		if old.Target == target && (reference == "" || old.Reference == reference) && !slices.ContainsFunc(findings, func(f drift.Finding) bool { return same(f, old) }) {
			s.looked.findings[i].State = drift.Fixed
		}
	}
	for _, f := range findings {
		i := slices.IndexFunc(s.looked.findings, func(old drift.Finding) bool { return same(f, old) })
		if i < 0 {
			s.looked.findings = append(s.looked.findings, f)
			continue
		}
		if old := s.looked.findings[i]; f.State == drift.Opened && (old.State == drift.Ignored || old.State == drift.Accepted && old.Seen == f.Seen) {
			f.State = old.State
		}
		s.looked.findings[i] = f
	}
	if reference == "" {
		s.looked.checked[target] = at
	}
	for _, p := range s.at(target) {
		if (p.Reference == reference || reference == "" && p.SettledAt.Before(at.Add(-drift.Settling))) && p.State == posting.Posted {
			s.looked.read[target+" "+p.Reference] = true
		}
	}
	return nil
}

// Findings returns what was found, in no order.
func (s *Memory) Findings() []drift.Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.looked.findings)
}

// Mark stores what a person decided of what was found under a reference.
func (s *Memory) Mark(reference, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.looked.findings {
		if s.looked.findings[i].Reference == reference {
			s.looked.findings[i].State = state
		}
	}
}
