// Package sandbox serves stand-ins of accounting systems, so that posting can be
// tried and tested without an account at any of them: Xero under /xero/,
// QuickBooks Online under /quickbooks/, and under /sandbox/ what a person or a
// test does to them: faults, locks, archived accounts, documents that are taken
// off.
//
// Everything is in memory and belongs to whoever can reach it. A stand-in is as
// right as the package comments of its folder say, and no proof of how the vendor
// itself behaves.
package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/sandbox/gate"
	"tillbook.example/tillbook/collector/sandbox/quickbooks"
	"tillbook.example/tillbook/collector/sandbox/xero"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// Options say what kind of shop the books are of.
type Options struct {
	Country  string // ISO 3166 alpha-2
	Currency string // ISO 4217
	Now      func() time.Time
}

// Sandbox is one organisation at each system.
type Sandbox struct {
	Xero       *xero.Org
	QuickBooks *quickbooks.Company
	now        func() time.Time
}

// New returns a sandbox with empty books.
func New(o Options) (*Sandbox, error) {
	if _, err := money.Places(o.Currency); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	if len(o.Country) != 2 || strings.ToUpper(o.Country) != o.Country {
		return nil, fmt.Errorf("sandbox: country %q is not a code of two capital letters", o.Country)
	}
	return &Sandbox{
		Xero:       xero.New(xero.Organisation{Name: "Sandbox shop", Currency: o.Currency, Country: o.Country}, o.Now),
		QuickBooks: quickbooks.New(o.Country, o.Currency, o.Now),
		now:        o.Now,
	}, nil
}

// books is what can be done to either system.
type books struct {
	gate      *gate.Gate
	documents func(prefix string) map[string]int
	balances  func() map[string]money.Minor
	archive   func(name string)
	restore   func(name string)
	void      func(reference string)
	edit      func(reference string)
	lock      func(to bizday.Day)
}

// Handler serves everything.
func (s *Sandbox) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/xero/", http.StripPrefix("/xero", s.Xero.Handler()))
	mux.Handle("/quickbooks/", http.StripPrefix("/quickbooks", s.QuickBooks.Handler()))
	for name, b := range map[string]books{
		"xero": {
			&s.Xero.Gate, s.Xero.Documents, s.Xero.Balances, s.Xero.Archive, s.Xero.Restore, s.Xero.Void, s.Xero.Edit, s.Xero.SetLock,
		},
		"quickbooks": {
			&s.QuickBooks.Gate, s.QuickBooks.Documents, s.QuickBooks.Balances, s.QuickBooks.Archive, s.QuickBooks.Restore, s.QuickBooks.Delete, s.QuickBooks.Edit, s.QuickBooks.SetClosed,
		},
	} {
		mux.HandleFunc("GET /sandbox/"+name, b.show)
		mux.HandleFunc("POST /sandbox/"+name+"/{what}", b.act)
	}
	return mux
}

// state is what a system holds.
type state struct {
	Documents map[string]int         `json:"documents"` // how many stand under each reference
	Balances  map[string]money.Minor `json:"balances"`  // minor units by account
	Met       map[gate.Fault]int     `json:"met"`       // faults
	Code      string                 `json:"code"`      // to be exchanged for a token once
}

func (b books) show(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	// The client may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(state{b.documents(""), b.balances(), b.gate.Met(), b.gate.Identity.Code()})
}

// act does what the path says with the parameter name.
func (b books) act(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	switch r.PathValue("what") {
	case "fault":
		if !slices.Contains(gate.Faults(), gate.Fault(name)) {
			http.Error(w, fmt.Sprintf("name must be one of %q", gate.Faults()), http.StatusBadRequest)
			return
		}
		b.gate.Fail(gate.Fault(name))
	case "lock":
		if _, err := bizday.Parse(name); name != "" && err != nil {
			http.Error(w, "name must be a day such as 2026-03-31, or empty: "+err.Error(), http.StatusBadRequest)
			return
		}
		b.lock(bizday.Day(name))
	case "archive":
		b.archive(name)
	case "restore":
		b.restore(name)
	case "void":
		b.void(name)
	case "edit":
		b.edit(name)
	case "revoke":
		b.gate.Identity.RevokeAccess()
	case "disconnect":
		b.gate.Identity.Disconnect()
	default:
		http.Error(w, "what can be done is fault, lock, archive, restore, void, edit, revoke and disconnect", http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
