package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"tillbook.example/tillbook/collector/audit"
)

const (
	keepAudit   query = `INSERT INTO meta (name, value) VALUES ('audit', $1) ON CONFLICT (name) DO UPDATE SET value = $1`
	selectAudit query = `SELECT value FROM meta WHERE name = 'audit'`
)

// KeepAudit keeps what an audit came to, in place of the one before.
func (db *DB) KeepAudit(ctx context.Context, s audit.Summary) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("keep audit: %w", err)
	}
	return db.writeRows(ctx, everyone, "keep audit", func(tx *tx) error {
		_, err := tx.exec(keepAudit, text)
		return err
	})
}

// LastAudit returns what the last audit that was kept came to; its zero value
// where there was none.
func (db *DB) LastAudit(ctx context.Context) (s audit.Summary, err error) {
	err = db.read(ctx, everyone, "read last audit", func(tx *tx) error {
		var text []byte
		err := tx.row(selectAudit)(&text)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &s)
	})
	return s, err
}
