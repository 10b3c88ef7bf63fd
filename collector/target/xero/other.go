package xero

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/memo"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

var _ target.Watcher = (*Books)(nil)

// Others returns the sales invoices and manual journals of a day that are not
// ours. It looks at a thousand of each.
func (b *Books) Others(ctx context.Context, d bizday.Day) ([]target.Other, error) {
	query := url.Values{"where": {"Date==" + dateTime(string(d))}, "page": {"1"}, "pageSize": {strconv.Itoa(pageSize)}}
	var all struct {
		Invoices       []invoiceElement
		ManualJournals []journalElement
	}
	var others []target.Other
	if err := b.get(ctx, "/"+invoices, query, &all); err != nil {
		return nil, err
	}
	for _, e := range all.Invoices {
		read, err := b.invoiceOf(e)
		if err != nil {
			return nil, fmt.Errorf("invoice %s: %w", e.InvoiceNumber, err)
		}
		total, err := b.minor(e.Total)
		if err != nil {
			return nil, fmt.Errorf("invoice %s: %w", e.InvoiceNumber, err)
		}
		if e.Type == "ACCREC" && !read.voided && memo.ReferenceOf(read.note) == "" {
			others = append(others, target.Other{RemoteID: read.id, Number: read.number, Date: read.date, Total: total})
		}
	}
	if err := b.get(ctx, "/"+manualJournals, query, &all); err != nil {
		return nil, err
	}
	for _, e := range all.ManualJournals {
		read, err := journalForm{b}.document(e)
		if err != nil {
			return nil, fmt.Errorf("journal %s: %w", e.ManualJournalID, err)
		}
		if read.voided || e.Status != "POSTED" || read.number != "" {
			continue
		}
		var debits money.Minor
		for _, l := range read.lines {
			debits += max(l.amount+l.tax, 0)
		}
		others = append(others, target.Other{RemoteID: read.id, Date: read.date, Total: debits})
	}
	return others, nil
}
