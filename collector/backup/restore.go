package backup

import (
	"bytes"
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
	Manifest Manifest `json:"manifest"`
	Aside    string   `json:"aside,omitempty"`
	Aftermath
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
		if r.Aftermath, err = w.fill(ctx, folder, r.Manifest); err != nil {
			return fail(err)
		}
		return r, nil
	}
	var last *Standing
	_, err = os.Lstat(w.Path)
	there := err == nil
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fail(err)
	case there && !w.Replace:
		return fail(fmt.Errorf("database %s: %w", w.Path, ErrThere))
	case there:
		// One that cannot be read any more is no obstacle: it is set aside as it is.
		err := w.Alone(ctx, w.Path)
		if err == nil {
			last = w.last(ctx, r.Manifest)
			err = w.Alone(ctx, w.Path)
		}
		if errors.Is(err, ErrOpen) {
			return fail(err)
		}
	}
	fresh := w.Path + ".restoring"
	if err := remove(fresh); err != nil {
		return fail(err)
	}
	defer func() { err = errors.Join(err, remove(fresh)) }()
	if r.Aftermath, err = w.prepare(ctx, folder, r.Manifest, fresh, last); err != nil {
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
func (w Where) fill(ctx context.Context, folder string, m Manifest) (a Aftermath, err error) {
	scratch, err := os.MkdirTemp("", "tillbook-restore-")
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	path := filepath.Join(scratch, copyName)
	if a, err = w.prepare(ctx, folder, m, path, nil); err != nil {
		return a, err
	}
	return a, w.Fill(ctx, path)
}

// prepare makes a file that holds the copy as a database that was put back.
func (w Where) prepare(ctx context.Context, folder string, m Manifest, path string, last *Standing) (a Aftermath, err error) {
	if err := unpack(ctx, folder, m, path); err != nil {
		return a, err
	}
	db, err := w.Open(ctx, path)
	if err != nil {
		return a, err
	}
	a, err = func() (Aftermath, error) {
		have, want, err := db.Versions(ctx)
		if err != nil {
			return Aftermath{}, err
		}
		if have > want {
			return Aftermath{}, fmt.Errorf("its tables have version %d, this program's %d; use program %s or a later one: %w", have, want, m.Program, ErrVersion)
		}
		if err := db.Migrate(ctx); err != nil {
			return Aftermath{}, err
		}
		return db.Restored(ctx, w.Now, last)
	}()
	if err := errors.Join(err, db.Close()); err != nil {
		return a, err
	}
	_, err = seal(path)
	return a, err
}

// last is how things stand by the database that is going to be set aside. It is
// nil where that cannot be read, or is not what became of the one that was backed
// up: then it says nothing.
func (w Where) last(ctx context.Context, m Manifest) *Standing {
	db, err := w.Open(ctx, w.Path)
	if err != nil {
		return nil
	}
	have, want, err := db.Versions(ctx)
	known := err == nil && have == want
	if known {
		incarnation, err := db.Incarnation(ctx)
		known = err == nil && bytes.Equal(incarnation[:], m.Incarnation)
	}
	if known {
		wrong, err := LogsMeet(ctx, db, m.Contents.Logs)
		known = err == nil && len(wrong) == 0
	}
	var standing Standing
	if known {
		standing, err = db.Standing(ctx)
		known = err == nil
	}
	if err := db.Close(); err != nil || !known {
		return nil
	}
	return &standing
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
	if r.Aftermath, err = db.Restored(ctx, now, nil); err != nil {
		return r, fmt.Errorf("restore %s: %w", folder, err)
	}
	return r, nil
}
