package settle_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/reconcile"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// month is March of one shop: North settles its cards one by one and pays out
// every Monday; South settles its wallets by terminal batch and pays each batch
// on the next day.
type month struct {
	days      map[bizday.Day][]*document.Document
	receipt   int
	north     provider
	movements []settle.Movement
	payouts   []settle.Payout
	lines     []settle.BankLine
}

// provider is what North owes by its own count, in pence.
type provider struct {
	balance int64
	open    []int // indexes of movements that no payout has paid
	number  int
}

func pence(n int64) money.Decimal { return money.Decimal(n) * money.One / 100 }

func march2026(day, hour, minute int) time.Time {
	return time.Date(2026, 3, day, hour, minute, 0, 0, time.UTC)
}

// ring rings up a receipt paid in one way; n is pence and may be negative.
func (m *month) ring(at time.Time, n int64, kind document.TenderKind, parts ...string) string {
	m.receipt++
	number := fmt.Sprint(m.receipt)
	kindOf, direction := document.Sale, document.Paid
	if n < 0 {
		kindOf, direction = document.Return, document.Refund
	}
	net := (pence(n) / 6 * 5).RoundTo(2)
	d := &document.Document{
		Key:  document.Key{Store: "S1", Terminal: "1", Space: document.SpaceReceipt, Number: number},
		Kind: kindOf, State: document.Completed, Currency: "GBP", PriceBasis: document.TaxIncluded, Numbers: document.Numbers{Receipt: number},
		Time: document.Time{AsGiven: at.Format(time.RFC3339), UTC: at},
		Lines: []document.Line{{
			Kind: document.Item, Quantity: money.One, Extended: pence(n),
			Taxes: []document.Tax{{Code: "A", Scheme: "VAT", Rate: dec("20"), Base: net, Amount: pence(n) - net}},
		}},
		Tenders: []document.Tender{{Kind: kind, Direction: direction, Amount: pence(n), Batch: strings.Join(parts, "")}},
	}
	if n < 0 {
		d.Lines[0].Quantity = -money.One
	}
	day := bizday.Day(at.In(london()).Format(time.DateOnly))
	m.days[day] = append(m.days[day], d)
	return number
}

func london() *time.Location {
	l, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic(err)
	}
	return l
}

// north moves North's balance.
func (m *month) moveNorth(kind settle.Kind, at time.Time, n, fee int64, change ...func(*settle.Movement)) string {
	m.north.number++
	one := settle.Movement{
		Provider: "north", Key: fmt.Sprintf("bt_%03d", m.north.number), Kind: kind, At: at, Currency: "GBP", Amount: pence(n), Fee: pence(fee),
	}
	for _, c := range change {
		c(&one)
	}
	m.north.balance += n - fee
	m.movements = append(m.movements, one)
	if kind != settle.PaidOut {
		m.north.open = append(m.north.open, len(m.movements)-1)
	}
	return one.Key
}

// sell rings up a card and has North capture it.
func (m *month) sell(at time.Time, n int64) string {
	number := m.ring(at, n, document.CardDebit)
	return m.moveNorth(settle.Charge, at.Add(time.Minute), n, n*3/200+20, receiptOf(number))
}

// payNorth pays out all that is open, and has the bank credit it two days later,
// unless it fails.
func (m *month) payNorth(day int, fails bool) string {
	key := fmt.Sprintf("po_%02d", day)
	owed := m.north.balance
	for _, i := range m.north.open {
		m.movements[i].Payout = key
	}
	m.north.open = nil
	sent := march2026(day, 6, 0)
	m.moveNorth(settle.PaidOut, sent, -owed, 0, within(key))
	p := settle.Payout{Provider: "north", Key: key, State: settle.Arrived, Currency: "GBP", Amount: pence(owed), Created: sent, Reference: "NORTH " + key}
	if fails {
		p.State, p.Reason = settle.Failed, "account_closed"
		m.moveNorth(settle.PayoutFailed, march2026(day+2, 9, 0), owed, 0)
	} else {
		m.lines = append(m.lines, settle.BankLine{
			Account: "bank", Key: key, Booked: bizday.Day(sent.AddDate(0, 0, 2).Format(time.DateOnly)), Currency: "GBP", Amount: pence(owed), Reference: "NORTH " + key,
		})
	}
	m.payouts = append(m.payouts, p)
	return key
}

