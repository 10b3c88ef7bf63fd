// Package durable puts small files in place whole. When a call has returned, what
// it wrote survives a power cut; before that, what was there does. It knows
// nothing of what is in a file, and is not for logs and databases, which have
// their own ways.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Replace puts a file in place of whatever was there, readable by its owner only.
func Replace(path string, text []byte) error { return put(path, text, os.Rename) }

// Create puts a file where none is, readable by its owner only; fs.ErrExist where
// there is one. Of many at once one succeeds. The file system must have links.
func Create(path string, text []byte) error { return put(path, text, os.Link) }

// put writes beside the path, and then places it.
func put(path string, text []byte, place func(from, to string) error) (err error) {
	folder := filepath.Dir(path)
	file, err := os.CreateTemp(folder, filepath.Base(path)+".*") // created 0600
	if err != nil {
		return err
	}
	defer func() {
		if gone := os.Remove(file.Name()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := place(file.Name(), path); err != nil {
		return err
	}
	return SyncFolder(folder)
}

// SyncFolder makes new names in a folder last. Windows has no such call and keeps
// names without it.
func SyncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
