// Package wire packs records into the batches that an agent sends to a
// collector, takes them apart again, and works out the digest that chains them.
//
// A batch that Unpack returns is whole: its checksum, sizes, count, framing and
// both ends of its digest chain were checked, and no more memory was taken than
// the limits below allow, whatever the batch claimed. What the records mean,
// whether the batch continues what is stored, and who may send it is decided by
// the rooms that use it.
package wire

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
)

// Versions of the envelope. Hello states the newest that the agent speaks,
// Welcome the one that the session has: the newest that both speak. Fields and
// messages that one side does not know do not make a version; what the other
// side has to understand does.
const (
	Protocol = 1 // the newest spoken here
	Oldest   = 1 // the oldest: that of the agents of three releases ago
)

// Limits of one batch.
const (
	MaxBatchBytes = 1 << 20 // records as sent, compressed
	MaxRawBytes   = 4 << 20 // records before compression, with their lengths
	MaxRecords    = 1000
	// MaxRecordBytes is the size of a marshalled Record that fits into a batch of
	// its own however badly it compresses.
	MaxRecordBytes = MaxBatchBytes - 4<<10
)

// ErrTooLarge means that records do not fit into one batch. One record alone
// that does not will never fit.
var ErrTooLarge = errors.New("records do not fit into one batch")

// ErrBatch is wrapped by every error of Unpack: the batch is not what an agent
// of any version makes.
var ErrBatch = errors.New("bad batch")

// window is how far back the compression looks. Sales repeat themselves at short
// range; a larger window costs memory in the store and saves next to nothing.
const window = 256 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Packer packs batches. Its zero value is ready, it may be used by several
// goroutines, and its buffers go with the next collections while it is idle.
type Packer struct{ idle sync.Pool }

type packing struct {
	zstd *zstd.Encoder
	raw  []byte
}

// Pack puts records, each a marshalled Record, into b: its count, compressed
// records, sizes and checksum. Numbers and digests are the caller's. It returns
// ErrTooLarge where a limit is passed.
func (p *Packer) Pack(b *tillbookv1.Batch, records [][]byte) error {
	if len(records) == 0 {
		return errors.New("pack a batch: no records")
	}
	size := 0
	for _, r := range records {
		size += protowire.SizeBytes(len(r))
	}
	if len(records) > MaxRecords || size > MaxRawBytes {
		return fmt.Errorf("pack %d records of %d bytes: %w", len(records), size, ErrTooLarge)
	}
	with, ok := p.idle.Get().(*packing)
	if !ok {
		encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window),
			zstd.WithLowerEncoderMem(true), zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderCRC(false))
		if err != nil {
			return fmt.Errorf("start zstd: %w", err)
		}
		with = &packing{zstd: encoder}
	}
	defer p.idle.Put(with)
	with.raw = slices.Grow(with.raw[:0], size)
	for _, r := range records {
		with.raw = protowire.AppendBytes(with.raw, r)
	}
	packed := with.zstd.EncodeAll(with.raw, make([]byte, 0, size/3+64))
	if len(packed) > MaxBatchBytes {
		return fmt.Errorf("pack %d records of %d bytes, %d compressed: %w", len(records), size, len(packed), ErrTooLarge)
	}
	b.Records, b.Count, b.RawBytes = packed, uint32(len(records)), uint32(size)
	b.Crc32C = crc32.Checksum(packed, castagnoli)
	return nil
}

// Unpacked is a batch taken apart.
type Unpacked struct {
	Records [][]byte   // marshalled Record messages, in one piece of memory
	Before  [32]byte   // chained digest before the first
	Digests [][32]byte // chained digest after each
}

// Unpacker takes batches apart. It may be used by several goroutines.
type Unpacker struct{ zstd *zstd.Decoder }

// NewUnpacker returns an Unpacker that takes apart at most the given number of
// batches at once; further calls wait.
func NewUnpacker(atOnce int) (*Unpacker, error) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(max(1, atOnce)), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(MaxRawBytes), zstd.WithDecoderMaxWindow(2*MaxRawBytes), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("start zstd: %w", err)
	}
	return &Unpacker{zstd: decoder}, nil
}

// Unpack checks a batch and takes it apart. Every size is checked before
// anything is allocated for it. The error wraps ErrBatch.
func (u *Unpacker) Unpack(b *tillbookv1.Batch) (Unpacked, error) {
	got, err := u.unpack(b)
	if err != nil {
		return Unpacked{}, fmt.Errorf("%w at number %d: %w", ErrBatch, b.GetFirst(), err)
	}
	return got, nil
}

func (u *Unpacker) unpack(b *tillbookv1.Batch) (Unpacked, error) {
	var before, after [32]byte
	count := int(min(b.GetCount(), MaxRecords+1))
	switch {
	case b.GetLane() != tillbookv1.Lane_LANE_DOCUMENTS:
		return Unpacked{}, fmt.Errorf("lane %d is not known here", b.GetLane())
	case b.GetFirst() == 0 || b.GetFirst() > 1<<62:
		return Unpacked{}, errors.New("first number is out of range")
	case count == 0 || count > MaxRecords:
		return Unpacked{}, fmt.Errorf("%d records, not 1 to %d", b.GetCount(), MaxRecords)
	case len(b.GetRecords()) > MaxBatchBytes:
		return Unpacked{}, fmt.Errorf("%d bytes, more than %d", len(b.GetRecords()), MaxBatchBytes)
	case b.GetRawBytes() > MaxRawBytes:
		return Unpacked{}, fmt.Errorf("%d bytes before compression, more than %d", b.GetRawBytes(), MaxRawBytes)
	case uint32(count) > b.GetRawBytes():
		return Unpacked{}, fmt.Errorf("%d records do not fit into %d bytes", count, b.GetRawBytes())
	case len(b.GetDigestBefore()) != 32 || len(b.GetDigestAfter()) != 32:
		return Unpacked{}, errors.New("a digest is not 32 bytes long")
	case crc32.Checksum(b.GetRecords(), castagnoli) != b.GetCrc32C():
		return Unpacked{}, errors.New("checksum differs: damaged on the way")
	}
	copy(before[:], b.GetDigestBefore())
	copy(after[:], b.GetDigestAfter())

	raw, err := u.zstd.DecodeAll(b.GetRecords(), make([]byte, 0, b.GetRawBytes()))
	if err != nil {
		return Unpacked{}, fmt.Errorf("decompress: %w", err)
	}
	if len(raw) != int(b.GetRawBytes()) {
		return Unpacked{}, fmt.Errorf("%d bytes after decompression, not %d", len(raw), b.GetRawBytes())
	}
	got := Unpacked{Records: make([][]byte, 0, count), Before: before, Digests: make([][32]byte, 0, count)}
	digest := before
	for len(raw) > 0 {
		if len(got.Records) == count {
			return Unpacked{}, fmt.Errorf("more than the stated %d records", count)
		}
		record, n := protowire.ConsumeBytes(raw)
		if n < 0 {
			return Unpacked{}, fmt.Errorf("record %d: %w", len(got.Records)+1, protowire.ParseError(n))
		}
		raw = raw[n:]
		digest = Next(digest, record)
		got.Records, got.Digests = append(got.Records, record), append(got.Digests, digest)
	}
	if len(got.Records) != count {
		return Unpacked{}, fmt.Errorf("%d records, not the stated %d", len(got.Records), count)
	}
	if digest != after {
		return Unpacked{}, errors.New("the records do not lead to the stated digest")
	}
	return got, nil
}
