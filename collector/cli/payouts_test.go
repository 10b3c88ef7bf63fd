package cli_test

import (
	"testing"
	"time"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/clearing"
	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/money"
)

func TestWhatAProviderOwesIsComparedShownAndDecided(t *testing.T) {
	t.Parallel()
	c := open(t)
	m, err := c.db.Merchant(t.Context(), "corner")
	c.must(err)
	day := time.Now().UTC().AddDate(0, 0, -20).Truncate(24 * time.Hour)
	from, to := bizday.Day(day.Format(time.DateOnly)), bizday.Day(day.AddDate(0, 0, 15).Format(time.DateOnly))
	m.Settlements = []settle.Account{{Provider: "stripe", Currency: "GBP", From: from, Zone: "Europe/London"}}
	_, err = c.db.Apply(t.Context(), m, time.Now())
	c.must(err)
	at := day.Add(12 * time.Hour)
	_, err = c.db.Take(t.Context(), feed.ID{Merchant: "corner", Feed: "stripe"}, feed.Taken{At: time.Now(), Page: feed.Page{
		Movements: []feed.Movement{{Movement: settle.Movement{Provider: "stripe", Key: "ch_1", Kind: settle.Charge, At: at, Currency: "GBP", Amount: money.MustParse("100"), Payout: "po_1"}}},
		Payouts:   []feed.Payout{{Payout: settle.Payout{Provider: "stripe", Key: "po_1", State: settle.Arrived, Currency: "GBP", Amount: money.MustParse("100"), Created: at, Reference: "STRIPE 1"}}},
		Lines:     []settle.BankLine{{Account: "GB1", Key: "l1", Booked: from.Add(2), Currency: "GBP", Amount: money.MustParse("98.50"), Reference: "STRIPE 1"}},
	}})
	c.must(err)

	var said struct{ Code string }
	if code := c.call(&said, "unmatched", "corner"); code != exit.Failed || said.Code != "not_stored" {
		t.Errorf("unmatched exits %d with %+v before anything was compared", code, said)
	}
	type comparison struct {
		Run    int64         `json:"run"`
		Result settle.Result `json:"result"`
	}
	var compared, second, again []comparison
	payouts := []string{"payouts", "corner", "stripe", "--from", string(from), "--to", string(to)}
	if code := c.call(&compared, payouts...); code != exit.Degraded || len(compared) != 1 {
		t.Fatalf("payouts exits %d with %+v, want 1 and an account", code, compared)
	}
	r := compared[0].Result
	if r.Owed != 0 || r.Closing != money.MustParse("-100") || len(r.Differences) != 1 || r.Differences[0].Cause != settle.NotRung || r.Payouts[0].Bank != settle.Missing {
		t.Errorf("compared is %+v, want 100.00 that was not rung up and a payout that is missing", r)
	}
	var open []struct {
		What, ID, Owner string
		Age             int
	}
	if code := c.call(&open, "unmatched", "corner"); code != exit.Degraded || len(open) != 3 || open[0].What != "not_rung" || open[0].Age != 15 || open[0].Owner == "" || open[2].What != "proposal" {
		t.Fatalf("unmatched exits with %+v, want what was not rung, the payout and a proposal", open)
	}
	if code := c.call(&said, "match", "corner", "stripe", "no such"); code != exit.Failed || said.Code != "not_stored" {
		t.Errorf("a proposal that is not there was decided: exit %d, %+v", code, said)
	}
	if code := c.call(nil, "match", "corner", "stripe", open[2].ID, "--by", "anna"); code != exit.OK {
		t.Fatalf("match exits %d", code)
	}
	if code := c.call(&second, payouts...); code != exit.Degraded || second[0].Run != 2 || second[0].Result.Payouts[0].Bank != settle.Credited {
		t.Errorf("after the decision it is %+v, want comparison 2 with the payout credited", second)
	}
	if code := c.call(&again, "payouts", "corner", "stripe", "--run", "1"); code != exit.Degraded || again[0].Result.Payouts[0].Bank != settle.Missing {
		t.Errorf("comparison 1 made again is %+v, want as it was", again)
	}
	var made []clearing.Made
	entries := append(payouts, "--entries")
	if code := c.call(&said, entries...); code != exit.Failed {
		t.Errorf("entries without a mapping exit %d", code)
	}
	m.Mappings = []merchant.Mapping{{From: from, Mapping: books.Mapping{Currency: "GBP", PostPayouts: true, Accounts: map[books.Role]string{books.Bank: "Bank"}}}}
	_, err = c.db.Apply(t.Context(), m, time.Now())
	c.must(err)
	if code := c.call(&made, entries...); code != exit.Degraded || len(made) != 1 || made[0].Entry.Subject != "payout/stripe/po_1" || len(made[0].Problems) != 1 {
		t.Errorf("entries exit %d with %+v, want that of the payout, and which account is for cards", code, made)
	}
}
