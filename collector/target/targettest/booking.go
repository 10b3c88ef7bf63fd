package targettest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/money"
)

// bookingChecks are about one payload under one reference.
func bookingChecks() []check {
	checks := []check{
		{"a posted payload is found as it was posted", func(t *testing.T, h Harness) {
			p := Sample(h, reference)
			receipt := post(t, h.Open(t), p)
			if again := holds(t, h.Open(t), p); again != receipt {
				t.Errorf("receipt of post %v, of find %v", receipt, again)
			}
		}},
		{"posting again is the same receipt and books nothing", func(t *testing.T, h Harness) {
			p := Sample(h, reference)
			first := post(t, h.Open(t), p)
			for range 3 {
				if next := post(t, h.Open(t), p); next != first {
					t.Errorf("the first receipt is %v, a later one %v", first, next)
				}
			}
			lists(t, h.Open(t), "POS-", reference)
			holds(t, h.Open(t), p)
		}},
		{"nothing is found under an unused reference", func(t *testing.T, h Harness) {
			b := h.Open(t)
			empty(t, b, reference)
			lists(t, b, "")
		}},
		{"a longer reference is not found for a shorter one", func(t *testing.T, h Harness) {
			b := h.Open(t)
			post(t, b, Sample(h, reference+"-r2"))
			empty(t, b, reference)
			empty(t, b, reference+"-r")
			empty(t, b, reference+"-r20")
		}},
		{"list returns the references with a prefix in order", func(t *testing.T, h Harness) {
			b := h.Open(t)
			for _, r := range []string{"POS-S2-20261103", reference + "-r2", "POS-S1-20261104", reference} {
				post(t, b, Sample(h, r))
			}
			lists(t, h.Open(t), reference, reference, reference+"-r2")
			lists(t, h.Open(t), "POS-S3")
			lists(t, h.Open(t), "", reference, reference+"-r2", "POS-S1-20261104", "POS-S2-20261103")
		}},
		{"list is whole also where there are many", func(t *testing.T, h Harness) {
			b := h.Open(t)
			var want []string
			for n := range 120 {
				post(t, b, Sample(h, numbered(n)))
				want = append(want, numbered(n))
			}
			lists(t, b, "POS-S1-", want...)
		}},
		{"an unbalanced payload is refused", func(t *testing.T, h Harness) {
			refused(t, h, changed(h, func(p *target.Payload) { p.Lines[0].Amount++ }), "balance")
		}},
		{"a payload in another currency is refused", func(t *testing.T, h Harness) {
			other := "SEK"
			if h.Currency == other {
				other = "NOK"
			}
			refused(t, h, changed(h, func(p *target.Payload) { p.Currency = other }), other, h.Currency)
		}},
		{"a payload without lines is refused", func(t *testing.T, h Harness) {
			refused(t, h, changed(h, func(p *target.Payload) { p.Lines = nil }), "lines")
		}},
		{"a reference that is too long is refused", func(t *testing.T, h Harness) {
			refused(t, h, changed(h, func(p *target.Payload) { p.Reference = strings.Repeat("x", target.MaxReference+1) }), "reference")
		}},
		{"a date that is none is refused", func(t *testing.T, h Harness) {
			refused(t, h, changed(h, func(p *target.Payload) { p.Date = "2026-02-30" }), "date")
		}},
		{"a control character is refused", func(t *testing.T, h Harness) {
			refused(t, h, changed(h, func(p *target.Payload) { p.Lines[1].Text = "a\nb" }), "control character")
		}},
		{"finding what cannot be a reference is an error", func(t *testing.T, h Harness) {
			if found, _, err := h.Open(t).Find(t.Context(), "../x"); err == nil {
				t.Errorf("found %v", found)
			}
		}},
	}
	for _, d := range []struct {
		what   string
		change func(*target.Payload, Harness)
	}{
		{"amount", func(p *target.Payload, _ Harness) { p.Lines[0].Amount, p.Lines[1].Amount = 12001, -10001 }},
		{"key", func(p *target.Payload, _ Harness) { p.Key = "m2/store-day/s1/2026-11-03/books/1" }},
		{"date", func(p *target.Payload, _ Harness) { p.Date = "2026-11-04" }},
		{"account", func(p *target.Payload, h Harness) { p.Lines[0].Account = h.Accounts[1] }},
		{"text", func(p *target.Payload, _ Harness) { p.Lines[1].Text = "Drinks 20 %" }},
		{"tax code", func(p *target.Payload, h Harness) { p.Lines[1].Tax.Code = h.Exempt }},
		{"tax direction", func(p *target.Payload, _ Harness) { p.Lines[1].Tax.Direction = "RETURN" }},
		{"dimension", func(p *target.Payload, _ Harness) { p.Lines[1].Dimensions = nil }},
		{"order of lines", func(p *target.Payload, _ Harness) { p.Lines[0], p.Lines[1] = p.Lines[1], p.Lines[0] }},
	} {
		checks = append(checks, check{"another " + d.what + " under a reference never takes its place", func(t *testing.T, h Harness) {
			b := h.Open(t)
			p := Sample(h, reference)
			post(t, b, p)
			other := changed(h, func(p *target.Payload) { d.change(p, h) })
			if _, err := b.Post(t.Context(), other); !errors.Is(err, target.ErrTaken) {
				t.Errorf("another %s: %v; want ErrTaken", d.what, err)
			}
			holds(t, b, p)
			lists(t, b, "", reference)
		}})
	}
	return checks
}

