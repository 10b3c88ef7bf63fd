// Package merchant holds who the merchants are, their stores and terminals, the
// calendar each store keeps, the connections its days are posted to, and the
// mappings its accountant chose.
//
// A merchant's configuration is written as one YAML file (apply -f FILE.yaml),
// kept in the database as it was applied, and exported as the same YAML.
// Configurations and mappings are never changed in place: each apply that
// changes something is a new version, so that every entry can name the mapping
// it was made with. This package reads, checks and chooses; storage keeps.
package merchant

import (
	"context"
	"time"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
)

// Merchant is one customer of Tillbook: the owner of one set of books.
type Merchant struct {
	ID            string       `yaml:"id" json:"id"` // letters, digits, - and _; at most 40
	Name          string       `yaml:"name" json:"name"`
	Country       string       `yaml:"country" json:"country"`                                   // ISO 3166 alpha-2
	Currency      string       `yaml:"currency" json:"currency"`                                 // of the books, ISO 4217
	Unproven      string       `yaml:"unproven,omitempty" json:"unproven,omitempty"`             // hold (default), post or z: what to do with a day that is not proven at its deadline
	UnprovenLimit string       `yaml:"unproven_limit,omitempty" json:"unproven_limit,omitempty"` // with post: the largest open difference that such a day may have, in the books' currency; empty: any
	KeepPersonal  string       `yaml:"keep_personal,omitempty" json:"keep_personal,omitempty"`   // how long documents keep what they state of persons: 90d, 6y; empty: as the law of accounting wants
	Stores        []Store      `yaml:"stores" json:"stores"`
	Connections   []Connection `yaml:"connections" json:"connections"`
	Feeds         []Feed       `yaml:"feeds,omitempty" json:"feeds,omitempty"`
	// Settlements are what payment providers owe: each is compared with the tills.
	Settlements []settle.Account `yaml:"settlements,omitempty" json:"settlements,omitempty"`
	Mappings    []Mapping        `yaml:"mappings" json:"mappings"`
}

// Store is one shop. Its calendar turns instants into business days.
type Store struct {
	ID        string     `yaml:"id" json:"id"`
	Short     string     `yaml:"short,omitempty" json:"short,omitempty"` // at most 4 letters and digits, unique; in posting references
	Name      string     `yaml:"name,omitempty" json:"name,omitempty"`
	Zone      string     `yaml:"zone" json:"zone"`
	Cutoff    string     `yaml:"cutoff,omitempty" json:"cutoff,omitempty"`     // HH:MM, default 00:00
	Settle    string     `yaml:"settle,omitempty" json:"settle,omitempty"`     // after the cut-off, a Go duration; default 30m
	Deadline  string     `yaml:"deadline,omitempty" json:"deadline,omitempty"` // after the cut-off: a late agent or missing Z holds the day no longer; default 36h
	Start     string     `yaml:"start,omitempty" json:"start,omitempty"`       // first day to post; earlier ones are external
	Terminals []Terminal `yaml:"terminals,omitempty" json:"terminals,omitempty"`
}

// Terminal is one till.
type Terminal struct {
	ID     string `yaml:"id" json:"id"`
	Closes bool   `yaml:"closes,omitempty" json:"closes,omitempty"` // it states a Z each day it trades: the day waits for it
	Gaps   bool   `yaml:"gaps,omitempty" json:"gaps,omitempty"`     // its receipt numbers have gaps by nature: one proves nothing
}

// Connection is one set of books that the merchant's days are posted to.
type Connection struct {
	ID       string            `yaml:"id" json:"id"`
	Target   string            `yaml:"target" json:"target"`                         // text, xero, quickbooks
	Settings map[string]string `yaml:"settings,omitempty" json:"settings,omitempty"` // by target; see connection.go
}

// Mapping is a books mapping with the first business day it holds for.
type Mapping struct {
	From    bizday.Day    `yaml:"from" json:"from"`
	Version int           `yaml:"version,omitempty" json:"version,omitempty"` // given by apply
	Mapping books.Mapping `yaml:"mapping" json:"mapping"`
}

// Calendar is a store's rule with its durations read.
type Calendar struct {
	Rule     bizday.Rule
	Settle   time.Duration
	Deadline time.Duration
	Start    bizday.Day
}

// Directory finds configurations. Storage implements it; answers may be cached
// for a second, never longer.
type Directory interface {
	// Merchant returns the current configuration, or ErrUnknown.
	Merchant(ctx context.Context, id string) (Merchant, error)
	// Merchants returns all, by id.
	Merchants(ctx context.Context) ([]Merchant, error)
	// Apply stores a configuration as a new version where it differs from the
	// current one, in one transaction, and gives new mappings their versions.
	Apply(ctx context.Context, m Merchant, at time.Time) (changed bool, err error)
}
