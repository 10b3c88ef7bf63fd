// Package text reads text files in the encodings that tills write, and keeps
// count of where in the file each piece of text stood.
//
// The encoding is the configured one; else that of a byte-order mark; else the
// declared one; else it is settled record by record: UTF-8 where the record is
// valid UTF-8, windows-1252 where it is not. The text that a Reader gives out is
// UTF-8, save for records in that last case, which Valid and String settle.
package text

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

const (
	headSize  = 4096
	chunkSize = 4096
	// keepChunks bounds the chunks kept for Raw: more than one record's worth.
	keepChunks = 3 << 20
)

// Reader gives out the text of a file.
type Reader struct {
	src    io.Reader
	head   []byte // raw bytes read but not yet given out
	start  int64  // raw offset of the text's offset 0
	name   string // of the encoding; empty: settled record by record
	codec  encoding.Encoding
	decode transform.Transformer
	auto   bool
	eof    error

	chunks  []chunk // oldest first; only where codec is set
	kept    int
	rawNext int64 // raw offset of head[0]
	out     []byte
	decoded int64
}

// chunk is a piece of decoded text and where it stood.
type chunk struct {
	at, raw int64
	text    []byte
}

// Open begins to read src. Declared, where not nil, looks for a declaration of
// the encoding in the first bytes of the file; an empty answer means none. An
// encoding that is not known is an error.
func Open(src io.Reader, configured string, declared func(head []byte) string) (*Reader, error) {
	r := &Reader{src: src}
	if err := r.peek(headSize); err != nil {
		return nil, err
	}
	name, mark := configured, 0
	bom, size := byteOrderMark(r.head)
	if bom != "" {
		mark = size
	}
	if name == "" || strings.EqualFold(name, "auto") {
		name = bom
	}
	if name == "" && declared != nil {
		name = declared(r.head)
	}
	if name == "" {
		r.auto = true
	} else if err := r.setCodec(name, r.head[mark:]); err != nil {
		return nil, err
	}
	if !r.auto {
		r.name = name
	}
	r.head = r.head[mark:]
	r.start, r.rawNext = int64(mark), int64(mark)
	return r, nil
}

// setCodec looks up an encoding. UTF-8 needs none.
func (r *Reader) setCodec(name string, head []byte) error {
	switch strings.ToLower(name) {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return nil
	case "utf-16", "utf16", "utf-16le", "utf-16be":
		// What says UTF-16 in plain single bytes is not: a common untruth of
		// exporters that write the declaration of the string they had in memory.
		if len(head) >= 2 && head[0] != 0 && head[1] != 0 {
			r.auto = true
			return nil
		}
		order := unicode.LittleEndian
		if strings.EqualFold(name, "utf-16be") || (len(head) >= 2 && head[0] == 0) {
			order = unicode.BigEndian
		}
		r.codec = unicode.UTF16(order, unicode.IgnoreBOM)
		return nil
	}
	codec, err := htmlindex.Get(name)
	if err != nil {
		codec, err = ianaindex.IANA.Encoding(name)
	}
	if err != nil || codec == nil {
		return fmt.Errorf("encoding %q is not known; use a name such as utf-8, windows-1252 or ibm850", name)
	}
	r.codec = codec
	return nil
}

// Encoding returns the name of the encoding that was found or configured; it is
// empty where it is settled record by record.
func (r *Reader) Encoding() string { return r.name }

// Head returns the first raw bytes of the file after a byte-order mark, at most
// a few thousand. Call it before Read.
func (r *Reader) Head() []byte { return r.head }

// SkipTo goes on at a raw offset that lies ahead; the text's offset 0 is there.
func (r *Reader) SkipTo(raw int64) error {
	behind := raw - r.rawNext
	switch {
	case behind < 0:
		s, ok := r.src.(io.Seeker)
		if !ok {
			return fmt.Errorf("go back to byte %d: the input cannot be sought", raw)
		}
		if _, err := s.Seek(raw, io.SeekStart); err != nil {
			return fmt.Errorf("go to byte %d: %w", raw, err)
		}
		r.head = nil
	case behind <= int64(len(r.head)):
		r.head = r.head[behind:]
	default:
		behind -= int64(len(r.head))
		r.head = nil
		if s, ok := r.src.(io.Seeker); ok {
			if _, err := s.Seek(raw, io.SeekStart); err != nil {
				return fmt.Errorf("go to byte %d: %w", raw, err)
			}
		} else if _, err := io.CopyN(io.Discard, r.src, behind); err != nil {
			return fmt.Errorf("go to byte %d: %w", raw, err)
		}
	}
	r.start, r.rawNext = raw, raw
	r.decode, r.chunks, r.kept, r.out, r.decoded, r.eof = nil, nil, 0, nil, 0, nil
	return nil
}

