package commitlog

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/agent/outbox/file/filetest"
)

// sample is a small log of three segments and what it holds.
type sample struct {
	disk    *filetest.Disk
	records []string
	state   map[string]string
	options Options
}

func newSample(t testing.TB, groups int) *sample {
	t.Helper()
	salt := uint64(1)
	s := &sample{
		disk:    filetest.New(1),
		state:   map[string]string{},
		options: Options{SegmentBytes: testSegment, Salt: func() uint64 { salt++; return salt * 0x9E3779B97F4A7C15 }},
	}
	l := s.open(t)
	for i := range groups {
		g := l.Begin()
		if err := g.Set(map[string][]byte{"last": fmt.Append(nil, i), fmt.Sprint("key ", i%3): []byte("value")}); err != nil {
			t.Fatal(err)
		}
		s.state["last"], s.state[fmt.Sprint("key ", i%3)] = fmt.Sprint(i), "value"
		for range 2 {
			text := strings.Repeat(fmt.Sprint("record ", len(s.records)+1, " "), 70)
			g.Add("key", "", []byte(text))
			s.records = append(s.records, text)
		}
		if err := l.Commit(g); err != nil {
			t.Fatal(err)
		}
	}
	g := l.Begin() // and one of state alone
	if err := g.Set(map[string][]byte{"last": []byte("end")}); err != nil {
		t.Fatal(err)
	}
	s.state["last"] = "end"
	if err := l.Commit(g); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sample) open(t testing.TB) *Log {
	t.Helper()
	l, err := Open(s.disk, "log", s.options)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (s *sample) copy() *sample {
	c := *s
	c.disk = filetest.New(2)
	for _, name := range s.disk.Names("") {
		c.disk.Put(name, s.disk.Bytes(name))
	}
	return &c
}

func (s *sample) segments() []string { return s.disk.Names(filepath.Join("log", "seg-")) }

// damage changes the bytes of a segment; the segments count from 0.
func (s *sample) damage(segment int, f func([]byte) []byte) {
	name := s.segments()[segment]
	s.disk.Put(name, f(s.disk.Bytes(name)))
}

// frames returns where the frames of a segment begin, and where they end.
func (s *sample) frames(t testing.TB, segment int) []int64 {
	t.Helper()
	b := s.disk.Bytes(s.segments()[segment])
	h, state, err := decodeHeader(b)
	if state != headerGood || err != nil {
		t.Fatalf("header of segment %d: %v, %v", segment, state, err)
	}
	seg := wholeFile(h, int64(len(b)))
	f, err := s.disk.Open(s.segments()[segment])
	if err != nil {
		t.Fatal(err)
	}
	sc := seg.scan(f, 0)
	var at []int64
	for {
		st, err := sc.step()
		if err != nil {
			t.Fatal(err)
		}
		if st.finished {
			return append(at, sc.off)
		}
		at = append(at, st.at)
	}
}

func wholeFile(h header, size int64) *segment { return &segment{h: h, size: size, end: size} }

// outcome is what a log says of itself after damage.
type outcome struct {
	next   uint64
	gaps   []Gap
	damage []Damage
	tail   int64
	read   map[uint64]string
	state  map[string]string
}

func look(t testing.TB, l *Log) outcome {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = l.CheckNext(); err != nil {
			t.Fatal(err)
		}
	}
	o := outcome{read: map[uint64]string{}, state: map[string]string{}}
	for from := l.First(); ; {
		records, err := l.Read(from, 5, 5000)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			break
		}
		for _, r := range records {
			o.read[r.Number] = string(r.Bytes)
			from = r.Number + 1
		}
	}
	l.States(func(k string, v []byte) {
		if !strings.HasPrefix(k, Reserved) {
			o.state[k] = string(v)
		}
	})
	st := l.Stats()
	o.next, o.gaps, o.damage, o.tail = l.Next(), l.Gaps(), st.Damage, st.Tail
	return o
}

// honest says whether everything that is not as it was is owned up to.
func (s *sample) honest(o outcome) error {
	inGap := func(n uint64) bool {
		return slices.ContainsFunc(o.gaps, func(g Gap) bool { return g.First <= n && n <= g.Last })
	}
	for i, want := range s.records {
		n := uint64(i + 1)
		got, ok := o.read[n]
		switch {
		case ok && got != want:
			return fmt.Errorf("record %d reads %.20q", n, got)
		case ok && inGap(n):
			return fmt.Errorf("record %d is there and in a gap", n)
		case !ok && n < o.next && !inGap(n):
			return fmt.Errorf("record %d is missing without a gap", n)
		case n >= o.next && o.tail == 0:
			return fmt.Errorf("record %d is gone and no tail was discarded", n)
		}
	}
	if o.next > uint64(len(s.records))+1 {
		return fmt.Errorf("next is %d", o.next)
	}
	if !maps.Equal(o.state, s.state) && len(o.damage) == 0 && o.tail == 0 {
		return fmt.Errorf("state is %v and nothing is said of damage", o.state)
	}
	return nil
}

