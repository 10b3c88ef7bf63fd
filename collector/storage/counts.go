package storage

import "context"

// Counts are how many store-days and postings are in each state, of all
// merchants together.
type Counts struct {
	Days, Postings map[string]int64
}

const (
	countDays     query = `SELECT state, count(*) FROM store_day WHERE merchant <> $1 GROUP BY state`
	countPostings query = `SELECT state, count(*) FROM posting WHERE merchant <> $1 GROUP BY state`
)

// Counts counts them.
func (db *DB) Counts(ctx context.Context) (Counts, error) {
	c := Counts{Days: map[string]int64{}, Postings: map[string]int64{}}
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
	return c, nil
}
