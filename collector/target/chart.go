package target

import (
	"fmt"
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

// Account returns the account with a code, a name or an id, in this order. Codes
// and names are compared without case.
func (c Chart) Account(name string) (Account, bool) {
	for _, matches := range []func(Account) bool{
		func(a Account) bool { return a.Code != "" && strings.EqualFold(a.Code, name) },
		func(a Account) bool { return strings.EqualFold(a.Name, name) },
		func(a Account) bool { return a.ID == name },
	} {
		for _, a := range c.Accounts {
			if matches(a) {
				return a, true
			}
		}
	}
	return Account{}, false
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
