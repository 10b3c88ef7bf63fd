package wire_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"
)

func TestTheDigestChainIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	// Worked out apart from the code: sha256(32 zero bytes, 00000003, "one"), and on.
	sum := func(prev []byte, record string) []byte {
		text := append([]byte{}, prev...)
		text = binary.BigEndian.AppendUint32(text, uint32(len(record)))
		h := sha256.Sum256(append(text, record...))
		return h[:]
	}
	first := wire.Next([32]byte{}, []byte("one"))
	second := wire.Next(first, nil)
	want := sum(sum(make([]byte, 32), "one"), "")
	if !bytes.Equal(second[:], want) {
		t.Errorf("second digest is %x, want %x", second, want)
	}
	if got := hex.EncodeToString(first[:8]); got != hex.EncodeToString(sum(make([]byte, 32), "one")[:8]) {
		t.Errorf("first digest begins %s", got)
	}
}

// packed returns a batch of records with its numbers and digests.
func packed(t testing.TB, before [32]byte, records ...[]byte) *tillbookv1.Batch {
	t.Helper()
	b := &tillbookv1.Batch{Lane: tillbookv1.Lane_LANE_DOCUMENTS, First: 7}
	if err := new(wire.Packer).Pack(b, records); err != nil {
		t.Fatal(err)
	}
	after := before
	for _, r := range records {
		after = wire.Next(after, r)
	}
	b.DigestBefore, b.DigestAfter = before[:], after[:]
	return b
}

func unpacker(t testing.TB) *wire.Unpacker {
	t.Helper()
	u, err := wire.NewUnpacker(2)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestWhatIsPackedComesOutAgain(t *testing.T) {
	t.Parallel()
	packer, u := new(wire.Packer), unpacker(t)
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 1, 40).Draw(t, "records")
		before := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "before"))
		b := &tillbookv1.Batch{Lane: tillbookv1.Lane_LANE_DOCUMENTS, First: 1, DigestBefore: before[:]}
		if err := packer.Pack(b, records); err != nil {
			t.Fatal(err)
		}
		var digests [][32]byte
		last := before
		for _, r := range records {
			last = wire.Next(last, r)
			digests = append(digests, last)
		}
		b.DigestAfter = last[:]
		got, err := u.Unpack(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Records) != len(records) || got.Before != before || !cmp.Equal(got.Digests, digests) {
			t.Fatalf("got %d records, digests %x; want %d, %x", len(got.Records), got.Digests, len(records), digests)
		}
		for i := range records {
			if !bytes.Equal(got.Records[i], records[i]) {
				t.Fatalf("record %d is %x, want %x", i, got.Records[i], records[i])
			}
		}
	})
}

