package target

import (
	"context"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Other is a document in the books that was not posted by us.
type Other struct {
	RemoteID string
	Number   string // as people know it; may be empty
	Date     bizday.Day
	Total    money.Minor // what a customer paid, or the debits of a journal; without sign
}

// Watcher is a target that can be asked what others booked on a day: sales
// documents and journals, as another connector of the same shop would write.
type Watcher interface {
	Others(ctx context.Context, d bizday.Day) ([]Other, error)
}

// Twin returns the first document of others that comes to the same as a payload:
// its sales with their tax, or its debits. The shop may be connected twice.
func Twin(p Payload, others []Other) (Other, bool) {
	var sales, debits money.Minor
	for _, l := range p.Lines {
		if l.Tax != nil && l.Tax.Direction != "PURCHASE" {
			sales += l.Amount + l.Tax.Amount
		}
		if l.Amount > 0 {
			debits += l.Amount
		}
	}
	for _, o := range others {
		if o.Date == p.Date && o.Total != 0 && (o.Total == max(sales, -sales) || o.Total == debits) {
			return o, true
		}
	}
	return Other{}, false
}
