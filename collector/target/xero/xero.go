// Package xero posts to an organisation at Xero, as a manual journal, as an
// invoice that nets to zero, or as an invoice with its payments.
//
// Taxed lines bear tax types, so that the organisation's tax return is right;
// the payload's own tax lines are left to Xero. What Xero has no field for stands
// in texts (package memo), so each document can be read back whole and compared.
// A document is asked for before it is sent, sent with an idempotency key, and
// its echo compared; a warning is a failure, since it changes the books.
//
// An invoice's number is unique for ever. A journal has only its key, which Xero
// remembers for an unstated time, and the look-up. Only the organisation's base
// currency is posted; foreign amounts stand in texts.
package xero

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/web"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Where Xero is.
const (
	API          = "https://api.xero.com/api.xro/2.0"
	AuthorizeURL = "https://login.xero.com/identity/connect/authorize"
	TokenURL     = "https://identity.xero.com/connect/token"
	RevokeURL    = "https://identity.xero.com/connect/revocation"
)

// Scopes are the granular ones that posting needs; apps that were made before
// March 2026 have the broader accounting.transactions instead.
func Scopes() []string {
	return []string{
		"offline_access", "accounting.invoices", "accounting.payments", "accounting.manualjournals",
		"accounting.settings.read", "accounting.contacts", "accounting.attachments",
	}
}

// Forms of a day.
const (
	FormJournal  = "journal"
	FormInvoice  = "invoice"  // one sales invoice whose lines net to zero
	FormPayments = "payments" // a sales invoice or credit note with its payments
)

// Forms are all of them.
func Forms() []string { return []string{FormJournal, FormInvoice, FormPayments} }

// DefaultForm is the form for an organisation that keeps its sales tax on a
// basis. On a cash basis tax falls due with a payment, and it is not shown yet
// that a zero-net invoice reports so.
func DefaultForm(basis string) string {
	if strings.Contains(strings.ToUpper(basis), "CASH") {
		return FormPayments
	}
	return FormInvoice
}

// untaxed is the tax type of lines that are outside the scope of tax, by
// country.
func untaxed(country string) string {
	if country == "AU" {
		return "BASEXCLUDED"
	}
	return "NONE"
}

const (
	// longestRequest is after what Xero has cut a request, with room.
	longestRequest = 120 * time.Second
	// chartLife is how long accounts, tax rates and lock dates are believed.
	chartLife  = 10 * time.Minute
	pageSize   = 1000 // documents of one request
	maxPages   = 100
	dayRest    = time.Hour // when a day's requests are used up: it is not said when it begins
	minuteRest = time.Minute
)

// Options say which books.
type Options struct {
	Base      string // API, or a stand-in's
	HTTP      *http.Client
	Access    web.Access
	Tenant    string // of the organisation
	Currency  string // of the books, ISO 4217
	Form      string // empty: DefaultForm
	Contact   string // whom invoices are addressed to; empty: "Tillbook daily sales"
	Rounding  string // account for the tills' tax less Xero's, of journals; may be empty
	Filed     bizday.Day
	Now       func() time.Time
	PerMinute int // requests; 0: what Xero allows
}

// Books is one organisation's books. Its methods may be called at the same time.
type Books struct {
	o      Options
	places int
	client *web.Client
	setup  web.Kept[setup]
}

var _ target.Target = (*Books)(nil)

// Open returns the books. It asks nothing of Xero yet.
func Open(o Options) (*Books, error) {
	places, err := money.Places(o.Currency)
	if err != nil {
		return nil, fmt.Errorf("books at Xero: %w", err)
	}
	if o.Form != "" && !slices.Contains(Forms(), o.Form) {
		return nil, fmt.Errorf("books at Xero: form %q is not one of %s", o.Form, strings.Join(Forms(), ", "))
	}
	if o.Base == "" {
		o.Base = API
	}
	if o.Contact == "" {
		o.Contact = "Tillbook daily sales"
	}
	if o.PerMinute == 0 {
		o.PerMinute = 60
	}
	return &Books{o: o, places: places, client: web.NewClient(web.Options{
		Base: o.Base, HTTP: o.HTTP, Access: o.Access, InFlight: 5, Now: o.Now, Spent: spent, Forbidden: forbidden,
		Header: http.Header{"Xero-Tenant-Id": {o.Tenant}},
		Limit:  rate.NewLimiter(rate.Every(time.Minute/time.Duration(o.PerMinute)), o.PerMinute),
	})}, nil
}

// forbidden: the token is good, and not for this organisation.
func forbidden(r web.Response) error {
	return target.With(target.CodeOrganisation, fmt.Errorf("%w: Xero does not let us into this organisation: %.200s", target.ErrDisconnected, r.Body))
}

// spent reads what is left of the organisation's limits.
func spent(h http.Header) time.Duration {
	switch {
	case h.Get("X-DayLimit-Remaining") == "0":
		return dayRest
	case h.Get("X-MinLimit-Remaining") == "0":
		return minuteRest
	}
	return 0
}

