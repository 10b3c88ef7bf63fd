package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// Read returns records in order from the number from on: at most maxRecords of
// them with at most maxBytes of record bytes, but at least one if there is one.
// Numbers missing between them lie in Gaps. ErrReleased if from is no longer
// kept. Damage met on the way becomes a gap.
func (l *Log) Read(from uint64, maxRecords, maxBytes int) ([]Record, error) {
	var out []Record
	err := l.each(from, func(r Record) bool {
		maxRecords--
		maxBytes -= len(r.Bytes)
		if len(out) > 0 && (maxRecords < 0 || maxBytes < 0) {
			return false
		}
		r.Bytes = slices.Clone(r.Bytes)
		out = append(out, r)
		return maxRecords > 0 && maxBytes > 0
	})
	return out, err
}

// Digest returns the chained digest after the record of that number, or after
// the last lost number of a gap. Digest(0) is 32 zero bytes. It is not known
// (false) inside a gap, before First-1, and from Next on.
func (l *Log) Digest(number uint64) ([32]byte, bool, error) {
	l.mu.Lock()
	first, next, digest := l.first(), l.next, l.digest
	if len(l.segments) > 0 && number == first-1 {
		digest = l.segments[0].h.digest
	}
	l.mu.Unlock()
	switch {
	case number == 0:
		return [32]byte{}, true, nil
	case number == next-1, number == first-1:
		return digest, true, nil
	case number < first || number >= next:
		return digest, false, nil
	}
	var found [32]byte
	ok := false
	visit := func(f *frame) bool {
		switch {
		case f.first == number+1:
			found, ok = f.before, true
		case f.first <= number && number < f.next():
			found, ok = f.records[number-f.first].Digest, true
		}
		return !ok && f.first <= number
	}
	err := l.frames(number, visit)
	return found, ok, err
}

// each calls f for the records from number on until it returns false or the
// acknowledged end is reached. The record's bytes are valid during the call.
func (l *Log) each(number uint64, f func(Record) bool) error {
	l.mu.Lock()
	first := l.first()
	l.mu.Unlock()
	if number < first {
		return fmt.Errorf("record %d, the first kept is %d: %w", number, first, ErrReleased)
	}
	return l.frames(number, func(fr *frame) bool {
		if fr.next() <= number {
			return true
		}
		for _, r := range fr.records {
			if r.Number >= number && !f(r) {
				return false
			}
		}
		return true
	})
}

// frames calls visit for every frame from the one before or at number on.
func (l *Log) frames(number uint64, visit func(*frame) bool) error {
	l.files.RLock()
	defer l.files.RUnlock()
	l.mu.Lock()
	end := l.next
	var ids []uint64
	for i, s := range l.segments {
		if i+1 < len(l.segments) && l.segments[i+1].h.first <= number {
			continue
		}
		ids = append(ids, s.h.id)
	}
	l.mu.Unlock()
	for _, id := range ids {
		more, err := l.segmentFrames(id, number, end, visit)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func (l *Log) segmentFrames(id, number, end uint64, visit func(*frame) bool) (more bool, err error) {
	l.mu.Lock()
	i := slices.IndexFunc(l.segments, func(s *segment) bool { return s.h.id == id })
	if i < 0 {
		l.mu.Unlock()
		return true, nil // released meanwhile
	}
	s := l.segments[i]
	after := end
	if i+1 < len(l.segments) {
		after = l.segments[i+1].h.first
	}
	sc := s.scan(nil, number)
	l.mu.Unlock()

	name := filepath.Join(l.dir, segmentName(id))
	f, err := l.sys.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			l.lose(s, sc, after, "segment is missing")
			return true, nil
		}
		return false, fmt.Errorf("open %s: %w", name, err)
	}
	defer f.Close() // only read
	sc.w.f = f
	for {
		st, err := sc.step()
		if err != nil {
			return false, fmt.Errorf("read %s: %w", name, err)
		}
		if st.damage != nil {
			l.addDamage(*st.damage)
		}
		if st.finished {
			if sc.off < sc.limit && !s.unknown || after > sc.next {
				l.lose(s, sc, after, "checksum")
			}
			return true, nil
		}
		l.mu.Lock()
		s.remember(mark{off: st.at, next: st.frame.first, digest: st.frame.before})
		l.mu.Unlock()
		if !visit(st.frame) {
			return false, nil
		}
	}
}

// lose notes that nothing from sc.off to the end of the segment can be read.
func (l *Log) lose(s *segment, sc *scanner, after uint64, reason string) {
	d := Damage{Segment: s.h.id, Offset: sc.off, Bytes: sc.limit - sc.off, Reason: reason}
	if after > sc.next {
		d.First, d.Last = sc.next, after-1
	}
	l.addDamage(d)
}
