package settle

import (
	"fmt"
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
	"tillbook.example/tillbook/shared/suggest"
)

// Account is one clearing balance: what one provider owes a merchant in one
// currency, and how its facts are to be read.
type Account struct {
	Provider string        `yaml:"provider" json:"provider"`
	Account  string        `yaml:"account,omitempty" json:"account,omitzero"`
	Currency string        `yaml:"currency" json:"currency"`
	From     bizday.Day    `yaml:"from" json:"from"`                          // the first day that is compared
	Opening  money.Decimal `yaml:"opening,omitempty" json:"opening,omitzero"` // what the provider owed as that day began
	Zone     string        `yaml:"zone" json:"zone"`                          // of the provider's days
	Cutoff   string        `yaml:"cutoff,omitempty" json:"cutoff,omitzero"`   // of the provider's days, HH:MM; empty: midnight

	// Tender and Label are how the tills ring up what the account settles, where the
	// mapping gives that an account of its own; empty: cards. FeeTax is the till's
	// code of the tax in fees, as the mapping's tax rules have it; empty: fees are
	// booked with their tax.
	Tender document.TenderKind `yaml:"tender,omitempty" json:"tender,omitzero"`
	Label  string              `yaml:"label,omitempty" json:"label,omitzero"`
	FeeTax string              `yaml:"fee_tax,omitempty" json:"fee_tax,omitzero"`

	// Takes says which tenders the provider is to settle; empty: every card and
	// wallet.
	Takes []Rule `yaml:"takes,omitempty" json:"takes,omitzero"`
	// Stores and Brands are the merchant's own stores, as the provider names them,
	// and the brands that this account settles; empty: all.
	Stores []string `yaml:"stores,omitempty" json:"stores,omitzero"`
	Brands []string `yaml:"brands,omitempty" json:"brands,omitzero"`

	Bank  string   `yaml:"bank,omitempty" json:"bank,omitzero"`   // account of the bank where payouts come; empty: any
	Payer []string `yaml:"payer,omitempty" json:"payer,omitzero"` // words by which the bank's lines tell the provider

	// Window is how many days apart a tender and its movement may be that have
	// nothing but their amount in common, and a payout and the bank's line. Waits is
	// how many days the other side may take before something is missing. 0: the
	// defaults.
	Window int `yaml:"window,omitempty" json:"window,omitzero"`
	Waits  int `yaml:"waits,omitempty" json:"waits,omitzero"`
}

// Defaults and limit of Account.Window and Account.Waits, in days.
const (
	DefaultWindow = 3
	DefaultWaits  = 5
	MaxDays       = 60
)

// Rule matches tenders; an empty field matches any.
type Rule struct {
	Kind     document.TenderKind `yaml:"kind,omitempty" json:"kind,omitzero"`
	Label    string              `yaml:"label,omitempty" json:"label,omitzero"`
	Acquirer string              `yaml:"acquirer,omitempty" json:"acquirer,omitzero"`
	MID      string              `yaml:"mid,omitempty" json:"mid,omitzero"`
	Store    string              `yaml:"store,omitempty" json:"store,omitzero"`
}

func (r Rule) matches(t Taken) bool {
	return (r.Kind == "" || r.Kind == t.Kind) && (r.Label == "" || r.Label == t.Label) &&
		(r.Acquirer == "" || r.Acquirer == t.Acquirer) && (r.MID == "" || r.MID == t.MID) && (r.Store == "" || r.Store == t.Store)
}

// Settles reports whether the account is to settle a tender.
func (a Account) Settles(t Taken) bool {
	if len(a.Takes) > 0 {
		return slices.ContainsFunc(a.Takes, func(r Rule) bool { return r.matches(t) })
	}
	switch t.Kind {
	case document.CardDebit, document.CardCredit, document.CardUnknown, document.Wallet:
		return true
	}
	return false
}

// pays reports whether a bank's line is of this provider.
func (a Account) pays(l BankLine) bool {
	if a.Bank != "" && l.Account != a.Bank {
		return false
	}
	text := strings.ToLower(l.Counterparty + "\n" + l.Reference + "\n" + l.Text)
	return slices.ContainsFunc(a.Payer, func(word string) bool { return word != "" && strings.Contains(text, strings.ToLower(word)) })
}

func (a Account) window() int { return days(a.Window, DefaultWindow) }
func (a Account) waits() int  { return days(a.Waits, DefaultWaits) }

