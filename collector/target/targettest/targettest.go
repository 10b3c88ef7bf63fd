// Package targettest is the conformance suite that every target passes. It
// checks what posting relies on: a payload is booked once however often it is
// posted, another payload never takes its place, what is found equals what was
// posted, and nothing is booked when a target refuses.
//
// It knows nothing of any one target. What a target does not offer is checked
// too: it must say so, and the test's log names it. A target with rules of its
// own has its own tests beside this.
package targettest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Harness makes targets to test. What the target's Capabilities do not name may
// be left out.
type Harness struct {
	// Open returns a target on the empty set of books that belongs to the test.
	// Called again in the same test it opens the same books again, as after a
	// restart.
	Open func(t *testing.T) target.Target
	// Currency is that of the books. Accounts are at least three that may be
	// posted to: of cash, of sales, of tax, and last of purchases if there is a
	// fourth.
	Currency string
	Accounts []string
	// Tax is a tax code of 20 percent on sales, Exempt one of 0, Purchase one of 20
	// percent on purchases; left out they are V20, EX and P20.
	Tax, Exempt, Purchase string
	// NoPurchases: no tax on purchases is posted. NoTaxCodes: lines bear none.
	// NoDimensions: they stand in texts, and there may be any.
	NoPurchases, NoTaxCodes, NoDimensions bool
	// Dimensions are what a line of sales may be split by.
	Dimensions map[string]string

	// Edit changes an amount of what is booked under a reference, Remove takes it
	// off the books, both as a person might, not knowing of us.
	Edit, Remove func(t *testing.T, reference string)
	// Close closes the books up to a day; empty opens them again.
	Close func(t *testing.T, to bizday.Day)
	// Retire archives an account or a tax code.
	Retire func(t *testing.T, name string)
	// Attached returns the names of files at what is booked under a reference.
	Attached func(t *testing.T, reference string) []string
}

const reference = "POS-S1-20261103"

type check struct {
	name string
	run  func(*testing.T, Harness)
}

// Run runs the suite.
func Run(t *testing.T, harness func(t *testing.T) Harness) {
	for _, c := range slices.Concat(bookingChecks(), shapeChecks(), togetherChecks(), chartChecks(), periodChecks(), laterChecks()) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := harness(t)
			for _, d := range []struct {
				code      *string
				otherwise string
			}{{&h.Tax, "V20"}, {&h.Exempt, "EX"}, {&h.Purchase, "P20"}} {
				if *d.code == "" {
					*d.code = d.otherwise
				}
			}
			c.run(t, h)
		})
	}
}

// Sample returns a balanced payload with tax detail.
func Sample(h Harness, reference string) target.Payload {
	tax := h.Tax
	if tax == "" {
		tax = "V20"
	}
	dimensions := map[string]string{"store": "s1", "Sales channel": "eat in: \"x\""}
	if h.Dimensions != nil {
		dimensions = h.Dimensions
	}
	return target.Payload{
		Key: "m1/store-day/s1/2026-11-03/books/" + reference, Reference: reference, Date: "2026-11-03",
		Currency: h.Currency, Narration: "High Street, business day 2026-11-03", Reason: "close",
		Lines: []target.Line{
			{Account: h.Accounts[0], Amount: 12000, Text: "Cash", Documents: 3, Foreign: &target.Foreign{Currency: "USD", Amount: 15000, Rate: money.MustParse("0.8")}},
			{Account: h.Accounts[1], Amount: -10000, Text: "Food 20 %", Documents: 3,
				Tax:        &target.Tax{Code: tax, Base: -10000, Amount: -2000, Direction: "SALE", Jurisdiction: "GB"},
				Dimensions: dimensions},
			{Account: h.Accounts[2], Amount: -2000, Text: "VAT 20 %", Control: true},
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

// survives posts a payload and finds it in books that were opened again.
func survives(t *testing.T, h Harness, p target.Payload) {
	t.Helper()
	post(t, h.Open(t), p)
	holds(t, h.Open(t), p)
}

func empty(t *testing.T, b target.Target, reference string) {
	t.Helper()
	got, _, err := b.Find(t.Context(), reference)
	if err != nil || got != nil {
		t.Fatalf("find %s: want nothing, got %v, %v", reference, got, err)
	}
}

func lists(t *testing.T, b target.Target, prefix string, want ...string) {
	t.Helper()
	got, err := b.List(t.Context(), prefix)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("list %q: %v, %v; want %v", prefix, got, err, want)
	}
}

// refused posts what must be refused with words in the text, and checks that
// nothing was booked.
func refused(t *testing.T, h Harness, p target.Payload, words ...string) {
	t.Helper()
	b := h.Open(t)
	_, err := b.Post(t.Context(), p)
	if !errors.Is(err, target.ErrRefused) {
		t.Fatalf("post: %v; want ErrRefused", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("refused with %q, which does not name %q", err, word)
		}
	}
	if target.CheckReference(p.Reference) == nil {
		empty(t, b, p.Reference)
	}
	lists(t, b, "")
}

// offers reports whether the target offers something. If not, the log says what
// and the calls given must say so too.
func offers(t *testing.T, offered bool, what string, calls ...func() error) bool {
	t.Helper()
	if offered {
		return true
	}
	t.Logf("not offered by this target: %s", what)
	for _, call := range calls {
		if err := call(); !errors.Is(err, target.ErrNotOffered) {
			t.Errorf("%s is not offered, but the call answers %v; want ErrNotOffered", what, err)
		}
	}
	return false
}

// changed returns the sample with a change, its lines its own.
func changed(h Harness, change func(p *target.Payload)) target.Payload {
	p := Sample(h, reference)
	change(&p)
	return p
}

func numbered(n int) string { return fmt.Sprintf("POS-S1-%08d", n) }
