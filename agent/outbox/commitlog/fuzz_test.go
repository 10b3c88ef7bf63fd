package commitlog

import (
	"bytes"
	"path/filepath"
	"testing"

	"tillbook.example/tillbook/agent/outbox/file/filetest"
)

// FuzzFrame decodes arbitrary bodies whose checksum is right: whatever is taken
// for a frame must be one that is written the same way again.
func FuzzFrame(f *testing.F) {
	body := appendBodyHead(nil, 7, 1, [32]byte{1})
	body = appendRecord(body, "key", "idempotency", 3)
	body = append(body, "abc"...)
	body = appendState(body, map[string][]byte{"k": []byte("v"), "gone": nil})
	f.Add(byte(kindGroup), body[frameHead:])
	f.Add(byte(kindSnapshot), body[frameHead:])
	f.Add(byte(3), []byte{})
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		h := header{id: 3, salt: 0xfeedface, size: testSegment, first: 1}
		b := append(make([]byte, frameHead), body...)
		h.seal(dataStart, kind, b)
		got, length, ok := decodeFrame(h, dataStart, b)
		if _, _, elsewhere := decodeFrame(h, dataStart+alignment, b); elsewhere {
			t.Error("the frame counts at another place too")
		}
		if !ok {
			return
		}
		if length != len(b) || got.next() < got.first {
			t.Errorf("%d of %d bytes, numbers %d to %d", length, len(b), got.first, got.next())
		}
		again := appendBodyHead(nil, got.first, uint32(len(got.records)), got.before)
		for _, r := range got.records {
			again = append(appendRecord(again, r.Key, r.IdempotencyKey, len(r.Bytes)), r.Bytes...)
		}
		state := map[string][]byte{}
		for _, c := range got.state {
			state[c.key] = c.value
		}
		if len(state) < len(got.state) {
			return // a key twice: not what is written, but harmless
		}
		again = appendState(again, state)
		if len(again) > len(b) {
			t.Errorf("%d bytes decode to what takes %d", len(b), len(again))
		}
	})
}

// FuzzOpen opens a log with arbitrary bytes in its last segment: it must open,
// take a record, and have it when opened again.
func FuzzOpen(f *testing.F) {
	whole := newSample(f, 3)
	name := filepath.Join("log", segmentName(1))
	b := whole.disk.Bytes(name)
	f.Add(uint16(dataStart), b[dataStart:dataStart+400])
	f.Add(uint16(0), make([]byte, headerSize))
	f.Add(uint16(page), bytes.Repeat([]byte{0xFF}, 300))
	f.Fuzz(func(t *testing.T, at uint16, junk []byte) {
		s := whole.copy()
		s.disk = filetest.New(1)
		s.disk.Put(name, overwriteAt(b, int(at), junk))
		l := s.open(t)
		look(t, l)
		g := l.Begin()
		n, _ := g.Add("", "", []byte("new"))
		if err := l.Commit(g); err != nil {
			t.Fatal(err)
		}
		o := look(t, s.open(t))
		if o.read[n] != "new" || o.next != n+1 {
			t.Errorf("record %d reads %q, next %d", n, o.read[n], o.next)
		}
	})
}

func overwriteAt(b []byte, at int, junk []byte) []byte {
	b = bytes.Clone(b)
	if at < len(b) {
		copy(b[at:], junk)
	}
	return b
}
