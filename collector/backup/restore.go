package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tillbook.example/tillbook/internal/durable"
)

// Where says where a backup is put back.
type Where struct {
	Path    string // of the database's file
	Replace bool   // a database that is there is set aside
	Open    Opener
	// Alone brings all of a database into its one file, or fails with ErrOpen while
	// another process has it open.
	Alone func(ctx context.Context, path string) error
	// Fill puts all rows of a file into a database on a server, in place of Path and
	// Alone. It fails with ErrThere unless that has none.
	Fill func(ctx context.Context, path string) error
	Now  time.Time
}

// Restored is what became of a restore.
type Restored struct {
	Manifest  Manifest `json:"manifest"`
	Merchants []string `json:"merchants"` // all stopped
	Aside     string   `json:"aside,omitempty"`
}

// logs are the files that SQLite may have beside a database.
var logs = []string{"-wal", "-shm"}

// Restore puts a backup's copy in the place of a database, which nobody may have
// open: at any moment either what was there before stands there, or all of the
// copy, as a database that was put back. What was there is set aside as
// PATH.before-TIME. A copy of an older version is brought to this one. A database
// on a server must have no rows; it has all of them in the end, or none.
func Restore(ctx context.Context, w Where, folder string) (r Restored, err error) {
	fail := func(err error) (Restored, error) { return r, fmt.Errorf("restore %s: %w", folder, err) }
	if r.Manifest, err = Read(folder); err != nil {
		return fail(err)
	}
	if r.Manifest.Copy == nil {
		return fail(errors.New("it has a manifest only: put the database back by its server's own means"))
	}
	if w.Fill != nil {
		if r.Merchants, err = w.fill(ctx, folder, r.Manifest); err != nil {
			return fail(err)
		}
		return r, nil
	}
	_, err = os.Lstat(w.Path)
	there := err == nil
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fail(err)
	case there && !w.Replace:
		return fail(fmt.Errorf("database %s: %w", w.Path, ErrThere))
	case there:
		// One that cannot be read any more is no obstacle: it is set aside as it is.
		if err := w.Alone(ctx, w.Path); errors.Is(err, ErrOpen) {
			return fail(err)
		}
	}
	fresh := w.Path + ".restoring"
	if err := remove(fresh); err != nil {
		return fail(err)
	}
	defer func() { err = errors.Join(err, remove(fresh)) }()
	if r.Merchants, err = w.prepare(ctx, folder, r.Manifest, fresh); err != nil {
		return fail(err)
	}
	aside := w.Path + ".before-" + w.Now.UTC().Format("20060102T150405Z")
	if there {
		r.Aside = aside
		if err := os.Link(w.Path, r.Aside); err != nil {
			return fail(err)
		}
	}
	for _, log := range logs { // they would be taken for the copy's
		if err := os.Rename(w.Path+log, aside+log); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fail(err)
		}
	}
	if err := os.Rename(fresh, w.Path); err != nil {
		return fail(err)
	}
	if err := durable.SyncFolder(filepath.Dir(w.Path)); err != nil {
		return fail(err)
	}
	return r, nil
}

// fill fills a database on a server, from a file in a scratch folder, one of the
// system's temporary files.
func (w Where) fill(ctx context.Context, folder string, m Manifest) (merchants []string, err error) {
	scratch, err := os.MkdirTemp("", "tillbook-restore-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	path := filepath.Join(scratch, copyName)
	if merchants, err = w.prepare(ctx, folder, m, path); err != nil {
		return nil, err
	}
	return merchants, w.Fill(ctx, path)
}

// prepare makes a file that holds the copy as a database that was put back.
func (w Where) prepare(ctx context.Context, folder string, m Manifest, path string) (merchants []string, err error) {
	if err := unpack(ctx, folder, m, path); err != nil {
		return nil, err
	}
	db, err := w.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	merchants, err = func() ([]string, error) {
		have, want, err := db.Versions(ctx)
		if err != nil {
			return nil, err
		}
		if have > want {
			return nil, fmt.Errorf("its tables have version %d, this program's %d; use program %s or a later one: %w", have, want, m.Program, ErrVersion)
		}
		if err := db.Migrate(ctx); err != nil {
			return nil, err
		}
		return db.Restored(ctx, w.Now)
	}()
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	_, err = seal(path)
	return merchants, err
}

// remove removes a database's files.
func remove(path string) error {
	var problems []error
	for _, suffix := range append([]string{""}, logs...) {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// Take makes a database on a server, which its own means have put back, one that
// was put back. It must have what the manifest says, and still be the one that the
// backup is of; nobody else may have it open.
func Take(ctx context.Context, db Database, folder string, now time.Time) (r Restored, err error) {
	if r.Manifest, err = Read(folder); err != nil {
		return r, fmt.Errorf("restore: %w", err)
	}
	if err := holds(ctx, r.Manifest, db); err != nil {
		return r, fmt.Errorf("restore %s: compare database with manifest: %w", folder, err)
	}
	if r.Merchants, err = db.Restored(ctx, now); err != nil {
		return r, fmt.Errorf("restore %s: %w", folder, err)
	}
	return r, nil
}
