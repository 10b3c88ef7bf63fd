// Package stripe reads what Stripe owes a merchant and what it paid out, from its
// balance transactions: they are the ledger of the account, while charges and
// refunds alone lack fees, disputes and corrections.
//
// Transactions are asked for by the time of their making, some minutes over again
// each time, and payouts for as long as they may still fail. What was paid out with
// which payout is told by the payout's own list, which automatic payouts have; one
// that was made by hand has none. Amounts are whole minor units by Stripe's own
// table of currencies.
//
// It reads with a restricted key and writes nothing.
package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/feed/fetch"
)

// API is where Stripe is.
const API = "https://api.stripe.com"

// Name is the provider's name in what is stated.
const Name = "stripe"

const (
	perPage = 100
	// overlap is asked for again each time: what is made at the same moment may
	// become visible one after the other.
	overlap = 10 * time.Minute
	// unsure is how long a payout may still change: banks send back for days.
	unsure = 21 * 24 * time.Hour
	// mostItemised bounds how many payouts are remembered as done; the rest are
	// asked for once more.
	mostItemised = 300
	perSecond    = 20 // Stripe lets 100 through, of all that use the account
)

// Options say whose account is read.
type Options struct {
	Base      string // API unless a stand-in is tried
	Key       string
	Account   string // of a platform's connected account; empty: the key's own
	Start     time.Time
	Now       func() time.Time
	Transport http.RoundTripper
}

// Source is one account.
type Source struct {
	o      Options
	client *fetch.Client
}

// Open returns an account's source.
func Open(o Options) *Source {
	header := http.Header{"Authorization": {"Bearer " + o.Key}}
	if o.Account != "" {
		header.Set("Stripe-Account", o.Account)
	}
	return &Source{o, fetch.New(fetch.Options{
		Base: o.Base, Header: header, Now: o.Now, Transport: o.Transport, Limit: rate.NewLimiter(perSecond, perSecond),
	})}
}

// cursor is how far the account is read. Step is what is asked for next.
type cursor struct {
	Step  string `json:"step,omitempty"`  // empty: transactions; payouts, items
	After string `json:"after,omitempty"` // last of the page before
	Since int64  `json:"since"`           // transactions made from then on; Unix seconds
	Begun int64  `json:"begun,omitempty"` // when this round began
	// Waiting are payouts whose transactions are not asked for yet, Done those of
	// which that is not needed any more, with when they were made.
	Waiting []string         `json:"waiting,omitempty"`
	Done    map[string]int64 `json:"done,omitempty"`
	Made    map[string]int64 `json:"made,omitempty"` // when those that wait were made
}