// aMonth makes the facts, and returns what each provider says it owes as March
// ends, in pence.
func aMonth() (m *month, north, south int64) {
	m = &month{days: map[bizday.Day][]*document.Document{}}
	var won, lost string
	for day := 1; day <= 31; day++ {
		if day%7 == 2 && day != 2 { // Mondays: 9, 16, 23, 30
			m.payNorth(day, day == 9)
		}
		for n := range 5 {
			m.sell(march2026(day, 10+n, 7*n), int64(1200+60*n+6*day))
		}
		batch := fmt.Sprintf("%03d", day)
		var sum int64
		for n := range 3 {
			gross := int64(600 + 30*n + 6*day)
			sum += gross
			m.ring(march2026(day, 15, n), gross, document.Wallet, batch)
		}
		if day == 25 { // of a brand that South does not settle
			m.ring(march2026(day, 16, 0), 7200, document.Wallet, batch)
			last := m.days["2026-03-25"]
			last[len(last)-1].Tenders[0].Brand = "OTHER"
		}
		fee := sum / 100
		m.movements = append(m.movements, settle.Movement{
			Provider: "south", Key: "b" + batch, Kind: settle.Charge, At: march2026(day, 20, 0), Currency: "GBP", Amount: pence(sum), Fee: pence(fee), Batch: batch,
		})
		south += sum - fee
		paid := south
		if day < 31 { // the last one is paid in April
			south -= paid
		}
		m.payouts = append(m.payouts, settle.Payout{
			Provider: "south", Key: "s" + batch, State: settle.OnTheWay, Currency: "GBP", Amount: pence(paid), Created: march2026(day+1, 5, 0),
		})
		m.lines = append(m.lines, settle.BankLine{
			Account: "bank", Key: "s" + batch, Booked: bizday.Day(march2026(day+2, 0, 0).Format(time.DateOnly)), Currency: "GBP", Amount: pence(paid), Text: "SOUTH SETTLEMENT",
		})
		switch day {
		case 5:
			won = m.moveNorth(settle.Dispute, march2026(5, 18, 0), -4200, 1500)
		case 10:
			m.moveNorth(settle.Reserve, march2026(10, 18, 0), -8000, 0)
		case 12:
			lost = m.moveNorth(settle.Dispute, march2026(12, 18, 0), -3000, 1500)
		case 14: // captured twice
			number := m.ring(march2026(14, 19, 0), 1260, document.CardDebit)
			for n := range 2 {
				m.moveNorth(settle.Charge, march2026(14, 19, 1+n), 1260, 38, receiptOf(number))
			}
		case 17: // paid in cash, rung up as a card
			m.ring(march2026(17, 19, 0), 2500, document.CardDebit)
		case 19:
			m.moveNorth(settle.DisputeWon, march2026(19, 18, 0), 4200, 0, func(m *settle.Movement) { m.Of = won })
		case 20: // a slip that was never rung up
			m.moveNorth(settle.Charge, march2026(20, 19, 0), 1830, 47)
		case 24:
			m.moveNorth(settle.Release, march2026(24, 18, 0), 5000, 0)
		case 26:
			m.moveNorth(settle.DisputeLost, march2026(26, 18, 0), 0, 0, func(m *settle.Movement) { m.Of = lost })
		case 27: // much is given back: the next payout is negative
			number := m.ring(march2026(27, 19, 0), -90000, document.CardDebit)
			m.moveNorth(settle.Refund, march2026(27, 19, 1), -90000, 0, receiptOf(number))
		case 28:
			m.moveNorth(settle.Fee, march2026(28, 18, 0), -999, 0)
			m.moveNorth(settle.Correction, march2026(28, 19, 0), -300, 0)
		}
	}
	north = m.north.balance
	m.sell(time.Date(2026, 3, 31, 22, 59, 30, 0, time.UTC), 1500) // at North it is April
	return m, north, south
}

// close proves each day and makes its entry, and returns what the account of each
// tender came to, and what the tills and proofs say.
func (m *month) close(t *testing.T, mapping books.Mapping) (balances map[string]money.Minor, taken []settle.Taken, wrong []settle.WrongTender) {
	t.Helper()
	balances = map[string]money.Minor{}
	for day, documents := range m.days {
		if day == "2026-03-17" { // the terminal and the drawer tell
			batch := money.Decimal(-25) * money.One
			for _, d := range documents {
				if d.Tenders[0].Kind == document.CardDebit {
					batch += d.Tenders[0].Amount
				}
			}
			event := func(number string, kind document.Kind) *document.Document {
				return &document.Document{Key: document.Key{Store: "S1", Terminal: "1", Space: document.SpaceEvent, Number: number}, Kind: kind, State: document.Completed, Currency: "GBP"}
			}
			b, c := event("b", document.Batch), event("c", document.TillCount)
			b.TenderBatch = &document.TenderBatch{Number: "17", ByBrand: []document.BatchAmount{{Amount: batch}}}
			c.Count = &document.Count{Stage: "CLOSE", ByTender: []document.TenderAmount{{Kind: document.Cash, Amount: dec("25.00")}}}
			documents = append(documents, b, c)
		}
		over := reconcile.OverShort(reconcile.Prove(reconcile.Input{Documents: documents}))
		wrong = append(wrong, settle.WrongTenders(over, "S1", day)...)
		effects, unclear := books.Effects(documents, nil)
		if len(unclear) > 0 {
			t.Fatalf("unclear: %+v", unclear)
		}
		taken = append(taken, settle.Tenders(effects, "S1", day)...)
		entry, problems := books.Build(books.Input{Store: "S1", Day: string(day), Mapping: mapping, Documents: documents, OverShort: over})
		add(t, balances, entry, problems)
	}
	return balances, taken, wrong
}

