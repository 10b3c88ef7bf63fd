package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"tillbook.example/tillbook/agent/outbox/file/filetest"
)

func checksumOf(b []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, crc32.Checksum(b, castagnoli))
}

// script is a fixed life of a log that visits every kind of call. It returns
// what was acknowledged, also after errors.
func (r *run) script() {
	for i := range 14 {
		_ = r.commit(group{records: []string{strings.Repeat(fmt.Sprint("r", i, " "), 300)}, state: map[string][]byte{"i": fmt.Append(nil, i)}})
		if i%3 == 0 {
			_ = r.log.Prepare()
		}
	}
	if n := uint64(len(r.known.records)); n > 6 {
		r.known.safe = n - 6
		_ = r.log.Release(r.known.safe)
	}
	_, _ = r.log.CheckNext()
	_ = r.commit(group{records: []string{"last"}})
}

func TestEveryCallMayFail(t *testing.T) {
	t.Parallel()
	count := newRun(1)
	count.mustOpen(t)
	count.script()
	calls := count.disk.Calls()
	for _, failure := range []error{syscall.EIO, syscall.ENOSPC} {
		for lasting := range 2 {
			for n := 1; n <= calls; n++ {
				r := newRun(uint64(n))
				r.disk.Fault = func(c filetest.Call) error {
					if c.N == n || lasting == 1 && c.N > n && (c.Op == "write" || c.Op == "create") {
						return failure
					}
					return nil
				}
				log, err := Open(r.disk, "log", r.options())
				if err != nil {
					if !errors.Is(err, failure) {
						t.Fatalf("call %d: %v", n, err)
					}
					continue
				}
				r.log = log
				r.script()
				disk := r.disk
				for _, after := range []func(uint64) *filetest.Disk{disk.Kill, disk.Restart} {
					r.disk = after(uint64(n))
					known, maybe := r.known, r.maybe
					r.mustOpen(t)
					if err := r.check(); err != nil {
						t.Fatalf("%v at call %d (lasting: %d): %v", failure, n, lasting, err)
					}
					r.known, r.maybe = known, maybe
				}
			}
		}
	}
}

func (r *run) mustOpen(t *testing.T) {
	t.Helper()
	log, err := Open(r.disk, "log", r.options())
	if err != nil {
		t.Fatal(err)
	}
	r.log = log
}

func TestAFullDiskRefusesAndReleasingFreesIt(t *testing.T) {
	t.Parallel()
	for capacity := int64(testSegment); capacity < 5*testSegment; capacity += 999 {
		r := newRun(uint64(capacity))
		r.disk.Capacity = capacity
		r.mustOpen(t)
		rounds := 0
		for round := range 3 {
			var err error
			for err == nil {
				err = r.commit(group{records: []string{strings.Repeat("x", 900)}})
			}
			if !errors.Is(err, ErrFull) {
				t.Fatalf("capacity %d: %v", capacity, err)
			}
			if err := r.check(); err != nil {
				t.Fatalf("capacity %d, full: %v", capacity, err)
			}
			if err := r.log.Release(r.log.Next() - 1); err != nil {
				t.Fatalf("capacity %d: release on a full disk: %v", capacity, err)
			}
			r.known.safe = r.log.Next() - 1
			if r.log.Stats().Segments == 1 && round == 0 && capacity < 2*testSegment {
				break // there was room for one only, and it stays
			}
			rounds++
		}
		if capacity >= 3*testSegment && rounds < 3 {
			t.Errorf("capacity %d: %d rounds", capacity, rounds)
		}
	}
}

func TestAPoisonedSegmentIsNeverSyncedAgain(t *testing.T) {
	t.Parallel()
	r := newRun(7)
	r.mustOpen(t)
	if err := r.commit(group{records: []string{"one"}}); err != nil {
		t.Fatal(err)
	}
	var calls []filetest.Call
	failed := false
	r.disk.Fault = func(c filetest.Call) error {
		calls = append(calls, c)
		if c.Op == "sync" && !failed {
			failed = true
			return syscall.EIO
		}
		return nil
	}
	if err := r.commit(group{records: []string{"two"}}); err != nil {
		t.Fatalf("the group was not written to the next segment: %v", err)
	}
	poisoned := calls[0].Name
	i := slices.IndexFunc(calls, func(c filetest.Call) bool { return c.Op == "sync" })
	for _, c := range calls[i+1:] {
		if c.Name == poisoned && (c.Op == "sync" || c.Op == "write") {
			t.Errorf("%s of the poisoned %s", c.Op, c.Name)
		}
	}
	if st := r.log.Stats(); st.Poisoned != 1 || st.Segments != 2 {
		t.Errorf("%+v", st)
	}
	r.disk = r.disk.Restart(1)
	r.mustOpen(t)
	if err := r.check(); err != nil {
		t.Error(err)
	}
}

func TestPreparingBesideCommittingLosesNothing(t *testing.T) {
	t.Parallel()
	r := newRun(1)
	r.mustOpen(t)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := r.log.Prepare(); err != nil {
					t.Errorf("prepare: %v", err)
					return
				}
			}
		})
	}
	for i := range 1500 {
		if err := r.commit(group{records: []string{strings.Repeat(fmt.Sprint(i, " "), 400)}}); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	wg.Wait()
	r.disk = r.disk.Restart(1)
	r.mustOpen(t)
	if err := r.check(); err != nil {
		t.Error(err)
	}
}

func TestAnUnreadablePageCostsOnlyWhatStoodThere(t *testing.T) {
	t.Parallel()
	s := newSample(t, 12)
	bad := s.segments()[1]
	at := s.frames(t, 1)
	unreadable := &badPage{Disk: s.disk, name: bad, off: at[1] / page * page}
	l, err := Open(unreadable, "log", s.options)
	if err != nil {
		t.Fatal(err)
	}
	o := look(t, l)
	if err := s.honest(o); err != nil {
		t.Fatal(err)
	}
	if len(o.gaps) != 1 || len(o.read) < len(s.records)-14 {
		t.Errorf("gaps %v, %d of %d records left", o.gaps, len(o.read), len(s.records))
	}
}
