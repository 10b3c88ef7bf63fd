package file

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Reserve makes a file of size zeros, synced and with a durable name: real
// blocks, not a hole that meets a full disk later. It leaves nothing behind on
// an error.
func Reserve(sys System, name string, size int64) error {
	f, err := Zeros(sys, name, size)
	if err != nil {
		return err
	}
	return f.Close()
}

// Zeros is Reserve that hands the open file over.
func Zeros(sys System, name string, size int64) (File, error) {
	f, err := sys.Create(name)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	if err = fill(f, size); err == nil {
		err = sys.SyncDir(filepath.Dir(name))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fill %s: %w", name, err), f.Close(), sys.Remove(name))
	}
	return f, nil
}

func fill(f File, size int64) error {
	zeros := make([]byte, min(size, 128<<10))
	for off := int64(0); off < size; off += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-off)], off); err != nil {
			return err
		}
	}
	return f.Sync()
}