const purchase = "a purchase with its tax"

// shapeChecks are about what payloads look like.
func shapeChecks() []check {
	line := func(account string, amount money.Minor, text string) target.Line {
		return target.Line{Account: account, Amount: amount, Text: text}
	}
	shapes := []struct {
		name   string
		change func(*target.Payload, Harness)
	}{
		{"texts of every script", func(p *target.Payload, _ Harness) {
			p.Narration = `Café "Łódź" \ 東京; day 3, note: [2026-01-01] date:2020-01-01 | <b>&amp;</b> #tag ^link`
			for i := range p.Lines {
				p.Lines[i].Text = fmt.Sprintf(`%d: "Süß"; date:2001-01-01, [2001-01-01] \n € %% 日本 | = @ 5 EUR {x}`, i)
			}
		}},
		{"texts that look like marks of ours", func(p *target.Payload, _ Harness) {
			p.Narration = "Key: x [3 documents] Reason: y"
			for i, text := range []string{"Cash [3 documents]", "[]", "Line 1: x [tax"} {
				p.Lines[i].Text = text
			}
		}},
		{"empty texts", func(p *target.Payload, _ Harness) {
			p.Narration, p.Reason = "", ""
			for i := range p.Lines {
				p.Lines[i].Text = ""
			}
		}},
		{"the longest texts", func(p *target.Payload, _ Harness) {
			p.Narration = strings.Repeat("é", target.MaxText/2)
			for i := range p.Lines {
				p.Lines[i].Text = strings.Repeat("x", target.MaxText)
			}
		}},
		{"negative, zero and largest amounts", func(p *target.Payload, h Harness) {
			zero := line(h.Accounts[1], 0, "exempt")
			zero.Tax = &target.Tax{Code: h.Exempt, Base: 0, Direction: "RETURN"}
			p.Lines = []target.Line{
				line(h.Accounts[0], 999_999_999_999_99, "large"), line(h.Accounts[0], -1, "one"), zero, line(h.Accounts[1], -999_999_999_999_98, ""),
			}
		}},
		{"many lines", func(p *target.Payload, h Harness) {
			p.Lines = nil
			for n := range 150 {
				p.Lines = append(p.Lines, line(h.Accounts[0], money.Minor(n+1), fmt.Sprint("in ", n)), line(h.Accounts[1], -money.Minor(n+1), fmt.Sprint("out ", n)))
			}
		}},
		{"two lines that are the same", func(p *target.Payload, h Harness) {
			p.Lines = []target.Line{line(h.Accounts[0], 20, "Cash"), line(h.Accounts[1], -10, "Sales"), line(h.Accounts[1], -10, "Sales")}
		}},
		{"a return with its tax", func(p *target.Payload, h Harness) {
			back := p.Lines[1]
			back.Amount, back.Text = 5000, "Food 20 %, taken back"
			back.Tax = &target.Tax{Code: h.Tax, Base: 5000, Amount: 1000, Direction: "RETURN"}
			p.Lines[0].Amount, p.Lines[2].Amount = 6000, -1000
			p.Lines = append(p.Lines, back)
		}},
		{"a day that is negative", func(p *target.Payload, _ Harness) {
			for i := range p.Lines {
				p.Lines[i].Amount *= -1
			}
			p.Lines[0].Foreign.Amount *= -1
			p.Lines[1].Tax = &target.Tax{Code: p.Lines[1].Tax.Code, Base: 10000, Amount: 2000, Direction: "RETURN"}
		}},
		{purchase, func(p *target.Payload, h Harness) {
			p.Lines[0].Amount = -12000
			p.Lines[0].Foreign = nil
			p.Lines[1] = line(h.Accounts[len(h.Accounts)-1], 10000, "Window cleaner")
			p.Lines[1].Tax = &target.Tax{Code: h.Purchase, Base: 10000, Amount: 2000, Direction: "PURCHASE"}
			p.Lines[2].Amount = 2000
		}},
		{"tax that is not the rate of its base", func(p *target.Payload, _ Harness) {
			p.Lines[1].Amount, p.Lines[1].Tax.Base, p.Lines[1].Tax.Amount, p.Lines[2].Amount = -10003, -10003, -1997, -1997
		}},
		{"exempt sales beside taxed ones", func(p *target.Payload, h Harness) {
			exempt := line(h.Accounts[1], -700, "Books")
			exempt.Tax = &target.Tax{Code: h.Exempt, Base: -700, Direction: "SALE"}
			p.Lines[0].Amount += 700
			p.Lines = append(p.Lines, exempt)
		}},
		{"no tax at all", func(p *target.Payload, h Harness) {
			p.Lines = []target.Line{line(h.Accounts[0], 10, "Cash"), line(h.Accounts[1], -10, "Sales")}
		}},
		{"the last day of a leap February", func(p *target.Payload, _ Harness) { p.Date = "2028-02-29" }},
		{"a reference of full length", func(p *target.Payload, _ Harness) {
			p.Reference = "POS-HIGH-20261103-rA0"
			p.Narration += ", change 99 (late)"
			p.Reason = "late; missing: till 2"
		}},
	}
	checks := make([]check, 0, len(shapes))
	for _, s := range shapes {
		checks = append(checks, check{s.name + " survive", func(t *testing.T, h Harness) {
			if s.name == purchase && !offers(t, !h.NoPurchases, "tax on purchases") {
				return
			}
			survives(t, h, changed(h, func(p *target.Payload) { s.change(p, h) }))
		}})
	}
	return checks
}

