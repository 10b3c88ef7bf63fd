package commitlog

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/agent/outbox/file/filetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenLog writes the log whose files are kept in testdata/v1, from fixed
// records and salts.
func goldenLog(t *testing.T) *sample {
	t.Helper()
	salt := uint64(0)
	s := &sample{disk: filetest.New(1), options: Options{
		SegmentBytes: testSegment,
		Salt:         func() uint64 { salt++; return 0x0123456789abcdef * salt },
	}}
	l := s.open(t)
	for i := range 10 {
		g := l.Begin()
		if err := g.Set(map[string][]byte{"epoch": fmt.Append(nil, "epoch ", i), "gone": nil, "empty": {}}); err != nil {
			t.Fatal(err)
		}
		g.Add(fmt.Sprint("S1/T1/RECEIPT/", i), "", []byte(strings.Repeat(fmt.Sprint("receipt ", i, ". "), 80)))
		g.Add("", fmt.Sprint("idempotency ", i), []byte("raw "), []byte{byte(i), 0xFF})
		if err := l.Commit(g); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheFormatIsWhatItWas(t *testing.T) {
	t.Parallel()
	s := goldenLog(t)
	for _, name := range s.segments() {
		golden := filepath.Join("testdata", "v1", filepath.Base(name)+".hex")
		got := dump(s.disk.Bytes(name))
		if *update {
			if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is written otherwise; a change of the format needs a new version:\n%s", name, diff)
		}
	}
}

func TestALogOfVersion1StillOpens(t *testing.T) {
	t.Parallel()
	s := &sample{disk: filetest.New(1), options: Options{SegmentBytes: testSegment}}
	files, err := filepath.Glob(filepath.Join("testdata", "v1", "*.hex"))
	if err != nil || len(files) != 2 {
		t.Fatalf("golden files %v, %v", files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b := undump(t, text, testSegment)
		s.disk.Put(filepath.Join("log", strings.TrimSuffix(filepath.Base(name), ".hex")), b)
	}
	l := s.open(t)
	o := look(t, l)
	if len(o.gaps)+len(o.damage) > 0 || o.tail > 0 || o.next != 21 {
		t.Fatalf("next %d, gaps %v, damage %v, tail %d", o.next, o.gaps, o.damage, o.tail)
	}
	want := map[string]string{"epoch": "epoch 9", "empty": ""}
	if diff := cmp.Diff(want, o.state); diff != "" {
		t.Error(diff)
	}
	records, err := l.Read(1, 100, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		doc, raw := records[2*i], records[2*i+1]
		if doc.Key != fmt.Sprint("S1/T1/RECEIPT/", i) || !strings.HasPrefix(string(doc.Bytes), fmt.Sprint("receipt ", i, ". ")) || doc.IdempotencyKey != "" {
			t.Errorf("record %d is %+v", doc.Number, doc)
		}
		if raw.Key != "" || raw.IdempotencyKey != fmt.Sprint("idempotency ", i) || !bytes.Equal(raw.Bytes, []byte{'r', 'a', 'w', ' ', byte(i), 0xFF}) {
			t.Errorf("record %d is %+v", raw.Number, raw)
		}
	}
	const digest = "53869e6880d8e3974d08fbd536ed6c3c9f7c73def1dc8e4a3075704aff9323bb"
	if got := hex.EncodeToString(records[19].Digest[:]); got != digest {
		t.Errorf("digest after record 20 is %s", got)
	}
}

// dump writes bytes as lines of an offset and hex, leaving out lines of zeros.
func dump(b []byte) []byte {
	var out bytes.Buffer
	for off := 0; off < len(b); off += 32 {
		if line := b[off:min(off+32, len(b))]; !blank(line) {
			fmt.Fprintf(&out, "%06x %x\n", off, line)
		}
	}
	return out.Bytes()
}

func undump(t *testing.T, text []byte, size int) []byte {
	t.Helper()
	b := make([]byte, size)
	for line := range strings.Lines(string(text)) {
		var off int
		var data []byte
		if _, err := fmt.Sscanf(line, "%x %x", &off, &data); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		copy(b[off:], data)
	}
	return b
}
