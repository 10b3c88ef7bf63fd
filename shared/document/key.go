package document

import (
	"errors"
	"fmt"
	"strings"
)

// String returns the key as one line, without its merchant: store, terminal,
// space and number, then the scope where there is one, joined by '|', as in
// `Leeds|1|RECEIPT|1042`. A '|' within a part is written `\|`; backslash, tab,
// line feed and carriage return are written `\\`, `\t`, `\n` and `\r`. Different
// keys give different texts, so that the text can stand for the key in a map or
// a database; ParseKey reads it.
func (k Key) String() string {
	b := make([]byte, 0, 64)
	for _, part := range []string{k.Store, k.Terminal, string(k.Space), k.Number} {
		b = append(appendEscaped(b, part, '|'), '|')
	}
	if k.Scope == "" {
		return string(b[:len(b)-1])
	}
	return string(appendEscaped(b, k.Scope, '|'))
}

// ParseKey reads what Key.String writes and nothing else; the key's merchant is
// empty.
func ParseKey(s string) (Key, error) {
	parts, part := []string(nil), []byte(nil)
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '|':
			parts, part = append(parts, string(part)), nil
		case '\t', '\n', '\r':
			return Key{}, badKey(s, errors.New("a bare control character"))
		case '\\':
			if i++; i == len(s) {
				return Key{}, badKey(s, errors.New("it ends in an escape"))
			}
			at := strings.IndexByte(`\tnr|`, s[i])
			if at < 0 {
				return Key{}, badKey(s, fmt.Errorf("no such escape: %q", s[i-1:i+1]))
			}
			part = append(part, "\\\t\n\r|"[at])
		default:
			part = append(part, s[i])
		}
	}
	parts = append(parts, string(part))
	switch {
	case len(parts) == 5 && parts[4] == "":
		return Key{}, badKey(s, errors.New("an empty scope"))
	case len(parts) == 4:
		parts = append(parts, "")
	case len(parts) != 5:
		return Key{}, badKey(s, fmt.Errorf("%d parts, not 4 or 5", len(parts)))
	}
	return Key{Store: parts[0], Terminal: parts[1], Space: Space(parts[2]), Number: parts[3], Scope: parts[4]}, nil
}

func badKey(s string, err error) error {
	return fmt.Errorf("%q is not a document key: %w", clip(s), err)
}

// appendEscaped appends text with backslash, tab, line feed, carriage return
// and, where it is not zero, one separator more written as escapes.
func appendEscaped(b []byte, text string, separator byte) []byte {
	start := 0
	for i := range len(text) {
		var escape byte
		switch c := text[i]; {
		case c == '\\':
			escape = '\\'
		case c == '\t':
			escape = 't'
		case c == '\n':
			escape = 'n'
		case c == '\r':
			escape = 'r'
		case c == separator && separator != 0:
			escape = separator
		default:
			continue
		}
		b = append(append(b, text[start:i]...), '\\', escape)
		start = i + 1
	}
	return append(b, text[start:]...)
}
