package storage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"tillbook.example/tillbook/collector/backup"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/logbook"
)

// restoredBy is who stopped the merchants of a database that was put back.
const restoredBy = "restore"

const (
	countContents query = `SELECT (SELECT count(*) FROM agent WHERE merchant <> $1), (SELECT count(*) FROM document WHERE merchant <> $1),
		(SELECT count(*) FROM rejected WHERE merchant <> $1), (SELECT count(*) FROM store_day WHERE merchant <> $1),
		(SELECT count(*) FROM entry WHERE merchant <> $1), (SELECT count(*) FROM posting WHERE merchant <> $1)`
	selectStreams  query = `SELECT merchant, agent, epoch, id, stored, digest FROM epoch WHERE merchant <> $1 ORDER BY merchant, agent, epoch`
	verifyEpoch    query = `UPDATE epoch SET verified = $4 WHERE merchant = $1 AND agent = $2 AND epoch = $3 AND verified < $4`
	doubtPostings  query = `UPDATE posting SET state = 'unknown', error = 'before the restore: ' || error WHERE merchant = $1 AND state IN ('intended', 'refused')`
	newIncarnation query = `UPDATE meta SET value = $1 WHERE name = 'incarnation'`
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

// Restored implements backup.Database: what could have been sent after the copy
// was made is unknown, so that it is looked up first; every merchant is stopped,
// until a person sees that the agents have sent again what is missing; and last
// the database has a new incarnation. Each merchant is a transaction of its own.
func (db *DB) Restored(ctx context.Context, at time.Time) ([]string, error) {
	merchants, err := db.Merchants(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, m := range merchants {
		ids = append(ids, m.ID)
		if err := db.write(ctx, m.ID, "mark postings of merchant "+m.ID+" as restored", func(tx *tx) error {
			if _, err := tx.exec(insertStop, m.ID, micros(at), restoredBy, day.StopPaused); err != nil {
				return err
			}
			if _, err := tx.exec(doubtPostings, m.ID); err != nil {
				return err
			}
			return tx.note(act(m.ID, logbook.Restore, "", "", "", at))
		}); err != nil {
			return nil, err
		}
	}
	var incarnation [16]byte
	if _, err := rand.Read(incarnation[:]); err != nil {
		return nil, fmt.Errorf("make incarnation: %w", err)
	}
	return ids, db.write(ctx, everyone, "make incarnation", func(tx *tx) error {
		n, err := tx.exec(newIncarnation, incarnation[:])
		if err == nil && n != 1 {
			err = errors.New("there was none")
		}
		return err
	})
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
