// Package settle compares what tills took by card and the like with what payment
// providers say they owe, and what those say they paid out with what came to the
// bank. What a provider owes is its clearing balance: it is never a figure to be
// carried on, but the sum of what is not settled yet.
//
// The package is pure. Facts come in any order and more than once, and the result
// is the same, byte for byte. Nothing is matched twice. What is not equal to the
// cent, or not the only candidate, is a proposal for a person and never a match,
// and every difference is a sum of typed causes that adds up exactly.
//
// It books nothing. Where facts come from is the business of feeds, and where they
// are kept that of storage.
package settle

import (
	"time"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// Kind is what changed what a provider owes.
type Kind string

// Kinds of a Movement. In brackets the usual sign of its Amount; the other sign is
// the same the other way round, as a fee that comes back.
const (
	Charge       Kind = "charge"        // a payment of a customer (+)
	Refund       Kind = "refund"        // money back to a customer (−)
	Dispute      Kind = "dispute"       // a payment is disputed and taken back (−); its fee is in Fee
	DisputeWon   Kind = "dispute_won"   // and given back (+)
	DisputeLost  Kind = "dispute_lost"  // the decision; usually nothing moves (0)
	Fee          Kind = "fee"           // a fee of its own, not of one movement (−)
	Reserve      Kind = "reserve"       // held back (−)
	Release      Kind = "release"       // no longer held back (+)
	Correction   Kind = "correction"    // the provider corrects what it said before (±)
	Advance      Kind = "advance"       // lent to the merchant (+)
	Repayment    Kind = "repayment"     // withheld to repay it (−)
	PaidOut      Kind = "payout"        // sent to the bank (−); taken from the bank where what was owed was negative (+)
	PayoutFailed Kind = "payout_failed" // a payout came back (+)
	Exchange     Kind = "exchange"      // the result of an exchange between the provider's balances (±)
	Other        Kind = "other"         // none of these; Raw says what
)

// Kinds lists every kind.
var Kinds = []Kind{
	Charge, Refund, Dispute, DisputeWon, DisputeLost, Fee, Reserve, Release, Correction, Advance, Repayment, PaidOut, PayoutFailed, Exchange, Other,
}

// Movement is one change of what a provider owes the merchant, as the provider
// states it. It is identified by Provider, Account and Key; a later statement under
// the same key takes the place of the earlier one.
//
// Amount is before the fee and positive where the provider owes more from then on.
// Fee is what it keeps for this movement, positive where it keeps something, its
// tax included. So the balance changes by Amount − Fee. A kind of Fee has its
// amount in Amount and a Fee of 0.
type Movement struct {
	Provider string    `json:"provider"`         // the feed's or the acquirer's name, as in stripe
	Account  string    `json:"account,omitzero"` // the merchant's account there, or its merchant number; empty: the only one
	Key      string    `json:"key"`              // as the provider names it
	Kind     Kind      `json:"kind"`
	At       time.Time `json:"at"` // when it happened at the provider, UTC
	// Available is when it counts to what may be paid out; zero: at once.
	Available time.Time     `json:"available,omitzero"`
	Currency  string        `json:"currency"`         // of the balance that changed, ISO 4217
	Amount    money.Decimal `json:"amount"`           // in Currency
	Fee       money.Decimal `json:"fee,omitzero"`     // in Currency
	FeeTax    money.Decimal `json:"fee_tax,omitzero"` // contained in Fee; in Amount of a kind of Fee, with its sign
	// Presented is what the customer paid where that was in another currency.
	Presented *Presented `json:"presented,omitzero"`
	Payout    string     `json:"payout,omitzero"` // key of the payout it was paid out with, or of the payout it is; empty: not yet, or not said
	Of        string     `json:"of,omitzero"`     // key of the movement it is about: the charge of a refund, the dispute that was won
	Batch     string     `json:"batch,omitzero"`  // of the terminal, as the acquirer names it

	// What the till may have printed of the same payment; each may be empty.
	Receipt       string `json:"receipt,omitzero"`  // the till's receipt number, or the order's
	Terminal      string `json:"terminal,omitzero"` // the terminal or its number
	Store         string `json:"store,omitzero"`    // the store or location, as the provider names it
	Authorisation string `json:"authorisation,omitzero"`
	LastFour      string `json:"last_four,omitzero"` // of the card: four digits
	Brand         string `json:"brand,omitzero"`     // as the provider names it
	Raw           string `json:"raw,omitzero"`       // the provider's own word for the kind
}

// Presented is what a customer paid in a currency other than the balance's.
type Presented struct {
	Currency string        `json:"currency"`
	Amount   money.Decimal `json:"amount"`        // as signed as the movement's
	Rate     money.Decimal `json:"rate,omitzero"` // one unit of it in the balance's currency
}

// Change is by how much the movement changed what the provider owes, or
// money.ErrRange.
func (m Movement) Change() (money.Decimal, error) { return money.Sub(m.Amount, m.Fee) }

// States of a payout.
const (
	Pending  = "pending" // announced
	OnTheWay = "on_the_way"
	Arrived  = "arrived" // by the provider's word; the bank's is a BankLine
	Failed   = "failed"
	Canceled = "canceled"
)

// Payout is one payment of a provider to the bank. It is identified by Provider,
// Account and Key; a later statement takes the place of the earlier one.
type Payout struct {
	Provider string `json:"provider"`
	Account  string `json:"account,omitzero"`
	Key      string `json:"key"` // as the provider names it: what Movement.Payout refers to
	State    string `json:"state,omitzero"`
	Currency string `json:"currency"` // in which it was sent to the bank
	// Amount is what the bank should credit: positive where the merchant is paid,
	// negative where the provider takes money from the bank.
	Amount    money.Decimal `json:"amount"`
	Fee       money.Decimal `json:"fee,omitzero"`       // charged for the payout itself and not in Amount, as for an instant one; positive where kept
	Created   time.Time     `json:"created,omitzero"`   // UTC
	Expected  bizday.Day    `json:"expected,omitzero"`  // at the bank, by the provider's word; empty: not said
	Arrival   bizday.Day    `json:"arrival,omitzero"`   // at the bank, by the provider's word; empty: not yet
	Reference string        `json:"reference,omitzero"` // what the bank is told, as it should stand in the bank's line
	Instant   bool          `json:"instant,omitzero"`   // sent at once for a fee, apart from the schedule
	Reason    string        `json:"reason,omitzero"`    // of a failure, the provider's word
}

// Balance is what a provider says it owes at a moment.
type Balance struct {
	Provider  string        `json:"provider"`
	Account   string        `json:"account,omitzero"`
	Currency  string        `json:"currency"`
	At        time.Time     `json:"at"` // UTC
	Available money.Decimal `json:"available,omitzero"`
	Pending   money.Decimal `json:"pending,omitzero"`
	Reserved  money.Decimal `json:"reserved,omitzero"` // held back, and in neither of the others
}

// BankLine is one line of a bank statement. It is identified by Account and Key.
type BankLine struct {
	Account      string         `json:"account,omitzero"` // IBAN or account number
	Key          string         `json:"key"`              // the bank's reference; else made of the statement and its place there
	Booked       bizday.Day     `json:"booked,omitzero"`  // when the bank booked it
	Value        bizday.Day     `json:"value,omitzero"`   // from when it bears interest; empty: not said
	Currency     string         `json:"currency"`
	Amount       money.Decimal  `json:"amount"`             // positive where the account is credited
	Reference    string         `json:"reference,omitzero"` // end-to-end or payment reference, as the payer stated it
	Text         string         `json:"text,omitzero"`
	Counterparty string         `json:"counterparty,omitzero"`
	Balance      *money.Decimal `json:"balance,omitzero"` // of the account after the line; nil: not said
}

// Taken is one tender of a receipt that a provider is to settle, as the till rang
// it up.
type Taken struct {
	Document string        `json:"document"` // key
	Index    int           `json:"index"`    // of the tender in its document, from 0
	Store    string        `json:"store,omitzero"`
	Terminal string        `json:"terminal,omitzero"`
	Day      bizday.Day    `json:"day,omitzero"` // business day
	At       time.Time     `json:"at"`           // UTC; zero: the till's time could not be read
	Currency string        `json:"currency"`
	Amount   money.Decimal `json:"amount"` // into the till: negative for a refund, and for what a void took back
	// Booked is what it is worth in the account's currency as the books have it,
	// where Currency is another.
	Booked   money.Decimal       `json:"booked,omitzero"`
	Kind     document.TenderKind `json:"kind"`
	Label    string              `json:"label,omitzero"` // the till's own name of it
	Receipt  string              `json:"receipt,omitzero"`
	Acquirer string              `json:"acquirer,omitzero"`
	MID      string              `json:"mid,omitzero"` // the merchant's number with the acquirer
	Batch    string              `json:"batch,omitzero"`
	Brand    string              `json:"brand,omitzero"`
	LastFour string              `json:"last_four,omitzero"`
}
