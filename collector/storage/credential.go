package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tillbook.example/tillbook/collector/feed"
)

const (
	putCredential query = `INSERT INTO credential (merchant, feed, name, sealed, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (merchant, feed, name) DO UPDATE SET sealed = $4, at = $5`
	selectCredential  query = `SELECT sealed FROM credential WHERE merchant = $1 AND feed = $2 AND name = $3`
	deleteCredentials query = `DELETE FROM credential WHERE merchant = $1 AND feed = $2`
	credentialNames   query = `SELECT name FROM credential WHERE merchant = $1 AND feed = $2 ORDER BY name`
)

// Credentials keep what opens the sources of feeds, sealed about merchant, feed
// and name.
type Credentials struct {
	db     *DB
	sealer Sealer
}

// Credentials returns those that are kept here, sealed by a sealer.
func (db *DB) Credentials(sealer Sealer) Credentials { return Credentials{db, sealer} }

// Put keeps a secret in place of the one before.
func (c Credentials) Put(ctx context.Context, id feed.ID, name, secret string, at time.Time) error {
	sealed, err := c.sealer.Seal(secret, "feed", id.Merchant, id.Feed, name)
	if err != nil {
		return fmt.Errorf("keep secret %s of feed %s: %w", name, id, err)
	}
	return c.db.writeRows(ctx, id.Merchant, fmt.Sprintf("keep secret %s of feed %s", name, id), func(tx *tx) error {
		_, err := tx.exec(putCredential, id.Merchant, id.Feed, name, filled(sealed), micros(at))
		return err
	})
}

// Get returns a secret; empty: there is none.
func (c Credentials) Get(ctx context.Context, id feed.ID, name string) (string, error) {
	var sealed []byte
	err := c.db.read(ctx, id.Merchant, fmt.Sprintf("read secret %s of feed %s", name, id), func(tx *tx) error {
		err := tx.row(selectCredential, id.Merchant, id.Feed, name)(&sealed)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return "", err
	}
	secret, err := c.sealer.Unseal(sealed, "feed", id.Merchant, id.Feed, name)
	if err != nil {
		return "", fmt.Errorf("read secret %s of feed %s: %w", name, id, err)
	}
	return secret, nil
}

// Names returns which secrets of a feed are kept.
func (c Credentials) Names(ctx context.Context, id feed.ID) (names []string, err error) {
	err = c.db.each(ctx, id.Merchant, "read which secrets feed "+id.String()+" has", func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		names = append(names, name)
		return err
	}, credentialNames, id.Merchant, id.Feed)
	return names, err
}

// Forget lets go of all secrets of a feed.
func (c Credentials) Forget(ctx context.Context, id feed.ID) error {
	return c.db.writeRows(ctx, id.Merchant, "forget the secrets of feed "+id.String(), func(tx *tx) error {
		_, err := tx.exec(deleteCredentials, id.Merchant, id.Feed)
		return err
	})
}
