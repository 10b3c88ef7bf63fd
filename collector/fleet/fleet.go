// Package fleet keeps the agents: how one joins with a one-time code, the
// certificate it is known by, whether it may still speak, when it was last
// heard and what it said of itself.
//
// An agent belongs to one store of one merchant, written into its certificate
// (spiffe://MERCHANT/STORE/agent/ID); nothing an agent sends can change for
// whom it speaks. Its certificate is renewed against itself, and for a limited
// time after its end against proof of its key; what is kept of the newest one
// tells a copy of the identity from the agent. Revocation takes effect at the
// next connection and, on live streams, within five seconds.
package fleet

import (
	"context"
	"errors"
	"time"
)

// Identity is for whom a connection speaks, taken from its certificate alone.
type Identity struct {
	Merchant, Store, Agent string
}

// FeedPrefix begins the names of feeds, which speak for stores as agents do and are
// not enrolled. No enrolled agent has a dot in its name.
const FeedPrefix = "feed."

// Agent is one installed agent as the collector knows it.
type Agent struct {
	Identity
	Host       string
	Version    string
	EnrolledAt time.Time
	RevokedAt  time.Time // zero: may speak
	DoubtedAt  time.Time // since when a restore left it open whether it was revoked; zero: it is known
	SeenAt     time.Time // last Hello, batch or heartbeat
	Beat       Beat

	Newest, Before Certificate // the newest certificate, and the one that it was given for
	Recoveries     uint64      // certificates given after the one before had expired
	RecoveredAt    time.Time   // the last of them
	CopiedAt       time.Time   // last time that a certificate was used that another had taken the place of
}

// Certificate is what is kept of an agent's certificate.
type Certificate struct {
	Key       [32]byte // SHA-256 of its public key; zero: none is known
	Issuer    string   // pin of the authority
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// Beat is the last heartbeat.
type Beat struct {
	Unsent       uint64
	OldestUnsent time.Time
	Refused      uint64
	Quarantined  uint64
	Work         string        // ok degraded failed upgrading paused
	CoveredTo    time.Time     // everything captured up to here is stored
	Skew         time.Duration // its clock less ours
	Snapshot     []byte        // its metrics, see Metrics; empty: none came with this one
}

// MaxSkew is how far an agent's clock may be off before people are told.
const MaxSkew = 2 * time.Minute

// Contact states of an agent.
const (
	Pending = "pending"
	Online  = "online"
	Silent  = "silent"
	Retired = "retired"
)

// SilentAfter is how long an agent may say nothing before it is silent.
const SilentAfter = 90 * time.Second

// Contact returns the agent's state at a moment.
func (a Agent) Contact(now time.Time) string {
	switch {
	case !a.RevokedAt.IsZero():
		return Retired
	case a.SeenAt.IsZero():
		return Pending
	case now.Sub(a.SeenAt) > SilentAfter:
		return Silent
	}
	return Online
}

// Errors of enrolment.
var (
	ErrCode    = errors.New("join code unknown, used or expired")
	ErrRevoked = errors.New("agent is revoked")
	ErrUnknown = errors.New("agent unknown")
	ErrDoubted = errors.New("the database was put back from a backup, and a person has to admit this agent again")
)

// Code is one join code; only a hash of it is stored.
type Code struct {
	Hash            [32]byte
	Merchant, Store string
	Authority       string // pin in the join string
	ExpiresAt       time.Time
}

// Store is what fleet needs kept. Each method is one transaction.
type Store interface {
	AddCode(ctx context.Context, c Code) error
	// Redeem uses a code up and adds the agent it is redeemed for, or returns ErrCode.
	Redeem(ctx context.Context, hash [32]byte, agent string, host, version string, at time.Time) (Identity, error)
	Agent(ctx context.Context, merchant, agent string) (Agent, error)
	Agents(ctx context.Context) ([]Agent, error) // of all merchants
	// OpenCodes counts the codes that can still be redeemed and pin an authority.
	OpenCodes(ctx context.Context, authority string, at time.Time) (int, error)
	// Certify notes that an agent asks for a certificate, as Judge says, and
	// returns the verdict; ErrUnknown where there is no such agent.
	Certify(ctx context.Context, id Identity, ask Ask) (Verdict, error)
	Revoke(ctx context.Context, merchant, agent string, at time.Time) error
	// Revoked returns the agents that were revoked at or after a moment.
	Revoked(ctx context.Context, since time.Time) ([]Identity, error)
	Seen(ctx context.Context, id Identity, version string, at time.Time) error
	Beat(ctx context.Context, id Identity, b Beat, at time.Time) error
}
