package storage

import (
	"cmp"
	"context"
	"fmt"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/shared/bizday"
)

const (
	pageOfDays query = dayColumns + ` WHERE merchant = $1 AND day >= $2 AND (day, store) < ($3, $4) ORDER BY day DESC, store DESC LIMIT $5`
	dueTargets query = `SELECT target FROM delivery WHERE merchant = $1 AND store = $2 AND day = $3 AND posted < newest ORDER BY target`
)

// Listed is a day as a list shows it.
type Listed struct {
	day.StoreDay
	Postings []posting.Posting
	Due      []string // targets that do not hold the newest entry yet
}

// DayList returns at most limit days of a merchant from a business day on, newest
// first, that come after one of the list in this order; the zero Ref is before all
// of them. What it costs depends on limit, not on how many days there are.
func (db *DB) DayList(ctx context.Context, merchantID string, from bizday.Day, after day.Ref, limit int) ([]Listed, error) {
	var list []Listed
	err := db.read(ctx, merchantID, "list days", func(tx *tx) error {
		list = nil
		// No day is later than this one.
		err := tx.each(func(scan func(...any) error) error {
			d, err := scanDay(scan)
			list = append(list, Listed{StoreDay: d, Due: []string{}})
			return err
		}, pageOfDays, merchantID, string(from), cmp.Or(string(after.Day), "9999-12-32"), after.Store, limit)
		if err != nil {
			return err
		}
		for i := range list {
			if err := tx.detail(&list[i]); err != nil {
				return fmt.Errorf("day %s of store %s: %w", list[i].Day, list[i].Store, err)
			}
		}
		return nil
	})
	return list, err
}

func (t *tx) detail(l *Listed) (err error) {
	if l.Postings, err = t.postings(dayPostings, l.Merchant, l.Store, string(l.Day)); err != nil {
		return err
	}
	return t.each(func(scan func(...any) error) error {
		var target string
		err := scan(&target)
		l.Due = append(l.Due, target)
		return err
	}, dueTargets, l.Merchant, l.Store, string(l.Day))
}
