package xmlscan

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Node is one element of a Tree; 0 is none, and every method gives none or
// nothing for it. The record's own element is Root.
type Node int32

// Root is the record's element.
const Root Node = 1

// Tree is one record's elements. It is overwritten by the scanner's next record.
type Tree struct {
	raw     []byte
	extra   []byte // texts that differ from their source
	nodes   []node // nodes[0] is none
	attrs   []attr
	current Node
	level   int
	depth   int
}

// span is a piece of raw, or of extra where its start is negative (-1 - start).
type span struct{ from, to int32 }

type node struct {
	name                      span // with its prefix
	local                     int32
	text                      span
	parent, first, last, next Node
	attr, attrs               int32
}

type attr struct{ name, value span }

func (t *Tree) reset() {
	t.nodes = append(t.nodes[:0], node{})
	t.attrs, t.extra = t.attrs[:0], t.extra[:0]
	t.current, t.level, t.raw = 0, 0, nil
}

// open adds the element whose start tag is b[at:end].
func (t *Tree) open(b []byte, at, end int, empty bool) error {
	if t.level++; t.level > t.depth {
		return fmt.Errorf("%w: more than %d elements inside each other", ErrTooLong, t.depth)
	}
	name, rest := tagName(b[at+1 : end-1])
	n := node{
		name:   span{int32(at + 1), int32(at + 1 + len(name))},
		local:  int32(at + 1 + bytes.IndexByte(name, ':') + 1),
		parent: t.current, attr: int32(len(t.attrs)),
	}
	if empty {
		rest = bytes.TrimSuffix(rest, []byte{'/'})
	}
	if len(rest) > 0 {
		if err := t.attributes(rest, end-1-len(rest)-btoi(empty)); err != nil {
			return err
		}
	}
	n.attrs = int32(len(t.attrs)) - n.attr
	id := Node(len(t.nodes))
	if p := t.current; p != 0 {
		if last := t.nodes[p].last; last != 0 {
			t.nodes[last].next = id
		} else {
			t.nodes[p].first = id
		}
		t.nodes[p].last = id
	}
	t.nodes = append(t.nodes, n)
	t.current = id
	if empty {
		t.up()
	}
	return nil
}

// attributes reads name="value" pairs; at is where b stands in the record.
func (t *Tree) attributes(b []byte, at int) error {
	for i := 0; ; {
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		if i == len(b) {
			return nil
		}
		from := i
		for i < len(b) && b[i] != '=' && !isSpace(b[i]) {
			i++
		}
		name := span{int32(at + from), int32(at + i)}
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		if i == len(b) || b[i] != '=' || from == i {
			return fmt.Errorf("%w: an attribute without a value", ErrMalformed)
		}
		i++
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		if i == len(b) || b[i] != '"' && b[i] != '\'' {
			return fmt.Errorf("%w: an attribute's value is not in quotes", ErrMalformed)
		}
		length := bytes.IndexByte(b[i+1:], b[i])
		if length < 0 {
			return fmt.Errorf("%w: an attribute's value is not closed", ErrMalformed)
		}
		value, err := t.unescape(b[i+1:i+1+length], at+i+1)
		if err != nil {
			return err
		}
		name.from += int32(bytes.IndexByte(b[from:int(name.to)-at], ':') + 1)
		t.attrs = append(t.attrs, attr{name, value})
		i += length + 2
	}
}

// close ends the current element with the end tag b[at:end].
func (t *Tree) close(b []byte, at, end int) error {
	name := bytes.TrimRight(b[at+2:end-1], " \t\r\n")
	n := t.nodes[t.current].name
	if !bytes.Equal(name, b[n.from:n.to]) {
		return fmt.Errorf("%w: <%s> is closed by </%s>", ErrMalformed, clip(b[n.from:n.to]), clip(name))
	}
	t.up()
	return nil
}

func (t *Tree) up() {
	t.current = t.nodes[t.current].parent
	t.level--
}

