package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"
)

// small are options for a test on the real disk: little of everything, and no
// opinion on how full this computer is.
func small() Options {
	return Options{
		SegmentBytes: 64 << 10, MaxBytes: 64 << 20, Ballast: 64 << 10,
		SoftFree: -1, HardFree: -1, IndexReserve: -1,
	}
}

func open(t *testing.T, dir string, o Options) *Outbox {
	t.Helper()
	b, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func record(text string) *tillbookv1.Record {
	return &tillbookv1.Record{Document: []byte(text), RecipeVersion: 3, Reason: "test"}
}

func doc(text string) Item { return Item{Key: "key of " + text, Record: record(text)} }

func push(key, text string) Item { return Item{IdempotencyKey: key, Record: record(text)} }

func appendTo(t *testing.T, b *Outbox, g Group) Appended {
	t.Helper()
	a, err := b.Append(context.Background(), g)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// readAll reads from a number to the end, in small portions.
func readAll(t *testing.T, b *Outbox, from uint64) []Stored {
	t.Helper()
	var all []Stored
	for {
		got, err := b.Read(from, 7, 4096)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			return all
		}
		all = append(all, got...)
		from = got[len(got)-1].Number + 1
	}
}

func texts(t *testing.T, all []Stored) []string {
	t.Helper()
	var out []string
	for _, s := range all {
		var r tillbookv1.Record
		if err := proto.Unmarshal(s.Bytes, &r); err != nil {
			t.Fatal(err)
		}
		if r.Capture != s.Number {
			t.Errorf("record %d has capture number %d", s.Number, r.Capture)
		}
		out = append(out, string(r.Document))
	}
	return out
}

// applied waits until the index has every record.
func applied(t *testing.T, b *Outbox) {
	t.Helper()
	b.copies.mu.RLock()
	defer b.copies.mu.RUnlock()
	for b.copies.applied+1 < b.Next() {
		b.copies.moved.Wait()
	}
}

func TestARecordReadsBackWithItsNumberAndTheChain(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), small())
	first := appendTo(t, b, Group{Items: []Item{doc("a"), doc("b")}})
	second := appendTo(t, b, Group{Items: []Item{doc("c")}})
	want := []Appended{
		{First: 1, Last: 2, Numbers: []uint64{1, 2}, Duplicate: []bool{false, false}},
		{First: 3, Last: 3, Numbers: []uint64{3}, Duplicate: []bool{false}},
	}
	if diff := cmp.Diff(want, []Appended{first, second}); diff != "" {
		t.Error(diff)
	}
	for _, source := range []string{"log or index", "index"} {
		all := readAll(t, b, 1)
		if got := texts(t, all); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("from %s: %v", source, got)
		}
		digest := [32]byte{}
		for _, s := range all {
			digest = wire.Next(digest, s.Bytes)
			if got, ok, err := b.Digest(s.Number); s.Digest != digest || got != digest || !ok || err != nil {
				t.Errorf("from %s: digest of %d is %x and %x (%v, %v), chained %x", source, s.Number, s.Digest[:4], got[:4], ok, err, digest[:4])
			}
		}
		applied(t, b)
	}
	if n, ok, err := b.Last("key of b"); n != 2 || !ok || err != nil {
		t.Errorf("last with key: %d, %v, %v", n, ok, err)
	}
}

func TestTheBytesAreTheRecordWithItsNumberMarshalledOnce(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), small())
	given := &tillbookv1.Record{Document: []byte("doc"), Hash: bytes.Repeat([]byte{7}, 32), StatesOrder: true}
	appendTo(t, b, Group{Items: []Item{{Key: "k", Record: given}}})
	if given.Capture != 0 {
		t.Error("the caller's record was changed")
	}
	want := proto.Clone(given).(*tillbookv1.Record)
	want.Capture = 1
	bytesWanted, err := proto.MarshalOptions{Deterministic: true}.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, b, 1); !bytes.Equal(got[0].Bytes, bytesWanted) {
		t.Errorf("stored %x, marshalled %x", got[0].Bytes, bytesWanted)
	}
}

