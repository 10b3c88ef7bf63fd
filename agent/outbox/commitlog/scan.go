package commitlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"tillbook.example/tillbook/agent/outbox/file"
)

// window reads a file through a buffer. A page that cannot be read although
// one of the header can is filled with 0xFF and so counts as damage; if neither
// header page can be read, the disk is gone and that is an error.
type window struct {
	f    file.File
	size int64
	off  int64
	buf  []byte
}

const windowBytes = 64 << 10

// bytes returns n bytes at off, fewer at the end of the file. They are valid
// until the next call.
func (w *window) bytes(off int64, n int) ([]byte, error) {
	if off >= w.size {
		return nil, nil
	}
	n = int(min(int64(n), w.size-off))
	if off >= w.off && off+int64(n) <= w.off+int64(len(w.buf)) {
		return w.buf[off-w.off:][:n], nil
	}
	want := int(min(int64(max(n, windowBytes)), w.size-off))
	if cap(w.buf) < want {
		w.buf = make([]byte, want)
	}
	w.buf, w.off = w.buf[:want], off
	if err := readPages(w.f, w.buf, off); err != nil {
		w.buf = w.buf[:0]
		return nil, err
	}
	return w.buf[:n], nil
}

func readPages(f file.File, b []byte, off int64) error {
	if readAt(f, b, off) == nil {
		return nil
	}
	for at := 0; at < len(b); at += page {
		p := b[at:min(at+page, len(b))]
		err := readAt(f, p, off+int64(at))
		for range 2 {
			if err == nil {
				break
			}
			err = readAt(f, p, off+int64(at))
		}
		if err == nil {
			continue
		}
		head := make([]byte, headerSize)
		if readAt(f, head, 0) != nil && readAt(f, head, page) != nil {
			return fmt.Errorf("read at %d: %w", off+int64(at), err)
		}
		for i := range p {
			p[i] = 0xFF
		}
	}
	return nil
}

// readAt fills b; what lies behind the end of the file reads as zeros.
func readAt(f file.File, b []byte, off int64) error {
	n, err := f.ReadAt(b, off)
	if n == len(b) || errors.Is(err, io.EOF) {
		clear(b[n:])
		return nil
	}
	return err
}

// scanner walks the frames of one segment and finds its feet again after
// damage.
type scanner struct {
	h      header
	w      window
	off    int64    // where the next frame should begin
	limit  int64    // frames end here at the latest
	next   uint64   // number expected next
	digest [32]byte // chain expected next
}

// step is what a scanner met: a frame, or damage, or the end.
type step struct {
	frame    *frame
	at, end  int64   // of the frame, end with padding
	damage   *Damage // before the frame, or up to the end
	tail     int64   // at the end: bytes after the last frame that are neither zero nor a frame
	finished bool
}

// step returns the next frame. Damage in front of it comes with it.
func (s *scanner) step() (step, error) {
	var out step
	f, length, err := s.try(s.off)
	if err != nil {
		return out, err
	}
	at := s.off
	if f == nil {
		at, f, length, err = s.resync(s.off + alignment)
		if err != nil {
			return out, err
		}
		if f == nil {
			out.finished = true
			out.tail, err = s.rubbish()
			return out, err
		}
		out.damage = &Damage{Segment: s.h.id, Offset: s.off, Bytes: at - s.off, Reason: "checksum"}
	}
	if f.first > s.next {
		if out.damage == nil {
			out.damage = &Damage{Segment: s.h.id, Offset: at, Reason: "numbers are missing"}
		}
		out.damage.First, out.damage.Last = s.next, f.first-1
	} else if f.before != s.digest && out.damage == nil {
		out.damage = &Damage{Segment: s.h.id, Offset: at, Reason: "digest does not continue"}
	}
	out.frame, out.at, out.end = f, at, at+padded(int64(length))
	s.off, s.next, s.digest = out.end, f.next(), f.after
	return out, nil
}

// try decodes the frame at off; nil if there is none.
func (s *scanner) try(off int64) (*frame, int, error) {
	if off+frameHead+bodyHead > s.limit {
		return nil, 0, nil
	}
	head, err := s.w.bytes(off, frameHead)
	if err != nil || len(head) < frameHead || binary.BigEndian.Uint32(head) != s.h.marker() {
		return nil, 0, err
	}
	n := int64(binary.BigEndian.Uint32(head[4:]))
	if n < bodyHead || off+frameHead+n > s.limit {
		return nil, 0, nil
	}
	b, err := s.w.bytes(off, int(frameHead+n))
	if err != nil {
		return nil, 0, err
	}
	f, length, ok := decodeFrame(s.h, off, b)
	if !ok || f.first < s.next {
		return nil, 0, nil
	}
	return &f, length, nil
}

// resync looks for the next whole frame at or after off.
func (s *scanner) resync(off int64) (int64, *frame, int, error) {
	var marker [4]byte
	binary.BigEndian.PutUint32(marker[:], s.h.marker())
	for off < s.limit {
		b, err := s.w.bytes(off, int(min(windowBytes, s.limit-off)))
		if err != nil || len(b) < len(marker) {
			return 0, nil, 0, err
		}
		i := bytes.Index(b, marker[:])
		if i < 0 {
			off += max(int64(len(b))&^(alignment-1), alignment)
			continue
		}
		at := (off + int64(i)) &^ (alignment - 1)
		if at == off+int64(i) {
			f, length, err := s.try(at)
			if f != nil || err != nil {
				return at, f, length, err
			}
		}
		off = at + alignment
	}
	return 0, nil, 0, nil
}

// rubbish returns how many bytes follow s.off up to the last that is not zero.
func (s *scanner) rubbish() (int64, error) {
	last := s.off
	for off := s.off; off < s.limit; {
		b, err := s.w.bytes(off, int(min(windowBytes, s.limit-off)))
		if err != nil {
			return 0, err
		}
		if len(b) == 0 {
			break
		}
		if trimmed := bytes.TrimRight(b, "\x00"); len(trimmed) > 0 {
			last = off + int64(len(trimmed))
		}
		off += int64(len(b))
	}
	return last - s.off, nil
}
