// Package filetest is a disk in memory for tests of what is durable: it keeps
// apart what was written and what was synced, can lose power with any part of
// the unsynced rest torn at sectors of 512 bytes, can lie about syncing, and can
// fail or fill up at any call.
//
// The model is harsher than a real disk: unsynced sectors and names survive a
// power cut independently of each other and of their order, and after a failed
// Sync what it should have flushed is never flushed by a later one, as on Linux.
package filetest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"tillbook.example/tillbook/agent/outbox/file"
)

// Sector is the unit in which a write reaches the disk or does not.
const Sector = 512

// ErrPower is what every call returns after the power went.
var ErrPower = errors.New("the power is gone")

// Call describes one call to the disk, for Fault.
type Call struct {
	N    int    // 1 for the first call of this disk
	Op   string // mkdir create open remove list syncdir lock read write sync size
	Name string
}

// Disk implements file.System. Set its fields before use.
type Disk struct {
	// SyncLies makes Sync and SyncDir do nothing and say nothing.
	SyncLies bool
	// Capacity bounds the bytes of all files; 0: none. Beyond it ENOSPC.
	Capacity int64
	// Fault is asked before each call; its error is returned. A failing write
	// may have written a part, a failing sync nothing.
	Fault func(Call) error

	mu      sync.Mutex
	off     bool // power
	calls   int
	names   map[string]*inode // as seen now
	durable map[string]*inode // as after a power cut, but for pending
	pending []rename
	locks   map[string]bool
	rng     *rand.Rand
}

// rename is an unsynced change of one name; to is nil for a removal.
type rename struct {
	name string
	to   *inode
}

type inode struct {
	data    []byte // as seen now
	synced  []byte
	dirty   []write // since the last sync
	doubted []write // from the first sync that failed on, in order
}

type write struct {
	off     int64
	data    []byte
	certain bool // a later sync succeeded; without it the write is on the disk or not, for ever
}

// New returns an empty disk whose accidents follow from seed.
func New(seed uint64) *Disk {
	return &Disk{
		names: map[string]*inode{}, durable: map[string]*inode{}, locks: map[string]bool{},
		rng: rand.New(rand.NewPCG(seed, 0x5eed)),
	}
}

// Calls is how many calls were made.
func (d *Disk) Calls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

// PowerCut ends this disk: every later call returns ErrPower.
func (d *Disk) PowerCut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
}

// Restart returns the disk as it is found after a power cut.
func (d *Disk) Restart(seed uint64) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
	n := New(seed)
	n.SyncLies, n.Capacity = d.SyncLies, d.Capacity
	names := maps.Clone(d.durable)
	for _, p := range d.pending {
		if d.rng.IntN(2) == 0 {
			continue
		}
		if p.to == nil {
			delete(names, p.name)
		} else {
			names[p.name] = p.to
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n.names[name] = fresh(d.afterCut(names[name]))
	}
	n.durable = maps.Clone(n.names)
	return n
}

// Kill returns the disk as a new process finds it after this one was killed:
// all that was written is there, synced or not.
func (d *Disk) Kill(seed uint64) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
	n := New(seed)
	n.SyncLies, n.Capacity = d.SyncLies, d.Capacity
	n.names, n.durable, n.pending = d.names, d.durable, d.pending
	return n
}

func fresh(data []byte) *inode {
	return &inode{data: data, synced: slices.Clone(data)}
}

func (d *Disk) afterCut(ino *inode) []byte {
	out := slices.Clone(ino.synced)
	for _, w := range slices.Concat(ino.doubted, ino.dirty) {
		for at := int64(0); at < int64(len(w.data)); {
			n := min(Sector-(w.off+at)%Sector, int64(len(w.data))-at)
			if w.certain || d.rng.IntN(2) == 0 {
				out = overwrite(out, w.off+at, w.data[at:at+n])
			}
			at += n
		}
	}
	return out
}

func overwrite(b []byte, off int64, data []byte) []byte {
	if need := off + int64(len(data)); need > int64(len(b)) {
		b = append(b, make([]byte, need-int64(len(b)))...)
	}
	copy(b[off:], data)
	return b
}

// enter counts a call and says whether it may go on; under mu.
func (d *Disk) enter(op, name string) error {
	d.calls++
	if d.off {
		return ErrPower
	}
	if d.Fault != nil {
		if err := d.Fault(Call{N: d.calls, Op: op, Name: name}); err != nil {
			if errors.Is(err, ErrPower) {
				d.off = true
			}
			return &fs.PathError{Op: op, Path: name, Err: err}
		}
	}
	return nil
}

