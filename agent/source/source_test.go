package source_test

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/source"
	"tillbook.example/tillbook/shared/document"
)

// shelf is an outbox that keeps the groups it was handed.
type shelf struct {
	groups []outbox.Group
	full   bool
}

func (s *shelf) Append(_ context.Context, g outbox.Group) (outbox.Appended, error) {
	if s.full {
		return outbox.Appended{}, outbox.ErrFull
	}
	s.groups = append(s.groups, g)
	return outbox.Appended{First: 1, Last: uint64(len(g.Items))}, nil
}

func (s *shelf) State(key string) ([]byte, bool) {
	for _, g := range s.groups {
		if value, ok := g.State[key]; ok {
			return value, true
		}
	}
	return nil, false
}

func (s *shelf) States(prefix string) map[string][]byte {
	found := map[string][]byte{}
	for _, g := range s.groups {
		for key, value := range g.State {
			if strings.HasPrefix(key, prefix) {
				found[key] = value
			}
		}
	}
	return found
}

var noon = time.Date(2026, 11, 3, 12, 0, 0, 123456789, time.FixedZone("CET", 3600))

func desk() (*source.Desk, *shelf) {
	s := &shelf{}
	return source.NewDesk(s, "S1", func() time.Time { return noon }), s
}

// receipt is a sale as a till of the given store states it, with a link to a
// receipt of the same store and one of another.
func receipt(store string) *document.Document {
	return &document.Document{
		Key:  document.Key{Store: store, Terminal: "1", Space: document.SpaceReceipt, Number: "42"},
		Kind: document.Sale, State: document.Completed, Currency: "GBP", PriceBasis: document.TaxIncluded,
		Time:   document.Time{AsGiven: "2026-11-03T11:59:00"},
		Source: document.Source{Format: "document", Version: 7},
		Links: []document.Link{
			{Relation: document.Returns, Key: &document.Key{Store: store, Terminal: "1", Space: document.SpaceReceipt, Number: "41"}},
			{Relation: document.Returns, Key: &document.Key{Store: "elsewhere", Terminal: "1", Space: document.SpaceReceipt, Number: "40"}},
		},
		Lines:   []document.Line{{Kind: document.Item, Extended: 1_000_000}},
		Tenders: []document.Tender{{Kind: document.Cash, Direction: document.Paid, Amount: 1_000_000}},
	}
}

// taken hands the desk captures and returns the one group that reached the outbox.
func taken(t *testing.T, d *source.Desk, s *shelf, captures ...source.Capture) outbox.Group {
	t.Helper()
	if _, err := d.Take(t.Context(), "filedrop", captures, nil); err != nil {
		t.Fatal(err)
	}
	if len(s.groups) != 1 || len(s.groups[0].Items) != len(captures) {
		t.Fatalf("%d groups, want one with %d records", len(s.groups), len(captures))
	}
	return s.groups[0]
}

func TestADocumentIsStampedWithTheAgentsStoreAndKeepsTheTillsOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, till, place, want string }{
		{"the till has another name for the store", "0017", "", "0017"},
		{"the till's name is the store's", "S1", "", ""},
		{"the reader kept the till's name already", "0017", "Shop 17", "Shop 17"},
	} {
		d, s := desk()
		given := receipt(c.till)
		given.Key.Merchant, given.Place.Store = "somebody", c.place
		given.Links[0].Key.Merchant = "somebody"
		before := receipt(c.till)
		before.Key.Merchant, before.Place.Store = "somebody", c.place
		before.Links[0].Key.Merchant = "somebody"

		item := taken(t, d, s, source.Capture{Document: given, IdempotencyKey: "k1", StatesOrder: true}).Items[0]
		got, err := document.Unmarshal(item.Record.GetDocument())
		if err != nil {
			t.Fatal(err)
		}
		if want := (document.Key{Store: "S1", Terminal: "1", Space: document.SpaceReceipt, Number: "42"}); got.Key != want || item.Key != want.String() {
			t.Errorf("%s: key %+v, of the record %s; want %+v", c.name, got.Key, item.Key, want)
		}
		if got.Place.Store != c.want {
			t.Errorf("%s: the till's store is %q, want %q", c.name, got.Place.Store, c.want)
		}
		if own := got.Links[0].Key; own.Store != "S1" || own.Merchant != "" {
			t.Errorf("%s: the link to a receipt of this store is to %+v", c.name, own)
		}
		if other := got.Links[1].Key; other.Store != "elsewhere" {
			t.Errorf("%s: the link to another store is to %+v", c.name, other)
		}
		if want := noon.UTC().Truncate(time.Microsecond); !got.Source.CapturedAt.Equal(want) || got.Source.Adapter != "filedrop" {
			t.Errorf("%s: captured by %q at %s, want filedrop at %s", c.name, got.Source.Adapter, got.Source.CapturedAt, want)
		}
		hash := document.Hash(got)
		if got.ContentHash != hex.EncodeToString(hash[:]) || string(item.Record.GetHash()) != string(hash[:]) {
			t.Errorf("%s: hash %s and %x, want %x", c.name, got.ContentHash, item.Record.GetHash(), hash)
		}
		if item.IdempotencyKey != "k1" || !item.Record.GetStatesOrder() || item.Record.GetRecipeVersion() != 7 || item.Record.GetRaw() {
			t.Errorf("%s: record %+v", c.name, item)
		}
		if diff := cmp.Diff(before, given); diff != "" {
			t.Errorf("%s: the caller's document was changed:\n%s", c.name, diff)
		}
	}
}

