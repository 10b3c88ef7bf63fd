package settle_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

const first = bizday.Day("2026-03-01")

func cents(n int64) money.Decimal { return money.Decimal(n) * money.One / 100 }

// drawInput draws facts of two weeks with few amounts, cards, receipts and
// batches, so that much agrees, much contradicts and much is ambiguous.
func drawInput(t *rapid.T) settle.Input {
	few := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	amount := func(label string) money.Decimal {
		return cents(rapid.SampledFrom([]int64{-500, -320, 100, 320, 320, 320, 500, 820, 999}).Draw(t, label))
	}
	moment := func(label string) time.Time {
		return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 14*24*60).Draw(t, label)) * time.Minute)
	}
	in := settle.Input{
		Account: settle.Account{
			Provider: "p", Currency: "GBP", From: first, Opening: cents(rapid.Int64Range(-1000, 1000).Draw(t, "opening")),
			Zone: "Europe/London", Cutoff: few("cutoff", "", "04:00", "23:00"), Payer: []string{"PROVIDER"},
			Window: rapid.IntRange(0, 4).Draw(t, "window"), Waits: rapid.IntRange(0, 6).Draw(t, "waits"),
		},
		From: first.Add(rapid.IntRange(0, 5).Draw(t, "from")), To: first.Add(rapid.IntRange(5, 16).Draw(t, "to")),
	}
	for i := range rapid.IntRange(0, 20).Draw(t, "tenders") {
		at := moment("at")
		one := settle.Taken{
			Document: "d" + fmt.Sprint(i), Store: few("store", "S1", "S2"), Day: bizday.Day(at.Add(-3 * time.Hour).Format(time.DateOnly)), At: at,
			Currency: few("currency", "GBP", "GBP", "GBP", "EUR"), Amount: amount("amount"), Kind: document.CardDebit,
			Receipt: few("receipt", "", "", "1", "2", "3"), Batch: few("batch", "", "", "b1"), Brand: few("brand", "", "VISA"), LastFour: few("four", "", "1111", "2222"),
		}
		if one.Currency == "EUR" {
			one.Booked = amount("booked")
		}
		if rapid.Bool().Draw(t, "no time") {
			one.At = time.Time{}
		}
		in.Taken = append(in.Taken, one)
	}
	// Most movements are of a tender, with something changed now and then.
	for i, of := range in.Taken {
		for n := range rapid.SampledFrom([]int{0, 1, 1, 1, 1, 2}).Draw(t, "captured") {
			m := settle.Movement{
				Provider: "p", Key: fmt.Sprintf("m%d.%d", i, n), Kind: settle.Charge, Currency: "GBP", Amount: of.Amount,
				At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Payout: few("payout", "", "", "po0", "po1", "po2"), LastFour: of.LastFour, Receipt: of.Receipt,
				Batch: of.Batch, Fee: cents(rapid.Int64Range(-5, 20).Draw(t, "fee")), Authorisation: "a" + fmt.Sprint(i),
			}
			if !of.At.IsZero() {
				m.At = of.At.Add(time.Duration(rapid.IntRange(-60, 60).Draw(t, "minutes")) * time.Minute)
			}
			switch few("change", "", "", "", "receipt", "four", "day", "amount", "all") {
			case "receipt":
				m.Receipt = few("receipt", "", "1")
			case "four":
				m.LastFour = few("four", "", "1111")
			case "day":
				m.At = m.At.AddDate(0, 0, rapid.IntRange(-2, 4).Draw(t, "days"))
			case "amount":
				m.Amount += cents(900)
			case "all":
				m.Receipt, m.LastFour, m.Batch, m.Authorisation = "", "", "", ""
			}
			if of.Currency != "GBP" {
				m.Presented = &settle.Presented{Currency: of.Currency, Amount: m.Amount}
				m.Amount -= cents(7)
			}
			in.Movements = append(in.Movements, m)
		}
	}
	for i := range rapid.IntRange(0, 8).Draw(t, "movements") {
		in.Movements = append(in.Movements, settle.Movement{
			Provider: "p", Key: "m" + fmt.Sprint(i), Kind: rapid.SampledFrom(settle.Kinds).Draw(t, "kind"), Store: few("store", "", "S1"),
			At: moment("at"), Currency: "GBP", Amount: amount("amount"), Payout: few("payout", "", "", "po0", "po1"), Of: few("of", "", "po0", "m1"),
		})
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "payouts") {
		at := moment("created")
		p := settle.Payout{
			Provider: "p", Key: "po" + fmt.Sprint(i), State: few("state", settle.Pending, settle.OnTheWay, settle.Arrived, settle.Arrived, settle.Failed, settle.Canceled),
			Currency: few("currency", "GBP", "GBP", "GBP", "EUR"), Amount: amount("amount") + amount("more"), Fee: cents(rapid.Int64Range(0, 20).Draw(t, "fee")), Created: at,
			Expected: bizday.Day(at.AddDate(0, 0, 2).Format(time.DateOnly)), Reference: few("reference", "", "REF1"),
		}
		in.Payouts = append(in.Payouts, p)
		for n := range rapid.IntRange(0, 2).Draw(t, "lines") {
			in.Lines = append(in.Lines, settle.BankLine{
				Account: "bank", Key: fmt.Sprintf("l%d.%d", i, n), Booked: p.Expected.Add(rapid.IntRange(-1, 4).Draw(t, "late")), Currency: "GBP",
				Amount: p.Amount, Reference: few("reference", "", "REF1", p.Key), Counterparty: few("by", "PROVIDER", "PROVIDER", "someone"),
			})
		}
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "lines") {
		in.Lines = append(in.Lines, settle.BankLine{
			Account: "bank", Key: "l" + fmt.Sprint(i), Booked: first.Add(rapid.IntRange(0, 16).Draw(t, "booked")), Currency: "GBP",
			Amount: amount("amount") + amount("more"), Counterparty: "PROVIDER",
		})
	}
	if rapid.Bool().Draw(t, "stated") {
		in.Balances = append(in.Balances, settle.Balance{Provider: "p", Currency: "GBP", At: moment("stated at"), Available: amount("available"), Pending: amount("pending")})
	}
	if rapid.Bool().Draw(t, "wrong") {
		in.Wrong = append(in.Wrong, settle.WrongTender{Store: "S1", Day: first.Add(rapid.IntRange(0, 14).Draw(t, "day")), Drawer: "1", Currency: "GBP", Amount: amount("amount"), Tender: document.CardUnknown})
	}
	return in
}

