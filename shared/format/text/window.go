package text

import (
	"bytes"
	"errors"
	"io"
)

// ErrTooLong is returned when a record grows beyond a Window's limit.
var ErrTooLong = errors.New("too long")

// Window is a stretch of a stream that is held while a record is looked for: it
// begins where the record does and grows at its end. Places are counted from
// the beginning.
type Window struct {
	src   io.Reader
	limit int
	buf   []byte
	begin int   // where the window begins in buf
	base  int64 // offset in the text of the beginning
	lines int   // line breaks before the beginning
	err   error // of src
}

// NewWindow returns an empty window on a stream that grows to at most limit
// bytes, and one read more; a place beyond the limit is ErrTooLong either way.
func NewWindow(src io.Reader, limit int) *Window { return &Window{src: src, limit: limit} }

// Bytes is what is held. It is valid until the next call of another method.
func (w *Window) Bytes() []byte { return w.buf[w.begin:] }

// Len is how much is held.
func (w *Window) Len() int { return len(w.buf) - w.begin }

// Offset is where in the text the window begins.
func (w *Window) Offset() int64 { return w.base }

// Line returns the 1-based line of a place.
func (w *Window) Line(at int) int {
	return w.lines + 1 + bytes.Count(w.Bytes()[:min(at, w.Len())], []byte{'\n'})
}

// Advance moves the beginning over n bytes that are done with.
func (w *Window) Advance(n int) {
	w.lines += bytes.Count(w.Bytes()[:n], []byte{'\n'})
	w.begin += n
	w.base += int64(n)
}

// At returns one byte. At the end of the stream the error is io.EOF.
func (w *Window) At(i int) (byte, error) {
	if i > w.limit {
		return 0, ErrTooLong
	}
	for i >= w.Len() {
		if err := w.More(); err != nil {
			return 0, err
		}
	}
	return w.buf[w.begin+i], nil
}

// Find returns the place of a byte at or after from. If the stream ends or the
// limit is reached before it, the place is the end of what is held.
func (w *Window) Find(from int, b byte) (int, error) {
	for {
		if i := bytes.IndexByte(w.Bytes()[from:], b); i >= 0 {
			if from+i > w.limit {
				return w.limit, ErrTooLong
			}
			return from + i, nil
		}
		from = w.Len()
		if err := w.More(); err != nil {
			return from, err
		}
	}
}

// Has reports whether the text at a place goes on with these bytes.
func (w *Window) Has(at int, want string) (bool, error) {
	for i := range len(want) {
		b, err := w.At(at + i)
		if err != nil || b != want[i] {
			return false, err
		}
	}
	return true, nil
}

// More reads on, unless the window has reached its limit: then it returns
// ErrTooLong.
func (w *Window) More() error {
	if w.Len() > w.limit {
		return ErrTooLong
	}
	return w.Fill()
}

// Fill reads on, whatever the limit.
func (w *Window) Fill() error {
	if w.err != nil {
		return w.err
	}
	if w.begin > 0 && len(w.buf) == cap(w.buf) {
		w.buf = w.buf[:copy(w.buf, w.buf[w.begin:])]
		w.begin = 0
	}
	if len(w.buf) == cap(w.buf) {
		grown := make([]byte, len(w.buf), max(2*len(w.buf), 64<<10))
		copy(grown, w.buf)
		w.buf = grown
	}
	n, err := w.src.Read(w.buf[len(w.buf):cap(w.buf)])
	w.buf = w.buf[:len(w.buf)+n]
	if err != nil {
		w.err = err
		if n == 0 {
			return err
		}
	}
	return nil
}
