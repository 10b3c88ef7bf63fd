package storage

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/drift"
	"tillbook.example/tillbook/collector/posting"
)

const (
	allBooks query = `SELECT c.merchant, c.target, coalesce(k.checked_at, 0), coalesce(k.woken_at, 0), EXISTS (SELECT 1 FROM posting p
		WHERE p.merchant = c.merchant AND p.target = c.target AND p.state = 'posted' AND p.read_at = 0)
		FROM connection c LEFT JOIN compared k ON k.merchant = c.merchant AND k.target = c.target WHERE c.merchant <> $1 ORDER BY c.merchant, c.target`
	targetPostings query = postingColumns + ` WHERE merchant = $1 AND target = $2 ORDER BY store, day, revision`
	unreadPostings query = postingColumns + ` WHERE merchant = $1 AND target = $2 AND state = 'posted' AND read_at = 0 ORDER BY settled_at, reference LIMIT $3`
	readPosting    query = `UPDATE posting SET read_at = $4 WHERE merchant = $1 AND target = $2 AND reference = $3`
	readPostings   query = `UPDATE posting SET read_at = $3 WHERE merchant = $1 AND target = $2 AND state = 'posted' AND read_at = 0 AND settled_at < $3`

	// What was ignored stays ignored, what was accepted stays so until it is another.
	saveDrift query = `INSERT INTO drift (merchant, target, reference, code, remote_id, store, day, text, seen, state, found_at, seen_at, decided_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, '')
		ON CONFLICT (merchant, target, reference, code, remote_id) DO UPDATE SET text = $8, seen_at = $11, seen = $9,
		found_at = CASE WHEN drift.state = 'fixed' THEN $11 ELSE drift.found_at END,
		decided_by = CASE WHEN drift.state = 'ignored' OR drift.state = 'accepted' AND drift.seen = $9 THEN drift.decided_by ELSE '' END,
		state = CASE WHEN $10 = 'fixed' THEN $10 WHEN drift.state = 'ignored' OR drift.state = 'accepted' AND drift.seen = $9 THEN drift.state ELSE $10 END`
	fixDrift query = `UPDATE drift SET state = 'fixed' WHERE merchant = $1 AND target = $2 AND ($3 = '' OR reference = $3) AND seen_at < $4 AND state <> 'fixed'`
	checked  query = `INSERT INTO compared (merchant, target, checked_at) VALUES ($1, $2, $3) ON CONFLICT (merchant, target) DO UPDATE SET checked_at = $3`
	wake     query = `INSERT INTO compared (merchant, target, woken_at) VALUES ($1, $2, $3) ON CONFLICT (merchant, target) DO UPDATE SET woken_at = $3`
	allDrift query = `SELECT merchant, target, reference, code, remote_id, store, day, text, seen, state, found_at, seen_at, decided_by FROM drift
		WHERE merchant = $1 ORDER BY target, reference, code, remote_id`
	countDrift   query = `SELECT code, state, count(*) FROM drift WHERE state IN ('opened', 'fixed') AND merchant <> $1 GROUP BY code, state`
	decidedDrift query = `SELECT target, reference FROM drift WHERE merchant = $1 AND state IN ('accepted', 'ignored') ORDER BY target, reference`
	decideDrift  query = `UPDATE drift SET state = $4, decided_by = $5 WHERE merchant = $1 AND target = $2 AND reference = $3 AND state = 'opened'`
)

// Books returns all connections, and when each was last compared.
func (db *DB) Books(ctx context.Context) ([]drift.Books, error) {
	var all []drift.Books
	err := db.each(ctx, everyone, "read when books were compared", func(scan func(...any) error) error {
		var b drift.Books
		var at, woken int64
		err := scan(&b.Merchant, &b.Target, &at, &woken, &b.Unread)
		b.CheckedAt, b.WokenAt = moment(at), moment(woken)
		all = append(all, b)
		return err
	}, allBooks, "")
	return all, err
}

// Believed returns all postings at a connection, by store, day and revision.
func (db *DB) Believed(ctx context.Context, merchantID, target string) (all []posting.Posting, err error) {
	err = db.read(ctx, merchantID, "read postings at "+target, func(tx *tx) (err error) {
		all, err = tx.postings(targetPostings, merchantID, target)
		return err
	})
	return all, err
}

// Unread returns postings that were not read back yet, oldest first.
func (db *DB) Unread(ctx context.Context, merchantID, target string, most int) (all []posting.Posting, err error) {
	err = db.read(ctx, merchantID, "read unread postings at "+target, func(tx *tx) (err error) {
		all, err = tx.postings(unreadPostings, merchantID, target, most)
		return err
	})
	return all, err
}

