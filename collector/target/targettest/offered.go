package targettest

import (
	"errors"
	"slices"
	"testing"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/bizday"
)

// chartChecks are about accounts, tax codes and dimensions.
func chartChecks() []check {
	offered := func(t *testing.T, h Harness) bool {
		b := h.Open(t)
		return offers(t, b.Capabilities().Chart, "a chart of accounts", func() error { _, err := b.Chart(t.Context()); return err })
	}
	const code, value = "a tax code", "a value of a dimension"
	bears := func(t *testing.T, h Harness, name string) bool {
		return offered(t, h) && (name != code || offers(t, !h.NoTaxCodes, "lines that bear tax codes")) &&
			(name != value || offers(t, !h.NoDimensions, "dimensions of its own"))
	}
	unknown := func(name string, change func(*target.Payload, string)) check {
		return check{name + " that is not there is refused and named", func(t *testing.T, h Harness) {
			if bears(t, h, name) {
				refused(t, h, changed(h, func(p *target.Payload) { change(p, "Not There") }), "Not There")
			}
		}}
	}
	retired := func(what string, of func(Harness) string) check {
		return check{what + " that was retired is refused and named", func(t *testing.T, h Harness) {
			if bears(t, h, what) {
				h.Retire(t, of(h))
				refused(t, h, Sample(h, reference), of(h))
			}
		}}
	}
	return []check{
		{"the chart has what may be posted to", func(t *testing.T, h Harness) {
			if !offered(t, h) {
				return
			}
			chart, err := h.Open(t).Chart(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range h.Accounts[:2] {
				if a, found := chart.Account(name); !found || !a.Active || a.Closed != "" || a.Class == "" {
					t.Errorf("account %s: %+v, %t", name, a, found)
				}
			}
			for _, code := range []string{h.Tax, h.Exempt} {
				if tax, found := chart.Tax(code); !found || !tax.Active {
					t.Errorf("tax code %s: %+v, %t", code, tax, found)
				}
			}
			for name, value := range h.Dimensions {
				d, found := chart.Dimension(name)
				if _, has := d.Value(value); !found || !has {
					t.Errorf("dimension %s: %+v, %t", name, d, found)
				}
			}
		}},
		unknown("an account", func(p *target.Payload, name string) { p.Lines[0].Account = name }),
		unknown(code, func(p *target.Payload, name string) { p.Lines[1].Tax.Code = name }),
		unknown(value, func(p *target.Payload, name string) {
			values := map[string]string{}
			for d := range p.Lines[1].Dimensions {
				values[d] = name
			}
			p.Lines[1].Dimensions = values
		}),
		retired("an account", func(h Harness) string { return h.Accounts[1] }),
		retired(code, func(h Harness) string { return h.Tax }),
	}
}

// periodChecks are about books that are closed up to a day.
func periodChecks() []check {
	with := func(name string, run func(t *testing.T, h Harness, b target.Target)) check {
		return check{name, func(t *testing.T, h Harness) {
			b := h.Open(t)
			period, err := b.Period(t.Context())
			if err != nil || period.Closed != "" {
				t.Fatalf("new books are closed: %+v, %v", period, err)
			}
			if offers(t, b.Capabilities().Closes, "books that are closed up to a day") {
				run(t, h, b)
			}
		}}
	}
	closed := func(t *testing.T, h Harness, to bizday.Day) {
		t.Helper()
		h.Close(t, to)
		if period, err := h.Open(t).Period(t.Context()); err != nil || period.Closed != to {
			t.Fatalf("closed to %q, the target says %+v, %v", to, period, err)
		}
	}
	return []check{
		with("the last closed day is refused and named", func(t *testing.T, h Harness, _ target.Target) {
			closed(t, h, "2026-11-03")
			refused(t, h, Sample(h, reference), "2026-11-03")
		}),
		with("the first open day is booked", func(t *testing.T, h Harness, _ target.Target) {
			closed(t, h, "2026-11-02")
			survives(t, h, Sample(h, reference))
		}),
		with("books that are opened again take what they refused", func(t *testing.T, h Harness, _ target.Target) {
			closed(t, h, "2026-11-30")
			refused(t, h, Sample(h, reference))
			closed(t, h, "")
			survives(t, h, Sample(h, reference))
		}),
		with("what was posted before the books were closed is found and posted again is the same", func(t *testing.T, h Harness, b target.Target) {
			p := Sample(h, reference)
			first := post(t, b, p)
			closed(t, h, "2026-11-30")
			if again := post(t, h.Open(t), p); again != first {
				t.Errorf("the first receipt is %v, a later one %v", first, again)
			}
			holds(t, h.Open(t), p)
		}),
	}
}

// laterChecks are about what happens to what is booked.
func laterChecks() []check {
	reverses := func(t *testing.T, h Harness) bool {
		b := h.Open(t)
		return offers(t, b.Capabilities().Reverses, "taking off the books", func() error { return b.Reverse(t.Context(), reference) })
	}
	attaches := func(t *testing.T, h Harness) bool {
		b := h.Open(t)
		return offers(t, b.Capabilities().Attaches, "attachments", func() error { return b.Attach(t.Context(), reference, report()) })
	}
	return []check{
		{"what a person changed is found as it is now", func(t *testing.T, h Harness) {
			b := h.Open(t)
			p := Sample(h, reference)
			post(t, b, p)
			h.Edit(t, reference)
			found, _, err := h.Open(t).Find(t.Context(), reference)
			if err != nil || found == nil || found.Equal(p) || found.Key != p.Key {
				t.Errorf("found %+v, %v; want another payload of the same key", found, err)
			}
			if _, err := b.Post(t.Context(), p); !errors.Is(err, target.ErrTaken) {
				t.Errorf("posting over the change: %v; want ErrTaken", err)
			}
		}},
		{"what a person took off the books is not found", func(t *testing.T, h Harness) {
			post(t, h.Open(t), Sample(h, reference))
			h.Remove(t, reference)
			empty(t, h.Open(t), reference)
			lists(t, h.Open(t), "")
		}},
		{"what was reversed is not found any more", func(t *testing.T, h Harness) {
			if !reverses(t, h) {
				return
			}
			b := h.Open(t)
			post(t, b, Sample(h, reference))
			post(t, b, Sample(h, reference+"-r2"))
			for range 2 { // twice is once
				if err := b.Reverse(t.Context(), reference); err != nil {
					t.Fatal(err)
				}
			}
			empty(t, h.Open(t), reference)
			lists(t, h.Open(t), "", reference+"-r2")
		}},
		{"a reference whose posting was reversed is spent", func(t *testing.T, h Harness) {
			if !reverses(t, h) {
				return
			}
			b := h.Open(t)
			p := Sample(h, reference)
			post(t, b, p)
			if err := b.Reverse(t.Context(), reference); err != nil {
				t.Fatal(err)
			}
			if receipt, err := h.Open(t).Post(t.Context(), p); !errors.Is(err, target.ErrTaken) {
				t.Errorf("posted again: %v, %v; want ErrTaken", receipt, err)
			}
			empty(t, h.Open(t), reference)
		}},
		{"reversing what is not there changes nothing", func(t *testing.T, h Harness) {
			if !reverses(t, h) {
				return
			}
			if err := h.Open(t).Reverse(t.Context(), reference); err != nil {
				t.Error(err)
			}
		}},
		{"nothing is reversed in a closed period", func(t *testing.T, h Harness) {
			b := h.Open(t)
			if !reverses(t, h) || !offers(t, b.Capabilities().Closes, "books that are closed up to a day") {
				return
			}
			p := Sample(h, reference)
			post(t, b, p)
			h.Close(t, "2026-11-30")
			if err := h.Open(t).Reverse(t.Context(), reference); !errors.Is(err, target.ErrRefused) {
				t.Errorf("reversed: %v; want ErrRefused", err)
			}
			holds(t, b, p)
		}},
		{"an attachment is there once", func(t *testing.T, h Harness) {
			if !attaches(t, h) {
				return
			}
			b := h.Open(t)
			post(t, b, Sample(h, reference))
			for range 2 {
				if err := b.Attach(t.Context(), reference, report()); err != nil {
					t.Fatal(err)
				}
			}
			if got := h.Attached(t, reference); !slices.Equal(got, []string{"day.csv"}) {
				t.Errorf("attached: %q", got)
			}
			holds(t, b, Sample(h, reference))
		}},
		{"nothing is attached to what is not there", func(t *testing.T, h Harness) {
			if attaches(t, h) {
				if err := h.Open(t).Attach(t.Context(), reference, report()); !errors.Is(err, target.ErrRefused) {
					t.Errorf("attached: %v; want ErrRefused", err)
				}
			}
		}},
		{"an attachment that is too large or has a strange name is refused", func(t *testing.T, h Harness) {
			if !attaches(t, h) {
				return
			}
			b := h.Open(t)
			post(t, b, Sample(h, reference))
			for _, a := range []target.Attachment{{Name: "../x.csv", Body: []byte("x")}, {Name: "x.csv", Body: make([]byte, target.MaxAttachment+1)}, {Name: "x.csv"}} {
				if err := b.Attach(t.Context(), reference, a); !errors.Is(err, target.ErrRefused) {
					t.Errorf("%s of %d bytes: %v; want ErrRefused", a.Name, len(a.Body), err)
				}
			}
		}},
	}
}

func report() target.Attachment {
	return target.Attachment{Name: "day.csv", Type: "text/csv", Body: []byte("what,amount\r\ncash,120.00\r\n")}
}
