package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tillbook.example/tillbook/collector/work"
)

const (
	sealedTokens      query = `SELECT merchant, connection, access, refresh, version FROM token WHERE merchant <> $1 ORDER BY merchant, connection`
	sealedCredentials query = `SELECT merchant, feed, name, sealed FROM credential WHERE merchant <> $1 ORDER BY merchant, feed, name`
	resealToken       query = `UPDATE token SET access = $4, refresh = $5 WHERE merchant = $1 AND connection = $2 AND version = $3`
	resealCredential  query = `UPDATE credential SET sealed = $5 WHERE merchant = $1 AND feed = $2 AND name = $3 AND sealed = $4`
)

// Resealer is a Sealer that knows what it sealed with its newest key.
type Resealer interface {
	Sealer
	Newest(sealed []byte) (bool, error)
}

// Resealed is how what is sealed stands.
type Resealed struct {
	Newest int      `json:"newest"` // sealed with the newest key, now
	Older  int      `json:"older"`  // still with an older one
	Lost   []string `json:"lost"`   // cannot be unsealed with any key that is here
}

// sealedRow is one row with something sealed in it.
type sealedRow struct {
	merchant, name string
	values         [][]byte
	about          [][]string // of each value
	put            query      // new values in place of these
	args           []any      // of put, before the values
}

// Reseal seals everything that is sealed with an older key with the newest, row by
// row, or only counts it. It may be run at any time, beside collectors, and again
// where it was cut off: what a collector renews meanwhile is left as it is.
func (db *DB) Reseal(ctx context.Context, keys Resealer, do bool) (r Resealed, err error) {
	r.Lost = []string{}
	rows, err := db.sealed(ctx)
	if err != nil {
		return r, err
	}
	for _, row := range rows {
		fresh, lost, err := row.reseal(keys)
		switch {
		case err != nil:
			return r, err
		case lost:
			r.Lost = append(r.Lost, row.merchant+"/"+row.name)
		case fresh == nil:
			r.Newest++
		case !do:
			r.Older++
		default:
			var n int64
			if err := db.writeRows(work.Free(ctx), row.merchant, "seal "+row.name+" anew", func(tx *tx) (err error) {
				n, err = tx.exec(row.put, append(slices.Clone(row.args), fresh...)...)
				return err
			}); err != nil {
				return r, err
			}
			if r.Newest++; n == 0 { // changed meanwhile: looked at again with the next run
				r.Newest, r.Older = r.Newest-1, r.Older+1
			}
		}
	}
	return r, nil
}

// reseal returns a row's values sealed with the newest key; nil where they are.
func (s sealedRow) reseal(keys Resealer) (fresh []any, lost bool, err error) {
	all := true
	for i, value := range s.values {
		newest, err := keys.Newest(value)
		if err != nil {
			return nil, false, err
		}
		all = all && newest
		text, err := keys.Unseal(value, s.about[i]...)
		if err != nil {
			return nil, true, nil
		}
		again, err := keys.Seal(text, s.about[i]...)
		if err != nil {
			return nil, false, fmt.Errorf("seal %s anew: %w", s.name, err)
		}
		fresh = append(fresh, filled(again))
	}
	if all {
		return nil, false, nil
	}
	return fresh, false, nil
}

// sealed reads every row that has something sealed in it.
func (db *DB) sealed(ctx context.Context) (all []sealedRow, err error) {
	err = db.read(ctx, everyone, "read what is sealed", func(tx *tx) error {
		all = nil
		tokens := tx.each(func(scan func(...any) error) error {
			var m, c string
			var access, refresh []byte
			var version int64
			err := scan(&m, &c, &access, &refresh, &version)
			all = append(all, sealedRow{m, c, [][]byte{access, refresh}, [][]string{{m, c, "access"}, {m, c, "refresh"}}, resealToken, []any{m, c, version}})
			return err
		}, sealedTokens, "")
		return errors.Join(tokens, tx.each(func(scan func(...any) error) error {
			var m, feed, name string
			var value []byte
			err := scan(&m, &feed, &name, &value)
			all = append(all, sealedRow{m, feed + "/" + name, [][]byte{value}, [][]string{{"feed", m, feed, name}}, resealCredential, []any{m, feed, name, value}})
			return err
		}, sealedCredentials, ""))
	})
	return all, err
}
