package intaketest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/fleet"
)

// Effects returns how often each document changed something. More than once is
// a broken promise.
func (s *Store) Effects() map[Effect]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.effects)
}

// Conflicts returns the documents that another agent stated otherwise.
func (s *Store) Conflicts() map[Effect]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.conflicts)
}

// Current returns the hash of each document's current revision, by key.
func (s *Store) Current(merchant string) map[string][32]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	current := map[string][32]byte{}
	for key, head := range s.heads {
		if key.merchant == merchant {
			current[key.key] = head.Hash
		}
	}
	return current
}

// Rejected returns the records that are kept raw.
func (s *Store) Rejected() []Rejected {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rejected)
}

// Versions returns the version of each store-day.
func (s *Store) Versions() map[StoreDay]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.versions)
}

// Lost returns how many numbers of an agent were declared lost, by reason.
func (s *Store) Lost(id fleet.Identity) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := map[string]int{}
	for key, e := range s.epochs {
		if key.agentKey == (agentKey{id.Merchant, id.Agent}) {
			for _, reason := range e.lost {
				lost[reason]++
			}
		}
	}
	return lost
}

// Epochs returns how many epochs an agent has had.
func (s *Store) Epochs(id fleet.Identity) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.newest[agentKey{id.Merchant, id.Agent}])
}

// CoveredTo returns up to when all that an agent captured is stored.
func (s *Store) CoveredTo(id fleet.Identity) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var at time.Time
	for key, e := range s.epochs {
		if key.agentKey == (agentKey{id.Merchant, id.Agent}) && e.covered.Time.After(at) {
			at = e.covered.Time
		}
	}
	return at
}

// Presence keeps what intake tells of agents.
type Presence struct {
	mu    sync.Mutex
	seen  map[fleet.Identity][]time.Time
	beats map[fleet.Identity][]fleet.Beat
}

// Seen implements intake.Presence.
func (p *Presence) Seen(_ context.Context, id fleet.Identity, _ string, at time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil {
		p.seen = map[fleet.Identity][]time.Time{}
	}
	p.seen[id] = append(p.seen[id], at)
	return nil
}

// Beat implements intake.Presence.
func (p *Presence) Beat(_ context.Context, id fleet.Identity, b fleet.Beat, _ time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.beats == nil {
		p.beats = map[fleet.Identity][]fleet.Beat{}
	}
	p.beats[id] = append(p.beats[id], b)
	return nil
}

// SeenAt returns when an agent was seen.
func (p *Presence) SeenAt(id fleet.Identity) []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen[id])
}

// Beats returns an agent's heartbeats.
func (p *Presence) Beats(id fleet.Identity) []fleet.Beat {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.beats[id])
}