// Capabilities: numbers of invoices are unique for ever.
func (b *Books) Capabilities() target.Capabilities {
	c := target.Capabilities{Uniqueness: target.UniqueForEver, LongestRequest: longestRequest, Chart: true, Closes: true, Reverses: true, Attaches: true}
	if b.o.Form == FormJournal {
		c.Uniqueness = target.KeyWindow
	}
	return c
}

// document is what stands at Xero: the parts that are compared.
type document struct {
	id     string
	voided bool
	date   bizday.Day
	note   string
	number string
	lines  []line
	credit bool // a credit note
	paid   []payment
	// accounts are where payments go, payments their ids at Xero; neither is
	// compared.
	accounts, payments []string
}

// line is one line at Xero, debits positive.
type line struct {
	account  string
	amount   money.Minor
	taxType  string
	tax      money.Minor
	text     string
	tracking string // sorted
}

// form is one way of posting a day.
type form interface {
	// render makes the documents that a payload is. Strict is for what is to be
	// posted: what the chart does not allow is an error.
	render(p target.Payload, s *setup, strict bool) ([]document, error)
	// read makes the payload that documents are.
	read(found []document, s *setup) (target.Payload, error)
	// find returns all documents under a reference, also voided ones.
	find(ctx context.Context, reference string) ([]document, error)
	list(ctx context.Context, prefix string) ([]document, error)
	send(ctx context.Context, reference string, want, found []document) ([]document, error)
	void(ctx context.Context, d document) error
	// partOf reports whether what was found is wanted, and only not all of it.
	partOf(found, want []document) bool
	kind(d document) string // as paths have it
}

func (b *Books) form(s *setup) form {
	name := b.o.Form
	if name == "" {
		name = DefaultForm(s.basis)
	}
	switch name {
	case FormJournal:
		return journalForm{b}
	case FormPayments:
		return paymentsForm{b}
	}
	return invoiceForm{b}
}

// Post books the payload.
func (b *Books) Post(ctx context.Context, p target.Payload) (target.Receipt, error) {
	if err := p.Fits(b.o.Currency); err != nil {
		return target.Receipt{}, fmt.Errorf("%w: %w", target.ErrRefused, err)
	}
	s, err := b.known(ctx)
	if err != nil {
		return target.Receipt{}, err
	}
	f := b.form(s)
	found, err := f.find(ctx, p.Reference)
	if err != nil {
		return target.Receipt{}, err
	}
	if receipt, done, err := b.stands(f, s, p, found); done || err != nil {
		return receipt, err
	}
	want, err := f.render(p, s, true)
	if err == nil {
		err = s.open(p.Date)
	}
	if err != nil {
		return target.Receipt{}, fmt.Errorf("%w: %w", target.ErrRefused, err)
	}
	booked, err := f.send(ctx, p.Reference, want, found)
	switch {
	case errors.Is(err, errNumber):
		return b.collided(ctx, f, s, p)
	case errors.Is(err, target.ErrRefused):
		b.setup.Forget() // what was known may be what was wrong
		return target.Receipt{}, err
	case err != nil:
		return target.Receipt{}, err
	}
	if !same(want, booked) {
		return target.Receipt{}, fmt.Errorf("post %s: Xero booked something else than was sent: %s", p.Reference, differs(want, booked))
	}
	return receiptOf(booked), nil
}

// collided tells what stands under a number that was refused because it is
// taken.
func (b *Books) collided(ctx context.Context, f form, s *setup, p target.Payload) (target.Receipt, error) {
	found, err := f.find(ctx, p.Reference)
	if err != nil {
		return target.Receipt{}, err
	}
	receipt, done, err := b.stands(f, s, p, found)
	if !done && err == nil {
		err = fmt.Errorf("%w: number %s was used at Xero for something that is not shown to us", target.ErrTaken, p.Reference)
	}
	return receipt, err
}

// stands tells whether the payload is booked already: as it is, or as something
// else.
func (b *Books) stands(f form, s *setup, p target.Payload, found []document) (target.Receipt, bool, error) {
	standing := standingOf(found)
	if len(standing) == 0 {
		if len(found) > 0 {
			return target.Receipt{}, false, fmt.Errorf("%w: %s was voided at Xero", target.ErrTaken, p.Reference)
		}
		return target.Receipt{}, false, nil
	}
	want, err := f.render(p, s, false)
	if err != nil {
		return target.Receipt{}, false, fmt.Errorf("%w: %s stands at Xero, and this payload could not be it: %w", target.ErrTaken, p.Reference, err)
	}
	if f.partOf(standing, want) {
		return target.Receipt{}, false, nil // to be completed
	}
	if !same(want, standing) {
		return target.Receipt{}, false, fmt.Errorf("%w: %s stands at Xero otherwise: %s", target.ErrTaken, p.Reference, differs(want, standing))
	}
	return receiptOf(standing), true, nil
}

