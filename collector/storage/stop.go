package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/shared/bizday"
)

const (
	insertStop query = `INSERT INTO stopped (merchant, at, stopped_by, reason) SELECT $1, $2, $3, $4
		WHERE NOT EXISTS (SELECT 1 FROM stopped WHERE merchant = $1 AND resumed_at = 0)`
	resumeStop  query = `UPDATE stopped SET resumed_at = $2, resumed_by = $3 WHERE merchant = $1 AND resumed_at = 0`
	currentStop query = `SELECT at, stopped_by, reason FROM stopped WHERE merchant = $1 AND resumed_at = 0`
	lastResumed query = `SELECT coalesce(max(resumed_at), 0) FROM stopped WHERE merchant = $1`
	insertRange query = `INSERT INTO entered (merchant, store, first, last, entered_by, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (merchant, store, first, last) DO NOTHING`
	deleteRange  query = `DELETE FROM entered WHERE merchant = $1 AND store = $2 AND first = $3 AND last = $4`
	enteredDay   query = `SELECT count(*) FROM entered WHERE merchant = $1 AND store = $2 AND first <= $3 AND last >= $3`
	unsettleDays query = `UPDATE store_day SET settled = 0 WHERE merchant = $1 AND store = $2 AND day >= $3 AND day <= $4 AND entry = 0`
	// Whether a ready day is in the books shows by its postings.
	outcomes query = `SELECT d.store, d.day, d.state, d.entry, (SELECT count(*) FROM posting p
		WHERE p.merchant = d.merchant AND p.store = d.store AND p.day = d.day AND p.state IN ('refused', 'parked'))
		FROM store_day d WHERE d.merchant = $1 AND d.day >= $2 ORDER BY d.day DESC, d.store`
)

// Stop implements day.StopStore.
func (db *DB) Stop(ctx context.Context, merchantID string, s day.Stop) (stopped bool, err error) {
	err = db.write(ctx, merchantID, "stop merchant "+merchantID, func(tx *tx) error {
		n, err := tx.exec(insertStop, merchantID, micros(s.At), s.By, s.Reason)
		if stopped = n > 0; err != nil || !stopped {
			return err
		}
		return tx.note(act(merchantID, logbook.Pause, "", s.Reason, s.By, s.At))
	})
	return stopped, err
}

// Resume lets a merchant's days be closed and posted again, and says whether they
// were not.
func (db *DB) Resume(ctx context.Context, merchantID, by string, at time.Time) (resumed bool, err error) {
	err = db.write(ctx, merchantID, "resume merchant "+merchantID, func(tx *tx) error {
		n, err := tx.exec(resumeStop, merchantID, micros(at), by)
		if resumed = n > 0; err != nil || !resumed {
			return err
		}
		return tx.note(act(merchantID, logbook.Resume, "", "", by, at))
	})
	return resumed, err
}

// Stopped implements day.StopStore.
func (db *DB) Stopped(ctx context.Context, merchantID string) (s *day.Stop, err error) {
	err = db.read(ctx, merchantID, "read whether merchant "+merchantID+" is stopped", func(tx *tx) error {
		s, err = tx.stopped(merchantID)
		return err
	})
	return s, err
}

func (t *tx) stopped(merchantID string) (*day.Stop, error) {
	var s day.Stop
	var at int64
	err := t.row(currentStop, merchantID)(&at, &s.By, &s.Reason)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	s.At = moment(at)
	return &s, err
}

// Outcomes implements day.StopStore.
func (db *DB) Outcomes(ctx context.Context, merchantID string, since bizday.Day) (all []day.Outcome, resumed time.Time, err error) {
	err = db.read(ctx, merchantID, "read how the days of merchant "+merchantID+" went", func(tx *tx) error {
		all = nil
		var at int64
		if err := tx.row(lastResumed, merchantID)(&at); err != nil {
			return err
		}
		resumed = moment(at)
		return tx.each(func(scan func(...any) error) error {
			o := day.Outcome{Ref: day.Ref{Merchant: merchantID}}
			err := scan(&o.Ref.Store, &o.Ref.Day, &o.State, &o.Entry, &o.Stuck)
			all = append(all, o)
			return err
		}, outcomes, merchantID, string(since))
	})
	return all, resumed, err
}

// Enter notes that people entered a store's days from first to last themselves:
// those without an entry are external. Noting it again changes nothing.
func (db *DB) Enter(ctx context.Context, merchantID, store string, first, last bizday.Day, by string, at time.Time) error {
	return db.write(ctx, merchantID, fmt.Sprintf("note days %s to %s of store %s as entered", first, last, store), func(tx *tx) error {
		n, err := tx.exec(insertRange, merchantID, store, string(first), string(last), by, micros(at))
		if err == nil && n > 0 {
			err = tx.note(act(merchantID, logbook.Entered, fmt.Sprintf("%s/%s to %s", store, first, last), "", by, at))
		}
		if err == nil {
			_, err = tx.exec(unsettleDays, merchantID, store, string(first), string(last))
		}
		return err
	})
}

// Withdraw takes back what Enter noted, of exactly these days, else it is ErrNone.
func (db *DB) Withdraw(ctx context.Context, merchantID, store string, first, last bizday.Day, by string, at time.Time) error {
	return db.write(ctx, merchantID, fmt.Sprintf("withdraw days %s to %s of store %s as entered", first, last, store), func(tx *tx) error {
		n, err := tx.exec(deleteRange, merchantID, store, string(first), string(last))
		if err == nil && n == 0 {
			err = ErrNone
		}
		if err == nil {
			err = tx.note(act(merchantID, logbook.Withdraw, fmt.Sprintf("%s/%s to %s", store, first, last), "", by, at))
		}
		if err == nil {
			_, err = tx.exec(unsettleDays, merchantID, store, string(first), string(last))
		}
		return err
	})
}
