package storage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/merchant"
)

const (
	currentConfig query = `SELECT version, body FROM merchant_config WHERE merchant = $1 ORDER BY version DESC LIMIT 1`
	allConfigs    query = `SELECT body FROM merchant_config c WHERE version =
		(SELECT max(n.version) FROM merchant_config n WHERE n.merchant = c.merchant) ORDER BY merchant`
	insertConfig query = `INSERT INTO merchant_config (merchant, version, body, applied_at) VALUES ($1, $2, $3, $4)`

	selectMapping  query = `SELECT version, effective_from, body FROM mapping WHERE merchant = $1 AND version = $2`
	selectMappings query = `SELECT version, effective_from, body FROM mapping WHERE merchant = $1 ORDER BY version`
	insertMapping  query = `INSERT INTO mapping (merchant, version, effective_from, body, applied_at) VALUES ($1, $2, $3, $4, $5)`

	selectConnections query = `SELECT target FROM connection WHERE merchant = $1`
	insertConnection  query = `INSERT INTO connection (merchant, target) VALUES ($1, $2)`
	deleteConnection  query = `DELETE FROM connection WHERE merchant = $1 AND target = $2`
	// A connection that is new, or back, has every entry of the merchant to come.
	deliverAll query = `INSERT INTO delivery (merchant, store, day, target, newest, posted, at)
		SELECT merchant, store, day, $2, entry, 0, $3 FROM store_day WHERE merchant = $1 AND entry > 0
		ON CONFLICT (merchant, store, day, target) DO UPDATE SET newest = excluded.newest, at = excluded.at`
	// A new configuration may start a store earlier.
	unsettleExternal query = `UPDATE store_day SET settled = 0 WHERE merchant = $1 AND state = 'external'`
)

// Merchant returns the current configuration of a merchant, or ErrNone.
func (db *DB) Merchant(ctx context.Context, id string) (merchant.Merchant, error) {
	var m merchant.Merchant
	err := db.read(ctx, id, "read merchant", func(tx *tx) (err error) {
		m, err = tx.merchant(id)
		return err
	})
	return m, err
}

func (t *tx) merchant(id string) (merchant.Merchant, error) {
	_, body, err := t.config(id)
	if err == nil && body == "" {
		err = fmt.Errorf("merchant %s: %w", id, ErrNone)
	}
	if err != nil {
		return merchant.Merchant{}, err
	}
	return readConfig(body)
}

// config returns the current configuration's text; version 0 where there is none.
func (t *tx) config(id string) (version int, body string, err error) {
	err = t.row(currentConfig, id)(&version, &body)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return version, body, err
}

func readConfig(body string) (m merchant.Merchant, err error) {
	if err = json.Unmarshal([]byte(body), &m); err != nil {
		err = fmt.Errorf("configuration of merchant %s: %w", m.ID, err)
	}
	return m, err
}

// Merchants returns the current configurations of all merchants, by id.
func (db *DB) Merchants(ctx context.Context) ([]merchant.Merchant, error) {
	var merchants []merchant.Merchant
	err := db.read(ctx, everyone, "read merchants", func(tx *tx) error {
		return tx.each(func(scan func(...any) error) error {
			var body string
			if err := scan(&body); err != nil {
				return err
			}
			m, err := readConfig(body)
			merchants = append(merchants, m)
			return err
		}, allConfigs)
	})
	return merchants, err
}

// Mapping returns a merchant's mapping at a version, also one that is not in the
// configuration any more, or ErrNone.
func (db *DB) Mapping(ctx context.Context, merchantID string, version int) (merchant.Mapping, error) {
	var m merchant.Mapping
	err := db.read(ctx, merchantID, fmt.Sprintf("read mapping %d of merchant %s", version, merchantID), func(tx *tx) error {
		var body string
		err := tx.row(selectMapping, merchantID, version)(&m.Version, &m.From, &body)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNone
		}
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(body), &m.Mapping)
	})
	return m, err
}

// Apply stores a configuration as a new version where it differs from the
// current one. A mapping that the merchant had before, with the same content and
// first day, keeps its version, whatever version it states; others get the next.
// Days that were external are looked at again, and a connection that is new has
// every entry of the merchant to be posted.
func (db *DB) Apply(ctx context.Context, m merchant.Merchant, at time.Time) (bool, error) {
	changed := false
	err := db.write(ctx, m.ID, "apply configuration of merchant "+m.ID, func(tx *tx) error {
		m := m
		var err error
		if m.Mappings, err = tx.mappings(m, at); err != nil {
			return err
		}
		body, err := json.Marshal(m)
		if err != nil {
			return err
		}
		version, before, err := tx.config(m.ID)
		changed = err == nil && string(body) != before
		if !changed {
			return err
		}
		if _, err := tx.exec(insertConfig, m.ID, version+1, string(body), micros(at)); err != nil {
			return err
		}
		if err := tx.connections(m, at); err != nil {
			return err
		}
		if _, err := tx.exec(unsettleExternal, m.ID); err != nil {
			return err
		}
		return tx.note(act(m.ID, logbook.Apply, fmt.Sprintf("configuration %d", version+1), fmt.Sprintf("SHA-256 %x", sha256.Sum256(body)), "", at))
	})
	return changed && err == nil, err
}

// mappings gives a merchant's mappings their versions and stores those that are
// new.
func (t *tx) mappings(m merchant.Merchant, at time.Time) ([]merchant.Mapping, error) {
	type content struct{ from, body string }
	versions := map[content]int{} // the newest of equal ones
	newest := 0
	err := t.each(func(scan func(...any) error) error {
		var c content
		err := scan(&newest, &c.from, &c.body)
		versions[c] = newest
		return err
	}, selectMappings, m.ID)
	if err != nil {
		return nil, err
	}
	mappings := slices.Clone(m.Mappings)
	for i := range mappings {
		body, err := json.Marshal(mappings[i].Mapping)
		if err != nil {
			return nil, err
		}
		c := content{string(mappings[i].From), string(body)}
		if versions[c] == 0 {
			newest++
			versions[c] = newest
			if _, err := t.exec(insertMapping, m.ID, newest, c.from, c.body, micros(at)); err != nil {
				return nil, err
			}
		}
		mappings[i].Version = versions[c]
	}
	return mappings, nil
}

// connections makes the merchant's connections those of its configuration.
func (t *tx) connections(m merchant.Merchant, at time.Time) error {
	stored := map[string]bool{}
	if err := t.each(func(scan func(...any) error) error {
		var target string
		err := scan(&target)
		stored[target] = true
		return err
	}, selectConnections, m.ID); err != nil {
		return err
	}
	for _, c := range m.Connections {
		if stored[c.ID] {
			delete(stored, c.ID)
			continue
		}
		if _, err := t.exec(insertConnection, m.ID, c.ID); err != nil {
			return err
		}
		if _, err := t.exec(deliverAll, m.ID, c.ID, micros(at)); err != nil {
			return err
		}
	}
	for target := range stored {
		if _, err := t.exec(deleteConnection, m.ID, target); err != nil {
			return err
		}
	}
	return nil
}
