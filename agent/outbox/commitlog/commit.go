package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"tillbook.example/tillbook/shared/wire"
)

// Group is what one Commit writes: one frame, all of it or nothing.
type Group struct {
	log      *Log
	buf      []byte // frame head, body head, records
	count    uint32
	first    uint64
	digest   [32]byte
	state    map[string][]byte
	stateLen int64 // of the log's state with these changes
}

// maxKept bounds the buffer that is kept from one group to the next.
const maxKept = 256 << 10

// Begin starts a group; the one before it must be committed or forgotten.
// Gaps not yet in the state, and gaps whose numbers were released, come with it.
func (l *Log) Begin() *Group {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := &l.group
	if cap(g.buf) > maxKept {
		g.buf = nil
	}
	*g = Group{log: l, first: l.next, digest: l.digest, stateLen: l.stateLen, buf: g.buf[:0]}
	g.buf = appendBodyHead(g.buf, l.next, 0, l.digest)
	if changes := l.gapChanges(); len(changes) > 0 {
		g.stateLen = g.stateAfter(changes)
		g.state = changes
	}
	return g
}

// Next is the number the next record added gets.
func (g *Group) Next() uint64 { return g.first + uint64(g.count) }

// Records is how many were added.
func (g *Group) Records() int { return int(g.count) }

// Bytes is the size of the group so far.
func (g *Group) Bytes() int {
	n := len(g.buf)
	for k, v := range g.state {
		n += int(stateCost(k, v))
	}
	return n
}

// MaxBytes is the most a group may take: the sum of what RecordBytes and
// StateBytes say of its parts.
func (l *Log) MaxBytes() int { return int(l.o.SegmentBytes-dataStart)/2 - frameHead - bodyHead - 10 }

// RecordBytes is the most a record with keys and body of these lengths takes.
func RecordBytes(key, idempotency, body int) int { return key + idempotency + body + 30 }

// StateBytes is the most a key and value of these lengths take.
func StateBytes(key, value int) int { return key + value + 10 }

// Add adds a record made of parts and returns its number and chained digest.
func (g *Group) Add(key, idempotency string, parts ...[]byte) (uint64, [32]byte) {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	g.buf = appendRecord(g.buf, key, idempotency, size)
	begin := len(g.buf)
	for _, p := range parts {
		g.buf = append(g.buf, p...)
	}
	g.digest = wire.Next(g.digest, g.buf[begin:])
	g.count++
	return g.first + uint64(g.count) - 1, g.digest
}

// Set changes keys of the state; a nil value deletes. It changes all or, with
// ErrTooLarge, none. The values must not be changed afterwards.
func (g *Group) Set(changes map[string][]byte) error {
	g.log.mu.Lock()
	after := g.stateAfter(changes)
	g.log.mu.Unlock()
	if after > g.stateLen && after > g.log.maxState() {
		return fmt.Errorf("state of %d bytes, at most %d: %w", after, g.log.maxState(), ErrTooLarge)
	}
	g.stateLen = after
	if g.state == nil {
		g.state = make(map[string][]byte, len(changes))
	}
	maps.Copy(g.state, changes)
	return nil
}

func (l *Log) maxState() int64 { return (l.o.SegmentBytes - dataStart) / 4 }

// stateAfter is the size of the state with changes; under Log.mu.
func (g *Group) stateAfter(changes map[string][]byte) int64 {
	n := g.stateLen
	for k, v := range changes {
		old, ok := g.state[k]
		if !ok {
			old = g.log.state[k]
		}
		if old != nil {
			n -= stateCost(k, old)
		}
		if v != nil {
			n += stateCost(k, v)
		}
	}
	return n
}

// Commit writes the group and returns when it is on stable storage. On an error
// the group is not in the log, save that a crash before the next Commit that
// succeeds may leave it there, whole. ErrFull: no room for a further segment.
// A group without content is not written.
func (l *Log) Commit(g *Group) error {
	if g.count == 0 && len(g.state) == 0 {
		return nil
	}
	binary.BigEndian.PutUint32(g.buf[frameHead+8:], g.count)
	records := len(g.buf)
	g.buf = appendState(g.buf, g.state)
	var failed error
	if s := l.last(); l.active != nil && s.end+padded(int64(len(g.buf))) <= s.size {
		if failed = l.write(s.h, s.end, g.buf); failed == nil {
			l.committed(g, s)
			return nil
		}
		l.poison(s)
	}
	g.buf = g.buf[:records]
	for range 2 {
		s, err := l.roll(g)
		if err == nil {
			l.committed(g, s)
			return nil
		}
		failed = errors.Join(failed, err)
		if errors.Is(err, ErrFull) || errors.Is(err, ErrTooLarge) {
			break
		}
	}
	return failed
}

