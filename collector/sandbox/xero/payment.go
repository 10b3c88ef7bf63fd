package xero

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/sandbox/gate"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// payment is money on an invoice, or back on a credit note; or a credit note
// that is allocated to an invoice, without an account.
type payment struct {
	id        string
	of        *document
	account   *Account
	from      *document // an allocated credit note
	date      bizday.Day
	amount    money.Minor
	reference string
	deleted   bool
}

type paymentForm struct {
	Invoice    *struct{ InvoiceID, InvoiceNumber string }
	CreditNote *struct{ CreditNoteID, CreditNoteNumber string }
	Account    struct{ AccountID, Code string }
	Date       string
	Amount     json.Number
	Reference  string
	Status     string
}

func (x *Org) pay(r *http.Request, body json.RawMessage) (int, map[string]any) {
	forms, err := elements[paymentForm](body, paid)
	if err != nil {
		return http.StatusBadRequest, failure(14, "PostDataInvalidException", err.Error(), nil)
	}
	var results []any
	failed := false
	for _, f := range forms {
		var p problems
		one := &payment{account: x.account(f.Account.Code, f.Account.AccountID), date: bizday.Day(f.Date), amount: x.minor(&p, f.Amount), reference: f.Reference}
		switch {
		case f.Invoice != nil:
			if one.of = x.document(invoices, f.Invoice.InvoiceID); one.of == nil {
				one.of = x.document(invoices, f.Invoice.InvoiceNumber)
			}
		case f.CreditNote != nil:
			if one.of = x.document(credits, f.CreditNote.CreditNoteID); one.of == nil {
				one.of = x.document(credits, f.CreditNote.CreditNoteNumber)
			}
		}
		switch {
		case one.of == nil || one.of.status != "AUTHORISED":
			p.fail("Invoice could not be found, or is not of type AUTHORISED")
		case one.account == nil || one.account.Archived || one.account.Type != "BANK" && !one.account.PaymentsTo:
			p.fail("Account could not be found, or cannot be used for payments")
		case one.amount <= 0:
			p.fail("Payment amounts must be positive amounts")
		case one.amount > one.of.due:
			p.fail("Payment amount exceeds the amount outstanding on this document")
		default:
			x.locked(&p, one.date)
		}
		if len(p.errors) == 0 {
			one.id = gate.ID()
			x.payments = append(x.payments, one)
			x.settle(one.of, one.amount)
		}
		failed = failed || len(p.errors) > 0
		results = append(results, x.paymentElement(one, p))
	}
	return x.results(r, paid, results, failed)
}

func (x *Org) settle(d *document, amount money.Minor) {
	d.due -= amount
	switch {
	case d.due == 0:
		d.status = "PAID"
	case d.status == "PAID":
		d.status = "AUTHORISED"
	}
}

// unpay deletes a payment.
func (x *Org) unpay(r *http.Request, id string, body json.RawMessage) (int, map[string]any) {
	var f paymentForm
	var p problems
	if err := json.Unmarshal(body, &f); err != nil || f.Status != "DELETED" {
		return http.StatusBadRequest, failure(10, "ValidationException", "Only the status DELETED is supported here", nil)
	}
	for _, one := range x.payments {
		if one.id != id {
			continue
		}
		if x.locked(&p, one.date); len(p.errors) == 0 && !one.deleted {
			one.deleted = true
			x.settle(one.of, -one.amount)
		}
		return x.results(r, paid, []any{x.paymentElement(one, p)}, len(p.errors) > 0)
	}
	return http.StatusNotFound, failure(404, "NotFound", "The resource you're looking for cannot be found", nil)
}

// allocate puts credit of a credit note on an invoice.
func (x *Org) allocate(r *http.Request) (int, map[string]any) {
	body, _ := r.Context().Value(bodyKey{}).(json.RawMessage)
	forms, err := elements[paymentForm](body, "Allocations")
	note := x.document(credits, r.PathValue("id"))
	if err != nil || note == nil || len(forms) != 1 || forms[0].Invoice == nil {
		return http.StatusNotFound, failure(404, "NotFound", "The resource you're looking for cannot be found", nil)
	}
	var p problems
	amount := x.minor(&p, forms[0].Amount)
	of := x.document(invoices, forms[0].Invoice.InvoiceID)
	switch {
	case of == nil || of.status != "AUTHORISED" || note.status != "AUTHORISED":
		p.fail("Invoice could not be found, or is not of type AUTHORISED")
	case amount <= 0 || amount > of.due || amount > note.due:
		p.fail("Allocation amount exceeds the amount outstanding on this document")
	}
	if len(p.errors) > 0 {
		return http.StatusBadRequest, failure(10, "ValidationException", "A validation exception occurred", []any{map[string]any{"ValidationErrors": messages(p.errors)}})
	}
	x.payments = append(x.payments, &payment{id: gate.ID(), of: of, from: note, date: bizday.Day(forms[0].Date), amount: amount})
	x.settle(of, amount)
	x.settle(note, amount)
	return http.StatusOK, x.envelope("Allocations", []any{map[string]any{
		"AllocationID": gate.ID(), "Amount": x.number(amount), "Date": dayDate(of.date), "Invoice": map[string]any{"InvoiceID": of.id},
	}})
}

