package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/posting"
)

const (
	postingColumns = `SELECT merchant, store, day, target, revision, entry, reference, payload, hash, state, undo, attempts, error, code, remote_id,
		at, settled_at FROM posting`
	dayPostings     query = postingColumns + ` WHERE merchant = $1 AND store = $2 AND day = $3 ORDER BY target, revision`
	subjectPostings query = postingColumns + ` WHERE merchant = $1 AND store = $2 AND day = $3 AND target = $4 ORDER BY revision`
	insertPosting   query = `INSERT INTO posting (merchant, store, day, target, revision, entry, reference, payload, hash, state, undo, attempts,
		error, code, remote_id, at, settled_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`
	adoptPosting        = insertPosting + ` ON CONFLICT DO NOTHING`
	referenceUsed query = `SELECT count(*) FROM posting WHERE merchant = $1 AND target = $2 AND reference = $3`
	entryOfDay    query = `SELECT entry FROM store_day WHERE merchant = $1 AND store = $2 AND day = $3`
	movePosting   query = `UPDATE posting SET state = $7, attempts = CASE WHEN undo = $13 THEN attempts + $8 ELSE $8 END, error = $9, remote_id = $10,
		settled_at = $11, undo = $13, code = $14
		WHERE merchant = $1 AND store = $2 AND day = $3 AND target = $4 AND revision = $5 AND state = $6 AND attempts = $12`
	// What is posted of a day that was withdrawn or told otherwise meanwhile leaves
	// it due.
	postedEntry query = `INSERT INTO delivery (merchant, store, day, target, newest, posted, at) VALUES ($1, $2, $3, $4, $5, $5, $6)
		ON CONFLICT (merchant, store, day, target) DO UPDATE SET at = $6,
		newest = CASE WHEN delivery.newest < $5 THEN $5 ELSE delivery.newest END,
		posted = CASE WHEN delivery.posted < $5 AND delivery.withdrawn = $7 THEN $5 ELSE delivery.posted END`
)

// Intend stores a posting as intended, before anything is sent. It fails with
// posting.ErrStale unless its entry is the day's newest (or none, where it is
// withdrawn), its revision is the next, all earlier ones are settled and the day is
// withdrawn, or not, as is said; and with posting.ErrReference if its reference is
// used. The same posting again changes nothing.
func (db *DB) Intend(ctx context.Context, p posting.Posting, withdrawn bool) error {
	return db.write(ctx, p.Merchant, "intend posting "+p.Reference, func(tx *tx) error {
		stored, err := tx.postings(subjectPostings, p.Merchant, p.Store, string(p.Day), p.Target)
		if err != nil {
			return err
		}
		next := 1
		for _, s := range stored {
			if s.Revision == p.Revision && s.Reference == p.Reference && s.Hash == p.Hash && s.Entry == p.Entry {
				return nil
			}
			if !posting.Settled(s.State) {
				return fmt.Errorf("posting %s is %s: %w", s.Reference, s.State, posting.ErrStale)
			}
			next = s.Revision + 1
		}
		if p.Revision != next {
			return fmt.Errorf("revision %d is not the next, %d: %w", p.Revision, next, posting.ErrStale)
		}
		var newest int64
		if err := tx.row(entryOfDay, p.Merchant, p.Store, string(p.Day))(&newest); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if newest == 0 || !withdrawn && newest != p.Entry || withdrawn && p.Entry != 0 {
			return fmt.Errorf("entry %d is not the newest, %d: %w", p.Entry, newest, posting.ErrStale)
		}
		if is, err := tx.withdrawn(p.Ref, p.Target); err != nil {
			return err
		} else if is != withdrawn {
			return fmt.Errorf("somebody decided about day %s of store %s meanwhile: %w", p.Day, p.Store, posting.ErrStale)
		}
		var used int
		if err := tx.row(referenceUsed, p.Merchant, p.Target, p.Reference)(&used); err != nil {
			return err
		}
		if used > 0 {
			return fmt.Errorf("%s: %w", p.Reference, posting.ErrReference)
		}
		p.State, p.Attempts, p.SettledAt = posting.Intended, 0, time.Time{}
		_, err = tx.insertPosting(insertPosting, p)
		return err
	})
}

func (t *tx) insertPosting(q query, p posting.Posting) (int64, error) {
	payload, err := json.Marshal(p.Payload)
	if err != nil {
		return 0, err
	}
	return t.exec(q, p.Merchant, p.Store, string(p.Day), p.Target, p.Revision, p.Entry, p.Reference, payload, p.Hash[:], p.State,
		flag(p.Undo), p.Attempts, p.Error, p.Code, p.RemoteID, micros(p.At), micros(p.SettledAt))
}

