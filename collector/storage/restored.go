package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"tillbook.example/tillbook/collector/backup"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/logbook"
)

// restoredBy is who stopped the merchants of a database that was put back.
const restoredBy = "restore"

const (
	doubtPostings  query = `UPDATE posting SET state = 'unknown', error = 'before the restore: ' || error WHERE merchant = $1 AND state IN ('intended', 'refused')`
	newIncarnation query = `UPDATE meta SET value = $1 WHERE name = 'incarnation'`
	doubtAgent     query = `UPDATE agent SET doubted_at = $3 WHERE merchant = $1 AND agent = $2 AND revoked_at = 0 AND doubted_at = 0`
	admitAgent     query = `UPDATE agent SET doubted_at = 0 WHERE merchant = $1 AND agent = $2 AND doubted_at > 0`
	allTokens      query = `SELECT merchant, connection, access, refresh, expiry, until, ended, version FROM token WHERE merchant <> $1 ORDER BY merchant, connection`
	laterToken     query = `UPDATE token SET access = $4, refresh = $5, expiry = $6, until = $7, ended = $8, version = $3, claimed = 0
		WHERE merchant = $1 AND connection = $2 AND version < $3`
)

// Standing implements backup.Database.
func (db *DB) Standing(ctx context.Context) (s backup.Standing, err error) {
	err = db.read(ctx, everyone, "read who may speak", func(tx *tx) error {
		s = backup.Standing{}
		agents, err := tx.agents(selectAgents)
		if err != nil {
			return err
		}
		for _, a := range agents {
			s.Agents = append(s.Agents, standing(a))
		}
		return tx.each(func(scan func(...any) error) error {
			var t backup.Token
			var expiry, until int64
			err := scan(&t.Merchant, &t.Connection, &t.Access, &t.Refresh, &expiry, &until, &t.Ended, &t.Version)
			t.Expiry, t.Until = moment(expiry), moment(until)
			s.Tokens = append(s.Tokens, t)
			return err
		}, allTokens, "")
	})
	return s, err
}

func standing(a fleet.Agent) backup.Agent {
	return backup.Agent{Merchant: a.Merchant, Agent: a.Agent, Store: a.Store, Host: a.Host, RevokedAt: a.RevokedAt}
}

// Restored implements backup.Database: what could have been sent after the copy
// was made is unknown, so that it is looked up first; every merchant is stopped,
// until a person sees that the agents have sent again what is missing; agents of
// which nobody knows whether they were revoked since may not speak; and last the
// database has a new incarnation. Each merchant is a transaction of its own.
func (db *DB) Restored(ctx context.Context, at time.Time, last *backup.Standing) (a backup.Aftermath, err error) {
	merchants, err := db.Merchants(ctx)
	if err != nil {
		return a, err
	}
	now, err := db.Standing(ctx)
	if err != nil {
		return a, err
	}
	a = aftermath(now, last)
	for _, m := range merchants {
		a.Merchants = append(a.Merchants, m.ID)
		if err := db.write(ctx, m.ID, "mark merchant "+m.ID+" as restored", func(tx *tx) error { return tx.restored(m.ID, at, a, last) }); err != nil {
			return a, err
		}
	}
	var incarnation [16]byte
	if _, err := rand.Read(incarnation[:]); err != nil {
		return a, fmt.Errorf("make incarnation: %w", err)
	}
	return a, db.write(ctx, everyone, "make incarnation", func(tx *tx) error {
		n, err := tx.exec(newIncarnation, incarnation[:])
		if err == nil && n != 1 {
			err = errors.New("there was none")
		}
		return err
	})
}

// aftermath compares how things stand with how they stood last.
func aftermath(now backup.Standing, last *backup.Standing) (a backup.Aftermath) {
	same := func(x backup.Agent) func(backup.Agent) bool {
		return func(y backup.Agent) bool { return x.Merchant == y.Merchant && x.Agent == y.Agent }
	}
	for _, agent := range now.Agents {
		i := -1
		if last != nil {
			i = slices.IndexFunc(last.Agents, same(agent))
		}
		switch {
		case !agent.RevokedAt.IsZero():
		case i < 0:
			a.Doubted = append(a.Doubted, agent)
		case !last.Agents[i].RevokedAt.IsZero():
			a.Revoked = append(a.Revoked, last.Agents[i])
		}
	}
	for _, token := range now.Tokens {
		if last == nil || !slices.ContainsFunc(last.Tokens, func(t backup.Token) bool {
			return t.Merchant == token.Merchant && t.Connection == token.Connection && t.Version >= token.Version
		}) {
			a.Connections = append(a.Connections, backup.Connection{Merchant: token.Merchant, Connection: token.Connection})
		}
	}
	if last != nil {
		for _, agent := range last.Agents {
			if !slices.ContainsFunc(now.Agents, same(agent)) {
				a.Joined = append(a.Joined, agent)
			}
		}
	}
	return a
}

// restored marks what is of one merchant.
func (t *tx) restored(merchantID string, at time.Time, a backup.Aftermath, last *backup.Standing) error {
	if _, err := t.exec(insertStop, merchantID, micros(at), restoredBy, day.StopPaused); err != nil {
		return err
	}
	if _, err := t.exec(doubtPostings, merchantID); err != nil {
		return err
	}
	if err := t.note(act(merchantID, logbook.Restore, "", "", "", at)); err != nil {
		return err
	}
	for _, agent := range a.Doubted {
		if agent.Merchant == merchantID {
			if _, err := t.exec(doubtAgent, merchantID, agent.Agent, micros(at)); err != nil {
				return err
			}
		}
	}
	for _, agent := range a.Revoked {
		if agent.Merchant == merchantID {
			if _, err := t.exec(revokeAgent, merchantID, agent.Agent, micros(agent.RevokedAt)); err != nil {
				return err
			}
			if err := t.note(act(merchantID, logbook.Revoke, agent.Agent, "by the database that was set aside", "", at)); err != nil {
				return err
			}
		}
	}
	if last == nil {
		return nil
	}
	for _, token := range last.Tokens {
		if token.Merchant == merchantID {
			if _, err := t.exec(laterToken, merchantID, token.Connection, token.Version, filled(token.Access), filled(token.Refresh),
				micros(token.Expiry), micros(token.Until), token.Ended); err != nil {
				return err
			}
		}
	}
	return nil
}

// Admit lets an agent speak of which a restore left open whether it was revoked,
// and says whether there was need to; an unknown agent is fleet.ErrUnknown.
func (db *DB) Admit(ctx context.Context, merchant, agent string, at time.Time) (admitted bool, err error) {
	err = db.agentUpdate(ctx, "admit agent "+agent, merchant, agent, func(tx *tx) error {
		admitted = true
		return tx.note(act(merchant, logbook.Admit, agent, "", "", at))
	}, admitAgent, merchant, agent)
	return admitted, err
}