func (x *Org) allocated(d *document) bool {
	for _, p := range x.payments {
		if !p.deleted && (p.of == d || p.from == d) {
			return true
		}
	}
	return false
}

func (x *Org) paymentsOf(d *document) []any {
	all := []any{}
	for _, p := range x.payments {
		if p.of == d && !p.deleted && p.from == nil {
			all = append(all, x.paymentElement(p, problems{}))
		}
	}
	return all
}

func (x *Org) paymentElement(p *payment, bad problems) map[string]any {
	e := map[string]any{"Date": dayDate(p.date), "Amount": x.number(p.amount), "Reference": p.reference, "Status": "AUTHORISED"}
	if p.deleted {
		e["Status"] = "DELETED"
	}
	if p.id != "" {
		e["PaymentID"] = p.id
	}
	if p.account != nil {
		e["Account"] = map[string]any{"AccountID": p.account.ID, "Code": p.account.Code}
	}
	status := "OK"
	if len(bad.errors) > 0 {
		e["ValidationErrors"], status = messages(bad.errors), "ERROR"
		e["HasValidationErrors"] = true
	}
	e["StatusAttributeString"] = status
	return e
}

// Void voids what stands under a number or begins its narration with it, as a
// person might: its payments go first.
func (x *Org) Void(reference string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, d := range x.standing(reference) {
		for _, p := range x.payments {
			if (p.of == d || p.from == d) && !p.deleted {
				p.deleted = true
				p.of.due += p.amount
			}
		}
		d.status, d.due, d.updated = "VOIDED", 0, x.Now()
	}
}

// Edit moves one minor unit from the first line of a document to the second.
func (x *Org) Edit(reference string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, d := range x.standing(reference) {
		var amounts []*line
		for i := range d.lines {
			if d.lines[i].account != nil {
				amounts = append(amounts, &d.lines[i])
			}
		}
		if len(amounts) == 1 { // the other side is the payment
			amounts[0].text += " edited"
			continue
		}
		amounts[0].amount++
		amounts[1].amount--
	}
}

// Double books the journals that stand under a reference once more, as a request
// that comes late might. Numbers of invoices are unique.
func (x *Org) Double(reference string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, d := range x.standing(reference) {
		if d.kind == journals {
			again := *d
			again.id, again.lines, again.files = gate.ID(), slices.Clone(d.lines), map[string][]byte{}
			x.documents = append(x.documents, &again)
		}
	}
}

// Alien books an invoice of somebody else under a number, of ten pounds.
func (x *Org) Alien(number string, on bizday.Day) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.documents = append(x.documents, &document{
		kind: invoices, id: gate.ID(), number: number, contact: "Somebody", date: on, status: "AUTHORISED", amounts: "NoTax", total: 1000, due: 1000,
		lines: []line{{text: "by hand", account: x.account("200", ""), amount: 1000, taxType: "NONE"}}, files: map[string][]byte{}, updated: x.Now(),
	})
}

// Attached returns the names of the files at a document.
func (x *Org) Attached(reference string) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var names []string
	for _, d := range x.standing(reference) {
		for name := range d.files {
			names = append(names, name)
		}
	}
	return names
}

func (x *Org) standing(reference string) []*document {
	var found []*document
	for _, d := range x.documents {
		if d.status != "VOIDED" && (d.number == reference || strings.HasPrefix(d.narration, reference+": ")) {
			found = append(found, d)
		}
	}
	return found
}

// Balances adds up the ledger: by account code, with tax on the account of tax,
// what customers owe on the account of debtors.
func (x *Org) Balances() map[string]money.Minor {
	x.mu.Lock()
	defer x.mu.Unlock()
	system := func(name string) string {
		for _, a := range x.accounts {
			if a.System == name {
				return a.Code
			}
		}
		return name
	}
	sums := map[string]money.Minor{}
	for _, d := range x.documents {
		sign := money.Minor(1)
		switch {
		case d.status != "POSTED" && d.status != "AUTHORISED" && d.status != "PAID":
			continue
		case d.kind == invoices:
			sign = -1
		}
		for _, l := range d.lines {
			if l.account != nil {
				sums[l.account.Code] += sign * l.amount
				sums[system("GST")] += sign * l.tax
			}
		}
		if d.kind != journals {
			sums[system("DEBTORS")] -= sign * d.total
		}
	}
	for _, p := range x.payments {
		if p.deleted || p.account == nil {
			continue
		}
		sign := money.Minor(1)
		if p.of.kind == credits {
			sign = -1
		}
		sums[p.account.Code] += sign * p.amount
		sums[system("DEBTORS")] -= sign * p.amount
	}
	for code, sum := range sums {
		if sum == 0 {
			delete(sums, code)
		}
	}
	return sums
}

// Documents returns how many documents stand under each number or reference that
// begins with a prefix.
func (x *Org) Documents(prefix string) map[string]int {
	x.mu.Lock()
	defer x.mu.Unlock()
	counts := map[string]int{}
	for _, d := range x.documents {
		reference := d.number
		if d.kind == journals {
			reference, _, _ = strings.Cut(d.narration, ": ")
		}
		if d.status != "VOIDED" && strings.HasPrefix(reference, prefix) {
			counts[reference]++
		}
	}
	return counts
}