func run(t interface {
	Helper()
	Fatal(args ...any)
}, in settle.Input,
) settle.Result {
	t.Helper()
	result, err := settle.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestTheOrderOfFactsAndCopiesOfThemChangeNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		want := run(t, in).Canonical()
		if again := run(t, in).Canonical(); !bytes.Equal(again, want) {
			t.Fatalf("made again it is\n%s\nand was\n%s", again, want)
		}
		in.Taken, in.Movements = append(in.Taken, in.Taken...), append(in.Movements, in.Movements...)
		in.Payouts, in.Lines = append(in.Payouts, in.Payouts...), append(in.Lines, in.Lines...)
		seed := rapid.Uint64().Draw(t, "seed")
		random := rand.New(rand.NewPCG(seed, 0))
		random.Shuffle(len(in.Taken), func(i, j int) { in.Taken[i], in.Taken[j] = in.Taken[j], in.Taken[i] })
		random.Shuffle(len(in.Movements), func(i, j int) { in.Movements[i], in.Movements[j] = in.Movements[j], in.Movements[i] })
		random.Shuffle(len(in.Payouts), func(i, j int) { in.Payouts[i], in.Payouts[j] = in.Payouts[j], in.Payouts[i] })
		random.Shuffle(len(in.Lines), func(i, j int) { in.Lines[i], in.Lines[j] = in.Lines[j], in.Lines[i] })
		if got := run(t, in).Canonical(); !bytes.Equal(got, want) {
			t.Fatalf("in another order it is\n%s\nand was\n%s", got, want)
		}
	})
}

