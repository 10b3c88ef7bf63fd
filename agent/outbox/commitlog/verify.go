package commitlog

import (
	"fmt"
	"path/filepath"

	"tillbook.example/tillbook/agent/outbox/file"
)

// Report is what a log was found to hold.
type Report struct {
	Segments int      `json:"segments"`
	Records  uint64   `json:"records"`
	First    uint64   `json:"first"` // lowest number kept
	Last     uint64   `json:"last"`  // 0: no record was ever written
	Digest   [32]byte `json:"-"`     // chained, after Last
	State    int      `json:"state"` // keys
	Tail     int64    `json:"tail"`  // bytes after the last frame: a commit that was cut off
	Damage   []Damage `json:"damage"`
	Gaps     []Gap    `json:"gaps"`
}

// Intact reports whether every byte that was acknowledged is there.
func (r Report) Intact() bool { return len(r.Damage) == 0 && len(r.Gaps) == 0 }

// Verify reads the whole log in dir, which must be locked by the caller, and
// checks every checksum and the chain of digests. It changes nothing.
func Verify(sys file.System, dir string) (Report, error) {
	inv, err := takeStock(sys, dir)
	if err != nil {
		return Report{}, err
	}
	l := &Log{sys: sys, dir: dir, segments: inv.chain, state: map[string][]byte{}, next: 1}
	r := Report{Segments: len(inv.chain)}
	for i, s := range inv.chain {
		if i > 0 && s.h.digest != l.digest && s.h.first == l.next {
			l.addDamage(Damage{Segment: s.h.id, Reason: "digest does not continue"})
		}
		n, err := l.verifySegment(i, &r)
		if err != nil {
			return r, err
		}
		r.Records += n
	}
	for _, d := range inv.missed {
		l.addDamage(d)
	}
	for _, id := range inv.bad {
		if last := l.last(); last == nil || id > last.h.id {
			_, n := l.tailOf(id, 0)
			r.Tail += n // a segment whose beginning was cut off
		}
	}
	l.readGaps()
	r.First, r.Last, r.Digest, r.State = l.first(), l.next-1, l.digest, len(l.state)
	r.Damage, r.Gaps = l.damage, l.Gaps()
	return r, nil
}

func (l *Log) verifySegment(i int, r *Report) (records uint64, err error) {
	s, last := l.segments[i], i+1 == len(l.segments)
	name := filepath.Join(l.dir, segmentName(s.h.id))
	f, err := l.sys.Open(name)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", name, err)
	}
	defer f.Close() // only read
	seen, err := l.walk(s, f)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", name, err)
	}
	l.setState(seen.state)
	l.next, l.digest = seen.next, seen.digest
	if !last {
		sc := s.scan(nil, 0)
		sc.off, sc.next = seen.end, seen.next
		if after := l.segments[i+1].h.first; seen.end < s.end && !s.unknown || after > seen.next {
			l.lose(s, sc, after, "checksum")
		}
		return seen.records, nil
	}
	if r.Tail = seen.tail; s.size < s.h.size {
		l.addDamage(Damage{Segment: s.h.id, Offset: s.size, Bytes: s.h.size - s.size, Reason: "file is too short"})
	}
	return seen.records, nil
}
