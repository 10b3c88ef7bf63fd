package poslog

import (
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/xmlscan"
	"tillbook.example/tillbook/shared/money"
)

// document reads the whole transaction.
func (x *transaction) document() *document.Document {
	const tx = xmlscan.Root
	d := &document.Document{
		Source: document.Source{Format: Name},
		Key:    document.Key{Space: document.SpaceReceipt},
		Kind:   document.OtherKind,
		State:  document.Completed,
	}
	d.Key.Store = x.value(tx, "RetailStoreID", "StoreID")
	if unit := x.tree.Child(tx, "BusinessUnit"); d.Key.Store == "" && unit != 0 {
		d.Key.Store = x.value(unit, "UnitID")
	}
	d.Key.Terminal = x.value(tx, "WorkstationID")
	d.Key.Number = x.value(tx, "SequenceNumber", "TransactionID")
	d.Key.Scope = x.value(tx, "BusinessDayDate")
	d.StatedDay.Date = d.Key.Scope
	d.Numbers.Sequence = d.Key.Number
	d.Numbers.Receipt = x.value(tx, "ReceiptNumber")
	d.Place.Operator = format.Mask(x.value(tx, "OperatorID"))
	d.Place.Drawer = x.value(tx, "TillID")
	if d.Key.Number == "" {
		x.fail("SequenceNumber is missing")
	}
	if day := d.StatedDay.Date; day != "" {
		if len(day) > 10 {
			day = day[:10] // some write a time behind it
		}
		if wall, err := format.ParseXMLTime(day); err != nil || !wall.DateOnly {
			x.fail("BusinessDayDate: %q is not a date (YYYY-MM-DD)", format.Clip(day))
		}
		d.StatedDay.Date, d.Key.Scope = day, day
	}
	x.currency(d)
	x.when(d)

	for n := x.tree.First(tx); n != 0; n = x.tree.Next(n) {
		switch string(x.tree.Name(n)) {
		case "RetailTransaction":
			x.retail(d, n)
		case "ControlTransaction":
			x.control(d, n)
		case "TenderControlTransaction":
			x.tenderControl(d, n)
		case "PostVoidTransaction":
			x.postVoid(d, n)
		case "BusinessEOD", "PeriodClose", "POSEOD":
			x.periodClose(d, n)
		default:
			continue
		}
		break
	}
	if x.flag(tx, "TrainingModeFlag") || x.value(tx, "TrainingModeFlag") == "true" {
		d.Kind = document.Training
	}
	if x.flag(tx, "SuspendFlag") {
		d.State = document.Suspended
	}
	if x.flag(tx, "CancelFlag") || x.flag(tx, "VoidFlag") {
		d.State = document.Voided
		if d.Kind.Receipt() {
			d.Kind = document.Cancelled
		}
	}
	return d
}

// currency finds the currency where the dialects put it.
func (x *transaction) currency(d *document.Document) {
	d.Currency = x.value(xmlscan.Root, "CurrencyCode")
	for n := x.tree.First(xmlscan.Root); n != 0 && d.Currency == ""; n = x.tree.Next(n) {
		if d.Currency = x.value(n, "CurrencyCode"); d.Currency == "" {
			if total := x.tree.Child(n, "Total"); total != 0 {
				if d.Currency = x.attr(total, "Currency"); d.Currency == "" {
					d.Currency = x.attr(total, "CurrencyCode")
				}
			}
		}
	}
	if d.Currency == "" {
		d.Currency = x.options.Currency
	}
	places, err := money.Places(d.Currency)
	if err != nil {
		if d.Currency == "" {
			x.fail("no currency is stated; set one for this source")
		} else {
			x.fail("CurrencyCode: %v", err)
		}
	}
	x.places = places
}

// when takes the receipt's own time, else the end, else the beginning.
func (x *transaction) when(d *document.Document) {
	n := x.tree.Child(x.tree.Child(xmlscan.Root, "RetailTransaction"), "ReceiptDateTime")
	if n == 0 {
		n = x.child(xmlscan.Root, "ReceiptDateTime", "EndDateTime", "POSLogDateTime", "BeginDateTime")
	}
	if n == 0 {
		x.fail("EndDateTime is missing")
		return
	}
	d.Time = x.time(n)
}

// link reads the place and number of another transaction. What it leaves out is
// as in this one.
func (x *transaction) link(d *document.Document, n xmlscan.Node, relation document.Relation) {
	number := x.value(n, "SequenceNumber", "TransactionID", "ReceiptNumber")
	if number == "" {
		return
	}
	key := document.Key{
		Store: x.value(n, "RetailStoreID"), Terminal: x.value(n, "WorkstationID"),
		Space: document.SpaceReceipt, Number: number, Scope: x.value(n, "BusinessDayDate"),
	}
	if unit := x.tree.Child(n, "BusinessUnit"); key.Store == "" && unit != 0 {
		key.Store = x.value(unit, "UnitID")
	}
	if key.Store == "" {
		key.Store = d.Key.Store
	}
	if key.Terminal == "" {
		key.Terminal = d.Key.Terminal
	}
	if key.Scope == "" {
		key.Scope = d.Key.Scope
	} else if len(key.Scope) > 10 {
		key.Scope = key.Scope[:10]
	}
	for _, l := range d.Links {
		if l.Relation == relation && *l.Key == key {
			return
		}
	}
	d.Links = append(d.Links, document.Link{Relation: relation, Key: &key, Number: number})
}

// relation reads what a TransactionLink is for.
func relation(reason string, otherwise document.Relation) document.Relation {
	switch local(reason) {
	case "Return", "Refund":
		return document.Returns
	case "Void", "PostVoid", "Voided":
		return document.Voids
	case "Resume", "Retrieve", "Retrieved", "Suspend", "Suspended":
		return document.Resumes
	case "Copy", "Reprint":
		return document.Copies
	case "Split":
		return document.SplitOf
	case "Settle", "Settlement", "Payment":
		return document.Settles
	}
	return otherwise
}

// postVoid reads a transaction that takes back an earlier one as a whole.
func (x *transaction) postVoid(d *document.Document, n xmlscan.Node) {
	d.Kind = document.PostVoid
	link := x.child(n, "TransactionLink", "VoidedTransactionLink", "VoidedTransaction", "OriginalTransaction")
	if link == 0 {
		link = n
	}
	x.link(d, link, document.Voids)
	if len(d.Links) == 0 {
		x.fail("PostVoidTransaction does not say which transaction it takes back")
	}
}
