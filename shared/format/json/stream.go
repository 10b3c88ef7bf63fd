// Package json cuts JSON files into values: one file may be a list, an object
// with a list somewhere in it, or values one after another, a line each or not.
//
// The file is streamed and one value is held at a time. A value that is not
// well-formed is refused and those after it are read, as long as its brackets
// tell where it ends. Documents reads Tillbook's own documents this way.
package json

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/text"
)

// Value is one value of a stream. Raw is valid until the next call of Next.
type Value struct {
	Raw        []byte
	Start, End int64 // in the file
	Line       int
}

// Stream finds the values of one input.
type Stream struct {
	text    *text.Reader
	window  *text.Window
	path    []string // to the list, outermost first
	pending int
	open    int  // containers around the values
	resumed bool // it began in the middle
	done    bool
}

// Open begins to read. Path, such as "data.orders", leads to the list whose
// elements are the values; where it is empty they are the elements of the
// outermost list, or else the outermost values. A failure to read the first
// bytes is returned; a file that is not JSON is refused by Next.
func Open(src io.Reader, path string, o format.Options) (*Stream, error) {
	t, err := text.Open(src, o.Encoding, nil)
	if err != nil {
		return nil, err
	}
	s := &Stream{text: t}
	if path != "" {
		s.path = strings.Split(path, ".")
	}
	if o.Resume > 0 {
		// Whether a list is open there is for the file's first byte to say.
		head := bytes.TrimLeft(t.Head(), " \t\r\n")
		if len(s.path) > 0 || len(head) > 0 && head[0] == '[' {
			s.open = 1
		}
		if err := t.SkipTo(o.Resume); err != nil {
			return nil, err
		}
		s.resumed = true
	}
	s.window = text.NewWindow(t, format.MaxRecord)
	return s, nil
}

// Next returns the next value, or io.EOF. An error that is a *format.Refusal
// gives up one value, whose place is in Value. Any other error is that of the
// input.
func (s *Stream) Next() (Value, error) {
	if s.done {
		return Value{}, io.EOF
	}
	if kind := text.Kind(s.text.Head()); kind != "" && !s.resumed && s.window.Offset() == 0 {
		s.done = true
		return Value{}, &format.Refusal{Code: format.WrongFormat, Reason: "not JSON: this is " + kind}
	}
	s.window.Advance(s.pending)
	s.pending = 0
	if s.window.Offset() == 0 && !s.resumed {
		if err := s.enter(); err != nil {
			return s.end(err)
		}
	}
	for {
		b, err := s.skipSpace()
		if errors.Is(err, io.EOF) {
			s.done = true
			if s.open > 0 {
				return s.end(&format.Refusal{Code: format.Incomplete, Reason: "the file ends inside its list"})
			}
			return Value{}, io.EOF
		}
		if err != nil {
			return s.end(err)
		}
		switch b {
		case ',':
			s.window.Advance(1)
			continue
		case ']', '}':
			if s.open == 0 {
				return s.end(&format.Refusal{Code: format.Malformed, Reason: fmt.Sprintf("%q closes nothing", b)})
			}
			if b == ']' {
				s.open = 0
				if len(s.path) > 0 { // what follows the list is not looked at
					s.done = true
					return Value{}, io.EOF
				}
			}
			s.window.Advance(1)
			continue
		}
		end, err := s.value(0)
		if err != nil {
			return s.end(err)
		}
		end = max(end, 1)
		v := Value{Raw: s.window.Bytes()[:end], Line: s.line(0),
			Start: s.text.Raw(s.window.Offset()), End: s.text.Raw(s.window.Offset() + int64(end))}
		s.pending = end
		if _, bad, ok := s.text.Valid(v.Raw); !ok {
			at := s.text.Raw(s.window.Offset() + int64(bad))
			return v, &format.Refusal{Code: format.BadEncoding, Line: s.line(bad), Byte: at, Reason: "bytes that are not in the file's encoding"}
		}
		if !json.Valid(v.Raw) {
			return v, &format.Refusal{Code: format.Malformed, Line: v.Line, Byte: v.Start, Reason: "not well-formed JSON"}
		}
		return v, nil
	}
}

// enter moves to the first value.
func (s *Stream) enter() error {
	b, err := s.skipSpace()
	if errors.Is(err, io.EOF) {
		return &format.Refusal{Code: format.Incomplete, Reason: "there is nothing in it yet"}
	}
	if err != nil {
		return err
	}
	switch {
	case len(s.path) > 0:
		return s.follow()
	case b == '[':
		s.open = 1
		s.window.Advance(1)
	case b != '{':
		return &format.Refusal{Code: format.WrongFormat, Reason: "not JSON: it begins with neither a list nor an object"}
	}
	return nil
}

