package settle_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

func dec(s string) money.Decimal { return money.MustParse(s) }

// at is a moment of March 2026: "02 14:30", or of another month, "04-01 09:00".
func at(s string) time.Time {
	if strings.Index(s, " ") == 2 {
		s = "03-" + s
	}
	t, err := time.Parse("2006-01-02 15:04", "2026-"+s)
	if err != nil {
		panic(err)
	}
	return t
}

// tender is a card rung up on receipt number n.
func tender(n int, when, amount string, change ...func(*settle.Taken)) settle.Taken {
	t := settle.Taken{
		Document: fmt.Sprintf("S1|1|RECEIPT|%d", n), Store: "S1", Terminal: "1", Day: bizday.Day(at(when).Format(time.DateOnly)), At: at(when), Currency: "GBP",
		Amount: dec(amount), Kind: document.CardDebit, Receipt: fmt.Sprint(n),
	}
	for _, c := range change {
		c(&t)
	}
	return t
}

func moved(key string, kind settle.Kind, when, amount string, change ...func(*settle.Movement)) settle.Movement {
	m := settle.Movement{Provider: "p", Key: key, Kind: kind, At: at(when), Currency: "GBP", Amount: dec(amount)}
	for _, c := range change {
		c(&m)
	}
	return m
}

func paid(key, when, amount string, change ...func(*settle.Payout)) settle.Payout {
	p := settle.Payout{Provider: "p", Key: key, State: settle.OnTheWay, Currency: "GBP", Amount: dec(amount), Created: at(when)}
	for _, c := range change {
		c(&p)
	}
	return p
}

func booked(key string, day bizday.Day, amount, reference string) settle.BankLine {
	return settle.BankLine{Account: "bank", Key: key, Booked: day, Currency: "GBP", Amount: dec(amount), Reference: reference, Counterparty: "PROVIDER LTD"}
}

func noReceipt(t *settle.Taken)                 { t.Receipt = "" }
func four(s string) func(*settle.Taken)         { return func(t *settle.Taken) { t.LastFour = s } }
func cardOf(s string) func(*settle.Movement)    { return func(m *settle.Movement) { m.LastFour = s } }
func receiptOf(s string) func(*settle.Movement) { return func(m *settle.Movement) { m.Receipt = s } }
func within(s string) func(*settle.Movement)    { return func(m *settle.Movement) { m.Payout = s } }

func march(change ...func(*settle.Input)) settle.Input {
	in := settle.Input{
		Account: settle.Account{Provider: "p", Currency: "GBP", From: "2026-03-01", Zone: "Europe/London", Payer: []string{"provider"}},
		From:    "2026-03-01", To: "2026-03-31",
	}
	for _, c := range change {
		c(&in)
	}
	return in
}

// shown is the pairs of a result, by what was found how.
func shown(r settle.Result) string {
	var lines []string
	for _, p := range r.Pairs {
		lines = append(lines, fmt.Sprintf("%s = %s by %s", strings.TrimPrefix(p.Left, "tender:S1|1|RECEIPT|"), p.Right, p.How))
	}
	return strings.Join(lines, "\n")
}

// causes is the differences of a result in one line.
func causes(r settle.Result) string {
	var all []string
	for _, d := range r.Differences {
		all = append(all, fmt.Sprintf("%s %s", d.Cause, d.Amount))
	}
	return strings.Join(all, ", ")
}

func causesOf(p settle.PayoutProof) string {
	all := []string{"taken " + p.Taken.String()}
	for _, c := range p.Causes {
		all = append(all, fmt.Sprintf("%s %s", c.Cause, c.Amount))
	}
	return strings.Join(all, ", ")
}

func proofOf(t *testing.T, r settle.Result, payout string) settle.PayoutProof {
	t.Helper()
	i := slices.IndexFunc(r.Payouts, func(p settle.PayoutProof) bool { return p.Payout == payout })
	if i < 0 {
		t.Fatalf("payout %s is not in the result", payout)
	}
	return r.Payouts[i]
}

func kept(s string) func(*settle.Movement) { return func(m *settle.Movement) { m.Fee = dec(s) } }