func TestNoFlippedByteGoesUnsaid(t *testing.T) {
	t.Parallel()
	s := newSample(t, 6)
	if n := len(s.segments()); n != 2 {
		t.Fatalf("sample has %d segments", n)
	}
	intact, gaps, tails := 0, 0, 0
	for segment, name := range s.segments() {
		size, ends := int64(len(s.disk.Bytes(name))), s.frames(t, segment)
		end := ends[len(ends)-1]
		for at := range size {
			unused := at > headerSize && at < page || at > page+headerSize && at < dataStart || at > end+100
			if unused && at%61 > 0 {
				continue
			}
			c := s.copy()
			c.damage(segment, func(b []byte) []byte { b[at] ^= byte(1 + at%255); return b })
			l := c.open(t)
			o := look(t, l)
			if err := s.honest(o); err != nil {
				t.Fatalf("segment %d, byte %d: %v", segment, at, err)
			}
			switch {
			case len(o.gaps) > 0:
				gaps++
			case o.tail > 0:
				tails++
			default:
				intact++
			}
		}
	}
	t.Logf("%d flips harmless, %d made gaps, %d cut the tail", intact, gaps, tails)
	if intact == 0 || gaps == 0 || tails == 0 {
		t.Error("the flips did not reach everything")
	}
}