func add(t *testing.T, balances map[string]money.Minor, entry books.Entry, problems []books.Problem) {
	t.Helper()
	for _, p := range problems {
		t.Fatalf("%s: %s", entry.Subject, p.Text)
	}
	for _, l := range entry.Lines {
		balances[l.Account] += l.Signed()
	}
}

func shopMapping(t *testing.T) books.Mapping {
	t.Helper()
	m, err := books.ParseMapping([]byte(`
currency: GBP
post_payouts: true
accounts:
  card_clearing: North clearing
  wallet_clearing: South clearing
  cash: Cash
  over_short: Over and short
  sales: Sales
  tax: VAT
  bank: Bank
  payment_fees: Fees
  dispute_fees: Dispute fees
  disputed_payments: Disputed
  chargeback_losses: Lost
  provider_reserve: Reserve
  provider_corrections: Corrections
taxes:
  - {till: A, rate: 20, code: S}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAMonthEndsAtWhatEachProviderStillHolds(t *testing.T) {
	t.Parallel()
	m, northOwes, southOwes := aMonth()
	mapping := shopMapping(t)
	balances, taken, wrong := m.close(t, mapping)
	end := time.Date(2026, 3, 31, 22, 59, 59, 0, time.UTC)
	in := settle.Input{
		From: "2026-03-01", To: "2026-03-31", Taken: taken, Wrong: wrong, Movements: m.movements, Payouts: m.payouts, Lines: m.lines,
		Balances: []settle.Balance{
			{Provider: "north", Currency: "GBP", At: end, Available: pence(northOwes - 100), Pending: pence(100)},
			{Provider: "south", Currency: "GBP", At: end, Available: pence(southOwes)},
		},
	}
	account := func(provider string, kind document.TenderKind) settle.Input {
		in.Account = settle.Account{
			Provider: provider, Currency: "GBP", From: "2026-03-01", Zone: "Europe/London", Tender: kind, Takes: []settle.Rule{{Kind: kind}},
			Payer: []string{provider},
		}
		return in
	}
	north := account("north", document.CardDebit)
	south := account("south", document.Wallet)
	south.Account.Brands = []string{"VISA"}

	for _, c := range []struct {
		in      settle.Input
		account string
		owes    int64
		causes  string
	}{
		{north, "North clearing", northOwes, "cut_off 15.00, duplicate_capture -12.60, not_rung -18.30"},
		{south, "South clearing", southOwes, "settled_per_brand 72.00"},
	} {
		r := run(t, c.in)
		addsUp(t, r)
		if *r.Stated != pence(c.owes) || r.Owed != pence(c.owes) {
			t.Errorf("%s: owed is %s and stated %s, the provider holds %s", c.account, r.Owed, *r.Stated, pence(c.owes))
		}
		if got := causes(r); got != c.causes {
			t.Errorf("%s: differences are %s, want %s", c.account, got, c.causes)
		}
		if len(r.Proposals) > 0 || len(r.Lines) > 0 {
			t.Errorf("%s: proposals %+v and lines %+v are left", c.account, r.Proposals, r.Lines)
		}
		subjects, err := settle.Subjects(c.in)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range subjects {
			entry, problems := books.BuildEvents(books.EventInput{Subject: s.Name(), Day: string(s.Day), Mapping: mapping, Events: s.Events})
			add(t, balances, entry, problems)
		}
		if books, _ := money.FromMinor(balances[c.account], 2); books != r.Closing {
			t.Errorf("%s: the books come to %s, the clearing balance is %s", c.account, books, r.Closing)
		}
		for _, p := range r.Payouts {
			if p.Bank != settle.Credited && p.Payout != "po_09" {
				t.Errorf("payout %s is %s", p.Payout, p.Bank)
			}
		}
		// What is open as March ends is what April begins with.
		c.in.From, c.in.To = "2026-04-01", "2026-04-05"
		if next := run(t, c.in); next.Opening != r.Closing {
			t.Errorf("%s: April begins with %s, March ended with %s", c.account, next.Opening, r.Closing)
		}
	}
	r := run(t, north)
	for payout, want := range map[string]string{
		"po_09": "taken 538.80, dispute -42.00, fee -30.90",
		"po_16": "taken 499.80, dispute -30.00, duplicate_capture 12.60, fee -29.86, paid_before 465.90, reserve -80.00",
		"po_23": "taken 501.90, dispute 42.00, fee -14.82, not_rung 18.30",
		"po_30": "taken -383.40, correction -3.00, fee -24.59, reserve 50.00",
	} {
		if got := causesOf(proofOf(t, r, payout)); got != want {
			t.Errorf("payout %s is %s, want %s", payout, got, want)
		}
	}
	if p := proofOf(t, r, "po_09"); p.Bank != settle.CameBack {
		t.Errorf("payout 9 is %s, want that it came back", p.Bank)
	}
	if p := proofOf(t, r, "po_30"); !p.Negative {
		t.Error("payout 30 is not said to be negative")
	}
	if over := balances["Over and short"]; over != 0 {
		t.Errorf("over and short is %d: the tender rung up wrong was not put right", over)
	}
}
