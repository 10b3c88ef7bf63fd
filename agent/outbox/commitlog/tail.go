package commitlog

import (
	"fmt"
	"path/filepath"
	"slices"
)

// adopt takes over a segment that was prepared by an earlier process, if it is
// whole and none is ready.
func (l *Log) adopt(id uint64) bool {
	if l.Ready() {
		return false
	}
	f, err := l.sys.Open(filepath.Join(l.dir, segmentName(id)))
	if err != nil {
		return false
	}
	size, err := f.Size()
	clean := err == nil && size == l.o.SegmentBytes
	for b := make([]byte, windowBytes); clean && size > 0; size -= int64(len(b)) {
		b = b[:min(int64(len(b)), size)]
		_, err := f.ReadAt(b, size-int64(len(b)))
		clean = err == nil && blank(b)
	}
	// Its name, zeros and length may be in the cache only, see settle. The last
	// page carries the length.
	if clean {
		_, err = f.WriteAt(make([]byte, page), l.o.SegmentBytes-page)
		clean = err == nil && f.Sync() == nil && l.sys.SyncDir(l.dir) == nil
	}
	if !clean {
		f.Close()
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = prepared{f, id}
	l.grown += l.o.SegmentBytes
	return true
}

const (
	maxTail  = 1 << 20 // bytes of one tail that are kept
	maxTails = 8
)

// keepTail copies what stands in a segment from off on into tail-<id>.bin, for a
// person to look at, and returns how many bytes that were. The copy is a
// courtesy: if it cannot be made the bytes still stand in the segment.
func (l *Log) keepTail(id uint64, off int64) int64 {
	b, n := l.tailOf(id, off)
	if n == 0 || l.o.NoTails || l.oldTails() != nil {
		return n
	}
	out, err := l.sys.Create(filepath.Join(l.dir, fmt.Sprintf("tail-%d.bin", id)))
	if err != nil {
		return n
	}
	defer out.Close()
	if _, err := out.WriteAt(b, 0); err == nil {
		_ = out.Sync()
	}
	return n
}

// tailOf returns the bytes of a segment from off to the last that is not zero,
// cut at maxTail, and how many they are.
func (l *Log) tailOf(id uint64, off int64) ([]byte, int64) {
	f, err := l.sys.Open(filepath.Join(l.dir, segmentName(id)))
	if err != nil {
		return nil, 0
	}
	defer f.Close() // only read
	size, err := f.Size()
	if err != nil {
		return nil, 0
	}
	sc := scanner{w: window{f: f, size: size}, off: off, limit: size}
	n, err := sc.rubbish()
	if err != nil {
		return nil, 0
	}
	b := make([]byte, min(n, maxTail))
	if err := readPages(f, b, off); err != nil {
		return nil, n
	}
	return b, n
}

// oldTails makes room for one more tail.
func (l *Log) oldTails() error { return l.dropTails(maxTails - 1) }

// DropTails removes what was set aside of torn commits, to make room.
func (l *Log) DropTails() error { return l.dropTails(0) }

// dropTails removes all but the newest tails.
func (l *Log) dropTails(keep int) error {
	names, err := l.sys.List(l.dir)
	if err != nil {
		return fmt.Errorf("look for tails: %w", err)
	}
	var ids []uint64
	for _, name := range names {
		var id uint64
		if _, err := fmt.Sscanf(name, "tail-%d.bin", &id); err == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for ; len(ids) > keep; ids = ids[1:] {
		if err := l.sys.Remove(filepath.Join(l.dir, fmt.Sprintf("tail-%d.bin", ids[0]))); err != nil {
			return fmt.Errorf("remove a tail: %w", err)
		}
	}
	return nil
}
