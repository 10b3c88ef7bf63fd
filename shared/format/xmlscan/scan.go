// Package xmlscan cuts large XML files into records and gives each as a small
// tree.
//
// It reads as a stream and holds one record at a time, at most the limit it is
// given. Elements and attributes are known by their local names: dialects
// declare the same elements under many prefixes and namespaces. It accepts
// elements, attributes, text, CDATA, comments, processing instructions and the
// five predefined entities; a document type declaration and every other entity
// is refused, so nothing is ever expanded. After a broken record it goes on at
// the next one. It does not validate and it does not resolve namespaces.
package xmlscan

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"tillbook.example/tillbook/shared/format/text"
)

// Errors of a record; see Error.
var (
	ErrIncomplete = errors.New("the file ends inside it")
	ErrMalformed  = errors.New("not well-formed")
	ErrTooLong    = text.ErrTooLong
	ErrDTD        = errors.New("document type declarations and entities are not accepted")
	ErrNotXML     = errors.New("not XML")
)

// Error says what is wrong and at which offset of the text.
type Error struct {
	Err error // one of the errors above, wrapped
	At  int64
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Limits bound what a Scanner holds.
type Limits struct {
	Record int // bytes of one record
	Depth  int // elements inside each other
}

// Scanner finds the records of one input.
type Scanner struct {
	window *text.Window // begins at the current record or token
	record []byte       // local name of a record's element
	limits Limits

	depth int    // elements open around records
	root  string // the outermost element's local name
	seen  bool   // some element was seen
	done  bool   // nothing more will come
	tree  Tree
}

// New returns a scanner for the records whose element has this local name. When
// reading is resumed in the middle of a file, inside says how many elements are
// open around the records.
func New(src io.Reader, record string, limits Limits, inside int) *Scanner {
	s := &Scanner{window: text.NewWindow(src, limits.Record), record: []byte(record), limits: limits, depth: inside, seen: inside > 0}
	s.tree.depth = limits.Depth
	return s
}

// Root returns the local name of the file's outermost element, once seen.
func (s *Scanner) Root() string { return s.root }

// Line returns the 1-based line of a position in the current record.
func (s *Scanner) Line(at int) int {
	return s.window.Line(at)
}

// Record is one record. Its tree and bytes are valid until the next call of Next.
type Record struct {
	Tree       *Tree
	Raw        []byte
	Start, End int64 // offsets in the text
	Line       int
}

// Next returns the next record. At the end of the text it returns io.EOF, or an
// Error with ErrIncomplete if a record or the root element is still open. After
// any other Error the next call goes on with the record after; Record says
// which bytes are given up (cut to the record limit). Other errors are those of
// the source.
func (s *Scanner) Next() (Record, error) {
	s.window.Advance(len(s.tree.raw))
	s.tree.raw = nil
	for !s.done {
		at, err := s.window.Find(0, '<')
		if errors.Is(err, io.EOF) {
			s.done = true
			return Record{Start: s.window.Offset(), End: s.window.Offset(), Line: s.window.Line(0)}, s.ended()
		} else if err != nil {
			if errors.Is(err, ErrTooLong) && !s.seen {
				return s.giveUp(&Error{ErrNotXML, s.window.Offset()})
			}
			return s.broken(0, err)
		}
		if !s.seen && len(bytes.TrimSpace(s.window.Bytes()[:at])) > 0 {
			return s.giveUp(&Error{ErrNotXML, s.window.Offset()})
		}
		s.window.Advance(at)
		tag, end, err := s.tag(0)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = ErrIncomplete
			}
			return s.broken(0, err)
		}
		switch tag {
		case startTag, emptyTag:
			name, _ := tagName(s.window.Bytes()[1:end])
			local := localName(name)
			if bytes.Equal(local, s.record) {
				s.seen = true
				return s.read(tag, end)
			}
			if !s.seen {
				s.root, s.seen = string(local), true
			}
			if tag == startTag {
				if s.depth++; s.depth > s.limits.Depth {
					return s.broken(0, fmt.Errorf("%w: more than %d elements inside each other", ErrTooLong, s.limits.Depth))
				}
			}
		case endTag:
			s.depth = max(0, s.depth-1)
		case docType:
			return s.giveUp(&Error{ErrDTD, s.window.Offset()})
		}
		s.window.Advance(end)
	}
	return Record{}, io.EOF
}

// ended says what the end of the text means.
func (s *Scanner) ended() error {
	switch {
	case s.depth > 0:
		return &Error{fmt.Errorf("%w: the closing tag of %s is missing", ErrIncomplete, s.outer()), s.window.Offset()}
	case !s.seen && len(bytes.TrimSpace(s.window.Bytes())) > 0:
		return &Error{ErrNotXML, s.window.Offset()}
	case !s.seen:
		return &Error{fmt.Errorf("%w: there is nothing in it yet", ErrIncomplete), s.window.Offset()}
	}
	return io.EOF
}

func (s *Scanner) outer() string {
	if s.root == "" {
		return "the root element"
	}
	return s.root
}