func TestAnIdempotencyKeyMakesOneRecordAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	for _, follows := range []bool{true, false} {
		t.Run(fmt.Sprintf("index follows %v", follows), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := small()
			if !follows {
				o.IndexReserve = 1 << 62
			}
			b := open(t, dir, o)
			appendTo(t, b, Group{Items: []Item{push("k1", "coffee"), push("k2", "tea")}})
			check := func(b *Outbox) {
				a := appendTo(t, b, Group{Items: []Item{push("k2", "tea"), push("k1", "coffee"), push("k1", "coffee")}})
				want := Appended{Numbers: []uint64{2, 1, 1}, Duplicate: []bool{true, true, true}}
				if diff := cmp.Diff(want, a); diff != "" {
					t.Error(diff)
				}
				_, err := b.Append(context.Background(), Group{Items: []Item{doc("new"), push("k1", "other coffee")}})
				if !errors.Is(err, ErrKeyReused) {
					t.Errorf("other content under the same key: %v", err)
				}
				if b.Next() != 3 {
					t.Errorf("next is %d", b.Next())
				}
			}
			check(b)
			if follows {
				applied(t, b)
			}
			check(b)
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			b = open(t, dir, o)
			check(b)
		})
	}
}

func TestAKeyTwiceInOneGroupMakesOneRecord(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), small())
	a := appendTo(t, b, Group{Items: []Item{push("k", "x"), doc("y"), push("k", "x")}})
	want := Appended{First: 1, Last: 2, Numbers: []uint64{1, 2, 1}, Duplicate: []bool{false, false, true}}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Error(diff)
	}
}

func TestStateIsDurableAndOutlivesItsSegment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := open(t, dir, small())
	appendTo(t, b, Group{State: map[string][]byte{"epoch": []byte("e1"), "file/a": []byte("10"), "file/b": []byte("20"), "gone": []byte("x")}})
	appendTo(t, b, Group{State: map[string][]byte{"gone": nil, "file/a": []byte("11"), "empty": {}}})
	for range 300 {
		appendTo(t, b, Group{Items: []Item{doc(string(bytes.Repeat([]byte("r"), 1000)))}})
	}
	if err := b.Release(b.Next() - 1); err != nil {
		t.Fatal(err)
	}
	if b.First() < 200 {
		t.Fatalf("first is %d after release", b.First())
	}
	for range 2 {
		want := map[string][]byte{"file/a": []byte("11"), "file/b": []byte("20")}
		if diff := cmp.Diff(want, b.States("file/")); diff != "" {
			t.Error(diff)
		}
		if v, ok := b.State("gone"); ok {
			t.Errorf("deleted key is %q", v)
		}
		if v, ok := b.State("empty"); !ok || len(v) > 0 {
			t.Errorf("empty value is %q, %v", v, ok)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = open(t, dir, small())
	}
}

func TestConcurrentProducersGetNumbersOfTheirOwn(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), small())
	const producers, each = 16, 50
	var wg sync.WaitGroup
	numbers := make([][]uint64, producers)
	for p := range producers {
		wg.Go(func() {
			for i := range each {
				a, err := b.Append(context.Background(), Group{
					Items: []Item{doc(fmt.Sprint(p, " ", i)), push(fmt.Sprint(p, i), "pushed")},
					State: map[string][]byte{fmt.Sprint("file/", p): fmt.Append(nil, i)},
				})
				if err != nil || a.Last != a.First+1 {
					t.Errorf("append: %+v, %v", a, err)
					return
				}
				numbers[p] = append(numbers[p], a.Numbers...)
			}
		})
	}
	wg.Wait()
	all := slices.Concat(numbers...)
	slices.Sort(all)
	for i, n := range all {
		if n != uint64(i+1) {
			t.Fatalf("number %d at place %d", n, i)
		}
	}
	if len(all) != 2*producers*each || len(readAll(t, b, 1)) != len(all) || len(b.States("file/")) != producers {
		t.Errorf("%d numbers, %d records, %d marks", len(all), len(readAll(t, b, 1)), len(b.States("file/")))
	}
	if st := b.Stats(); st.Commits >= st.Appends {
		t.Errorf("%d commits for %d appends: nothing was grouped", st.Commits, st.Appends)
	}
}

func TestChangedIsClosedWhenARecordComes(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), small())
	c := b.Changed()
	select {
	case <-c:
		t.Fatal("closed before anything came")
	default:
	}
	appendTo(t, b, Group{Items: []Item{doc("a")}})
	<-c
}

