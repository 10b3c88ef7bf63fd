package text

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/target"
)

// beancount writes journals for beancount 2 and 3.
type beancount struct{}

// opened is the date of every account's open directive: before any sale.
const opened = "1970-01-01"

func (beancount) extension() string { return ".beancount" }

func (beancount) main(currency string, _ int) string {
	return "; Books posted by Tillbook. Include this file in a ledger of your own, or read it as it is.\n" +
		"option \"title\" \"Tillbook\"\n" +
		"option \"operating_currency\" \"" + currency + "\"\n" +
		"include \"accounts/*.beancount\"\n" +
		"include \"postings/*.beancount\"\n"
}

func (beancount) account(name string) string { return opened + " open " + name + "\n" }

var beancountAccount = regexp.MustCompile(`^(Assets|Liabilities|Equity|Income|Expenses)(:[\p{Lu}\p{Nd}][\p{L}\p{Nd}-]*)+$`)

// checkAccount: one of the five roots, then parts that begin with a capital or a
// digit and have letters, digits and hyphens.
func (beancount) checkAccount(name string) error {
	if !beancountAccount.MatchString(name) {
		return fmt.Errorf("a beancount account is one of Assets, Liabilities, Equity, Income, Expenses and parts such as Cash or Sales-20, as in Assets:Cash:Till-1")
	}
	return nil
}

// An account's capital tells a line from metadata.
var beancountLine = regexp.MustCompile(`^\s+(\p{Lu}\S*)\s{2,}(-?\d+(?:\.\d+)?) ([A-Z]{3})\s*(?:;.*)?$`)

func (beancount) line() *regexp.Regexp { return beancountLine }

func (beancount) transaction(p target.Payload, places int) string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s * %s ^%s\n", p.Date, quote(p.Narration), p.Reference)
	fmt.Fprintf(&w, "  reference: %s\n  reason: %s\n  key: %s\n", quote(p.Reference), quote(p.Reason), quote(p.Key))
	account, amount := column(p, places)
	for _, l := range p.Lines {
		fmt.Fprintf(&w, "  %-*s  %*s %s\n", account, l.Account, amount, l.Amount.Format(places), p.Currency)
		if l.Text != "" {
			fmt.Fprintf(&w, "    text: %s\n", quote(l.Text))
		}
		if l.Documents != 0 {
			fmt.Fprintf(&w, "    documents: %d\n", l.Documents)
		}
		for _, name := range slices.Sorted(maps.Keys(l.Dimensions)) {
			fmt.Fprintf(&w, "    %s: %s\n", word(name), quote(l.Dimensions[name]))
		}
		if l.Foreign != nil {
			fmt.Fprintf(&w, "    foreign: %s\n    rate: %s\n", quote(foreign(l.Foreign)), l.Foreign.Rate)
		}
		if l.Tax != nil {
			fmt.Fprintf(&w, "    tax: %s\n    tax_direction: %s\n", quote(l.Tax.Code), quote(l.Tax.Direction))
			fmt.Fprintf(&w, "    tax_base: %s %s\n    tax_amount: %s %s\n",
				l.Tax.Base.Format(places), p.Currency, l.Tax.Amount.Format(places), p.Currency)
			if l.Tax.Jurisdiction != "" {
				fmt.Fprintf(&w, "    jurisdiction: %s\n", quote(l.Tax.Jurisdiction))
			}
		}
	}
	return w.String()
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
