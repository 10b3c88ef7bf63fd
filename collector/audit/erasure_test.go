package audit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/erasure"
	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/shared/document"
)

// of is a sale to a customer.
func of(customer, number string, pence int64) *document.Document {
	d := postingtest.Sale(number, pence)
	d.Customer = &document.Customer{Key: customer}
	d.Place.Operator = "operator-7"
	for range 40 { // more than fits on one page of the database
		d.Lines = append(d.Lines, document.Line{Kind: document.Item, Text: strings.Repeat("wrapped for "+customer+" ", 30)})
	}
	d.Settle()
	return d
}

// holding counts the files of the database that have a text anywhere.
func holding(t *testing.T, path, text string) (n int) {
	t.Helper()
	names, err := filepath.Glob(path + "*")
	must(t, err)
	for _, name := range names {
		all, err := os.ReadFile(name)
		must(t, err)
		if bytes.Contains(all, []byte(text)) {
			n++
		}
	}
	return n
}

func TestWhatWasErasedIsGoneAndEveryPromiseIsKept(t *testing.T) {
	t.Parallel()
	s := open(t, &postingtest.Books{Unique: true})
	s.send(of("customer-4711", "1", 1200), of("customer-4712", "2", 600), postingtest.Sale("3", 100))
	s.work()
	s.send(of("customer-4711", "1", 1300))
	s.work()
	bodies := func() (all [][]byte) {
		must(t, s.db.EachDocument(t.Context(), "m", func(d audit.Document) error { all = append(all, d.Body); return nil }))
		return all
	}
	before := bodies()

	what := erasure.What{Store: s.db, Merchant: "m", Customer: "customer-4711", Now: s.now}
	counted, err := erasure.Run(t.Context(), what)
	must(t, err)
	if counted.Done || counted.Documents != 2 || counted.Fields["customer/key"] != 2 || len(counted.Left) > 0 {
		t.Errorf("a dry run says %+v", counted)
	}
	for i, body := range bodies() {
		if !bytes.Equal(body, before[i]) {
			t.Error("a dry run changed a document")
		}
	}
	if holding(t, s.path, "customer-4711") == 0 {
		t.Fatal("the database does not have what is to be erased")
	}

	what.Do = true
	done, err := erasure.Run(t.Context(), what)
	must(t, err)
	if !done.Done || done.Documents != 2 {
		t.Errorf("%+v", done)
	}
	wantClean(t, s.verify())
	if n := holding(t, s.path, "customer-4711"); n > 0 {
		t.Errorf("the customer still stands in %d files", n)
	}
	if holding(t, s.path, "customer-4712") == 0 {
		t.Error("another customer is gone too")
	}
	if again, err := erasure.Run(t.Context(), what); err != nil || again.Done || again.Documents != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}

	rest, err := erasure.Run(t.Context(), erasure.What{Store: s.db, Merchant: "m", Before: postingtest.Day.Add(1), Do: true, Now: s.now})
	must(t, err)
	if !rest.Done || rest.Fields["place/operator"] != 3 || holding(t, s.path, "customer-4712")+holding(t, s.path, "operator-7") > 0 {
		t.Errorf("before the next day: %+v", rest)
	}
	wantClean(t, s.verify())

	// An agent that sends a document again, as it was, states nothing new.
	s.send(of("customer-4712", "2", 600))
	s.work()
	wantClean(t, s.verify())
	if holding(t, s.path, "customer-4712") > 0 {
		t.Error("what was sent again is back")
	}
}
