package storage

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"tillbook.example/tillbook/collector/backup"
	"tillbook.example/tillbook/collector/logbook"
)

const (
	lastAct   query = `SELECT number, hash FROM act WHERE merchant = $1 ORDER BY number DESC LIMIT 1`
	insertAct query = `INSERT INTO act (merchant, number, at, done_by, what, subject, detail, before, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	allActs   query = `SELECT merchant, number, at, done_by, what, subject, detail, before, hash FROM act WHERE merchant = $1 ORDER BY number`
	hashOfAct query = `SELECT hash FROM act WHERE merchant = $1 AND number = $2`
	lastActs  query = `SELECT merchant, number, hash FROM act a WHERE merchant <> $1
		AND number = (SELECT max(n.number) FROM act n WHERE n.merchant = a.merchant) ORDER BY merchant`
)

// note adds an act to the log in the transaction that does it. Its number and
// hashes are filled in and, where they are not told, who did it and when.
func (t *tx) note(a logbook.Act) error {
	a.By = logbook.Actor(t.ctx, a.By)
	if a.At.IsZero() {
		now, err := t.now()
		if err != nil {
			return err
		}
		a.At = moment(now)
	}
	var head logbook.Head
	var hash []byte
	err := t.row(lastAct, a.Merchant)(&head.Number, &hash)
	if err == nil {
		head.Hash, err = digest(hash)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	a = logbook.Next(head, a)
	_, err = t.exec(insertAct, a.Merchant, a.Number, micros(a.At), a.By, a.What, a.On, a.Detail, a.Before[:], a.Hash[:])
	return err
}

// Note adds an act to the log that changes nothing in the database.
func (db *DB) Note(ctx context.Context, a logbook.Act) error {
	return db.write(ctx, a.Merchant, "note "+a.What, func(tx *tx) error { return tx.note(a) })
}

// EachAct calls f for all acts of a merchant, or of logbook.Collector, by number.
func (db *DB) EachAct(ctx context.Context, merchant string, f func(logbook.Act) error) error {
	return db.each(ctx, merchant, "read the log of merchant "+merchant, func(scan func(...any) error) error {
		a, err := scanAct(scan)
		if err != nil {
			return err
		}
		return f(a)
	}, allActs, merchant)
}

func scanAct(scan func(...any) error) (a logbook.Act, err error) {
	var at int64
	var before, hash []byte
	err = scan(&a.Merchant, &a.Number, &at, &a.By, &a.What, &a.On, &a.Detail, &before, &hash)
	if err == nil {
		a.Before, err = digest(before)
	}
	if err == nil {
		a.Hash, err = digest(hash)
	}
	a.At = moment(at)
	return a, err
}

// logs returns the ends of all logs, by merchant.
func (t *tx) logs() (heads []backup.Log, err error) {
	err = t.each(func(scan func(...any) error) error {
		var l backup.Log
		var hash []byte
		err := scan(&l.Merchant, &l.Number, &hash)
		l.Hash = hash
		heads = append(heads, l)
		return err
	}, lastActs, "")
	return heads, err
}

// HashOfAct returns the hash of a merchant's act of a number, zero where there is
// none.
func (db *DB) HashOfAct(ctx context.Context, merchant string, number int64) (hash [32]byte, err error) {
	err = db.read(ctx, merchant, "read the log of merchant "+merchant, func(tx *tx) error {
		var kept []byte
		err := tx.row(hashOfAct, merchant, number)(&kept)
		if errors.Is(err, sql.ErrNoRows) {
			hash = [32]byte{}
			return nil
		}
		if err == nil {
			hash, err = digest(kept)
		}
		return err
	})
	return hash, err
}

// act is an act on something of a merchant.
func act(merchant, what, on, detail, by string, at time.Time) logbook.Act {
	return logbook.Act{Merchant: merchant, At: at, By: by, What: what, On: on, Detail: detail}
}
