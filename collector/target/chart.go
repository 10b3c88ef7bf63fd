package target

import (
	"fmt"
	"slices"
	"strings"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Chart is what a target lets lines be posted to.
type Chart struct {
	Accounts   []Account
	Taxes      []TaxCode
	Dimensions []Dimension
}

// Classes of accounts.
const (
	Asset     = "asset"
	Liability = "liability"
	Equity    = "equity"
	Income    = "income"
	Expense   = "expense"
)

// Account is one account of a chart.
type Account struct {
	ID     string // the target's own
	Code   string // as people know it; may be empty
	Name   string
	Class  string // Asset, Liability, ...
	Active bool
	Closed string // why lines may not be posted to it: "bank account", "system account"; empty if they may
}

// TaxCode is one tax code of a chart.
type TaxCode struct {
	Code    string
	Name    string
	Rate    money.Decimal // percent
	Active  bool
	Classes []string // of the accounts it may be used on; empty: of any
}

// Dimension is something that lines can be split by, with its values.
type Dimension struct {
	Name   string
	Values []string
}

// Key is what payloads name the account by: its code, or its name where it has
// none.
func (a Account) Key() string {
	if a.Code != "" {
		return a.Code
	}
	return a.Name
}

// Account returns the account with a key.
func (c Chart) Account(key string) (Account, bool) {
	for _, a := range c.Accounts {
		if a.Key() == key {
			return a, true
		}
	}
	return Account{}, false
}

// ToPost returns the account with a key if lines may be posted to it, and else
// an error that says what to do.
func (c Chart) ToPost(key string) (Account, error) {
	a, found := c.Account(key)
	switch {
	case !found:
		for _, other := range c.Accounts {
			if strings.EqualFold(other.Name, key) || strings.EqualFold(other.Code, key) {
				return a, With(CodeAccount, fmt.Errorf("account %q is written %q in the chart of accounts; change the mapping", key, other.Key()))
			}
		}
		return a, With(CodeAccount, fmt.Errorf("account %q is not in the chart of accounts; add it there or choose another in the mapping", key))
	case !a.Active:
		return a, With(CodeArchived, fmt.Errorf("account %q (%s) was archived; restore it or choose another in the mapping", key, a.Name))
	case a.Closed != "":
		return a, With(CodeUnfit, fmt.Errorf("account %q (%s) cannot be posted to: %s; choose another in the mapping", key, a.Name, a.Closed))
	}
	return a, nil
}

// TaxToPost returns the tax code if it may be used on an account, and else an
// error that says what to do.
func (c Chart) TaxToPost(code string, a Account) (TaxCode, error) {
	t, found := c.Tax(code)
	switch {
	case !found:
		return t, With(CodeTax, fmt.Errorf("tax code %q is not there; add it or choose another in the mapping", code))
	case !t.Active:
		return t, With(CodeTax, fmt.Errorf("tax code %q was retired; choose another in the mapping", code))
	case len(t.Classes) > 0 && !slices.Contains(t.Classes, a.Class):
		return t, With(CodeTaxUnfit, fmt.Errorf("tax code %q cannot be used on account %q, which is of class %s; choose another in the mapping", code, a.Key(), a.Class))
	}
	return t, nil
}

// Tax returns the tax code with a code or a name, compared without case.
func (c Chart) Tax(name string) (TaxCode, bool) {
	for _, t := range c.Taxes {
		if strings.EqualFold(t.Code, name) {
			return t, true
		}
	}
	for _, t := range c.Taxes {
		if strings.EqualFold(t.Name, name) {
			return t, true
		}
	}
	return TaxCode{}, false
}

// Dimension returns the dimension with a name, compared without case.
func (c Chart) Dimension(name string) (Dimension, bool) {
	for _, d := range c.Dimensions {
		if strings.EqualFold(d.Name, name) {
			return d, true
		}
	}
	return Dimension{}, false
}

// Value returns a value as the dimension spells it.
func (d Dimension) Value(name string) (string, bool) {
	for _, v := range d.Values {
		if strings.EqualFold(v, name) {
			return v, true
		}
	}
	return "", false
}

// Period says up to which day nothing may change any more.
type Period struct {
	Closed bizday.Day // the books are closed up to and with this day; empty: not closed
	Filed  bizday.Day // a tax return was filed up to and with this day; empty: none
}

// Open reports whether a day may still be posted to.
func (p Period) Open(d bizday.Day) bool { return d > p.Closed && d > p.Filed }

// FirstOpen returns the day after everything that is closed or filed; empty if
// nothing is.
func (p Period) FirstOpen() bizday.Day {
	last := max(p.Closed, p.Filed)
	if last == "" {
		return ""
	}
	return last.Add(1)
}

// Code is that of a day that is not open: a return that was filed weighs more.
func (p Period) Code(d bizday.Day) string {
	if d <= p.Filed {
		return CodeFiled
	}
	return CodeClosed
}

// Check returns why a day cannot be posted to at a system, nil if it can.
func (p Period) Check(d bizday.Day, system string) error {
	if p.Open(d) {
		return nil
	}
	return With(p.Code(d), fmt.Errorf("day %s: the books are closed up to %s; reopen them at %s, or post to the first open day %s", d, max(p.Closed, p.Filed), system, p.FirstOpen()))
}

// MaxAttachment is the largest file that can be attached, in bytes.
const MaxAttachment = 3 << 20

// Attachment is a file that goes with a posting.
type Attachment struct {
	Name string // letters, digits, - _ and one dot
	Type string // media type, such as text/csv
	Body []byte
}

// Validate checks the name and the size.
func (a Attachment) Validate() error {
	base, extension, found := strings.Cut(a.Name, ".")
	if !found || base == "" || extension == "" || len(a.Name) > 100 ||
		strings.Trim(base+extension, "-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" {
		return fmt.Errorf("attachment %q must be named by letters, digits, - and _, with one dot", a.Name)
	}
	if len(a.Body) == 0 || len(a.Body) > MaxAttachment {
		return fmt.Errorf("attachment %s has %d bytes; it must have 1 to %d", a.Name, len(a.Body), MaxAttachment)
	}
	return nil
}
