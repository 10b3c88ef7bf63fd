package index

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"tillbook.example/tillbook/agent/outbox/file"
)

// Open opens the index in dir. Badger can panic in a goroutine of its own when
// its files are damaged, which nobody can catch: so a marker file dir.opening
// stands while it opens, and if it is found at the start, the index is set
// aside as dir.bad-N and an empty one begins. The same if Badger returns an
// error. reason says why that was done, and is empty if it was not.
func Open(dir string, mode Mode, logger *slog.Logger) (x *Index, reason string, err error) {
	marker := dir + ".opening"
	switch _, err := os.Stat(marker); {
	case err == nil:
		reason = "the last attempt to open it did not end"
		if err := SetAside(dir); err != nil {
			return nil, reason, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, "", fmt.Errorf("look for %s: %w", marker, err)
	}
	if err := mark(marker); err != nil {
		return nil, reason, err
	}
	x, err = open(dir, mode, logger)
	if err != nil && reason == "" {
		reason = err.Error()
		if err := SetAside(dir); err != nil {
			return nil, reason, err
		}
		x, err = open(dir, mode, logger)
	}
	if err != nil {
		return nil, reason, err
	}
	if err := unmark(marker); err != nil {
		return nil, reason, errors.Join(err, x.Close())
	}
	return x, reason, nil
}

func mark(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("mark the index as opening: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close(), file.OS{}.SyncDir(filepath.Dir(name))); err != nil {
		return fmt.Errorf("mark the index as opening: %w", err)
	}
	return nil
}

func unmark(name string) error {
	if err := os.Remove(name); err != nil {
		return fmt.Errorf("mark the index as open: %w", err)
	}
	return nil // should the removal be lost the index is rebuilt once for nothing
}

// SetAside renames the folder of a closed index to dir.bad-N for somebody to
// look at; only the newest is kept. It is no error if there is no such folder.
func SetAside(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	newest, err := dropAside(dir)
	if err != nil {
		return err
	}
	if err := os.Rename(dir, fmt.Sprintf("%s.bad-%d", dir, newest+1)); err != nil {
		return fmt.Errorf("set index %s aside: %w", dir, err)
	}
	return nil
}

// DropAside removes what was set aside, to make room.
func DropAside(dir string) error {
	_, err := dropAside(dir)
	return err
}

func dropAside(dir string) (newest int, err error) {
	parent, base := filepath.Split(dir)
	entries, err := os.ReadDir(filepath.Clean(parent))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look for indexes set aside: %w", err)
	}
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), base+".bad-")
		n, err := strconv.Atoi(digits)
		if !ok || err != nil {
			continue
		}
		newest = max(newest, n)
		if err := os.RemoveAll(filepath.Join(parent, e.Name())); err != nil {
			return newest, fmt.Errorf("remove index set aside: %w", err)
		}
	}
	return newest, nil
}
