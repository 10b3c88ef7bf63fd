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

const (
	runColumns = `SELECT first, last, lost, before FROM stream_batch WHERE merchant = $1 AND agent = $2 AND epoch = $3`
	// Runs do not overlap, so the last one that begins at or below a number is the
	// only one that can reach it from below.
	selectRuns query = runColumns + ` AND first <= $5 AND first >= coalesce((SELECT max(b.first) FROM stream_batch b
		WHERE b.merchant = $1 AND b.agent = $2 AND b.epoch = $3 AND b.first <= $4), 0) AND last >= $4 ORDER BY first`
	runsAbove query = runColumns + ` AND first > $4 ORDER BY first`
	runDigest query = `SELECT last, lost, CASE WHEN lost = '' THEN substr(digests, CAST(($4 - first) * 32 + 1 AS INTEGER), 32) ELSE digests END
		FROM stream_batch WHERE merchant = $1 AND agent = $2 AND epoch = $3 AND first <= $4 ORDER BY first DESC LIMIT 1`
	insertRun query = `INSERT INTO stream_batch (merchant, agent, epoch, first, last, received, lost, before, digests)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	firstYoung query = `SELECT first FROM stream_batch WHERE merchant = $1 AND agent = $2 AND epoch = $3 AND first > $4 AND received > $5
		ORDER BY first LIMIT 1`
)

// run is one row of stream_batch: numbers that are stored together, or declared
// lost together.
type run struct {
	first, last uint64
	lost        string
	before      []byte // digest before first; empty: not known
}

func (t *tx) runs(q query, e *epoch, numbers ...any) ([]run, error) {
	var runs []run
	err := t.each(func(scan func(...any) error) error {
		var r run
		err := scan(&r.first, &r.last, &r.lost, &r.before)
		runs = append(runs, r)
		return err
	}, q, append([]any{e.id.Merchant, e.id.Agent, e.Epoch.Order}, numbers...)...)
	return runs, err
}

// runsIn returns the runs with a number from first to last, in order.
func (t *tx) runsIn(e *epoch, first, last uint64) ([]run, error) {
	return t.runs(selectRuns, e, first, last)
}

// runsAbove returns the runs that begin above a number, in order.
func (t *tx) runsAbove(e *epoch, number uint64) ([]run, error) {
	return t.runs(runsAbove, e, number)
}

// digestAt returns the chained digest stored at a number.
func (t *tx) digestAt(e *epoch, number uint64) (at [32]byte, known bool, err error) {
	switch {
	case number == e.Stored:
		return e.Digest, true, nil
	case number == 0:
		return e.start, true, nil
	case number > e.top:
		return at, false, nil
	}
	var last uint64
	var lost string
	var stored []byte
	err = t.row(runDigest, e.id.Merchant, e.id.Agent, e.Epoch.Order, number)(&last, &lost, &stored)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return at, false, nil
	case err != nil:
		return at, false, err
	case last < number, lost != "" && last != number, len(stored) == 0:
		return at, false, nil
	}
	at, err = digest(stored)
	return at, err == nil, err
}

// chain is a stretch of numbers whose chained digests somebody states: a batch,
// which knows each, or a gap, which knows only the last.
type chain struct {
	first, last uint64
	at          func(number uint64) (digest [32]byte, known bool) // from first-1 to last
}

// fresh compares a chain with what is stored wherever both know a digest, and
// returns the runs of it that are not stored. A difference is intake.ErrFork:
// the digest is chained, so that equality at the highest common number of a run
// is equality of all its records.
func (t *tx) fresh(e *epoch, c chain) ([]run, error) {
	if err := t.meet(e, c, c.first-1); err != nil {
		return nil, err
	}
	stored, err := t.runsIn(e, c.first, c.last+1)
	if err != nil {
		return nil, err
	}
	var fresh []run
	next := c.first
	for _, r := range stored {
		if r.first > c.first && len(r.before) > 0 { // the run's first is at most last+1
			if at, known := c.at(r.first - 1); known && string(at[:]) != string(r.before) {
				return nil, fork(r.first - 1)
			}
		}
		if r.first > c.last {
			break
		}
		if err := t.meet(e, c, min(r.last, c.last)); err != nil {
			return nil, err
		}
		if r.first > next {
			fresh = append(fresh, run{first: next, last: r.first - 1})
		}
		next = r.last + 1
	}
	if next <= c.last {
		fresh = append(fresh, run{first: next, last: c.last})
	}
	return fresh, nil
}

// meet compares a chain with what is stored at one number.
func (t *tx) meet(e *epoch, c chain, number uint64) error {
	stated, known := c.at(number)
	if !known {
		return nil
	}
	at, known, err := t.digestAt(e, number)
	if err == nil && known && at != stated {
		err = fork(number)
	}
	return err
}

func fork(number uint64) error {
	return fmt.Errorf("the digest at number %d is not the one that is stored: %w", number, intake.ErrFork)
}

// insertRun stores a run that is new.
func (t *tx) insertRun(e *epoch, r run, digests []byte, at time.Time) error {
	before := r.before
	if before == nil {
		before = []byte{}
	}
	if digests == nil {
		digests = []byte{}
	}
	_, err := t.exec(insertRun, e.id.Merchant, e.id.Agent, e.Epoch.Order, r.first, r.last, micros(at), r.lost, before, digests)
	e.top = max(e.top, r.last)
	return err
}

// advance moves the watermark over the runs that follow it, where their digests
// meet; where they do not, the numbering forked.
func (t *tx) advance(e *epoch) error {
	runs, err := t.runsAbove(e, e.Stored)
	if err != nil {
		return err
	}
	known := true // the digest at stored; not after a gap that another gap follows
	for len(runs) > 0 && runs[0].first == e.Stored+1 {
		r := runs[0]
		runs = runs[1:]
		if known && len(r.before) > 0 && string(r.before) != string(e.Digest[:]) {
			return fork(e.Stored)
		}
		at, ok, err := t.digestAt(e, r.last)
		if err != nil {
			return err
		}
		if known = ok; known {
			e.Digest = at
		}
		e.Stored = r.last
	}
	if !known {
		return fmt.Errorf("no digest is known at number %d", e.Stored)
	}
	if len(runs) > maxRanges {
		return fmt.Errorf("%d ranges above number %d wait for what is below them: %w", len(runs), e.Stored, intake.ErrBusy)
	}
	e.settle()
	return nil
}

// ripen moves the safe mark over what a verified backup has or what was received
// long enough ago. It begins where it stands, so each run is looked at about once.
func (t *tx) ripen(e *epoch, now time.Time) error {
	e.Safe = max(e.Safe, min(e.verified, e.Stored))
	var first uint64
	err := t.row(firstYoung, e.id.Merchant, e.id.Agent, e.Epoch.Order, e.Safe, micros(now.Add(-SafeAfter)))(&first)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		e.Safe = e.Stored
	case err != nil:
		return err
	default:
		e.Safe = max(e.Safe, min(first-1, e.Stored))
	}
	return nil
}

// DeclareGap stores that wire numbers are lost, those of them that are not
// stored after all, and moves the watermark over them. after is the digest from
// which the agent goes on; where another is stored at the gap's end the
// numbering forked.
func (db *DB) DeclareGap(ctx context.Context, id fleet.Identity, epochID [16]byte, gap intake.Range, after [32]byte, reason string, at time.Time) (intake.Position, error) {
	var position intake.Position
	err := db.writeRows(ctx, id.Merchant, fmt.Sprintf("declare gap %d-%d of agent %s", gap.First, gap.Last, id.Agent), func(tx *tx) error {
		if gap.First == 0 || gap.Last < gap.First || gap.Last > maxNumber {
			return errors.New("it is not a range of numbers")
		}
		e, err := tx.open(id, epochID)
		if err != nil {
			return err
		}
		fresh, err := tx.fresh(e, chain{gap.First, gap.Last, func(number uint64) ([32]byte, bool) { return after, number == gap.Last }})
		if err != nil {
			return err
		}
		if reason == "" {
			reason = "not stated"
		}
		for _, r := range fresh {
			r.lost = reason
			var end []byte
			if r.last == gap.Last {
				end = after[:]
			} else if end, err = tx.before(e, r.last+1); err != nil {
				return err
			}
			if err := tx.insertRun(e, r, end, at); err != nil {
				return err
			}
		}
		if err := errors.Join(tx.advance(e), tx.ripen(e, at)); err != nil {
			return err
		}
		if err := tx.save(e); err != nil {
			return err
		}
		position, err = tx.position(e)
		return err
	})
	return position, err
}

// before returns the digest before the run that begins at a number; empty where
// it is not known.
func (t *tx) before(e *epoch, first uint64) ([]byte, error) {
	runs, err := t.runsIn(e, first, first)
	if err != nil || len(runs) == 0 {
		return nil, err
	}
	return runs[0].before, nil
}
