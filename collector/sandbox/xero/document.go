package xero

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/sandbox/gate"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

type bodyKey struct{}

func withBody(ctx context.Context, body json.RawMessage) context.Context {
	return context.WithValue(ctx, bodyKey{}, body)
}

// Kinds of documents, as paths have them.
const (
	journals = "ManualJournals"
	invoices = "Invoices"
	credits  = "CreditNotes"
	paid     = "Payments"
)

// document is a manual journal, an invoice or a credit note.
type document struct {
	kind      string
	id        string
	number    string // not of journals
	narration string // of journals; the reference of others
	contact   string
	date      bizday.Day
	status    string
	amounts   string // Exclusive, Inclusive, NoTax
	lines     []line
	total     money.Minor // of invoices and credit notes
	due       money.Minor
	url       string
	updated   time.Time
	files     map[string][]byte
}

type line struct {
	text     string
	account  *Account // nil: only a text
	amount   money.Minor
	taxType  string
	tax      money.Minor
	tracking []tracked
}

type tracked struct{ Name, Option string }

// The forms in which documents come and go.
type (
	lineForm struct {
		Description string
		Quantity    json.Number
		UnitAmount  json.Number
		LineAmount  json.Number
		AccountCode string
		AccountID   string
		TaxType     string
		TaxAmount   *json.Number
		Tracking    []tracked
	}
	form struct {
		Narration, Date, DueDate, Status, LineAmountTypes, Url string
		Type, InvoiceNumber, CreditNoteNumber, Reference       string
		CurrencyCode                                           string
		Contact                                                struct{ Name, ContactID string }
		JournalLines, LineItems                                []lineForm
		InvoiceID, ManualJournalID, CreditNoteID               string
	}
)

// problems are what Xero has against an element.
type problems struct{ errors, warnings []string }

func (p *problems) fail(format string, arguments ...any) {
	p.errors = append(p.errors, fmt.Sprintf(format, arguments...))
}

func messages(texts []string) []any {
	all := []any{}
	for _, text := range texts {
		all = append(all, map[string]any{"Message": text})
	}
	return all
}

// create is PUT on a collection: each element is created or not by itself.
func (x *Org) create(r *http.Request) (int, map[string]any) {
	kind := r.PathValue("kind")
	body, _ := r.Context().Value(bodyKey{}).(json.RawMessage)
	if kind == paid {
		return x.pay(r, body)
	}
	if kind != journals && kind != invoices && kind != credits {
		return http.StatusNotFound, failure(404, "NotFound", "The resource you're looking for cannot be found", nil)
	}
	forms, err := elements[form](body, kind)
	if err != nil {
		return http.StatusBadRequest, failure(14, "PostDataInvalidException", err.Error(), nil)
	}
	var results []any
	failed := false
	for _, f := range forms {
		d, p := x.check(kind, f)
		if len(p.errors) == 0 {
			if gate.Warned(r) {
				p.warnings = append(p.warnings, "Account code '999' is not a valid code for this document. It was left out.")
			}
			d.id, d.updated = gate.ID(), x.Now()
			x.documents = append(x.documents, d)
		}
		failed = failed || len(p.errors) > 0
		results = append(results, x.element(d, p))
	}
	return x.results(r, kind, results, failed)
}

// results answers as summarizeErrors asks.
func (x *Org) results(r *http.Request, kind string, results []any, failed bool) (int, map[string]any) {
	if failed && r.URL.Query().Get("summarizeErrors") != "false" {
		return http.StatusBadRequest, failure(10, "ValidationException", "A validation exception occurred", results)
	}
	return http.StatusOK, x.envelope(kind, results)
}

func elements[T any](body json.RawMessage, kind string) ([]T, error) {
	var wrapped map[string]json.RawMessage
	if err := json.Unmarshal(body, &wrapped); err != nil {
		return nil, fmt.Errorf("JSON for post data was invalid: %w", err)
	}
	inner, ok := wrapped[kind]
	if !ok {
		inner = json.RawMessage("[" + string(body) + "]")
	}
	var forms []T
	if err := json.Unmarshal(inner, &forms); err != nil {
		return nil, fmt.Errorf("JSON for post data was invalid: %w", err)
	}
	return forms, nil
}

