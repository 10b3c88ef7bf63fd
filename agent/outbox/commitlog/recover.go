package commitlog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tillbook.example/tillbook/agent/outbox/file"
)

// recover brings the log to where the last Commit left it.
func (l *Log) recover() error {
	inv, err := takeStock(l.sys, l.dir)
	if err != nil {
		return err
	}
	l.segments, l.lastID = inv.chain, inv.lastID
	for _, s := range inv.chain {
		l.grown += s.size
	}
	synced := true
	if len(inv.chain) > 0 {
		if synced, err = l.recoverLast(); err != nil {
			return err
		}
	}
	for _, d := range inv.missed {
		if d, err = l.numbersOf(d); err != nil {
			return err
		}
		l.addDamage(d)
	}
	for _, id := range inv.bad {
		l.tail += l.keepTail(id, 0)
	}
	if !synced {
		return nil
	}
	// What is void, and what was not begun but for one to go on with, may go
	// now that the last segment is known to be on the disk. Left behind it
	// does no harm, and Release takes it along later.
	for _, id := range inv.void {
		_ = l.unlink(id)
	}
	for _, id := range slices.Backward(inv.blank) {
		// One with a lower number than the last was unlinked in vain.
		if below := l.last(); below != nil && id < below.h.id || !l.adopt(id) {
			_ = l.unlink(id)
		}
	}
	return nil
}

// numbersOf fills in which numbers went with a whole segment.
func (l *Log) numbersOf(d Damage) (Damage, error) {
	for i := 1; i < len(l.segments); i++ {
		if s, older := l.segments[i], l.segments[i-1]; s.prev.id == d.Segment && older.unknown {
			next, err := l.check(older)
			if err != nil {
				return d, err
			}
			if s.h.first > next {
				d.First, d.Last = next, s.h.first-1
			}
		}
	}
	return d, nil
}

// recoverLast scans the last segment, opens it for more where nothing but zeros
// follows its frames, and takes the state from it. It reports whether the segment
// is known to be on the disk.
func (l *Log) recoverLast() (synced bool, err error) {
	s := l.segments[len(l.segments)-1]
	name := filepath.Join(l.dir, segmentName(s.h.id))
	f, err := l.sys.Open(name)
	if err != nil {
		return false, fmt.Errorf("open %s: %w", name, err)
	}
	seen, err := l.walk(s, f)
	if err != nil {
		f.Close()
		return false, fmt.Errorf("read %s: %w", name, err)
	}
	if synced, err = settle(s, f, seen); err != nil {
		f.Close()
		return false, fmt.Errorf("settle %s: %w", name, err)
	}
	if !seen.snapshot {
		if err := l.olderState(len(l.segments) - 2); err != nil {
			f.Close()
			return false, err
		}
	}
	l.setState(seen.state)
	l.next, l.digest = seen.next, seen.digest
	s.end, s.checked = seen.end, true
	if s.size < s.h.size {
		l.addDamage(Damage{Segment: s.h.id, Offset: s.size, Bytes: s.h.size - s.size, Reason: "file is too short"})
	}
	if seen.tail > 0 {
		l.tail += l.keepTail(s.h.id, seen.end)
	}
	// Without its first frame a segment has no state to add to.
	if !synced || seen.tail > 0 || s.size < s.h.size || !seen.snapshot {
		s.sealed = true
		f.Close()
	} else {
		l.active = f
	}
	l.readGaps()
	return synced, nil
}

// settle makes the last frame of the last segment durable. What a killed
// process wrote may be in the cache only, and if its sync had failed another
// sync proves nothing: so the same bytes are written once more, then synced.
// With the first frame of a segment goes its head. A disk with no room to
// write in place (copy on write) is no error, but nothing more is written here.
func settle(s *segment, f file.File, seen walked) (synced bool, err error) {
	from := seen.lastAt
	b := make([]byte, max(seen.end-from, 0))
	if err := readPages(f, b, from); err != nil {
		return false, err
	}
	if from == dataStart {
		b, from = append(s.h.encode(), b...), 0
	}
	if _, err = f.WriteAt(b, from); err == nil {
		err = f.Sync()
	}
	if file.IsFull(err) {
		return false, nil
	}
	return err == nil, err
}

// olderState takes the state from the newest segment up to i that has it whole,
// and the changes in those after it.
func (l *Log) olderState(i int) error {
	var states []map[string][]byte
	for ; i >= 0; i-- {
		s := l.segments[i]
		name := filepath.Join(l.dir, segmentName(s.h.id))
		f, err := l.sys.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // its loss is found when it is read
		}
		if err != nil {
			return fmt.Errorf("open %s: %w", name, err)
		}
		seen, err := l.walk(s, f)
		f.Close() // only read
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		states = append(states, seen.state)
		if seen.snapshot {
			break
		}
	}
	for _, state := range slices.Backward(states) {
		l.setState(state)
	}
	return nil
}

// walked is what a walk through one segment found.
type walked struct {
	snapshot bool // its first frame is there
	state    map[string][]byte
	next     uint64
	records  uint64
	digest   [32]byte
	lastAt   int64 // where the last frame begins
	end      int64
	tail     int64
}

