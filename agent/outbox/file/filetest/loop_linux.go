package filetest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"tillbook.example/tillbook/agent/outbox/file"
)

// Loop is a real ext4 file system in a file of its own, for accidents that a
// disk in memory can only imitate: power that goes, and room that runs out.
type Loop struct {
	t     testing.TB
	image string
	// Dir is where it is mounted.
	Dir     string
	mounted bool
}

// NewLoop makes and mounts a file system of so many bytes. It skips the test
// where that cannot be done, and says why.
func NewLoop(t testing.TB, size int64) *Loop {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("tool missing: root, to mount a file system of its own")
	}
	for _, program := range []string{"mkfs.ext4", "mount", "umount"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("tool missing: " + program)
		}
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip("tool missing: loop devices, to mount a file system of its own")
	}
	l := &Loop{t: t, image: filepath.Join(t.TempDir(), "disk.img")}
	f, err := os.Create(l.image)
	if err == nil {
		if err = f.Truncate(size); err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	l.run("mkfs.ext4", "-q", "-F", "-m", "0", l.image)
	l.mount()
	return l
}

func (l *Loop) run(program string, arguments ...string) {
	l.t.Helper()
	if out, err := exec.Command(program, arguments...).CombinedOutput(); err != nil {
		l.t.Fatalf("%s %s: %v\n%s", program, strings.Join(arguments, " "), err, out)
	}
}

// mount mounts the image as it is; the file system repairs itself as after any
// power cut.
func (l *Loop) mount() {
	l.t.Helper()
	l.Dir = l.t.TempDir()
	l.run("mount", "-o", "loop", l.image, l.Dir)
	l.mounted = true
	l.t.Cleanup(l.unmount)
}

func (l *Loop) unmount() {
	if !l.mounted {
		return
	}
	l.mounted = false
	if out, err := exec.Command("umount", l.Dir).CombinedOutput(); err != nil {
		l.t.Errorf("umount: %v\n%s", err, out)
		_ = exec.Command("umount", "-l", l.Dir).Run() // a test that failed leaves files open
	}
}

// shutdownNow is EXT4_IOC_SHUTDOWN, and its flag for: not even the journal is
// flushed.
const (
	shutdownNow = 0x8004587d
	noFlush     = 2
)

// CutPower has the file system end at this moment, whoever writes to it: every
// later call fails. Dir is what a power cut would have left then.
func (l *Loop) CutPower() {
	l.t.Helper()
	root, err := os.Open(l.Dir)
	if err != nil {
		l.t.Fatal(err)
	}
	flag := uint32(noFlush)
	_, _, failed := unix.Syscall(unix.SYS_IOCTL, root.Fd(), shutdownNow, uintptr(unsafe.Pointer(&flag)))
	root.Close() // only to name it
	if failed != 0 {
		l.t.Fatalf("shut the file system down: %v", failed)
	}
}

// Restart mounts what CutPower left. Nobody may use Dir any more.
func (l *Loop) Restart() {
	l.t.Helper()
	l.unmount()
	l.mount()
}

// Copy returns what the disk holds at this moment, mounted beside it; whoever
// writes to it has to be stopped. What was not written through is not there.
func (l *Loop) Copy() *Loop {
	l.t.Helper()
	c := &Loop{t: l.t, image: filepath.Join(l.t.TempDir(), "copy.img")}
	if err := copyFile(c.image, l.image); err != nil {
		l.t.Fatal(err)
	}
	c.mount()
	return c
}

// Occupy has something else take room until so many bytes are free.
func (l *Loop) Occupy(free uint64) (giveBack func()) {
	l.t.Helper()
	f, err := os.CreateTemp(l.Dir, "something-else-")
	if err != nil {
		l.t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for {
		have, err := file.Free(l.Dir)
		if err == nil && have > free {
			_, err = f.Write(zeros[:min(have-free, uint64(len(zeros)))])
		}
		if err == nil {
			err = f.Sync()
		}
		if err == nil && have > free {
			continue
		}
		if err == nil || errors.Is(err, unix.ENOSPC) {
			break
		}
		l.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		l.t.Fatal(err)
	}
	return func() {
		if err := os.Remove(f.Name()); err != nil {
			l.t.Fatal(err)
		}
	}
}

// Discard gives the disk up.
func (l *Loop) Discard() {
	l.unmount()
	_ = os.Remove(l.image) // its folder goes with the test
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // only read
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return out.Close()
}
