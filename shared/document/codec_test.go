package document_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/document/documenttest"
	"tillbook.example/tillbook/shared/money"
)

func TestEveryDocumentSurvivesEveryRouteWithItsHash(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := documenttest.Any().Draw(t, "document")
		if err := d.Check(); err != nil {
			t.Fatalf("what is generated does not pass Check: %v", err)
		}
		if words := d.Unknown(); len(words) > 0 {
			t.Fatalf("what is generated has unknown words: %q", words)
		}
		d.ContentHash = document.HashString(d)

		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		fromJSON, err := document.ParseJSON(text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		same(t, "JSON", d, fromJSON)

		wire, err := document.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		fromWire, err := document.Unmarshal(wire)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "protobuf", d, fromWire)

		again, err := document.Marshal(fromWire)
		if err != nil || !bytes.Equal(wire, again) {
			t.Fatalf("two protobuf forms of one document: %x, %x, %v", wire, again, err)
		}
	})
}

func same(t *rapid.T, route string, before, after *document.Document) {
	t.Helper()
	if diff := cmp.Diff(before, after); diff != "" {
		t.Fatalf("the document changes by way of %s (-before +after):\n%s", route, diff)
	}
	if hash := document.HashString(after); hash != before.ContentHash {
		t.Fatalf("the hash changes by way of %s:\n%s\n%s", route, document.Canonical(before), document.Canonical(after))
	}
}

func TestEveryFieldTravelsAsProtobuf(t *testing.T) {
	t.Parallel()
	d := full(t)
	d.ContentHash = strings.Repeat("ab", 32)
	wire, err := document.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	back, err := document.Unmarshal(wire)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, back); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestEmptyPartsAreAsGoodAsAbsentOnes(t *testing.T) {
	t.Parallel()
	d := benchDocument(t)
	want := document.HashString(d)
	d.Links, d.Fiscal, d.Time.Flags = []document.Link{}, []document.Fiscal{}, []string{}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if got := document.HashString(parse(t, text)); got != want || document.HashString(d) != want {
		t.Errorf("an empty list changes the hash")
	}
}

func TestUnknownWordsSurviveProtobuf(t *testing.T) {
	t.Parallel()
	d := benchDocument(t)
	d.Kind, d.Lines[0].Kind, d.Tenders[0].Kind = "HOLOGRAM", "AIR", "SHELLS"
	wire, err := document.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := document.Unmarshal(wire); err != nil || !reflect.DeepEqual(d, back) {
		t.Errorf("%v: %s", err, cmp.Diff(d, back))
	}
}

func TestFieldsOfANewerVersionAreToldApartFromDamage(t *testing.T) {
	t.Parallel()
	wire, err := document.Marshal(benchDocument(t))
	if err != nil {
		t.Fatal(err)
	}
	newer := protowire.AppendTag(bytes.Clone(wire), 99, protowire.BytesType)
	newer = protowire.AppendBytes(newer, []byte("loyalty"))
	line := protowire.AppendVarint(protowire.AppendTag(nil, 77, protowire.VarintType), 1)
	newer = protowire.AppendBytes(protowire.AppendTag(newer, 18, protowire.BytesType), line)
	d, err := document.Unmarshal(newer)
	if !errors.Is(err, document.ErrNewer) || !strings.HasSuffix(err.Error(), "field 99, lines/field 77") {
		t.Errorf("newer fields give %v", err)
	}
	if d == nil || d.Key.Number != "1042" || len(d.Lines) != 4 {
		t.Errorf("the known fields are lost: %+v", d)
	}
	if d, err := document.Unmarshal(wire[:len(wire)-1]); err == nil || errors.Is(err, document.ErrNewer) || d != nil {
		t.Errorf("damage gives %v, %v", d, err)
	}
}

