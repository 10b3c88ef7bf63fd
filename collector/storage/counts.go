package storage

import (
	"context"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/shared/bizday"
)

// Counts are how many store-days and postings are in each state, of all
// merchants together, and what of the days is still under way.
type Counts struct {
	Days, Postings map[string]int64
	// Oldest is the oldest day of any store that is neither ready nor external at
	// its version; empty: there is none.
	Oldest bizday.Day
	// Open are the stores that have an open day: something came for it, and it has
	// not ended.
	Open map[Shop]bool
}

// Shop is one store of one merchant.
type Shop struct{ Merchant, Store string }

const (
	countDays     query = `SELECT state, count(*) FROM store_day WHERE merchant <> $1 GROUP BY state`
	countPostings query = `SELECT state, count(*) FROM posting WHERE merchant <> $1 GROUP BY state`
	oldestDay     query = `SELECT COALESCE(min(day), '') FROM store_day WHERE settled = 0 AND merchant <> $1`
	openShops     query = `SELECT DISTINCT merchant, store FROM store_day WHERE settled = 0 AND state = $2 AND merchant <> $1`
)

// Counts counts them.
func (db *DB) Counts(ctx context.Context) (Counts, error) {
	c := Counts{Days: map[string]int64{}, Postings: map[string]int64{}, Open: map[Shop]bool{}}
	for q, into := range map[query]map[string]int64{countDays: c.Days, countPostings: c.Postings} {
		if err := db.each(ctx, everyone, "count states", func(scan func(...any) error) error {
			var state string
			var n int64
			if err := scan(&state, &n); err != nil {
				return err
			}
			into[state] = n
			return nil
		}, q, ""); err != nil {
			return Counts{}, err
		}
	}
	if err := db.each(ctx, everyone, "find the oldest day", func(scan func(...any) error) error {
		return scan(&c.Oldest)
	}, oldestDay, ""); err != nil {
		return Counts{}, err
	}
	if err := db.each(ctx, everyone, "find open stores", func(scan func(...any) error) error {
		var s Shop
		err := scan(&s.Merchant, &s.Store)
		c.Open[s] = true
		return err
	}, openShops, "", day.Open); err != nil {
		return Counts{}, err
	}
	return c, nil
}
