package commitlog

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"tillbook.example/tillbook/agent/outbox/file/filetest"
	"tillbook.example/tillbook/shared/wire"
)

// The model: a list of acknowledged records and a map, and the groups whose
// fate the log left open. A run drives a log on a disk that fails and loses
// power, and after every life compares.

const testSegment = minSegment

type group struct {
	records []string
	state   map[string][]byte
}

// knowledge is what a caller of the log knows to be true.
type knowledge struct {
	records []string // number - 1 is the index
	state   map[string][]byte
	safe    uint64
}

func (k knowledge) with(g group) knowledge {
	k.records = slices.Concat(k.records, g.records)
	k.state = maps.Clone(k.state)
	for key, v := range g.state {
		if v == nil {
			delete(k.state, key)
		} else {
			k.state[key] = v
		}
	}
	return k
}

type run struct {
	rng   *rand.Rand
	disk  *filetest.Disk
	log   *Log
	known knowledge
	maybe []group // committed with an error since the last success
	salt  uint64
}

func newRun(seed uint64) *run {
	r := &run{rng: rand.New(rand.NewPCG(seed, 1)), disk: filetest.New(seed), salt: seed}
	r.known.state = map[string][]byte{}
	return r
}

func (r *run) options() Options {
	return Options{SegmentBytes: testSegment, Salt: func() uint64 { r.salt++; return r.salt * 0x9E3779B97F4A7C15 }}
}

// accidents arms the disk for one life: a power cut some calls ahead, and now
// and then a call that fails.
func (r *run) accidents(faults bool) {
	cut := r.disk.Calls() + 1 + r.rng.IntN(120)
	r.disk.Fault = func(c filetest.Call) error {
		switch {
		case c.N >= cut:
			return filetest.ErrPower
		case !faults || r.rng.IntN(40) > 0:
			return nil
		case r.rng.IntN(2) == 0:
			return syscall.ENOSPC
		}
		return syscall.EIO
	}
}

func (r *run) group() group {
	g := group{state: map[string][]byte{}}
	for range r.rng.IntN(4) {
		g.records = append(g.records, strings.Repeat(fmt.Sprintf("record %d ", r.rng.IntN(1e6)), 1+r.rng.IntN(60)))
	}
	for range r.rng.IntN(3) {
		key := fmt.Sprintf("key %d", r.rng.IntN(5))
		if r.rng.IntN(4) == 0 {
			g.state[key] = nil
		} else {
			g.state[key] = fmt.Appendf(nil, "value %d", r.rng.IntN(1e6))
		}
	}
	return g
}

func (r *run) commit(g group) error {
	b := r.log.Begin()
	if err := b.Set(g.state); err != nil {
		return err
	}
	for i, rec := range g.records {
		b.Add("key", fmt.Sprint(i), []byte(rec[:3]), []byte(rec[3:]))
	}
	if err := r.log.Commit(b); err != nil {
		r.maybe = append(r.maybe, g)
		return err
	}
	if len(g.records)+len(g.state) > 0 {
		r.maybe = nil // a segment was given up with them, for good
	}
	r.known = r.known.with(g)
	return nil
}

// life does random things until the power goes or it has done enough.
func (r *run) life() {
	for range 5 + r.rng.IntN(60) {
		switch r.rng.IntN(12) {
		case 0:
			_ = r.log.Prepare()
		case 1:
			if n := uint64(len(r.known.records)); n > 0 {
				r.known.safe = max(r.known.safe, r.rng.Uint64N(n))
				_ = r.log.Release(r.known.safe)
			}
		case 2:
			_, _ = r.log.Read(r.log.First(), 10, 10000)
		case 3:
			_, _ = r.log.CheckNext()
		default:
			_ = r.commit(r.group())
		}
	}
}

// check compares the log with what is known, or with what is known and one of
// the groups left open; which one it was becomes known.
func (r *run) check() error {
	candidates := []knowledge{r.known}
	for _, g := range r.maybe {
		candidates = append(candidates, r.known.with(g))
	}
	var wrong error
	for _, k := range candidates {
		err := compare(r.log, k)
		if err == nil {
			r.known, r.maybe = k, nil
			return nil
		}
		wrong = errors.Join(wrong, err)
	}
	return wrong
}

