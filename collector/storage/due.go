package storage

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/posting"
)

// A day is due at a target where a newer entry is to be posted at a connection that
// is configured, unless its merchant is stopped and nobody said that the day is to
// be taken off; or where a posting is unsettled, whatever became of its connection or
// merchant: what is under way is finished. Both are answered from indexes that hold
// only such rows: nothing is read that is done.
const (
	deliveryBooks query = `SELECT DISTINCT merchant, target FROM delivery WHERE posted < newest AND (merchant, target) > ($1, $2)
		ORDER BY merchant, target LIMIT $3`
	postingBooks query = `SELECT DISTINCT merchant, target FROM posting WHERE state NOT IN ('posted', 'undone') AND (merchant, target) > ($1, $2)
		ORDER BY merchant, target LIMIT $3`
	merchantBooks query = `SELECT merchant, target FROM connection WHERE merchant = $1
		UNION SELECT merchant, target FROM posting WHERE merchant = $1 AND state NOT IN ('posted', 'undone')`
	dueDays query = `SELECT day, store FROM delivery WHERE merchant = $1 AND target = $2 AND posted < newest AND (day, store) > ($3, $4)
		AND (withdrawn = 1 OR CAST($5 AS BIGINT) = 0) ORDER BY day, store LIMIT $6`
	unsettledDue query = `SELECT day, store FROM posting WHERE merchant = $1 AND target = $2 AND state NOT IN ('posted', 'undone') AND (day, store) > ($3, $4)
		ORDER BY day, store LIMIT $5`
	connected   query = `SELECT count(*) FROM connection WHERE merchant = $1 AND target = $2`
	undelivered query = `SELECT count(*) FROM delivery WHERE merchant = $1 AND store = $2 AND day = $3 AND target = $4 AND posted < newest`
)

// all in place of a number of subjects.
const all = math.MaxInt32

// DueBooks implements posting.Store.
func (db *DB) DueBooks(ctx context.Context, after posting.Books, n int) (books []posting.Books, err error) {
	err = db.read(ctx, everyone, "find books to post to", func(tx *tx) (err error) {
		books, err = tx.dueBooks(after, n)
		return err
	})
	return books, err
}

func (t *tx) dueBooks(after posting.Books, n int) ([]posting.Books, error) {
	books, err := t.books(deliveryBooks, after.Merchant, after.Target, n)
	if err != nil {
		return nil, err
	}
	more, err := t.books(postingBooks, after.Merchant, after.Target, n)
	books = append(books, more...)
	slices.SortFunc(books, posting.Books.Compare)
	books = slices.Compact(books)
	return books[:min(n, len(books))], err
}

func (t *tx) books(q query, args ...any) (books []posting.Books, err error) {
	err = t.each(func(scan func(...any) error) error {
		var b posting.Books
		err := scan(&b.Merchant, &b.Target)
		books = append(books, b)
		return err
	}, q, args...)
	return books, err
}

// DueDays implements posting.Store.
func (db *DB) DueDays(ctx context.Context, books posting.Books, after day.Ref, n int) (days []day.Ref, err error) {
	err = db.read(ctx, books.Merchant, "find what is to be posted to "+books.Target, func(tx *tx) (err error) {
		days, err = tx.dueDays(books, after, n)
		return err
	})
	return days, err
}

func (t *tx) dueDays(books posting.Books, after day.Ref, n int) (days []day.Ref, err error) {
	add := func(scan func(...any) error) error {
		ref := day.Ref{Merchant: books.Merchant}
		err := scan(&ref.Day, &ref.Store)
		days = append(days, ref)
		return err
	}
	if err := t.each(add, unsettledDue, books.Merchant, books.Target, string(after.Day), after.Store, n); err != nil {
		return nil, err
	}
	here, stopped, err := t.posts(books)
	if err != nil {
		return nil, err
	}
	if here {
		if err := t.each(add, dueDays, books.Merchant, books.Target, string(after.Day), after.Store, flag(stopped), n); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(days, func(a, b day.Ref) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Store, b.Store)) })
	days = slices.Compact(days)
	return days[:min(n, len(days))], nil
}

// posts says whether anything new is posted to books: whether they are configured,
// and whether their merchant is stopped.
func (t *tx) posts(books posting.Books) (configured, stopped bool, err error) {
	var n int
	if err := t.row(connected, books.Merchant, books.Target)(&n); err != nil || n == 0 {
		return false, false, err
	}
	stop, err := t.stopped(books.Merchant)
	return true, stop != nil, err
}

// DueOf implements posting.Store.
func (db *DB) DueOf(ctx context.Context, ref day.Ref, target string) (due posting.Due, is bool, err error) {
	err = db.read(ctx, ref.Merchant, fmt.Sprintf("read what is to be posted of day %s %s to %s", ref.Store, ref.Day, target), func(tx *tx) (err error) {
		due, is, err = tx.dueOf(ref, target)
		return err
	})
	return due, is, err
}

func (t *tx) dueOf(ref day.Ref, target string) (due posting.Due, is bool, err error) {
	due = posting.Due{Ref: ref, Target: target}
	if due.Postings, err = t.postings(subjectPostings, ref.Merchant, ref.Store, string(ref.Day), target); err != nil {
		return due, false, err
	}
	if due.Withdrawn, err = t.withdrawn(ref, target); err != nil {
		return due, false, err
	}
	if !slices.ContainsFunc(due.Postings, func(p posting.Posting) bool { return !posting.Settled(p.State) }) {
		configured, stopped, err := t.posts(posting.Books{Merchant: ref.Merchant, Target: target})
		if err != nil || !configured || stopped && !due.Withdrawn {
			return due, false, err
		}
		var n int
		if err := t.row(undelivered, ref.Merchant, ref.Store, string(ref.Day), target)(&n); err != nil || n == 0 {
			return due, false, err
		}
	}
	if due.Entry, err = t.entry(ref, 0); err != nil {
		return due, false, fmt.Errorf("entry of day %s %s: %w", ref.Store, ref.Day, err)
	}
	return due, true, nil
}

// Due returns all that is due of a merchant, or of all where it is empty, oldest day
// first.
func (db *DB) Due(ctx context.Context, merchantID string) (due []posting.Due, err error) {
	err = db.read(ctx, cmp.Or(merchantID, everyone), "read what is to be posted", func(tx *tx) error {
		due = nil
		var books []posting.Books
		var err error
		if merchantID == "" {
			books, err = tx.dueBooks(posting.Books{}, all)
		} else {
			books, err = tx.books(merchantBooks, merchantID)
		}
		if err != nil {
			return err
		}
		for _, b := range books {
			days, err := tx.dueDays(b, day.Ref{}, all)
			if err != nil {
				return err
			}
			for _, ref := range days {
				d, is, err := tx.dueOf(ref, b.Target)
				if err != nil {
					return err
				}
				if is {
					due = append(due, d)
				}
			}
		}
		return nil
	})
	slices.SortFunc(due, func(a, b posting.Due) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Store, b.Store), cmp.Compare(a.Target, b.Target))
	})
	return due, err
}
