package outbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tillbook.example/tillbook/agent/outbox/file/filetest"
)

// gauge is a disk whose free space a test sets.
type gauge struct{ free atomic.Uint64 }

func (g *gauge) read(string) (uint64, error) { return g.free.Load(), nil }

func TestAtTheHardMarkRecordsWaitAndStateGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const mib = 1 << 20
		disk, g := filetest.New(1), &gauge{}
		o := onDisk(disk, newShelf())
		o.SoftFree, o.HardFree, o.Ballast, o.Free = 100*mib, 20*mib, 256<<10, g.read
		ballast := func() bool { return disk.Bytes("outbox/ballast") != nil }
		g.free.Store(500 * mib)
		b, err := Open("outbox", o)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		synctest.Wait()
		if st := b.Stats(); !ballast() || st.BallastBytes != 256<<10 || st.Soft || st.Hard {
			t.Errorf("ample room: ballast %v, %+v", ballast(), st)
		}
		appendTo(t, b, Group{Items: []Item{push("k", "a")}})

		g.free.Store(50 * mib)
		appendTo(t, b, Group{Items: []Item{doc("b")}})
		if st := b.Stats(); !st.Soft || st.Hard || !ballast() {
			t.Errorf("below the soft mark: %+v", st)
		}

		g.free.Store(10 * mib)
		_, err = b.Append(context.Background(), Group{Items: []Item{doc("c")}, State: map[string][]byte{"half": {1}}})
		if !errors.Is(err, ErrFull) {
			t.Errorf("below the hard mark: %v", err)
		}
		if st := b.Stats(); !st.Hard || ballast() || st.Refused != 1 {
			t.Errorf("below the hard mark: ballast %v, %+v", ballast(), st)
		}
		if a := appendTo(t, b, Group{Items: []Item{push("k", "a")}}); !a.Duplicate[0] {
			t.Errorf("a duplicate needs no room: %+v", a)
		}
		appendTo(t, b, Group{State: map[string][]byte{"ack": []byte("2")}})
		if _, ok := b.State("half"); ok {
			t.Error("a refused group left its state")
		}
		if all := readAll(t, b, 1); len(all) != 2 {
			t.Errorf("reading stopped at %d records", len(all))
		}

		g.free.Store(20*mib + 100) // what the ballast gave back lifts nothing
		if _, err := b.Append(context.Background(), Group{Items: []Item{doc("c")}}); !errors.Is(err, ErrFull) {
			t.Errorf("just above the hard mark: %v", err)
		}
		g.free.Store(500 * mib)
		if err := b.Release(1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		appendTo(t, b, Group{Items: []Item{doc("c")}})
		if st := b.Stats(); st.Hard || st.Soft || !ballast() {
			t.Errorf("after room was made: ballast %v, %+v", ballast(), st)
		}
	})
}

func TestAtTheSoftMarkOnlySalesGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk, shelf, g := filetest.New(1), newShelf(), &gauge{}
		dir := t.TempDir() // of what the index sets aside, which is no part of the log's disk
		o := onDisk(disk, shelf)
		o.SoftFree, o.Free, o.SegmentBytes, o.MaxBytes = 1000, g.read, 1<<20, 64<<20
		g.free.Store(5000)
		torn(t, dir, o)
		aside := filepath.Join(dir, "index.bad-1")
		if err := os.Mkdir(aside, 0o700); err != nil {
			t.Fatal(err)
		}
		b, err := Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		appendTo(t, b, Group{Items: []Item{push("k", "a")}})
		synctest.Wait()
		if st := b.Stats(); st.Applied != 2 || len(disk.Names(filepath.Join(dir, "log", "tail-"))) != 1 {
			t.Fatalf("with room: %+v, tails %v", st, disk.Names(filepath.Join(dir, "log", "tail-")))
		}

		g.free.Store(500)
		for i := range 10 {
			appendTo(t, b, Group{Items: []Item{push(fmt.Sprint("soft ", i), "x")}})
		}
		synctest.Wait()
		if st := b.Stats(); !st.Soft || st.Hard || st.Applied != 2 {
			t.Errorf("at the soft mark: %+v, want nothing more in the index", st)
		}
		if _, err := os.Stat(aside); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("an index set aside is kept: %v", err)
		}
		if tails := disk.Names(filepath.Join(dir, "log", "tail-")); len(tails) > 0 {
			t.Errorf("%v are kept", tails)
		}
		for _, k := range []string{"k", "soft 9"} {
			if a := appendTo(t, b, Group{Items: []Item{push(k, map[bool]string{true: "a", false: "x"}[k == "k"])}}); !a.Duplicate[0] {
				t.Errorf("key %s was forgotten", k)
			}
		}
		if all := readAll(t, b, 1); len(all) != 12 {
			t.Errorf("%d records", len(all))
		}

		var many []Item
		for i := range maxRemember {
			many = append(many, push(fmt.Sprint(i), "x"))
			if len(many) == 100 {
				appendTo(t, b, Group{Items: many})
				many = nil
			}
		}
		<-time.After(retryEvery)
		synctest.Wait()
		if st := b.Stats(); st.Applied <= 2 || st.Applied+maxRemember < st.Next-1 {
			t.Errorf("applied %d of %d: keys take memory without bound", st.Applied, st.Next-1)
		}

		g.free.Store(5000)
		appendTo(t, b, Group{Items: []Item{doc("z")}})
		<-time.After(retryEvery)
		synctest.Wait()
		if st := b.Stats(); st.Soft || st.Applied != st.Next-1 {
			t.Errorf("with room again: %+v", st)
		}
	})
}

