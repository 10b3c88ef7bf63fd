package storage

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
)

// oldest is the version of the tables that a program must know at least to work
// with those of this one: that of the last migration which takes away or changes
// something that programs before it use. docs/operations.md has the rule by which
// collectors are upgraded one by one.
const oldest = 11

// ErrNewer: the tables are of a newer program, and this one does not know enough to
// work with them.
var ErrNewer = errors.New("the database is of a newer program")

const (
	raiseOldest  query = `INSERT INTO meta (name, value) VALUES ('oldest', $1) ON CONFLICT (name) DO UPDATE SET value = $1 WHERE meta.value < $1`
	selectOldest query = `SELECT value FROM meta WHERE name = 'oldest'`
)

// version is how a version is kept: in the order of its bytes.
func version(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// Fits fails with ErrNewer where this program does not know enough of the tables to
// work with them. It may know less than the newest does: what was only added is
// nothing to it. The tables must be there.
func (db *DB) Fits(ctx context.Context) error {
	provider, err := db.migrator()
	if err != nil {
		return err
	}
	sources := provider.ListSources()
	knows := uint64(sources[len(sources)-1].Version)
	return db.read(ctx, everyone, "read which programs fit", func(tx *tx) error {
		var text []byte
		err := tx.row(selectOldest)(&text)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil || len(text) != 8 {
			return errors.Join(err, fmt.Errorf("a version of %d bytes", len(text)))
		}
		if needed := binary.BigEndian.Uint64(text); knows < needed {
			return fmt.Errorf("%w: it needs programs that know version %d of the tables, this one knows %d", ErrNewer, needed, knows)
		}
		return nil
	})
}
