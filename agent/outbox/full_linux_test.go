package outbox

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"tillbook.example/tillbook/agent/outbox/file/filetest"
)

const mib = 1 << 20

// sellUntilFull appends sales until one is refused, which must be a refusal that
// passes, and returns how many were taken.
func sellUntilFull(t *testing.T, b *Outbox) (taken int) {
	t.Helper()
	var sales []Item
	for range 12 {
		sales = append(sales, push("", strings.Repeat("sold ", 4000)), doc("and paid"))
	}
	for {
		_, err := b.Append(context.Background(), Group{Items: sales})
		if errors.Is(err, ErrFull) {
			return taken
		}
		if err != nil {
			t.Fatalf("after %d sales: %v, want a refusal that passes", taken, err)
		}
		taken++
	}
}

// TestARealFullDiskRefusesAndGoesOn fills a real disk of 64 MB, with the marks
// and without them, so that the file system itself says that there is no room.
func TestARealFullDiskRefusesAndGoesOn(t *testing.T) {
	for name, o := range map[string]Options{
		"at the hard mark":     {SegmentBytes: mib, SoftFree: 24 * mib, HardFree: 8 * mib, Ballast: 4 * mib},
		"to the last block":    {SegmentBytes: mib, SoftFree: -1, HardFree: -1, Ballast: -1},
		"by somebody else too": {SegmentBytes: mib, SoftFree: 24 * mib, HardFree: 8 * mib, Ballast: 4 * mib},
	} {
		t.Run(name, func(t *testing.T) {
			disk := filetest.NewLoop(t, 64*mib)
			dir := filepath.Join(disk.Dir, "outbox")
			b, err := Open(dir, o)
			if err != nil {
				t.Fatal(err)
			}
			var giveBack func()
			if strings.Contains(name, "else") {
				giveBack = disk.Occupy(0)
			}
			for round := range 3 {
				taken := sellUntilFull(t, b)
				if taken == 0 && round > 0 {
					t.Errorf("round %d: nothing was taken though room was made", round)
				}
				if giveBack != nil {
					giveBack()
					giveBack = nil
				}
				for i := range 20 { // acknowledgements are noted on a full disk
					appendTo(t, b, Group{State: map[string][]byte{"ack": fmt.Append(nil, i)}})
				}
				// What was taken can be sent, all of it.
				first, next := b.First(), b.Next()
				for at := first; at < next; {
					got, err := b.Read(at, 500, mib)
					if err != nil || len(got) == 0 || got[0].Number != at {
						t.Fatalf("read %d of %d to %d: %d records, %v", at, first, next-1, len(got), err)
					}
					at = got[len(got)-1].Number + 1
				}
				if err := b.Release(next - 1 - (next-first)/10); err != nil {
					t.Fatalf("release on a full disk: %v", err)
				}
			}
			first, next, lost := b.First(), b.Next(), len(b.Gaps())
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			disk.CutPower()
			disk.Restart()
			b, err = Open(filepath.Join(disk.Dir, "outbox"), o)
			if err != nil {
				t.Fatal(err)
			}
			if b.Next() != next || b.First() > first || len(b.Gaps())+lost > 0 {
				t.Errorf("after a power cut %d to %d, was %d to %d; gaps %v", b.First(), b.Next(), first, next, b.Gaps())
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTheIndexIsNeverWrittenToAFullDisk has something else fill a real disk under
// an open index: Badger would end this process.
func TestTheIndexIsNeverWrittenToAFullDisk(t *testing.T) {
	disk := filetest.NewLoop(t, 400*mib)
	b, err := Open(filepath.Join(disk.Dir, "outbox"), Options{SegmentBytes: mib, SoftFree: -1, HardFree: -1, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	sell := func(n int) {
		t.Helper()
		for range n {
			appendTo(t, b, Group{Items: []Item{push("", strings.Repeat("sold ", 4000))}})
		}
	}
	sell(100)
	applied(t, b)
	giveBack := disk.Occupy(100 * mib)
	sell(1)
	behind := b.Stats().Applied
	sell(300) // 6 MB, far more than the index keeps in memory
	if st := b.Stats(); st.Applied > behind+1 || !st.IndexOpen {
		t.Errorf("applied %d of %d with %d free", st.Applied, st.Next-1, st.FreeBytes)
	}
	more := disk.Occupy(0)
	sellUntilFull(t, b)
	more()
	giveBack()
	sell(1)
	b.copies.wake()
	applied(t, b)
	if st := b.Stats(); st.IndexRebuilt != 0 {
		t.Errorf("the index was built again: %+v", st)
	}
}
