package csv

import (
	"bytes"
	stdcsv "encoding/csv"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/text"
)

func open(t testing.TB, src io.Reader, d Dialect) *Reader {
	t.Helper()
	r, err := text.Open(src, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return New(r, d)
}

var comma = Dialect{Delimiter: ',', Quote: '"'}

// read reads everything: a record as its fields joined by |, a refusal as its
// code.
func read(t testing.TB, r *Reader) []string {
	t.Helper()
	var all []string
	for {
		record, err := r.Next()
		var refused *format.Refusal
		switch {
		case errors.Is(err, io.EOF):
			return all
		case errors.As(err, &refused):
			all = append(all, fmt.Sprintf("!%s line %d", refused.Code, refused.Line))
		case err != nil:
			t.Fatal(err)
		default:
			line := strings.Join(record.Fields, "|")
			if record.Cut {
				line += " (cut)"
			}
			all = append(all, line)
		}
	}
}

func TestRecordsAreReadAsTillsWriteThem(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file    string
		dialect Dialect
		want    []string
	}{
		"plain":                        {"a,b\n1,2\n", comma, []string{"a|b", "1|2"}},
		"CRLF and blank lines":         {"a,b\r\n\r\n1,2\r\n", comma, []string{"a|b", "1|2"}},
		"a byte-order mark":            {"\xEF\xBB\xBFa,b\n", comma, []string{"a|b"}},
		"quotes":                       {`"a,1","say ""x""",` + "\n", comma, []string{`a,1|say "x"|`}},
		"a line break in quotes":       {"\"a\nb\",c\nd,e\n", comma, []string{"a\nb|c", "d|e"}},
		"a quote in the middle":        {"5\" pipe,2\n3,4\n", comma, []string{`5" pipe|2`, "3|4"}},
		"a quote that was not doubled": {"\"5\" pipe\",2\n", comma, []string{`5" pipe|2`}},
		"semicolons, no quotes":        {"\"a;b\"\n", Dialect{Delimiter: ';'}, []string{`"a|b"`}},
		"no line break at the end":     {"a,b\n1,2", comma, []string{"a|b", "1|2 (cut)"}},
		"windows-1252":                 {"K\xE4se,1\n", comma, []string{"Käse|1"}},
		"a quote that is never closed": {"a,\"b\n1,2\n3,4\n", comma, []string{"!malformed line 1", "1|2", "3|4"}},
		"a line that is too long":      {"a\n" + strings.Repeat("x", 200) + "\nb\n", Dialect{Delimiter: ',', MaxRecord: 100}, []string{"a", "!too_long line 2", "b"}},
		"an open quote that is too long": {"\"a\n" + strings.Repeat("x\n", 100) + "b\n", Dialect{Delimiter: ',', Quote: '"', MaxRecord: 100},
			slices.Concat([]string{"!too_long line 1"}, slices.Repeat([]string{"x"}, 100), []string{"b"})},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for way, src := range map[string]io.Reader{"whole": strings.NewReader(test.file), "byte by byte": iotest.OneByteReader(strings.NewReader(test.file))} {
				if diff := cmp.Diff(test.want, read(t, open(t, src, test.dialect))); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}

// What encoding/csv writes is read back, and each record stands where it says.
func TestWhatOthersWriteIsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		field := rapid.StringOf(rapid.SampledFrom([]rune("ab,;\"\n 'é€")))
		records := rapid.SliceOf(rapid.SliceOfN(field, 2, 5)).Draw(r, "records")
		var file bytes.Buffer
		w := stdcsv.NewWriter(&file)
		if err := w.WriteAll(records); err != nil {
			r.Fatal(err)
		}
		reader := open(t, iotest.HalfReader(bytes.NewReader(file.Bytes())), comma)
		end := int64(0)
		for _, want := range records {
			got, err := reader.Next()
			if err != nil {
				r.Fatal(err)
			}
			if !slices.Equal(got.Fields, want) || got.Cut || got.Start != end {
				r.Fatalf("got %q at %d, want %q at %d", got.Fields, got.Start, want, end)
			}
			end = got.End
		}
		if _, err := reader.Next(); !errors.Is(err, io.EOF) || end != int64(file.Len()) {
			r.Fatalf("the end: %v at %d of %d", err, end, file.Len())
		}
	})
}

// line is one endless line between two short ones.
type line struct{ left int64 }

func (l *line) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), l.left))
	for i := range p[:n] {
		p[i] = 'x'
	}
	l.left -= int64(n)
	return n, nil
}

// This test is not parallel: it looks at the memory of the whole process.
func TestALineOf200MBIsOneRefusalInBoundedMemory(t *testing.T) {
	const size = 200 << 20
	src := io.MultiReader(strings.NewReader("a,b\n"), &line{size}, strings.NewReader("\n1,2\n"))
	r := open(t, src, comma)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var peak uint64
	var got []string
	for {
		record, err := r.Next()
		runtime.ReadMemStats(&now)
		peak = max(peak, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
		var refused *format.Refusal
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.As(err, &refused) {
			got = append(got, refused.Code)
			if record.End-record.Start != size+1 || len(record.Raw) > format.MaxRaw {
				t.Errorf("the refused line stands from %d to %d, %d bytes kept", record.Start, record.End, len(record.Raw))
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Join(record.Fields, "|"))
	}
	runtime.ReadMemStats(&now)
	if diff := cmp.Diff([]string{"a|b", format.TooLong, "1|2"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	total := now.TotalAlloc - before.TotalAlloc
	t.Logf("heap grew by %d KiB at most, %d KiB allocated in all", peak>>10, total>>10)
	if total > 16<<20 {
		t.Errorf("%d MiB were allocated for a line of 200 MiB", total>>20)
	}
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{"a,b\n1,2\n", "\"a\"\"b\",c\r\n", "\"a\nb", "a,\"b\"c\",d\n", "\xff\xfea\x00\n\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r := open(t, bytes.NewReader(file), Dialect{Delimiter: ',', Quote: '"', MaxRecord: 64})
		end := int64(0)
		for i := 0; ; i++ {
			record, err := r.Next()
			var refused *format.Refusal
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil && !errors.As(err, &refused) {
				t.Fatal(err)
			}
			if i > len(file) {
				t.Fatal("the reader does not end")
			}
			if record.Start < end || record.End < record.Start || record.End > int64(len(file))+1 {
				t.Fatalf("place %d to %d behind %d of %d", record.Start, record.End, end, len(file))
			}
			end = record.End
		}
	})
}
