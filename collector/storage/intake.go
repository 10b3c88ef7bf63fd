package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
)

// SafeAfter is how long records have been stored before an agent may let go of
// them, unless a verified backup has them earlier.
const SafeAfter = 7 * 24 * time.Hour

// maxRanges bounds the runs that one epoch may have stored out of order: sales
// that overtake a backlog on a slow line make about one a second for hours. The
// agent sends the rest again when the hole below is filled.
const maxRanges = 8192

const (
	epochColumns = `SELECT e.epoch, e.id, e.start, e.stored, e.digest, e.top, e.safe, e.covered_to, e.pending_to, e.pending_number, e.verified,
		(SELECT max(n.epoch) FROM epoch n WHERE n.merchant = e.merchant AND n.agent = e.agent) FROM epoch e`
	selectEpoch query = epochColumns + ` WHERE e.merchant = $1 AND e.agent = $2 AND e.id = $3`
	newestEpoch query = `SELECT coalesce(max(epoch), 0) FROM epoch WHERE merchant = $1 AND agent = $2`
	insertEpoch query = `INSERT INTO epoch (merchant, agent, epoch, id, start, reason, issued_at, stored, digest, top, safe, covered_to, pending_to, pending_number)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $5, 0, 0, 0, 0, 0)`
	touchEpoch  query = `UPDATE epoch SET reason = reason WHERE merchant = $1 AND agent = $2 AND epoch = $3`
	updateEpoch query = `UPDATE epoch SET stored = $4, digest = $5, top = $6, safe = $7, covered_to = $8, pending_to = $9, pending_number = $10
		WHERE merchant = $1 AND agent = $2 AND epoch = $3`
)

// epoch is one row of that table, and for whom.
type epoch struct {
	intake.Position
	id         fleet.Identity
	start      [32]byte
	top        uint64
	coveredTo  int64 // microseconds
	pendingTo  int64
	pendingNum uint64
	verified   uint64 // lies in a verified backup up to here
	newest     uint64 // order of the agent's newest epoch
}

// epoch reads an epoch by its id, or fails with intake.ErrEpoch.
func (t *tx) epoch(id fleet.Identity, epochID [16]byte) (*epoch, error) {
	e := &epoch{id: id}
	var key, start, at []byte
	err := t.row(t.locked(selectEpoch), id.Merchant, id.Agent, epochID[:])(&e.Epoch.Order, &key, &start, &e.Stored, &at, &e.top, &e.Safe,
		&e.coveredTo, &e.pendingTo, &e.pendingNum, &e.verified, &e.newest)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("epoch %x of agent %s: %w", epochID, id.Agent, intake.ErrEpoch)
	}
	if err != nil {
		return nil, err
	}
	e.Epoch.ID = epochID
	if e.start, err = digest(start); err != nil {
		return nil, err
	}
	e.Digest, err = digest(at)
	return e, err
}

// open reads an epoch that may still take batches: the agent's newest. A record
// that is sent again in a newer epoch is a copy of the one in an older epoch,
// and it could not be told which is newer if the older one went on.
func (t *tx) open(id fleet.Identity, epochID [16]byte) (*epoch, error) {
	e, err := t.epoch(id, epochID)
	if err == nil && e.Epoch.Order != e.newest {
		err = fmt.Errorf("epoch %d of agent %s was followed by epoch %d: %w", e.Epoch.Order, id.Agent, e.newest, intake.ErrEpoch)
	}
	return e, err
}

// save stores what became of the epoch.
func (t *tx) save(e *epoch) error {
	n, err := t.exec(updateEpoch, e.id.Merchant, e.id.Agent, e.Epoch.Order, e.Stored, e.Digest[:], e.top, e.Safe,
		e.coveredTo, e.pendingTo, e.pendingNum)
	if err == nil && n != 1 {
		err = fmt.Errorf("epoch %d of agent %s: %d rows", e.Epoch.Order, e.id.Agent, n)
	}
	return err
}

// claim notes a watermark claim. One that reaches beyond what is stored waits;
// of two that wait the one that comes true first is kept, since a later one is
// always sent again while an agent that is steadily a little behind would
// otherwise never be covered.
func (e *epoch) claim(w intake.Watermark) {
	to := micros(w.Time)
	switch {
	case to <= e.coveredTo:
	case w.Number <= e.Stored:
		e.coveredTo = to
	case e.pendingTo <= e.coveredTo, w.Number < e.pendingNum, w.Number == e.pendingNum && to > e.pendingTo:
		e.pendingTo, e.pendingNum = to, uint64(clamp(w.Number))
	}
}