// Found implements drift.Store.
func (db *DB) Found(ctx context.Context, merchantID, target, reference string, findings []drift.Finding, at time.Time) error {
	return db.write(ctx, merchantID, "store what the books at "+target+" hold otherwise", func(tx *tx) error {
		for _, f := range findings {
			if _, err := tx.exec(saveDrift, merchantID, target, f.Reference, f.Code, f.RemoteID, f.Store, string(f.Day), f.Text, f.Seen[:], f.State, micros(at)); err != nil {
				return err
			}
		}
		if _, err := tx.exec(fixDrift, merchantID, target, reference, micros(at)); err != nil {
			return err
		}
		if reference != "" {
			_, err := tx.exec(readPosting, merchantID, target, reference, micros(at))
			return err
		}
		if _, err := tx.exec(readPostings, merchantID, target, micros(at.Add(-drift.Settling))); err != nil {
			return err
		}
		_, err := tx.exec(checked, merchantID, target, micros(at))
		return err
	})
}

// WakeBooks notes that somebody said that the books of a connection were changed.
func (db *DB) WakeBooks(ctx context.Context, merchantID, target string, at time.Time) error {
	return db.write(ctx, merchantID, "wake the comparison of "+target, func(tx *tx) error {
		_, err := tx.exec(wake, merchantID, target, micros(at))
		return err
	})
}

// Drift returns a merchant's findings, also those that are fixed.
func (db *DB) Drift(ctx context.Context, merchantID string) ([]drift.Finding, error) {
	var all []drift.Finding
	err := db.each(ctx, merchantID, "read what the books hold otherwise", func(scan func(...any) error) error {
		f, err := scanFinding(scan)
		all = append(all, f)
		return err
	}, allDrift, merchantID)
	return all, err
}

func scanFinding(scan func(...any) error) (f drift.Finding, err error) {
	var hash []byte
	var found, at int64
	if err = scan(&f.Merchant, &f.Target, &f.Reference, &f.Code, &f.RemoteID, &f.Store, &f.Day, &f.Text, &hash, &f.State, &found, &at, &f.By); err == nil {
		f.Seen, err = digest(hash)
	}
	f.FoundAt, f.SeenAt = moment(found), moment(at)
	return f, err
}

// DriftCounts counts the findings of all merchants that are open, and the doubles
// that were taken off, by code.
func (db *DB) DriftCounts(ctx context.Context) (open map[string]int64, doubles int64, err error) {
	open = map[string]int64{}
	err = db.each(ctx, everyone, "count what books hold otherwise", func(scan func(...any) error) error {
		var code, state string
		var n int64
		if err := scan(&code, &state, &n); err != nil {
			return err
		}
		switch {
		case state == drift.Opened:
			open[code] += n
		case state == drift.Fixed && code == drift.Doubled:
			doubles += n
		}
		return nil
	}, countDrift, "")
	return open, doubles, err
}

// DecideDrift notes what a person decided of the findings of a reference that are
// open: accepted, ignored, or that what was posted is to be put back. It fails with
// drift.ErrDecided if there is none, or none that can be put back.
func (db *DB) DecideDrift(ctx context.Context, d posting.Decision) error {
	return db.write(ctx, d.Merchant, d.What+" "+d.Reference, func(tx *tx) error {
		if d.What == drift.Restore {
			return tx.putBack(d)
		}
		state := map[string]string{drift.Accept: drift.Accepted, drift.Ignore: drift.Ignored}[d.What]
		n, err := tx.exec(decideDrift, d.Merchant, d.Target, d.Reference, state, d.By)
		if err != nil {
			return err
		}
		if n == 0 {
			return drift.ErrDecided
		}
		return tx.note(act(d.Merchant, d.What, strings.TrimSpace(d.Target+" "+d.Reference), "", d.By, d.At))
	})
}

// EachDecided calls f for each reference of a merchant whose difference was
// accepted or is ignored.
func (db *DB) EachDecided(ctx context.Context, merchantID string, f func(target, reference string) error) error {
	return db.each(ctx, merchantID, "read what was decided of the books", func(scan func(...any) error) error {
		var target, reference string
		if err := scan(&target, &reference); err != nil {
			return err
		}
		return f(target, reference)
	}, decidedDrift, merchantID)
}

// putBack restores the posting of a reference that was edited, voided or deleted.
func (t *tx) putBack(d posting.Decision) error {
	changed := false
	err := t.each(func(scan func(...any) error) error {
		f, err := scanFinding(scan)
		if f.Target == d.Target && f.Reference == d.Reference && f.State == drift.Opened && f.RemoteID == "" {
			d.Ref, changed = f.Ref, true
		}
		return err
	}, allDrift, d.Merchant)
	if err != nil {
		return err
	}
	if !changed {
		return fmt.Errorf("nothing of ours under %s was changed: %w", d.Reference, drift.ErrDecided)
	}
	return t.restore(d)
}
