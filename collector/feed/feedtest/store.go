package feedtest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/shared/document"
)

// Memory keeps feeds as storage does, in memory. It may be used at the same time.
type Memory struct {
	mu     sync.Mutex
	states map[feed.ID]feed.State
	facts  map[string]fact // by kind and key
	takes  []feed.Taken
}

type fact struct {
	version int64
	text    string
}

// NewMemory returns one without feeds.
func NewMemory() *Memory {
	return &Memory{states: map[feed.ID]feed.State{}, facts: map[string]fact{}}
}

// Feeds implements feed.Store.
func (m *Memory) Feeds(context.Context) ([]feed.State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.states)), nil
}

// Take implements feed.Store.
func (m *Memory) Take(_ context.Context, id feed.ID, t feed.Taken) (feed.Kept, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.states[id]
	if s.Cursor != t.Before {
		return feed.Kept{}, feed.ErrStale
	}
	kept := m.keep(t.Page)
	m.takes = append(m.takes, t)
	s.ID, s.Cursor, s.PulledAt, s.NotBefore, s.Failures, s.Code, s.Error = id, t.Next, t.At, t.NotBefore, 0, "", ""
	if t.Covered.After(s.CoveredTo) {
		s.CoveredTo = t.Covered
	}
	m.states[id] = s
	return kept, nil
}

// Fail implements feed.Store.
func (m *Memory) Fail(_ context.Context, id feed.ID, f feed.Failure) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.states[id]
	s.ID, s.Code, s.Error, s.NotBefore = id, f.Code, f.Error, f.NotBefore
	s.Failures++
	if f.Restart {
		s.Cursor = ""
	}
	m.states[id] = s
	return nil
}

// Wake implements feed.Store.
func (m *Memory) Wake(_ context.Context, id feed.ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.states[id]
	s.ID, s.NotBefore = id, s.NotBefore.AddDate(-100, 0, 0)
	m.states[id] = s
	return nil
}

// Again keeps all pages that were taken once more, the last one first.
func (m *Memory) Again() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range slices.Backward(m.takes) {
		m.keep(t.Page)
	}
}

// State returns how a feed stands.
func (m *Memory) State(id feed.ID) feed.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.states[id]
}

// Facts returns what is known, by kind and key.
func (m *Memory) Facts() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string]string{}
	for key, f := range m.facts {
		all[key] = f.text
	}
	return all
}

func (m *Memory) keep(p feed.Page) (kept feed.Kept) {
	for _, d := range p.Documents {
		// By content: when it was captured says nothing.
		text := document.HashString(d.Document)
		if body, err := json.Marshal(d.Lines); err == nil {
			text += " " + string(body)
		}
		if m.put("document "+d.Key.String(), d.Version, text) {
			kept.Documents++
		}
	}
	for _, x := range p.Movements {
		if m.put(fmt.Sprintf("movement %s %s %s", x.Provider, x.Account, x.Key), x.Version, written(x.Movement)) {
			kept.Movements++
		}
	}
	for _, x := range p.Payouts {
		if m.put(fmt.Sprintf("payout %s %s %s", x.Provider, x.Account, x.Key), x.Version, written(x.Payout)) {
			kept.Payouts++
		}
	}
	for _, x := range p.Lines {
		if m.put(fmt.Sprintf("line %s %s", x.Account, x.Key), 0, written(x)) {
			kept.Lines++
		}
	}
	return kept
}

func (m *Memory) put(key string, version int64, text string) bool {
	known, ok := m.facts[key]
	if ok && version < known.version {
		return false
	}
	m.facts[key] = fact{version, text}
	return !ok || known.text != text
}

func written(what any) string {
	text, err := json.Marshal(what)
	if err != nil {
		return err.Error() // equal to nothing
	}
	return string(text)
}
