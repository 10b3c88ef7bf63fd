// Package shopify reads a shop's orders as documents, and what Shopify Payments
// owes and paid out as movements and payouts.
//
// Orders are asked for by the time of their last change: an order is a sale once it
// is paid, on the day of its last payment, and each refund is a return of its own.
// Until then it is an open order, which moves no money. Balance transactions and
// payouts are asked for by their days.
//
// It uses the REST Admin API, which Shopify keeps for apps that a shop made for
// itself, and writes nothing.
package shopify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/feed/fetch"
)

// Name is the provider's name in what is stated.
const Name = "shopify"

// Path is where a shop's REST API is; the version is one that is kept for a year.
const Path = "/admin/api/2025-10"

const (
	ordersPerPage = 25 // each takes a request of its own for its payments
	perPage       = 250
	overlap       = 5 * time.Minute
	// unsure is how long a payout may still change, and a transaction be put into one.
	unsure       = 21 * 24 * time.Hour
	mostItemised = 300
	perSecond    = 2 // Shopify's own limit, with a reserve of 40
	atOnce       = 20
)

// Options say whose shop is read.
type Options struct {
	Base      string // https://SHOP.myshopify.com, unless a stand-in is tried
	Token     string
	Store     func(location string) string // where a location's orders count; empty: nowhere
	Orders    bool                         // they are asked for
	Payments  bool                         // what Shopify Payments owes is asked for
	Start     time.Time
	Now       func() time.Time
	Transport http.RoundTripper
	Limit     *rate.Limiter // nil: Shopify's own
}

// Source is one shop.
type Source struct {
	o      Options
	client *fetch.Client
}

// Open returns a shop's source.
func Open(o Options) *Source {
	if o.Limit == nil {
		o.Limit = rate.NewLimiter(perSecond, atOnce)
	}
	return &Source{o, fetch.New(fetch.Options{
		Base: o.Base + Path, Header: http.Header{"X-Shopify-Access-Token": {o.Token}}, Now: o.Now, Transport: o.Transport,
		Limit: o.Limit,
	})}
}

// Steps of a round.
const (
	stepOrders   = ""
	stepBalance  = "balance"
	stepPayouts  = "payouts"
	stepItemised = "items"
)

// cursor is how far the shop is read.
type cursor struct {
	Step    string               `json:"step,omitempty"`
	Page    string               `json:"page,omitempty"` // Shopify's own
	Since   time.Time            `json:"since"`          // orders changed from then on
	Begun   time.Time            `json:"begun,omitzero"`
	Waiting []int64              `json:"waiting,omitempty"` // payouts whose transactions are not asked for yet
	Done    map[string]time.Time `json:"done,omitempty"`    // and those of which that is not needed any more
}

// Pull implements feed.Source.
func (s *Source) Pull(ctx context.Context, text string) (feed.Page, error) {
	c := cursor{Since: s.o.Start}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return feed.Page{}, fmt.Errorf("%w: %w", feed.ErrCursor, err)
		}
	}
	if c.Begun.IsZero() {
		c.Begun = s.o.Now().UTC().Truncate(time.Second)
	}
	if c.Done == nil {
		c.Done = map[string]time.Time{}
	}
	if c.Step == stepOrders && !s.o.Orders {
		c.Step = stepBalance
	}
	var page feed.Page
	var err error
	switch c.Step {
	case stepOrders:
		err = s.orders(ctx, &c, &page)
	case stepBalance:
		err = s.balance(ctx, &c, &page)
	case stepPayouts:
		err = s.payouts(ctx, &c, &page)
	default:
		err = s.items(ctx, &c, &page)
	}
	if err != nil {
		return feed.Page{}, err
	}
	next, err := json.Marshal(c)
	page.Next = string(next)
	return page, err
}

// nextPage finds the token of the next page in a Link header.
var nextPage = regexp.MustCompile(`<[^>]*[?&]page_info=([^&>]+)[^>]*>;\s*rel="?next"?`)

// ask asks for a page of a list; of the pages after the first nothing but the token
// may be said.
func (s *Source) ask(ctx context.Context, c *cursor, path string, limit int, first url.Values, into any) error {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if c.Page != "" {
		query.Set("page_info", c.Page)
	} else {
		for name, values := range first {
			query[name] = values
		}
	}
	header, err := s.client.Get(ctx, path, query, into)
	var status *fetch.Status
	if errors.As(err, &status) && c.Page != "" && status.Code >= 400 && status.Code < 500 {
		return fmt.Errorf("%w: %w", feed.ErrCursor, err)
	}
	if err != nil {
		return err
	}
	c.Page = ""
	if m := nextPage.FindStringSubmatch(header.Get("Link")); m != nil {
		if c.Page, err = url.QueryUnescape(m[1]); err != nil {
			return fmt.Errorf("GET %s: its next page: %w", path, err)
		}
	}
	return nil
}

