// Package square reads the orders and cash drawers of a seller's locations as
// documents, and payments, refunds, disputes and payouts as what Square owes and
// paid out.
//
// Orders, payments and refunds are asked for by the time of their last change. Which
// payout a payment was paid out with is told by the entries of the payout, each of
// which is asked for once. A shift of a cash drawer is read once it is closed.
//
// Amounts are whole minor units. It reads with an access token and writes nothing.
package square

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/feed/fetch"
	"tillbook.example/tillbook/shared/money"
)

// API is where Square is.
const API = "https://connect.squareup.com"

// Version is that of the API whose fields are read.
const Version = "2025-07-16"

// Name is the provider's name in what is stated, and the terminal of its orders.
const Name = "square"

const (
	perPage        = "100"
	entriesPerPage = "50" // each charge takes a request of its own
	overlap        = 5 * time.Minute
	unsure         = 14 * 24 * time.Hour // a payout may still change
	openShift      = 4 * 24 * time.Hour  // a shift is closed by then
	mostDone       = 200                 // payouts, and shifts, that are remembered
	perSecond      = 8
)

// Options say whose account is read.
type Options struct {
	Base      string // API unless a stand-in is tried
	Token     string
	Locations []string
	Store     func(location string) string // where a location's documents count; empty: nowhere
	Orders    bool                         // documents are asked for
	Start     time.Time
	Now       func() time.Time
	Transport http.RoundTripper
	Limit     *rate.Limiter // nil: the package's own
}

// Source is one seller.
type Source struct {
	o      Options
	client *fetch.Client
}

// Open returns a seller's source.
func Open(o Options) (*Source, error) {
	if len(o.Locations) == 0 {
		return nil, errors.New("square: no location is named; name them in stores, or in the setting locations")
	}
	if o.Limit == nil {
		o.Limit = rate.NewLimiter(perSecond, perSecond)
	}
	header := http.Header{"Authorization": {"Bearer " + o.Token}, "Square-Version": {Version}}
	return &Source{o, fetch.New(fetch.Options{Base: o.Base, Header: header, Now: o.Now, Transport: o.Transport, Limit: o.Limit})}, nil
}

// cursor is how far the seller is read. Each step is gone through for each
// location, but for orders, which are asked for of all at once.
type cursor struct {
	Step     int                  `json:"step,omitempty"`
	Location int                  `json:"location,omitempty"`
	Page     string               `json:"page,omitempty"` // Square's own
	Since    time.Time            `json:"since"`
	Begun    time.Time            `json:"begun,omitzero"`
	Waiting  []string             `json:"waiting,omitempty"` // payouts whose entries are not asked for yet
	Done     map[string]time.Time `json:"done,omitempty"`    // and those of which that is not needed any more
	Shifts   map[string]time.Time `json:"shifts,omitempty"`  // that were read when they were closed
}

// stepsOfARound is how many there are; see take.
const stepsOfARound = 7

// take takes one page of what the present step is about.
func (s *Source) take(ctx context.Context, c *cursor, page *feed.Page) error {
	switch c.Step {
	case 0:
		return s.orders(ctx, c, page)
	case 1:
		return s.shifts(ctx, c, page)
	case 2:
		return s.payments(ctx, c, page)
	case 3:
		return s.refunds(ctx, c, page)
	case 4:
		return s.disputes(ctx, c, page)
	case 5:
		return s.payouts(ctx, c, page)
	}
	return s.entries(ctx, c, page)
}

// Pull implements feed.Source.
func (s *Source) Pull(ctx context.Context, text string) (feed.Page, error) {
	c := cursor{Since: s.o.Start}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return feed.Page{}, fmt.Errorf("%w: %w", feed.ErrCursor, err)
		}
		if c.Location < 0 || c.Location >= len(s.o.Locations) {
			return feed.Page{}, fmt.Errorf("%w: its location is not read any more", feed.ErrCursor)
		}
	}
	if c.Begun.IsZero() {
		c.Begun = s.o.Now().UTC().Truncate(time.Second)
	}
	for _, m := range []*map[string]time.Time{&c.Done, &c.Shifts} {
		if *m == nil {
			*m = map[string]time.Time{}
		}
	}
	var page feed.Page
	page.More = true
	if err := s.take(ctx, &c, &page); err != nil {
		return feed.Page{}, err
	}
	next, err := json.Marshal(c)
	page.Next = string(next)
	return page, err
}

