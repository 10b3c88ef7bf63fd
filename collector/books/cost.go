package books

import (
	"cmp"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// cost drafts what the goods of a line cost: out of stock when they are sold,
// back into it when they come back. An unknown cost is nothing, never zero; see
// UnknownCosts.
func (b *builder) cost(d *document.Document, l *document.Line, dims string, sign money.Decimal) {
	amount := sign * l.Cost.Amount.Abs()
	if goesBack(d, l) {
		amount = -amount
	}
	if own := cmp.Or(d.Currency, b.currency); l.Cost.Currency != own {
		b.problem(question{ConversionMissing, "cost:" + l.Cost.Currency + "/" + own, "At which rate is the cost of goods in " +
			l.Cost.Currency + " booked where the receipt is in " + own + "? The till states none."}, b.doc.effect.Key, 0)
		return
	}
	const rule = "The cost of goods sold, less that of goods taken back, as the till states it."
	for _, side := range []struct {
		role   Role
		amount money.Decimal
	}{{CostOfGoods, amount}, {Inventory, -amount}} {
		account, ask := b.need(side.role)
		b.add(group{role: side.role, account: account, ask: ask, dims: dims, rule: rule}, side.amount)
	}
}

// CostGap is one line of goods whose cost no till states.
type CostGap struct {
	Key      string // of the document
	Line     int    // 1-based
	SKU      string
	Category string
}

// UnknownCosts lists the goods sold and taken back that have no cost: open items
// of a merchant who books the cost of goods.
func UnknownCosts(documents []*document.Document, originals map[string]*document.Document) []CostGap {
	var gaps []CostGap
	effects, _ := Effects(documents, originals)
	for _, e := range effects {
		for i := range e.Facts.Lines {
			if l := &e.Facts.Lines[i]; l.Kind == document.Item && l.Agency == nil && l.Cost == nil {
				gaps = append(gaps, CostGap{Key: e.Key, Line: i + 1, SKU: l.SKU, Category: l.Category})
			}
		}
	}
	return gaps
}