func TestWhyARevisionIsMadeOnPurposeIsInTheDocument(t *testing.T) {
	t.Parallel()
	d, s := desk()
	item := taken(t, d, s, source.Capture{Document: receipt("S1"), Reason: "recipe"}).Items[0]
	got, err := document.Unmarshal(item.Record.GetDocument())
	if err != nil || got.Source.Reason != "recipe" || item.Record.GetReason() != "recipe" {
		t.Errorf("reason %q in the document, %q in the record, %v; want recipe", got.Source.Reason, item.Record.GetReason(), err)
	}
}

func TestBytesThatCouldNotBeReadAreKeptAsTheyAreWithTheReason(t *testing.T) {
	t.Parallel()
	d, s := desk()
	item := taken(t, d, s, source.Capture{Raw: []byte("<broken"), Reason: "file a.xml, byte 7: cut off", IdempotencyKey: "k"}).Items[0]
	if !item.Record.GetRaw() || string(item.Record.GetDocument()) != "<broken" || item.Record.GetReason() != "file a.xml, byte 7: cut off" || item.Key != "" || item.IdempotencyKey != "k" {
		t.Errorf("%+v", item)
	}
}

func TestDocumentsAndMarksAreOneGroupOrNothing(t *testing.T) {
	t.Parallel()
	d, s := desk()
	marks := map[string][]byte{"drop/till-1/a.xml": []byte("17")}
	bad := receipt("S1")
	bad.Currency = "pounds"
	if _, err := d.Take(t.Context(), "filedrop", []source.Capture{{Document: receipt("S1")}, {Document: bad}}, marks); err == nil || !strings.Contains(err.Error(), "document 2: ") {
		t.Errorf("a bad document: %v, want an error that names document 2", err)
	}
	if len(s.groups) != 0 {
		t.Fatalf("of a group with a bad document something was taken: %+v", s.groups)
	}
	s.full = true
	if _, err := d.Take(t.Context(), "filedrop", []source.Capture{{Document: receipt("S1")}}, marks); !errors.Is(err, outbox.ErrFull) {
		t.Errorf("without room: %v, want ErrFull", err)
	}
	if _, ok := d.Mark("drop/till-1/a.xml"); ok {
		t.Error("the mark moved though nothing was taken")
	}
	s.full = false
	if _, err := d.Take(t.Context(), "filedrop", []source.Capture{{Document: receipt("S1")}}, marks); err != nil {
		t.Fatal(err)
	}
	if mark, ok := d.Mark("drop/till-1/a.xml"); !ok || string(mark) != "17" || len(s.groups) != 1 {
		t.Errorf("mark %q, %v in %d groups; want 17 in the one group with the document", mark, ok, len(s.groups))
	}
	if diff := cmp.Diff(marks, d.Marks("drop/till-1/")); diff != "" {
		t.Error(diff)
	}
}

func TestProgressIsThatOfTheSlowestSourceAndNeverGoesBack(t *testing.T) {
	t.Parallel()
	d, _ := desk()
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	want := func(when string, want time.Time) {
		t.Helper()
		if got := d.CapturedTo(); !got.Equal(want) {
			t.Errorf("%s: captured to %s, want %s", when, got, want)
		}
	}
	want("without sources", noon)
	d.Expect("till-1")
	d.Expect("till-2")
	want("before any report", time.Time{})
	d.Progress("till-1", at(-5))
	want("while one has not reported", time.Time{})
	d.Progress("till-2", at(-9))
	want("the slower of two", at(-9))
	d.Progress("till-2", at(-20))
	want("after an older report", at(-9))
	d.Expect("till-2")
	want("expected again", at(-9))
	d.Progress("till-2", at(-1))
	want("the other is the slower", at(-5))
	d.Progress("till-1", at(3))
	d.Progress("till-2", at(3))
	want("reports from the future", noon)
}