// last returns the last segment, nil if there is none. Only the committing
// goroutine adds segments and moves the end of the last.
func (l *Log) last() *segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.segments) == 0 {
		return nil
	}
	return l.segments[len(l.segments)-1]
}

func (l *Log) write(h header, off int64, frame []byte) error {
	h.seal(off, kindGroup, frame)
	if _, err := l.active.WriteAt(frame, off); err != nil {
		return fmt.Errorf("write segment %d at %d: %w", h.id, off, err)
	}
	if err := l.active.Sync(); err != nil {
		return fmt.Errorf("sync segment %d: %w", h.id, err)
	}
	return nil
}

// poison gives a segment up: what was acknowledged in it stays, nothing more is
// written or synced, and the header of the next one says where it ends.
func (l *Log) poison(s *segment) {
	l.active.Close() // what it could report is already known
	l.active = nil
	l.mu.Lock()
	defer l.mu.Unlock()
	s.sealed = true
	l.poisoned++
}

// roll begins the next segment: its header, and one frame of the group's
// records and the whole state as it is after the group. One frame, so that a
// torn beginning is a torn tail and nothing else. If the write fails the file
// counts for nothing.
func (l *Log) roll(g *Group) (*segment, error) {
	if err := l.Prepare(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	state := maps.Clone(l.state)
	l.mu.Unlock()
	apply(state, g.state)
	records := len(g.buf)
	g.buf = appendState(g.buf, state)
	if whole := dataStart + padded(int64(len(g.buf))); whole > l.o.SegmentBytes {
		return nil, fmt.Errorf("group with the state takes %d bytes, a segment has %d: %w", whole, l.o.SegmentBytes, ErrTooLarge)
	}
	l.mu.Lock()
	f, id := l.ready.f, l.ready.id
	l.ready = prepared{}
	h := header{id: id, size: l.o.SegmentBytes, salt: l.o.Salt(), first: l.next, digest: l.digest}
	var empty uint64
	if n := len(l.segments); n > 0 {
		last := l.segments[n-1]
		h.prev = link{last.h.id, last.end}
		if last.h.first == l.next {
			// It has no records, and the new one the whole state: it may go,
			// so that state alone never fills the disk.
			empty, h.skip = last.h.id, last.prev
		}
	}
	l.mu.Unlock()

	h.seal(dataStart, kindSnapshot, g.buf)
	_, err := f.WriteAt(h.encode(), 0)
	if err == nil {
		_, err = f.WriteAt(g.buf, dataStart)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		g.buf = g.buf[:records]
		name := filepath.Join(l.dir, segmentName(id))
		if l.active != nil {
			// The header may be on the disk and cuts the last segment off
			// where it is now: nothing may follow there.
			l.poison(l.last())
		}
		l.mu.Lock()
		l.poisoned++
		l.grown -= h.size
		l.mu.Unlock()
		// Removing it is only tidiness: the next header makes it void.
		return nil, grow(errors.Join(fmt.Errorf("begin %s: %w", name, err), f.Close(), l.sys.Remove(name)))
	}
	if l.active != nil {
		l.active.Close() // synced before
	}
	l.active = f
	s := &segment{h: h, prev: h.prev, size: h.size, end: dataStart, checked: true}
	l.mu.Lock()
	if n := len(l.segments); empty > 0 {
		l.grown -= l.segments[n-1].size
		l.segments = l.segments[:n-1]
		s.prev = h.skip
	} else if n > 0 {
		l.segments[n-1].sealed = true
	}
	l.segments = append(l.segments, s)
	l.mu.Unlock()
	if empty > 0 {
		// Left behind it does no harm, and goes with a later Release.
		_ = l.unlink(empty)
	}
	return s, nil
}

// committed makes a group visible that was synced at the end of s.
func (l *Log) committed(g *Group, s *segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.remember(mark{off: s.end, next: g.first, digest: l.digest})
	s.end += padded(int64(len(g.buf)))
	l.next, l.digest = g.Next(), g.digest
	l.setState(g.state)
}

// apply changes state as a group says.
func apply(state, changes map[string][]byte) {
	for k, v := range changes {
		if v == nil {
			delete(state, k)
		} else {
			state[k] = v
		}
	}
}

func appendState(b []byte, state map[string][]byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(state)))
	for _, k := range slices.Sorted(maps.Keys(state)) {
		b = appendChange(b, change{key: k, value: state[k]})
	}
	return b
}
