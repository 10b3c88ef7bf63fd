// Package format turns the bytes of a till's files and messages into documents.
//
// Each format has a folder: poslog (ARTS POSLog), recipe (CSV and JSON by a
// declarative recipe), json (Tillbook's own documents). They share the contract
// in this file: a Reader yields one Result at a time, a document or a refusal,
// and says which bytes it came from. What holds for all of them:
//
//   - A file is streamed. Memory is bounded by MaxRecord, not by the file.
//   - A part that cannot be read is a Refusal, kept as data with its place and
//     its masked bytes; the parts after it are still read.
//   - A part that is cut off at the end is refused as Incomplete with End equal
//     to Start, so that the caller may wait for more bytes and resume there.
//   - Card numbers are masked and names, loyalty numbers and signatures are left
//     out before anything leaves this room.
//   - Amounts are taken as the till printed them. What does not add up travels
//     as a difference (document.Settle); it is never mended and never refused.
//
// The package is pure: no clock, no files, no logging.
package format

import (
	"errors"
	"fmt"
	"io"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// Limits on what comes from outside.
const (
	MaxRecord = 1 << 20  // bytes of one transaction, CSV line or JSON receipt
	MaxRaw    = 64 << 10 // bytes of a refused part that are kept
	MaxDepth  = 64       // nesting of XML elements and JSON values
)

// A Reader turns the bytes of one input into documents, one at a time.
type Reader interface {
	// Next returns the next document or refusal. It returns io.EOF at the end.
	// Any other error means that the input itself could not be read any further
	// (the file vanished, say): what was returned before it stands, and the
	// input may be tried again from the End of the last complete part.
	Next() (Result, error)
}

// Result is one part of an input: exactly one of Document and Refused is set.
type Result struct {
	// Document is settled and checked, with its content hash.
	Document *document.Document
	// Refused says why the part could not be read.
	Refused *Refusal
	// Start and End are the part's byte range in the (main) input. Reading an
	// input that has grown may resume at the End of the last result whose
	// refusal, if any, is not Incomplete.
	Start, End int64
}

// Codes of refusals: stable words for programs.
const (
	Incomplete  = "incomplete"   // cut off at the end; more bytes may come
	Malformed   = "malformed"    // not well-formed
	BadEncoding = "encoding"     // bytes that its encoding does not have
	TooLong     = "too_long"     // beyond a limit
	WrongFormat = "wrong_format" // another kind of file altogether
	NotAccepted = "not_accepted" // document type declarations and entities
	BadField    = "field"        // a field that cannot be read
	BadColumn   = "column"       // a column that a recipe needs is not there
	BadDocument = "document"     // the document breaks the document's rules
)

// Refusal is a part that could not be read. It is kept as data.
type Refusal struct {
	Reason string `json:"reason"` // what is wrong and where, for a person
	Code   string `json:"code"`
	Line   int    `json:"line,omitzero"` // 1-based; 0 where lines mean nothing
	Byte   int64  `json:"byte"`          // offset in the input
	Raw    []byte `json:"raw,omitzero"`  // masked, at most MaxRaw bytes
}

// Error lets a refusal travel as an error inside a reader.
func (r *Refusal) Error() string {
	if r.Line > 0 {
		return fmt.Sprintf("line %d: %s", r.Line, r.Reason)
	}
	return fmt.Sprintf("byte %d: %s", r.Byte, r.Reason)
}

// Refuse makes an error that a reader turns into a refusal with this code.
func Refuse(code, reason string, args ...any) error {
	return &Refusal{Code: code, Reason: Mask(fmt.Sprintf(reason, args...))}
}

// AsRefusal returns the refusal inside err, or one with the given code and the
// text of err.
func AsRefusal(err error, code string) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		copied := *r
		copied.Reason = err.Error()
		if r == err {
			copied.Reason = r.Reason
		}
		return &copied
	}
	return &Refusal{Code: code, Reason: Mask(err.Error())}
}

// Options say what the input itself does not.
type Options struct {
	// Store and Terminal, where set, take the place of what the input says in
	// the key; what it says stays in the document's place.
	Store, Terminal string
	// Currency (ISO 4217) is for inputs that state none.
	Currency string
	// Rule gives the zone of times that carry none. Without it such times stay
	// as given, without UTC.
	Rule *bizday.Rule
	// Encoding, where set, wins over every other sign of an encoding.
	Encoding string
	// FileID is the identity of the input, for documents without a number of
	// their own and for Source.Raw.
	FileID string
	// Adapter is the way in, for Source.Adapter.
	Adapter string
	// Final says that the input will not grow: its last part is complete even
	// if nothing follows it.
	Final bool
	// Resume is the byte at which reading begins: 0, or the End of a part that
	// was read before. The input is still given from its beginning.
	Resume int64
}

// Input is one file as it stands: its bytes may be read in any order, and
// nothing beyond Size is.
type Input struct {
	Name   string // for messages and for telling the files of a set apart
	Reader io.ReaderAt
	Size   int64
}

// Bytes returns the input's bytes from the first.
func (i Input) Bytes() *io.SectionReader { return io.NewSectionReader(i.Reader, 0, i.Size) }
