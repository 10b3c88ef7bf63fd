package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tillbook.example/tillbook/agent/outbox/file/filetest"
	"tillbook.example/tillbook/agent/outbox/index"
)

// onDisk are options for an outbox on a disk in memory with a shelf for index.
func onDisk(disk *filetest.Disk, index *shelf) Options {
	o := small()
	o.SegmentBytes, o.MaxBytes, o.Ballast = 16<<10, 1<<20, -1
	o.System, o.openIndex = disk, index.open
	o.Free = func(string) (uint64, error) { return 1 << 40, nil }
	return o
}

// TestAcknowledgedGroupsSurvivePowerCutsWithManyProducers runs producers that
// push records with idempotency keys until the power goes, and compares: each
// group acknowledged is there once with its numbers, each other whole or not at
// all, whatever became of the index meanwhile.
func TestAcknowledgedGroupsSurvivePowerCutsWithManyProducers(t *testing.T) {
	t.Parallel()
	seeds := uint64(60) // or as many as TILLBOOK_SEEDS says
	if text := os.Getenv("TILLBOOK_SEEDS"); text != "" {
		var err error
		if seeds, err = strconv.ParseUint(text, 10, 32); err != nil {
			t.Fatalf("TILLBOOK_SEEDS: %v", err)
		}
	}
	for seed := range seeds {
		if err := crash(seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

type pushed struct {
	keys []string
	at   []uint64 // nil: not acknowledged
}

func crash(seed uint64) error {
	const producers = 4
	rng := rand.New(rand.NewPCG(seed, 2))
	disk, index := filetest.New(seed), newShelf()
	var groups []pushed
	for life := range 3 {
		cut := 20 + rng.IntN(200)
		disk.Fault = func(c filetest.Call) error {
			if c.N >= cut {
				return filetest.ErrPower
			}
			return nil
		}
		b, err := Open("outbox", onDisk(disk, index))
		if err == nil {
			var mu sync.Mutex
			var wg sync.WaitGroup
			for p := range producers {
				wg.Go(func() {
					for i := 0; ; i++ {
						g := pushed{}
						var items []Item
						for k := range 1 + i%3 {
							g.keys = append(g.keys, fmt.Sprint(life, p, i, k))
							items = append(items, push(g.keys[k], strings.Repeat(g.keys[k], 30)))
						}
						a, err := b.Append(context.Background(), Group{Items: items, State: map[string][]byte{fmt.Sprint("mark ", p): []byte(g.keys[0])}})
						if err == nil {
							g.at = a.Numbers
						}
						mu.Lock()
						groups = append(groups, g)
						mu.Unlock()
						if err != nil {
							return
						}
					}
				})
			}
			wg.Wait()
			_ = b.Close() // the power is gone
		} else if !errors.Is(err, filetest.ErrPower) {
			return fmt.Errorf("life %d: %w", life, err)
		}
		disk = disk.Restart(seed)
		index.cut(rng.IntN(40))
		index.damaged = rng.IntN(3) == 0
		if groups, err = compare(disk, index, groups); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
	}
	return nil
}

// compare opens the outbox after a power cut and pushes every group again. It
// returns the groups, all acknowledged now.
func compare(disk *filetest.Disk, index *shelf, groups []pushed) ([]pushed, error) {
	b, err := Open("outbox", onDisk(disk, index))
	if err != nil {
		return nil, err
	}
	defer b.Close() // looked at only
	if st := b.Stats(); len(b.Gaps()) > 0 || st.Damaged > 0 {
		return nil, fmt.Errorf("gaps %v, %d damaged", b.Gaps(), st.Damaged)
	}
	var numbers []uint64
	for i, g := range groups {
		var items []Item
		for _, k := range g.keys {
			items = append(items, push(k, strings.Repeat(k, 30)))
		}
		a, err := b.Append(context.Background(), Group{Items: items})
		if err != nil {
			return nil, err
		}
		if g.at != nil && !slices.Equal(a.Numbers, g.at) {
			return nil, fmt.Errorf("acknowledged as %v, now %v (duplicates %v)", g.at, a.Numbers, a.Duplicate)
		}
		if slices.Contains(a.Duplicate, true) && slices.Contains(a.Duplicate, false) {
			return nil, fmt.Errorf("a part of a group was there: %v", a.Duplicate)
		}
		groups[i].at = a.Numbers
		numbers = append(numbers, a.Numbers...)
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != uint64(i+1) {
			return nil, fmt.Errorf("number %d stands for %d", n, i+1)
		}
	}
	if next := b.Next(); next != uint64(len(numbers))+1 {
		return nil, fmt.Errorf("next is %d after %d records", next, len(numbers))
	}
	return groups, nil
}

func TestAnIndexThatFailsIsReplacedWhileSalesGoOn(t *testing.T) {
	t.Parallel()
	disk, index := filetest.New(1), newShelf()
	b := open(t, "outbox", onDisk(disk, index))
	for i := range 50 {
		appendTo(t, b, Group{Items: []Item{push(fmt.Sprint(i), "x")}})
	}
	applied(t, b)
	index.mu.Lock()
	index.damaged = true
	index.mu.Unlock()
	for i := range 50 {
		if a := appendTo(t, b, Group{Items: []Item{push(fmt.Sprint(i), "x")}}); !a.Duplicate[0] {
			t.Errorf("key %d was forgotten", i)
		}
	}
	if all := readAll(t, b, 1); len(all) != 50 {
		t.Errorf("%d records", len(all))
	}
	applied(t, b)
	if st := b.Stats(); st.IndexRebuilt != 1 {
		t.Errorf("rebuilt %d times", st.IndexRebuilt)
	}
}

func TestAnIndexThatLacksARecordIsReplaced(t *testing.T) {
	t.Parallel()
	for _, missing := range []uint64{1, 5, 10} {
		disk, index := filetest.New(1), newShelf()
		b := open(t, "outbox", onDisk(disk, index))
		for i := range 10 {
			appendTo(t, b, Group{Items: []Item{doc(fmt.Sprint(i))}})
		}
		applied(t, b)
		index.mu.Lock()
		delete(index.rows, missing)
		index.mu.Unlock()
		if all := readAll(t, b, 1); len(all) != 10 {
			t.Errorf("without %d in the index: %d records", missing, len(all))
		}
		if all := readAll(t, b, missing); len(all) != int(11-missing) {
			t.Errorf("from %d, which the index lacks: %d records", missing, len(all))
		}
	}
}

func TestAnIndexThatHasTouchedMuchIsOpenedAnewWithoutForgetting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk, index := filetest.New(1), newShelf()
		b, err := Open("outbox", onDisk(disk, index))
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		appendTo(t, b, Group{Items: []Item{push("k", "x"), doc("y")}})
		synctest.Wait()
		touch := func() {
			index.mu.Lock()
			index.touched = maxTouched + 1
			index.mu.Unlock()
		}
		for n, do := range []func(){
			func() { readAll(t, b, 1) },
			func() { appendTo(t, b, Group{Items: []Item{push("l", "z")}}) },
		} {
			touch()
			do()
			synctest.Wait()
			if index.opened != n+2 {
				t.Errorf("opened %d times, want %d", index.opened, n+2)
			}
		}
		index.mu.Lock()
		index.touched = restTouched
		index.mu.Unlock()
		readAll(t, b, 1)
		synctest.Wait()
		if index.opened != 3 {
			t.Errorf("opened %d times, want none more while there may be work", index.opened)
		}
		<-time.After(restAfter)
		synctest.Wait()
		if index.opened != 4 {
			t.Errorf("opened %d times, want one more after a rest", index.opened)
		}
		if a := appendTo(t, b, Group{Items: []Item{push("k", "x"), push("l", "z")}}); !a.Duplicate[0] || !a.Duplicate[1] {
			t.Errorf("a key was forgotten: %+v", a)
		}
		if st := b.Stats(); st.IndexRebuilt != 0 || st.Applied != 3 || len(readAll(t, b, 1)) != 3 {
			t.Errorf("%+v", st)
		}
	})
}

