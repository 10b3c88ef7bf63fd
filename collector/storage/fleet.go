package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/logbook"
)

const (
	insertCode query = `INSERT INTO join_code (hash, merchant, store, authority, expires_at) VALUES ($1, $2, $3, $4, $5)`
	useCode    query = `UPDATE join_code SET used_by = $2 WHERE hash = $1 AND used_by = '' AND expires_at > $3`
	selectCode query = `SELECT merchant, store FROM join_code WHERE hash = $1`
	openCodes  query = `SELECT count(*) FROM join_code WHERE authority IN ($1, '') AND used_by = '' AND expires_at > $2`

	insertAgent query = `INSERT INTO agent (merchant, agent, store, host, version, enrolled_at) VALUES ($1, $2, $3, $4, $5, $6)`
	revokeAgent query = `UPDATE agent SET revoked_at = $3 WHERE merchant = $1 AND agent = $2 AND revoked_at = 0`
	seenAgent   query = `UPDATE agent SET version = CASE WHEN $3 = '' THEN version ELSE $3 END,
		seen_at = CASE WHEN seen_at > $4 THEN seen_at ELSE $4 END WHERE merchant = $1 AND agent = $2`
	beatAgent query = `UPDATE agent SET seen_at = $3, unsent = $4, oldest_unsent = $5, refused = $6, quarantined = $7, work = $8,
		skew = $9, snapshot = CASE WHEN $11 = 1 THEN $10 ELSE snapshot END
		WHERE merchant = $1 AND agent = $2 AND seen_at <= $3`
	certifyAgent query = `UPDATE agent SET key = $3, issuer = $4, issued_at = $5, expires_at = $6,
		before_key = $7, before_issuer = $8, before_issued_at = $9, before_expires_at = $10,
		recoveries = $11, recovered_at = $12, copied_at = $13 WHERE merchant = $1 AND agent = $2`
	revokedAgents query = `SELECT merchant, store, agent FROM agent WHERE revoked_at > 0 AND revoked_at >= $1`
	existsAgent   query = `SELECT 1 FROM agent WHERE merchant = $1 AND agent = $2`

	// The newest epoch says up to when an agent is covered.
	agentColumns = `SELECT a.merchant, a.agent, a.store, a.host, a.version, a.enrolled_at, a.revoked_at, a.seen_at,
		a.unsent, a.oldest_unsent, a.refused, a.quarantined, a.work, a.skew, a.snapshot,
		a.key, a.issuer, a.issued_at, a.expires_at, a.before_key, a.before_issuer, a.before_issued_at, a.before_expires_at,
		a.recoveries, a.recovered_at, a.copied_at, a.doubted_at, coalesce((SELECT e.covered_to FROM epoch e
		WHERE e.merchant = a.merchant AND e.agent = a.agent ORDER BY e.epoch DESC LIMIT 1), 0) FROM agent a`
	selectAgent  query = agentColumns + ` WHERE a.merchant = $1 AND a.agent = $2`
	selectAgents query = agentColumns + ` ORDER BY a.merchant, a.store, a.agent`
	storeAgents  query = agentColumns + ` WHERE a.merchant = $1 AND a.store = $2 ORDER BY a.agent`
)

// AddCode stores a join code.
func (db *DB) AddCode(ctx context.Context, c fleet.Code) error {
	return db.write(ctx, c.Merchant, "add join code", func(tx *tx) error {
		if _, err := tx.exec(insertCode, c.Hash[:], c.Merchant, c.Store, c.Authority, micros(c.ExpiresAt)); err != nil {
			return err
		}
		return tx.note(act(c.Merchant, logbook.JoinCode, c.Store, "", "", time.Time{}))
	})
}

// OpenCodes counts the codes that can still be redeemed and pin an authority;
// one of which that is not known pins any.
func (db *DB) OpenCodes(ctx context.Context, authority string, at time.Time) (n int, err error) {
	err = db.read(ctx, everyone, "count join codes", func(tx *tx) error {
		return tx.row(openCodes, authority, micros(at))(&n)
	})
	return n, err
}

