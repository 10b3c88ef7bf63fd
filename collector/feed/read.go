package feed

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/settle"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/money"
)

// Read checks a page and reads its documents as intake reads an agent's. What is
// wrong with a document becomes its record's code; an error means that the page
// is not one, or that a day could not be told now.
func Read(ctx context.Context, calendar intake.Calendar, id ID, page Page, at time.Time) ([]Batch, error) {
	if err := page.check(); err != nil {
		return nil, fmt.Errorf("page of feed %s: %w", id, err)
	}
	byStore := map[string]*Batch{}
	for i, d := range page.Documents {
		d.Source.Adapter, d.Source.CapturedAt = "feed", at.UTC()
		if err := format.Finish(d.Document, format.Options{Adapter: "feed"}, 0); err != nil {
			return nil, fmt.Errorf("page of feed %s: document %d: %w", id, i+1, err)
		}
		body, err := document.Marshal(d.Document)
		if err != nil {
			return nil, fmt.Errorf("page of feed %s: document %s: %w", id, d.Key, err)
		}
		hash, err := hex.DecodeString(d.ContentHash)
		if err != nil {
			return nil, fmt.Errorf("page of feed %s: document %s: %w", id, d.Key, err)
		}
		raw, err := proto.Marshal(&tillbookv1.Record{Capture: uint64(d.Version), Document: body, Hash: hash, StatesOrder: true})
		if err != nil {
			return nil, fmt.Errorf("page of feed %s: document %s: %w", id, d.Key, err)
		}
		store := d.Key.Store
		record, err := intake.Read(ctx, calendar, fleet.Identity{Merchant: id.Merchant, Store: store, Agent: id.Agent(store)}, raw)
		if err != nil {
			return nil, fmt.Errorf("page of feed %s: %w", id, err)
		}
		if byStore[store] == nil {
			byStore[store] = &Batch{Store: store}
		}
		b := byStore[store]
		b.Records, b.Raw = append(b.Records, record), append(b.Raw, raw)
	}
	batches := make([]Batch, 0, len(byStore))
	for _, store := range slices.Sorted(maps.Keys(byStore)) {
		batches = append(batches, *byStore[store])
	}
	return batches, nil
}

// check refuses what no source should hand over.
func (p *Page) check() error {
	if len(p.Documents) > MaxDocuments || len(p.Movements) > MaxFacts || len(p.Payouts) > MaxFacts || len(p.Lines) > MaxFacts || len(p.Balances) > MaxFacts {
		return errors.New("it has more parts than a page may have")
	}
	if len(p.Next) > MaxCursor {
		return fmt.Errorf("the cursor has %d bytes, more than %d", len(p.Next), MaxCursor)
	}
	for i := range p.Documents {
		if d := p.Documents[i]; d.Document == nil || d.Version < 0 || d.Key.Store == "" {
			return fmt.Errorf("document %d has no store or no place in an order", i+1)
		}
	}
	for i := range p.Movements {
		m := &p.Movements[i]
		Mask(&m.Movement)
		if err := checkMovement(m); err != nil {
			return fmt.Errorf("movement %q: %w", clip(m.Key), err)
		}
	}
	for _, p := range p.Payouts {
		if err := errors.Join(identity(p.Provider, p.Key), currency(p.Currency), texts(p.Account, p.State, p.Reference, p.Reason), amounts(p.Amount, p.Fee)); err != nil {
			return fmt.Errorf("payout %q: %w", clip(p.Key), err)
		}
	}
	for _, l := range p.Lines {
		if err := errors.Join(identity("bank", l.Key), currency(l.Currency), texts(l.Account, l.Reference, l.Text, l.Counterparty), amounts(l.Amount)); err != nil {
			return fmt.Errorf("bank line %q: %w", clip(l.Key), err)
		}
	}
	for _, b := range p.Balances {
		if err := errors.Join(identity(b.Provider, "balance"), currency(b.Currency), texts(b.Account), amounts(b.Available, b.Pending, b.Reserved)); err != nil {
			return fmt.Errorf("balance: %w", err)
		}
	}
	return nil
}

// Mask hides what may be a card number in a movement's texts.
func Mask(m *settle.Movement) {
	m.Receipt, m.Brand, m.Raw = format.Mask(m.Receipt), format.Mask(m.Brand), format.Mask(m.Raw)
	m.LastFour = format.LastFour(m.LastFour)
}

func checkMovement(m *Movement) error {
	err := errors.Join(identity(m.Provider, m.Key), currency(m.Currency), amounts(m.Amount, m.Fee, m.FeeTax),
		texts(m.Account, m.Payout, m.Of, m.Batch, m.Receipt, m.Terminal, m.Store, m.Authorisation, m.LastFour, m.Brand, m.Raw))
	if !slices.Contains(settle.Kinds, m.Kind) {
		err = errors.Join(err, fmt.Errorf("%q is no kind", clip(string(m.Kind))))
	}
	if m.At.IsZero() {
		err = errors.Join(err, errors.New("it has no moment"))
	}
	if p := m.Presented; p != nil {
		err = errors.Join(err, currency(p.Currency), amounts(p.Amount, p.Rate))
	}
	return err
}

func identity(provider, key string) error {
	if provider == "" || key == "" {
		return errors.New("it has no provider or no key")
	}
	return texts(provider, key)
}

func currency(code string) error {
	_, err := money.Places(code)
	return err
}

func amounts(all ...money.Decimal) error {
	for _, a := range all {
		if !a.InRange() {
			return money.ErrRange
		}
	}
	return nil
}

func texts(all ...string) error {
	for _, s := range all {
		if len(s) > maxText || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			return fmt.Errorf("%q is no text of at most %d bytes", clip(s), maxText)
		}
	}
	return nil
}

func clip(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}
