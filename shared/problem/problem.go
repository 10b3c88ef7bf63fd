// Package problem is the one error object that people and programs are shown:
// by the API, the command line, the pages and the webhooks.
//
// Every code stands in one table with its cause, who can act on it and what to
// do; docs/errors.md is that table. A problem says what happened, where, and
// what to do; it never carries amounts of single receipts, tokens or card
// numbers. Problems are written as application/problem+json (RFC 9457).
package problem

import (
	"errors"
	"fmt"
	"slices"
)

// Class says what kind of trouble it is.
type Class string

const (
	Config    Class = "config"
	Transient Class = "transient"
	System    Class = "system"
	Data      Class = "data"
)

// Who can act on it.
const (
	Merchant   = "merchant"
	Accountant = "accountant"
	Installer  = "installer"
	Support    = "support"
	Platform   = "platform"
	Nobody     = "nobody"
)

// Kind is one row of the table.
type Kind struct {
	Code   string
	Title  string
	Status int // of HTTP, where it is answered over HTTP
	Class  Class
	Acts   string
	Retry  bool
	Cause  string // one sentence
	Fix    string // one sentence
}

// Problem is one occurrence.
type Problem struct {
	Type      string  `json:"type"`
	Title     string  `json:"title"`
	Status    int     `json:"status"`
	Code      string  `json:"code"`
	Class     Class   `json:"class"`
	Acts      string  `json:"acts"`
	Retry     bool    `json:"retry"`
	Detail    string  `json:"detail,omitempty"`
	Param     string  `json:"param,omitempty"`
	Action    *Action `json:"action,omitempty"`
	RequestID string  `json:"request_id,omitempty"`
}

// Action is what to do next.
type Action struct {
	Label string `json:"label"`
	URL   string `json:"url,omitempty"`
}

// Error returns title and detail in one sentence.
func (p Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Title + ": " + p.Detail
}

// New returns an occurrence of the code. A code that is not in the table is a
// mistake of the program; it is shown as internal with the code in the detail.
func New(code, detail string) Problem {
	kind, ok := Find(code)
	if !ok {
		kind, _ = Find("internal")
		detail = fmt.Sprintf("%s (%s)", detail, code)
	}
	return Problem{
		Type: "https://tillbook.example/errors#" + kind.Code, Title: kind.Title, Status: kind.Status, Code: kind.Code,
		Class: kind.Class, Acts: kind.Acts, Retry: kind.Retry, Detail: detail, Action: &Action{Label: kind.Fix},
	}
}

// With returns err with the code that people are to be shown for it.
func With(code string, err error) error {
	if err == nil {
		return nil
	}
	return &coded{code, err}
}

type coded struct {
	code string
	err  error
}

func (c *coded) Error() string { return c.err.Error() }
func (c *coded) Unwrap() error { return c.err }

// Of returns the problem that an error is: the one it carries, or one of the
// code that With gave it, or of the code otherwise. What was tried is kept in
// its detail.
func Of(err error, otherwise string) Problem {
	var known Problem
	var with *coded
	switch {
	case errors.As(err, &with):
		return New(with.code, err.Error())
	case errors.As(err, &known):
		return known
	}
	return New(otherwise, err.Error())
}

// Find returns the row of a code.
func Find(code string) (Kind, bool) {
	i := slices.IndexFunc(table, func(k Kind) bool { return k.Code == code })
	if i < 0 {
		return Kind{}, false
	}
	return table[i], true
}

// Table returns every row, in the order of the page.
func Table() []Kind { return slices.Clone(table) }
