package storage

import (
	"context"
	"time"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/posting"
)

const (
	auditDocuments query = `SELECT d.merchant, d.store, d.day, d.key, d.revision, d.standing, d.conflict, d.hash, d.agent, d.epoch, d.number, d.capture,
		d.kind, d.received, b.body FROM document d` + withBody + ` WHERE d.merchant = $1 ORDER BY d.key, d.revision`
	auditEntries  query = entryColumns + ` WHERE merchant = $1 ORDER BY store, day, version`
	auditPostings query = postingColumns + ` WHERE merchant = $1 ORDER BY store, day, target, revision`
	auditEpochs   query = `SELECT agent, epoch, id, start, reason, issued_at, stored, digest, safe, covered_to FROM epoch WHERE merchant = $1 ORDER BY agent, epoch`
	auditRuns     query = `SELECT agent, epoch, first, last, received, lost, before, digests FROM stream_batch WHERE merchant = $1 ORDER BY agent, epoch, first`
	auditRejected query = `SELECT store, agent, epoch, number, capture, code, text, received, replayed, dismissed_by, body FROM rejected WHERE merchant = $1 ORDER BY agent, epoch, number`
)

// Rejected is a record that could not be read.
type Rejected struct {
	Store, Agent           string
	Epoch, Number, Capture uint64
	Code, Text             string
	Received, Replayed     time.Time // Replayed is zero until it was read after all, or dismissed
	DismissedBy            string    // empty unless a person did
	Body                   []byte
}

// EachDocument calls f for all revisions of a merchant's documents, by key and
// revision. All of the Each methods read one snapshot each and stop at the first
// error of f.
func (db *DB) EachDocument(ctx context.Context, merchant string, f func(audit.Document) error) error {
	return db.each(ctx, merchant, "read documents of merchant "+merchant, func(scan func(...any) error) error {
		var d audit.Document
		var received int64
		var hash []byte
		err := scan(&d.Merchant, &d.Store, &d.Day, &d.Key, &d.Revision, &d.Standing, &d.Conflict, &hash, &d.Agent, &d.Epoch, &d.Number, &d.Capture,
			&d.Kind, &received, &d.Body)
		if err != nil {
			return err
		}
		if d.Hash, err = digest(hash); err != nil {
			return named(d.Key, err)
		}
		d.Received = moment(received)
		return f(d)
	}, auditDocuments, merchant)
}

// EachEntry calls f for all entries of a merchant, by store, day and version.
func (db *DB) EachEntry(ctx context.Context, merchant string, f func(day.Entry) error) error {
	return db.each(ctx, merchant, "read entries of merchant "+merchant, func(scan func(...any) error) error {
		e, err := scanEntry(scan)
		if err != nil {
			return err
		}
		return f(e)
	}, auditEntries, merchant)
}

// EachPosting calls f for all postings of a merchant, by subject, target and
// revision.
func (db *DB) EachPosting(ctx context.Context, merchant string, f func(posting.Posting) error) error {
	return db.each(ctx, merchant, "read postings of merchant "+merchant, func(scan func(...any) error) error {
		p, err := scanPosting(scan)
		if err != nil {
			return err
		}
		return f(p)
	}, auditPostings, merchant)
}

// EachEpoch calls f for all epochs of a merchant's agents, by agent and order.
func (db *DB) EachEpoch(ctx context.Context, merchant string, f func(audit.Epoch) error) error {
	return db.each(ctx, merchant, "read epochs of merchant "+merchant, func(scan func(...any) error) error {
		var e audit.Epoch
		var issued, covered int64
		if err := scan(&e.Agent, &e.Order, &e.ID, &e.Start, &e.Reason, &issued, &e.Stored, &e.Digest, &e.Safe, &covered); err != nil {
			return err
		}
		e.IssuedAt, e.CoveredTo = moment(issued), moment(covered)
		return f(e)
	}, auditEpochs, merchant)
}

// EachRun calls f for all that is stored of a merchant's epochs, by agent, epoch
// and number.
func (db *DB) EachRun(ctx context.Context, merchant string, f func(audit.Run) error) error {
	return db.each(ctx, merchant, "read batches of merchant "+merchant, func(scan func(...any) error) error {
		var r audit.Run
		var received int64
		if err := scan(&r.Agent, &r.Epoch, &r.First, &r.Last, &received, &r.Lost, &r.Before, &r.Digests); err != nil {
			return err
		}
		r.Received = moment(received)
		return f(r)
	}, auditRuns, merchant)
}

// EachRejected calls f for all records of a merchant's agents that could not be
// read, by agent, epoch and number.
func (db *DB) EachRejected(ctx context.Context, merchant string, f func(Rejected) error) error {
	return db.each(ctx, merchant, "read rejected records of merchant "+merchant, func(scan func(...any) error) error {
		var r Rejected
		var received, replayed int64
		if err := scan(&r.Store, &r.Agent, &r.Epoch, &r.Number, &r.Capture, &r.Code, &r.Text, &received, &replayed, &r.DismissedBy, &r.Body); err != nil {
			return err
		}
		r.Received, r.Replayed = moment(received), moment(replayed)
		return f(r)
	}, auditRejected, merchant)
}

// each reads one query in a transaction of its own.
func (db *DB) each(ctx context.Context, merchant, what string, f func(scan func(...any) error) error, q query, args ...any) error {
	return db.read(ctx, merchant, what, func(tx *tx) error { return tx.each(f, q, args...) })
}
