package format

import (
	"fmt"

	"tillbook.example/tillbook/shared/document"
)

// Finish completes a document that a reader has built: it places it, masks its
// texts, works out its totals, checks it and sets its content hash. The reader
// has set Source.Format, Recipe and Version, and in the key what the input
// states; start is the offset of the part.
func Finish(d *document.Document, o Options, start int64) error {
	store, terminal := d.Key.Store, d.Key.Terminal
	if d.Place.Store == "" {
		d.Place.Store = store
	}
	if d.Place.Terminal == "" {
		d.Place.Terminal = terminal
	}
	if o.Store != "" {
		d.Key.Store = o.Store
	}
	if o.Terminal != "" {
		d.Key.Terminal = o.Terminal
	}
	for i := range d.Links {
		if k := d.Links[i].Key; k != nil {
			if k.Store == store || k.Store == "" {
				k.Store = d.Key.Store
			}
			if k.Terminal == terminal || k.Terminal == "" {
				k.Terminal = d.Key.Terminal
			}
		}
	}
	if d.Currency == "" {
		d.Currency = o.Currency
	}
	if d.Currency == "" {
		return Refuse(BadField, "no currency is stated; set one for this source")
	}
	d.Source.Adapter = o.Adapter
	if o.FileID != "" && d.Source.Raw == "" {
		d.Source.Raw = fmt.Sprintf("%s@%d", o.FileID, start)
	}
	MaskDocument(d)
	if err := d.Settle(); err != nil {
		return Refuse(BadField, "%v", err)
	}
	if err := d.Check(); err != nil {
		return Refuse(BadDocument, "%v", err)
	}
	d.ContentHash = document.HashString(d)
	return nil
}

// MaskDocument hides the card numbers in a document's texts.
func MaskDocument(d *document.Document) {
	maskLines(d.Lines)
	for i := range d.Tenders {
		t := &d.Tenders[i]
		t.Label, t.Masked = Mask(t.Label), LastFour(t.Masked)
	}
	if m := d.Movement; m != nil {
		m.Reason, m.Counterparty, m.ReceiptRef = Mask(m.Reason), Mask(m.Counterparty), Mask(m.ReceiptRef)
		maskLines(m.Lines)
	}
	if c := d.Count; c != nil {
		maskAmounts(c.ByTender)
	}
	if c := d.Close; c != nil {
		maskAmounts(c.ByTender)
	}
}

func maskLines(lines []document.Line) {
	for i := range lines {
		l := &lines[i]
		l.Text, l.Category = Mask(l.Text), Mask(l.Category)
		for j := range l.Adjustments {
			l.Adjustments[j].Reason = Mask(l.Adjustments[j].Reason)
		}
	}
}

func maskAmounts(amounts []document.TenderAmount) {
	for i := range amounts {
		amounts[i].Label = Mask(amounts[i].Label)
	}
}
