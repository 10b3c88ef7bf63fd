// Package poslog reads ARTS POSLog 2.x files, the NCR ACS dialect among them,
// and takes what it meets of POSLog 6.
//
// A file is one or many POSLog elements with Transaction elements in them; each
// Transaction becomes one document or one refusal. Elements are known by their
// local names, so prefixes and namespaces do not matter. The file is streamed:
// one Transaction, at most format.MaxRecord bytes, is held at a time.
//
// Choices where the dialects differ:
//
//   - Key: all transactions of a workstation share one SequenceNumber, receipts,
//     sign-ons and closes alike, so all have the number space RECEIPT: a gap in
//     it is a gap, whatever was lost. The scope is BusinessDayDate, since many
//     installations restart the number each day.
//   - A line with VoidFlag and a negative amount takes back its positive
//     counterpart: both are left out. One with a positive amount is itself the
//     line that was taken back: it is left out. A negative one that takes back
//     only part of a line stays, and nets.
//   - The same discount may stand in a detailed and a summarised LoyaltyReward,
//     or on the items and in a Discount row: it is counted once. Rewards count
//     as money only if their category is Monetary or they have none.
//   - Tax stands on the items, or in rows of its own that are spread over the
//     items they tax, or in both places: it is counted once.
//   - Whether an ExtendedAmount is before or after its discount, with or without
//     tax, is read from the item's own arithmetic; where that leaves it open,
//     the first reading under which the receipt adds up to its printed total is
//     taken (see reading).
//   - Change and cash-back are tender rows of their own with negative amounts.
//   - Operator numbers are carried; names, loyalty and customer numbers are not.
package poslog

import (
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/text"
	"tillbook.example/tillbook/shared/format/xmlscan"
)

// Name is the format's name, as in Source.Format.
const Name = "poslog"

// Reader reads one file.
type Reader struct {
	options format.Options
	text    *text.Reader
	scan    *xmlscan.Scanner
	words   words
	parts   int
	done    bool
	refused *format.Refusal // of the whole file
}

// New returns a reader of the POSLog file in src, which begins at its first
// byte. It fails if the configured encoding is not known or the first bytes
// cannot be read.
func New(src io.Reader, o format.Options) (*Reader, error) {
	t, err := text.Open(src, o.Encoding, declared)
	if err != nil {
		return nil, err
	}
	r := &Reader{options: o, text: t, words: words{}}
	if kind := text.Kind(t.Head()); kind != "" {
		r.refused = &format.Refusal{Code: format.WrongFormat, Reason: "not POSLog: this is " + kind}
		return r, nil
	}
	inside := 0
	if o.Resume > 0 {
		if err := t.SkipTo(o.Resume); err != nil {
			return nil, err
		}
		inside = 1
	}
	r.scan = xmlscan.New(t, "Transaction", xmlscan.Limits{Record: format.MaxRecord, Depth: format.MaxDepth}, inside)
	return r, nil
}

// declared finds the encoding that an XML declaration names.
func declared(head []byte) string {
	at := strings.Index(string(head[:min(len(head), 200)]), "?>")
	if at < 0 || !strings.HasPrefix(string(head), "<?xml") {
		return ""
	}
	found := regexp.MustCompile(`encoding\s*=\s*["']([A-Za-z0-9._-]+)["']`).FindSubmatch(head[:at])
	if found == nil {
		return ""
	}
	return string(found[1])
}

// Next implements format.Reader.
func (r *Reader) Next() (format.Result, error) {
	if r.refused != nil {
		refused := r.refused
		r.refused, r.done = nil, true
		return format.Result{Refused: refused}, nil
	}
	if r.done {
		return format.Result{}, io.EOF
	}
	record, err := r.scan.Next()
	r.parts++
	var broken *xmlscan.Error
	switch {
	case errors.As(err, &broken):
		return r.refuse(record, r.broken(broken)), nil
	case errors.Is(err, io.EOF) && r.parts == 1 && r.options.Resume == 0 && r.scan.Root() != "POSLog":
		r.done = true
		return r.refuse(record, &format.Refusal{Code: format.WrongFormat, Reason: "not POSLog: the file's element is " + format.Clip(r.scan.Root())}), nil
	case err != nil:
		return format.Result{}, err
	}
	legacy, bad, ok := r.text.Valid(record.Raw)
	if !ok {
		at := r.text.Raw(record.Start + int64(bad))
		refused := r.refuse(record, &format.Refusal{Code: format.BadEncoding,
			Reason: "bytes that are not in the file's encoding (byte " + strconv.FormatInt(at, 10) + "); set the source's encoding"})
		if refused.Refused.Byte = at; r.options.Resume == 0 {
			refused.Refused.Line = r.scan.Line(bad)
		}
		return refused, nil
	}
	result := format.Result{Start: r.text.Raw(record.Start), End: r.text.Raw(record.End)}
	d, err := r.read(record, legacy)
	if err == nil {
		err = format.Finish(d, r.options, result.Start)
	}
	if err != nil {
		return r.refuse(record, format.AsRefusal(err, format.BadField)), nil
	}
	result.Document = d
	return result, nil
}

// broken translates what the scanner found.
func (r *Reader) broken(e *xmlscan.Error) *format.Refusal {
	refused := &format.Refusal{Reason: e.Error()}
	switch {
	case errors.Is(e, xmlscan.ErrIncomplete):
		refused.Code = format.Incomplete
	case errors.Is(e, xmlscan.ErrTooLong):
		refused.Code = format.TooLong
	case errors.Is(e, xmlscan.ErrDTD):
		refused.Code = format.NotAccepted
	case errors.Is(e, xmlscan.ErrNotXML):
		refused.Code, refused.Reason = format.WrongFormat, "not POSLog: this is not XML"
	default:
		refused.Code = format.Malformed
	}
	return refused
}

// refuse makes a result of a record that is given up.
func (r *Reader) refuse(record xmlscan.Record, refused *format.Refusal) format.Result {
	start := r.text.Raw(record.Start)
	if refused.Byte = start; r.options.Resume == 0 { // lines are counted from the file's beginning
		refused.Line = record.Line
	}
	refused.Raw = maskXML(record.Raw)
	end := start
	if refused.Code != format.Incomplete {
		end = r.text.Raw(record.End)
	}
	return format.Result{Refused: refused, Start: start, End: end}
}

// read turns a record into a document.
func (r *Reader) read(record xmlscan.Record, legacy bool) (*document.Document, error) {
	x := &transaction{tree: record.Tree, legacy: legacy, options: &r.options, words: r.words}
	d := x.document()
	if x.err != nil {
		return nil, x.err
	}
	return d, nil
}
