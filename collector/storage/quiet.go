package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/shared/bizday"
)

const (
	daysSince query = `SELECT day FROM store_day WHERE merchant = $1 AND store = $2 AND day >= $3 ORDER BY day`
	dayBefore query = `SELECT day FROM store_day WHERE merchant = $1 AND store = $2 AND day < $3 ORDER BY day DESC LIMIT 1`
	openDay   query = `INSERT INTO store_day (merchant, store, day, version, state, changed_at) VALUES ($1, $2, $3, 1, 'open', $4)
		ON CONFLICT (merchant, store, day) DO NOTHING`
)

// Known implements day.QuietStore.
func (db *DB) Known(ctx context.Context, merchantID, store string, since bizday.Day) (days []bizday.Day, older bool, agents []day.Agent, err error) {
	err = db.read(ctx, merchantID, "read the days of store "+store, func(tx *tx) error {
		days, agents = nil, nil
		if err := tx.each(func(scan func(...any) error) error {
			var d bizday.Day
			err := scan(&d)
			days = append(days, d)
			return err
		}, daysSince, merchantID, store, string(since)); err != nil {
			return err
		}
		var before string
		err := tx.row(dayBefore, merchantID, store, string(since))(&before)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		older = err == nil
		agents, err = tx.dayAgents(merchantID, store)
		return err
	})
	return days, older, agents, err
}

// dayAgents returns the agents of a store as the day room sees them.
func (t *tx) dayAgents(merchantID, store string) ([]day.Agent, error) {
	all, err := t.agents(storeAgents, merchantID, store)
	var agents []day.Agent
	for _, a := range all {
		agents = append(agents, day.Agent{ID: a.Identity.Agent, CoveredTo: a.Beat.CoveredTo, Revoked: !a.RevokedAt.IsZero()})
	}
	return agents, err
}

// Open implements day.QuietStore.
func (db *DB) Open(ctx context.Context, ref day.Ref, at time.Time) error {
	return db.write(ctx, ref.Merchant, fmt.Sprintf("open day %s %s", ref.Store, ref.Day), func(tx *tx) error {
		_, err := tx.exec(openDay, ref.Merchant, ref.Store, string(ref.Day), micros(at))
		return err
	})
}