// check makes a document of a form, with all that is wrong with it.
func (x *Org) check(kind string, f form) (*document, problems) {
	var p problems
	d := &document{
		kind: kind, narration: f.Reference, number: f.InvoiceNumber, contact: f.Contact.Name, date: bizday.Day(f.Date), status: f.Status,
		amounts: f.LineAmountTypes, url: f.Url, files: map[string][]byte{},
	}
	given := f.LineItems
	switch kind {
	case journals:
		d.narration, given = f.Narration, f.JournalLines
		if d.narration == "" {
			p.fail("Narration cannot be empty")
		}
	case credits:
		d.number = f.CreditNoteNumber
	}
	if kind != journals {
		want := map[string]string{invoices: "ACCREC", credits: "ACCRECCREDIT"}[kind]
		if f.Type != want {
			p.fail("Type '%s' is not supported here", f.Type)
		}
		if f.Contact.Name == "" && f.Contact.ContactID == "" {
			p.fail("The Contact must contain at least 1 of the following elements to identify the contact: Name, ContactID, ContactNumber")
		}
		if f.CurrencyCode != "" && f.CurrencyCode != x.org.Currency {
			p.fail("Organisation is not subscribed to currency %s", f.CurrencyCode)
		}
		if len(d.number) > 255 {
			p.fail("InvoiceNumber must not be more than 255 characters long.")
		}
		for _, other := range x.documents {
			if other.kind == kind && d.number != "" && strings.EqualFold(other.number, d.number) {
				p.fail("Invoice # must be unique.")
			}
		}
		if len(d.narration) > 255 {
			p.fail("Reference must not be more than 255 characters long.")
		}
	}
	if d.status == "" {
		d.status = "DRAFT"
	}
	if _, err := bizday.Parse(f.Date); err != nil {
		p.fail("Date is not a valid date")
	}
	if final := d.status == "POSTED" || d.status == "AUTHORISED"; final {
		x.locked(&p, d.date)
	}
	if len(given) == 0 {
		p.fail("One or more line items must be specified")
	}
	for i := range given {
		d.lines = append(d.lines, x.line(&p, kind, d.amounts, given[i]))
	}
	x.addUp(&p, d)
	return d, p
}

func (x *Org) locked(p *problems, d bizday.Day) {
	for _, lock := range []struct {
		name string
		to   bizday.Day
	}{{"period lock date", x.org.PeriodLock}, {"end of year lock date", x.org.YearLock}} {
		if lock.to != "" && d <= lock.to {
			t, _ := time.Parse(time.DateOnly, string(lock.to))
			p.fail("The document date cannot be before the %s, currently set at %s.", lock.name, t.Format("02 Jan 2006"))
		}
	}
}

func (x *Org) line(p *problems, kind, amounts string, f lineForm) line {
	l := line{text: f.Description, taxType: f.TaxType, tracking: f.Tracking}
	textOnly := kind != journals && f.AccountCode == "" && f.AccountID == "" && f.UnitAmount == "" && f.LineAmount == ""
	if kind != journals && f.Description == "" {
		p.fail("Description must be at least 1 character")
	}
	if len(f.Description) > 4000 {
		p.fail("Description must not be more than 4000 characters long.")
	}
	if textOnly {
		return l
	}
	l.amount = x.amount(p, f)
	l.account = x.account(f.AccountCode, f.AccountID)
	switch {
	case l.account == nil:
		p.fail("Account code '%s' is not a valid code for this document.", f.AccountCode)
	case l.account.Archived:
		p.fail("Account code '%s' has been archived, or deleted, or is not a valid code for this document.", l.account.Code)
	case l.account.System != "" || l.account.Type == "BANK":
		p.fail("Account code '%s' is not a valid code for this document.", l.account.Code)
	}
	if len(l.tracking) > 2 {
		p.fail("A line can have at most 2 tracking categories")
	}
	for _, t := range l.tracking {
		if !slices.Contains(x.tracking[t.Name], t.Option) {
			p.fail("The tracking category option '%s' of '%s' could not be found", t.Option, t.Name)
		}
	}
	if amounts == "NoTax" {
		return l
	}
	t := x.tax(l.taxType)
	switch {
	case t == nil || t.Deleted:
		p.fail("The TaxType code '%s' does not exist or cannot be used for this type of transaction.", l.taxType)
		return l
	case l.account != nil && t.Type != "NONE" && t.Type != "BASEXCLUDED" && t.Sales != (l.account.Class == "REVENUE"):
		p.fail("The TaxType code '%s' cannot be used with account code '%s'.", l.taxType, l.account.Code)
	}
	tax, _ := money.MulDiv(money.Decimal(l.amount), t.Rate, money.MustParse("100"))
	l.tax = money.Minor(tax) // of whole minor units: MulDiv rounds half away from zero
	if kind != journals && f.TaxAmount != nil {
		l.tax = x.minor(p, *f.TaxAmount) // of journals it is not taken
	}
	return l
}

