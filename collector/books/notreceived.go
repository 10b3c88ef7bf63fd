package books

import (
	"cmp"
	"slices"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// NotReceived is what a period close counts beyond the receipts that were
// received, by tax. A merchant may choose to have it booked by the close; as the
// receipts arrive there is less of it, so that a revision takes it back.
type NotReceived struct {
	Key   string         `json:"key"` // of the close
	Store string         `json:"store"`
	Till  string         `json:"terminal"`
	Taxes []document.Tax `json:"taxes"` // base and amount that are missing, none below zero
}

const notReceivedRule = "Counted by the till's Z, receipts not received yet."

// bookNotReceived books the sales that a close proves and no receipt shows: sales
// and tax as the close states them, against what is owed an explanation.
func (b *builder) bookNotReceived(found []NotReceived) {
	found = slices.Clone(found)
	slices.SortFunc(found, func(x, y NotReceived) int { return cmp.Compare(x.Key, y.Key) })
	for _, n := range found {
		d := &document.Document{
			Key: document.Key{Store: n.Store, Terminal: n.Till}, Kind: document.Sale, State: document.Completed,
			Currency: b.currency, PriceBasis: document.TaxExcluded,
		}
		var gross money.Decimal
		for _, t := range n.Taxes {
			d.Lines = append(d.Lines, document.Line{Kind: document.Item, Extended: t.Base, Taxes: []document.Tax{t}})
			gross += t.Base + t.Amount
		}
		e := Effect{Key: n.Key, By: d, Facts: d}
		if !b.begin(e) {
			continue
		}
		for i := range d.Lines {
			b.receiptLine(e, &d.Lines[i], "")
		}
		b.addRole(ReceiptsNotReceived, notReceivedRule, gross)
		b.finish()
	}
}
