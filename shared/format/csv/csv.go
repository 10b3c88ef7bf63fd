// Package csv reads records of delimited text as tills write it: with or
// without quotes, with line breaks inside quotes, CRLF or LF, and with quotes in
// the middle of a field that mean nothing.
//
// It differs from encoding/csv where files from outside need it: a record has a
// limit, so that one endless line does not fill the memory; after a record that
// cannot be read the next line is; each record says which bytes it came from;
// and a record that is cut off at the end of the file is told from a whole one.
package csv

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/text"
)

// Dialect is how a file is written.
type Dialect struct {
	Delimiter byte
	Quote     byte // 0: quotes mean nothing
	MaxRecord int  // bytes; 0 is format.MaxRecord
}

// Record is one record. Raw is valid until the next call of Next.
type Record struct {
	Fields     []string
	Raw        []byte
	Start, End int64 // in the file
	Line       int   // of its first line, 1-based
	// Cut is set when the file ends before the record's line break: it may not
	// be whole yet.
	Cut bool
}

// Reader reads records. Blank lines are passed over.
type Reader struct {
	text    *text.Reader
	window  *text.Window
	dialect Dialect
	pending int // bytes of the record that was returned last
	fields  []string
}

// New reads the text from where it stands.
func New(t *text.Reader, d Dialect) *Reader {
	if d.MaxRecord == 0 {
		d.MaxRecord = format.MaxRecord
	}
	return &Reader{text: t, window: text.NewWindow(t, d.MaxRecord), dialect: d}
}

// Next returns the next record, or io.EOF. An error that is a *format.Refusal
// gives up one record, whose place is in Record; the next call goes on behind
// it. Any other error is that of the input.
func (r *Reader) Next() (Record, error) {
	for {
		r.window.Advance(r.pending)
		r.pending = 0
		end, next, cut, err := r.frame()
		if errors.Is(err, text.ErrTooLong) || errors.Is(err, errOpenQuote) {
			return r.giveUp(err)
		}
		if err != nil {
			return Record{}, err
		}
		raw := r.window.Bytes()[:end]
		r.pending = next
		if len(bytes.TrimRight(raw, "\r")) == 0 {
			continue
		}
		record := Record{Raw: raw, Line: r.window.Line(0), Cut: cut,
			Start: r.text.Raw(r.window.Offset()), End: r.text.Raw(r.window.Offset() + int64(next))}
		legacy, bad, ok := r.text.Valid(raw)
		record.Fields = r.split(text.String(raw, legacy))
		if !ok {
			at := r.text.Raw(r.window.Offset() + int64(bad))
			return record, &format.Refusal{Code: format.BadEncoding, Line: r.window.Line(bad), Byte: at,
				Reason: "bytes that are not in the file's encoding; set the encoding in the recipe or for the source"}
		}
		return record, nil
	}
}

var errOpenQuote = errors.New("a quote is opened and not closed")

// frame finds where the record ends and where the next begins.
func (r *Reader) frame() (end, next int, cut bool, err error) {
	quotes := quotes{dialect: r.dialect, start: true}
	for from := 0; ; {
		lf, err := r.window.Find(from, '\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, false, err
		}
		atEnd := err != nil
		if atEnd && r.window.Len() == 0 {
			return 0, 0, false, io.EOF
		}
		quotes.read(r.window.Bytes()[from:lf])
		switch {
		case quotes.open && atEnd:
			return 0, 0, false, errOpenQuote
		case quotes.open:
			from = lf + 1
			continue
		case atEnd:
			return lf, lf, true, nil
		}
		return lf, lf + 1, false, nil
	}
}

// quotes follows a record line by line and knows whether a quote is open.
type quotes struct {
	dialect Dialect
	open    bool
	start   bool // at the start of a field
}

// read takes one line without its line break.
func (q *quotes) read(line []byte) {
	d := q.dialect
	if d.Quote == 0 || !q.open && bytes.IndexByte(line, d.Quote) < 0 {
		return
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case q.open && c == d.Quote:
			switch {
			case i+1 < len(line) && line[i+1] == d.Quote:
				i++
			case i+1 == len(line) || line[i+1] == d.Delimiter || line[i+1] == '\r':
				q.open = false
			} // else a quote that was not doubled: text
		case q.open:
		case c == d.Quote && q.start:
			q.open, q.start = true, false
		case c == d.Delimiter:
			q.start = true
		default:
			q.start = false
		}
	}
}

// split cuts a record into fields. The slice is used again for the next.
func (r *Reader) split(s string) []string {
	d := r.dialect
	r.fields = r.fields[:0]
	s = strings.TrimSuffix(s, "\r")
	for {
		if d.Quote != 0 && s != "" && s[0] == d.Quote {
			field, rest, more := unquote(s[1:], d)
			r.fields = append(r.fields, field)
			if !more {
				return r.fields
			}
			s = rest
			continue
		}
		i := strings.IndexByte(s, d.Delimiter)
		if i < 0 {
			r.fields = append(r.fields, s)
			return r.fields
		}
		r.fields = append(r.fields, s[:i])
		s = s[i+1:]
	}
}

// unquote reads a quoted field whose opening quote is gone.
func unquote(s string, d Dialect) (field, rest string, more bool) {
	var b strings.Builder
	for from := 0; ; {
		i := strings.IndexByte(s[from:], d.Quote)
		if i < 0 { // not closed; frame has seen to it that this is broken anyway
			b.WriteString(s[from:])
			return b.String(), "", false
		}
		i += from
		switch {
		case i+1 < len(s) && s[i+1] == d.Quote:
			b.WriteString(s[from : i+1])
			from = i + 2
		case i+1 == len(s):
			b.WriteString(s[from:i])
			return b.String(), "", false
		case s[i+1] == d.Delimiter:
			b.WriteString(s[from:i])
			return b.String(), s[i+2:], true
		default:
			b.WriteString(s[from : i+1])
			from = i + 1
		}
	}
}

// giveUp passes over the rest of the line that cannot be read, and keeps
// nothing of it but its beginning.
func (r *Reader) giveUp(cause error) (Record, error) {
	record := Record{Start: r.text.Raw(r.window.Offset()), Line: r.window.Line(0)}
	refusal := &format.Refusal{Code: format.TooLong, Line: record.Line, Byte: record.Start,
		Reason: "the line is too long (more than " + size(r.dialect.MaxRecord) + ")"}
	if errors.Is(cause, errOpenQuote) {
		refusal.Code, refusal.Reason, record.Cut = format.Malformed, errOpenQuote.Error(), true
	}
	held := r.window.Bytes()
	if lf := bytes.IndexByte(held, '\n'); lf >= 0 {
		if refusal.Code == format.TooLong {
			refusal.Reason += "; a quote may be open"
		}
		record.Raw = bytes.Clone(held[:lf])
		r.window.Advance(lf + 1)
	} else {
		record.Raw = bytes.Clone(held[:min(len(held), format.MaxRaw)])
		for {
			r.window.Advance(r.window.Len())
			err := r.window.Fill()
			if errors.Is(err, io.EOF) {
				record.Cut = true
				break
			}
			if err != nil {
				return record, err
			}
			if lf := bytes.IndexByte(r.window.Bytes(), '\n'); lf >= 0 {
				r.window.Advance(lf + 1)
				break
			}
		}
	}
	record.End = r.text.Raw(r.window.Offset())
	return record, refusal
}

func size(n int) string {
	if n >= 1<<20 {
		return "1 MiB"
	}
	return "64 KiB"
}
