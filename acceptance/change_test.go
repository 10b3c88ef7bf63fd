package acceptance

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/internal/installation"
)

// poslog is a POSLog file of sales: pence by number; a sale of nothing is
// voided.
func poslog(sales map[int]int64) string {
	var b strings.Builder
	b.WriteString(`<POSLog xmlns="http://www.nrf-arts.org/IXRetail/namespace/">` + "\n")
	var numbers []int
	for n := range sales {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		pence, cancelled := sales[n], ""
		if pence == 0 {
			cancelled = ` CancelFlag="true"`
		}
		tax := (pence*20 + 60) / 120
		fmt.Fprintf(&b, `<Transaction%s><RetailStoreID>900</RetailStoreID><WorkstationID>1</WorkstationID><SequenceNumber>%d</SequenceNumber><BusinessDayDate>%s</BusinessDayDate><EndDateTime>%sT12:00:00</EndDateTime><CurrencyCode>GBP</CurrencyCode>`, cancelled, n, day, day)
		if pence == 0 {
			b.WriteString(`<RetailTransaction TransactionStatus="Voided"></RetailTransaction>`)
		} else {
			fmt.Fprintf(&b, `<RetailTransaction><LineItem><SequenceNumber>1</SequenceNumber><Sale ItemType="Stock"><ItemID>1</ItemID><ExtendedAmount>%s</ExtendedAmount><Quantity>1</Quantity><Tax TaxType="VAT"><TaxRuleID>V20</TaxRuleID><TaxableAmount>%s</TaxableAmount><Amount>%s</Amount><Percent>20</Percent></Tax></Sale></LineItem><LineItem><SequenceNumber>2</SequenceNumber><Tender TenderType="CreditDebit"><Amount>%s</Amount></Tender></LineItem><Total TotalType="TransactionGrandAmount">%s</Total></RetailTransaction>`,
				pounds(pence), pounds(pence-tax), pounds(tax), pounds(pence), pounds(pence))
		}
		b.WriteString("</Transaction>\n")
	}
	return b.String() + "</POSLog>\n"
}

// settled waits until the folder is read to its end and sent, and the day is
// posted, and returns the number of postings.
func (s *shop) settled() int {
	s.t.Helper()
	// A change is seen by a scan; two idle looks in a row, a settle time apart,
	// mean that there is none left.
	idle := 0
	s.must(installation.Wait(s.ctx, "the folder is read and sent", func() (bool, error) {
		st, err := s.status("agent")
		if err != nil {
			return false, err
		}
		if len(st.Folders) == 1 && st.Folders[0].Waiting == 0 && st.Folders[0].Error == "" && st.Outbox.Unsent == 0 {
			idle++
		} else {
			idle = 0
		}
		return idle > 12, nil
	}))
	return len(s.posted(1)[0].to("books"))
}

func TestWhateverATillDoesWithAFileEachChangeHasOneEffect(t *testing.T) {
	t.Parallel()
	s := open(t, "300ms")
	s.must(os.MkdirAll(s.Path("till"), 0o700))
	s.join("agent", fmt.Sprintf("sources:\n- {name: till, kind: filedrop, folder: %q, patterns: [\"*.xml\"], format: poslog, settle: 100ms, quiet: 300ms}\n", s.Path("till")))
	sales := map[int]int64{1: 1200, 2: 600, 3: 2400}
	postings := 0
	step := func(what string, change func() error, effect bool) {
		t.Helper()
		s.must(change())
		if effect { // the posting may come some moments after the day is ready
			s.must(installation.Wait(s.ctx, what+": a new posting", func() (bool, error) {
				rows := s.days()
				return len(rows) == 1 && len(rows[0].to("books")) > postings, nil
			}))
		}
		now := s.settled()
		if got := now - postings; effect && got != 1 || !effect && got != 0 {
			t.Errorf("%s: %d new postings, want effect %t", what, got, effect)
		}
		postings = now
		var gross int64
		for _, pence := range sales {
			gross += pence
		}
		if got := s.balances(day)["Assets:CardClearing"]; got != gross {
			t.Errorf("%s: card clearing holds %s, want %s", what, pounds(got), pounds(gross))
		}
	}
	drop := func(name string) func() error { return func() error { return s.Drop("till/"+name, poslog(sales)) } }

	step("dropped", drop("a.xml"), true)
	step("dropped again", drop("a.xml"), false)
	step("dropped under another name", drop("b.xml"), false)
	step("renamed", func() error { return os.Rename(s.Path("till", "b.xml"), s.Path("till", "c.xml")) }, false)
	step("pushed instead", func() error {
		text := s.call(installation.Agent, "agent", "read", "--format", "poslog", "--store", "S1", "--zone", "Europe/London", s.Path("till", "a.xml"))
		if code := s.push("agent", "", "["+strings.ReplaceAll(strings.TrimSpace(text), "\n", ",")+"]"); code != 201 {
			return fmt.Errorf("the push was answered %d", code)
		}
		return nil
	}, false)
	sales[4] = 360
	step("appended to", drop("a.xml"), true)
	sales[2] = 660
	step("one receipt altered", drop("a.xml"), true)
	sales[2] = 0
	step("it is voided", drop("a.xml"), true)
	sales[2] = 660
	step("it is altered back", drop("a.xml"), true)
	s.verify()
}