func (x *Org) amount(p *problems, f lineForm) money.Minor {
	if f.LineAmount != "" {
		return x.minor(p, f.LineAmount)
	}
	if f.Quantity != "1" && f.Quantity != "1.0" && f.Quantity != "1.00" {
		p.fail("Quantity %s is not supported here", f.Quantity)
	}
	return x.minor(p, f.UnitAmount)
}

func (x *Org) places() int {
	places, err := money.Places(x.org.Currency)
	if err != nil {
		return 2
	}
	return places
}

func (x *Org) minor(p *problems, n json.Number) money.Minor {
	d, err := money.Parse(n.String())
	m, rest := money.ToMinor(d, x.places())
	if err != nil || rest != 0 {
		p.fail("Amount %s is not valid", n)
	}
	return m
}

func (x *Org) number(m money.Minor) json.Number { return json.Number(m.Format(x.places())) }

// addUp checks that a journal balances and an invoice is not negative.
func (x *Org) addUp(p *problems, d *document) {
	var sum, debits, credited money.Minor
	for _, l := range d.lines {
		with := l.amount + l.tax
		sum += with
		if with > 0 {
			debits += with
		} else {
			credited -= with
		}
	}
	switch {
	case d.kind == journals && sum != 0:
		p.fail("The total debits (%s) must equal total credits (%s)", debits.Format(x.places()), credited.Format(x.places()))
	case d.kind != journals && sum < 0:
		p.fail("The Total for this document must be greater than or equal to zero.")
	case d.kind != journals:
		d.total, d.due = sum, sum
		if sum == 0 && d.status == "AUTHORISED" {
			d.status = "PAID"
		}
	}
}

// update is POST on one document: only its status can be changed here.
func (x *Org) update(r *http.Request) (int, map[string]any) {
	kind, id := r.PathValue("kind"), r.PathValue("id")
	body, _ := r.Context().Value(bodyKey{}).(json.RawMessage)
	if kind == paid {
		return x.unpay(r, id, body)
	}
	forms, err := elements[form](body, kind)
	d := x.document(kind, id)
	if err != nil || d == nil || len(forms) != 1 {
		return http.StatusNotFound, failure(404, "NotFound", "The resource you're looking for cannot be found", nil)
	}
	var p problems
	switch {
	case forms[0].Status != "VOIDED":
		p.fail("Only the status VOIDED is supported here")
	case d.status == "VOIDED":
		p.fail("This document cannot be edited as it has been voided")
	case x.allocated(d):
		p.fail("This document cannot be edited as it has a payment or credit note allocated to it.")
	default:
		x.locked(&p, d.date)
	}
	if len(p.errors) == 0 {
		d.status, d.due, d.updated = "VOIDED", 0, x.Now()
	}
	return x.results(r, kind, []any{x.element(d, p)}, len(p.errors) > 0)
}

func (x *Org) document(kind, id string) *document {
	for _, d := range x.documents {
		if d.kind == kind && (d.id == id || d.number != "" && strings.EqualFold(d.number, id)) {
			return d
		}
	}
	return nil
}

func (x *Org) get(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	d := x.document(r.PathValue("kind"), r.PathValue("id"))
	if d == nil {
		http.Error(w, "The resource you're looking for cannot be found", http.StatusNotFound)
		return
	}
	x.answer(w, http.StatusOK, x.envelope(d.kind, []any{x.element(d, problems{})}))
}

var (
	startsWith = regexp.MustCompile(`^(InvoiceNumber|CreditNoteNumber)\.StartsWith\("([^"]*)"\)$`)
	dayAlone   = regexp.MustCompile(`^Date(==|>=)DateTime\((\d{4}),(\d{1,2}),(\d{1,2})\)$`)
)