func TestFullBatchesPassAndFullerOnesDoNot(t *testing.T) {
	t.Parallel()
	noise := func(n int) []byte {
		b := make([]byte, n)
		source := rand.NewChaCha8([32]byte{1})
		_, _ = source.Read(b)
		return b
	}
	repeat := func(n, size int) [][]byte {
		records := make([][]byte, n)
		for i := range records {
			records[i] = bytes.Repeat([]byte{'a'}, size)
		}
		return records
	}
	for name, c := range map[string]struct {
		records [][]byte
		fits    bool
	}{
		"a thousand records":                     {repeat(wire.MaxRecords, 10), true},
		"one record more":                        {repeat(wire.MaxRecords+1, 10), false},
		"four megabytes that compress":           {repeat(1, wire.MaxRawBytes-4), true},
		"a byte more":                            {repeat(1, wire.MaxRawBytes-3), false},
		"the largest record, incompressible":     {[][]byte{noise(wire.MaxRecordBytes)}, true},
		"a record that compresses to a megabyte": {[][]byte{noise(wire.MaxBatchBytes)}, false},
	} {
		b := &tillbookv1.Batch{Lane: tillbookv1.Lane_LANE_DOCUMENTS}
		err := new(wire.Packer).Pack(b, c.records)
		if c.fits != (err == nil) || !c.fits && !errors.Is(err, wire.ErrTooLarge) {
			t.Errorf("%s: Pack returned %v", name, err)
			continue
		}
		if c.fits {
			if _, err := unpacker(t).Unpack(packed(t, [32]byte{}, c.records...)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if err := new(wire.Packer).Pack(&tillbookv1.Batch{}, nil); err == nil {
		t.Error("an empty batch was packed")
	}
}

func TestABatchThatWasTamperedWithIsRefused(t *testing.T) {
	t.Parallel()
	compress := func(raw []byte) []byte {
		encoder, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		return encoder.EncodeAll(raw, nil)
	}
	// replace puts other raw bytes into a batch, with sizes and checksum that fit them.
	replace := func(b *tillbookv1.Batch, raw []byte) {
		b.Records, b.RawBytes = compress(raw), uint32(len(raw))
		b.Crc32C = crc32.Checksum(b.Records, crc32.MakeTable(crc32.Castagnoli))
	}
	for name, c := range map[string]struct {
		change func(*tillbookv1.Batch)
		says   string
	}{
		"no lane":               {func(b *tillbookv1.Batch) { b.Lane = 0 }, "lane"},
		"number 0":              {func(b *tillbookv1.Batch) { b.First = 0 }, "out of range"},
		"numbers that overflow": {func(b *tillbookv1.Batch) { b.First = 1<<64 - 1 }, "out of range"},
		"no records":            {func(b *tillbookv1.Batch) { b.Count = 0 }, "0 records"},
		"too many records":      {func(b *tillbookv1.Batch) { b.Count = 1 << 31 }, "2147483648 records"},
		"a count too high":      {func(b *tillbookv1.Batch) { b.Count++ }, "not the stated"},
		"a count too low":       {func(b *tillbookv1.Batch) { b.Count-- }, "more than the stated"},
		"a raw size too high":   {func(b *tillbookv1.Batch) { b.RawBytes++ }, "after decompression"},
		"a raw size too low":    {func(b *tillbookv1.Batch) { b.RawBytes-- }, "decompress"},
		"a raw size far too high": {func(b *tillbookv1.Batch) { b.RawBytes = 1<<32 - 1 },
			"before compression"},
		"a flipped bit":  {func(b *tillbookv1.Batch) { b.Records[len(b.Records)/2] ^= 4 }, "checksum"},
		"a short digest": {func(b *tillbookv1.Batch) { b.DigestBefore = b.DigestBefore[:31] }, "digest"},
		"no digest":      {func(b *tillbookv1.Batch) { b.DigestAfter = nil }, "digest"},
		"another chain":  {func(b *tillbookv1.Batch) { b.DigestBefore[0] ^= 1 }, "do not lead"},
		"not zstd": {func(b *tillbookv1.Batch) {
			b.Records = []byte("hello")
			b.Crc32C = crc32.Checksum(b.Records, crc32.MakeTable(crc32.Castagnoli))
		}, "decompress"},
		"a length beyond the end": {func(b *tillbookv1.Batch) { replace(b, []byte{200, 1, 'x', 'y'}) }, "record 1"},
		"an endless length":       {func(b *tillbookv1.Batch) { replace(b, bytes.Repeat([]byte{0xff}, 20)) }, "record 1"},
		"another record":          {func(b *tillbookv1.Batch) { replace(b, []byte{1, 'x', 1, 'y'}) }, "do not lead"},
	} {
		b := packed(t, [32]byte{9}, []byte("a sale"), []byte("another sale, somewhat longer than the first"))
		c.change(b)
		_, err := unpacker(t).Unpack(b)
		if !errors.Is(err, wire.ErrBatch) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want an ErrBatch with %q", name, err, c.says)
		}
	}
}

func TestABombTakesNoMoreThanItsLimit(t *testing.T) {
	var bomb bytes.Buffer
	encoder, err := zstd.NewWriter(&bomb, zstd.WithWindowSize(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 256 { // a stream, so that its header does not state the 256 MiB
		if _, err := encoder.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}
	b := packed(t, [32]byte{}, []byte("x"))
	b.Records, b.RawBytes = bomb.Bytes(), wire.MaxRawBytes
	b.Crc32C = crc32.Checksum(b.Records, crc32.MakeTable(crc32.Castagnoli))
	u := unpacker(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = u.Unpack(b)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, wire.ErrBatch) {
		t.Errorf("a bomb of %d bytes was taken: %v", bomb.Len(), err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 3*wire.MaxRawBytes {
		t.Errorf("refusing it took %d bytes", took)
	}
}

// FuzzUnpack looks for a panic, and holds whatever passes to its own chain.
func FuzzUnpack(f *testing.F) {
	for _, b := range []*tillbookv1.Batch{
		packed(f, [32]byte{}, []byte("a sale")),
		packed(f, [32]byte{1}, []byte("one"), nil, bytes.Repeat([]byte("many "), 200)),
	} {
		text, err := proto.Marshal(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, []byte(nil))
		f.Add(text, []byte{3, 'a', 'b', 'c'})
	}
	u := unpacker(f)
	f.Fuzz(func(t *testing.T, text, raw []byte) {
		var b tillbookv1.Batch
		if proto.Unmarshal(text, &b) != nil {
			return
		}
		// Past the checksum, or the fuzzer would never see what lies behind it.
		b.Crc32C = crc32.Checksum(b.Records, crc32.MakeTable(crc32.Castagnoli))
		if len(raw) > 0 { // past zstd and the digest too
			fresh := packed(t, [32]byte{}, raw)
			b.Records, b.RawBytes, b.Crc32C = fresh.Records, fresh.RawBytes, fresh.Crc32C
		}
		got, err := u.Unpack(&b)
		if err != nil {
			if !errors.Is(err, wire.ErrBatch) {
				t.Errorf("error %v does not wrap ErrBatch", err)
			}
			return
		}
		digest, size := got.Before, 0
		for i, r := range got.Records {
			digest = wire.Next(digest, r)
			size += protowire.SizeBytes(len(r))
			if digest != got.Digests[i] {
				t.Fatalf("digest %d is not its record's", i)
			}
		}
		if !bytes.Equal(digest[:], b.DigestAfter) || len(got.Records) != int(b.Count) || size > wire.MaxRawBytes {
			t.Errorf("took %d records of %d bytes as %d", len(got.Records), size, b.Count)
		}
	})
}

// sales returns records that look like sales: much alike, with numbers of their own.
func sales(n int) [][]byte {
	records := make([][]byte, n)
	for i := range records {
		h := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		records[i] = fmt.Appendf(nil, "%s%d RECEIPT COMPLETED 2026-03-%02dT10:%02d:00Z GBP Leeds till %d line Flat white Food 20 %d.%02d line Croissant Food 0 2.40 tender CASH PAID %d %s",
			h[:], i, i%28+1, i%60, i%50, i%7, i%100, i*37%5000, strings.Repeat("standing text of a receipt ", 18))
	}
	return records
}

func BenchmarkPack(b *testing.B) {
	records, packer := sales(1000), new(wire.Packer)
	var out tillbookv1.Batch
	b.ReportAllocs()
	for b.Loop() {
		if err := packer.Pack(&out, records); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
	b.ReportMetric(float64(len(out.Records))/1000, "wire-B/record")
}

func BenchmarkUnpack(b *testing.B) {
	batch, u := packed(b, [32]byte{}, sales(1000)...), unpacker(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := u.Unpack(batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}
