package storage

import (
	"context"
	"fmt"

	"tillbook.example/tillbook/collector/erasure"
	"tillbook.example/tillbook/collector/logbook"
)

const (
	// Bytes of months that are not in the database are not reached.
	bodiesAfter query = `SELECT d.key, d.revision, d.day, d.hash, b.body FROM document d JOIN document_body b
		ON b.merchant = d.merchant AND b.agent = d.agent AND b.epoch = d.epoch AND b.number = d.number AND b.received = d.received
		WHERE d.merchant = $1 AND (d.key, d.revision) > ($2, $3) ORDER BY d.key, d.revision LIMIT $4`
	putBody query = `UPDATE document_body SET body = $5 WHERE merchant = $1 AND (agent, epoch, number, received) =
		(SELECT agent, epoch, number, received FROM document WHERE merchant = $1 AND key = $2 AND revision = $3 AND hash = $4)`
	dropRecord query = `UPDATE rejected SET body = $5 WHERE merchant = $1 AND agent = $2 AND epoch = $3 AND number = $4 AND replayed > 0`
)

// Bodies implements erasure.Store.
func (db *DB) Bodies(ctx context.Context, merchantID string, after erasure.Place, most int) (all []erasure.Stored, err error) {
	err = db.each(ctx, merchantID, "read documents of merchant "+merchantID, func(scan func(...any) error) error {
		var s erasure.Stored
		var hash []byte
		err := scan(&s.Key, &s.Revision, &s.Day, &hash, &s.Body)
		if err == nil {
			s.Hash, err = digest(hash)
		}
		all = append(all, s)
		return named(s.Key, err)
	}, bodiesAfter, merchantID, after.Key, after.Revision, most)
	return all, err
}

// Records implements erasure.Store.
func (db *DB) Records(ctx context.Context, merchantID string) (all []erasure.Record, err error) {
	err = db.EachRejected(ctx, merchantID, func(r Rejected) error {
		if len(r.Body) > 0 {
			all = append(all, erasure.Record{Agent: r.Agent, Epoch: r.Epoch, Number: r.Number, Received: r.Received, Settled: !r.Replayed.IsZero(), Body: r.Body})
		}
		return nil
	})
	return all, err
}

// Cut implements erasure.Store.
func (db *DB) Cut(ctx context.Context, merchantID string, documents []erasure.Stored, records []erasure.Record, act *logbook.Act) error {
	return db.write(ctx, merchantID, "cut documents of merchant "+merchantID, func(tx *tx) error {
		for _, d := range documents {
			n, err := tx.exec(putBody, merchantID, d.Key, d.Revision, d.Hash[:], blob(d.Body))
			if err == nil && n != 1 {
				err = ErrNone
			}
			if err != nil {
				return named(d.Key, err)
			}
		}
		for _, r := range records {
			if _, err := tx.exec(dropRecord, merchantID, r.Agent, r.Epoch, r.Number, []byte{}); err != nil {
				return err
			}
		}
		if act == nil {
			return nil
		}
		return tx.note(*act)
	})
}

// Scrub implements erasure.Store: it ends the log, in which pages stand as they
// were. While others read them a later checkpoint does. A server clears away what
// was overwritten in its own time.
func (db *DB) Scrub(ctx context.Context) error {
	if !db.dialect.embedded {
		return nil
	}
	if _, err := db.writer.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return fmt.Errorf("end the log of the database: %w", err)
	}
	return nil
}
