package json

import (
	"errors"
	"io"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
)

// Name is the name of the format of Tillbook's own documents.
const Name = "document"

// Documents reads Tillbook's own documents: JSON lines or a list.
type Documents struct {
	stream  *Stream
	options format.Options
}

// NewDocuments returns a reader of documents in their JSON form.
func NewDocuments(src io.Reader, o format.Options) (*Documents, error) {
	s, err := Open(src, "", o)
	if err != nil {
		return nil, err
	}
	return &Documents{s, o}, nil
}

// Next implements format.Reader. A document that carries a content hash which
// its content does not have is refused.
func (r *Documents) Next() (format.Result, error) {
	v, err := r.stream.Next()
	var refusal *format.Refusal
	if errors.As(err, &refusal) {
		return Refused(v, refusal), nil
	}
	if err != nil {
		return format.Result{}, err
	}
	d, err := document.ParseJSON(v.Raw)
	if err != nil {
		return Refused(v, &format.Refusal{Code: format.BadField, Reason: err.Error()}), nil
	}
	if d.ContentHash != "" && d.ContentHash != document.HashString(d) {
		return Refused(v, &format.Refusal{Code: format.BadDocument, Reason: "content_hash is not the hash of the content"}), nil
	}
	d.Key.Merchant = ""
	if d.Source.Format == "" {
		d.Source.Format = Name
	}
	if err := format.Finish(d, r.options, v.Start); err != nil {
		return Refused(v, format.AsRefusal(err, format.BadDocument)), nil
	}
	return format.Result{Document: d, Start: v.Start, End: v.End}, nil
}

// Refused makes a result of a value that is given up.
func Refused(v Value, refusal *format.Refusal) format.Result {
	if refusal.Line == 0 {
		refusal.Line, refusal.Byte = v.Line, v.Start
	}
	refusal.Raw, refusal.Reason = format.MaskRaw(v.Raw), format.Mask(refusal.Reason)
	return format.Result{Refused: refusal, Start: v.Start, End: v.End}
}
