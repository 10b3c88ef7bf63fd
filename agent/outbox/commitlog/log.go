package commitlog

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"

	"tillbook.example/tillbook/agent/outbox/file"
)

// Options of a Log. The zero value of each means its default.
type Options struct {
	// SegmentBytes is the size of new segments, 16 KiB to 1 GiB; default 16 MiB.
	// A group may take half of it, the state a quarter.
	SegmentBytes int64
	// MayGrow is asked before a segment file is made; its error is returned
	// where the segment was needed. Default: always.
	MayGrow func(bytes int64) error
	// NoTails has Open make no copies of torn commits: the disk is nearly full.
	// The bytes stay where they are until their segment is released.
	NoTails bool
	// Salt returns a random number for each segment. Default: crypto/rand.
	Salt func() uint64
}

// Log is an open log. One goroutine commits; all other methods may be called
// from any.
type Log struct {
	sys file.System
	dir string
	o   Options

	making sync.Mutex // held while a segment file is being made; before mu

	active file.File // of the last segment; nil when it is sealed; committing goroutine only
	group  Group     // the one group under way

	files    sync.RWMutex // readers hold it over an open segment file, Release to unlink
	unlinked bool         // an unlink, of this process or the one before, may not be durable yet; under files

	mu       sync.Mutex
	segments []*segment
	ready    prepared // the next segment; only the committing goroutine takes it
	lastID   uint64
	next     uint64
	digest   [32]byte
	state    map[string][]byte
	stateLen int64
	gaps     []Gap // sorted, apart
	damage   []Damage
	tail     int64
	poisoned int
	grown    int64 // bytes of all segment files, ready one included
}

// prepared is a segment file of zeros that is not begun; f is nil if there is
// none.
type prepared struct {
	f  file.File
	id uint64
}

// Open opens or creates the log in dir, which must be locked by the caller. It
// reads the headers and the last segment; CheckNext reads the others.
// It fails only if the folder cannot be used or was written by a newer program.
func Open(sys file.System, dir string, o Options) (*Log, error) {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 16 << 20
	}
	if o.SegmentBytes < minSegment || o.SegmentBytes > maxSegment || o.SegmentBytes%page != 0 {
		return nil, fmt.Errorf("segment size %d: must be a multiple of %d from %d to %d", o.SegmentBytes, page, minSegment, maxSegment)
	}
	if o.MayGrow == nil {
		o.MayGrow = func(int64) error { return nil }
	}
	if o.Salt == nil {
		o.Salt = func() uint64 {
			var b [8]byte
			rand.Read(b[:]) // never fails
			return binary.BigEndian.Uint64(b[:])
		}
	}
	if err := sys.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("make %s: %w", dir, err)
	}
	l := &Log{sys: sys, dir: dir, o: o, state: map[string][]byte{}, next: 1, unlinked: true}
	if err := l.recover(); err != nil {
		return nil, err
	}
	return l, nil
}

// Close closes the files. What was committed needs no flushing.
func (l *Log) Close() error {
	l.making.Lock()
	defer l.making.Unlock()
	l.mu.Lock()
	ready := l.ready
	l.ready = prepared{}
	l.mu.Unlock()
	var err error
	if ready.f != nil {
		err = ready.f.Close()
	}
	if l.active != nil {
		err = errors.Join(err, l.active.Close())
		l.active = nil
	}
	return err
}

// Next is the number the next record gets; the first is 1.
func (l *Log) Next() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// First is the lowest number that is kept; Next if there is none.
func (l *Log) First() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first()
}

func (l *Log) first() uint64 {
	if len(l.segments) == 0 {
		return l.next
	}
	return l.segments[0].h.first
}

// State returns a copy of the value of a key.
func (l *Log) State(key string) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, ok := l.state[key]
	return slices.Clone(v), ok
}

// States calls f for every key and value, in no order; f must not keep or
// change the value nor call the log.
func (l *Log) States(f func(key string, value []byte)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, v := range l.state {
		f(k, v)
	}
}

// Gaps returns the numbers known to be lost, in order, those released left out.
func (l *Log) Gaps() []Gap {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.first()
	var kept []Gap
	for _, g := range l.gaps {
		if g.Last >= first {
			kept = append(kept, g)
		}
	}
	return kept
}

