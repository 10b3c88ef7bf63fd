package day

import (
	"cmp"
	"slices"

	"tillbook.example/tillbook/collector/reconcile"
	"tillbook.example/tillbook/shared/document"
)

// SpanDays is how many days before a period close it may count, where a terminal
// was not closed on each.
const SpanDays = 3

// spanned returns the documents of earlier days that the closes of this day
// count, by key: those that state one's number or session, those whose number one
// states as between its first and last, and, where a terminal's first close of the
// day claims more receipts than the day has, all others.
func spanned(f Facts) []Stored {
	var found []Stored
	for _, s := range f.Earlier {
		if s.Document.Deleted || s.Document.Kind == document.PeriodClose {
			continue
		}
		closes, others := ofTerminal(f.Documents, s.Document.Key.Terminal)
		if slices.ContainsFunc(closes, func(z *document.Document) bool { return samePeriod(s.Document, z) }) || len(closes) > 0 && claims(closes, others, s.Document) {
			found = append(found, s)
		}
	}
	return found
}

// claims reports whether the first of a day's closes counts a document of an
// earlier day that states no period.
func claims(closes, others []*document.Document, d *document.Document) bool {
	if d.StatedDay.Z != "" || d.Numbers.Z != "" || d.StatedDay.Session != "" {
		return false
	}
	z := slices.MinFunc(closes, func(x, y *document.Document) int {
		return cmp.Or(moment(x).Compare(moment(y)), cmp.Compare(x.Key.String(), y.Key.String()))
	})
	switch {
	case z.Close == nil:
		return false
	case z.Close.FirstReceipt != "" && z.Close.LastReceipt != "":
		return reconcile.InRange(z.Close, d)
	}
	return z.Close.Receipts != nil && int64(len(belonging(z, closes, others))) < *z.Close.Receipts
}

// ofTerminal returns a terminal's closes and its other documents.
func ofTerminal(documents []Stored, terminal string) (closes, others []*document.Document) {
	for _, s := range documents {
		switch d := s.Document; {
		case d.Deleted || d.Key.Terminal != terminal:
		case d.Kind == document.PeriodClose:
			closes = append(closes, d)
		default:
			others = append(others, d)
		}
	}
	return closes, others
}
