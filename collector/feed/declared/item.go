package declared

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// at finds the place of a JSON pointer; nil: there is none.
func at(value any, pointer string) (any, error) {
	if pointer == "" {
		return value, nil
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		switch v := value.(type) {
		case map[string]any:
			value = v[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v) {
				return nil, nil
			}
			value = v[i]
		case nil:
			return nil, nil
		default:
			return nil, fmt.Errorf("%s goes on below a %T", pointer, v)
		}
	}
	return value, nil
}

// textAt is the text or number at a pointer; empty where there is none, or where the
// recipe names no pointer.
func textAt(value any, pointer string) (string, error) {
	if pointer == "" {
		return "", nil
	}
	found, err := at(value, pointer)
	if err != nil {
		return "", err
	}
	switch v := found.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", fmt.Errorf("%s is neither a text nor a number", pointer)
}

// reader reads fields of an item and keeps the first error.
type reader struct {
	item any
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) text(pointer string) string {
	s, err := textAt(r.item, pointer)
	if err != nil {
		r.fail(err)
	}
	return s
}

func (r *reader) amount(pointer, unit, currency string) money.Decimal {
	text := r.text(pointer)
	if text == "" {
		return 0
	}
	places := 0
	if unit == "minor" {
		var err error
		if places, err = money.Places(currency); err != nil {
			r.fail(err)
			return 0
		}
		minor, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			r.fail(fmt.Errorf("%s: %.40q is no whole number of minor units", pointer, text))
			return 0
		}
		d, err := money.FromMinor(money.Minor(minor), places)
		if err != nil {
			r.fail(fmt.Errorf("%s: %w", pointer, err))
		}
		return d
	}
	d, err := money.Parse(text)
	if err != nil {
		r.fail(fmt.Errorf("%s: %w", pointer, err))
	}
	return d
}

// moment reads RFC 3339, a day, or seconds since 1970.
func (r *reader) moment(pointer string) time.Time {
	text := r.text(pointer)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC()
		}
	}
	if seconds, err := strconv.ParseInt(text, 10, 40); err == nil && seconds > 0 {
		return time.Unix(seconds, 0).UTC()
	}
	r.fail(fmt.Errorf("%s: %.40q is no moment", pointer, text))
	return time.Time{}
}

// version is an item's place in its order.
func (r *reader) version(pointer string) int64 {
	text := r.text(pointer)
	if n, err := strconv.ParseInt(text, 10, 62); err == nil && n >= 0 {
		return n
	}
	if text == "" {
		return 0
	}
	return r.moment(pointer).UnixMicro()
}

func (r *reader) currency(pointer, otherwise string) string {
	if c := strings.ToUpper(r.text(pointer)); c != "" {
		return c
	}
	return otherwise
}

// item adds what an item states.
func (s *Source) item(l *List, item any, page *feed.Page) error {
	r := &reader{item: item}
	version := r.version(l.Version)
	switch {
	case l.Movement != nil:
		m := s.movement(r, l.Movement)
		page.Movements = append(page.Movements, feed.Movement{Movement: m, Version: version})
	case l.Payout != nil:
		p := s.payout(r, l.Payout)
		page.Payouts = append(page.Payouts, feed.Payout{Payout: p, Version: version})
	default:
		d, err := s.document(r, l.Document)
		if err != nil {
			return err
		}
		if d != nil {
			page.Documents = append(page.Documents, feed.Document{Document: d, Version: version})
		}
	}
	return r.err
}

func (s *Source) movement(r *reader, w *Movement) settle.Movement {
	currency := r.currency(w.Currency, s.o.Currency)
	m := settle.Movement{
		Provider: s.o.Provider, Account: r.text(w.Account), Key: r.text(w.Key), Kind: settle.Other, Raw: r.text(w.Kind), At: r.moment(w.At), Available: r.moment(w.Available),
		Currency: currency, Amount: r.amount(w.Amount, w.Unit, currency), Fee: r.amount(w.Fee, w.Unit, currency), Payout: r.text(w.Payout), Of: r.text(w.Of),
		Batch: r.text(w.Batch), Receipt: r.text(w.Receipt), Terminal: r.text(w.Terminal), Store: r.text(w.Store), Authorisation: r.text(w.Auth),
		LastFour: r.text(w.LastFour), Brand: r.text(w.Brand),
	}
	kind, known := w.Kinds[m.Raw]
	switch {
	case known:
		m.Kind = settle.Kind(kind)
	case w.Kind == "" && m.Amount < 0:
		m.Kind = settle.Refund
	case w.Kind == "":
		m.Kind = settle.Charge
	}
	return m
}

func (s *Source) payout(r *reader, w *Payout) settle.Payout {
	currency := r.currency(w.Currency, s.o.Currency)
	p := settle.Payout{
		Provider: s.o.Provider, Account: r.text(w.Account), Key: r.text(w.Key), State: w.States[r.text(w.State)], Currency: currency,
		Amount: r.amount(w.Amount, w.Unit, currency), Created: r.moment(w.Created), Reference: r.text(w.Reference),
	}
	if state := r.text(w.State); state != "" && p.State == "" {
		r.fail(fmt.Errorf("%s: the recipe does not say what %.40q is", w.State, state))
	}
	if at := r.moment(w.Arrival); !at.IsZero() {
		p.Expected = bizday.Day(at.Format(time.DateOnly))
		if p.State == settle.Arrived {
			p.Arrival = p.Expected
		}
	}
	return p
}

// document reads Tillbook's own document from an item.
func (s *Source) document(r *reader, w *Document) (*document.Document, error) {
	found, err := at(r.item, w.Whole)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, errors.New("there is no document")
	}
	text, err := json.Marshal(found)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var d document.Document
	if err := decoder.Decode(&d); err != nil {
		return nil, fmt.Errorf("the document cannot be read: %w", err)
	}
	location := d.Key.Store
	if w.Location != "" {
		location = r.text(w.Location)
	}
	if d.Key.Store = s.o.Store(location); d.Key.Store == "" {
		return nil, nil // of a location that is not read
	}
	d.Key.Merchant, d.ContentHash = "", ""
	return &d, nil
}