// follow walks the path to its list.
func (s *Stream) follow() error {
	for i, name := range s.path {
		b, err := s.skipSpace()
		if err != nil {
			return incomplete(err)
		}
		if b != '{' {
			return &format.Refusal{Code: format.WrongFormat, Reason: fmt.Sprintf("%s is not in an object", strings.Join(s.path[:i+1], "."))}
		}
		s.window.Advance(1)
		if err := s.member(name); err != nil {
			return err
		}
	}
	b, err := s.skipSpace()
	if err != nil {
		return incomplete(err)
	}
	if b != '[' {
		return &format.Refusal{Code: format.WrongFormat, Reason: strings.Join(s.path, ".") + " is not a list"}
	}
	s.open = 1
	s.window.Advance(1)
	return nil
}

// member moves to the value of a name in the object whose brace is gone.
func (s *Stream) member(name string) error {
	for {
		b, err := s.skipSpace()
		if err != nil {
			return incomplete(err)
		}
		switch b {
		case ',':
			s.window.Advance(1)
			continue
		case '}':
			return &format.Refusal{Code: format.WrongFormat, Reason: "there is no " + name + " in it"}
		case '"':
		default:
			return &format.Refusal{Code: format.Malformed, Reason: "not well-formed JSON"}
		}
		end, err := s.value(0)
		if err != nil {
			return incomplete(err)
		}
		var key string
		if err := json.Unmarshal(s.window.Bytes()[:end], &key); err != nil {
			return &format.Refusal{Code: format.Malformed, Reason: "not well-formed JSON"}
		}
		s.window.Advance(end)
		if b, err = s.skipSpace(); err != nil {
			return incomplete(err)
		}
		if b != ':' {
			return &format.Refusal{Code: format.Malformed, Reason: "not well-formed JSON"}
		}
		s.window.Advance(1)
		if _, err = s.skipSpace(); err != nil {
			return incomplete(err)
		}
		if key == name {
			return nil
		}
		if end, err = s.value(0); err != nil {
			return incomplete(err)
		}
		s.window.Advance(end)
	}
}

func incomplete(err error) error {
	if errors.Is(err, io.EOF) {
		return &format.Refusal{Code: format.Incomplete, Reason: "the file ends before its list"}
	}
	return err
}

// skipSpace moves the window to the next byte that is no white space.
func (s *Stream) skipSpace() (byte, error) {
	for {
		b, err := s.window.At(0)
		if err != nil {
			return 0, err
		}
		if b != ' ' && b != '\n' && b != '\r' && b != '\t' {
			return b, nil
		}
		s.window.Advance(1)
	}
}

// value returns where the value ends that begins at the given place. It goes by
// brackets and quotes alone.
func (s *Stream) value(at int) (int, error) {
	depth := 0
	for i := at; ; {
		b, err := s.window.At(i)
		if errors.Is(err, io.EOF) && depth == 0 && i > at {
			return i, nil // a bare word or number at the end of the file
		}
		if err != nil {
			return i, err
		}
		switch b {
		case '{', '[':
			if depth++; depth > format.MaxDepth {
				return i, &format.Refusal{Code: format.TooLong, Reason: fmt.Sprintf("more than %d values inside each other", format.MaxDepth)}
			}
		case '}', ']':
			if depth == 0 {
				return i, nil
			}
			if depth--; depth == 0 {
				return i + 1, nil
			}
		case '"':
			for i++; ; i++ {
				if b, err = s.window.At(i); err != nil {
					return i, err
				}
				if b == '\\' {
					i++
				} else if b == '"' {
					break
				}
			}
			if depth == 0 {
				return i + 1, nil
			}
		case ',', ' ', '\n', '\r', '\t', ':':
			if depth == 0 {
				return i, nil
			}
		}
		i++
	}
}

// line is the line of a place; 0 where reading began in the middle.
func (s *Stream) line(at int) int {
	if s.resumed {
		return 0
	}
	return s.window.Line(at)
}

// end gives up the rest of the input.
func (s *Stream) end(err error) (Value, error) {
	s.done = true
	start := s.text.Raw(s.window.Offset())
	v := Value{Start: start, End: start, Line: s.line(0), Raw: bytes.Clone(s.window.Bytes()[:min(s.window.Len(), format.MaxRaw)])}
	var refusal *format.Refusal
	switch {
	case errors.Is(err, io.EOF):
		refusal = &format.Refusal{Code: format.Incomplete, Reason: "the file ends inside a value"}
	case errors.Is(err, text.ErrTooLong):
		refusal = &format.Refusal{Code: format.TooLong, Reason: "a value of more than 1 MiB; what follows it is not read"}
	case errors.As(err, &refusal):
	default:
		return Value{}, err
	}
	refusal.Line, refusal.Byte = v.Line, v.Start
	if refusal.Code != format.Incomplete {
		v.End = s.text.Raw(s.window.Offset() + int64(s.window.Len()))
	}
	return v, refusal
}
