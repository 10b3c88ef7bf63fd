package xero

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/memo"
	"tillbook.example/tillbook/shared/money"
)

// invoiceForm posts a day as one sales invoice whose lines net to zero: sales
// with the tills' own tax, and what was paid as negative lines on clearing
// accounts. The first line is the note.
type invoiceForm struct{ b *Books }

const (
	invoices    = "Invoices"
	creditNotes = "CreditNotes"
)

type wireInvoice struct {
	InvoiceID        string       `json:"InvoiceID,omitempty"`
	CreditNoteID     string       `json:"CreditNoteID,omitempty"`
	Type             string       `json:"Type,omitempty"`
	Contact          *wireContact `json:"Contact,omitempty"`
	Date             string       `json:"Date,omitempty"`
	DueDate          string       `json:"DueDate,omitempty"`
	InvoiceNumber    string       `json:"InvoiceNumber,omitempty"`
	CreditNoteNumber string       `json:"CreditNoteNumber,omitempty"`
	Reference        string       `json:"Reference,omitempty"`
	Status           string       `json:"Status"`
	LineAmountTypes  string       `json:"LineAmountTypes,omitempty"`
	LineItems        []wireLine   `json:"LineItems,omitempty"`
}

type invoiceElement struct {
	wireInvoice
	wireVerdict
	Payments []wirePayment
	Total    json.Number
}

func (invoiceForm) kind(d document) string { return kindOf(d) }

func (invoiceForm) partOf(_, _ []document) bool { return false }

func kindOf(d document) string {
	if d.credit {
		return creditNotes
	}
	return invoices
}

func (f invoiceForm) render(p target.Payload, s *setup, strict bool) ([]document, error) {
	d := document{date: p.Date, number: p.Reference, note: memo.Note(p, f.b.places, isControl)}
	err := f.b.addLines(&d, p, s, strict, isControl)
	return []document{d}, err
}

// addLines adds the lines of a payload, without those that left is true for.
func (b *Books) addLines(d *document, p target.Payload, s *setup, strict bool, left func(target.Line) bool) error {
	if len(d.note) > maxNote {
		return fmt.Errorf("the texts of %s have %d bytes; Xero takes %d", p.Reference, len(d.note), maxNote)
	}
	var taxes, controls money.Minor
	for i, l := range p.Lines {
		if l.Control {
			controls += l.Amount
		}
		if left(l) {
			continue
		}
		out, _, _, err := b.resolve(l, s, strict)
		if err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		out.text = memo.Text(l, b.places)
		if l.Tax != nil {
			out.tax = l.Tax.Amount
			taxes += l.Tax.Amount
		}
		d.lines = append(d.lines, out)
	}
	if taxes != controls && strict {
		return fmt.Errorf("the tax lines add up to %s, the tax of taxed lines to %s", controls.Format(b.places), taxes.Format(b.places))
	}
	return nil
}

func (f invoiceForm) read(found []document, _ *setup) (target.Payload, error) {
	if len(found) != 1 {
		return target.Payload{}, fmt.Errorf("%d invoices stand under one number", len(found))
	}
	return f.b.readInvoice(found[0])
}

// readInvoice reads a payload. What was not written by us stands as it is, with
// no key.
func (b *Books) readInvoice(d document) (target.Payload, error) {
	lines := make([]target.Line, 0, len(d.lines))
	for _, at := range d.lines {
		l, err := readLine(at, b.places)
		if err != nil {
			return target.Payload{}, err
		}
		lines = append(lines, l)
	}
	p, err := payloadOf(d, lines, b.places)
	if errors.Is(err, memo.ErrNotOurs) {
		return target.Payload{Reference: d.number, Date: d.date, Lines: lines}, nil
	}
	return p, err
}

func (f invoiceForm) find(ctx context.Context, reference string) ([]document, error) {
	return f.b.invoices(ctx, invoices, url.Values{"InvoiceNumbers": {reference}}, func(d document) bool { return d.number == reference })
}

func (f invoiceForm) list(ctx context.Context, prefix string) ([]document, error) {
	return f.b.invoicesWith(ctx, invoices, "InvoiceNumber", prefix)
}

func (b *Books) invoicesWith(ctx context.Context, kind, field, prefix string) ([]document, error) {
	query := url.Values{}
	if prefix != "" {
		if target.CheckReference(prefix) != nil {
			return nil, nil
		}
		query.Set("where", field+`.StartsWith("`+prefix+`")`)
	}
	return b.invoices(ctx, kind, query, func(d document) bool {
		return strings.HasPrefix(d.number, prefix) && (prefix != "" || memo.ReferenceOf(d.note) != "")
	})
}

