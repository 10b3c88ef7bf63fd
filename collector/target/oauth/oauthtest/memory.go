// Package oauthtest keeps tokens in memory, by the rules that oauth.Tokens
// states. It is for tests and for the sandbox: nothing is sealed and nothing
// outlives the process.
package oauthtest

import (
	"context"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/target/oauth"
)

// Memory is an oauth.Tokens.
type Memory struct {
	mu     sync.Mutex
	tokens map[string]*kept
	fail   error
}

type kept struct {
	oauth.Token
	claimed time.Time
}

var _ oauth.Tokens = (*Memory)(nil)

// New returns an empty Memory.
func New() *Memory { return &Memory{tokens: map[string]*kept{}} }

// FailSaves has each Save fail with err until it is nil.
func (m *Memory) FailSaves(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// Load implements oauth.Tokens.
func (m *Memory) Load(_ context.Context, connection string) (oauth.Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.tokens[connection]
	if k == nil {
		return oauth.Token{}, oauth.ErrNone
	}
	return k.Token, nil
}

// Claim implements oauth.Tokens.
func (m *Memory) Claim(_ context.Context, connection string, version int64, now, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.tokens[connection]
	if k == nil || k.Version != version || now.Before(k.claimed) {
		return oauth.ErrClaimed
	}
	k.claimed = until
	return nil
}

// Release implements oauth.Tokens.
func (m *Memory) Release(_ context.Context, connection string, version int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.tokens[connection]; k != nil && k.Version == version {
		k.claimed = time.Time{}
	}
	return nil
}

// Save implements oauth.Tokens.
func (m *Memory) Save(_ context.Context, connection string, version int64, t oauth.Token) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	k := m.tokens[connection]
	switch {
	case k == nil && version != 0, k != nil && version != 0 && k.Version != version:
		return oauth.ErrClaimed
	case k != nil:
		t.Version = k.Version + 1
	default:
		t.Version = 1
	}
	m.tokens[connection] = &kept{Token: t}
	return nil
}