// Stats are counts since Open, and what is kept now.
type Stats struct {
	Segments int
	Bytes    int64    // of all segment files
	Used     int64    // of the last segment
	Room     int64    // left in the last segment
	Ready    bool     // the next segment is prepared
	Tail     int64    // bytes after the last frame, discarded at Open
	Damage   []Damage // found since Open
	Poisoned int      // segments given up after a failed write or sync
	State    int64    // bytes of keys and values
}

// Stats returns the present figures.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := Stats{
		Segments: len(l.segments), Bytes: l.grown, Ready: l.ready.f != nil,
		Tail: l.tail, Damage: slices.Clone(l.damage), Poisoned: l.poisoned, State: l.stateLen,
	}
	if n := len(l.segments); n > 0 {
		if s := l.segments[n-1]; !s.sealed {
			st.Used, st.Room = s.end, s.size-s.end
		}
	}
	return st
}

// Ready reports whether the next segment is prepared.
func (l *Log) Ready() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ready.f != nil
}

// Release unlinks every segment whose records all have numbers of at most safe.
// The last segment stays. It needs no free space. After an error it may be
// called again.
func (l *Log) Release(safe uint64) error {
	l.mu.Lock()
	keep := 0
	for keep+1 < len(l.segments) && l.segments[keep+1].h.first-1 <= safe {
		keep++
	}
	var oldest uint64
	if keep > 0 {
		oldest = l.segments[keep].h.id
	}
	l.mu.Unlock()
	if oldest == 0 {
		return nil
	}
	names, err := l.sys.List(l.dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", l.dir, err)
	}
	var ids []uint64
	for _, name := range names {
		if id, ok := segmentID(name); ok && id < oldest {
			ids = append(ids, id)
		}
	}
	// Oldest first, those that never counted among them: what a power cut
	// leaves of this looks like a release that went less far.
	slices.Sort(ids)
	for _, id := range ids {
		if err := l.unlink(id); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.segments[0].h.id < oldest { // files that somebody else removed
		l.grown -= l.segments[0].size
		l.segments = l.segments[1:]
	}
	return nil
}

// unlink removes a segment file and forgets the segment. Each unlink is durable
// before the next, so that no power cut leaves an older segment without a newer.
func (l *Log) unlink(id uint64) error {
	l.files.Lock()
	defer l.files.Unlock()
	if l.unlinked {
		if err := l.sys.SyncDir(l.dir); err != nil {
			return fmt.Errorf("sync %s: %w", l.dir, err)
		}
		l.unlinked = false
	}
	name := filepath.Join(l.dir, segmentName(id))
	if err := l.sys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	l.unlinked = true
	l.mu.Lock()
	if len(l.segments) > 1 && l.segments[0].h.id == id {
		l.grown -= l.segments[0].size
		l.segments = l.segments[1:]
	}
	l.mu.Unlock()
	if err := l.sys.SyncDir(l.dir); err != nil {
		return fmt.Errorf("sync %s: %w", l.dir, err)
	}
	l.unlinked = false
	return nil
}

// Prepare makes the next segment ready, filled with zeros and synced, so that a
// full disk shows here and not in the middle of a commit. It does nothing if
// one is ready. Call it from another goroutine after a commit.
func (l *Log) Prepare() error {
	l.making.Lock()
	defer l.making.Unlock()
	if l.Ready() {
		return nil
	}
	if err := l.o.MayGrow(l.o.SegmentBytes); err != nil {
		return err
	}
	l.mu.Lock()
	l.lastID++
	id := l.lastID
	l.mu.Unlock()
	f, err := file.Zeros(l.sys, filepath.Join(l.dir, segmentName(id)), l.o.SegmentBytes)
	if err != nil {
		return grow(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.grown += l.o.SegmentBytes
	l.ready = prepared{f, id}
	return nil
}

// grow marks an error of a full disk as ErrFull.
func grow(err error) error {
	if file.IsFull(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// setState applies changes; under mu.
func (l *Log) setState(changes map[string][]byte) {
	for k, v := range changes {
		if old, ok := l.state[k]; ok {
			l.stateLen -= stateCost(k, old)
			delete(l.state, k)
		}
		if v != nil {
			l.state[k] = v
			l.stateLen += stateCost(k, v)
		}
	}
}

// stateCost is the most a key and value take in a frame.
func stateCost(k string, v []byte) int64 { return int64(len(k)+len(v)) + 10 }
