package storage

import (
	"context"
	"encoding/json"
	"fmt"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
)

const lastDays query = `SELECT d.day, d.state, d.hold, (SELECT count(*) FROM delivery v
	WHERE v.merchant = d.merchant AND v.store = d.store AND v.day = d.day AND v.posted < v.newest)
	FROM store_day d WHERE d.merchant = $1 AND d.store = $2 ORDER BY d.day DESC LIMIT $3`

// LastDays returns the last n days of an agent's store, the newest first.
func (db *DB) LastDays(ctx context.Context, id fleet.Identity, n int) ([]intake.DayState, error) {
	var days []intake.DayState
	err := db.read(ctx, id.Merchant, "read the last days of store "+id.Store, func(tx *tx) error {
		days = nil
		return tx.each(func(scan func(...any) error) error {
			var d intake.DayState
			var hold string
			if err := scan(&d.Day, &d.State, &hold, &d.Due); err != nil {
				return err
			}
			if hold != "" {
				var h day.Hold
				if err := json.Unmarshal([]byte(hold), &h); err != nil {
					return fmt.Errorf("hold of day %s: %w", d.Day, err)
				}
				d.Hold = h.Reason
			}
			days = append(days, d)
			return nil
		}, lastDays, id.Merchant, id.Store, n)
	})
	return days, err
}
