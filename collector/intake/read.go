package intake

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/collector/fleet"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// Codes of records that are kept raw. A record that its agent could not read
// brings the code its reason begins with ("code: text"), else CodeUnreadable.
const (
	CodeUnreadable = "unreadable"    // not a record, or not a document
	CodeInvalid    = "invalid"       // a document that does not hold together
	CodeHash       = "hash_mismatch" // not what the agent hashed
	CodeStore      = "wrong_store"   // of a store that the agent does not speak for
	CodeNoDay      = "no_day"        // no business day can be derived
)

// CodeNewer marks a document with fields that this version does not know. It is
// stored as a document and to be read again after an upgrade.
const CodeNewer = "needs_upgrade"

// maxText bounds text from outside that is only shown.
const maxText = 300

func (s *Service) read(ctx context.Context, id fleet.Identity, raw []byte) (Record, error) {
	return Read(ctx, Calendar{s.o.Day, s.o.Tie}, id, raw)
}

// Read turns one marshalled Record into what is stored. What is wrong with it
// becomes its code; an error means that it could not be told now.
func Read(ctx context.Context, calendar Calendar, id fleet.Identity, raw []byte) (Record, error) {
	var sent tillbookv1.Record
	if err := proto.Unmarshal(raw, &sent); err != nil {
		return Record{Bytes: raw, Code: CodeUnreadable, Text: clip(err.Error())}, nil
	}
	r := Record{
		Capture: sent.Capture, Bytes: sent.Document, Recipe: sent.RecipeVersion,
		Reason: clip(sent.Reason), StatesOrder: sent.StatesOrder,
	}
	if sent.Raw {
		r.Code, r.Text = splitReason(sent.Reason)
		return r, nil
	}
	return r.read(ctx, calendar, id, &sent.Hash)
}

// Calendar derives where documents belong in time: Options.Day and Options.Tie.
type Calendar struct {
	Day func(ctx context.Context, id fleet.Identity, d *document.Document) (bizday.Day, error)
	Tie func(ctx context.Context, id fleet.Identity, d *document.Document, own bizday.Day) (Tie, error)
}

// read completes a record from its bytes. hash is what its agent says the
// document's is; nil where that was not kept.
func (r Record) read(ctx context.Context, calendar Calendar, id fleet.Identity, hash *[]byte) (Record, error) {
	reject := func(code string, err error) (Record, error) {
		r.Document, r.Key, r.Code, r.Text = nil, "", code, clip(err.Error())
		return r, nil
	}
	d, err := document.Unmarshal(r.Bytes)
	newer := errors.Is(err, document.ErrNewer)
	if err != nil && (!newer || d == nil) {
		return reject(CodeUnreadable, err)
	}
	if newer {
		r.Code, r.Text = CodeNewer, clip(err.Error())
	}
	if err := d.Check(); err != nil {
		return reject(CodeInvalid, err)
	}
	own := document.Hash(d)
	switch {
	case hash == nil:
		r.Hash = own
	case len(*hash) != len(r.Hash):
		return reject(CodeHash, fmt.Errorf("a hash of %d bytes", len(*hash)))
	default:
		r.Hash = [32]byte(*hash)
		if own != r.Hash && !newer {
			return reject(CodeHash, fmt.Errorf("the document's hash is %x, the record says %x", own[:8], r.Hash[:8]))
		}
	}
	if d.Key.Store != id.Store {
		return reject(CodeStore, fmt.Errorf("store %q, the agent speaks for %q", d.Key.Store, id.Store))
	}
	d.Key.Merchant, d.ContentHash = id.Merchant, hex.EncodeToString(r.Hash[:])
	r.Document, r.Key = d, d.Key.String()
	r.Day, err = calendar.Day(ctx, id, d)
	if errors.Is(err, ErrNoDay) {
		return reject(CodeNoDay, err)
	}
	if err == nil && calendar.Tie != nil {
		r.Tie, err = calendar.Tie(ctx, id, d, r.Day)
	}
	if err != nil {
		return Record{}, fmt.Errorf("business day of %s: %w", r.Key, err)
	}
	return r, nil
}

// splitReason takes the code off a reason such as "bad_amount: line 3: 1,0,0".
func splitReason(reason string) (code, text string) {
	code, text, found := strings.Cut(reason, ":")
	word := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' }
	if found && code != "" && len(code) <= 40 && strings.IndexFunc(code, word) < 0 {
		return code, clip(strings.TrimSpace(text))
	}
	if reason == "" {
		reason = "the agent could not read it and gave no reason"
	}
	return CodeUnreadable, clip(reason)
}

// clip shortens text from outside and takes out what does not belong into a
// line of text.
func clip(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText-3], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
