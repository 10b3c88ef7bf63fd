package storage

import (
	"context"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/shared/bizday"
)

// Counts are how many store-days and postings are in each state of those that are
// under way, of all merchants together: days that are neither ready nor external at
// their version (one that was, and to which something came, in the state it was in)
// and postings that are not settled. The others only grow, and nobody could count
// them each time somebody asks.
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
	countDays     query = `SELECT state, count(*), min(day) FROM store_day WHERE settled = 0 AND merchant <> $1 GROUP BY state`
	countPostings query = `SELECT state, count(*) FROM posting WHERE state NOT IN ('posted', 'undone') AND merchant <> $1 GROUP BY state`
	openShops     query = `SELECT DISTINCT merchant, store FROM store_day WHERE settled = 0 AND state = $2 AND merchant <> $1`
)

// Counts counts them.
func (db *DB) Counts(ctx context.Context) (Counts, error) {
	var c Counts
	err := db.read(ctx, everyone, "count what is under way", func(tx *tx) error {
		c = Counts{Days: map[string]int64{}, Postings: map[string]int64{}, Open: map[Shop]bool{}}
		if err := tx.each(func(scan func(...any) error) error {
			var state string
			var n int64
			var oldest bizday.Day
			err := scan(&state, &n, &oldest)
			c.Days[state] = n
			if c.Oldest == "" || oldest < c.Oldest {
				c.Oldest = oldest
			}
			return err
		}, countDays, ""); err != nil {
			return err
		}
		if err := tx.each(func(scan func(...any) error) error {
			var state string
			var n int64
			err := scan(&state, &n)
			c.Postings[state] = n
			return err
		}, countPostings, ""); err != nil {
			return err
		}
		return tx.each(func(scan func(...any) error) error {
			var s Shop
			err := scan(&s.Merchant, &s.Store)
			c.Open[s] = true
			return err
		}, openShops, "", day.Open)
	})
	return c, err
}
