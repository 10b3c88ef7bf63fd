package target

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Limits of a payload.
const (
	MaxReference = 21   // what every target's document number holds
	MaxLines     = 2000 // one posting; a day has some dozens
	MaxText      = 500  // bytes of a narration, an account or a line's text
)

// Canonical returns the payload's JSON: the fields in the order of the type,
// no spaces, no HTML escapes. Equal payloads have equal bytes.
func (p Payload) Canonical() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		return nil, fmt.Errorf("write payload %s: %w", p.Reference, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Hash returns the SHA-256 of Canonical.
func (p Payload) Hash() ([32]byte, error) {
	b, err := p.Canonical()
	if err != nil {
		return [32]byte{}, err
	}
	return sha256.Sum256(b), nil
}

// Equal reports whether both say the same: key, reference, date, currency,
// texts and lines in their order.
func (p Payload) Equal(q Payload) bool {
	a, errA := p.Canonical()
	b, errB := q.Canonical()
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// ParsePayload reads what Canonical wrote. Unknown fields are errors.
func ParsePayload(text []byte) (Payload, error) {
	var p Payload
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Payload{}, fmt.Errorf("read payload: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return Payload{}, fmt.Errorf("read payload: something follows it")
	}
	return p, nil
}

// Validate checks what every target relies on: a reference of at most
// MaxReference letters, digits and hyphens, a date, a currency, at least one
// line, texts without control characters, and lines that balance.
func (p Payload) Validate() error {
	if err := CheckReference(p.Reference); err != nil {
		return err
	}
	if p.Key == "" {
		return fmt.Errorf("payload %s has no key", p.Reference)
	}
	if _, err := bizday.Parse(string(p.Date)); err != nil {
		return fmt.Errorf("payload %s: date %w", p.Reference, err)
	}
	if _, err := money.Places(p.Currency); err != nil {
		return fmt.Errorf("payload %s: %w", p.Reference, err)
	}
	for _, text := range []struct{ what, text string }{{"key", p.Key}, {"narration", p.Narration}, {"reason", p.Reason}} {
		if err := checkText(text.text); err != nil {
			return fmt.Errorf("payload %s: %s %w", p.Reference, text.what, err)
		}
	}
	if len(p.Lines) == 0 || len(p.Lines) > MaxLines {
		return fmt.Errorf("payload %s has %d lines; it must have 1 to %d", p.Reference, len(p.Lines), MaxLines)
	}
	var sum money.Minor
	for i, l := range p.Lines {
		if l.Account == "" {
			return fmt.Errorf("payload %s: line %d has no account", p.Reference, i+1)
		}
		texts := []string{l.Account, l.Text}
		if l.Tax != nil {
			texts = append(texts, l.Tax.Code, l.Tax.Direction, l.Tax.Jurisdiction)
		}
		if l.Foreign != nil {
			texts = append(texts, l.Foreign.Currency)
		}
		for name, value := range l.Dimensions {
			texts = append(texts, name, value)
		}
		for _, text := range texts {
			if err := checkText(text); err != nil {
				return fmt.Errorf("payload %s: line %d: text %w", p.Reference, i+1, err)
			}
		}
		next := sum + l.Amount
		if (next > sum) != (l.Amount > 0) && l.Amount != 0 {
			return fmt.Errorf("payload %s: line %d: the sum does not fit: %w", p.Reference, i+1, money.ErrRange)
		}
		sum = next
	}
	if sum != 0 {
		return fmt.Errorf("payload %s does not balance: its lines add up to %d minor units", p.Reference, sum)
	}
	return nil
}

// Fits checks a payload that is to be posted to books in a currency.
func (p Payload) Fits(currency string) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if p.Currency != currency {
		return fmt.Errorf("the books are in %s, the posting is in %s", currency, p.Currency)
	}
	return nil
}

// CheckReference checks that a reference is 1 to MaxReference letters, digits
// and hyphens.
func CheckReference(reference string) error {
	if reference == "" || len(reference) > MaxReference {
		return fmt.Errorf("reference %q must have 1 to %d characters", reference, MaxReference)
	}
	if strings.Trim(reference, "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" {
		return fmt.Errorf("reference %q may only have letters, digits and hyphens", reference)
	}
	return nil
}

func checkText(s string) error {
	if len(s) > MaxText {
		return fmt.Errorf("has %d bytes, more than %d", len(s), MaxText)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%q is not UTF-8", s)
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return fmt.Errorf("%q has a control character", s)
		}
	}
	return nil
}

// Amount reads an amount as an accounting system writes it, with as many places
// as it likes, in minor units of a currency with so many. Nothing is nothing; what
// is finer than the currency is an error.
func Amount(n json.Number, places int) (money.Minor, error) {
	if n == "" {
		return 0, nil
	}
	d, err := money.Parse(n.String())
	if err != nil {
		return 0, err
	}
	m, rest := money.ToMinor(d, places)
	if rest != 0 {
		return 0, fmt.Errorf("amount %s has more than %d places", n, places)
	}
	return m, nil
}
