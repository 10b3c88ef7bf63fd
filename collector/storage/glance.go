package storage

import (
	"context"
	"fmt"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/shared/bizday"
)

// closedSince counts the days of a store on which one of its terminals closed.
// Only days that are there are looked up, by index.
const closedSince query = `SELECT count(*) FROM store_day d WHERE d.merchant = $1 AND d.store = $2 AND d.day >= $3 AND d.day <= $4
	AND EXISTS (SELECT 1 FROM document x WHERE x.merchant = d.merchant AND x.store = d.store AND x.day = d.day
		AND x.kind = 'PERIOD_CLOSE' AND x.standing = 'current')`

// Glances returns what little tells whether days of a merchant wait, from one
// snapshot and without their documents. Days that are not there, and those of
// stores that are not in the configuration, are left out.
func (db *DB) Glances(ctx context.Context, merchantID string, refs []day.Ref) ([]day.Glance, error) {
	var glances []day.Glance
	err := db.read(ctx, merchantID, fmt.Sprintf("glance at %d days of merchant %s", len(refs), merchantID), func(tx *tx) error {
		glances = nil
		config, err := tx.merchant(merchantID)
		if err != nil {
			return err
		}
		agents := map[string][]day.Agent{} // by store
		return tx.glances(merchantID, refs, func(g day.Glance) error {
			known := false
			if g.Store, known = config.Store(g.Ref.Store); !known {
				return nil
			}
			if g.Agents, known = agents[g.Ref.Store]; !known {
				if g.Agents, err = tx.dayAgents(merchantID, g.Ref.Store); err != nil {
					return err
				}
				agents[g.Ref.Store] = g.Agents
			}
			if err := tx.around(&g); err != nil {
				return err
			}
			glances = append(glances, g)
			return nil
		})
	})
	return glances, err
}

// glances calls f for those of the days that are there.
func (t *tx) glances(merchantID string, refs []day.Ref, f func(day.Glance) error) error {
	wanted := map[day.Ref]bool{}
	for _, ref := range refs {
		wanted[ref] = true
	}
	var days []day.StoreDay
	err := t.each(func(scan func(...any) error) error {
		d, err := scanDay(scan)
		if wanted[d.Ref] {
			days = append(days, d)
		}
		return err
	}, unsettledOf, merchantID)
	for _, d := range days {
		if err == nil {
			err = f(day.Glance{StoreDay: d})
		}
	}
	return err
}

// around adds what stands beside the day.
func (t *tx) around(g *day.Glance) error {
	count := func(q query, args ...any) (n int, err error) {
		err = t.row(q, append([]any{g.Ref.Merchant, g.Ref.Store}, args...)...)(&n)
		return n, err
	}
	on := func(d bizday.Day) string { return string(d) }
	closed, err := count(closedSince, on(g.Day), on(g.Day.Add(day.SpanDays)))
	if err != nil {
		return err
	}
	entered, err := count(enteredDay, on(g.Day))
	if err != nil {
		return err
	}
	g.Closed, g.Entered = closed > 0, entered > 0
	calendar, err := g.Store.Calendar()
	if err != nil {
		return err
	}
	g.Rejected, err = count(rejectedSince, micros(calendar.Rule.Start(g.Day)))
	return err
}
