package intake

import (
	"context"
	"encoding/hex"
	"log/slog"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/collector/fleet"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

var identity = fleet.Identity{Merchant: "acme", Store: "Leeds", Agent: "a1"}

// reader is a service of which only read is used.
func reader() *Service {
	return &Service{o: Options{
		Logger: slog.New(slog.DiscardHandler),
		Day: func(context.Context, fleet.Identity, *document.Document) (bizday.Day, error) {
			return "2026-03-02", nil
		},
	}}
}

// receipt is the marshalled record of a usual receipt.
func receipt(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("../../shared/document/testdata/bench.json")
	if err != nil {
		t.Fatal(err)
	}
	d, err := document.ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	d.Key.Store = identity.Store
	hash := document.Hash(d)
	body, err := document.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	record, err := proto.Marshal(&tillbookv1.Record{Capture: 1, Document: body, Hash: hash[:]})
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// FuzzRead looks for bytes that break the reading of a record, or get past it
// as something they are not.
func FuzzRead(f *testing.F) {
	f.Add(receipt(f))
	for _, r := range []*tillbookv1.Record{
		{}, {Raw: true, Document: []byte("a;b"), Reason: "bad_row: \x01\x02"}, {Document: []byte{0xff}, Hash: make([]byte, 32)},
	} {
		text, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	s := reader()
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := s.read(t.Context(), identity, raw)
		switch {
		case err != nil:
			t.Fatal(err)
		case !utf8.ValidString(r.Text) || len(r.Text) > maxText || strings.ContainsAny(r.Text, "\n\x00"):
			t.Errorf("text %q is not fit to be shown", r.Text)
		case r.Document == nil:
			if r.Code == "" || r.Key != "" {
				t.Errorf("rejected with code %q and key %q", r.Code, r.Key)
			}
		case r.Document.Key.Merchant != identity.Merchant || r.Document.Key.Store != identity.Store:
			t.Errorf("passed for %+v", r.Document.Key)
		case r.Code != CodeNewer && document.Hash(r.Document) != r.Hash || r.Document.ContentHash != hex.EncodeToString(r.Hash[:]):
			t.Error("passed with another hash than its own")
		}
	})
}

// BenchmarkRead is what the collector does with each document before it is
// stored.
func BenchmarkRead(b *testing.B) {
	s, raw := reader(), receipt(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if r, err := s.read(b.Context(), identity, raw); err != nil || r.Document == nil {
			b.Fatal(r.Code, r.Text, err)
		}
	}
}