func (b *Books) invoices(ctx context.Context, kind string, query url.Values, keep func(document) bool) ([]document, error) {
	query.Set("pageSize", strconv.Itoa(pageSize))
	var found []document
	for page := 1; ; page++ {
		if page > maxPages {
			return nil, fmt.Errorf("%w: there are more than %d %s", target.ErrUnavailable, maxPages*pageSize, kind)
		}
		query.Set("page", strconv.Itoa(page))
		var all struct{ Invoices, CreditNotes []invoiceElement }
		if err := b.get(ctx, "/"+kind, query, &all); err != nil {
			return nil, err
		}
		elements := append(all.Invoices, all.CreditNotes...)
		for _, e := range elements {
			d, err := b.invoiceOf(e)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", kind, e.InvoiceNumber+e.CreditNoteNumber, err)
			}
			if (e.Type == "ACCREC" || e.Type == "ACCRECCREDIT") && keep(d) {
				found = append(found, d)
			}
		}
		if len(elements) < pageSize {
			return found, nil
		}
	}
}

func (b *Books) invoiceOf(e invoiceElement) (document, error) {
	d := document{id: e.InvoiceID + e.CreditNoteID, number: e.InvoiceNumber + e.CreditNoteNumber, credit: e.Type == "ACCRECCREDIT"}
	d.voided = e.Status != "AUTHORISED" && e.Status != "PAID"
	var err error
	if d.date, err = dayOf(e.Date); err != nil {
		return d, err
	}
	for _, w := range e.LineItems {
		if w.AccountCode == "" && d.note == "" && memo.ReferenceOf(w.Description) != "" {
			d.note = w.Description
			continue
		}
		l, err := b.lineOf(w, signOf(d))
		if err != nil {
			return d, err
		}
		d.lines = append(d.lines, l)
	}
	for _, w := range e.Payments {
		if w.Status == "DELETED" {
			continue
		}
		amount, err := b.minor(w.Amount)
		if err != nil {
			return d, err
		}
		d.paid = append(d.paid, payment{reference: w.Reference, amount: -signOf(d) * amount})
		d.payments = append(d.payments, w.PaymentID)
	}
	slices.SortFunc(d.paid, func(a, b payment) int { return strings.Compare(a.reference, b.reference) })
	return d, nil
}

// signOf turns a document's amounts into debits positive.
func signOf(d document) money.Minor {
	if d.credit {
		return 1
	}
	return -1
}

func (f invoiceForm) send(ctx context.Context, reference string, want, _ []document) ([]document, error) {
	return f.b.sendInvoice(ctx, reference, want[0])
}

func (b *Books) sendInvoice(ctx context.Context, reference string, d document) ([]document, error) {
	body := wireInvoice{
		Type: "ACCREC", Contact: &wireContact{b.o.Contact}, Date: string(d.date), DueDate: string(d.date), InvoiceNumber: d.number,
		Status: "AUTHORISED", LineAmountTypes: "Exclusive", LineItems: []wireLine{{Description: d.note}},
	}
	if d.credit {
		body.Type, body.DueDate, body.InvoiceNumber, body.CreditNoteNumber = "ACCRECCREDIT", "", "", d.number
	}
	for _, l := range d.lines {
		body.LineItems = append(body.LineItems, wireLine{
			Description: l.text, Quantity: "1", UnitAmount: b.number(signOf(d) * l.amount), AccountCode: l.account,
			TaxType: l.taxType, TaxAmount: b.number(signOf(d) * l.tax), Tracking: options(l.tracking),
		})
	}
	kind := kindOf(d)
	var all []invoiceElement
	if err := b.write(ctx, http.MethodPut, "/"+kind, kind, b.key(reference, ""), map[string]any{kind: []wireInvoice{body}}, &all); err != nil {
		if errors.Is(err, target.ErrRefused) { // the key may have been used for another payload, which stands now
			found, findErr := b.invoicesWith(ctx, kind, strings.TrimSuffix(kind, "s")+"Number", reference)
			if findErr == nil && len(found) > 0 && found[0].number == reference {
				return nil, errNumber
			}
		}
		return nil, err
	}
	if len(all) != 1 {
		return nil, fmt.Errorf("the answer of Xero has %d %s", len(all), kind)
	}
	return b.booked(all[0].wireVerdict, func() (document, error) { return b.invoiceOf(all[0]) }, func(d document) error { return b.voidInvoice(ctx, d) })
}

func (f invoiceForm) void(ctx context.Context, d document) error { return f.b.voidInvoice(ctx, d) }

func (b *Books) voidInvoice(ctx context.Context, d document) error {
	kind := kindOf(d)
	body := wireInvoice{InvoiceID: d.id, Status: "VOIDED"}
	if d.credit {
		body = wireInvoice{CreditNoteID: d.id, Status: "VOIDED"}
	}
	var all []invoiceElement
	if err := b.write(ctx, http.MethodPost, "/"+kind+"/"+d.id, kind, "", map[string]any{kind: []wireInvoice{body}}, &all); err != nil {
		return err
	}
	if len(all) != 1 {
		return fmt.Errorf("the answer of Xero has %d %s", len(all), kind)
	}
	return all[0].err()
}
