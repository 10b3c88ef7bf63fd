package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/settle"
)

const (
	currentMovement query = `SELECT revision, version, body FROM movement WHERE merchant = $1 AND provider = $2 AND account = $3 AND key = $4 AND current = 1`
	pastMovement    query = `UPDATE movement SET current = 0 WHERE merchant = $1 AND provider = $2 AND account = $3 AND key = $4 AND current = 1`
	laterMovement   query = `UPDATE movement SET version = $5 WHERE merchant = $1 AND provider = $2 AND account = $3 AND key = $4 AND current = 1`
	insertMovement  query = `INSERT INTO movement (merchant, provider, account, key, revision, current, version, feed, at, payout, received, body)
		VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9, $10, $11)`

	currentPayout query = `SELECT revision, version, body FROM payout WHERE merchant = $1 AND provider = $2 AND account = $3 AND key = $4 AND current = 1`
	pastPayout    query = `UPDATE payout SET current = 0 WHERE merchant = $1 AND provider = $2 AND account = $3 AND key = $4 AND current = 1`
	laterPayout   query = `UPDATE payout SET version = $5 WHERE merchant = $1 AND provider = $2 AND account = $3 AND key = $4 AND current = 1`
	insertPayout  query = `INSERT INTO payout (merchant, provider, account, key, revision, current, version, feed, at, received, body)
		VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9, $10)`

	currentLine query = `SELECT revision, 0, body FROM bank_line WHERE merchant = $1 AND account = $2 AND key = $3 AND current = 1`
	pastLine    query = `UPDATE bank_line SET current = 0 WHERE merchant = $1 AND account = $2 AND key = $3 AND current = 1`
	insertLine  query = `INSERT INTO bank_line (merchant, account, key, revision, current, feed, booked, received, body) VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8)`

	putBalance query = `INSERT INTO provider_balance (merchant, provider, account, currency, day, at, feed, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (merchant, provider, account, currency, day) DO UPDATE SET at = $6, feed = $7, body = $8 WHERE provider_balance.at <= $6`

	selectMovements query = `SELECT body FROM movement WHERE merchant = $1 AND current = 1 AND at >= $2 AND at < $3 ORDER BY provider, account, key`
	selectPayouts   query = `SELECT body FROM payout WHERE merchant = $1 AND current = 1 AND at >= $2 AND at < $3 ORDER BY provider, account, key`
	selectLines     query = `SELECT body FROM bank_line WHERE merchant = $1 AND current = 1 AND booked >= $2 AND booked < $3 ORDER BY account, key`
	selectBalances  query = `SELECT body FROM provider_balance WHERE merchant = $1 AND day >= $2 AND day < $3 ORDER BY provider, account, currency, day`
)

// facts stores what a page states of settlement and counts what it changed.
func (t *tx) facts(id feed.ID, p feed.Page, at time.Time) (kept feed.Kept, err error) {
	count := func(n *int, changed bool, wrong error) {
		if changed {
			*n++
		}
		err = errors.Join(err, wrong)
	}
	for i := range p.Movements {
		m := &p.Movements[i]
		changed, wrong := t.fact(m.Movement, m.Version, currentMovement, pastMovement, laterMovement, func(revision int, body string) error {
			_, err := t.exec(insertMovement, id.Merchant, m.Provider, m.Account, m.Key, revision, m.Version, id.Feed, micros(m.At), m.Payout, micros(at), body)
			return err
		}, id.Merchant, m.Provider, m.Account, m.Key)
		count(&kept.Movements, changed, wrong)
	}
	for i := range p.Payouts {
		o := &p.Payouts[i]
		changed, wrong := t.fact(o.Payout, o.Version, currentPayout, pastPayout, laterPayout, func(revision int, body string) error {
			_, err := t.exec(insertPayout, id.Merchant, o.Provider, o.Account, o.Key, revision, o.Version, id.Feed, micros(o.Created), micros(at), body)
			return err
		}, id.Merchant, o.Provider, o.Account, o.Key)
		count(&kept.Payouts, changed, wrong)
	}
	for i := range p.Lines {
		l := &p.Lines[i]
		changed, wrong := t.fact(*l, 0, currentLine, pastLine, "", func(revision int, body string) error {
			_, err := t.exec(insertLine, id.Merchant, l.Account, l.Key, revision, id.Feed, string(l.Booked), micros(at), body)
			return err
		}, id.Merchant, l.Account, l.Key)
		count(&kept.Lines, changed, wrong)
	}
	for _, b := range p.Balances {
		body, wrong := json.Marshal(b)
		if wrong == nil {
			_, wrong = t.exec(putBalance, id.Merchant, b.Provider, b.Account, b.Currency, b.At.UTC().Format(time.DateOnly), micros(b.At), id.Feed, string(body))
		}
		err = errors.Join(err, wrong)
	}
	return kept, err
}

// fact stores one fact, unless it is known or older than what is, and says whether
// it changed anything.
func (t *tx) fact(what any, version int64, current, past, later query, insert func(revision int, body string) error, key ...any) (bool, error) {
	text, err := json.Marshal(what)
	if err != nil {
		return false, err
	}
	var revision int
	var known int64
	var body string
	err = t.row(current, key...)(&revision, &known, &body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return false, err
	case version < known:
		return false, nil
	case body == string(text):
		if version > known {
			_, err = t.exec(later, append(key, version)...)
		}
		return false, err
	default:
		if n, err := t.exec(past, key...); err != nil || n != 1 {
			return false, errors.Join(err, fmt.Errorf("%d rows were current", n))
		}
	}
	return true, insert(revision+1, string(text))
}

// Movements returns a merchant's movements that happened from a moment on and
// before another, by provider, account and key.
func (db *DB) Movements(ctx context.Context, merchantID string, from, before time.Time) ([]settle.Movement, error) {
	return stated[settle.Movement](ctx, db, merchantID, "movements", selectMovements, micros(from), micros(before))
}

// Payouts returns a merchant's payouts that were made from a moment on and before
// another, by provider, account and key.
func (db *DB) Payouts(ctx context.Context, merchantID string, from, before time.Time) ([]settle.Payout, error) {
	return stated[settle.Payout](ctx, db, merchantID, "payouts", selectPayouts, micros(from), micros(before))
}

// BankLines returns a merchant's bank lines that were booked from a day on and
// before another, by account and key.
func (db *DB) BankLines(ctx context.Context, merchantID, from, before string) ([]settle.BankLine, error) {
	return stated[settle.BankLine](ctx, db, merchantID, "bank lines", selectLines, from, before)
}

// Balances returns what providers said that they owe a merchant, the last of each
// UTC day from one on and before another.
func (db *DB) Balances(ctx context.Context, merchantID, from, before string) ([]settle.Balance, error) {
	return stated[settle.Balance](ctx, db, merchantID, "balances", selectBalances, from, before)
}

func stated[T any](ctx context.Context, db *DB, merchantID, what string, q query, from, before any) ([]T, error) {
	var all []T
	err := db.each(ctx, merchantID, "read "+what+" of merchant "+merchantID, func(scan func(...any) error) error {
		var body string
		var one T
		err := scan(&body)
		if err == nil {
			err = json.Unmarshal([]byte(body), &one)
		}
		all = append(all, one)
		return err
	}, q, merchantID, from, before)
	return all, err
}