// togetherChecks are about many at the same time.
func togetherChecks() []check {
	const writers = 8
	at := func(t *testing.T, h Harness, payload func(i int) target.Payload) ([]target.Receipt, []error) {
		targets := make([]target.Target, writers)
		for i := range targets {
			targets[i] = h.Open(t)
		}
		receipts, errs := make([]target.Receipt, writers), make([]error, writers)
		var group sync.WaitGroup
		for i, b := range targets {
			group.Go(func() { receipts[i], errs[i] = b.Post(context.WithoutCancel(t.Context()), payload(i)) })
		}
		group.Wait()
		return receipts, errs
	}
	return []check{
		{"of many writers of one reference one wins", func(t *testing.T, h Harness) {
			payload := func(i int) target.Payload {
				return changed(h, func(p *target.Payload) {
					p.Lines[0].Amount += money.Minor(i)
					p.Lines[1].Amount -= money.Minor(i)
				})
			}
			_, errs := at(t, h, payload)
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
			holds(t, h.Open(t), payload(winner))
			lists(t, h.Open(t), "", reference)
		}},
		{"many writers of the same payload get the same receipt", func(t *testing.T, h Harness) {
			receipts, errs := at(t, h, func(int) target.Payload { return Sample(h, reference) })
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			if all := slices.Compact(receipts); len(all) != 1 {
				t.Errorf("the receipts are %v", all)
			}
			lists(t, h.Open(t), "", reference)
		}},
		{"many references at the same time are all booked", func(t *testing.T, h Harness) {
			_, errs := at(t, h, func(i int) target.Payload { return Sample(h, numbered(i)) })
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			for i := range writers {
				holds(t, h.Open(t), Sample(h, numbered(i)))
			}
		}},
		{"a cancelled request books nothing or all", func(t *testing.T, h Harness) {
			b := h.Open(t)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			p := Sample(h, reference)
			if _, err := b.Post(ctx, p); err == nil {
				holds(t, b, p)
				return
			}
			if got, _, err := b.Find(t.Context(), p.Reference); err != nil || got != nil && !got.Equal(p) {
				t.Errorf("after a cancelled post: %v, %v; want nothing or the whole", got, err)
			}
		}},
	}
}