// Read gives out text.
func (r *Reader) Read(p []byte) (int, error) {
	if r.codec == nil {
		if len(r.head) > 0 {
			n := copy(p, r.head)
			r.head = r.head[n:]
			r.rawNext += int64(n)
			return n, nil
		}
		n, err := r.src.Read(p)
		r.rawNext += int64(n)
		return n, err
	}
	for len(r.out) == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// fill decodes the next chunk.
func (r *Reader) fill() error {
	if r.decode == nil {
		r.decode = r.codec.NewDecoder().Transformer
	}
	if len(r.head) < chunkSize && r.eof == nil {
		if err := r.peek(chunkSize); err != nil {
			return err
		}
	}
	if len(r.head) == 0 {
		return io.EOF
	}
	part := r.head[:min(len(r.head), chunkSize)]
	dst := make([]byte, 4*len(part)+16)
	n, used, err := r.decode.Transform(dst, part, r.eof != nil && len(part) == len(r.head))
	if err != nil && !errors.Is(err, transform.ErrShortSrc) {
		return fmt.Errorf("decode at byte %d: %w", r.rawNext, err)
	}
	if used == 0 { // a lone byte at the end
		dst, n, used = []byte("\uFFFD"), len("\uFFFD"), len(part)
	}
	c := chunk{at: r.decoded, raw: r.rawNext, text: dst[:n]}
	r.head = r.head[used:]
	r.rawNext += int64(used)
	r.decoded += int64(n)
	r.out = c.text
	r.chunks = append(r.chunks, c)
	for r.kept += n; r.kept > keepChunks; {
		r.kept -= len(r.chunks[0].text)
		r.chunks = r.chunks[1:]
	}
	return nil
}

// peek makes head at least n bytes long, unless the input ends.
func (r *Reader) peek(n int) error {
	for len(r.head) < n && r.eof == nil {
		buf := make([]byte, n-len(r.head))
		m, err := r.src.Read(buf)
		r.head = append(r.head[:len(r.head):len(r.head)], buf[:m]...)
		if errors.Is(err, io.EOF) {
			r.eof = err
		} else if err != nil {
			return err
		}
	}
	return nil
}

// Raw returns the offset in the file of an offset in the text. Text older than
// a few records is forgotten and gives an offset that is too late.
func (r *Reader) Raw(at int64) int64 {
	if r.codec == nil {
		return r.start + at
	}
	for i := len(r.chunks) - 1; i >= 0; i-- {
		c := r.chunks[i]
		if at < c.at && i > 0 {
			continue
		}
		before := c.text[:min(max(at-c.at, 0), int64(len(c.text)))]
		if encoded, err := r.codec.NewEncoder().Bytes(before); err == nil {
			return c.raw + int64(len(encoded))
		}
		encoded, err := encoding.ReplaceUnsupported(r.codec.NewEncoder()).Bytes(before)
		if err != nil {
			return c.raw
		}
		return c.raw + int64(len(encoded))
	}
	return r.start
}

// Valid reports whether a record's text is sound, and whether it is in
// windows-1252 rather than UTF-8 (then String must be used on its parts). Bad
// is the offset in the record of the first byte that no encoding explains.
func (r *Reader) Valid(record []byte) (legacy bool, bad int, ok bool) {
	if i := bytes.Index(record, []byte("\uFFFD")); i >= 0 {
		return false, i, false
	}
	if utf8.Valid(record) {
		return false, 0, true
	}
	if !r.auto {
		for i := 0; i < len(record); {
			c, size := utf8.DecodeRune(record[i:])
			if c == utf8.RuneError && size <= 1 {
				return false, i, false
			}
			i += size
		}
	}
	for i, b := range record {
		// Five bytes mean nothing in windows-1252.
		if b >= 0x80 && charmap.Windows1252.DecodeByte(b) == utf8.RuneError {
			return true, i, false
		}
	}
	return true, 0, true
}

// String returns a part of a record as a string; legacy as Valid said.
func String(part []byte, legacy bool) string {
	if !legacy {
		return string(part)
	}
	out := make([]byte, 0, len(part)+8)
	for _, b := range part {
		out = utf8.AppendRune(out, charmap.Windows1252.DecodeByte(b))
	}
	return string(out)
}

func byteOrderMark(head []byte) (name string, size int) {
	switch {
	case bytes.HasPrefix(head, []byte{0xEF, 0xBB, 0xBF}):
		return "utf-8", 3
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}):
		return "utf-16le", 2
	case bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		return "utf-16be", 2
	}
	return "", 0
}

// Kind names what a file is by its first bytes, for files that are not text at
// all; it is empty for text.
func Kind(head []byte) string {
	for _, k := range []struct{ magic, name string }{
		{"PK\x03\x04", "a zip archive"}, {"PK\x05\x06", "an empty zip archive"},
		{"\x1f\x8b", "a gzip archive"}, {"7z\xbc\xaf\x27\x1c", "a 7z archive"}, {"Rar!", "a rar archive"},
		{"BZh", "a bzip2 archive"}, {"\xfd7zXZ", "an xz archive"}, {"\x28\xb5\x2f\xfd", "a zstd archive"},
		{"%PDF", "a PDF"}, {"\xd0\xcf\x11\xe0", "an old Office file"}, {"SQLite format 3\x00", "a SQLite database"},
		{"\x89PNG", "a picture"}, {"MZ", "a Windows program"}, {"\x7fELF", "a program"},
	} {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return k.name
		}
	}
	return ""
}
