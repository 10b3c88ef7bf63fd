// Package file is the narrow layer between the outbox and the disk: the few
// calls a commit log needs, so that a test can stand in for a disk that loses
// what was not synced, tears a write, fails or is full.
//
// It guarantees what each method says about durability and nothing else; it
// keeps no state and does not retry. The implementation for tests is in
// file/filetest.
package file

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrLocked is returned by Lock when another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// System is a folder tree. Names are paths as package os takes them.
type System interface {
	// MkdirAll makes the folder and its parents; it is no error if it is there.
	MkdirAll(dir string) error
	// Create makes a new, empty file; fs.ErrExist if the name is taken. The
	// name is durable after SyncDir.
	Create(name string) (File, error)
	// Open opens a file for reading and writing; fs.ErrNotExist if it is not there.
	Open(name string) (File, error)
	// Remove unlinks a file. It needs no free space; durable after SyncDir.
	Remove(name string) error
	// List returns the names in a folder, in any order.
	List(dir string) ([]string, error)
	// SyncDir makes the names in a folder durable. Where the operating system
	// has no such call (Windows) it does nothing: NTFS journals names in order.
	SyncDir(dir string) error
	// Lock takes the lock of that name for this process until it is closed, or
	// returns ErrLocked. A lock dies with its process.
	Lock(name string) (io.Closer, error)
}

// File is one open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync returns when everything written is on stable storage. After an
	// error nothing is known about any write since the last Sync, and calling
	// it again proves nothing.
	Sync() error
	// Size returns the length in bytes.
	Size() (int64, error)
}

// OS is the disk of this computer.
type OS struct{}

var _ System = OS{}

// MkdirAll implements System. New folders can be read by their owner only.
func (OS) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

// Create implements System. New files can be read by their owner only.
func (OS) Create(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Open implements System.
func (OS) Open(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Remove implements System.
func (OS) Remove(name string) error { return os.Remove(name) }

// List implements System.
func (OS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

type osFile struct{ *os.File }

func (f osFile) Sync() error { return syncData(f.File) }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Bytes returns how many bytes the regular files below dir hold. What vanishes
// meanwhile does not count; a folder that is not there holds nothing.
func Bytes(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		total += info.Size()
		return nil
	})
	return total, err
}

// IsFull reports whether err says that there is no room: a full disk or a quota.
func IsFull(err error) bool { return isFull(err) }
