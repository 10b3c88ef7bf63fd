package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/collector/work"
)

// A fence is the database's time of the claim: it is higher than that of the
// lease before, which has ended by then, also where that one's row is gone.
const (
	claimLease query = `INSERT INTO lease (merchant, subject, holder, fence, until) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (merchant, subject) DO UPDATE SET holder = $3, fence = $4, until = $5 WHERE lease.until < $4`
	renewLease   query = `UPDATE lease SET until = $5 WHERE merchant = $1 AND subject = $2 AND holder = $3 AND fence = $4`
	releaseLease query = `DELETE FROM lease WHERE merchant = $1 AND subject = $2 AND holder = $3 AND fence = $4`
	selectLease  query = `SELECT holder, fence FROM lease WHERE merchant = $1 AND subject = $2`
	// What a collector that died had claimed and nobody took over.
	forgetLeases query = `DELETE FROM lease WHERE until < $1`
)

// forgottenAfter is when a lease that has ended is of no use to anybody.
const forgottenAfter = time.Hour

// Claim implements work.Store.
func (db *DB) Claim(ctx context.Context, holder string, subjects []work.Subject, term time.Duration) ([]work.Lease, error) {
	var leases []work.Lease
	err := db.writeRows(ctx, everyone, "claim work", func(tx *tx) error {
		leases = nil
		now, err := tx.now()
		if err != nil {
			return err
		}
		if _, err := tx.exec(forgetLeases, now-forgottenAfter.Microseconds()); err != nil {
			return err
		}
		for _, s := range subjects {
			n, err := tx.exec(claimLease, s.Merchant, s.Name, holder, now, now+term.Microseconds())
			if err != nil {
				return err
			}
			if n == 1 {
				leases = append(leases, work.Lease{Subject: s, Holder: holder, Fence: now})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return leases, nil
}

// Renew implements work.Store.
func (db *DB) Renew(ctx context.Context, leases []work.Lease, term time.Duration) error {
	return db.writeRows(ctx, everyone, "renew leases", func(tx *tx) error {
		now, err := tx.now()
		if err != nil {
			return err
		}
		for _, l := range leases {
			if _, err := tx.exec(renewLease, l.Merchant, l.Name, l.Holder, l.Fence, now+term.Microseconds()); err != nil {
				return err
			}
		}
		return nil
	})
}

// Release implements work.Store.
func (db *DB) Release(ctx context.Context, leases []work.Lease) error {
	return db.writeRows(ctx, everyone, "release leases", func(tx *tx) error {
		for _, l := range leases {
			if _, err := tx.exec(releaseLease, l.Merchant, l.Name, l.Holder, l.Fence); err != nil {
				return err
			}
		}
		return nil
	})
}

// now is the database's time, in microseconds. An embedded database has that of
// its machine; its own function counts milliseconds only, within which two claims
// can follow each other.
func (t *tx) now() (now int64, err error) {
	if t.dialect.clock == "" {
		return time.Now().UnixMicro(), nil
	}
	err = t.row(t.dialect.clock)(&now)
	return now, err
}

// fenced fails with work.ErrLost unless the lease that ctx carries, if any, is
// still the newest of its subject, and keeps it so until the transaction ends.
// Whether its term is over does not matter as long as nobody took over.
func (t *tx) fenced() error {
	l, ok := work.Held(t.ctx)
	if !ok {
		return nil
	}
	var holder string
	var fence int64
	err := t.row(t.locked(selectLease), l.Merchant, l.Name)(&holder, &fence)
	if errors.Is(err, sql.ErrNoRows) || err == nil && (holder != l.Holder || fence != l.Fence) {
		return fmt.Errorf("%s of merchant %s: %w", l.Name, l.Merchant, work.ErrLost)
	}
	return err
}
