// Package erasure cuts out of documents what refers to persons, once nobody needs
// it any more or somebody asks for it: a customer's key and account number, the
// other side of a cash movement, the last digits of a card, free text, the number
// of who stood at the till.
//
// All of that lies outside the content hash (docs/canonical-form.md). So a document
// that was cut has the hash it had, amounts, taxes and numbers stay, entries can be
// made again byte for byte, and an agent that sends the document again states
// nothing new. A document whose hash would be another is left alone and named.
//
// It decides what is cut; storage keeps. It cannot reach what is elsewhere: in
// backups, in exports, in the till, and for some days in the agent's outbox.
package erasure

import (
	"tillbook.example/tillbook/shared/document"
)

// Cut takes what refers to persons out of a document, and counts what it took by
// its path. Staff says whether that is also the number of who stood at the till.
func Cut(d *document.Document, staff bool) (taken map[string]int) {
	taken = map[string]int{}
	blank := func(path string, text *string) {
		if *text != "" {
			*text = ""
			taken[path]++
		}
	}
	if staff {
		blank("place/operator", &d.Place.Operator)
	}
	if c := d.Customer; c != nil {
		blank("customer/key", &c.Key)
		blank("customer/account_no", &c.AccountNo)
		if *c == (document.Customer{}) {
			d.Customer = nil
		}
	}
	for i := range d.Lines {
		blank("lines/text", &d.Lines[i].Text)
	}
	for i := range d.Tenders {
		blank("tenders/masked", &d.Tenders[i].Masked)
	}
	if m := d.Movement; m != nil {
		blank("movement/counterparty", &m.Counterparty)
		for i := range m.Lines {
			blank("movement/lines/text", &m.Lines[i].Text)
		}
	}
	return taken
}

// Names reports whether a document names a customer by key, account number or as
// the other side of a cash movement.
func Names(d *document.Document, customer string) bool {
	return d.Customer != nil && (d.Customer.Key == customer || d.Customer.AccountNo == customer) ||
		d.Movement != nil && d.Movement.Counterparty == customer
}