func (d *Disk) do(op, name string, f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.enter(op, name); err != nil {
		return err
	}
	if err := f(); err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// MkdirAll implements file.System; folders are durable at once.
func (d *Disk) MkdirAll(dir string) error {
	return d.do("mkdir", dir, func() error { return nil })
}

// Create implements file.System.
func (d *Disk) Create(name string) (file.File, error) {
	var f file.File
	err := d.do("create", name, func() error {
		if d.names[name] != nil {
			return fs.ErrExist
		}
		ino := fresh(nil)
		d.names[name] = ino
		d.pending = append(d.pending, rename{name, ino})
		f = &handle{d: d, ino: ino, name: name}
		return nil
	})
	return f, err
}

// Open implements file.System.
func (d *Disk) Open(name string) (file.File, error) {
	var f file.File
	err := d.do("open", name, func() error {
		ino := d.names[name]
		if ino == nil {
			return fs.ErrNotExist
		}
		f = &handle{d: d, ino: ino, name: name}
		return nil
	})
	return f, err
}

// Remove implements file.System.
func (d *Disk) Remove(name string) error {
	return d.do("remove", name, func() error {
		if d.names[name] == nil {
			return fs.ErrNotExist
		}
		delete(d.names, name)
		d.pending = append(d.pending, rename{name, nil})
		return nil
	})
}

// List implements file.System.
func (d *Disk) List(dir string) ([]string, error) {
	var names []string
	err := d.do("list", dir, func() error {
		for name := range d.names {
			if filepath.Dir(name) == filepath.Clean(dir) {
				names = append(names, filepath.Base(name))
			}
		}
		slices.Sort(names)
		return nil
	})
	return names, err
}

// SyncDir implements file.System.
func (d *Disk) SyncDir(dir string) error {
	return d.do("syncdir", dir, func() error {
		if d.SyncLies {
			return nil
		}
		kept := d.pending[:0:0]
		for _, p := range d.pending {
			switch {
			case filepath.Dir(p.name) != filepath.Clean(dir):
				kept = append(kept, p)
			case p.to == nil:
				delete(d.durable, p.name)
			default:
				d.durable[p.name] = p.to
			}
		}
		d.pending = kept
		return nil
	})
}

// Lock implements file.System.
func (d *Disk) Lock(name string) (io.Closer, error) {
	err := d.do("lock", name, func() error {
		if d.locks[name] {
			return file.ErrLocked
		}
		d.locks[name] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return unlock(func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.locks, name)
		return nil
	}), nil
}

type unlock func() error

func (u unlock) Close() error { return u() }

// Bytes returns what a file holds now; it is for a test to look at.
func (d *Disk) Bytes(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ino := d.names[name]; ino != nil {
		return slices.Clone(ino.data)
	}
	return nil
}

// Put makes a file durable with these bytes: a copy, an old file, bit rot.
func (d *Disk) Put(name string, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[name] = fresh(slices.Clone(data))
	d.durable[name] = d.names[name]
}

// Names returns all files whose name begins with prefix, sorted.
func (d *Disk) Names(prefix string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(d.names)), func(n string) bool { return !strings.HasPrefix(n, prefix) })
}

func (d *Disk) used() int64 {
	var n int64
	for _, ino := range d.names {
		n += int64(len(ino.data))
	}
	return n
}

type handle struct {
	d      *Disk
	ino    *inode
	name   string
	closed bool
}

func (h *handle) do(op string, f func() error) error {
	return h.d.do(op, h.name, func() error {
		if h.closed {
			return fs.ErrClosed
		}
		return f()
	})
}

func (h *handle) ReadAt(b []byte, off int64) (int, error) {
	n, end := 0, false
	err := h.do("read", func() error {
		if off < int64(len(h.ino.data)) {
			n = copy(b, h.ino.data[off:])
		}
		end = n < len(b)
		return nil
	})
	if err == nil && end {
		err = io.EOF
	}
	return n, err
}

func (h *handle) WriteAt(b []byte, off int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if h.d.off {
		return 0, ErrPower
	}
	if h.closed {
		return 0, fs.ErrClosed
	}
	n := len(b)
	failed := h.d.enter("write", h.name)
	if failed != nil {
		n = h.d.rng.IntN(n + 1) // a part may have been written
	} else if grown := off + int64(n) - int64(len(h.ino.data)); h.d.Capacity > 0 && grown > 0 {
		if room := h.d.Capacity - h.d.used(); grown > room {
			n = int(max(int64(n)-grown+room, 0))
			failed = &fs.PathError{Op: "write", Path: h.name, Err: syscall.ENOSPC}
		}
	}
	if n > 0 {
		h.ino.data = overwrite(h.ino.data, off, b[:n])
		h.ino.dirty = append(h.ino.dirty, write{off: off, data: slices.Clone(b[:n])})
	}
	return n, failed
}

func (h *handle) Sync() error {
	err := h.do("sync", func() error {
		if h.d.SyncLies {
			return nil
		}
		if len(h.ino.doubted) == 0 {
			h.ino.synced = slices.Clone(h.ino.data)
		} else {
			for _, w := range h.ino.dirty {
				w.certain = true
				h.ino.doubted = append(h.ino.doubted, w)
			}
		}
		h.ino.dirty = nil
		return nil
	})
	if err != nil && !errors.Is(err, ErrPower) {
		h.d.mu.Lock()
		h.ino.doubted = append(h.ino.doubted, h.ino.dirty...)
		h.ino.dirty = nil
		h.d.mu.Unlock()
	}
	return err
}

func (h *handle) Size() (int64, error) {
	var n int64
	err := h.do("size", func() error {
		n = int64(len(h.ino.data))
		return nil
	})
	return n, err
}

func (h *handle) Close() error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if h.closed {
		return fmt.Errorf("close %s: %w", h.name, fs.ErrClosed)
	}
	h.closed = true
	return nil
}

var _ file.System = (*Disk)(nil)