// Pull implements feed.Source.
func (s *Source) Pull(ctx context.Context, text string) (feed.Page, error) {
	c := cursor{Since: s.o.Start.Unix()}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return feed.Page{}, fmt.Errorf("%w: %w", feed.ErrCursor, err)
		}
	}
	if c.Begun == 0 {
		c.Begun = s.o.Now().Unix()
	}
	if c.Done == nil {
		c.Done = map[string]int64{}
	}
	if c.Made == nil {
		c.Made = map[string]int64{}
	}
	var page feed.Page
	var err error
	switch c.Step {
	case "":
		err = s.transactions(ctx, &c, &page)
	case "payouts":
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

// list is one page of a list.
type list[T any] struct {
	Object  string `json:"object"`
	Data    []T    `json:"data"`
	HasMore bool   `json:"has_more"`
}

// ask asks for the page of a list after c.After.
func ask[T any](ctx context.Context, s *Source, c *cursor, path string, query url.Values) (list[T], error) {
	query.Set("limit", strconv.Itoa(perPage))
	if c.After != "" {
		query.Set("starting_after", c.After)
	}
	var l list[T]
	_, err := s.client.Get(ctx, path, query, &l)
	var status *fetch.Status
	if errors.As(err, &status) && c.After != "" && (status.Code == http.StatusBadRequest || status.Code == http.StatusNotFound) {
		return l, fmt.Errorf("%w: %w", feed.ErrCursor, err) // the object it was after is gone
	}
	if err == nil && l.Object != "list" {
		err = fmt.Errorf("GET %s: the answer is no list", path)
	}
	if err == nil && l.HasMore && len(l.Data) == 0 {
		err = fmt.Errorf("GET %s: an empty page is said not to be the last", path)
	}
	return l, err
}

// transactions takes a page of what was made since the round before.
func (s *Source) transactions(ctx context.Context, c *cursor, page *feed.Page) error {
	l, err := ask[transaction](ctx, s, c, "/v1/balance_transactions", url.Values{
		"created[gte]": {strconv.FormatInt(c.Since, 10)}, "expand[]": {"data.source"},
	})
	if err != nil {
		return err
	}
	page.More = true
	for i := range l.Data {
		c.After = l.Data[i].ID
		if err := s.movement(&l.Data[i], "", page); err != nil {
			return err
		}
	}
	if !l.HasMore {
		c.Step, c.After = "payouts", ""
	}
	return nil
}

// payouts takes a page of the payouts that may still change.
func (s *Source) payouts(ctx context.Context, c *cursor, page *feed.Page) error {
	from := max(s.o.Start.Unix(), min(c.Since, c.Begun-int64(unsure.Seconds())))
	l, err := ask[payout](ctx, s, c, "/v1/payouts", url.Values{"created[gte]": {strconv.FormatInt(from, 10)}})
	if err != nil {
		return err
	}
	page.More = true
	for i := range l.Data {
		p := &l.Data[i]
		c.After = p.ID
		stated, err := s.payout(p)
		if err != nil {
			return err
		}
		page.Payouts = append(page.Payouts, stated)
		if _, done := c.Done[p.ID]; !done && p.Automatic && len(c.Waiting) < mostItemised {
			if _, waits := c.Made[p.ID]; !waits {
				c.Waiting = append(c.Waiting, p.ID)
			}
			c.Made[p.ID] = p.Created
			if p.Reconciliation != "completed" {
				c.Made[p.ID] = -p.Created // its list is not complete yet
			}
		}
	}
	if l.HasMore {
		return nil
	}
	c.After, c.Step = "", "items"
	return s.rest(ctx, c, page)
}

// items takes a page of what was paid out with the first payout that waits.
func (s *Source) items(ctx context.Context, c *cursor, page *feed.Page) error {
	if len(c.Waiting) == 0 {
		return s.rest(ctx, c, page)
	}
	id := c.Waiting[0]
	l, err := ask[transaction](ctx, s, c, "/v1/balance_transactions", url.Values{"payout": {id}, "expand[]": {"data.source"}})
	if err != nil {
		return err
	}
	for i := range l.Data {
		c.After = l.Data[i].ID
		if err := s.movement(&l.Data[i], id, page); err != nil {
			return err
		}
	}
	if l.HasMore {
		page.More = true
		return nil
	}
	c.After, c.Waiting = "", c.Waiting[1:]
	if made := c.Made[id]; made > 0 {
		c.Done[id] = made
	}
	delete(c.Made, id)
	return s.rest(ctx, c, page)
}

// rest ends the round where nothing waits.
func (s *Source) rest(ctx context.Context, c *cursor, page *feed.Page) error {
	if len(c.Waiting) > 0 {
		page.More = true
		return nil
	}
	balances, err := s.balances(ctx)
	if err != nil {
		return err
	}
	page.Balances = balances
	page.More, page.Covered = false, time.Unix(c.Begun, 0).UTC().Add(-overlap)
	c.Step, c.After, c.Since = "", "", max(s.o.Start.Unix(), c.Begun-int64(overlap.Seconds()))
	for id, made := range c.Done {
		if made < c.Begun-int64(unsure.Seconds())-int64(overlap.Seconds()) {
			delete(c.Done, id)
		}
	}
	for id := range c.Done { // any: those that are forgotten are asked for once more
		if len(c.Done) <= mostItemised {
			break
		}
		delete(c.Done, id)
	}
	c.Begun = 0
	return nil
}
