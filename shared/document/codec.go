package document

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/money"
)

// Limits of one document. What lies beyond them is an error of Marshal,
// Unmarshal and ParseJSON alike.
const (
	MaxBytes     = 1 << 20 // protobuf form
	MaxJSONBytes = 4 << 20 // JSON form
	MaxLines     = 10_000  // lines of a receipt; also of a movement
	MaxParts     = 50_000  // elements of all lists together, nested ones too
)

// ErrNewer is wrapped by the error of Unmarshal where the bytes hold fields that
// this version does not know.
var ErrNewer = errors.New("written by a newer version")

// Marshal returns the protobuf form (proto/document.proto). Equal documents give
// equal bytes. An error means that the document cannot travel at all: text that
// is not UTF-8, a content hash that is not one, a number or a moment out of
// range, or a size beyond the limits.
//
// Moments are kept to the microsecond. An empty list and an absent one are the
// same, and so are a capture time of exactly 1970-01-01T00:00:00Z and none.
func Marshal(d *Document) ([]byte, error) {
	m, err := toProto(d)
	if err != nil {
		return nil, fmt.Errorf("marshal document %s: %w", d.Key, err)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("marshal document %s: %w", d.Key, err)
	}
	var s scan
	if err := s.document(b); err != nil {
		return nil, fmt.Errorf("marshal document %s: %w", d.Key, err)
	}
	return b, nil
}

// Unmarshal reads the protobuf form. Words that this version does not know
// (kinds, relations, ...) are kept as they are; see Unknown. Limits are checked
// before anything is allocated for the parts.
//
// Bytes with fields that this version does not know give an error that wraps
// ErrNewer, together with the document as far as it can be read: its hash cannot
// be checked here, so the bytes are to be kept and read again after an upgrade.
// With any other error the document is nil.
func Unmarshal(b []byte) (*Document, error) {
	var s scan
	if err := s.document(b); err != nil {
		return nil, fmt.Errorf("unmarshal document: %w", err)
	}
	var m tillbookv1.Document
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("unmarshal document: %w", err)
	}
	d, err := fromProto(&m)
	if err != nil {
		return nil, fmt.Errorf("unmarshal document: %w", err)
	}
	if len(s.unknown) > 0 {
		return d, fmt.Errorf("unmarshal document %s: %w: %s", d.Key, ErrNewer, strings.Join(s.unknown, ", "))
	}
	return d, nil
}

// scan walks encoded bytes by the descriptor of their message and checks what
// the protobuf library does not: limits, ranges and unknown fields.
type scan struct {
	parts   int
	unknown []string // the first few, as path and number
}

// trail is the path to a message, kept as links so that it costs nothing until
// it has to be named.
type trail struct {
	up   *trail
	name protoreflect.Name
}

func (t *trail) field(name string) string {
	for ; t != nil && t.up != nil; t = t.up {
		name = string(t.name) + "/" + name
	}
	return name
}

func (s *scan) document(b []byte) error {
	if len(b) > MaxBytes {
		return fmt.Errorf("%d bytes, more than %d", len(b), MaxBytes)
	}
	return s.message(b, (*tillbookv1.Document)(nil).ProtoReflect().Descriptor(), &trail{})
}

func (s *scan) message(b []byte, descriptor protoreflect.MessageDescriptor, at *trail) error {
	fields, lines := descriptor.Fields(), 0
	for len(b) > 0 {
		number, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%s: %w", at.field("?"), protowire.ParseError(n))
		}
		b = b[n:]
		n = protowire.ConsumeFieldValue(number, wire, b)
		if n < 0 {
			return fmt.Errorf("%s: %w", at.field(fmt.Sprint(number)), protowire.ParseError(n))
		}
		value := b[:n]
		b = b[n:]
		field := fields.ByNumber(number)
		if field == nil {
			if len(s.unknown) < 8 {
				s.unknown = append(s.unknown, at.field(fmt.Sprintf("field %d", number)))
			}
			continue
		}
		if field.IsList() {
			if s.parts++; s.parts > MaxParts {
				return fmt.Errorf("more than %d parts", MaxParts)
			}
		}
		switch field.Kind() {
		case protoreflect.MessageKind:
			body, n := protowire.ConsumeBytes(value)
			if wire != protowire.BytesType || n < 0 {
				return fmt.Errorf("%s: not a message", at.field(string(field.Name())))
			}
			if field.Name() == "lines" {
				if lines++; lines > MaxLines {
					return fmt.Errorf("%s: more than %d", at.field("lines"), MaxLines)
				}
			}
			if err := s.message(body, field.Message(), &trail{at, field.Name()}); err != nil {
				return err
			}
		case protoreflect.Sint64Kind:
			v, n := protowire.ConsumeVarint(value)
			if wire != protowire.VarintType || n < 0 {
				return fmt.Errorf("%s: not a number", at.field(string(field.Name())))
			}
			if !money.Decimal(protowire.DecodeZigZag(v)).InRange() {
				return fmt.Errorf("%s: %w", at.field(string(field.Name())), money.ErrRange)
			}
		}
	}
	return nil
}

// hashBytes returns the 32 bytes of a content hash in hex; empty stays empty.
func hashBytes(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 32 || hex.EncodeToString(b) != text {
		return nil, fmt.Errorf("content_hash: %q is not a SHA-256 in lower-case hex", clip(text))
	}
	return b, nil
}

// hashText is the inverse of hashBytes.
func hashText(b []byte) (string, error) {
	if len(b) != 0 && len(b) != 32 {
		return "", fmt.Errorf("content_hash: %d bytes, not 32", len(b))
	}
	return hex.EncodeToString(b), nil
}

// instant brings a moment to the form in which documents keep it, UTC to the
// microsecond, so that equal moments are equal values on every route. The years
// are those that RFC 3339 can write.
func instant(field string, t time.Time) (time.Time, error) {
	if t.IsZero() {
		return time.Time{}, nil
	}
	t = t.UTC().Truncate(time.Microsecond)
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, fmt.Errorf("%s: the year %d is out of range", field, t.Year())
	}
	return t, nil
}

// clip shortens text from outside for an error message.
func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}
