package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/target/oauth"
	"tillbook.example/tillbook/collector/work"
)

// A first version is the database's time, so that no version of a connection comes
// again after it was disconnected.
const (
	selectToken  query = `SELECT access, refresh, expiry, until, ended, version FROM token WHERE merchant = $1 AND connection = $2`
	claimToken   query = `UPDATE token SET claimed = $5 WHERE merchant = $1 AND connection = $2 AND version = $3 AND claimed <= $4`
	releaseToken query = `UPDATE token SET claimed = 0 WHERE merchant = $1 AND connection = $2 AND version = $3`
	renewToken   query = `UPDATE token SET access = $4, refresh = $5, expiry = $6, until = $7, ended = $8, version = version + 1, claimed = 0
		WHERE merchant = $1 AND connection = $2 AND version = $3`
	putToken query = `INSERT INTO token (merchant, connection, version, access, refresh, expiry, until, ended, claimed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)
		ON CONFLICT (merchant, connection) DO UPDATE SET access = $4, refresh = $5, expiry = $6, until = $7, ended = $8, version = token.version + 1, claimed = 0`
	deleteToken  query = `DELETE FROM token WHERE merchant = $1 AND connection = $2`
	selectAccess query = `SELECT connection, until, ended FROM token WHERE merchant = $1 ORDER BY connection`
)

// Sealer seals a text about something, and unseals it about the same only.
type Sealer interface {
	Seal(text string, about ...string) ([]byte, error)
	Unseal(sealed []byte, about ...string) (string, error)
}

// Tokens implements oauth.Tokens: a connection is MERCHANT/CONNECTION. Tokens are
// sealed about their merchant, connection and field.
type Tokens struct {
	db     *DB
	sealer Sealer
}

var _ oauth.Tokens = Tokens{}

// Tokens returns the tokens that are kept here, sealed by a sealer.
func (db *DB) Tokens(sealer Sealer) Tokens { return Tokens{db, sealer} }

// Load implements oauth.Tokens.
func (t Tokens) Load(ctx context.Context, connection string) (token oauth.Token, err error) {
	m, c, err := tokenOf(connection)
	if err != nil {
		return token, err
	}
	var access, refresh []byte
	err = t.db.read(ctx, m, "read the token of "+connection, func(tx *tx) error {
		var expiry, until int64
		err := tx.row(selectToken, m, c)(&access, &refresh, &expiry, &until, &token.Ended, &token.Version)
		if errors.Is(err, sql.ErrNoRows) {
			return oauth.ErrNone
		}
		token.Expiry, token.Until = moment(expiry), moment(until)
		return err
	})
	if err != nil {
		return oauth.Token{}, err
	}
	var unsealed [2]error
	token.Access, unsealed[0] = t.sealer.Unseal(access, m, c, "access")
	token.Refresh, unsealed[1] = t.sealer.Unseal(refresh, m, c, "refresh")
	if err := errors.Join(unsealed[:]...); err != nil {
		return oauth.Token{}, fmt.Errorf("read the token of %s: %w", connection, err)
	}
	return token, nil
}

// Claim implements oauth.Tokens.
func (t Tokens) Claim(ctx context.Context, connection string, version int64, now, until time.Time) error {
	return t.change(ctx, connection, "claim the token of ", func(tx *tx, m, c string) error {
		here, err := tx.now()
		if err != nil {
			return err
		}
		n, err := tx.exec(claimToken, m, c, version, here, here+until.Sub(now).Microseconds())
		return changed(n, err)
	})
}

// Release implements oauth.Tokens.
func (t Tokens) Release(ctx context.Context, connection string, version int64) error {
	return t.change(ctx, connection, "release the token of ", func(tx *tx, m, c string) error {
		_, err := tx.exec(releaseToken, m, c, version)
		return err
	})
}

// Save implements oauth.Tokens.
func (t Tokens) Save(ctx context.Context, connection string, version int64, token oauth.Token) error {
	m, c, err := tokenOf(connection)
	if err != nil {
		return err
	}
	access, unread := t.sealer.Seal(token.Access, m, c, "access")
	refresh, err := t.sealer.Seal(token.Refresh, m, c, "refresh")
	if err := errors.Join(unread, err); err != nil {
		return fmt.Errorf("keep the token of %s: %w", connection, err)
	}
	return t.change(ctx, connection, "keep the token of ", func(tx *tx, m, c string) error {
		values := []any{m, c, version, filled(access), filled(refresh), micros(token.Expiry), micros(token.Until), token.Ended}
		if version != 0 {
			n, err := tx.exec(renewToken, values...)
			return changed(n, err)
		}
		if values[2], err = tx.now(); err != nil {
			return err
		}
		if _, err = tx.exec(putToken, values...); err != nil {
			return err
		}
		return tx.note(act(m, logbook.Connect, c, "", "", time.Time{}))
	})
}

// Forget lets go of the token of a connection; it is ErrNone if there is none.
func (t Tokens) Forget(ctx context.Context, connection string) error {
	return t.change(ctx, connection, "forget the token of ", func(tx *tx, m, c string) error {
		n, err := tx.exec(deleteToken, m, c)
		if err == nil && n == 0 {
			err = oauth.ErrNone
		}
		if err != nil {
			return err
		}
		return tx.note(act(m, logbook.Disconnect, c, "", "", time.Time{}))
	})
}

// Access is how a connection stands with its books, without what lets it in.
type Access struct {
	Connection string
	Until      time.Time // when it ends unless it is renewed; zero: not said
	Ended      string    // why it has ended; empty: it has not
}

// Access returns how the connections of a merchant stand that were connected.
func (db *DB) Access(ctx context.Context, merchantID string) (all []Access, err error) {
	err = db.read(ctx, merchantID, "read the access of merchant "+merchantID, func(tx *tx) error {
		all = nil
		return tx.each(func(scan func(...any) error) error {
			var a Access
			var until int64
			err := scan(&a.Connection, &until, &a.Ended)
			a.Until = moment(until)
			all = append(all, a)
			return err
		}, selectAccess, merchantID)
	})
	return all, err
}

// change runs f on a merchant's rows, whoever works on the merchant's days by now:
// a token that was renewed is the only one.
func (t Tokens) change(ctx context.Context, connection, what string, f func(tx *tx, m, c string) error) error {
	m, c, err := tokenOf(connection)
	if err != nil {
		return err
	}
	return t.db.writeRows(work.Free(ctx), m, what+connection, func(tx *tx) error { return f(tx, m, c) })
}

func tokenOf(connection string) (merchant, id string, err error) {
	merchant, id, ok := strings.Cut(connection, "/")
	if !ok || merchant == "" || id == "" || merchant == everyone {
		return "", "", fmt.Errorf("token of %q: not MERCHANT/CONNECTION", connection)
	}
	return merchant, id, nil
}

// changed fails with oauth.ErrClaimed where a statement found no row as it was.
func changed(n int64, err error) error {
	if err == nil && n == 0 {
		return oauth.ErrClaimed
	}
	return err
}

// filled is b, or no bytes in place of none.
func filled(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