func (x *Org) list(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	q := r.URL.Query()
	keep := []func(*document) bool{func(d *document) bool { return d.kind == r.PathValue("kind") }}
	if numbers := q.Get("InvoiceNumbers"); numbers != "" {
		keep = append(keep, func(d *document) bool { return slices.Contains(strings.Split(numbers, ","), d.number) })
	}
	switch where := q.Get("where"); {
	case where == "":
	case startsWith.MatchString(where):
		prefix := startsWith.FindStringSubmatch(where)[2]
		keep = append(keep, func(d *document) bool { return strings.HasPrefix(d.number, prefix) })
	case dayAlone.MatchString(where):
		m := dayAlone.FindStringSubmatch(where)
		from := bizday.Day(fmt.Sprintf("%s-%02s-%02s", m[2], m[3], m[4]))
		keep = append(keep, func(d *document) bool { return d.date == from || m[1] == ">=" && d.date > from })
	default:
		x.answer(w, http.StatusBadRequest, failure(16, "QueryParseException", "The where clause is not supported here: "+where, nil))
		return
	}
	var found []*document
	for _, d := range x.documents {
		if !slices.ContainsFunc(keep, func(k func(*document) bool) bool { return !k(d) }) {
			found = append(found, d)
		}
	}
	number, size := page(q)
	from, to := min((number-1)*size, len(found)), min(number*size, len(found))
	all := []any{}
	for _, d := range found[from:to] {
		e := x.element(d, problems{})
		if q.Get("page") == "" { // lines only with paging
			delete(e, "LineItems")
			delete(e, "JournalLines")
		}
		all = append(all, e)
	}
	x.answer(w, http.StatusOK, x.envelope(r.PathValue("kind"), all))
}

func (x *Org) attach(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	x.mu.Lock()
	defer x.mu.Unlock()
	d := x.document(r.PathValue("kind"), r.PathValue("id"))
	if err != nil || d == nil {
		http.Error(w, "The resource you're looking for cannot be found", http.StatusNotFound)
		return
	}
	d.files[r.PathValue("name")] = body
	x.answer(w, http.StatusOK, x.envelope("Attachments", []any{map[string]any{
		"AttachmentID": gate.ID(), "FileName": r.PathValue("name"), "MimeType": r.Header.Get("Content-Type"), "ContentLength": len(body),
	}}))
}

func (x *Org) getAttachments(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	d := x.document(r.PathValue("kind"), r.PathValue("id"))
	if d == nil {
		http.Error(w, "The resource you're looking for cannot be found", http.StatusNotFound)
		return
	}
	all := []any{}
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		all = append(all, map[string]any{"AttachmentID": gate.ID(), "FileName": name, "ContentLength": len(d.files[name])})
	}
	x.answer(w, http.StatusOK, x.envelope("Attachments", all))
}

// element is how a document is shown.
func (x *Org) element(d *document, p problems) map[string]any {
	lines := []any{}
	for _, l := range d.lines {
		one := map[string]any{}
		if l.text != "" {
			one["Description"] = l.text
		}
		if l.account != nil {
			one["AccountCode"], one["AccountID"] = l.account.Code, l.account.ID
			one["TaxType"], one["TaxAmount"] = l.taxType, x.number(l.tax)
			one["LineAmount"] = x.number(l.amount)
			if d.kind != journals {
				one["UnitAmount"], one["Quantity"] = x.number(l.amount), json.Number("1.0000")
			}
		}
		if len(l.tracking) > 0 {
			one["Tracking"] = l.tracking
		}
		lines = append(lines, one)
	}
	e := map[string]any{
		"Date": dayDate(d.date), "Status": d.status, "LineAmountTypes": d.amounts, "HasAttachments": len(d.files) > 0, "UpdatedDateUTC": msDate(d.updated),
	}
	if d.id == "" {
		d.id = "00000000-0000-0000-0000-000000000000"
	}
	switch d.kind {
	case journals:
		e["ManualJournalID"], e["Narration"], e["JournalLines"] = d.id, d.narration, lines
	case invoices:
		e["InvoiceID"], e["InvoiceNumber"], e["Reference"], e["Type"], e["LineItems"] = d.id, d.number, d.narration, "ACCREC", lines
	case credits:
		e["CreditNoteID"], e["CreditNoteNumber"], e["Reference"], e["Type"], e["LineItems"] = d.id, d.number, d.narration, "ACCRECCREDIT", lines
	}
	if d.kind != journals {
		e["Contact"] = map[string]any{"Name": d.contact}
		e["CurrencyCode"], e["Total"] = x.org.Currency, x.number(d.total)
		e["Payments"] = x.paymentsOf(d)
		if d.kind == invoices {
			e["AmountDue"], e["AmountPaid"] = x.number(d.due), x.number(d.total-d.due)
		} else {
			e["RemainingCredit"] = x.number(d.due)
		}
	}
	status := "OK"
	if len(p.warnings) > 0 {
		e["Warnings"], status = messages(p.warnings), "WARNING"
	}
	if len(p.errors) > 0 {
		e["ValidationErrors"], status = messages(p.errors), "ERROR"
		e["HasErrors"] = true
	}
	if d.kind == journals {
		delete(e, "HasErrors")
	}
	e["StatusAttributeString"] = status
	return e
}