// settle lets a waiting claim come true.
func (e *epoch) settle() {
	if e.pendingTo != 0 && e.pendingNum <= e.Stored {
		e.coveredTo = max(e.coveredTo, e.pendingTo)
		e.pendingTo, e.pendingNum = 0, 0
	}
}

// Position returns how far an epoch is stored, also an old one's.
func (db *DB) Position(ctx context.Context, id fleet.Identity, epochID [16]byte) (intake.Position, error) {
	var position intake.Position
	err := db.read(ctx, id.Merchant, "read position of agent "+id.Agent, func(tx *tx) error {
		e, err := tx.epoch(id, epochID)
		if err != nil {
			return err
		}
		position, err = tx.position(e)
		return err
	})
	return position, err
}

// position completes an epoch's position with the ranges above the watermark.
func (t *tx) position(e *epoch) (intake.Position, error) {
	p := e.Position
	p.Ranges = nil
	if e.top == e.Stored {
		return p, nil
	}
	runs, err := t.runsAbove(e, e.Stored)
	for _, r := range runs {
		if n := len(p.Ranges); n > 0 && p.Ranges[n-1].Last+1 == r.first {
			p.Ranges[n-1].Last = r.last
			continue
		}
		p.Ranges = append(p.Ranges, intake.Range{First: r.first, Last: r.last})
	}
	return p, err
}

// DigestAt returns the chained digest stored at a wire number. At 0 it is the
// one the epoch began with. Within a declared gap only the one at its end is
// known.
func (db *DB) DigestAt(ctx context.Context, id fleet.Identity, epochID [16]byte, number uint64) ([32]byte, bool, error) {
	var at [32]byte
	known := false
	err := db.read(ctx, id.Merchant, "read digest of agent "+id.Agent, func(tx *tx) error {
		e, err := tx.epoch(id, epochID)
		if err != nil {
			return err
		}
		at, known, err = tx.digestAt(e, number)
		return err
	})
	return at, known, err
}

// Issue makes a new epoch, which the agent's batches are from now on; older ones
// take no more. Issuing the same id again returns the epoch that was made.
func (db *DB) Issue(ctx context.Context, id fleet.Identity, epochID [16]byte, start [32]byte, reason string, at time.Time) (intake.Epoch, error) {
	var issued intake.Epoch
	err := db.write(ctx, id.Merchant, "issue epoch for agent "+id.Agent, func(tx *tx) error {
		e, err := tx.epoch(id, epochID)
		if err == nil {
			issued = e.Epoch
			return nil
		}
		if !errors.Is(err, intake.ErrEpoch) {
			return err
		}
		var newest uint64
		if err := tx.row(newestEpoch, id.Merchant, id.Agent)(&newest); err != nil {
			return err
		}
		// A batch of the epoch before may be under way: this changes a row of it, so
		// that the database lets one of the two go before the other.
		if _, err := tx.exec(touchEpoch, id.Merchant, id.Agent, newest); err != nil {
			return err
		}
		issued = intake.Epoch{ID: epochID, Order: newest + 1}
		_, err = tx.exec(insertEpoch, id.Merchant, id.Agent, issued.Order, epochID[:], start[:], reason, micros(at))
		return err
	})
	if err != nil {
		return intake.Epoch{}, err
	}
	return issued, nil
}

// Covered notes a watermark claim that came without a batch.
func (db *DB) Covered(ctx context.Context, id fleet.Identity, epochID [16]byte, w intake.Watermark, at time.Time) error {
	return db.writeRows(ctx, id.Merchant, "note watermark of agent "+id.Agent, func(tx *tx) error {
		e, err := tx.epoch(id, epochID)
		if err != nil {
			return err
		}
		before := *e
		e.claim(w)
		if err := tx.ripen(e, at); err != nil {
			return err
		}
		if e.coveredTo == before.coveredTo && e.pendingTo == before.pendingTo && e.pendingNum == before.pendingNum && e.Safe == before.Safe {
			return nil
		}
		return tx.save(e)
	})
}
