package xero_test

import (
	"testing"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/targettest"
	"tillbook.example/tillbook/collector/target/xero"
	"tillbook.example/tillbook/shared/bizday"
)

// switching opens an office's books with a form that changes with a day.
func (o *office) switching(t *testing.T, before, after string, from bizday.Day) target.Target {
	t.Helper()
	old, now := o.options(), o.options()
	old.Form, now.Form = before, after
	return target.Switch(opened(t, old), opened(t, now), from)
}

func TestBooksWhoseFormChangesPassTheConformanceSuite(t *testing.T) {
	t.Parallel()
	targettest.Run(t, func(t *testing.T) targettest.Harness {
		o := newOffice(t, xero.FormInvoice, british())
		h := o.harness()
		h.Open = func(t *testing.T) target.Target {
			return o.switching(t, xero.FormPayments, xero.FormInvoice, "2026-11-04")
		}
		return h
	})
}

func TestADayKeepsTheFormOfItsFirstPosting(t *testing.T) {
	t.Parallel()
	o := newOffice(t, xero.FormJournal, british())
	early, late := o.sample(), o.sample()
	early.Reference, early.Date = "POS-S1-20261102", "2026-11-02"
	late.Reference, late.Date = "POS-S1-20261103", "2026-11-03"
	if _, err := o.open(t).Post(t.Context(), early); err != nil { // before anybody thinks of another form
		t.Fatal(err)
	}
	books := o.switching(t, xero.FormJournal, xero.FormInvoice, "2026-11-03")
	if _, err := books.Post(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	revision := early
	revision.Key, revision.Reference = early.Key+"/2", "POS-S1-20261102-r2"
	if _, err := books.Post(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	for _, p := range []target.Payload{early, late, revision} {
		found, _, err := books.Find(t.Context(), p.Reference)
		if err != nil || found == nil || !found.Equal(p) {
			t.Errorf("%s: %+v, %v", p.Reference, found, err)
		}
	}
	references, err := books.List(t.Context(), "POS-S1-")
	if err != nil || len(references) != 3 {
		t.Errorf("%q, %v", references, err)
	}
	invoices, err := opened(t, func() xero.Options { options := o.options(); options.Form = xero.FormInvoice; return options }()).List(t.Context(), "POS-S1-")
	if err != nil || len(invoices) != 1 || invoices[0] != late.Reference {
		t.Errorf("as invoices there are %q, %v", invoices, err)
	}
	held, err := books.(target.Inspector).Held(t.Context(), "POS-S1-")
	if err != nil || len(held) != 3 {
		t.Errorf("held: %+v, %v", held, err)
	}
	if err := books.Reverse(t.Context(), early.Reference); err != nil {
		t.Fatal(err)
	}
	if found, _, err := books.Find(t.Context(), early.Reference); err != nil || found != nil {
		t.Errorf("after it was taken off: %+v, %v", found, err)
	}
}