// walk reads every frame of a segment and notes its damage and marks.
func (l *Log) walk(s *segment, f file.File) (walked, error) {
	seen := walked{state: map[string][]byte{}, lastAt: dataStart, end: dataStart}
	sc := s.scan(f, 0)
	sc.w.size = s.size
	for {
		st, err := sc.step()
		if err != nil {
			return seen, err
		}
		if st.damage != nil {
			l.addDamage(*st.damage)
		}
		if st.finished {
			seen.next, seen.digest, seen.tail = sc.next, sc.digest, st.tail
			return seen, nil
		}
		l.mu.Lock()
		s.remember(mark{off: st.at, next: st.frame.first, digest: st.frame.before})
		l.mu.Unlock()
		seen.lastAt, seen.end = st.at, st.end
		seen.records += uint64(len(st.frame.records))
		if st.frame.kind == kindSnapshot {
			seen.snapshot = true
			clear(seen.state)
		}
		for _, c := range st.frame.state {
			seen.state[c.key] = slices.Clone(c.value)
		}
	}
}

// check walks a sealed segment, notes its damage and returns the number after
// its last record. An error means that the disk did not answer.
func (l *Log) check(s *segment) (next uint64, err error) {
	l.files.RLock()
	defer l.files.RUnlock()
	l.mu.Lock()
	i := slices.Index(l.segments, s)
	if i < 0 || i+1 == len(l.segments) {
		l.mu.Unlock()
		return s.h.first, nil // released meanwhile
	}
	after := l.segments[i+1].h.first
	sc := s.scan(nil, 0)
	l.mu.Unlock()

	name := filepath.Join(l.dir, segmentName(s.h.id))
	f, err := l.sys.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.lose(s, sc, after, "segment is missing")
	case err != nil:
		return s.h.first, fmt.Errorf("open %s: %w", name, err)
	default:
		defer f.Close() // only read
		seen, err := l.walk(s, f)
		if err != nil {
			return s.h.first, fmt.Errorf("read %s: %w", name, err)
		}
		sc.off, sc.next = seen.end, seen.next
		if sc.off < sc.limit && !s.unknown || after > sc.next && !s.unknown {
			l.lose(s, sc, after, "checksum")
		}
	}
	l.mu.Lock()
	s.checked = true
	l.mu.Unlock()
	return sc.next, nil
}

// CheckNext reads one sealed segment that was not read yet, oldest first, and
// notes what is damaged. It reports whether there are more. An error means that
// the disk did not answer; the segment stays to be checked.
func (l *Log) CheckNext() (more bool, err error) {
	l.mu.Lock()
	var todo []*segment
	for _, s := range l.segments {
		if s.sealed && !s.checked {
			todo = append(todo, s)
		}
	}
	l.mu.Unlock()
	if len(todo) == 0 {
		return false, nil
	}
	_, err = l.check(todo[0])
	return len(todo) > 1, err
}

// addDamage notes damage once, and the gap it makes.
func (l *Log) addDamage(d Damage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.ContainsFunc(l.damage, func(o Damage) bool { return o.Segment == d.Segment && o.Offset == d.Offset }) {
		return
	}
	l.damage = append(l.damage, d)
	if d.First > 0 {
		l.addGap(Gap{First: d.First, Last: d.Last, Reason: fmt.Sprintf("segment %d, offset %d: %s", d.Segment, d.Offset, d.Reason)})
	}
}

// addGap joins g with the gaps it touches; under mu.
func (l *Log) addGap(g Gap) {
	kept := l.gaps[:0:0]
	for _, o := range l.gaps {
		switch {
		case o.First <= g.First && o.Last >= g.Last:
			return
		case o.Last < g.First || o.First > g.Last:
			kept = append(kept, o)
		default:
			g.First, g.Last = min(g.First, o.First), max(g.Last, o.Last)
		}
	}
	l.gaps = append(kept, g)
	slices.SortFunc(l.gaps, func(a, b Gap) int { return cmp.Compare(a.First, b.First) })
}

// Reserved is the prefix of state keys that the log keeps for itself.
const Reserved = "log/"

const gapPrefix = Reserved + "gap/"

func (g Gap) change() (string, []byte) {
	return fmt.Sprintf("%s%016x", gapPrefix, g.First), fmt.Appendf(nil, "%d %s", g.Last, g.Reason)
}

// gapChanges is what brings the gaps in the state up to date; under mu.
func (l *Log) gapChanges() map[string][]byte {
	changes := map[string][]byte{}
	kept := map[string]bool{}
	for _, g := range l.gaps {
		if g.Last < l.first() {
			continue
		}
		k, v := g.change()
		kept[k] = true
		if string(l.state[k]) != string(v) {
			changes[k] = v
		}
	}
	for k := range l.state {
		if strings.HasPrefix(k, gapPrefix) && !kept[k] {
			changes[k] = nil
		}
	}
	return changes
}

// readGaps adds the gaps found in earlier lives.
func (l *Log) readGaps() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, v := range l.state {
		digits, ok := strings.CutPrefix(k, gapPrefix)
		if !ok {
			continue
		}
		last, reason, _ := strings.Cut(string(v), " ")
		from, err := strconv.ParseUint(digits, 16, 64)
		to, err2 := strconv.ParseUint(last, 10, 64)
		if err == nil && err2 == nil && from > 0 && from <= to {
			l.addGap(Gap{First: from, Last: to, Reason: reason})
		}
	}
}
