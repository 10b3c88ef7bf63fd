package xero

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/memo"
	"tillbook.example/tillbook/shared/money"
)

// paymentsForm posts a day as a sales invoice, or as a credit note where more
// went out than came in, and what was paid as its payments. Tenders are the
// untaxed lines on accounts that payments can go to. One that goes the other way
// than the day, such as cash back, stands on the document as a line, which a
// bank account does not take.
//
// The document and its payments are several requests. Payments that are missing,
// since one was refused or an answer was lost, are sent alone: until all are
// there the day does not stand, and Find does not return it.
type paymentsForm struct{ b *Books }

const payments = "Payments"

// payment is one payment: its amount debits positive, and the reference that
// tells it from others of the document.
type payment struct {
	reference string
	amount    money.Minor
}

type wirePayment struct {
	PaymentID  string      `json:"PaymentID,omitempty"`
	Invoice    *wireRef    `json:"Invoice,omitempty"`
	CreditNote *wireRef    `json:"CreditNote,omitempty"`
	Account    *wireCode   `json:"Account,omitempty"`
	Date       string      `json:"Date,omitempty"`
	Amount     json.Number `json:"Amount,omitempty"`
	Reference  string      `json:"Reference,omitempty"`
	Status     string      `json:"Status,omitempty"`
}

type (
	wireRef struct {
		InvoiceID    string `json:"InvoiceID,omitempty"`
		CreditNoteID string `json:"CreditNoteID,omitempty"`
	}
	wireCode struct {
		Code string `json:"Code"`
	}
	paymentElement struct {
		wirePayment
		wireVerdict
	}
)

func (paymentsForm) kind(d document) string { return kindOf(d) }

func (f paymentsForm) render(p target.Payload, s *setup, strict bool) ([]document, error) {
	var total money.Minor // what came in
	tender := func(l target.Line) bool { return !l.Control && l.Tax == nil && l.Amount != 0 && s.payable[l.Account] }
	for _, l := range p.Lines {
		if tender(l) {
			total += l.Amount
		}
	}
	d := document{date: p.Date, number: p.Reference, credit: total < 0}
	pays := func(l target.Line) bool { return tender(l) && (l.Amount < 0) == d.credit }
	left := func(l target.Line) bool { return l.Control || pays(l) }
	d.note = memo.Note(p, f.b.places, left)
	if err := f.b.addLines(&d, p, s, strict, left); err != nil {
		return nil, err
	}
	for i, l := range p.Lines {
		if pays(l) {
			d.paid = append(d.paid, payment{fmt.Sprintf("%s line %04d", p.Reference, i+1), l.Amount})
			d.accounts = append(d.accounts, l.Account)
		}
	}
	return []document{d}, nil
}

func (f paymentsForm) read(found []document, _ *setup) (target.Payload, error) {
	if len(found) != 1 {
		return target.Payload{}, fmt.Errorf("%d invoices and credit notes stand under one number", len(found))
	}
	return f.b.readInvoice(found[0])
}

// partOf reports whether what stands lacks nothing but payments.
func (f paymentsForm) partOf(found, want []document) bool {
	if len(found) != 1 || len(want) != 1 || len(found[0].paid) >= len(want[0].paid) {
		return false
	}
	for _, p := range found[0].paid {
		if !slices.Contains(want[0].paid, p) {
			return false
		}
	}
	bare := func(d document) []document {
		d.paid = nil
		return []document{d}
	}
	return same(bare(want[0]), bare(found[0]))
}

func (f paymentsForm) find(ctx context.Context, reference string) ([]document, error) {
	all, err := f.list(ctx, reference)
	return slices.DeleteFunc(all, func(d document) bool { return d.number != reference }), err
}

func (f paymentsForm) list(ctx context.Context, prefix string) ([]document, error) {
	all, err := f.b.invoicesWith(ctx, invoices, "InvoiceNumber", prefix)
	if err != nil {
		return nil, err
	}
	notes, err := f.b.invoicesWith(ctx, creditNotes, "CreditNoteNumber", prefix)
	return append(all, notes...), err
}

func (f paymentsForm) send(ctx context.Context, reference string, want, found []document) ([]document, error) {
	standing := standingOf(found)
	if len(standing) == 0 {
		booked, err := f.b.sendInvoice(ctx, reference, want[0])
		if err != nil {
			return nil, err
		}
		standing = booked
	}
	d := standing[0]
	var missing []wirePayment
	what := "payments"
	for i, p := range want[0].paid {
		if slices.Contains(d.paid, p) {
			continue
		}
		w := wirePayment{Account: &wireCode{want[0].accounts[i]}, Date: string(d.date), Amount: f.b.number(-signOf(d) * p.amount), Reference: p.reference}
		if d.credit {
			w.CreditNote = &wireRef{CreditNoteID: d.id}
		} else {
			w.Invoice = &wireRef{InvoiceID: d.id}
		}
		missing = append(missing, w)
		what += " " + p.reference
	}
	if len(missing) == 0 {
		return []document{d}, nil
	}
	var all []paymentElement
	err := f.b.write(ctx, http.MethodPut, "/"+payments, payments, f.b.key(reference, what), map[string]any{payments: missing}, &all)
	if err != nil {
		return nil, unpaid(reference, err)
	}
	var errs []error
	for _, e := range all {
		if err := e.err(); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, unpaid(reference, err)
	}
	again, err := f.find(ctx, reference)
	if err != nil {
		return nil, unpaid(reference, err)
	}
	return standingOf(again), nil
}

// unpaid is neither refused nor unavailable: the document stands.
func unpaid(reference string, err error) error {
	return errors.New("the invoice " + reference + " stands at Xero, not all of its payments do: " + strings.TrimPrefix(err.Error(), target.ErrRefused.Error()+": "))
}

func (f paymentsForm) void(ctx context.Context, d document) error {
	for _, id := range d.payments {
		var all []paymentElement
		if err := f.b.write(ctx, http.MethodPost, "/"+payments+"/"+id, payments, "", wirePayment{Status: "DELETED"}, &all); err != nil {
			return err
		}
		for _, e := range all {
			if err := e.err(); err != nil {
				return err
			}
		}
	}
	return f.b.voidInvoice(ctx, d)
}
