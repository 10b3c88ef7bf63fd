// Package books turns the documents of one store-day into one balanced entry,
// by the mapping the merchant's accountant chose. BuildEvents does the same for
// what no till states: payouts, fees, disputes, loans and what the bank credits.
// Jurisdictions reports what a sales tax return asks for beside it. In which form
// an entry goes into the books (journal, invoice, receipt) is the targets' matter.
//
// Build is a pure function: the same documents, mapping and rules version give
// the same entry, byte for byte, in whatever order the documents come. Every
// entry balances in minor units of the books' currency. Every line says by which
// rule it was made and which documents it is made of, and the shares of the
// documents add up to the line. What the till printed wins: amounts, tax and
// rounding are taken over, never worked out again; where minor units force a
// rounding, it stands on a line of its own.
//
// Each document is rounded by itself, so that the entry of two sets of documents
// is, account by account, the sum of their two entries. Sales and returns are
// never netted, nor is their tax. Money that belongs to others is a liability.
//
// What cannot be decided here is never guessed: it comes back as a Problem with
// one question, and the day waits. Whether a day is proven is the business of
// package reconcile, and delivering the entry that of posting.
package books

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// Rules is the version of the rules in this package. It rises with every change
// that gives another entry for the same documents and mapping.
const Rules = 2

// Input is all that an entry is made of.
type Input struct {
	Merchant       string
	Subject        string // as in store-day/S1/2026-11-03
	Store          string
	Day            string // YYYY-MM-DD, the date of the entry
	Currency       string // of the books, ISO 4217; empty: the mapping's
	Mapping        Mapping
	MappingVersion int

	// Documents are the current revisions of the subject's documents, in any order.
	Documents []*document.Document
	// Originals holds, by document key, what voids and links of other days refer
	// to, where it is stored. Documents of the subject need not be in it.
	Originals map[string]*document.Document
	// OverShort is what the counts of the day found; package reconcile works it out.
	OverShort []DrawerDifference
	// NotReceived is what the day's closes count beyond its receipts, where the
	// merchant books by Z; package reconcile works it out.
	NotReceived []NotReceived
}

// Causes of a DrawerDifference.
const (
	Counted     = "COUNT"        // the count at close ≠ what should have been there
	Opening     = "OPENING"      // the count at opening ≠ what was left the evening before
	WrongTender = "WRONG_TENDER" // cash is over by what another tender is short
)

// DrawerDifference is what one drawer had too much (positive) or too little.
type DrawerDifference struct {
	Cause     string              `json:"cause"`
	Drawer    string              `json:"drawer"`
	Currency  string              `json:"currency"`
	Amount    money.Decimal       `json:"amount"`          // counted − expected
	Rate      money.Decimal       `json:"rate,omitzero"`   // to the books' currency, where Currency is another
	Tender    document.TenderKind `json:"tender,omitzero"` // WRONG_TENDER: the tender that is short
	Documents []string            `json:"documents"`       // keys; the first bears the amount
}

// Entry is the balanced lines of one subject. An entry without lines is a day
// without trade. Its JSON form is canonical: see Canonical.
type Entry struct {
	Merchant       string `json:"merchant,omitempty"`
	Subject        string `json:"subject"`
	Store          string `json:"store"`
	Day            string `json:"day"`
	Currency       string `json:"currency"`
	Rules          int    `json:"rules"`
	MappingVersion int    `json:"mapping_version"`
	Lines          []Line `json:"lines"`
}

// Side is the side of a line.
type Side string

// The two sides.
const (
	Debit  Side = "DEBIT"
	Credit Side = "CREDIT"
)

