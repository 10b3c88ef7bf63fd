package quickbooks

import (
	"context"
	"fmt"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/memo"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

var _ target.Watcher = (*Books)(nil)

// Others returns the sales receipts and journal entries of a day that are not
// ours.
func (b *Books) Others(ctx context.Context, d bizday.Day) ([]target.Other, error) {
	var others []target.Other
	for _, kind := range []string{journal, receipt} {
		all, err := queryAll[wireDocument](ctx, b, kind, "TxnDate = '"+string(d)+"'")
		if err != nil {
			return nil, err
		}
		for _, w := range all {
			read, err := b.document(kind, w)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", kind, w.DocNumber, err)
			}
			if read.voided || memo.ReferenceOf(read.note) != "" {
				continue
			}
			var total money.Minor
			for _, l := range read.lines {
				if kind == receipt {
					total -= l.amount
				} else {
					total += max(l.amount+l.taxed, 0)
				}
			}
			for _, t := range read.taxes {
				total -= t.amount
			}
			others = append(others, target.Other{RemoteID: read.id, Number: read.number, Date: read.date, Total: total})
		}
	}
	return others, nil
}
