package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tillbook.example/tillbook/agent/outbox/file"
)

const (
	minSegment = 16 << 10
	maxSegment = 1 << 30
)

// segment is one file that was begun. Its fields change only under Log.mu.
type segment struct {
	h       header
	prev    link  // what it continues; h.prev or, where that is gone, h.skip
	size    int64 // of the file as it is
	end     int64 // where its valid, acknowledged frames end
	unknown bool  // end is the end of the file: the segment after it was lost
	sealed  bool  // nothing is written to it any more
	checked bool  // every frame was seen
	marks   []mark
}

// mark remembers where a frame begins, so that reading need not begin at the
// head of the segment.
type mark struct {
	off    int64
	next   uint64
	digest [32]byte // before
}

const markEvery = 64 << 10

func segmentName(id uint64) string { return fmt.Sprintf("seg-%010d.log", id) }

func segmentID(name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, "seg-")
	digits, log := strings.CutSuffix(digits, ".log")
	if !ok || !log || len(digits) < 10 {
		return 0, false
	}
	id, err := strconv.ParseUint(digits, 10, 64)
	return id, err == nil && id > 0 && segmentName(id) == name
}

// inventory is what a folder holds, before any frame is read.
type inventory struct {
	chain  []*segment // oldest first, linked
	blank  []uint64   // prepared, never begun
	void   []uint64   // begun, but the one that followed says that nothing in it counts
	bad    []uint64   // the header is lost
	missed []Damage   // segments that a header names but that are not there; numbers are filled in later
	lastID uint64
}

// errUnreadable says that the disk does not give a header away.
var errUnreadable = errors.New("header cannot be read")

// takeStock reads every header and links the segments from the newest back.
func takeStock(sys file.System, dir string) (inventory, error) {
	var inv inventory
	names, err := sys.List(dir)
	if err != nil {
		return inv, fmt.Errorf("list %s: %w", dir, err)
	}
	good := map[uint64]*segment{}
	var unreadable error
	for _, name := range names {
		id, ok := segmentID(name)
		if !ok {
			continue
		}
		inv.lastID = max(inv.lastID, id)
		s, state, err := readSegment(sys, dir, id)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, errUnreadable):
			unreadable = err
			inv.bad = append(inv.bad, id)
		case err != nil:
			return inv, err
		case state == headerBlank:
			inv.blank = append(inv.blank, id)
		case state == headerBad || s.h.id != id:
			inv.bad = append(inv.bad, id)
		default:
			good[id] = s
		}
	}
	if unreadable != nil && len(good) == 0 {
		return inv, unreadable // a disk that is gone is no damage
	}
	slices.Sort(inv.blank)
	slices.Sort(inv.bad)
	inv.link(good)
	return inv, nil
}

func readSegment(sys file.System, dir string, id uint64) (*segment, headerState, error) {
	name := filepath.Join(dir, segmentName(id))
	f, err := sys.Open(name)
	if err != nil {
		return nil, headerBad, fmt.Errorf("open %s: %w", name, err)
	}
	defer f.Close() // only read
	size, err := f.Size()
	if err != nil {
		return nil, headerBad, fmt.Errorf("size of %s: %w", name, err)
	}
	b := make([]byte, min(dataStart, size))
	if err := readPages(f, b, 0); err != nil {
		return nil, headerBad, fmt.Errorf("%s: %w: %w", name, errUnreadable, err)
	}
	h, state, err := decodeHeader(b)
	if err != nil {
		return nil, state, fmt.Errorf("%s: %w", name, err)
	}
	return &segment{h: h, prev: h.prev, size: size}, state, nil
}

// link follows each header to the segment it continues.
func (inv *inventory) link(good map[uint64]*segment) {
	ids := slices.Sorted(maps.Keys(good))
	if len(ids) == 0 {
		return
	}
	current := good[ids[len(ids)-1]]
	current.end = current.size
	inv.chain = []*segment{current}
	for _, id := range slices.Backward(ids[:len(ids)-1]) {
		older := good[id]
		if good[current.prev.id] == nil && current.h.skip.id > 0 {
			current.prev = current.h.skip
		}
		switch {
		case id > current.prev.id:
			inv.void = append(inv.void, id)
			continue
		case id == current.prev.id:
			older.end = current.prev.end
		default:
			older.end, older.unknown = older.size, true
			inv.missed = append(inv.missed, Damage{Segment: current.prev.id, Reason: "segment is missing or has no readable header"})
		}
		older.sealed = true
		inv.chain = append(inv.chain, older)
		current = older
	}
	slices.Reverse(inv.chain)
	slices.Sort(inv.void)
	for _, id := range inv.bad {
		if !slices.ContainsFunc(inv.chain, func(s *segment) bool { return s.h.prev.id == id }) && id < inv.chain[len(inv.chain)-1].h.id {
			inv.void = append(inv.void, id)
		}
	}
	inv.bad = slices.DeleteFunc(inv.bad, func(id uint64) bool { return slices.Contains(inv.void, id) })
}

// scan returns a scanner from the mark nearest before number, or from the head
// if number is 0, up to where the valid frames end.
func (s *segment) scan(f file.File, number uint64) *scanner {
	from := mark{off: dataStart, next: s.h.first, digest: s.h.digest}
	for _, m := range s.marks {
		if m.next > number {
			break
		}
		from = m
	}
	return &scanner{
		h: s.h, w: window{f: f, size: s.size}, limit: s.end,
		off: from.off, next: from.next, digest: from.digest,
	}
}

// remember keeps a mark for the frame that begins at m.off, if it is far enough
// from the last one.
func (s *segment) remember(m mark) {
	last := int64(dataStart)
	if n := len(s.marks); n > 0 {
		last = s.marks[n-1].off
	}
	if m.off >= last+markEvery {
		s.marks = append(s.marks, m)
	}
}
