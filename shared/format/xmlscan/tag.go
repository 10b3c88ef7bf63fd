package xmlscan

import (
	"bytes"
	"fmt"
)

type kind int

const (
	startTag kind = iota + 1
	emptyTag
	endTag
	cdata
	docType
	other // a comment or a processing instruction
)

// tag reads the markup that begins with '<' at the given place, counted from
// begin, and returns what it is and where it ends.
func (s *Scanner) tag(at int) (kind, int, error) {
	next, err := s.window.At(at + 1)
	if err != nil {
		return 0, at, err
	}
	switch next {
	case '/':
		end, err := s.window.Find(at+2, '>')
		return endTag, end + 1, err
	case '?':
		end, err := s.until(at+2, "?>")
		return other, end, err
	case '!':
		if is, err := s.window.Has(at, "<!--"); is || err != nil {
			if err != nil {
				return 0, at, err
			}
			end, err := s.until(at+4, "-->")
			return other, end, err
		}
		if is, err := s.window.Has(at, "<![CDATA["); is || err != nil {
			if err != nil {
				return 0, at, err
			}
			end, err := s.until(at+9, "]]>")
			return cdata, end, err
		}
		return docType, at + 2, nil
	}
	if !nameStart(next) {
		return 0, at, fmt.Errorf("%w: %q after <", ErrMalformed, next)
	}
	// The end of the tag is the first '>' outside quotes.
	for i := at + 1; ; {
		rest := s.window.Bytes()[i:]
		j := bytes.IndexAny(rest, `>"'<`)
		if j < 0 {
			i += len(rest)
			if err := s.window.More(); err != nil {
				return 0, at, err
			}
			continue
		}
		i += j
		switch c := rest[j]; c {
		case '>':
			if s.window.Bytes()[i-1] == '/' {
				return emptyTag, i + 1, nil
			}
			return startTag, i + 1, nil
		case '<':
			return 0, i, fmt.Errorf("%w: < inside a tag", ErrMalformed)
		default:
			if i, err = s.window.Find(i+1, c); err != nil {
				return 0, at, err
			}
			i++
		}
	}
}

// until returns the place behind the next occurrence of stop.
func (s *Scanner) until(from int, stop string) (int, error) {
	for {
		at, err := s.window.Find(from, stop[0])
		if err != nil {
			return from, err
		}
		is, err := s.window.Has(at, stop)
		if err != nil {
			return from, err
		}
		if is {
			return at + len(stop), nil
		}
		from = at + 1
	}
}

// tagName splits the inside of a start tag into its name and the rest.
func tagName(b []byte) (name, rest []byte) {
	for i, c := range b {
		if c == '>' || c == '/' || isSpace(c) {
			return b[:i], b[i:]
		}
	}
	return b, nil
}

func localName(name []byte) []byte {
	return name[bytes.IndexByte(name, ':')+1:]
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// nameStart accepts every byte that may begin a name, and the bytes of letters
// beyond ASCII.
func nameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':' || c >= 0x80
}