func TestWhatCannotTravelIsRefusedOnBothSides(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(d *document.Document)
		want  string
	}{
		"text that is not UTF-8": {func(d *document.Document) { d.Lines[0].Text = "\xff" }, "UTF-8"},
		"a short hash":           {func(d *document.Document) { d.ContentHash = "abcd" }, "content_hash"},
		"a hash in capitals":     {func(d *document.Document) { d.ContentHash = strings.Repeat("AB", 32) }, "content_hash"},
		"an amount beyond Max":   {func(d *document.Document) { d.Lines[0].Extended = money.Max + 1 }, "lines/extended: number out of range"},
		"the least int64":        {func(d *document.Document) { d.Tenders[0].Amount = math.MinInt64 }, "tenders/amount: number out of range"},
		"an optional amount":     {func(d *document.Document) { *d.Totals.Stated.Gross = -money.Max - 1 }, "totals/stated/gross: number out of range"},
		"the year 10000":         {func(d *document.Document) { d.Time.UTC = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "time/utc"},
		"an offset of 2^40":      {func(d *document.Document) { n := 1 << 40; d.Time.Offset = &n }, "time/offset"},
		"line 2^40":              {func(d *document.Document) { d.Links = []document.Link{{Line: 1 << 40}} }, "links/1/line"},
		"too many lines":         {func(d *document.Document) { d.Lines = make([]document.Line, document.MaxLines+1) }, "lines: more than 10000"},
		"too many parts":         {func(d *document.Document) { d.Lines[0].Taxes = make([]document.Tax, document.MaxParts) }, "more than 50000 parts"},
		"more than a mebibyte":   {func(d *document.Document) { d.Lines[0].Text = strings.Repeat("x", document.MaxBytes) }, "more than 1048576"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := benchDocument(t)
			c.spoil(d)
			if _, err := document.Marshal(d); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Marshal gives %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestUnmarshalRefusesWhatMarshalWouldNotWrite(t *testing.T) {
	t.Parallel()
	encode := func(m *tillbookv1.Document) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	us := int64(math.MaxInt64)
	for name, c := range map[string]struct {
		wire []byte
		want string
	}{
		"a hash of 31 bytes": {encode(&tillbookv1.Document{ContentHash: make([]byte, 31)}), "content_hash: 31 bytes, not 32"},
		"a far moment":       {encode(&tillbookv1.Document{Time: &tillbookv1.Time{UtcUs: &us}}), "time/utc: the year 294247 is out of range"},
		"a far capture":      {encode(&tillbookv1.Document{Source: &tillbookv1.Source{CapturedAtUs: us}}), "source/captured_at: the year 294247 is out of range"},
		"the least int64":    {encode(&tillbookv1.Document{Movement: &tillbookv1.Movement{Amount: math.MinInt64}}), "movement/amount: number out of range"},
		"many lines":         {bytes.Repeat([]byte{0x92, 1, 0}, 10_001), "lines: more than 10000"},
		"a number as a part": {protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1), "key: not a message"},
		"text as an amount": {
			protowire.AppendBytes(protowire.AppendTag(nil, 20, protowire.BytesType), protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), []byte("1"))),
			"movement/amount: not a number",
		},
		"many empty taxes": {emptyTaxes(400_000), "more than 50000 parts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if d, err := document.Unmarshal(c.wire); err == nil || !strings.Contains(err.Error(), c.want) || d != nil {
				t.Errorf("Unmarshal gives %v, %v, want %q in it", d, err, c.want)
			}
		})
	}
}

// emptyTaxes encodes a document with a line of n taxes in two bytes each.
func emptyTaxes(n int) []byte {
	taxes := bytes.Repeat(protowire.AppendVarint(protowire.AppendTag(nil, 9, protowire.BytesType), 0), n)
	return protowire.AppendBytes(protowire.AppendTag(nil, 18, protowire.BytesType), taxes)
}

func FuzzUnmarshal(f *testing.F) {
	for _, d := range []*document.Document{{}, benchDocument(f)} {
		wire, err := document.Marshal(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Add([]byte{0x92, 1, 2, 0x8a, 0})
	f.Fuzz(func(t *testing.T, wire []byte) {
		d, err := document.Unmarshal(wire)
		if err != nil {
			return
		}
		clean, err := document.Marshal(d)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := document.Unmarshal(clean)
		if err != nil || !reflect.DeepEqual(d, again) {
			t.Fatalf("%v: %s", err, cmp.Diff(d, again))
		}
		if document.Hash(d) != document.Hash(again) {
			t.Fatal("the hash changes")
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > document.MaxJSONBytes {
			return
		}
		if back := parse(t, text); !reflect.DeepEqual(d, back) {
			t.Fatalf("by way of JSON: %s", cmp.Diff(d, back))
		}
		d.Unknown()
		_ = d.Check() // whatever it says, it does not panic
	})
}

func BenchmarkMarshal(b *testing.B) {
	d := benchDocument(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := document.Marshal(d); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	wire, err := document.Marshal(benchDocument(b))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := document.Unmarshal(wire); err != nil {
			b.Fatal(err)
		}
	}
}
