// Package targettest is the conformance suite that every target passes. It
// checks what posting relies on: a payload is booked once however often it is
// posted, another payload never takes its place, what is found equals what was
// posted, and nothing is booked when a target refuses.
//
// It knows nothing of any one target. A target with real rules of its own
// (accounts that must exist, closed periods) has its own tests beside this.
package targettest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/money"
)

// Harness makes targets to test.
type Harness struct {
	// Open returns a target on the empty set of books that belongs to the test.
	// Called again in the same test it opens the same books again, as after a
	// restart.
	Open func(t *testing.T) target.Target
	// Currency is that of the books. Accounts are at least three that may be
	// posted to.
	Currency string
	Accounts []string
}

// Run runs the suite.
func Run(t *testing.T, harness func(t *testing.T) Harness) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"a posted payload is found as it was posted", found},
		{"posting again is the same receipt and books nothing", again},
		{"another payload under a reference is refused", taken},
		{"nothing is found under an unused reference", absent},
		{"list returns the references with a prefix in order", list},
		{"an unbalanced payload is refused and not booked", unbalanced},
		{"a payload in another currency is refused and not booked", currency},
		{"texts of every script survive", scripts},
		{"negative, zero and largest amounts survive", amounts},
		{"of many writers of one reference one wins", race},
		{"a cancelled request books nothing or all", cancelled},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, harness(t))
		})
	}
}

// Sample returns a balanced payload with tax detail.
func Sample(h Harness, reference string) target.Payload {
	return target.Payload{
		Key: "m1/store-day/s1/2026-11-03/books/" + reference, Reference: reference, Date: "2026-11-03",
		Currency: h.Currency, Narration: "High Street, business day 2026-11-03", Reason: "close",
		Lines: []target.Line{
			{Account: h.Accounts[0], Amount: 12000, Text: "Cash", Documents: 3, Foreign: &target.Foreign{Currency: "USD", Amount: 15000, Rate: money.MustParse("0.8")}},
			{Account: h.Accounts[1], Amount: -10000, Text: "Food 20 %", Documents: 3,
				Tax:        &target.Tax{Code: "V20", Base: -10000, Amount: -2000, Direction: "SALE", Jurisdiction: "GB"},
				Dimensions: map[string]string{"store": "s1", "Sales channel": "eat in: \"x\""}},
			{Account: h.Accounts[2], Amount: -2000, Text: "VAT 20 %"},
		},
	}
}

func post(t *testing.T, b target.Target, p target.Payload) target.Receipt {
	t.Helper()
	receipt, err := b.Post(t.Context(), p)
	if err != nil {
		t.Fatalf("post %s: %v", p.Reference, err)
	}
	if receipt.RemoteID == "" {
		t.Fatalf("post %s: the receipt has no remote id", p.Reference)
	}
	return receipt
}

func holds(t *testing.T, b target.Target, want target.Payload) target.Receipt {
	t.Helper()
	got, receipt, err := b.Find(t.Context(), want.Reference)
	if err != nil || got == nil {
		t.Fatalf("find %s: %v, %v", want.Reference, got, err)
	}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Fatalf("find %s (-posted +found):\n%s", want.Reference, diff)
	}
	return receipt
}

func empty(t *testing.T, b target.Target, reference string) {
	t.Helper()
	got, _, err := b.Find(t.Context(), reference)
	if err != nil || got != nil {
		t.Fatalf("find %s: want nothing, got %v, %v", reference, got, err)
	}
}

func found(t *testing.T, h Harness) {
	p := Sample(h, "POS-S1-20261103")
	receipt := post(t, h.Open(t), p)
	if again := holds(t, h.Open(t), p); again != receipt {
		t.Errorf("receipt of post %v, of find %v", receipt, again)
	}
}

func again(t *testing.T, h Harness) {
	p := Sample(h, "POS-S1-20261103")
	first := post(t, h.Open(t), p)
	for range 3 {
		if next := post(t, h.Open(t), p); next != first {
			t.Errorf("the first receipt is %v, a later one %v", first, next)
		}
	}
	references, err := h.Open(t).List(t.Context(), "POS-")
	if err != nil || len(references) != 1 {
		t.Errorf("list: %v, %v; want one", references, err)
	}
	holds(t, h.Open(t), p)
}

func taken(t *testing.T, h Harness) {
	b := h.Open(t)
	p := Sample(h, "POS-S1-20261103")
	post(t, b, p)
	other := Sample(h, "POS-S1-20261103")
	other.Lines = slices.Clone(other.Lines)
	other.Lines[0].Amount, other.Lines[2].Amount = 12001, -2001
	if _, err := b.Post(t.Context(), other); !errors.Is(err, target.ErrTaken) {
		t.Errorf("another amount: %v; want ErrTaken", err)
	}
	stranger := p
	stranger.Key = "m2/store-day/s1/2026-11-03/books/1"
	if _, err := b.Post(t.Context(), stranger); !errors.Is(err, target.ErrTaken) {
		t.Errorf("another key: %v; want ErrTaken", err)
	}
	holds(t, b, p)
}