// torn leaves an outbox whose last commit was cut off.
func torn(t *testing.T, dir string, o Options) {
	t.Helper()
	b, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, b, Group{Items: []Item{doc("one")}})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	disk := o.System.(*filetest.Disk)
	name := disk.Names(filepath.Join(dir, "log", "seg-"))[0]
	bytes := disk.Bytes(name)
	copy(bytes[len(bytes)-100:], "a frame that was cut off")
	disk.Put(name, bytes)
}

func TestTheFolderStaysWithinItsBound(t *testing.T) {
	t.Parallel()
	disk := filetest.New(1)
	o := onDisk(disk, newShelf())
	o.MaxBytes = 6 * o.SegmentBytes
	b := open(t, "outbox", o)
	for round := range 3 {
		var err error
		taken := 0
		for ; err == nil; taken++ {
			_, err = b.Append(context.Background(), Group{Items: []Item{doc(strings.Repeat("x", 1000))}})
		}
		if !errors.Is(err, ErrFull) || taken < 10 {
			t.Fatalf("round %d: %v after %d", round, err, taken)
		}
		if st := b.Stats(); st.LogBytes > o.MaxBytes {
			t.Errorf("round %d: %d bytes of %d", round, st.LogBytes, o.MaxBytes)
		}
		for i := range 40 { // acknowledgements must go on being noted
			appendTo(t, b, Group{State: map[string][]byte{"ack": fmt.Append(nil, i, strings.Repeat(" ", 200))}})
		}
		if err := b.Release(b.Next() - 1); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheIndexWaitsForItsReserve(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk, index, g := filetest.New(1), newShelf(), &gauge{}
		o := onDisk(disk, index)
		o.IndexReserve, o.Free = 1000, g.read
		g.free.Store(500)
		b, err := Open("outbox", o)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		appendTo(t, b, Group{Items: []Item{push("k", "a"), doc("b")}})
		synctest.Wait()
		if st := b.Stats(); st.IndexOpen || index.Applied() != 0 {
			t.Errorf("written without its reserve: %+v", st)
		}
		if a := appendTo(t, b, Group{Items: []Item{push("k", "a")}}); !a.Duplicate[0] {
			t.Error("the key was forgotten")
		}
		if all := readAll(t, b, 1); len(all) != 2 {
			t.Errorf("%d records from the log", len(all))
		}
		g.free.Store(5000)
		appendTo(t, b, Group{Items: []Item{doc("c")}})
		synctest.Wait()
		if st := b.Stats(); !st.IndexOpen || st.Applied != 3 {
			t.Errorf("with its reserve: %+v", st)
		}
	})
}

func TestAFullDiskRefusesThenGoesOn(t *testing.T) {
	t.Parallel()
	disk := filetest.New(1)
	disk.Capacity = 5 * 16 << 10
	b := open(t, "outbox", onDisk(disk, newShelf()))
	for range 3 {
		var err error
		for err == nil {
			_, err = b.Append(context.Background(), Group{Items: []Item{doc(strings.Repeat("x", 1000))}})
		}
		if !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		if all := readAll(t, b, b.First()); len(all) != int(b.Next()-b.First()) {
			t.Errorf("%d records of %d to %d", len(all), b.First(), b.Next()-1)
		}
		if err := b.Release(b.Next() - 1); err != nil {
			t.Fatal(err)
		}
	}
}

// TestADiskThatIsFullAtAnyCallRefusesAndRecoversByItself has the disk be full from
// each call on in turn, until there is room again.
func TestADiskThatIsFullAtAnyCallRefusesAndRecoversByItself(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		disk := filetest.New(uint64(n))
		var full, met atomic.Bool
		full.Store(true)
		disk.Fault = func(c filetest.Call) error {
			if c.N < n || !full.Load() || c.Op != "write" && c.Op != "create" && c.Op != "sync" && c.Op != "mkdir" {
				return nil
			}
			met.Store(true)
			return syscall.ENOSPC
		}
		b, err := Open("outbox", onDisk(disk, newShelf()))
		if err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("full from call %d on: open: %v", n, err)
			}
			continue // nothing was told to a till yet
		}
		var kept []uint64
		refused := 0
		for i := range 12 {
			a, err := b.Append(context.Background(), Group{Items: []Item{push(fmt.Sprint(i), strings.Repeat("x", 3000))}})
			switch {
			case err == nil:
				kept = append(kept, a.First)
			case errors.Is(err, ErrFull):
				refused++
			default:
				t.Fatalf("full from call %d on: append %d: %v, want a refusal that passes", n, i, err)
			}
		}
		if all := readAll(t, b, 1); len(all) != len(kept) {
			t.Errorf("full from call %d on: %d records can be sent of %d", n, len(all), len(kept))
		}
		full.Store(false)
		a := appendTo(t, b, Group{Items: []Item{push("0", strings.Repeat("x", 3000)), push("new", "new")}})
		if a.Duplicate[0] != (refused < 12 && len(kept) > 0 && kept[0] == a.Numbers[0]) {
			t.Errorf("full from call %d on: %+v", n, a)
		}
		want := len(kept) + 1
		if !a.Duplicate[0] {
			want++
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = open(t, "outbox", onDisk(disk.Restart(uint64(n)), newShelf()))
		if all := readAll(t, b, 1); len(all) != want || len(b.Gaps()) > 0 {
			t.Errorf("full from call %d on: %d records after a restart, want %d; gaps %v", n, len(all), want, b.Gaps())
		}
		if !met.Load() {
			if n < 20 {
				t.Errorf("only %d calls could meet a full disk", n)
			}
			return
		}
	}
}