// addText adds b[from:to] to the current element's text. White space around
// child elements is dropped.
func (t *Tree) addText(b []byte, from, to int, verbatim bool) error {
	n := &t.nodes[t.current]
	piece := b[from:to]
	if n.first != 0 && len(bytes.TrimSpace(piece)) == 0 {
		return nil
	}
	s := span{int32(from), int32(to)}
	if !verbatim {
		var err error
		if s, err = t.unescape(piece, from); err != nil {
			return err
		}
	}
	if n.text.from == n.text.to {
		n.text = s
		return nil
	}
	whole := append([]byte(nil), t.bytes(b, n.text)...)
	n.text = t.keep(append(whole, t.bytes(b, s)...))
	return nil
}

// unescape resolves the entities of a piece that stands at the given place.
func (t *Tree) unescape(piece []byte, at int) (span, error) {
	amp := bytes.IndexByte(piece, '&')
	if amp < 0 {
		return span{int32(at), int32(at + len(piece))}, nil
	}
	out := append(make([]byte, 0, len(piece)), piece[:amp]...)
	for rest := piece[amp:]; len(rest) > 0; {
		if rest[0] != '&' {
			next := bytes.IndexByte(rest, '&')
			if next < 0 {
				next = len(rest)
			}
			out, rest = append(out, rest[:next]...), rest[next:]
			continue
		}
		end := bytes.IndexByte(rest[:min(len(rest), 12)], ';')
		if end < 0 {
			return span{}, fmt.Errorf("%w: & without ;", ErrMalformed)
		}
		c, ok := entity(string(rest[1:end]))
		if !ok {
			return span{}, fmt.Errorf("%w: &%s;", ErrDTD, clip(rest[1:end]))
		}
		out, rest = utf8.AppendRune(out, c), rest[end+1:]
	}
	return t.keep(out), nil
}

func (t *Tree) keep(b []byte) span {
	from := int32(len(t.extra))
	t.extra = append(t.extra, b...)
	return span{-1 - from, -1 - int32(len(t.extra))}
}

func entity(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "apos":
		return '\'', true
	case "quot":
		return '"', true
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	digits, radix := name[1:], 10
	if digits[0] == 'x' {
		digits, radix = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, radix, 32)
	valid := n == '\t' || n == '\n' || n == '\r' || n >= 0x20 && n <= 0xD7FF || n >= 0xE000 && n <= 0xFFFD || n >= 0x10000 && n <= 0x10FFFF
	return rune(n), err == nil && valid
}

func (t *Tree) bytes(b []byte, s span) []byte {
	if s.from < 0 {
		return t.extra[-1-s.from : -1-s.to]
	}
	return b[s.from:s.to]
}

// Name returns the element's local name.
func (t *Tree) Name(n Node) []byte {
	if n == 0 {
		return nil
	}
	return t.raw[t.nodes[n].local:t.nodes[n].name.to]
}

// First returns the first child element, Next the next sibling.
func (t *Tree) First(n Node) Node { return t.nodes[n].first }

// Next returns the next sibling.
func (t *Tree) Next(n Node) Node { return t.nodes[n].next }

// Child returns the first child element with this local name.
func (t *Tree) Child(n Node, name string) Node {
	for c := t.nodes[n].first; c != 0; c = t.nodes[c].next {
		if string(t.Name(c)) == name {
			return c
		}
	}
	return 0
}

// Text returns the element's own text without surrounding white space.
func (t *Tree) Text(n Node) []byte {
	return bytes.TrimSpace(t.bytes(t.raw, t.nodes[n].text))
}

// Attr returns the value of the attribute with this local name, nil if absent.
func (t *Tree) Attr(n Node, name string) []byte {
	e := &t.nodes[n]
	for _, a := range t.attrs[e.attr : e.attr+e.attrs] {
		if string(t.raw[a.name.from:a.name.to]) == name {
			return t.bytes(t.raw, a.value)
		}
	}
	return nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func clip(b []byte) []byte { return b[:min(len(b), 40)] }