func TestTheIndexIsBuiltAgain(t *testing.T) {
	t.Parallel()
	ruin := map[string]func(t *testing.T, dir string){
		"when its folder is gone": func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
				t.Fatal(err)
			}
		},
		"when its files are garbage": func(t *testing.T, dir string) {
			entries, err := os.ReadDir(filepath.Join(dir, "index"))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if err := os.WriteFile(filepath.Join(dir, "index", e.Name()), bytes.Repeat([]byte("garbage"), 1000), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		},
		"when opening it did not end": func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "index.opening"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"when it is of another log": func(t *testing.T, dir string) {
			other := t.TempDir()
			b := open(t, other, small())
			for i := range 20 {
				appendTo(t, b, Group{Items: []Item{doc(fmt.Sprint("other ", i))}})
			}
			applied(t, b)
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(other, "index"), filepath.Join(dir, "index")); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, f := range ruin {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			b := open(t, dir, small())
			var want []string
			for i := range 100 {
				want = append(want, fmt.Sprint("doc ", i))
				appendTo(t, b, Group{Items: []Item{push(fmt.Sprint(i), want[i])}})
			}
			applied(t, b)
			for round := range 2 {
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
				f(t, dir)
				b = open(t, dir, small())
				if a := appendTo(t, b, Group{Items: []Item{push("7", want[7])}}); !a.Duplicate[0] {
					t.Error("an idempotency key was forgotten")
				}
				if got := texts(t, readAll(t, b, 1)); !slices.Equal(got, want) {
					t.Errorf("%d records before it is built", len(got))
				}
				applied(t, b)
				if got := texts(t, readAll(t, b, 1)); !slices.Equal(got, want) {
					t.Errorf("%d records after it is built", len(got))
				}
				aside, err := filepath.Glob(filepath.Join(dir, "index.bad-*"))
				if err != nil || len(aside) > 1 {
					t.Errorf("round %d: set aside: %v, %v", round, aside, err)
				}
			}
		})
	}
}

func TestASecondProcessIsKeptOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir, small())
	if _, err := Open(dir, small()); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	if _, err := Verify(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("verify beside it: %v", err)
	}
}

func TestWhatIsBeyondALimitIsRefused(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), small())
	long := string(make([]byte, MaxKeyBytes+1))
	for name, g := range map[string]Group{
		"record":          {Items: []Item{doc(string(make([]byte, MaxRecordBytes)))}},
		"key":             {Items: []Item{{Key: long, Record: record("x")}}},
		"idempotency key": {Items: []Item{push(long, "x")}},
		"group":           {Items: slices.Repeat([]Item{doc(string(make([]byte, 1000)))}, 60)},
		"state key":       {State: map[string][]byte{long: nil}},
		"state value":     {State: map[string][]byte{"k": make([]byte, MaxStateBytes+1)}},
		"state":           {State: map[string][]byte{"k": make([]byte, 20<<10)}},
	} {
		if _, err := b.Append(context.Background(), g); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, g := range map[string]Group{
		"no record":        {Items: []Item{{}}},
		"numbered record":  {Items: []Item{{Record: &tillbookv1.Record{Capture: 1}}}},
		"reserved key":     {State: map[string][]byte{"log/gap/1": nil}},
		"key without name": {State: map[string][]byte{"": nil}},
	} {
		if _, err := b.Append(context.Background(), g); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if b.Next() != 1 {
		t.Errorf("next is %d", b.Next())
	}
}

func TestAppendAfterCloseIsRefused(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), small())
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Append(context.Background(), Group{Items: []Item{doc("x")}}); !errors.Is(err, ErrClosed) {
		t.Errorf("append: %v", err)
	}
}

func TestVerifyReportsWhatIsThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := open(t, dir, small())
	for i := range 200 {
		appendTo(t, b, Group{Items: []Item{doc(fmt.Sprint(i, string(make([]byte, 900))))}, State: map[string][]byte{"k": []byte("v")}})
	}
	digest, _, err := b.Digest(200)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Verify(dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.First != 1 || r.Last != 200 || r.Records != 200 || r.Digest != digest || r.State != 1 || !r.Intact() || r.Segments < 3 {
		t.Errorf("%+v", r)
	}
}