func compare(l *Log, k knowledge) error {
	for more := true; more; {
		var err error
		if more, err = l.CheckNext(); err != nil {
			return err
		}
	}
	if got, want := l.Next(), uint64(len(k.records))+1; got != want {
		return fmt.Errorf("next is %d, acknowledged up to %d", got, want-1)
	}
	if first := l.First(); first > k.safe+1 {
		return fmt.Errorf("first is %d, safe is only %d", first, k.safe)
	}
	if gaps, st := l.Gaps(), l.Stats(); len(gaps)+len(st.Damage) > 0 {
		return fmt.Errorf("gaps %v and damage %v after nothing but crashes", gaps, st.Damage)
	}
	digests := chain(k.records)
	want := l.First()
	for {
		records, err := l.Read(want, 7, 3000)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			break
		}
		for _, rec := range records {
			if rec.Number != want || string(rec.Bytes) != k.records[want-1] || rec.Digest != digests[want] {
				return fmt.Errorf("record %d reads as number %d %.20q", want, rec.Number, rec.Bytes)
			}
			want++
		}
	}
	if want != l.Next() {
		return fmt.Errorf("records end before %d, next is %d", want, l.Next())
	}
	for n := l.First() - 1; n < l.Next(); n++ {
		if d, ok, err := l.Digest(n); err != nil || !ok || d != digests[n] {
			return fmt.Errorf("digest of %d: %x, %v, %v", n, d[:4], ok, err)
		}
	}
	state := map[string]string{}
	l.States(func(key string, v []byte) { state[key] = string(v) })
	wanted := map[string]string{}
	for key, v := range k.state {
		wanted[key] = string(v)
	}
	if !maps.Equal(state, wanted) {
		return fmt.Errorf("state is %v, acknowledged %v", state, wanted)
	}
	return nil
}

// chain returns the digest after each number; number 0 has zeros.
func chain(records []string) [][32]byte {
	digests := make([][32]byte, 1, len(records)+1)
	for i, rec := range records {
		digests = append(digests, wire.Next(digests[i], []byte(rec)))
	}
	return digests
}

// play runs lives on one disk until something is wrong.
func play(seed uint64, lies, faults bool) error {
	r := newRun(seed)
	r.disk.SyncLies = lies
	for life := range 4 {
		r.accidents(faults)
		for range 3 { // the power may go while opening, or a call fail
			log, err := Open(r.disk, "log", r.options())
			if err == nil {
				r.log = log
				r.life()
				break
			}
			if !errors.Is(err, filetest.ErrPower) && !errors.Is(err, syscall.EIO) && !errors.Is(err, syscall.ENOSPC) {
				return fmt.Errorf("life %d: %w", life, err)
			}
		}
		if r.rng.IntN(4) == 0 {
			r.disk = r.disk.Kill(seed + uint64(life))
		} else {
			r.disk = r.disk.Restart(seed + uint64(life))
		}
		log, err := Open(r.disk, "log", r.options())
		if err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
		r.log = log
		if err := r.check(); err != nil {
			return fmt.Errorf("life %d: %w\nfiles %v", life, err, r.disk.Names(filepath.Join("log", "")))
		}
	}
	return nil
}

// seeds is how many runs a test makes, each of four lives: 100, or as many as
// TILLBOOK_SEEDS says.
func seeds(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("TILLBOOK_SEEDS")
	if text == "" {
		return 100
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatalf("TILLBOOK_SEEDS: %v", err)
	}
	return n
}

func TestWhatWasAcknowledgedSurvivesPowerCuts(t *testing.T) {
	t.Parallel()
	for seed := range seeds(t) {
		if err := play(seed, false, false); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func TestWhatWasAcknowledgedSurvivesFailingCallsAndPowerCuts(t *testing.T) {
	t.Parallel()
	for seed := range seeds(t) {
		if err := play(seed, false, true); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func TestTheCheckerReportsLossWhenSyncDoesNothing(t *testing.T) {
	t.Parallel()
	caught := 0
	for seed := range uint64(60) {
		if play(seed, true, false) != nil {
			caught++
		}
	}
	if caught < 50 {
		t.Errorf("a disk whose sync does nothing was noticed in %d of 60 runs", caught)
	}
}