// orders takes a page of the orders that changed since the round before.
func (s *Source) orders(ctx context.Context, c *cursor, page *feed.Page) error {
	var answer struct {
		Orders *[]order `json:"orders"`
	}
	if err := s.ask(ctx, c, "/orders.json", ordersPerPage, url.Values{
		"status": {"any"}, "order": {"updated_at asc"}, "updated_at_min": {c.Since.UTC().Format(time.RFC3339)},
	}, &answer); err != nil {
		return err
	}
	if answer.Orders == nil {
		return errors.New("GET /orders.json: the answer has no orders")
	}
	for i := range *answer.Orders {
		o := &(*answer.Orders)[i]
		if o.Test {
			continue
		}
		var payments struct {
			Transactions *[]transaction `json:"transactions"`
		}
		path := fmt.Sprintf("/orders/%d/transactions.json", o.ID)
		if _, err := s.client.Get(ctx, path, nil, &payments); err != nil {
			return err
		}
		if payments.Transactions == nil {
			return fmt.Errorf("GET %s: the answer has no transactions", path)
		}
		documents, err := s.documents(o, *payments.Transactions)
		if err != nil {
			return fmt.Errorf("order %s: %w", o.Name, err)
		}
		page.Documents = append(page.Documents, documents...)
	}
	page.More = true
	if c.Page != "" {
		return nil
	}
	return s.after(c, page, stepBalance)
}

// after goes on to a step, or ends the round.
func (s *Source) after(c *cursor, page *feed.Page, step string) error {
	c.Step, page.More = step, true
	switch {
	case !s.o.Payments:
	case step != stepItemised || len(c.Waiting) > 0:
		return nil
	}
	page.More, page.Covered = false, c.Begun.Add(-overlap)
	c.Step, c.Since = stepOrders, c.Begun.Add(-overlap)
	if c.Since.Before(s.o.Start) {
		c.Since = s.o.Start
	}
	for id, made := range c.Done {
		if made.Before(c.Begun.Add(-unsure - 48*time.Hour)) {
			delete(c.Done, id)
		}
	}
	for id := range c.Done { // any: those that are forgotten are asked for once more
		if len(c.Done) <= mostItemised {
			break
		}
		delete(c.Done, id)
	}
	c.Begun = time.Time{}
	return nil
}

// from is the first moment of which transactions and payouts are asked for.
func (s *Source) from(c *cursor) time.Time {
	from := c.Begun.Add(-unsure)
	if c.Since.Before(from) {
		from = c.Since
	}
	if from.Before(s.o.Start) {
		from = s.o.Start
	}
	return from
}

// balance takes a page of balance transactions, the newest first, down to those
// that were processed before the round before.
func (s *Source) balance(ctx context.Context, c *cursor, page *feed.Page) error {
	var answer struct {
		Transactions *[]balanceTransaction `json:"transactions"`
	}
	if err := s.ask(ctx, c, "/shopify_payments/balance/transactions.json", perPage, nil, &answer); err != nil {
		return err
	}
	if answer.Transactions == nil {
		return errors.New("GET /shopify_payments/balance/transactions.json: the answer has no transactions")
	}
	oldest := c.Since.Add(-48 * time.Hour) // days alone have no zone
	older := false
	for i := range *answer.Transactions {
		t := &(*answer.Transactions)[i]
		at, err := s.movement(t, 0, page)
		if err != nil {
			return err
		}
		older = older || at.Before(oldest)
	}
	page.More = true
	if c.Page != "" && !older {
		return nil
	}
	c.Page = ""
	return s.after(c, page, stepPayouts)
}

// payouts takes a page of the payouts that may still change.
func (s *Source) payouts(ctx context.Context, c *cursor, page *feed.Page) error {
	var answer struct {
		Payouts *[]payout `json:"payouts"`
	}
	if err := s.ask(ctx, c, "/shopify_payments/payouts.json", perPage, url.Values{"date_min": {s.from(c).UTC().Format(time.DateOnly)}}, &answer); err != nil {
		return err
	}
	if answer.Payouts == nil {
		return errors.New("GET /shopify_payments/payouts.json: the answer has no payouts")
	}
	for i := range *answer.Payouts {
		p := &(*answer.Payouts)[i]
		stated, err := s.payout(p)
		if err != nil {
			return err
		}
		page.Payouts = append(page.Payouts, stated)
		_, done := c.Done[strconv.FormatInt(p.ID, 10)]
		if !done && p.Status != "scheduled" && len(c.Waiting) < mostItemised && !slices.Contains(c.Waiting, p.ID) {
			c.Waiting = append(c.Waiting, p.ID)
		}
	}
	page.More = true
	if c.Page != "" {
		return nil
	}
	return s.after(c, page, stepItemised)
}

// items takes a page of what was paid out with the first payout that waits.
func (s *Source) items(ctx context.Context, c *cursor, page *feed.Page) error {
	if len(c.Waiting) == 0 {
		return s.after(c, page, stepItemised)
	}
	id := c.Waiting[0]
	var answer struct {
		Transactions *[]balanceTransaction `json:"transactions"`
	}
	if err := s.ask(ctx, c, "/shopify_payments/balance/transactions.json", perPage, url.Values{"payout_id": {strconv.FormatInt(id, 10)}}, &answer); err != nil {
		return err
	}
	if answer.Transactions == nil {
		return errors.New("GET /shopify_payments/balance/transactions.json: the answer has no transactions")
	}
	for i := range *answer.Transactions {
		if _, err := s.movement(&(*answer.Transactions)[i], id, page); err != nil {
			return err
		}
	}
	page.More = true
	if c.Page != "" {
		return nil
	}
	c.Waiting = c.Waiting[1:]
	c.Done[strconv.FormatInt(id, 10)] = c.Begun
	return s.after(c, page, stepItemised)
}
