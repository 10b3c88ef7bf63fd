package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

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
