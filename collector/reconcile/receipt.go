package reconcile

import (
	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// rule is how a broken rule of a document counts.
type rule struct {
	cause Cause
	state string
	text  string
}

func ruleOf(name string) (rule, bool) {
	switch name {
	case document.RuleGross:
		return rule{DocumentGross, Opened, "Printed totals differ from the lines of their receipts."}, true
	case document.RuleNet:
		return rule{DocumentNet, Opened, "Printed net totals differ from the lines of their receipts."}, true
	case document.RuleTax:
		return rule{DocumentTax, Opened, "Printed tax totals differ from the taxes of the lines."}, true
	case document.RuleRounding:
		return rule{DocumentRounding, Opened, "Printed rounding differs from the rounding lines."}, true
	case document.RuleTaxRate:
		return rule{TaxRate, Explained, "Printed tax differs from rate times base; what was printed stands."}, true
	}
	return rule{}, false // tenders: checked here, with the shop's rounding
}

// tally adds up one cause over the receipts of the day.
type tally struct {
	sum       money.Sum
	documents []string
}

// checkReceipts checks lines = receipt = tenders, receipt by receipt.
func (p *prover) checkReceipts() {
	rules := map[Cause]rule{
		DocumentTenders: {DocumentTenders, Opened, "Lines and tenders of receipts differ."},
		RoundingBeyond:  {RoundingBeyond, Opened, "Cash rounding is more than the step the shop rounds to."},
	}
	type tallyKey struct {
		cause    Cause
		currency string
	}
	tallies := map[tallyKey]*tally{}
	count := func(cause Cause, e books.Effect, amount money.Decimal) {
		key := tallyKey{cause, e.Facts.Currency}
		t := tallies[key]
		if t == nil {
			t = &tally{}
			tallies[key] = t
		}
		t.sum.Add(amount)
		t.documents = append(t.documents, e.Key)
	}
	for _, e := range p.effects {
		if e.Negate {
			continue // the day of the original has checked it
		}
		balance, err := books.BalanceOf(e.Facts, p.in.Rounding)
		if err != nil {
			continue // too large to add: asked about by books
		}
		if balance.Gap != 0 && !books.SubUnit(balance.Gap, e.Facts.Currency) {
			count(DocumentTenders, e, balance.Gap)
		}
		if p.in.Rounding.Beyond(balance.Rounding) {
			count(RoundingBeyond, e, balance.Rounding)
		}
		if len(e.Facts.Lines) == 0 {
			continue
		}
		settled := *e.Facts
		if settled.Settle() != nil {
			continue
		}
		for _, d := range settled.Totals.Differences {
			if r, ok := ruleOf(d.Rule); ok {
				rules[r.cause] = r
				count(r.cause, e, d.Amount)
			}
		}
	}
	for key, t := range tallies {
		amount, err := t.sum.Value()
		if err != nil {
			continue
		}
		r := rules[key.cause]
		p.differ(Difference{
			Of: "receipts", Cause: r.cause, Amount: amount, Currency: key.currency, Text: r.text, Documents: t.documents, State: r.state,
		})
	}
}