// Line is one line of an entry. Amount is never negative: Side says which way it
// goes. Account is empty only where a Problem asks for it.
type Line struct {
	Role       Role              `json:"role"`
	Account    string            `json:"account"`
	Side       Side              `json:"side"`
	Amount     money.Minor       `json:"amount"`
	Currency   string            `json:"currency"` // of the books
	Foreign    *Foreign          `json:"foreign,omitempty"`
	Tax        *Tax              `json:"tax,omitempty"`
	Dimensions map[string]string `json:"dimensions,omitempty"`
	Rule       string            `json:"rule"`      // one sentence: how the line came to be
	Documents  []Share           `json:"documents"` // sorted by key; they add up to Amount
}

// Signed returns the amount with debits positive.
func (l Line) Signed() money.Minor {
	if l.Side == Credit {
		return -l.Amount
	}
	return l.Amount
}

// Foreign is what a line is worth in the currency it was taken in, on the line's
// side, in that currency's minor units.
type Foreign struct {
	Currency string        `json:"currency"`
	Amount   money.Minor   `json:"amount"`
	Rate     money.Decimal `json:"rate"`
}

// Directions of a tax.
const (
	DirectionSale     = "SALE"
	DirectionReturn   = "RETURN"
	DirectionPurchase = "PURCHASE"
)

// Tax is the tax detail of a line that bears tax. Base and Amount are on the
// line's side: on a debit line with direction SALE they reduce the tax on sales.
// Where several taxes lie on one line (state and city), Code joins theirs with
// '+', Base is counted once, and Components has each with its own base.
//
// Lines of role tax and input_tax are derived from these details; a target that
// posts taxed lines leaves them out. What a marketplace remits is reported with
// an amount of 0; what it is owed of it is a line like any other.
type Tax struct {
	Code         string      `json:"code"`
	Base         money.Minor `json:"base"`
	Amount       money.Minor `json:"amount"`
	Direction    string      `json:"direction"`
	Jurisdiction string      `json:"jurisdiction,omitempty"`
	Components   []Tax       `json:"components,omitempty"`
}

// Share is what one document is of a line, on the line's side.
type Share struct {
	Key    string      `json:"key"`
	Amount money.Minor `json:"amount"`
}

// Canonical returns the entry as JSON: fields in the order of the types, lines
// in the order Build gives them, no spaces, UTF-8 unescaped.
func (e Entry) Canonical() []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if e.Lines == nil {
		e.Lines = []Line{}
	}
	// Nothing in an Entry can fail to encode: strings, integers and Decimals.
	_ = enc.Encode(e)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// Hash returns the SHA-256 of Canonical.
func (e Entry) Hash() [sha256.Size]byte { return sha256.Sum256(e.Canonical()) }

// Codes of a Problem.
const (
	MissingAccount    = "missing_account"    // the mapping has no account for something that is needed
	UnknownTender     = "unknown_tender"     // a tender the mapping does not know
	UnmappedReason    = "unmapped_reason"    // a cash movement whose reason has no account
	UnmappedTax       = "unmapped_tax"       // a till's tax without a tax code of the books
	UnknownKind       = "unknown_kind"       // a document, line or word that these rules do not know
	ConversionMissing = "conversion_missing" // an amount in another currency without a rate
	OriginalMissing   = "original_missing"   // a void whose original is not stored, or not clear
	Unbalanced        = "unbalanced"         // lines and tenders of a document differ
	OutOfRange        = "out_of_range"       // amounts too large to add
	Duplicate         = "duplicate"          // two documents under one key
	BadMapping        = "bad_mapping"        // the mapping or the input itself does not hold together
)

// Problem is one reason why a day cannot be posted as it is: one question for
// one person.
type Problem struct {
	Code      string      `json:"code"`
	Text      string      `json:"text"`
	Key       string      `json:"key"`       // what is asked about, as in tender:TWINT; equal for equal questions
	Documents []string    `json:"documents"` // keys, sorted; at most MaxProblemDocuments of Count
	Count     int         `json:"count"`
	Amount    money.Minor `json:"amount"` // how much is affected, without sign
}

// MaxProblemDocuments bounds how many documents a Problem names.
const MaxProblemDocuments = 20
