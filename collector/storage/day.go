package storage

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/logbook"
)

// ErrNone: what was asked for is not stored.
var ErrNone = errors.New("not stored")

const (
	dayColumns          = `SELECT merchant, store, day, version, changed_at, state, hold, entry, closed_at FROM store_day`
	selectDay     query = dayColumns + ` WHERE merchant = $1 AND store = $2 AND day = $3`
	selectDays    query = dayColumns + ` ORDER BY merchant, store, day`
	merchantDays  query = dayColumns + ` WHERE merchant = $1 ORDER BY store, day`
	unsettledOf   query = dayColumns + ` WHERE merchant = $1 AND settled = 0`
	unsettledDays query = `SELECT merchant, store, day FROM store_day WHERE settled = 0 ORDER BY day, merchant, store`
	setDay        query = `UPDATE store_day SET state = $5, hold = $6, settled = $7
		WHERE merchant = $1 AND store = $2 AND day = $3 AND version = $4`
	closeDay query = `UPDATE store_day SET state = 'ready', hold = '', settled = 1, entry = $4, closed_at = $5
		WHERE merchant = $1 AND store = $2 AND day = $3 AND version = $4`
	reopenDay query = `UPDATE store_day SET version = version + 1, settled = 0, changed_at = $4 WHERE merchant = $1 AND store = $2 AND day = $3`
	accept    query = `INSERT INTO accepted (merchant, store, day, difference, accepted_by, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (merchant, store, day, difference) DO NOTHING`

	entryColumns       = `SELECT merchant, store, day, version, mapping, rules, body, proof, reason, at FROM entry`
	selectEntry  query = entryColumns + ` WHERE merchant = $1 AND store = $2 AND day = $3 AND version = $4`
	newestEntry  query = entryColumns + ` WHERE merchant = $1 AND store = $2 AND day = $3 ORDER BY version DESC LIMIT 1`
	insertEntry  query = `INSERT INTO entry (merchant, store, day, version, mapping, rules, body, proof, reason, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	// The new entry is due at every connection of the merchant.
	deliverEntry query = `INSERT INTO delivery (merchant, store, day, target, newest, posted, at)
		SELECT merchant, $2, $3, target, $4, 0, $5 FROM connection WHERE merchant = $1
		ON CONFLICT (merchant, store, day, target) DO UPDATE SET newest = $4, at = $5`
)

// Unsettled returns the days that are neither ready nor external at their
// version, oldest first.
func (db *DB) Unsettled(ctx context.Context) ([]day.Ref, error) {
	var refs []day.Ref
	err := db.read(ctx, everyone, "read unsettled days", func(tx *tx) error {
		return tx.each(func(scan func(...any) error) error {
			var r day.Ref
			err := scan(&r.Merchant, &r.Store, &r.Day)
			refs = append(refs, r)
			return err
		}, unsettledDays)
	})
	return refs, err
}

// Set stores the state and hold of a day, if its version is still the given one,
// else it fails with day.ErrMoved. The moment is not kept.
func (db *DB) Set(ctx context.Context, ref day.Ref, version int64, state string, hold *day.Hold, _ time.Time) error {
	return db.write(ctx, ref.Merchant, fmt.Sprintf("set day %s %s to %s", ref.Store, ref.Day, state), func(tx *tx) error {
		text := []byte{}
		if hold != nil {
			var err error
			if text, err = json.Marshal(hold); err != nil {
				return err
			}
		}
		settled := state == day.Ready || state == day.External
		n, err := tx.exec(setDay, ref.Merchant, ref.Store, string(ref.Day), version, state, string(text), flag(settled))
		if err == nil && n == 0 {
			err = day.ErrMoved
		}
		return err
	})
}

// Save stores an entry and makes its day ready, if the day's version is still
// the entry's and what it looked at of other days is unchanged, else it fails with
// day.ErrMoved. The entry is then due at every
// connection of the merchant. An entry that is stored already changes nothing;
// another one at the same version is an error, since an entry is a function of
// what its version names.
func (db *DB) Save(ctx context.Context, e day.Entry) error {
	return db.write(ctx, e.Merchant, fmt.Sprintf("save entry of day %s %s at version %d", e.Store, e.Day, e.Version), func(tx *tx) error {
		stored, err := scanEntry(tx.row(selectEntry, e.Merchant, e.Store, string(e.Day), e.Version))
		switch {
		case err == nil && stored.Mapping == e.Mapping && stored.Rules == e.Rules && bytes.Equal(stored.Body, e.Body):
			return nil
		case err == nil:
			return errors.New("another entry is stored at this version; reopen the day to make one anew")
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		n, err := tx.exec(closeDay, e.Merchant, e.Store, string(e.Day), e.Version, micros(e.At))
		if err != nil {
			return err
		}
		if n == 0 {
			return day.ErrMoved
		}
		if _, err := tx.exec(insertEntry, e.Merchant, e.Store, string(e.Day), e.Version, e.Mapping, e.Rules, blob(e.Body), blob(e.Proof),
			e.Reason, micros(e.At)); err != nil {
			return err
		}
		if err := tx.keepSeen(e); err != nil {
			return err
		}
		_, err = tx.exec(deliverEntry, e.Merchant, e.Store, string(e.Day), e.Version, micros(e.At))
		return err
	})
}

// Reopen raises the version of a day, so that it is closed again; a day that is
// not there is ErrNone.
func (db *DB) Reopen(ctx context.Context, ref day.Ref, at time.Time) error {
	return db.write(ctx, ref.Merchant, fmt.Sprintf("reopen day %s %s", ref.Store, ref.Day), func(tx *tx) error {
		if err := tx.reopen(ref, at); err != nil {
			return err
		}
		return tx.note(act(ref.Merchant, logbook.Reopen, ref.Store+"/"+string(ref.Day), "", "", at))
	})
}

func (t *tx) reopen(ref day.Ref, at time.Time) error {
	n, err := t.exec(reopenDay, ref.Merchant, ref.Store, string(ref.Day), micros(at))
	if err == nil && n == 0 {
		err = ErrNone
	}
	return err
}

// Accept notes that a person accepted a difference of a day's proof, by its id,
// and reopens the day; a day that is not there is ErrNone. Accepting again
// changes nothing.
func (db *DB) Accept(ctx context.Context, ref day.Ref, difference, by string, at time.Time) error {
	return db.write(ctx, ref.Merchant, fmt.Sprintf("accept difference of day %s %s", ref.Store, ref.Day), func(tx *tx) error {
		n, err := tx.exec(accept, ref.Merchant, ref.Store, string(ref.Day), difference, by, micros(at))
		if err != nil || n == 0 {
			return err
		}
		if err := tx.reopen(ref, at); err != nil {
			return err
		}
		return tx.note(act(ref.Merchant, logbook.Accept, ref.Store+"/"+string(ref.Day), difference, by, at))
	})
}

// Days returns the days of a merchant, or of all where it is empty, by merchant,
// store and day.
func (db *DB) Days(ctx context.Context, merchantID string) ([]day.StoreDay, error) {
	var days []day.StoreDay
	whose := cmp.Or(merchantID, everyone)
	err := db.read(ctx, whose, "read days", func(tx *tx) error {
		add := func(scan func(...any) error) error {
			d, err := scanDay(scan)
			days = append(days, d)
			return err
		}
		if merchantID == "" {
			return tx.each(add, selectDays)
		}
		return tx.each(add, merchantDays, merchantID)
	})
	return days, err
}

// Entry returns the entry of a day at a version, at 0 the newest, or ErrNone.
func (db *DB) Entry(ctx context.Context, ref day.Ref, version int64) (day.Entry, error) {
	var e day.Entry
	err := db.read(ctx, ref.Merchant, fmt.Sprintf("read entry of day %s %s", ref.Store, ref.Day), func(tx *tx) (err error) {
		e, err = tx.entry(ref, version)
		return err
	})
	return e, err
}

func (t *tx) entry(ref day.Ref, version int64) (day.Entry, error) {
	row := t.row(newestEntry, ref.Merchant, ref.Store, string(ref.Day))
	if version != 0 {
		row = t.row(selectEntry, ref.Merchant, ref.Store, string(ref.Day), version)
	}
	e, err := scanEntry(row)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNone
	}
	return e, err
}

func scanEntry(scan func(...any) error) (e day.Entry, err error) {
	var at int64
	err = scan(&e.Merchant, &e.Store, &e.Day, &e.Version, &e.Mapping, &e.Rules, &e.Body, &e.Proof, &e.Reason, &at)
	e.At = moment(at)
	return e, err
}

func scanDay(scan func(...any) error) (d day.StoreDay, err error) {
	var hold string
	var changed, closed int64
	if err = scan(&d.Merchant, &d.Store, &d.Day, &d.Version, &changed, &d.State, &hold, &d.Entry, &closed); err != nil {
		return d, err
	}
	d.ChangedAt, d.ClosedAt = moment(changed), moment(closed)
	if hold != "" {
		d.Hold = new(day.Hold)
		if err = json.Unmarshal([]byte(hold), d.Hold); err != nil {
			err = fmt.Errorf("hold of day %s %s: %w", d.Store, d.Day, err)
		}
	}
	return d, err
}