// Redeem uses a join code up and adds the agent it is redeemed for. A code that
// is unknown, used or expired at the moment is fleet.ErrCode.
func (db *DB) Redeem(ctx context.Context, hash [32]byte, agent string, host, version string, at time.Time) (fleet.Identity, error) {
	id := fleet.Identity{Agent: agent}
	err := db.write(ctx, everyone, "redeem join code", func(tx *tx) error {
		err := tx.row(selectCode, hash[:])(&id.Merchant, &id.Store)
		if errors.Is(err, sql.ErrNoRows) {
			return fleet.ErrCode
		}
		if err != nil {
			return err
		}
		if err := tx.as(id.Merchant); err != nil {
			return err
		}
		n, err := tx.exec(useCode, hash[:], agent, micros(at))
		if err == nil && n != 1 {
			err = fleet.ErrCode
		}
		if err != nil {
			return err
		}
		_, err = tx.exec(insertAgent, id.Merchant, agent, id.Store, host, version, micros(at))
		return err
	})
	if err != nil {
		return fleet.Identity{}, err
	}
	return id, nil
}

// Agent returns one agent, or fleet.ErrUnknown. Its CoveredTo is what its newest
// epoch has stored, not what the last heartbeat said.
func (db *DB) Agent(ctx context.Context, merchant, agent string) (fleet.Agent, error) {
	var a fleet.Agent
	err := db.read(ctx, merchant, "read agent "+agent, func(tx *tx) (err error) {
		a, err = scanAgent(tx.row(selectAgent, merchant, agent))
		if errors.Is(err, sql.ErrNoRows) {
			return fleet.ErrUnknown
		}
		return err
	})
	return a, err
}

// Agents returns all agents of all merchants, by merchant, store and agent.
func (db *DB) Agents(ctx context.Context) ([]fleet.Agent, error) {
	var agents []fleet.Agent
	err := db.read(ctx, everyone, "read agents", func(tx *tx) (err error) {
		agents, err = tx.agents(selectAgents)
		return err
	})
	return agents, err
}

func (t *tx) agents(q query, args ...any) ([]fleet.Agent, error) {
	var agents []fleet.Agent
	err := t.each(func(scan func(...any) error) error {
		a, err := scanAgent(scan)
		agents = append(agents, a)
		return err
	}, q, args...)
	return agents, err
}

func scanAgent(scan func(...any) error) (a fleet.Agent, err error) {
	var enrolled, revoked, seen, oldest, covered, unsent, refused, quarantined, recoveries, recovered, copied, doubted, skew int64
	var newest, before certificateRow
	err = scan(&a.Merchant, &a.Identity.Agent, &a.Store, &a.Host, &a.Version, &enrolled, &revoked, &seen,
		&unsent, &oldest, &refused, &quarantined, &a.Beat.Work, &skew, &a.Beat.Snapshot,
		&newest.key, &newest.issuer, &newest.issued, &newest.expires, &before.key, &before.issuer, &before.issued, &before.expires,
		&recoveries, &recovered, &copied, &doubted, &covered)
	a.EnrolledAt, a.RevokedAt, a.DoubtedAt, a.SeenAt = moment(enrolled), moment(revoked), moment(doubted), moment(seen)
	a.Beat.Unsent, a.Beat.Refused, a.Beat.Quarantined = uint64(unsent), uint64(refused), uint64(quarantined)
	a.Beat.OldestUnsent, a.Beat.CoveredTo = moment(oldest), moment(covered)
	a.Beat.Skew = time.Duration(skew) * time.Microsecond
	if len(a.Beat.Snapshot) == 0 {
		a.Beat.Snapshot = nil
	}
	a.Newest, a.Before = newest.certificate(), before.certificate()
	a.Recoveries, a.RecoveredAt, a.CopiedAt = uint64(recoveries), moment(recovered), moment(copied)
	return a, err
}

// certificateRow is a fleet.Certificate as it stands in a row of agent.
type certificateRow struct {
	key             []byte // empty: none is known
	issuer          string
	issued, expires int64
}

func (r certificateRow) certificate() fleet.Certificate {
	c := fleet.Certificate{Issuer: r.issuer, IssuedAt: moment(r.issued), ExpiresAt: moment(r.expires)}
	copy(c.Key[:], r.key)
	return c
}