// next goes on to the next location or step where a list has no more pages, or ends
// the round.
func (s *Source) next(c *cursor, page *feed.Page, token string, byLocation bool) {
	c.Page = token
	if token != "" {
		return
	}
	if c.Location++; byLocation && c.Location < len(s.o.Locations) {
		return
	}
	c.Location = 0
	if c.Step++; c.Step < stepsOfARound {
		return
	}
	c.Step, page.More, page.Covered = 0, false, c.Begun.Add(-overlap)
	c.Since = later(s.o.Start, c.Begun.Add(-overlap))
	forget(c.Done, c.Begun.Add(-unsure-48*time.Hour))
	forget(c.Shifts, c.Begun.Add(-openShift-48*time.Hour))
	c.Begun = time.Time{}
}

// forget lets go of what is older than a moment, and of more than are remembered:
// those are asked for once more.
func forget(seen map[string]time.Time, before time.Time) {
	for id, at := range seen {
		if at.Before(before) || len(seen) > mostDone {
			delete(seen, id)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// list is what all of Square's lists have.
type list struct {
	Cursor string `json:"cursor"`
}

// ask asks for a page of a list of the present location.
func (s *Source) ask(ctx context.Context, c *cursor, path string, query url.Values, into any) error {
	query.Set("location_id", s.o.Locations[c.Location])
	if c.Page != "" {
		query.Set("cursor", c.Page)
	}
	_, err := s.client.Get(ctx, path, query, into)
	return s.known(c, err)
}

// known tells an error of a cursor that is not known any more.
func (s *Source) known(c *cursor, err error) error {
	var status *fetch.Status
	if errors.As(err, &status) && c.Page != "" && status.Code >= 400 && status.Code < 500 {
		return fmt.Errorf("%w: %w", feed.ErrCursor, err)
	}
	return err
}

// orders takes a page of the orders that changed since the round before.
func (s *Source) orders(ctx context.Context, c *cursor, page *feed.Page) error {
	if !s.o.Orders {
		s.next(c, page, "", false)
		return nil
	}
	question := map[string]any{
		"location_ids": s.o.Locations, "limit": 100, "return_entries": false,
		"query": map[string]any{
			"filter": map[string]any{
				"state_filter":     map[string]any{"states": []string{"COMPLETED", "CANCELED"}},
				"date_time_filter": map[string]any{"updated_at": map[string]string{"start_at": stamp(c.Since)}},
			},
			"sort": map[string]string{"sort_field": "UPDATED_AT", "sort_order": "ASC"},
		},
	}
	if c.Page != "" {
		question["cursor"] = c.Page
	}
	var answer struct {
		list
		Orders []order `json:"orders"`
	}
	if _, err := s.client.Post(ctx, "/v2/orders/search", question, &answer); err != nil {
		return s.known(c, err)
	}
	for i := range answer.Orders {
		d, err := s.document(ctx, &answer.Orders[i])
		if err != nil {
			return fmt.Errorf("order %s: %w", answer.Orders[i].ID, err)
		}
		if d != nil {
			page.Documents = append(page.Documents, *d)
		}
	}
	s.next(c, page, answer.Cursor, false)
	return nil
}

// shifts takes a page of the shifts of cash drawers that may have been closed.
func (s *Source) shifts(ctx context.Context, c *cursor, page *feed.Page) error {
	if !s.o.Orders {
		s.next(c, page, "", false)
		return nil
	}
	var answer struct {
		list
		Shifts []shift `json:"cash_drawer_shifts"`
	}
	from := c.Begun.Add(-openShift)
	if c.Since.Before(from) {
		from = c.Since
	}
	if err := s.ask(ctx, c, "/v2/cash-drawers/shifts", url.Values{"begin_time": {stamp(later(s.o.Start, from))}, "sort_order": {"ASC"}, "limit": {perPage}}, &answer); err != nil {
		return err
	}
	for i := range answer.Shifts {
		x := &answer.Shifts[i]
		if _, done := c.Shifts[x.ID]; done || x.State != "CLOSED" {
			continue
		}
		documents, err := s.drawer(ctx, x, s.o.Locations[c.Location])
		if err != nil {
			return fmt.Errorf("cash drawer shift %s: %w", x.ID, err)
		}
		page.Documents = append(page.Documents, documents...)
		c.Shifts[x.ID] = c.Begun
	}
	s.next(c, page, answer.Cursor, true)
	return nil
}

// changed asks for what changed since the round before.
func (c *cursor) changed() url.Values {
	return url.Values{"updated_at_begin_time": {stamp(c.Since)}, "sort_field": {"UPDATED_AT"}, "sort_order": {"ASC"}, "limit": {perPage}}
}

func (s *Source) payments(ctx context.Context, c *cursor, page *feed.Page) error {
	var answer struct {
		list
		Payments []payment `json:"payments"`
	}
	if err := s.ask(ctx, c, "/v2/payments", c.changed(), &answer); err != nil {
		return err
	}
	for i := range answer.Payments {
		if err := s.charge(&answer.Payments[i], "", nil, page); err != nil {
			return err
		}
	}
	s.next(c, page, answer.Cursor, true)
	return nil
}

func (s *Source) refunds(ctx context.Context, c *cursor, page *feed.Page) error {
	var answer struct {
		list
		Refunds []refund `json:"refunds"`
	}
	if err := s.ask(ctx, c, "/v2/refunds", c.changed(), &answer); err != nil {
		return err
	}
	for i := range answer.Refunds {
		if err := s.refund(&answer.Refunds[i], "", nil, page); err != nil {
			return err
		}
	}
	s.next(c, page, answer.Cursor, true)
	return nil
}

func (s *Source) disputes(ctx context.Context, c *cursor, page *feed.Page) error {
	var answer struct {
		list
		Disputes []dispute `json:"disputes"`
	}
	if err := s.ask(ctx, c, "/v2/disputes", url.Values{}, &answer); err != nil {
		return err
	}
	for i := range answer.Disputes {
		if err := s.dispute(&answer.Disputes[i], page); err != nil {
			return err
		}
	}
	s.next(c, page, answer.Cursor, true)
	return nil
}

func (s *Source) payouts(ctx context.Context, c *cursor, page *feed.Page) error {
	var answer struct {
		list
		Payouts []payout `json:"payouts"`
	}
	from := c.Begun.Add(-unsure)
	if c.Since.Before(from) {
		from = c.Since
	}
	if err := s.ask(ctx, c, "/v2/payouts", url.Values{"begin_time": {stamp(later(s.o.Start, from))}, "sort_order": {"ASC"}, "limit": {perPage}}, &answer); err != nil {
		return err
	}
	for i := range answer.Payouts {
		p := &answer.Payouts[i]
		if err := s.payout(p, page); err != nil {
			return err
		}
		if _, done := c.Done[p.ID]; !done && len(c.Waiting) < mostDone && !slices.Contains(c.Waiting, p.ID) {
			c.Waiting = append(c.Waiting, p.ID)
		}
	}
	s.next(c, page, answer.Cursor, true)
	return nil
}

// entries takes a page of what was paid out with the first payout that waits.
func (s *Source) entries(ctx context.Context, c *cursor, page *feed.Page) error {
	if len(c.Waiting) == 0 {
		s.next(c, page, "", false)
		return nil
	}
	id := c.Waiting[0]
	var answer struct {
		list
		Entries []entry `json:"payout_entries"`
	}
	query := url.Values{"limit": {entriesPerPage}}
	if c.Page != "" {
		query.Set("cursor", c.Page)
	}
	if _, err := s.client.Get(ctx, "/v2/payouts/"+url.PathEscape(id)+"/payout-entries", query, &answer); err != nil {
		return s.known(c, err)
	}
	for i := range answer.Entries {
		if err := s.entry(ctx, &answer.Entries[i], id, page); err != nil {
			return err
		}
	}
	if c.Page = answer.Cursor; c.Page != "" {
		return nil
	}
	c.Waiting, c.Done[id] = c.Waiting[1:], c.Begun
	if len(c.Waiting) == 0 {
		s.next(c, page, "", false)
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// amount is an amount with its currency, which payouts call otherwise.
type amount struct {
	Minor        int64  `json:"amount"`
	Currency     string `json:"currency"`
	CurrencyCode string `json:"currency_code"`
}

func (a amount) code() string {
	if a.Currency != "" {
		return a.Currency
	}
	return a.CurrencyCode
}

func (a amount) decimal() (money.Decimal, error) {
	if a.Minor == 0 {
		return 0, nil
	}
	places, err := money.Places(a.code())
	if err != nil {
		return 0, err
	}
	return money.FromMinor(money.Minor(a.Minor), places)
}

// reader reads amounts and moments and keeps the first error.
type reader struct{ err error }

func (r *reader) amount(a amount) money.Decimal {
	d, err := a.decimal()
	if r.err == nil {
		r.err = err
	}
	return d
}

func (r *reader) sum(all ...money.Decimal) money.Decimal {
	var sum money.Sum
	for _, d := range all {
		sum.Add(d)
	}
	d, err := sum.Value()
	if r.err == nil {
		r.err = err
	}
	return d
}

// moment is the first that is stated.
func (r *reader) moment(texts ...string) time.Time {
	for _, text := range texts {
		if text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil && r.err == nil {
			r.err = fmt.Errorf("%.40q is no moment", strings.ToValidUTF8(text, "?"))
		}
		return at.UTC()
	}
	if r.err == nil {
		r.err = errors.New("no moment is stated")
	}
	return time.Time{}
}
