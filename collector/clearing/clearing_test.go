package clearing_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/clearing"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/money"
)

var account = settle.Account{Provider: "stripe", Currency: "GBP", From: "2026-03-01", Zone: "Europe/London"}

// stated is a store that knows nothing but what a provider said.
type stated struct {
	clearing.Store
	in settle.Input
}

func (s stated) ClearingAt(context.Context, string, settle.Account, clearing.Versions) (settle.Input, error) {
	return s.in, nil
}

func moved(key string, kind settle.Kind, day int, amount, fee string) settle.Movement {
	return settle.Movement{
		Provider: "stripe", Key: key, Kind: kind, At: time.Date(2026, 3, day, 12, 0, 0, 0, time.UTC), Currency: "GBP",
		Amount: money.MustParse(amount), Fee: money.MustParse(fee),
	}
}

func shop(payouts bool) merchant.Merchant {
	return merchant.Merchant{ID: "corner", Currency: "GBP", Settlements: []settle.Account{account}, Mappings: []merchant.Mapping{{From: "2026-03-01", Version: 3, Mapping: books.Mapping{
		Currency: "GBP", PostPayouts: payouts, Accounts: map[books.Role]string{
			books.CardClearing: "Clearing", books.PaymentFees: "Fees", books.Bank: "Bank", books.Disputed: "Disputed", books.DisputeFees: "Dispute fees",
		},
	}}}}
}

func TestWhatHappenedAtAProviderBecomesEntriesOfItsDays(t *testing.T) {
	t.Parallel()
	store := stated{in: settle.Input{Movements: []settle.Movement{
		moved("old", settle.Fee, 1, "-9.00", "0"),
		moved("ch", settle.Charge, 2, "100.00", "1.75"), moved("dp", settle.Dispute, 2, "-40.00", "15.00"), moved("po", settle.PaidOut, 3, "-43.25", "0"),
		moved("fx", settle.Exchange, 3, "-0.40", "0"),
	}}}
	run := clearing.Run{Merchant: "corner", Account: account, From: "2026-03-02", To: "2026-03-31"}
	for payouts, want := range map[bool]string{
		false: `adjustment/stripe/2026-03-02 2026-03-02: DEBIT Fees 175 CREDIT Clearing 175
dispute/stripe/dp 2026-03-02: DEBIT Disputed 4000 DEBIT Dispute fees 1500 CREDIT Clearing 5500
adjustment/stripe/2026-03-03 2026-03-03: asked account:exchange_difference`,
		true: `adjustment/stripe/2026-03-02 2026-03-02: DEBIT Fees 175 CREDIT Clearing 175
dispute/stripe/dp 2026-03-02: DEBIT Disputed 4000 DEBIT Dispute fees 1500 CREDIT Clearing 5500
adjustment/stripe/2026-03-03 2026-03-03: asked account:exchange_difference
payout/stripe/po 2026-03-03: DEBIT Bank 4325 CREDIT Clearing 4325`,
	} {
		made, err := clearing.Entries(t.Context(), store, shop(payouts), run)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range made {
			line := m.Entry.Subject + " " + m.Entry.Day + ":"
			sums := map[string]money.Minor{}
			var order []string
			for _, l := range m.Entry.Lines {
				name := string(l.Side) + " " + l.Account
				if sums[name] == 0 {
					order = append(order, name)
				}
				sums[name] += l.Amount
			}
			for _, side := range []string{"DEBIT", "CREDIT"} {
				for _, name := range order {
					if len(m.Problems) == 0 && strings.HasPrefix(name, side) {
						line += fmt.Sprintf(" %s %d", name, sums[name])
					}
				}
			}
			for _, p := range m.Problems {
				line += " asked " + p.Key
			}
			if m.Entry.MappingVersion != 3 {
				t.Errorf("%s names mapping %d, not 3", m.Entry.Subject, m.Entry.MappingVersion)
			}
			got = append(got, line)
		}
		if text := strings.Join(got, "\n"); text != want {
			t.Errorf("payouts booked: %t: entries are\n%s\nwant\n%s", payouts, text, want)
		}
	}
}

func TestWhatTimeEndsByItselfIsNotOpen(t *testing.T) {
	t.Parallel()
	run := clearing.Run{Result: settle.Result{
		Differences: []settle.Difference{{Cause: settle.Awaited, Owner: settle.OwnerNobody, Since: "2026-03-01"}, {Cause: settle.NotRung, Owner: settle.OwnerMerchant, Since: "2026-03-09"}},
		Payouts:     []settle.PayoutProof{{Bank: settle.NotYet, Sent: "2026-03-02"}, {Bank: settle.Missing, Sent: "2026-03-08"}},
		Lines:       []settle.OpenLine{{Booked: "2026-03-10"}},
	}}
	if o := run.Open(); len(o.Differences) != 1 || len(o.Payouts) != 1 || len(o.Lines) != 1 || o.Since != "2026-03-08" {
		t.Errorf("open is %+v, want what was not rung, the missing payout and the line, since the 8th", o)
	}
	if o := (clearing.Run{}).Open(); o.Since != "" {
		t.Errorf("nothing is open since %s", o.Since)
	}
}

func TestAProviderHoldsTheNewestOfWhatItOwes(t *testing.T) {
	t.Parallel()
	amounts := func(owed string, days ...string) clearing.Run {
		r := clearing.Run{Result: settle.Result{Owed: money.MustParse(owed)}}
		for i, amount := range days {
			r.Result.Unsettled = append(r.Result.Unsettled, settle.Unsettled{Day: account.From.Add(i), Amount: money.MustParse(amount)})
		}
		return r
	}
	for _, c := range []struct {
		run  clearing.Run
		want string
	}{
		{amounts("0", "10", "-10"), ""},
		{amounts("-5", "-5"), ""},
		{amounts("15", "10", "5"), "2026-03-01"},
		{amounts("15", "100", "-100", "10", "5"), "2026-03-03"},
		{amounts("12", "100", "-103", "10", "5"), "2026-03-03"},
	} {
		if got := string(c.run.Held()); got != c.want {
			t.Errorf("of %+v it holds since %q, want %q", c.run.Result, got, c.want)
		}
	}
}

func TestAnAccountAndAProposalAreFoundByWhatTellsThem(t *testing.T) {
	t.Parallel()
	m := shop(false)
	second := account
	second.Provider = "square"
	m.Settlements = append(m.Settlements, second)
	for name, want := range map[string]string{"square": "square//GBP", "stripe//GBP": "stripe//GBP", "str": "", "": ""} {
		if a, err := clearing.AccountOf(m, name); (err == nil) != (want != "") || err == nil && a.Name() != want || err != nil && !errors.Is(err, clearing.ErrNone) {
			t.Errorf("%q is %s, %v; want %q", name, a.Name(), err, want)
		}
	}
	run := clearing.Run{Result: settle.Result{Proposals: []settle.Proposal{{ID: "aaaa1111"}, {ID: "aaaa2222"}, {ID: "bbbb3333"}}}}
	for id, want := range map[string]string{"bbbb": "bbbb3333", "bb": "", "aaaa": "", "aaaa1": "aaaa1111", "aaaa2222": "aaaa2222"} {
		if p, err := run.Proposal(id); p.ID != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", id, p.ID, err, want)
		}
	}
}