func TestEverySumAddsUpExactly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		addsUp(t, run(t, drawInput(t)))
	})
}

// addsUp fails unless every sum of a result adds up.
func addsUp(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, r settle.Result,
) {
	t.Helper()
	sum := r.Opening
	for _, f := range r.Flows {
		sum += f.Amount
	}
	if sum != r.Closing {
		t.Fatalf("opening and flows make %s, closing is %s", sum, r.Closing)
	}
	var owed money.Decimal
	for _, u := range r.Unsettled {
		owed += u.Amount
	}
	if owed != r.Owed {
		t.Fatalf("what is unsettled makes %s, owed is %s", owed, r.Owed)
	}
	if r.Stated != nil {
		owed = *r.Stated
	}
	for _, d := range r.Differences {
		owed += d.Amount
	}
	if owed != r.Closing {
		t.Fatalf("what the provider owes and the differences make %s, closing is %s: %+v", owed, r.Closing, r.Differences)
	}
	for _, p := range r.Payouts {
		sum := p.Taken
		for _, c := range p.Causes {
			sum += c.Amount
		}
		if sum != p.Amount {
			t.Fatalf("payout %s: taken and causes make %s, paid is %s: %+v", p.Payout, sum, p.Amount, p.Causes)
		}
	}
}

func TestNothingIsMatchedTwiceAndNothingToSomethingElse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		r := run(t, in)
		tenders, movements := map[string]settle.Taken{}, map[string]settle.Movement{}
		for _, one := range in.Taken {
			tenders[one.ID()] = one
		}
		for _, m := range in.Movements {
			movements[m.ID()] = m
		}
		left, sums := map[string]int{}, map[string]money.Decimal{}
		lines := map[string]bool{}
		paid := map[string]map[string]bool{} // payouts by line, lines by payout
		for _, p := range r.Pairs {
			switch {
			case strings.HasPrefix(p.Left, "tender:"):
				if left[p.Left]++; left[p.Left] > 1 {
					t.Fatalf("%s is matched twice", p.Left)
				}
				sums[p.Right] += tenders[p.Left].Amount
			case strings.HasPrefix(p.Right, "line:"):
				lines[p.Right] = true
				for _, k := range [][2]string{{p.Left, p.Right}, {p.Right, p.Left}} {
					if paid[k[0]] == nil {
						paid[k[0]] = map[string]bool{}
					}
					paid[k[0]][k[1]] = true
				}
			}
		}
		for id, sum := range sums {
			m, known := movements[id]
			want := m.Amount
			if m.Presented != nil {
				want = m.Presented.Amount
			}
			if !known { // a wrong tender
				want = in.Wrong[0].Amount
			}
			if sum != want {
				t.Fatalf("%s of %s is matched with tenders of %s", id, want, sum)
			}
		}
		for line := range lines {
			for payout := range paid[line] {
				if len(paid[line]) > 1 && len(paid[payout]) > 1 {
					t.Fatalf("%s and %s are each matched with several", line, payout)
				}
			}
		}
	})
}

func TestADecisionHoldsAndWhatIsRefusedIsNotProposedAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		before := run(t, in)
		for i, p := range before.Proposals {
			in.Decisions = append(in.Decisions, settle.Decision{Proposal: p, Accepted: i%2 == 0, By: "anna"})
		}
		after := run(t, in)
		addsUp(t, after)
		again := map[string]bool{}
		for _, p := range after.Proposals {
			again[p.ID] = true
		}
		for i, p := range before.Proposals {
			if again[p.ID] {
				t.Fatalf("proposal %s was decided and is proposed again", p.ID)
			}
			found := false
			for _, pair := range after.Pairs {
				found = found || pair.How == settle.ByDecision && pair.Left == p.Left[0]
			}
			if i%2 == 0 && p.Kind == settle.Differing && !found {
				t.Fatalf("proposal %s was accepted and %s is not matched", p.ID, p.Left[0])
			}
		}
	})
}
