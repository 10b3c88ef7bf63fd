package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	"tillbook.example/tillbook/collector/backup"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
)

const (
	countContents query = `SELECT (SELECT count(*) FROM agent WHERE merchant <> $1), (SELECT count(*) FROM document WHERE merchant <> $1),
		(SELECT count(*) FROM rejected WHERE merchant <> $1), (SELECT count(*) FROM store_day WHERE merchant <> $1),
		(SELECT count(*) FROM entry WHERE merchant <> $1), (SELECT count(*) FROM posting WHERE merchant <> $1)`
	selectStreams query = `SELECT merchant, agent, epoch, id, stored, digest FROM epoch WHERE merchant <> $1 ORDER BY merchant, agent, epoch`
	verifyEpoch   query = `UPDATE epoch SET verified = $4 WHERE merchant = $1 AND agent = $2 AND epoch = $3 AND verified < $4`
)

// Contents implements backup.Database.
func (db *DB) Contents(ctx context.Context) (c backup.Contents, err error) {
	err = db.read(ctx, everyone, "read what is stored", func(tx *tx) error {
		c = backup.Contents{}
		if err := tx.row(countContents, "")(&c.Agents, &c.Documents, &c.Rejected, &c.Days, &c.Entries, &c.Postings); err != nil {
			return err
		}
		if c.Logs, err = tx.logs(); err != nil {
			return err
		}
		return tx.each(func(scan func(...any) error) error {
			var s backup.Stream
			var id, digest []byte
			err := scan(&s.Merchant, &s.Agent, &s.Order, &id, &s.Stored, &digest)
			s.Epoch, s.Digest = id, digest
			c.Streams = append(c.Streams, s)
			return err
		}, selectStreams, "")
	})
	return c, err
}

// DigestOf implements backup.Database.
func (db *DB) DigestOf(ctx context.Context, s backup.Stream) (at [32]byte, known bool, err error) {
	id, epochID := stream(s)
	at, known, err = db.DigestAt(ctx, id, epochID, s.Stored)
	if errors.Is(err, intake.ErrEpoch) {
		return at, false, nil
	}
	return at, known, err
}

func stream(s backup.Stream) (id fleet.Identity, epochID [16]byte) {
	copy(epochID[:], s.Epoch)
	return fleet.Identity{Merchant: s.Merchant, Agent: s.Agent}, epochID
}

// Verified notes that a verified backup holds streams up to what they say is
// stored, so that this much is safe from the agent's next batch or heartbeat on,
// in one transaction for each. It fails with backup.ErrOther where the database has something else there.
func (db *DB) Verified(ctx context.Context, streams []backup.Stream) error {
	for _, s := range streams {
		if err := db.writeRows(ctx, s.Merchant, "note the verified backup of agent "+s.Agent, func(tx *tx) error {
			id, epochID := stream(s)
			e, err := tx.epoch(id, epochID)
			if err != nil {
				return err
			}
			at, known, err := tx.digestAt(e, s.Stored)
			if err == nil && (!known || s.Stored > e.Stored || string(at[:]) != string(s.Digest)) {
				err = fmt.Errorf("number %d is not what the backup has: %w", s.Stored, backup.ErrOther)
			}
			if err == nil {
				_, err = tx.exec(verifyEpoch, s.Merchant, s.Agent, e.Epoch.Order, s.Stored)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// Alone brings all of a SQLite database into its one file and ends its log. It
// fails with backup.ErrOpen while another process has it open, if only to read.
func Alone(ctx context.Context, path string) (err error) {
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?mode=rw&_pragma=busy_timeout(1000)&_pragma=locking_mode(EXCLUSIVE)"
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	limit(db, 1)
	var mode string
	err = db.QueryRowContext(ctx, `PRAGMA journal_mode = DELETE`).Scan(&mode)
	if err == nil && mode != "delete" || err != nil && sqliteDialect().busy(err) {
		return fmt.Errorf("database %s: %w", path, backup.ErrOpen)
	}
	if err != nil {
		return fmt.Errorf("look at database %s: %w", path, err)
	}
	return nil
}