// Advance moves a posting from one state to another and stores its error, remote
// id and time of settling; moving it to sent counts an attempt, from none where it
// is to be taken off from now on. It fails with posting.ErrStale if the posting is
// not in the first state, its attempts are not those that are stored, or another
// of its subject is unsettled. With a posting that is posted its entry stands at
// the target.
func (db *DB) Advance(ctx context.Context, p posting.Posting, from string) error {
	return db.write(ctx, p.Merchant, fmt.Sprintf("advance posting %s from %s to %s", p.Reference, from, p.State), func(tx *tx) error {
		if posting.Settled(from) && !posting.Settled(p.State) {
			if err := tx.alone(p); err != nil {
				return err
			}
		}
		n, err := tx.exec(movePosting, p.Merchant, p.Store, string(p.Day), p.Target, p.Revision, from, p.State,
			flag(p.State == posting.Sent), p.Error, p.RemoteID, micros(p.SettledAt), p.Attempts, flag(p.Undo), p.Code)
		if err != nil {
			return err
		}
		if n == 0 {
			return posting.ErrStale
		}
		if p.State != posting.Posted || p.Entry == 0 {
			return nil
		}
		return tx.posted(p.Ref, p.Target, p.Entry, false, p.SettledAt)
	})
}

// alone fails unless all other postings of the subject are settled.
func (t *tx) alone(p posting.Posting) error {
	all, err := t.postings(subjectPostings, p.Merchant, p.Store, string(p.Day), p.Target)
	for _, other := range all {
		if other.Revision != p.Revision && !posting.Settled(other.State) {
			return fmt.Errorf("posting %s is %s: %w", other.Reference, other.State, posting.ErrStale)
		}
	}
	return err
}

func (t *tx) posted(ref day.Ref, target string, entry int64, withdrawn bool, at time.Time) error {
	_, err := t.exec(postedEntry, ref.Merchant, ref.Store, string(ref.Day), target, entry, micros(at), flag(withdrawn))
	return err
}

// Complete notes that what stands is what shall stand, the entry or nothing, if the
// day is withdrawn, or not, as is said.
func (db *DB) Complete(ctx context.Context, ref day.Ref, target string, entry int64, withdrawn bool, at time.Time) error {
	return db.write(ctx, ref.Merchant, fmt.Sprintf("complete day %s %s at %s", ref.Store, ref.Day, target), func(tx *tx) error {
		return tx.posted(ref, target, entry, withdrawn, at)
	})
}

// Adopt stores postings that were found at the target, as they are. A revision
// or a reference that is known already is left as it is.
func (db *DB) Adopt(ctx context.Context, found []posting.Posting) error {
	return db.write(ctx, everyone, "adopt postings", func(tx *tx) error {
		for _, p := range found {
			if err := tx.as(p.Merchant); err != nil {
				return err
			}
			p.State, p.Entry = posting.Posted, 0
			if _, err := tx.insertPosting(adoptPosting, p); err != nil {
				return fmt.Errorf("%s: %w", p.Reference, err)
			}
		}
		return nil
	})
}

// Postings returns the postings of a day, by target and revision.
func (db *DB) Postings(ctx context.Context, ref day.Ref) ([]posting.Posting, error) {
	var postings []posting.Posting
	err := db.read(ctx, ref.Merchant, fmt.Sprintf("read postings of day %s %s", ref.Store, ref.Day), func(tx *tx) (err error) {
		postings, err = tx.postings(dayPostings, ref.Merchant, ref.Store, string(ref.Day))
		return err
	})
	return postings, err
}

func (t *tx) postings(q query, args ...any) ([]posting.Posting, error) {
	var postings []posting.Posting
	err := t.each(func(scan func(...any) error) error {
		p, err := scanPosting(scan)
		postings = append(postings, p)
		return err
	}, q, args...)
	return postings, err
}

func scanPosting(scan func(...any) error) (p posting.Posting, err error) {
	var payload, hash []byte
	var at, settled int64
	if err = scan(&p.Merchant, &p.Store, &p.Day, &p.Target, &p.Revision, &p.Entry, &p.Reference, &payload, &hash, &p.State, &p.Undo, &p.Attempts,
		&p.Error, &p.Code, &p.RemoteID, &at, &settled); err != nil {
		return p, err
	}
	p.At, p.SettledAt = moment(at), moment(settled)
	if p.Hash, err = digest(hash); err != nil {
		return p, fmt.Errorf("posting %s: %w", p.Reference, err)
	}
	if err = json.Unmarshal(payload, &p.Payload); err != nil {
		err = fmt.Errorf("payload of posting %s: %w", p.Reference, err)
	}
	return p, err
}
