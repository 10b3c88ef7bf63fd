package outbox

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"tillbook.example/tillbook/agent/outbox/commitlog"
	"tillbook.example/tillbook/agent/outbox/file"
)

// room watches the free space of the disk and holds the ballast.
type room struct {
	dir string
	o   Options

	mu      sync.Mutex
	free    uint64
	known   bool // free was read at least once
	soft    bool
	hard    bool
	ballast bool  // the file is there
	err     error // of the last look
}

func newRoom(dir string, o Options) *room {
	r := &room{dir: dir, o: o}
	if f, err := o.System.Open(r.file()); err == nil {
		size, err := f.Size()
		f.Close() // only looked at
		r.ballast = err == nil && size == o.Ballast
		if !r.ballast {
			_ = o.System.Remove(r.file()) // half made; restore finds it if it stays
		}
	}
	return r
}

func (r *room) file() string { return filepath.Join(r.dir, "ballast") }

// look reads the free space, sets the marks, and says whether one changed. At the
// hard mark the ballast goes; the mark stays until there is room for the ballast
// again, so that its going does not lift it.
func (r *room) look() (changed bool) {
	free, err := r.o.Free(r.dir)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
	if err != nil {
		return false // the marks stay; writing shows what is true
	}
	soft, hard := r.soft, r.hard
	r.free, r.known = free, true
	r.soft = free < uint64(r.o.SoftFree)
	switch {
	case !r.hard && free < uint64(r.o.HardFree):
		r.hard = true
	case r.hard && free >= uint64(r.o.HardFree+r.o.Ballast):
		r.hard = false
	}
	r.soft = r.soft || r.hard
	if r.hard && r.ballast {
		if err := r.o.System.Remove(r.file()); err == nil || errors.Is(err, fs.ErrNotExist) {
			r.ballast = false
		}
	}
	return r.soft != soft || r.hard != hard
}

// restore makes the ballast where there is ample room for it. One goroutine
// calls it.
func (r *room) restore() error {
	r.mu.Lock()
	wanted := !r.ballast && !r.hard && r.known && r.o.Ballast > 0 && r.free >= uint64(r.o.HardFree+2*r.o.Ballast)
	r.mu.Unlock()
	if !wanted {
		return nil
	}
	err := r.o.System.Remove(r.file())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", r.file(), err)
	}
	if err := file.Reserve(r.o.System, r.file(), r.o.Ballast); err != nil {
		return err
	}
	r.mu.Lock()
	r.ballast = true
	r.mu.Unlock()
	r.look()
	return nil
}

// forIndex reports whether there is room for Badger to write at all.
func (r *room) forIndex() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.known || r.free >= uint64(r.o.IndexReserve)
}

// isSoft reports whether what is left of the disk is for sales only.
func (r *room) isSoft() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.soft
}

func (r *room) isHard() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hard
}

// held is what the outbox takes of the disk besides log segments.
func (b *Outbox) held() int64 {
	n := b.copies.bytes()
	b.room.mu.Lock()
	defer b.room.mu.Unlock()
	if b.room.ballast {
		n += b.o.Ballast
	}
	return n
}

// stateSegments are kept free of records below the bound: one for state and one
// to carry it over to when that is full. Without them no acknowledgement could
// be noted in a full outbox.
const stateSegments = 2

// mayGrow is asked before the log makes a segment file.
func (b *Outbox) mayGrow(bytes int64) error {
	if b.copies == nil {
		return nil // while opening
	}
	if have := b.log.Stats().Bytes + b.held(); have+bytes > b.o.MaxBytes {
		return fmt.Errorf("%w: %d bytes of at most %d", commitlog.ErrFull, have, b.o.MaxBytes)
	}
	return nil
}

// mayTake says whether records may be added to the group: not at the hard mark,
// and not into the segments kept for state.
func (b *Outbox) mayTake(g *commitlog.Group, r *request) error {
	if b.room.isHard() {
		return fmt.Errorf("%w: the disk has less than %d bytes free", ErrFull, b.o.HardFree)
	}
	st := b.log.Stats()
	if st.Room >= int64(g.Bytes()+r.bytes) {
		return nil
	}
	need := stateSegments * b.o.SegmentBytes
	if !st.Ready {
		need += b.o.SegmentBytes
	}
	if have := st.Bytes + b.held(); have+need > b.o.MaxBytes {
		return fmt.Errorf("%w: %d bytes of at most %d", ErrFull, have, b.o.MaxBytes)
	}
	return nil
}