func TestAnIndexMergesOnlyWhileThereIsMuchToMerge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk, x := filetest.New(1), newShelf()
		b, err := Open("outbox", onDisk(disk, x))
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		want := func(mode index.Mode, opened int, when string) {
			t.Helper()
			synctest.Wait()
			if x.Mode() != mode || x.opened != opened {
				t.Errorf("%s: opened %d times, merges: %t; want %d, %t", when, x.opened, x.mode, opened, mode)
			}
		}
		appendTo(t, b, Group{Items: []Item{doc("y")}})
		want(index.AtRest, 1, "with a little to do")
		x.mu.Lock()
		x.stacked = true
		x.mu.Unlock()
		appendTo(t, b, Group{Items: []Item{doc("z")}})
		want(index.AtWork, 2, "when its files are stacked")
		<-time.After(restAfter - time.Second)
		appendTo(t, b, Group{Items: []Item{doc("a")}})
		<-time.After(restAfter - time.Second)
		want(index.AtWork, 2, "between two sales")
		<-time.After(time.Second)
		want(index.AtRest, 3, "after a rest")
		<-time.After(10 * restAfter)
		want(index.AtRest, 3, "later")
		if got := len(readAll(t, b, 1)); got != 3 {
			t.Errorf("it has %d records", got)
		}
	})
}

