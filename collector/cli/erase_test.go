package cli_test

import (
	"testing"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/shared/document"
)

// to is a sale to a customer.
func (c *counter) to(customer, number string) intake.Record {
	c.Helper()
	r := c.sale(number, "1.00")
	r.Document.Customer, r.Document.Key.Merchant = &document.Customer{Key: customer}, ""
	var err error
	r.Bytes, err = document.Marshal(r.Document)
	c.must(err)
	r.Document.Key.Merchant = "corner"
	return r
}

func TestACustomerIsErasedOnlyWithYesAndTheLogDoesNotNameWhom(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.sends("a1", c.to("C-1", "1"), c.to("C-2", "2"))
	customers := func() (all []string) {
		c.must(c.db.EachDocument(t.Context(), "corner", func(d audit.Document) error {
			read, err := document.Unmarshal(d.Body)
			if read != nil && read.Customer != nil {
				all = append(all, read.Customer.Key)
			}
			return err
		}))
		return all
	}
	var report struct {
		Done      bool
		Documents int
		Before    string
	}
	if code := c.call(&report, "erase", "--merchant", "corner", "--customer", "C-1"); code != 0 || report.Done || report.Documents != 1 || len(customers()) != 2 {
		t.Errorf("without --yes: exit %d, %+v, left are %v", code, report, customers())
	}
	if code := c.call(&report, "erase", "--merchant", "corner", "--customer", "C-1", "--yes", "--by", "olga"); code != 0 || !report.Done || len(customers()) != 1 {
		t.Errorf("with --yes: exit %d, %+v, left are %v", code, report, customers())
	}
	var acts []struct{ What, By, On, Detail string }
	c.call(&acts, "log", "--merchant", "corner")
	if last := acts[len(acts)-1]; last.What != "erase" || last.By != "olga" || last.On != "of one customer" || last.Detail != "1 documents, 0 records" {
		t.Errorf("the log says %+v", last)
	}
	// The law wants a day of this year kept; a person may say otherwise.
	report.Documents = -1
	if code := c.call(&report, "erase", "--merchant", "corner", "--yes"); code != 0 || report.Documents != 0 || report.Before == "" || len(customers()) != 1 {
		t.Errorf("by law: exit %d, %+v", code, report)
	}
	if code := c.call(&report, "erase", "--merchant", "corner", "--before", "2026-03-03", "--yes"); code != 0 || report.Documents != 1 || len(customers()) != 0 {
		t.Errorf("before a day: exit %d, %+v, left are %v", code, report, customers())
	}
	for _, wrong := range [][]string{{"--merchant", "corner", "--customer", "C-1", "--before", "2026-03-03"}, {"--merchant", "corner", "--before", "tuesday"}, {"--merchant", "nobody", "--customer", "C-1"}, {}} {
		if code := c.call(nil, append([]string{"erase"}, wrong...)...); code != 2 {
			t.Errorf("%v: exit %d", wrong, code)
		}
	}
}