func TestDamageInTheMiddleIsAGapAndTheChainGoesOn(t *testing.T) {
	t.Parallel()
	whole := newSample(t, 12)
	digests := chain(whole.records)
	for segment := range 3 {
		s := whole.copy()
		at := s.frames(t, segment)
		s.damage(segment, func(b []byte) []byte { b[at[1]+100] ^= 1; return b })
		l := s.open(t)
		o := look(t, l)
		if err := s.honest(o); err != nil {
			t.Fatal(err)
		}
		if len(o.gaps) != 1 || o.gaps[0].Last != o.gaps[0].First+1 {
			t.Fatalf("segment %d: gaps %v", segment, o.gaps)
		}
		gap := o.gaps[0]
		if d, ok, err := l.Digest(gap.Last); d != digests[gap.Last] || !ok || err != nil {
			t.Errorf("digest after the gap: %v, %v", ok, err)
		}
		if _, ok, err := l.Digest(gap.First); ok || err != nil {
			t.Errorf("digest within the gap: %v, %v", ok, err)
		}
		if d, ok, err := l.Digest(l.Next() - 1); d != digests[len(digests)-1] || !ok || err != nil {
			t.Errorf("digest at the end: %v, %v", ok, err)
		}
		// It is written down with the next commit, and stays when its segment goes.
		g := l.Begin()
		g.Add("", "", []byte("new"))
		if err := l.Commit(g); err != nil {
			t.Fatal(err)
		}
		if err := l.Release(gap.First - 1); err != nil {
			t.Fatal(err)
		}
		l = s.open(t)
		if diff := cmp.Diff([]Gap{gap}, l.Gaps()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAReleasedGapIsForgotten(t *testing.T) {
	t.Parallel()
	s := newSample(t, 12)
	at := s.frames(t, 0)
	s.damage(0, func(b []byte) []byte { b[at[1]+100] ^= 1; return b })
	l := s.open(t)
	if o := look(t, l); len(o.gaps) != 1 {
		t.Fatalf("gaps %v", o.gaps)
	}
	for range 2 {
		g := l.Begin()
		g.Add("", "", []byte("new"))
		if err := l.Commit(g); err != nil {
			t.Fatal(err)
		}
		if err := l.Release(l.Next() - 1); err != nil {
			t.Fatal(err)
		}
	}
	if gaps := l.Gaps(); len(gaps) > 0 {
		t.Errorf("gaps %v", gaps)
	}
	l.States(func(key string, _ []byte) {
		if strings.HasPrefix(key, Reserved) {
			t.Errorf("state still has %s", key)
		}
	})
}

func TestALostSegmentIsAGap(t *testing.T) {
	t.Parallel()
	ruin := map[string]func(*sample){
		"file removed": func(s *sample) {
			if err := s.disk.Remove(s.segments()[1]); err != nil {
				t.Error(err)
			}
		},
		"both headers": func(s *sample) {
			s.damage(1, func(b []byte) []byte { b[20] ^= 1; b[page+20] ^= 1; return b })
		},
	}
	for name, f := range ruin {
		s := newSample(t, 12)
		f(s)
		l := s.open(t)
		o := look(t, l)
		if err := s.honest(o); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(o.gaps) != 1 || o.next != uint64(len(s.records))+1 || !maps.Equal(o.state, s.state) {
			t.Errorf("%s: next %d, gaps %v, state %v", name, o.next, o.gaps, o.state)
		}
		if again := look(t, s.open(t)); !slices.Equal(o.gaps, again.gaps) {
			t.Errorf("%s: gaps %v the second time", name, again.gaps)
		}
	}
}

func TestAShortFileIsDamage(t *testing.T) {
	t.Parallel()
	whole := newSample(t, 12)
	for segment := range 3 {
		frames := whole.frames(t, segment)
		for i, at := range frames {
			if i+1 == len(frames) && segment < 2 {
				continue // only zeros were lost
			}
			s := whole.copy()
			s.damage(segment, func(b []byte) []byte { return b[:at+30] })
			o := look(t, s.open(t))
			if o.next <= uint64(len(s.records)) {
				o.tail++ // the end of the last segment is gone: Damage says so
			}
			if err := s.honest(o); err != nil {
				t.Fatalf("segment %d cut at %d: %v", segment, at, err)
			}
			if len(o.damage) == 0 {
				t.Errorf("segment %d cut at %d: nothing is said", segment, at)
			}
		}
	}
}

func TestATornTailIsKeptAside(t *testing.T) {
	t.Parallel()
	s := newSample(t, 12)
	at := s.frames(t, 2)
	last := at[len(at)-2]
	var tail []byte
	s.damage(2, func(b []byte) []byte {
		b[last+20] ^= 1
		tail = bytes.TrimRight(b[last:], "\x00")
		return b
	})
	l := s.open(t)
	if st := l.Stats(); st.Tail != int64(len(tail)) || len(st.Damage) > 0 {
		t.Errorf("tail of %d bytes, damage %v", st.Tail, st.Damage)
	}
	if got := s.disk.Bytes(filepath.Join("log", "tail-3.bin")); !bytes.Equal(got, tail) {
		t.Errorf("kept %d bytes, cut %d", len(got), len(tail))
	}
	// The tail counts for nothing from now on, also where it looks whole.
	g := l.Begin()
	g.Add("", "", []byte("new"))
	if err := l.Commit(g); err != nil {
		t.Fatal(err)
	}
	s.damage(2, func(b []byte) []byte { b[last+20] ^= 1; return b })
	o := look(t, s.open(t))
	if o.tail != 0 || len(o.damage) != 0 || o.state["last"] != "11" || o.read[o.next-1] != "new" {
		o.read = nil
		t.Errorf("%+v", o)
	}
}

func TestVerifyFindsWhatOpenFinds(t *testing.T) {
	t.Parallel()
	whole := newSample(t, 12)
	r, err := Verify(whole.disk, "log")
	if err != nil || !r.Intact() || r.Records != 24 || r.First != 1 || r.Last != 24 || r.Segments != 3 || r.State != 4 {
		t.Errorf("%+v, %v", r, err)
	}
	for segment := range 3 {
		for _, at := range whole.frames(t, segment) {
			s := whole.copy()
			s.damage(segment, func(b []byte) []byte { b[at+40] ^= 1; return b })
			r, err := Verify(s.disk, "log")
			if err != nil {
				t.Fatal(err)
			}
			o := look(t, s.open(t))
			if !slices.Equal(r.Gaps, o.gaps) || len(r.Damage) != len(o.damage) || r.Tail != o.tail || r.Last != o.next-1 {
				o.read = nil
				t.Errorf("segment %d at %d: verify %+v, open %+v", segment, at, r, o)
			}
		}
	}
}

func TestANewerFormatIsRefused(t *testing.T) {
	t.Parallel()
	s := newSample(t, 12)
	s.damage(2, func(b []byte) []byte {
		h, _, _ := decodeHeader(b)
		newer := h.encode()
		for _, off := range []int{0, page} {
			newer[off+11]++
			sum := newer[off : off+headerSize-4]
			copy(newer[off+headerSize-4:], checksumOf(sum))
		}
		copy(b, newer)
		return b
	})
	if _, err := Open(s.disk, "log", s.options); err == nil || !strings.Contains(err.Error(), "format version 2") {
		t.Errorf("open: %v", err)
	}
}
