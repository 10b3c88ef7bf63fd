package xero

import (
	"bytes"
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
	"tillbook.example/tillbook/collector/target/web"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// The forms in which documents go and come. Amounts are JSON numbers, never
// binary fractions.
type (
	wireLine struct {
		Description string       `json:"Description,omitempty"`
		Quantity    json.Number  `json:"Quantity,omitempty"`   // invoices
		UnitAmount  json.Number  `json:"UnitAmount,omitempty"` // invoices
		LineAmount  json.Number  `json:"LineAmount,omitempty"`
		AccountCode string       `json:"AccountCode,omitempty"`
		TaxType     string       `json:"TaxType,omitempty"`
		TaxAmount   json.Number  `json:"TaxAmount,omitempty"`
		Tracking    []wireOption `json:"Tracking,omitempty"`
	}
	wireOption struct {
		Name   string `json:"Name"`
		Option string `json:"Option"`
	}
	wireContact struct {
		Name string `json:"Name"`
	}
	wireMessage struct{ Message string }
	// wireVerdict is what Xero says of each element.
	wireVerdict struct {
		StatusAttributeString      string
		Warnings, ValidationErrors []wireMessage
	}
)

// errNumber: an invoice's number is used.
var errNumber = errors.New("number is used")

// verdict turns what Xero says of an element into an error: a warning too, since
// what it warns of was left out of the books.
func (v wireVerdict) err() error {
	switch texts := text(v.ValidationErrors); {
	case strings.Contains(texts, "must be unique"):
		return fmt.Errorf("%w: %s", errNumber, texts)
	case len(v.ValidationErrors) > 0 || v.StatusAttributeString == "ERROR":
		return fmt.Errorf("%w: Xero: %s", target.ErrRefused, texts)
	case len(v.Warnings) > 0 || v.StatusAttributeString == "WARNING":
		return &warning{text(v.Warnings)}
	}
	return nil
}

func text(messages []wireMessage) string {
	var texts []string
	for _, m := range messages {
		texts = append(texts, m.Message)
	}
	return strings.Join(texts, " ")
}

// warning: Xero booked a document, but not all of it.
type warning struct{ text string }

func (w *warning) Error() string { return "Xero warned: " + w.text }

// write sends one change and reads the answer's elements of a kind. Status 400
// with elements is an answer too.
func (b *Books) write(ctx context.Context, method, path, kind, key string, body, into any) error {
	text, err := marshal(body)
	if err != nil {
		return fmt.Errorf("%w: %w", target.ErrRefused, err)
	}
	request := web.Request{
		Method: method, Path: path, Query: url.Values{"summarizeErrors": {"false"}}, Type: "application/json", Body: text, Writes: true,
	}
	if key != "" {
		request.Header = http.Header{"Idempotency-Key": {key}}
	}
	response, err := b.client.Do(ctx, request)
	if err != nil {
		return err
	}
	if response.Status != http.StatusOK {
		var failure struct {
			Message  string
			Elements []wireVerdict
		}
		if err := json.Unmarshal(response.Body, &failure); err != nil || response.Status >= 500 {
			return fmt.Errorf("%s %s: status %d: %.300s", method, path, response.Status, response.Body)
		}
		for _, v := range failure.Elements {
			if err := v.err(); err != nil {
				return err
			}
		}
		return fmt.Errorf("%w: Xero: status %d: %s", target.ErrRefused, response.Status, failure.Message)
	}
	var all map[string]json.RawMessage
	if err = json.Unmarshal(response.Body, &all); err == nil {
		err = json.Unmarshal(all[kind], into)
	}
	if err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	return nil
}

func marshal(body any) ([]byte, error) {
	var w bytes.Buffer
	e := json.NewEncoder(&w)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}

func (b *Books) number(m money.Minor) json.Number { return json.Number(m.Format(b.places)) }

// minor reads an amount. Xero writes up to four places.
func (b *Books) minor(n json.Number) (money.Minor, error) { return target.Amount(n, b.places) }

// lineOf reads a line; sign is -1 where the document's amounts are credits.
func (b *Books) lineOf(w wireLine, sign money.Minor) (line, error) {
	amount, err := b.minor(w.LineAmount)
	if err != nil {
		return line{}, err
	}
	tax, err := b.minor(w.TaxAmount)
	if err != nil {
		return line{}, err
	}
	return line{
		account: w.AccountCode, amount: sign * amount, taxType: w.TaxType, tax: sign * tax, text: w.Description, tracking: trackingOf(w.Tracking),
	}, nil
}

func trackingOf(options []wireOption) string {
	var all []string
	for _, o := range options {
		all = append(all, strconv.Quote(o.Name)+strconv.Quote(o.Option))
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// resolve makes a payload's line one of Xero's: its account, tax type and
// tracking. Where it is not strict, what is not there is taken as it is written.
func (b *Books) resolve(l target.Line, s *setup, strict bool) (line, target.TaxCode, []wireOption, error) {
	out := line{account: l.Account, amount: l.Amount}
	account, err := s.chart.ToPost(l.Account)
	if err != nil && strict {
		return out, target.TaxCode{}, nil, err
	}
	code := untaxed(s.country)
	if l.Tax != nil {
		code = l.Tax.Code
	}
	tax, err := s.chart.TaxToPost(code, account)
	if err != nil && strict {
		return out, tax, nil, err
	}
	if tax.Code == "" {
		tax.Code = code
	}
	out.taxType = tax.Code
	var options []wireOption
	for name, value := range l.Dimensions {
		d, found := s.chart.Dimension(name)
		if !found {
			continue // it stands in the text
		}
		spelled, found := d.Value(value)
		if !found && strict {
			return out, tax, nil, fmt.Errorf("tracking category %q has no option %q; add it at Xero", d.Name, value)
		}
		if !found {
			spelled = value
		}
		options = append(options, wireOption{d.Name, spelled})
	}
	if len(options) > 2 && strict {
		return out, tax, nil, fmt.Errorf("a line is split by %d tracking categories; Xero takes two: choose fewer dimensions in the mapping", len(options))
	}
	slices.SortFunc(options, func(a, b wireOption) int { return strings.Compare(a.Name, b.Name) })
	out.tracking = trackingOf(options)
	return out, tax, options, nil
}

// day begins the search for a reference: no document of it is older.
func dayIn(reference string) (bizday.Day, bool) {
	parts := strings.Split(reference, "-")
	if len(parts) < 3 || len(parts[2]) != 8 {
		return "", false
	}
	d, err := bizday.Parse(parts[2][:4] + "-" + parts[2][4:6] + "-" + parts[2][6:])
	return d, err == nil
}
