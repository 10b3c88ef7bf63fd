package backup

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tillbook.example/tillbook/internal/durable"
)

// What says what to back up, as which program and when.
type What struct {
	Database Database
	Open     Opener // of the copy; nil: only a manifest is made, of a database that its server copies
	Program  string
	Now      time.Time
}

// Create makes a backup in a folder that must not be there. A collector may go on
// working meanwhile.
func Create(ctx context.Context, w What, folder string) (_ Manifest, err error) {
	fail := func(err error) (Manifest, error) { return Manifest{}, fmt.Errorf("back up to %s: %w", folder, err) }
	if folder, err = filepath.Abs(folder); err != nil {
		return fail(err)
	}
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		return fail(errors.Join(err, ErrThere))
	}
	// Everything is made beside it, and gets its name when it is on disk.
	unfinished, err := os.MkdirTemp(filepath.Dir(folder), filepath.Base(folder)+".unfinished-") // made 0700
	if err != nil {
		return fail(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(unfinished)) }()
	m := Manifest{Format: format, At: w.Now.UTC(), Program: w.Program}
	described := w.Database
	if w.Open != nil {
		path := filepath.Join(unfinished, copyName)
		if err := w.Database.CopyTo(ctx, path); err != nil {
			return fail(err)
		}
		if described, err = w.Open(ctx, path); err != nil {
			return fail(err)
		}
		err = errors.Join(describe(ctx, described, &m), described.Close())
		if err == nil {
			m.Copy, err = seal(path)
		}
	} else {
		err = describe(ctx, described, &m)
	}
	if err != nil {
		return fail(err)
	}
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return fail(err)
	}
	if err := durable.Replace(filepath.Join(unfinished, manifestName), text); err != nil {
		return fail(err)
	}
	if err := durable.SyncFolder(unfinished); err != nil {
		return fail(err)
	}
	if err := os.Rename(unfinished, folder); err != nil {
		return fail(err)
	}
	if err := durable.SyncFolder(filepath.Dir(folder)); err != nil {
		return fail(err)
	}
	return m, nil
}

// describe fills in what a database is and holds.
func describe(ctx context.Context, db Database, m *Manifest) error {
	incarnation, err := db.Incarnation(ctx)
	if err != nil {
		return err
	}
	m.Incarnation = incarnation[:]
	if m.Tables, _, err = db.Versions(ctx); err != nil {
		return err
	}
	m.Contents, err = db.Contents(ctx)
	return err
}

// seal syncs a copy, which nobody has open any more, and sums it up.
func seal(path string) (*File, error) {
	if _, err := os.Lstat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, fmt.Errorf("the copy %s is not all in its file", path))
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	size, err := io.Copy(hash, file)
	if err := errors.Join(err, file.Chmod(0o600), file.Sync(), file.Close()); err != nil {
		return nil, fmt.Errorf("sum up %s: %w", path, err)
	}
	return &File{Size: size, SHA256: hash.Sum(nil)}, nil
}