// Name tells the account from the merchant's others: provider, account and currency.
func (a Account) Name() string { return a.Provider + "/" + a.Account + "/" + a.Currency }

// Check reports what is wrong with the account, each with the name of its field.
func (a Account) Check(wrong func(field, text string)) {
	text := func(field, value string, needed bool) {
		switch {
		case value == "" && needed:
			wrong(field, "is missing")
		case len(value) > maxText || strings.ContainsAny(value, "/\x00\n\r\t"):
			wrong(field, fmt.Sprintf("%q must be at most %d bytes without / and control characters", value, maxText))
		}
	}
	text("provider", a.Provider, true)
	text("account", a.Account, false)
	if _, err := money.Places(a.Currency); err != nil {
		wrong("currency", err.Error())
	}
	if _, err := bizday.Parse(string(a.From)); err != nil {
		wrong("from", err.Error()+"; it is the first day that is compared")
	}
	if !a.Opening.InRange() {
		wrong("opening", "is out of range")
	}
	if _, err := bizday.NewRule(a.Zone, a.Cutoff); err != nil {
		wrong("zone", err.Error())
	}
	kinds := document.TenderKinds
	for i, r := range a.Takes {
		if r == (Rule{}) {
			wrong(fmt.Sprintf("takes[%d]", i), "matches every tender; name a kind, label, acquirer, mid or store")
		}
		if r.Kind != "" && !slices.Contains(kinds, r.Kind) {
			wrong(fmt.Sprintf("takes[%d].kind", i), fmt.Sprintf("%q is not a kind of tender%s", r.Kind, didYouMean(string(r.Kind), kinds)))
		}
	}
	if a.Tender != "" && !slices.Contains(kinds, a.Tender) {
		wrong("tender", fmt.Sprintf("%q is not a kind of tender%s", a.Tender, didYouMean(string(a.Tender), kinds)))
	}
	for field, list := range map[string]int{"takes": len(a.Takes), "stores": len(a.Stores), "brands": len(a.Brands), "payer": len(a.Payer)} {
		if list > maxList {
			wrong(field, fmt.Sprintf("has %d items, more than %d", list, maxList))
		}
	}
	for field, n := range map[string]int{"window": a.Window, "waits": a.Waits} {
		if n < 0 || n > MaxDays {
			wrong(field, fmt.Sprintf("%d is not a number of days from 1 to %d", n, MaxDays))
		}
	}
}

// Limits of an account's texts, in bytes, and lists.
const (
	maxText = 80
	maxList = 1000
)

func didYouMean(word string, kinds []document.TenderKind) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return suggest.DidYouMean(word, words)
}

func days(n, otherwise int) int {
	if n <= 0 {
		return otherwise
	}
	return min(n, MaxDays)
}

// Tenders returns what the documents of a store-day put into the tills other than
// cash: of each receipt that counts, with the sign turned where a void undid it.
func Tenders(effects []books.Effect, store string, day bizday.Day) []Taken {
	var taken []Taken
	for _, e := range effects {
		for i, t := range e.Facts.Tenders {
			if t.Kind == document.Cash || t.Kind == document.ForeignCash || t.Amount == 0 {
				continue
			}
			amount := t.Amount
			if e.Negate {
				amount = -amount
			}
			taken = append(taken, Taken{
				Document: e.Key, Index: i, Store: store, Terminal: e.By.Key.Terminal, Day: day, At: e.By.Time.UTC, Currency: e.Facts.Currency,
				Amount: amount, Kind: t.Kind, Label: t.Label, Receipt: e.Facts.Numbers.Receipt, Acquirer: t.Acquirer, MID: t.MID, Batch: t.Batch,
				Brand: t.Brand, LastFour: lastFour(t.Masked),
			})
		}
	}
	return taken
}

// WrongTenders returns what of the differences that the proof of a store-day found
// the books took off a tender's account.
func WrongTenders(found []books.DrawerDifference, store string, day bizday.Day) []WrongTender {
	var wrong []WrongTender
	for _, d := range found {
		if d.Cause == books.WrongTender {
			wrong = append(wrong, WrongTender{Store: store, Day: day, Drawer: d.Drawer, Currency: d.Currency, Amount: d.Amount, Tender: d.Tender})
		}
	}
	return wrong
}

// lastFour returns the digits at the end of a masked number, where they are four.
func lastFour(masked string) string {
	n := len(masked)
	if n < 4 || strings.Trim(masked[n-4:], "0123456789") != "" {
		return ""
	}
	return masked[n-4:]
}