// Certify has fleet.Judge decide on a request for a certificate and keeps what
// it makes of the agent; an unknown agent is fleet.ErrUnknown.
func (db *DB) Certify(ctx context.Context, id fleet.Identity, ask fleet.Ask) (verdict fleet.Verdict, err error) {
	err = db.write(ctx, id.Merchant, "certify agent "+id.Agent, func(tx *tx) error {
		a, err := scanAgent(tx.row(selectAgent, id.Merchant, id.Agent))
		if errors.Is(err, sql.ErrNoRows) || err == nil && a.Identity != id {
			return fleet.ErrUnknown
		}
		if err != nil {
			return err
		}
		a, verdict = fleet.Judge(a, ask)
		_, err = tx.exec(certifyAgent, id.Merchant, id.Agent,
			a.Newest.Key[:], a.Newest.Issuer, micros(a.Newest.IssuedAt), micros(a.Newest.ExpiresAt),
			a.Before.Key[:], a.Before.Issuer, micros(a.Before.IssuedAt), micros(a.Before.ExpiresAt),
			clamp(a.Recoveries), micros(a.RecoveredAt), micros(a.CopiedAt))
		return err
	})
	return verdict, err
}

// Revoked returns the agents of all merchants that were revoked at or after a moment.
func (db *DB) Revoked(ctx context.Context, since time.Time) ([]fleet.Identity, error) {
	var agents []fleet.Identity
	err := db.read(ctx, everyone, "read revoked agents", func(tx *tx) error {
		return tx.each(func(scan func(...any) error) error {
			var id fleet.Identity
			err := scan(&id.Merchant, &id.Store, &id.Agent)
			agents = append(agents, id)
			return err
		}, revokedAgents, micros(since))
	})
	return agents, err
}

// Revoke takes an agent's right to speak away, from its first call on; an
// unknown agent is fleet.ErrUnknown.
func (db *DB) Revoke(ctx context.Context, merchant, agent string, at time.Time) error {
	return db.agentUpdate(ctx, "revoke agent "+agent, merchant, agent, func(tx *tx) error {
		return tx.note(act(merchant, logbook.Revoke, agent, "", "", at))
	}, revokeAgent, merchant, agent, micros(at))
}

// Seen notes that an agent was heard and which version it runs.
func (db *DB) Seen(ctx context.Context, id fleet.Identity, version string, at time.Time) error {
	return db.agentUpdate(ctx, "note agent "+id.Agent, id.Merchant, id.Agent, nil, seenAgent, id.Merchant, id.Agent, version, micros(at))
}

// Beat stores an agent's heartbeat, unless a newer one is stored. One without a
// snapshot leaves the last one. Its CoveredTo is not stored: see Agent and Covered.
func (db *DB) Beat(ctx context.Context, id fleet.Identity, b fleet.Beat, at time.Time) error {
	return db.agentUpdate(ctx, "store heartbeat of "+id.Agent, id.Merchant, id.Agent, nil, beatAgent,
		id.Merchant, id.Agent, micros(at), clamp(b.Unsent), micros(b.OldestUnsent), clamp(b.Refused), clamp(b.Quarantined), b.Work,
		b.Skew.Microseconds(), append([]byte{}, b.Snapshot...), flag(len(b.Snapshot) > 0))
}

// agentUpdate runs an update that changes nothing where it has been run before,
// and fails with fleet.ErrUnknown where there is no such agent. Where it changes
// something, then follows, if there is more to do.
func (db *DB) agentUpdate(ctx context.Context, what, merchant, agent string, then func(*tx) error, q query, args ...any) error {
	return db.writeRows(ctx, merchant, what, func(tx *tx) error {
		if n, err := tx.exec(q, args...); err != nil || n > 0 {
			if err == nil && then != nil {
				err = then(tx)
			}
			return err
		}
		var one int
		err := tx.row(existsAgent, merchant, agent)(&one)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("%s of merchant %s: %w", agent, merchant, fleet.ErrUnknown)
		}
		return err
	})
}

// clamp fits a count that an agent states into a column.
func clamp(n uint64) int64 { return int64(min(n, 1<<63-1)) }