func absent(t *testing.T, h Harness) {
	b := h.Open(t)
	empty(t, b, "POS-S1-20261103")
	post(t, b, Sample(h, "POS-S1-20261103-r2"))
	empty(t, b, "POS-S1-20261103")
	if references, err := b.List(t.Context(), "POS-S2"); err != nil || len(references) != 0 {
		t.Errorf("list: %v, %v; want none", references, err)
	}
}

func list(t *testing.T, h Harness) {
	b := h.Open(t)
	for _, reference := range []string{"POS-S2-20261103", "POS-S1-20261103-r2", "POS-S1-20261104", "POS-S1-20261103"} {
		post(t, b, Sample(h, reference))
	}
	got, err := h.Open(t).List(t.Context(), "POS-S1-20261103")
	if diff := cmp.Diff([]string{"POS-S1-20261103", "POS-S1-20261103-r2"}, got); err != nil || diff != "" {
		t.Errorf("list: %v (-want +got):\n%s", err, diff)
	}
}

func refused(t *testing.T, h Harness, p target.Payload) {
	t.Helper()
	b := h.Open(t)
	if _, err := b.Post(t.Context(), p); !errors.Is(err, target.ErrRefused) {
		t.Errorf("post: %v; want ErrRefused", err)
	}
	empty(t, b, p.Reference)
	if references, err := b.List(t.Context(), ""); err != nil || len(references) != 0 {
		t.Errorf("list: %v, %v; want none", references, err)
	}
}

func unbalanced(t *testing.T, h Harness) {
	p := Sample(h, "POS-S1-20261103")
	p.Lines[0].Amount++
	refused(t, h, p)
}

func currency(t *testing.T, h Harness) {
	p := Sample(h, "POS-S1-20261103")
	if p.Currency = "SEK"; h.Currency == "SEK" {
		p.Currency = "NOK"
	}
	refused(t, h, p)
}

func scripts(t *testing.T, h Harness) {
	p := Sample(h, "POS-S1-20261103")
	p.Narration = `Café "Łódź" \ 東京; day 3, note: [2026-01-01] date:2020-01-01 | <b>&amp;</b> #tag ^link`
	for i := range p.Lines {
		p.Lines[i].Text = fmt.Sprintf(`%d: "Süß"; date:2001-01-01, [2001-01-01] \n € %% 日本 | = @ 5 EUR {x}`, i)
	}
	post(t, h.Open(t), p)
	holds(t, h.Open(t), p)
}

func amounts(t *testing.T, h Harness) {
	p := Sample(h, "POS-S1-20261103")
	p.Lines = []target.Line{
		{Account: h.Accounts[0], Amount: 999_999_999_999_99, Text: "large"},
		{Account: h.Accounts[0], Amount: -1, Text: "one"},
		{Account: h.Accounts[1], Amount: 0, Text: "exempt", Tax: &target.Tax{Code: "EX", Base: 500, Direction: "RETURN"}},
		{Account: h.Accounts[2], Amount: -999_999_999_999_98},
	}
	post(t, h.Open(t), p)
	holds(t, h.Open(t), p)
}

func race(t *testing.T, h Harness) {
	const writers = 8
	targets := make([]target.Target, writers)
	for i := range targets {
		targets[i] = h.Open(t)
	}
	errs := make([]error, writers)
	var group sync.WaitGroup
	for i, b := range targets {
		group.Go(func() {
			p := Sample(h, "POS-S1-20261103")
			p.Lines = slices.Clone(p.Lines)
			p.Lines[0].Amount += money.Minor(i)
			p.Lines[2].Amount -= money.Minor(i)
			_, errs[i] = b.Post(context.WithoutCancel(t.Context()), p)
		})
	}
	group.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.Errorf("writers %d and %d both posted", winner, i)
		case !errors.Is(err, target.ErrTaken):
			t.Errorf("writer %d: %v; want ErrTaken", i, err)
		}
	}
	if winner < 0 {
		t.Fatal("no writer posted")
	}
	want := Sample(h, "POS-S1-20261103")
	want.Lines[0].Amount += money.Minor(winner)
	want.Lines[2].Amount -= money.Minor(winner)
	holds(t, h.Open(t), want)
}

func cancelled(t *testing.T, h Harness) {
	b := h.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := Sample(h, "POS-S1-20261103")
	if _, err := b.Post(ctx, p); err == nil {
		holds(t, b, p)
		return
	}
	if got, _, err := b.Find(t.Context(), p.Reference); err != nil || got != nil && !got.Equal(p) {
		t.Errorf("after a cancelled post: %v, %v; want nothing or the whole", got, err)
	}
}
