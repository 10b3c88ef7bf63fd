package main

import (
	"fmt"
	"strings"
)

// The demo's shop: one store, two tills that both state a Z, books kept with
// hledger.
func merchantYAML(books string) string {
	return fmt.Sprintf(`merchants:
  - id: corner
    name: Corner Shop
    country: GB
    currency: GBP
    stores:
      - id: S1
        name: High Street
        zone: Europe/London
        cutoff: "04:00"
        settle: 1s
        terminals:
          - {id: "1", closes: true}
          - {id: "2", closes: true}
    connections:
      - id: books
        target: text
        settings: {folder: %q, format: hledger}
    mappings:
      - from: "2020-01-01"
        mapping:
          currency: GBP
          accounts:
            sales: Income:Sales
            returns: Income:Returns
            tax: Liabilities:VAT
            input_tax: Assets:InputVAT
            cash: Assets:Cash
            card_clearing: Assets:CardClearing
            gift_card_liability: Liabilities:GiftCards
            tips_payable: Liabilities:Tips
            over_short: Expenses:OverShort
            cash_rounding: Income:CashRounding
            tax_rounding: Income:TaxRounding
            conversion_rounding: Income:ConversionRounding
          taxes:
            - {till: V20, rate: 20, code: STD-20}
            - {till: V5, rate: 5, code: RED-5}
          reasons:
            cleaning: Expenses:Cleaning
          rounding: {step: 0.05, scope: cash}
          tip_route: payroll
`, books)
}

func agentYAML(tills, recipe string) string {
	return fmt.Sprintf(`listen: 127.0.0.1:0
outbox: {max_mib: 256, soft_free_mib: 16, hard_free_mib: 8}
sources:
  - name: till-1
    kind: filedrop
    folder: %q
    patterns: ["*.xml"]
    format: poslog
    settle: 300ms
    quiet: 1s
  - name: till-2
    kind: filedrop
    folder: %q
    patterns: ["*.csv"]
    recipe: %q
    settle: 300ms
    quiet: 1s
`, tills+"/till-1", tills+"/till-2", recipe)
}

func collectorYAML(port int) string {
	return fmt.Sprintf(`agents: {listen: "127.0.0.1:%d", hosts: [localhost]}
ops: {listen: "127.0.0.1:0"}
work: {every: 500ms, audit: 5s}
`, port)
}

// balances are the accounts the day must leave behind, in pence; debits are
// positive.
func balances(s sums) map[string]int64 {
	net := func(side string) int64 { return s.net[side+" 20"] + s.net[side+" 5"] }
	return map[string]int64{
		"Income:Sales":          -net("sales"),
		"Income:Returns":        net("returns"),
		"Liabilities:VAT":       -(s.tax[20] + s.tax[5]),
		"Assets:Cash":           s.tenders["cash"] - s.payouts - s.short,
		"Assets:CardClearing":   s.tenders["card"],
		"Liabilities:GiftCards": s.tenders["gift"] - s.giftSold,
		"Liabilities:Tips":      -s.tips,
		"Expenses:Cleaning":     s.payouts,
		"Expenses:OverShort":    s.short,
		"Income:CashRounding":   -s.rounding,
	}
}

// half returns the first and the second half of a till's transactions, as the
// files in which they are dropped.
func half(transactions []string, head, end string) (first, second string) {
	middle := len(transactions) / 2
	return head + strings.Join(transactions[:middle], "") + end, head + strings.Join(transactions[middle:], "") + end
}
