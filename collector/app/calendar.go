package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// calendarLife is how long a store's calendar is believed: a changed cut-off
// counts for documents that come later than that.
const calendarLife = time.Second

// calendars finds the business day of documents by their stores' calendars. A
// calendar is read once a second, not once a document.
type calendars struct {
	directory merchant.Directory

	mu    sync.Mutex
	known map[[2]string]calendar // by merchant and store
}

type calendar struct {
	rule bizday.Rule
	read time.Time
}

// Calendar returns how documents find their business day, by their stores'
// calendars.
func Calendar(directory merchant.Directory) intake.Calendar {
	c := &calendars{directory: directory}
	return intake.Calendar{Day: c.derive, Tie: c.tie}
}

func (c *calendars) tie(ctx context.Context, id fleet.Identity, d *document.Document, own bizday.Day) (intake.Tie, error) {
	rule, err := c.rule(ctx, id)
	if err != nil {
		return intake.Tie{}, err
	}
	t := day.TieOf(d, rule, own)
	return intake.Tie{Terminal: t.Terminal, Periods: t.Periods, Close: t.Close, At: t.At, Unread: t.Unread, From: t.From, Until: t.Until}, nil
}

func (c *calendars) derive(ctx context.Context, id fleet.Identity, d *document.Document) (bizday.Day, error) {
	rule, err := c.rule(ctx, id)
	if err != nil {
		return "", err
	}
	derived, _, err := day.Derive(d, rule, nil)
	if errors.Is(err, day.ErrTime) && derived != "" {
		return derived, nil // Decide holds the day
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", intake.ErrNoDay, err)
	}
	return derived, nil
}

func (c *calendars) rule(ctx context.Context, id fleet.Identity) (bizday.Rule, error) {
	key := [2]string{id.Merchant, id.Store}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.known[key]; ok && time.Since(known.read) < calendarLife {
		return known.rule, nil
	}
	m, err := c.directory.Merchant(ctx, id.Merchant)
	if err != nil {
		return bizday.Rule{}, err
	}
	store, ok := m.Store(id.Store)
	if !ok {
		return bizday.Rule{}, fmt.Errorf("store %s of %s is not configured any more", id.Store, id.Merchant)
	}
	read, err := store.Calendar()
	if err != nil {
		return bizday.Rule{}, err
	}
	if c.known == nil {
		c.known = map[[2]string]calendar{}
	}
	c.known[key] = calendar{read.Rule, time.Now()}
	return read.Rule, nil
}
