package commitlog

import (
	"syscall"

	"tillbook.example/tillbook/agent/outbox/file"
	"tillbook.example/tillbook/agent/outbox/file/filetest"
)

// badPage is a disk on which one page of one file can never be read.
type badPage struct {
	*filetest.Disk
	name string
	off  int64
}

func (d *badPage) Open(name string) (file.File, error) {
	f, err := d.Disk.Open(name)
	if err != nil || name != d.name {
		return f, err
	}
	return badFile{f, d.off}, nil
}

type badFile struct {
	file.File
	off int64
}

func (f badFile) ReadAt(b []byte, off int64) (int, error) {
	if off < f.off+page && off+int64(len(b)) > f.off {
		return 0, syscall.EIO
	}
	return f.File.ReadAt(b, off)
}
