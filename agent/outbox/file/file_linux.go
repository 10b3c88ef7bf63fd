package file

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData flushes the data and what is needed to find it again (a new length
// included), but not the modification time: on a preallocated file that saves
// a write of the file system's own journal.
func syncData(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for {
			failed = unix.Fdatasync(int(fd))
			if failed != unix.EINTR {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("fdatasync", failed)
}