func TestAnIndexThatHasOutgrownTheLogIsBuiltAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk, index := filetest.New(1), newShelf()
		b, err := Open("outbox", onDisk(disk, index))
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		appendTo(t, b, Group{Items: []Item{push("k", "x"), doc("y")}})
		synctest.Wait()
		index.mu.Lock()
		index.size = 1 << 30
		index.mu.Unlock()
		appendTo(t, b, Group{Items: []Item{doc("z")}})
		synctest.Wait()
		if st := b.Stats(); st.IndexRebuilt != 1 || st.Applied != 3 || st.IndexBytes != 0 {
			t.Errorf("%+v", st)
		}
		if a := appendTo(t, b, Group{Items: []Item{push("k", "x")}}); !a.Duplicate[0] {
			t.Error("the key was forgotten")
		}
	})
}

func TestRecordsRottenAtTheEndOfTheLogComeBackFromTheIndex(t *testing.T) {
	t.Parallel()
	disk, index := filetest.New(1), newShelf()
	b := open(t, "outbox", onDisk(disk, index))
	for i := range 5 {
		appendTo(t, b, Group{Items: []Item{push(fmt.Sprint(i), fmt.Sprint("doc ", i))}})
	}
	applied(t, b)
	want := readAll(t, b, 1)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	name := disk.Names("outbox/log/seg-")[0]
	seg := disk.Bytes(name)
	clear(seg[8192+400:]) // all frames but the first
	disk.Put(name, seg)

	b = open(t, "outbox", onDisk(disk, index))
	got := readAll(t, b, 1)
	if len(got) != 5 || got[4].Digest != want[4].Digest {
		t.Errorf("%d records came back", len(got))
	}
	if st := b.Stats(); st.Salvaged == 0 || st.IndexRebuilt != 0 {
		t.Errorf("salvaged %d, rebuilt %d", st.Salvaged, st.IndexRebuilt)
	}
	if a := appendTo(t, b, Group{Items: []Item{push("4", "doc 4"), push("new", "new")}}); !a.Duplicate[0] || a.First != 6 {
		t.Errorf("%+v", a)
	}
}

func TestAGapThatTheIndexCanFillIsNone(t *testing.T) {
	t.Parallel()
	disk, index := filetest.New(1), newShelf()
	b := open(t, "outbox", onDisk(disk, index))
	for i := range 12 {
		appendTo(t, b, Group{Items: []Item{push(fmt.Sprint(i), fmt.Sprint("doc ", i))}})
	}
	applied(t, b)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	name := disk.Names("outbox/log/seg-")[0]
	seg := disk.Bytes(name)
	seg[8192+500] ^= 1
	disk.Put(name, seg)

	b = open(t, "outbox", onDisk(disk, index))
	if st := b.Stats(); st.Damaged != 1 || len(b.Gaps()) != 0 || st.Lost != 0 {
		t.Errorf("%d damaged, gaps %v", st.Damaged, b.Gaps())
	}
	if all := readAll(t, b, 1); len(all) != 12 {
		t.Errorf("%d records", len(all))
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, "outbox", onDisk(disk, newShelf()))
	gaps := b.Gaps()
	if len(gaps) != 1 {
		t.Fatalf("gaps %v without the index", gaps)
	}
	var numbers []uint64
	for _, s := range readAll(t, b, 1) {
		if gaps[0].First <= s.Number && s.Number <= gaps[0].Last {
			t.Errorf("record %d is in a gap", s.Number)
		}
		numbers = append(numbers, s.Number)
	}
	if missing := 12 - uint64(len(numbers)); missing != gaps[0].Last-gaps[0].First+1 {
		t.Errorf("%d records, gap %v", len(numbers), gaps[0])
	}
	if d, ok, err := b.Digest(gaps[0].Last); !ok || err != nil || d == [32]byte{} {
		t.Errorf("digest after the gap: %v, %v", ok, err)
	}
}