func TestACorrectedRecipeMakesRevisionsOfWhatItReadsDifferently(t *testing.T) {
	t.Parallel()
	s := open(t, "300ms")
	s.must(os.MkdirAll(s.Path("till"), 0o700))
	recipe := func(version int, scale string) string {
		return fmt.Sprintf(`name: shop
version: %d
format: csv
files: [{role: sales, match: "*.csv"}]
dates: {formats: ["YYYY-MM-DD"], zone: Europe/London}
%s
receipt: {store: {value: S1}, terminal: {value: "1"}, number: no, time: day, day: day, currency: {value: GBP}, price_basis: TAX_INCLUDED}
group: {by: [no]}
kinds: [{kind: SALE}]
rows: [{line: {sku: no, amount: amount, quantity: {value: "1"}}}]
fill: {tender: {kind: CARD_UNKNOWN, label: card}}
`, version, scale)
	}
	s.must(s.Write("recipe.yaml", recipe(1, "")))
	s.join("agent", fmt.Sprintf("sources:\n- {name: till, kind: filedrop, folder: %q, patterns: [\"*.csv\"], recipe: %q, settle: 100ms, quiet: 300ms}\n", s.Path("till"), s.Path("recipe.yaml")))
	s.must(s.Drop("till/day.csv", fmt.Sprintf("no,day,amount\n1,%s,1250\n2,%s,300\n", day, day)))
	s.settled()
	if got := s.balances(day)["Assets:CardClearing"]; got != 155000 {
		t.Fatalf("the first recipe reads %s, want 1550.00", pounds(got))
	}
	s.must(s.Write("recipe.yaml", recipe(2, "numbers: {amounts: minor}")))
	if _, code, err := s.Call(s.ctx, installation.Agent, "agent", "reread", "--recipe-version", "3"); err == nil {
		t.Errorf("a version that the recipe does not have was accepted, exit %d", code)
	}
	s.call(installation.Agent, "agent", "reread", "--recipe-version", "2")
	s.must(installation.Wait(s.ctx, "the revisions are posted", func() (bool, error) {
		return s.balances(day)["Assets:CardClearing"] == 1550, nil
	}))
	s.settled()
	if got := s.balances(day)["Assets:CardClearing"]; got != 1550 {
		t.Errorf("the corrected recipe leaves %s, want 15.50", pounds(got))
	}
	rows := s.days()[0].to("books")
	if reason := rows[len(rows)-1].Reason; reason != "recipe" {
		t.Errorf("the difference was posted for %q, want recipe", reason)
	}
	s.verify()
}

func TestBrokenInputIsKeptWithItsReasonAndTheAgentGoesOn(t *testing.T) {
	t.Parallel()
	s := open(t, "300ms")
	s.must(os.MkdirAll(s.Path("till"), 0o700))
	s.join("agent", fmt.Sprintf("sources:\n- {name: till, kind: filedrop, folder: %q, patterns: [\"*.xml\"], format: poslog, settle: 100ms, quiet: 300ms}\n", s.Path("till")))
	whole := poslog(map[int]int64{1: 1200})
	s.must(s.Drop("till/1-truncated.xml", whole[:len(whole)-60]))
	s.must(s.Drop("till/2-zip.xml", "PK\x03\x04"+strings.Repeat("\x00", 5000)))
	s.must(s.Drop("till/3-encoding.xml", strings.Replace(poslog(map[int]int64{3: 600}), "<POSLog", `<?xml version="1.0" encoding="utf-8"?><POSLog`, 1)))
	s.must(s.Drop("till/4-bomb.xml", `<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><POSLog>&b;</POSLog>`))
	s.must(s.Drop("till/5-negative.xml", strings.Replace(poslog(map[int]int64{5: 600}), "<Percent>20<", "<Percent>-20<", 1)))
	s.must(s.Drop("till/6-sum.xml", strings.Replace(poslog(map[int]int64{6: 600}), `GrandAmount">6.00`, `GrandAmount">8.00`, 1)))
	s.must(s.Drop("till/7-good.xml", poslog(map[int]int64{7: 2400})))
	vanishing := s.Path("till", "8-vanishes.xml")
	s.must(s.Drop("till/8-vanishes.xml", poslog(map[int]int64{8: 600})[:200]))
	pause(s.ctx, 150*time.Millisecond)
	s.must(os.Remove(vanishing))
	s.must(installation.Wait(s.ctx, "everything is read", func() (bool, error) {
		st, err := s.status("agent")
		return err == nil && len(st.Folders) == 1 && st.Folders[0].Files == 7 && st.Folders[0].Waiting == 0 && st.Outbox.Unsent == 0 && st.Folders[0].Refused >= 4, err
	}))
	stored := s.stored()
	for _, n := range []int{3, 6, 7} {
		if stored[fmt.Sprintf("S1|1|RECEIPT|%d|%s", n, day)] != 1 {
			t.Errorf("receipt %d is not stored: %v", n, stored)
		}
	}
	tail := s.call(installation.Agent, "agent", "tail", "-n", "100")
	for _, name := range []string{"1-truncated.xml", "2-zip.xml", "4-bomb.xml", "5-negative.xml"} {
		if !strings.Contains(tail, name) {
			t.Errorf("%s: no refusal names it", name)
		}
	}
	if !strings.Contains(tail, `"differences":[{"rule":`) {
		t.Error("the receipt that does not add up has no difference")
	}
}