// Find reads the payload back. Where a person changed what stands, the lines are
// those that stand.
func (b *Books) Find(ctx context.Context, reference string) (*target.Payload, target.Receipt, error) {
	if err := target.CheckReference(reference); err != nil {
		return nil, target.Receipt{}, err
	}
	s, err := b.known(ctx)
	if err != nil {
		return nil, target.Receipt{}, err
	}
	f := b.form(s)
	found, err := f.find(ctx, reference)
	if err != nil {
		return nil, target.Receipt{}, err
	}
	standing := standingOf(found)
	if len(standing) == 0 {
		return nil, target.Receipt{}, nil
	}
	p, part, err := b.payload(f, s, standing)
	if err != nil {
		return nil, target.Receipt{}, fmt.Errorf("read %s back: %w", reference, err)
	}
	if part {
		return nil, target.Receipt{}, nil // not the whole: Post completes it
	}
	return &p, receiptOf(standing), nil
}

// payload reads what stands as a payload. Part tells that it is one, and not the
// whole of it; else the lines of one that a person changed are those that stand.
func (b *Books) payload(f form, s *setup, standing []document) (p target.Payload, part bool, err error) {
	if p, err = f.read(standing, s); err != nil {
		return p, false, err
	}
	p.Currency = b.o.Currency
	want, err := f.render(p, s, false)
	if err == nil && same(want, standing) {
		return p, false, nil
	}
	part = err == nil && f.partOf(standing, want)
	if part {
		return p, true, nil
	}
	p.Lines = standingLines(standing)
	return p, false, nil
}

func standingLines(standing []document) []target.Line {
	var lines []target.Line
	for _, d := range standing {
		for _, l := range d.lines {
			if l.account != "" {
				lines = append(lines, target.Line{Account: l.account, Amount: l.amount, Text: l.text})
			}
		}
	}
	return lines
}

// List returns the references with the prefix, sorted.
func (b *Books) List(ctx context.Context, prefix string) ([]string, error) {
	s, err := b.known(ctx)
	if err != nil {
		return nil, err
	}
	found, err := b.form(s).list(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var references []string
	for _, d := range standingOf(found) {
		references = append(references, d.number)
	}
	slices.Sort(references)
	return slices.Compact(references), nil
}

// Reverse voids what stands.
func (b *Books) Reverse(ctx context.Context, reference string) error {
	s, err := b.known(ctx)
	if err != nil {
		return err
	}
	return b.takeOff(ctx, s, reference, func(document) bool { return true })
}

// Attach adds a file.
func (b *Books) Attach(ctx context.Context, reference string, a target.Attachment) error {
	if err := a.Validate(); err != nil {
		return fmt.Errorf("attach to %s: %w: %w", reference, target.ErrRefused, err)
	}
	s, err := b.known(ctx)
	if err != nil {
		return err
	}
	f := b.form(s)
	found, err := f.find(ctx, reference)
	if err != nil {
		return err
	}
	standing := standingOf(found)
	if len(standing) == 0 {
		return fmt.Errorf("attach to %s: %w: nothing stands under it", reference, target.ErrRefused)
	}
	d := standing[0]
	response, err := b.client.Do(ctx, web.Request{
		Method: http.MethodPut, Path: "/" + f.kind(d) + "/" + d.id + "/Attachments/" + url.PathEscape(a.Name), Type: a.Type, Body: a.Body, Writes: true,
	})
	if err == nil && response.Status >= 300 {
		err = fmt.Errorf("%w: status %d", target.ErrRefused, response.Status)
	}
	if err != nil {
		return fmt.Errorf("attach to %s: %w", reference, err)
	}
	return nil
}

func standingOf(found []document) []document {
	return slices.DeleteFunc(slices.Clone(found), func(d document) bool { return d.voided })
}

func receiptOf(booked []document) target.Receipt {
	ids := make([]string, len(booked))
	for i, d := range booked {
		ids[i] = d.id
	}
	return target.Receipt{RemoteID: strings.Join(ids, "+")}
}

func same(want, got []document) bool { return differs(want, got) == "" }

// differs says what differs first; empty if nothing does.
func differs(want, got []document) string {
	if len(want) != len(got) {
		return fmt.Sprintf("%d documents instead of %d", len(got), len(want))
	}
	for i := range want {
		w, g := want[i], got[i]
		switch {
		case w.date != g.date:
			return fmt.Sprintf("dated %s instead of %s", g.date, w.date)
		case w.note != g.note:
			return "another posting or text"
		case w.credit != g.credit:
			return "a credit note instead of an invoice, or the other way round"
		case len(w.lines) != len(g.lines):
			return fmt.Sprintf("%d lines instead of %d", len(g.lines), len(w.lines))
		case !slices.Equal(w.paid, g.paid):
			return "other payments"
		}
		for j := range w.lines {
			if w.lines[j] != g.lines[j] {
				return fmt.Sprintf("line %d is %+v instead of %+v", j+1, g.lines[j], w.lines[j])
			}
		}
	}
	return ""
}

// key is the idempotency key of a request about a reference. It does not depend
// on the payload: two payloads under one reference meet at Xero.
func (b *Books) key(reference, what string) string {
	sum := sha256.Sum256([]byte(strconv.Quote(b.o.Tenant) + strconv.Quote(reference) + what))
	return "tillbook-" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}
