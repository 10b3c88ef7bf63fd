package storage

import (
	"context"
	"time"

	"tillbook.example/tillbook/collector/posting"
)

const (
	barePostings query = `SELECT merchant, store, day, target, revision, entry, reference, payload, hash, state, undo, attempts, error, code, remote_id,
		at, settled_at, attach_tries FROM posting WHERE state = 'posted' AND attached_at = 0 AND attach_next <= $1 ORDER BY attach_next, settled_at LIMIT $2`
	attachPosting query = `UPDATE posting SET attached_at = $4 WHERE merchant = $1 AND target = $2 AND reference = $3`
	attachLater   query = `UPDATE posting SET attach_tries = attach_tries + 1, attach_next = $4 WHERE merchant = $1 AND target = $2 AND reference = $3`
)

// never has a posting's sheet.
const never = -1

// Bare implements posting.AttachStore, of all merchants.
func (db *DB) Bare(ctx context.Context, at time.Time, most int) ([]posting.Bare, error) {
	var all []posting.Bare
	err := db.each(ctx, everyone, "read postings without their sheet", func(scan func(...any) error) error {
		var tries int
		p, err := scanPosting(func(into ...any) error { return scan(append(into, &tries)...) })
		all = append(all, posting.Bare{Posting: p, Tries: tries})
		return err
	}, barePostings, micros(at), most)
	return all, err
}

// Attached implements posting.AttachStore.
func (db *DB) Attached(ctx context.Context, p posting.Posting, has bool, at time.Time) error {
	noted := micros(at)
	if !has {
		noted = never
	}
	return db.write(ctx, p.Merchant, "note the sheet of "+p.Reference, func(tx *tx) error {
		_, err := tx.exec(attachPosting, p.Merchant, p.Target, p.Reference, noted)
		return err
	})
}

// AttachLater implements posting.AttachStore.
func (db *DB) AttachLater(ctx context.Context, p posting.Posting, next time.Time) error {
	return db.write(ctx, p.Merchant, "put off the sheet of "+p.Reference, func(tx *tx) error {
		_, err := tx.exec(attachLater, p.Merchant, p.Target, p.Reference, micros(next))
		return err
	})
}
