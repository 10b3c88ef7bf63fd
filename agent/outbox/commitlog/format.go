package commitlog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	"tillbook.example/tillbook/shared/wire"
)

// Version is the format version this package writes; it reads this and older.
const Version = 1

const (
	magic      = "TBOUTLOG"
	page       = 4096     // a header copy has a page of its own, so that one bad sector cannot take both
	dataStart  = 2 * page // where frames begin
	headerSize = 116
	frameHead  = 16
	bodyHead   = 44 // first number, count, digest before
	alignment  = 8

	kindGroup    = 1 // records and changes of state
	kindSnapshot = 2 // records and the whole state: the first frame of each segment
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header begins a segment. Salt is random, and every frame's checksum depends
// on it, so that neither stale blocks nor bytes inside a record pass for a frame.
type header struct {
	id     uint64
	size   int64 // of the file
	salt   uint64
	first  uint64   // number of the first record, if it has one
	prev   link     // the segment this one continues; ids between are void
	skip   link     // what prev continues, if prev has no records and so may be gone
	digest [32]byte // chained digest before first
}

// link names a segment and where its valid frames end; id 0: none.
type link struct {
	id  uint64
	end int64
}

// encode returns the first dataStart bytes of a segment.
func (h header) encode() []byte {
	b := make([]byte, 0, dataStart)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint32(b, Version)
	b = binary.BigEndian.AppendUint32(b, 0)
	for _, v := range []uint64{h.id, uint64(h.size), h.salt, h.first, h.prev.id, uint64(h.prev.end), h.skip.id, uint64(h.skip.end)} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	b = append(b, h.digest[:]...)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	b = slices.Grow(b, dataStart)[:dataStart]
	copy(b[page:], b[:headerSize])
	return b
}

type headerState int

const (
	headerBlank headerState = iota // zeros: prepared, never begun
	headerBad
	headerGood
)

// decodeHeader reads the header from the first dataStart bytes of a segment
// (fewer where the file is shorter). The error is ErrVersion or nil.
func decodeHeader(b []byte) (header, headerState, error) {
	state := headerBlank
	for _, at := range []int{0, page} {
		if len(b) < at+headerSize {
			break
		}
		c := b[at : at+headerSize]
		if blank(c) {
			continue
		}
		state = headerBad
		sum := headerSize - 4
		if string(c[:8]) != magic || binary.BigEndian.Uint32(c[sum:]) != crc32.Checksum(c[:sum], castagnoli) {
			continue
		}
		if v := binary.BigEndian.Uint32(c[8:]); v != Version {
			return header{}, headerBad, fmt.Errorf("format version %d, this program reads %d: %w", v, Version, ErrVersion)
		}
		var v [8]uint64
		for i := range v {
			v[i] = binary.BigEndian.Uint64(c[16+8*i:])
		}
		h := header{
			id: v[0], size: int64(v[1]), salt: v[2], first: v[3],
			prev: link{v[4], int64(v[5])}, skip: link{v[6], int64(v[7])},
		}
		copy(h.digest[:], c[80:])
		if h.size < minSegment || h.size > maxSegment || h.first == 0 || !h.prev.before(h.id) || !h.skip.before(h.id) {
			continue
		}
		return h, headerGood, nil
	}
	return header{}, state, nil
}

func (l link) before(id uint64) bool { return l.id < id && l.end >= 0 && l.end <= maxSegment }

func blank(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func (h header) marker() uint32 { return uint32(h.salt) }

// checksum covers where a frame stands, its length, its kind and its body.
func (h header) checksum(off int64, frame []byte) uint32 {
	var seed [24]byte
	binary.BigEndian.PutUint64(seed[0:], h.salt)
	binary.BigEndian.PutUint64(seed[8:], h.id)
	binary.BigEndian.PutUint64(seed[16:], uint64(off))
	c := crc32.Update(0, castagnoli, seed[:])
	c = crc32.Update(c, castagnoli, frame[4:8])
	return crc32.Update(c, castagnoli, frame[12:])
}

// seal fills the head of a frame for its place. The frame is frameHead bytes
// and the body, without padding.
func (h header) seal(off int64, kind byte, frame []byte) {
	binary.BigEndian.PutUint32(frame[0:], h.marker())
	binary.BigEndian.PutUint32(frame[4:], uint32(len(frame)-frameHead))
	frame[12], frame[13], frame[14], frame[15] = kind, 0, 0, 0
	binary.BigEndian.PutUint32(frame[8:], h.checksum(off, frame))
}

// padded is the room a frame of n bytes takes.
func padded(n int64) int64 { return (n + alignment - 1) &^ (alignment - 1) }

// frame is one decoded frame. Its byte slices are those of the body.
type frame struct {
	kind    byte
	first   uint64 // number of records[0]; for a frame without records the number that comes next
	before  [32]byte
	after   [32]byte
	records []Record
	state   []change
}

// change sets a key of the state, or deletes it where value is nil.
type change struct {
	key   string
	value []byte
}

// next is the number after the frame's records.
func (f *frame) next() uint64 { return f.first + uint64(len(f.records)) }

// decodeFrame checks the frame that begins at b[0] and stands at off. ok is
// false for anything but a whole, unharmed frame of this segment.
func decodeFrame(h header, off int64, b []byte) (f frame, length int, ok bool) {
	if len(b) < frameHead+bodyHead || binary.BigEndian.Uint32(b) != h.marker() {
		return f, 0, false
	}
	n := binary.BigEndian.Uint32(b[4:])
	if n < bodyHead || int64(n) > int64(len(b)-frameHead) {
		return f, 0, false
	}
	length = frameHead + int(n)
	if binary.BigEndian.Uint32(b[8:]) != h.checksum(off, b[:length]) {
		return f, 0, false
	}
	f, ok = decodeBody(b[12], b[frameHead:length])
	return f, length, ok
}

func decodeBody(kind byte, b []byte) (f frame, ok bool) {
	if kind != kindGroup && kind != kindSnapshot || len(b) < bodyHead {
		return f, false
	}
	f.kind = kind
	f.first = binary.BigEndian.Uint64(b)
	count := binary.BigEndian.Uint32(b[8:])
	copy(f.before[:], b[12:])
	p := parser{rest: b[bodyHead:], ok: true}
	if uint64(count) > uint64(len(p.rest)/3) || f.first == 0 || f.first+uint64(count) < f.first {
		return f, false // a record takes three bytes or more
	}
	f.after = f.before
	f.records = make([]Record, 0, min(count, 1024))
	for i := range uint64(count) {
		r := Record{Number: f.first + i, Key: string(p.bytes()), IdempotencyKey: string(p.bytes()), Bytes: p.bytes()}
		if !p.ok {
			return f, false
		}
		f.after = wire.Next(f.after, r.Bytes)
		r.Digest = f.after
		f.records = append(f.records, r)
	}
	changes := p.uvarint()
	if changes > uint64(len(p.rest)/2) {
		return f, false
	}
	for range changes {
		c := change{key: string(p.bytes())}
		if n := p.uvarint(); n > 0 {
			c.value = p.take(n - 1)
		}
		f.state = append(f.state, c)
	}
	return f, p.ok && len(p.rest) == 0
}

func appendRecord(b []byte, key, idempotency string, size int) []byte {
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	b = binary.AppendUvarint(b, uint64(len(idempotency)))
	b = append(b, idempotency...)
	return binary.AppendUvarint(b, uint64(size))
}

func appendChange(b []byte, c change) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.key)))
	b = append(b, c.key...)
	if c.value == nil {
		return binary.AppendUvarint(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(c.value))+1)
	return append(b, c.value...)
}

// appendBodyHead begins a frame whose head is filled in by seal.
func appendBodyHead(b []byte, first uint64, count uint32, before [32]byte) []byte {
	b = append(b, make([]byte, frameHead)...)
	b = binary.BigEndian.AppendUint64(b, first)
	b = binary.BigEndian.AppendUint32(b, count)
	return append(b, before[:]...)
}

// parser takes fields off a body; ok turns false at the first that is not there.
type parser struct {
	rest []byte
	ok   bool
}

func (p *parser) uvarint() uint64 {
	v, n := binary.Uvarint(p.rest)
	if n <= 0 {
		p.rest, p.ok = nil, false
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

func (p *parser) take(n uint64) []byte {
	if n > uint64(len(p.rest)) {
		p.rest, p.ok = nil, false
		return nil
	}
	b := p.rest[:n:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) bytes() []byte { return p.take(p.uvarint()) }
