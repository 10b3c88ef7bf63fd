package index

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/shared/wire"
)

func opened(t *testing.T, dir string) *Index {
	t.Helper()
	x, reason, err := Open(dir, AtRest, slog.New(slog.DiscardHandler))
	if err != nil || reason != "" {
		t.Fatalf("open: %q, %v", reason, err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return x
}

// rows makes chained rows with the numbers first to last; text is repeated to
// make them long.
func rows(first, last uint64, length int) []Row {
	var digest [32]byte
	var out []Row
	for n := uint64(1); n <= last; n++ {
		r := Row{
			Number: n, Key: fmt.Sprint("key ", n%10), IdempotencyKey: fmt.Sprint("push ", n), Hash: [32]byte{byte(n)},
			Bytes: []byte(strings.Repeat(fmt.Sprint("record ", n, " "), max(length/10, 1))),
		}
		digest = wire.Next(digest, r.Bytes)
		r.Digest = digest
		if n >= first {
			out = append(out, r)
		}
	}
	return out
}

func TestAnIndexAtRestSaysWhenItMustMergeAndOneAtWorkTakesAnyAmount(t *testing.T) {
	t.Parallel()
	const most = 96 // half a megabyte each
	dir := filepath.Join(t.TempDir(), "index")
	x, _, err := Open(dir, AtRest, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	all := rows(1, 8*most, 64<<10)
	n := 0
	for ; n < 64 && !x.Stacked(); n++ {
		if err := x.Apply(all[8*n : 8*n+8]); err != nil {
			t.Fatal(err)
		}
	}
	if !x.Stacked() {
		t.Fatal("32 MiB were not too much for an index that merges nothing")
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if x, _, err = Open(dir, AtWork, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for ; n < most; n++ {
		if err := x.Apply(all[8*n : 8*n+8]); err != nil {
			t.Fatal(err)
		}
	}
	got, err := x.Read(1, 8*most, 8*most, 100<<20)
	if err != nil || len(got) != 8*most || x.Mode() != AtWork {
		t.Errorf("%d of %d: %v", len(got), 8*most, err)
	}
}

func TestRowsReadBack(t *testing.T) {
	t.Parallel()
	for _, length := range []int{10, 1000, 100_000, 700_000} {
		x := opened(t, filepath.Join(t.TempDir(), "index"))
		want := rows(1, 8, length)
		if err := x.Apply(want); err != nil {
			t.Fatal(err)
		}
		got, err := x.Read(1, 100, 100, 100<<20)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			want[i].Hash = [32]byte{} // kept under the idempotency key
		}
		if !reflect.DeepEqual(want, got) { // go-cmp takes minutes over so many bytes
			t.Errorf("records of %d bytes read otherwise", length)
		}
		if x.Applied() != 8 {
			t.Errorf("applied %d", x.Applied())
		}
	}
}

func TestManyRowsInOneApply(t *testing.T) {
	t.Parallel()
	x := opened(t, filepath.Join(t.TempDir(), "index"))
	all := rows(1, 9000, 10)
	if err := x.Apply(all); err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		n, hash, ok, err := x.Seen(r.IdempotencyKey)
		if n != r.Number || hash != r.Hash || !ok || err != nil {
			t.Fatalf("key of %d: %d, %v, %v", r.Number, n, ok, err)
		}
		if d, ok, err := x.Digest(r.Number); d != r.Digest || !ok || err != nil {
			t.Fatalf("digest of %d: %v, %v", r.Number, ok, err)
		}
	}
	if n, ok, err := x.Last("key 3"); n != 8993 || !ok || err != nil {
		t.Errorf("last: %d, %v, %v", n, ok, err)
	}
	if _, _, ok, err := x.Seen("never"); ok || err != nil {
		t.Errorf("a key that never came: %v, %v", ok, err)
	}
}

func TestReadKeepsItsBounds(t *testing.T) {
	t.Parallel()
	x := opened(t, filepath.Join(t.TempDir(), "index"))
	if err := x.Apply(rows(1, 20, 100)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, to    uint64
		count, size int
		want        int
	}{
		{5, 20, 3, 1 << 20, 3}, {5, 6, 10, 1 << 20, 2}, {5, 20, 10, 1, 1}, {5, 20, 10, 250, 2}, {21, 30, 10, 1 << 20, 0},
	} {
		got, err := x.Read(c.from, c.to, c.count, c.size)
		if err != nil || len(got) != c.want || len(got) > 0 && got[0].Number != c.from {
			t.Errorf("%+v: %d rows, %v", c, len(got), err)
		}
	}
}

func TestWhatWasAppliedIsThereAfterClosing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "index")
	for round := range uint64(3) {
		x, _, err := Open(dir, AtRest, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if x.Applied() != round*10 {
			t.Errorf("applied %d in round %d", x.Applied(), round)
		}
		if err := x.Apply(rows(round*10+1, round*10+10, 100)); err != nil {
			t.Fatal(err)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTrimForgetsRecordsAndKeysThatAreNotTakenOver(t *testing.T) {
	t.Parallel()
	x := opened(t, filepath.Join(t.TempDir(), "index"))
	if err := x.Apply(rows(1, 1000, 100)); err != nil {
		t.Fatal(err)
	}
	calls := 0
	for more := true; more; calls++ {
		var err error
		if more, err = x.Trim(996); err != nil {
			t.Fatal(err)
		}
	}
	if calls < 3 {
		t.Errorf("%d calls: no batches", calls)
	}
	if got, err := x.Read(1, 2000, 100, 1<<20); err != nil || len(got) != 5 || got[0].Number != 996 {
		t.Errorf("%d rows left, %v", len(got), err)
	}
	for n := range uint64(1001) {
		_, _, ok, err := x.Seen(fmt.Sprint("push ", n))
		if ok != (n >= 996) || err != nil {
			t.Fatalf("push %d: %v, %v", n, ok, err)
		}
	}
	for digit := range uint64(10) {
		n, ok, err := x.Last(fmt.Sprint("key ", digit))
		if want := 990 + digit; err != nil || ok != (want >= 996 || digit == 0) || ok && n < 996 {
			t.Errorf("key %d: %d, %v, %v", digit, n, ok, err)
		}
	}
	if more, err := x.Trim(996); more || err != nil {
		t.Errorf("trimmed again: %v, %v", more, err)
	}
}

func TestARecordThatDoesNotFollowIsDamage(t *testing.T) {
	t.Parallel()
	x := opened(t, filepath.Join(t.TempDir(), "index"))
	all := rows(1, 10, 100)
	if err := x.Apply(all); err != nil {
		t.Fatal(err)
	}
	bad := all[4]
	bad.Bytes = []byte("other")
	if err := x.db.Update(func(txn *badger.Txn) error { return txn.Set(numberKey(5), bad.encode()) }); err != nil {
		t.Fatal(err)
	}
	for _, from := range []uint64{1, 4, 5} {
		if _, err := x.Read(from, 10, 100, 1<<20); !errors.Is(err, ErrDamaged) {
			t.Errorf("from %d: %v", from, err)
		}
	}
	if got, err := x.Read(6, 10, 100, 1<<20); err != nil || len(got) != 5 {
		t.Errorf("behind it: %d, %v", len(got), err)
	}
}

func TestOnlyTheNewestIndexSetAsideIsKept(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "index")
	for range 3 {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := SetAside(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := SetAside(dir); err != nil {
		t.Errorf("nothing to set aside: %v", err)
	}
	names, err := filepath.Glob(filepath.Join(parent, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{dir + ".bad-3"}, names); diff != "" {
		t.Error(diff)
	}
}
