package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/posting"
)

const (
	isWithdrawn  query = `SELECT withdrawn FROM delivery WHERE merchant = $1 AND store = $2 AND day = $3 AND target = $4`
	allWithdrawn query = `SELECT merchant, store, day, target FROM delivery WHERE merchant = $1 AND withdrawn = 1 ORDER BY store, day, target`
	setWithdrawn query = `UPDATE delivery SET withdrawn = $5, posted = 0 WHERE merchant = $1 AND store = $2 AND day = $3 AND target = $4 AND withdrawn <> $5`
	dueAgain     query = `UPDATE delivery SET posted = 0 WHERE merchant = $1 AND store = $2 AND day = $3 AND target = $4`
	// What was not asked for yet, or was refused, stands as it did.
	keepPosted query = `UPDATE posting SET state = 'posted', undo = 0, error = '', code = ''
		WHERE merchant = $1 AND store = $2 AND day = $3 AND target = $4 AND undo = 1 AND attempts = 0 AND state IN ('intended', 'refused', 'parked')`
)

// withdrawn reports whether nothing of a day shall stand at a target.
func (t *tx) withdrawn(ref day.Ref, target string) (withdrawn bool, err error) {
	err = t.row(isWithdrawn, ref.Merchant, ref.Store, string(ref.Day), target)(&withdrawn)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return withdrawn, err
}

// Decide notes a decision that nothing of a day shall stand at a target
// (posting.DecideUndo), or that the day shall stand again (posting.DecideRepost),
// so that the day is due there. It says whether that is new, and fails with
// ErrNone if no entry of the day was ever to be posted there. A day that shall
// stand again keeps what nobody was asked to take off yet. What was asked for, even
// if it was refused in the end, may have been done by an earlier request whose
// answer was lost: it is taken off all the same, and posted anew.
func (db *DB) Decide(ctx context.Context, d posting.Decision) (changed bool, err error) {
	err = db.write(ctx, d.Merchant, fmt.Sprintf("%s day %s of store %s at %s", d.What, d.Day, d.Store, d.Target), func(tx *tx) error {
		var before bool
		err := tx.row(isWithdrawn, d.Merchant, d.Store, string(d.Day), d.Target)(&before)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("nothing of the day was posted there: %w", ErrNone)
		}
		if err != nil {
			return err
		}
		undo := d.What == posting.DecideUndo
		if changed = before != undo; !changed {
			return nil
		}
		if _, err := tx.exec(setWithdrawn, d.Merchant, d.Store, string(d.Day), d.Target, flag(undo)); err != nil {
			return err
		}
		if !undo {
			if _, err := tx.exec(keepPosted, d.Merchant, d.Store, string(d.Day), d.Target); err != nil {
				return err
			}
		}
		return tx.decide(d)
	})
	return changed, err
}

// Restore notes a decision that a posting shall stand as it was posted: it is taken
// off, whatever has become of it, and what is missing then is posted anew. It fails
// with ErrNone if the posting is not posted, and with posting.ErrStale while
// another one of the day is unsettled.
func (db *DB) Restore(ctx context.Context, d posting.Decision) error {
	return db.write(ctx, d.Merchant, "restore posting "+d.Reference, func(tx *tx) error { return tx.restore(d) })
}

func (t *tx) restore(d posting.Decision) error {
	all, err := t.postings(subjectPostings, d.Merchant, d.Store, string(d.Day), d.Target)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.Reference != d.Reference || p.State != posting.Posted {
			continue
		}
		if err := t.alone(p); err != nil {
			return err
		}
		if _, err := t.exec(movePosting, p.Merchant, p.Store, string(p.Day), p.Target, p.Revision, p.State, posting.Intended,
			0, "", p.RemoteID, micros(p.SettledAt), p.Attempts, 1, ""); err != nil {
			return err
		}
		if _, err := t.exec(dueAgain, d.Merchant, d.Store, string(d.Day), d.Target); err != nil {
			return err
		}
		return t.decide(d)
	}
	return fmt.Errorf("posting %s of day %s is not posted: %w", d.Reference, d.Day, ErrNone)
}

// decide notes who decided what.
func (t *tx) decide(d posting.Decision) error {
	return t.note(act(d.Merchant, d.What, strings.TrimSuffix(d.Store+"/"+string(d.Day)+" "+d.Reference, " "), "at "+d.Target, d.By, d.At))
}

// EachWithdrawn calls f for each day of a merchant of which nothing shall stand at
// a target.
func (db *DB) EachWithdrawn(ctx context.Context, merchant string, f func(ref day.Ref, target string) error) error {
	return db.each(ctx, merchant, "read withdrawn days of merchant "+merchant, func(scan func(...any) error) error {
		var ref day.Ref
		var target string
		if err := scan(&ref.Merchant, &ref.Store, &ref.Day, &target); err != nil {
			return err
		}
		return f(ref, target)
	}, allWithdrawn, merchant)
}