// read builds the tree of the record whose start tag is buf[begin:begin+end].
func (s *Scanner) read(first kind, end int) (Record, error) {
	t := &s.tree
	t.reset()
	if err := t.open(s.window.Bytes(), 0, end, first == emptyTag); err != nil {
		return s.broken(end, err)
	}
	for t.current != 0 {
		at, next, err := s.step(end)
		if errors.Is(err, io.EOF) {
			err = ErrIncomplete
		}
		if err != nil {
			return s.broken(at, err)
		}
		end = next
	}
	t.raw = s.window.Bytes()[:end]
	return Record{Tree: t, Raw: t.raw, Start: s.window.Offset(), End: s.window.Offset() + int64(end), Line: s.window.Line(0)}, nil
}

// step adds the text from the given place and the markup behind it to the
// tree. It returns where that markup stands and where it ends.
func (s *Scanner) step(from int) (at, end int, err error) {
	t := &s.tree
	if at, err = s.window.Find(from, '<'); err != nil {
		return at, at, err
	}
	if at > from {
		if err := t.addText(s.window.Bytes(), from, at, false); err != nil {
			return from, from, err
		}
	}
	tag, end, err := s.tag(at)
	if err != nil {
		return at, end, err
	}
	b := s.window.Bytes()
	switch tag {
	case startTag, emptyTag:
		if name, _ := tagName(b[at+1 : end]); bytes.Equal(localName(name), s.record) {
			return at, end, fmt.Errorf("%w: another %s begins inside it", ErrMalformed, s.record)
		}
		err = t.open(b, at, end, tag == emptyTag)
	case endTag:
		err = t.close(b, at, end)
	case cdata:
		err = t.addText(b, at+len("<![CDATA["), end-len("]]>"), true)
	case docType:
		err = ErrDTD
	}
	return at, end, err
}

// broken gives up a record that begins at buf[begin] and is wrong at the given
// place in it, and moves to the next record's start tag.
func (s *Scanner) broken(at int, err error) (Record, error) {
	var known bool
	for _, k := range []error{ErrIncomplete, ErrMalformed, ErrTooLong, ErrDTD, ErrNotXML} {
		known = known || errors.Is(err, k)
	}
	if !known {
		return Record{}, err
	}
	record := Record{Start: s.window.Offset(), End: s.window.Offset(), Line: s.window.Line(0)}
	record.Raw = bytes.Clone(s.window.Bytes()[:min(s.window.Len(), s.limits.Record)])
	wrong := &Error{err, s.window.Offset() + int64(at)}
	if errors.Is(err, ErrIncomplete) {
		s.done = true
		return record, wrong
	}
	if readErr := s.resync(max(at, 1)); readErr != nil {
		return Record{}, readErr
	}
	record.End = s.window.Offset()
	record.Raw = record.Raw[:min(int64(len(record.Raw)), record.End-record.Start)]
	return record, wrong
}

// giveUp ends the whole input.
func (s *Scanner) giveUp(err error) (Record, error) {
	record := Record{Start: s.window.Offset(), End: s.window.Offset(), Line: s.window.Line(0), Raw: bytes.Clone(s.window.Bytes())}
	s.done = true
	return record, err
}

// resync moves begin to the next start tag of a record that lies at or after
// from, or to the end of the text. It holds no more than a few bytes of what it
// passes.
func (s *Scanner) resync(from int) error {
	const keep = 128 // the longest prefix of a name that is looked for
	for {
		window := s.window.Bytes()
		for i := from; i < len(window); {
			j := bytes.Index(window[i:], s.record)
			if j < 0 {
				break
			}
			i += j + len(s.record)
			if i >= len(window) {
				break
			}
			if lt := recordTag(window[:i-len(s.record)], window[i]); lt >= from {
				s.window.Advance(lt)
				return nil
			}
		}
		if s.root != "" && s.depth > 0 && closesRoot(window, s.root) {
			s.depth = 0
		}
		if past := len(window) - keep; past > 0 {
			s.window.Advance(past)
			from = max(0, from-past)
		}
		if err := s.window.Fill(); errors.Is(err, io.EOF) {
			s.window.Advance(s.window.Len())
			return nil
		} else if err != nil {
			return err
		}
	}
}

// recordTag returns where '<' stands if before ends in "<" or "<prefix:" and
// the byte after the name may follow one; else -1.
func recordTag(before []byte, after byte) int {
	if after != '>' && after != '/' && !isSpace(after) {
		return -1
	}
	lt := bytes.LastIndexByte(before, '<')
	if lt < 0 {
		return -1
	}
	prefix := before[lt+1:]
	if len(prefix) == 0 {
		return lt
	}
	if prefix[0] == '/' || prefix[len(prefix)-1] != ':' || len(prefix) > 100 || bytes.ContainsAny(prefix, " \t\r\n>\"'") {
		return -1
	}
	return lt
}

func closesRoot(window []byte, root string) bool {
	i := bytes.LastIndex(window, []byte(root+">"))
	return i >= 2 && (bytes.HasSuffix(window[:i], []byte("</")) || window[i-1] == ':')
}
