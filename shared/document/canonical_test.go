package document_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

var update = flag.Bool("update", false, "write the files in testdata and schema.json anew")

const vectors = "testdata/canonical"

func TestGoldenVectorsKeepTheirTextAndHash(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob(filepath.Join(vectors, "*.json"))
	if err != nil || len(names) < 6 {
		t.Fatalf("golden documents: %v, %v", names, err)
	}
	var sums strings.Builder
	for _, name := range names {
		d := parse(t, read(t, name))
		text := strings.TrimSuffix(name, ".json") + ".txt"
		golden(t, text, document.Canonical(d))
		fmt.Fprintf(&sums, "%s  %s\n", document.HashString(d), filepath.Base(text))

		wire, err := document.Marshal(d)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		back, err := document.Unmarshal(wire)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(d, back); diff != "" {
			t.Errorf("%s changes by way of protobuf (-before +after):\n%s", name, diff)
		}
	}
	golden(t, filepath.Join(vectors, "SHA256SUMS"), []byte(sums.String()))
}

func TestTheExampleInTheDocumentationIsTrue(t *testing.T) {
	t.Parallel()
	page := string(read(t, "../../docs/canonical-form.md"))
	if text := string(read(t, filepath.Join(vectors, "sale.txt"))); !strings.Contains(page, "```\n"+text+"```\n") {
		t.Errorf("docs/canonical-form.md does not show the text of %s/sale.json:\n%s", vectors, text)
	}
}

// leftOut lists every field that the hash does not cover. A new field of a
// document is either written by Canonical or entered here and in
// docs/canonical-form.md.
var leftOut = []string{
	"content_hash",
	"key/merchant",
	"links/1/key/merchant",
	"source/adapter", "source/format", "source/recipe", "source/version", "source/raw", "source/captured_at", "source/reason",
	"place/operator",
	"customer/key", "customer/account_no",
	"lines/1/text", "movement/lines/1/text",
	"tenders/1/masked",
	"movement/counterparty",
	"totals/computed", "totals/computed/gross", "totals/computed/net", "totals/computed/tax", "totals/computed/discount",
	"totals/computed/rounding", "totals/computed/tip", "totals/computed/paid", "totals/computed/change",
	"totals/differences", "totals/differences/1/rule", "totals/differences/1/amount",
}

func TestTheHashCoversEveryFieldThatIsNotLeftOut(t *testing.T) {
	t.Parallel()
	d := full(t)
	before := document.HashString(d)
	seen := map[string]bool{}
	eachField(reflect.ValueOf(d).Elem(), "", func(path string, v reflect.Value) {
		if seen[path] {
			t.Fatalf("%s is there twice", path)
		}
		seen[path] = true
		for _, change := range changesOf(v) {
			old := reflect.New(v.Type()).Elem()
			old.Set(v)
			v.Set(change)
			after := document.HashString(d)
			v.Set(old)
			switch out := slices.Contains(leftOut, path); {
			case !out && after == before:
				t.Errorf("%s changed from %v to %v and the hash did not; write the field in Canonical or decide that it is left out", path, old, change)
			case out && after != before:
				t.Errorf("%s is left out, yet a change of it changed the hash", path)
			}
		}
	})
	for _, path := range leftOut {
		if !seen[path] {
			t.Errorf("%s is left out, but no document has it", path)
		}
	}
	if len(seen) < 200 {
		t.Errorf("only %d fields were tried", len(seen))
	}
}

func TestOptionalAmountsOfZeroAreNotAbsentOnes(t *testing.T) {
	t.Parallel()
	zero := money.Decimal(0)
	for _, stated := range []*document.Amounts{{Gross: &zero}, {Net: &zero}, {Change: &zero}} {
		with := &document.Document{Totals: document.Totals{Stated: stated}}
		if document.Hash(with) == document.Hash(&document.Document{}) {
			t.Errorf("a stated zero has the hash of nothing stated:\n%s", document.Canonical(with))
		}
	}
}

func TestTheMomentIsHashedNotItsZone(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 9, 30, 0, 250_000_999, time.UTC)
	utc := &document.Document{Time: document.Time{UTC: at}}
	east := &document.Document{Time: document.Time{UTC: at.Truncate(time.Microsecond).In(time.FixedZone("", 7200))}}
	if diff := cmp.Diff(string(document.Canonical(utc)), string(document.Canonical(east))); diff != "" {
		t.Errorf("the same moment gives two texts:\n%s", diff)
	}
}

func BenchmarkCanonical(b *testing.B) {
	for name, d := range map[string]*document.Document{"bench": benchDocument(b), "full": full(b)} {
		b.Run(name, func(b *testing.B) {
			var buffer []byte
			b.ReportAllocs()
			for b.Loop() {
				buffer = document.AppendCanonical(buffer[:0], d)
			}
			b.SetBytes(int64(len(buffer)))
		})
	}
}

func BenchmarkHash(b *testing.B) {
	d := benchDocument(b)
	b.ReportAllocs()
	for b.Loop() {
		document.Hash(d)
	}
}

// full returns a document in which every field is set.
func full(t testing.TB) *document.Document {
	t.Helper()
	d := &document.Document{}
	n := 0
	fill(t, reflect.ValueOf(d).Elem(), &n)
	return d
}

func fill(t testing.TB, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) * 1_000_000)
	case reflect.Uint32:
		v.SetUint(uint64(*n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.UnixMicro(int64(*n) * 1_000_001).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		t.Fatalf("a document has a field of type %s; teach this test about it", v.Type())
	}
}

// eachField calls f for every field below v that can be changed by itself:
// values, what may be absent, lists, and what those hold.
func eachField(v reflect.Value, path string, f func(path string, v reflect.Value)) {
	switch {
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			eachField(v.Field(i), strings.TrimPrefix(path+"/"+name, "/"), f)
		}
	case v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct:
		f(path, v)
		eachField(v.Elem(), path, f)
	case v.Kind() == reflect.Slice:
		f(path, v)
		if v.Index(0).Kind() == reflect.Struct {
			eachField(v.Index(0), path+"/1", f)
		}
	default:
		f(path, v)
	}
}

// changesOf returns other values that a field could have.
func changesOf(v reflect.Value) []reflect.Value {
	zero := reflect.Zero(v.Type())
	switch v.Kind() {
	case reflect.String:
		return []reflect.Value{zero, reflect.ValueOf(v.String() + "\\").Convert(v.Type())}
	case reflect.Int, reflect.Int64:
		return []reflect.Value{zero, reflect.ValueOf(-v.Int()).Convert(v.Type()), reflect.ValueOf(v.Int() + 1).Convert(v.Type())}
	case reflect.Slice:
		return []reflect.Value{zero, reflect.Append(v, v.Index(0))}
	case reflect.Pointer:
		if v.Elem().Kind() == reflect.Struct {
			return []reflect.Value{zero}
		}
		changes := []reflect.Value{zero}
		for _, change := range changesOf(v.Elem()) {
			p := reflect.New(v.Type().Elem())
			p.Elem().Set(change)
			changes = append(changes, p)
		}
		return changes
	case reflect.Struct: // a moment
		return []reflect.Value{zero, reflect.ValueOf(v.Interface().(time.Time).Add(time.Microsecond))}
	}
	return []reflect.Value{zero}
}
