package poslog

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/money"
)

// reference opens a reference file.
func reference(t *testing.T, name string) *os.File {
	t.Helper()
	dir := os.Getenv("TILLBOOK_REFERENCE")
	if dir == "" {
		t.Skip("reference data: TILLBOOK_REFERENCE is not set")
	}
	f, err := os.Open(filepath.Join(dir, "samples", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// all reads an input to its end.
func all(t *testing.T, r format.Reader) []format.Result {
	t.Helper()
	var results []format.Result
	for {
		result, err := r.Next()
		if errors.Is(err, io.EOF) {
			return results
		}
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, result)
	}
}

func TestTheSampleAddsUpAndItsReductionCountsOnce(t *testing.T) {
	t.Parallel()
	r, err := New(reference(t, "poslog-2.1/SMALL.xml"), format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	results := all(t, r)
	if len(results) != 2 || results[0].Refused != nil || results[1].Refused != nil {
		t.Fatalf("got %d results, want a control record and a receipt, none refused: %+v", len(results), results)
	}
	if got := results[0].Document.Kind; got != document.SignOn {
		t.Errorf("the control record is a %s", got)
	}
	d := results[1].Document
	if testing.Verbose() {
		text, _ := json.MarshalIndent(d, "", " ")
		t.Logf("%s", text)
	}
	if want := (document.Key{Store: "9", Terminal: "34", Space: document.SpaceReceipt, Number: "161", Scope: "2017-09-30"}); d.Key != want {
		t.Errorf("key %v, want %v", d.Key, want)
	}
	if len(d.Lines) != 1 || d.Lines[0].Extended != money.MustParse("1.26") {
		t.Errorf("lines %+v", d.Lines)
	}
	c := d.Totals.Computed
	if *c.Gross != money.MustParse("1.07") || *c.Discount != money.MustParse("-0.19") || *c.Tax != 0 {
		t.Errorf("gross %s, discount %s, tax %s", c.Gross, c.Discount, c.Tax)
	}
	if len(d.Totals.Differences) != 0 {
		t.Errorf("differences %v", d.Totals.Differences)
	}
	if len(d.Tenders) != 1 || d.Tenders[0].Kind != document.CardDebit || d.Tenders[0].Amount != money.MustParse("1.07") {
		t.Errorf("tenders %+v", d.Tenders)
	}
	if d.StatedDay.Date != "2017-09-30" || d.Time.AsGiven != "2017-10-01T02:02:54" || !d.Time.UTC.IsZero() {
		t.Errorf("day %v, time %v", d.StatedDay, d.Time)
	}
}

func mustJSON(t *testing.T, d *document.Document) []byte {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
