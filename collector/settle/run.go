package settle

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// Rules is the version of the rules in this package. It rises with every change
// that gives another result for the same input.
const Rules = 1

// Input is all that a run looks at: everything that is known of an account from
// its first day on. Facts of other accounts and currencies are passed over.
type Input struct {
	Account   Account    `json:"account"`
	From      bizday.Day `json:"from"` // the figures are of these days, both included
	To        bizday.Day `json:"to"`
	Taken     []Taken    `json:"taken"`
	Movements []Movement `json:"movements"`
	Payouts   []Payout   `json:"payouts"`
	Balances  []Balance  `json:"balances"`
	Lines     []BankLine `json:"lines"`
	// Wrong are tenders that were rung up wrong, as the proofs of the days found
	// and the books put right.
	Wrong     []WrongTender `json:"wrong"`
	Decisions []Decision    `json:"decisions"`
}

// WrongTender is what a drawer had too much of because it was rung up as a tender
// that this account settles; the books have taken it off the clearing account.
type WrongTender struct {
	Store    string        `json:"store"`
	Day      bizday.Day    `json:"day"`
	Drawer   string        `json:"drawer"`
	Currency string        `json:"currency"`
	Amount   money.Decimal `json:"amount"` // what the cash was over by; negative: short
	// Tender is what it was rung up as. The books know its kind alone, so it is on
	// the account whose tenders have no label of their own.
	Tender document.TenderKind `json:"tender"`
}

// Decision is what a person said of a proposal. The later one of the same proposal
// counts.
type Decision struct {
	Proposal Proposal  `json:"proposal"`
	Accepted bool      `json:"accepted"` // else it is never proposed again
	By       string    `json:"by"`
	At       time.Time `json:"at"`
}

// Result is what a run came to.
type Result struct {
	Rules    int        `json:"rules"`
	Provider string     `json:"provider"`
	Account  string     `json:"account,omitzero"`
	Currency string     `json:"currency"`
	From     bizday.Day `json:"from"`
	To       bizday.Day `json:"to"`

	// The clearing account as the books have it: Opening and the flows make Closing.
	Opening money.Decimal `json:"opening"`
	Flows   []Flow        `json:"flows"`
	Closing money.Decimal `json:"closing"`

	// What the provider owes at the end of To: by its movements, Owed, which is the
	// sum of Unsettled; and by its own word, Stated, where it said so.
	Owed      money.Decimal  `json:"owed"`
	Unsettled []Unsettled    `json:"unsettled"`
	Stated    *money.Decimal `json:"stated,omitzero"`

	// Differences are why Closing is not what the provider owes: Stated, or Owed
	// where it said nothing. They add up to that difference exactly.
	Differences []Difference `json:"differences"`

	Payouts   []PayoutProof `json:"payouts"` // not yet settled as From began, or since
	Lines     []OpenLine    `json:"lines"`   // of the bank, by this provider and of no known payout
	Proposals []Proposal    `json:"proposals"`
	Pairs     []Pair        `json:"pairs"` // what was matched, by Left and Right
}

// Flow is one kind of what moved the clearing account from Opening to Closing.
type Flow struct {
	Name   string        `json:"name"`
	Amount money.Decimal `json:"amount"`
	Count  int           `json:"count"`
}

// Unsettled is what the provider owes of one day's movements.
type Unsettled struct {
	Day    bizday.Day    `json:"day"`
	Amount money.Decimal `json:"amount"`
	Count  int           `json:"count"`
	Payout string        `json:"payout,omitzero"` // that did not pay just its own movements; Amount is the difference
}

// Ways in which a pair was found.
const (
	ByDecision = "decision" // a person said so
	ByKey      = "key"      // receipt number and amount
	ByBatch    = "batch"    // the terminal's batch: many tenders, one movement
	ByCard     = "card"     // same amount, day and last four digits
	ByDay      = "day"      // as many of the same amount on both sides of a day
	ByAmount   = "amount"   // the only ones of their amount near each other
	BySum      = "sum"      // the only sum that is exact
)

// Pair is two facts that belong together, by their ids.
type Pair struct {
	Left  string `json:"left"`  // the till's tender; the movement of a payout; the payout
	Right string `json:"right"` // the provider's movement; the payout; the bank's line
	How   string `json:"how"`
}

// ID returns what names the tender in pairs and proposals.
func (t Taken) ID() string { return fmt.Sprintf("tender:%s#%d", t.Document, t.Index) }

// ID returns what names the movement in pairs and proposals.
func (m Movement) ID() string { return "movement:" + m.Key }

// ID returns what names the payout in pairs and proposals.
func (p Payout) ID() string { return "payout:" + p.Key }

// ID returns what names the bank's line in pairs and proposals.
func (l BankLine) ID() string { return "line:" + l.Account + "/" + l.Key }

// ErrTwice: two different facts have one key, so it cannot be told which counts.
var ErrTwice = errors.New("two different facts under one key")

// runner holds a run while it is made.
type runner struct {
	in      Input
	account Account
	day     bizday.Rule
	known   map[int64]bizday.Day // hours: days, since most instants share theirs

	taken     []taken
	movements []movement
	payouts   []payout
	lines     []line
	groups    map[string]*group // by payout
	again     map[string]string // payout: the one that it sent again
	refused   map[string]bool

	pairs     []Pair
	proposals []Proposal
}

type taken struct {
	Taken
	id    string
	day   bizday.Day // by the provider's cut-off
	at    time.Time
	match int // index of a movement, or unmatched
}

type movement struct {
	Movement
	id        string
	day       bizday.Day
	change    money.Decimal
	matched   bool
	duplicate bool
}

type payout struct {
	Payout
	id      string
	matched bool // at the bank
}

type line struct {
	BankLine
	id      string
	matched bool
}

const unmatched = -1

// Run matches everything and adds up the figures. It fails where the account does
// not hold together, amounts are too large to add, or facts contradict each other
// under one key.
func Run(in Input) (Result, error) {
	r, err := begin(in)
	if err != nil {
		return Result{}, err
	}
	r.decide()
	r.matchTenders()
	r.matchPayouts()
	r.matchLines()
	r.propose()
	return r.result(), nil
}

func begin(in Input) (*runner, error) {
	r := &runner{in: in, account: in.Account, refused: map[string]bool{}, again: map[string]string{}, known: map[int64]bizday.Day{}}
	if err := r.load(); err != nil {
		return nil, fmt.Errorf("settle %s: %w", strings.TrimSpace(in.Account.Provider+" "+in.Account.Account+" "+in.Account.Currency), err)
	}
	return r, nil
}

// load takes in what is of the account, in an order of its own.
func (r *runner) load() (err error) {
	a := r.account
	if r.day, err = bizday.NewRule(a.Zone, a.Cutoff); err != nil {
		return err
	}
	if r.in.From < a.From {
		r.in.From = a.From
	}
	if r.in.To < r.in.From {
		return fmt.Errorf("the last day, %s, is before the first, %s", r.in.To, r.in.From)
	}
	r.taken = make([]taken, 0, len(r.in.Taken))
	r.movements = make([]movement, 0, len(r.in.Movements))
	r.pairs = make([]Pair, 0, len(r.in.Taken))
	for _, t := range r.in.Taken {
		if t.Day < a.From || t.Amount == 0 || !a.Settles(t) || t.Currency != a.Currency && t.Booked == 0 {
			continue
		}
		if t.Currency == a.Currency {
			t.Booked = t.Amount
		}
		one := taken{Taken: t, id: t.ID(), at: t.At, day: t.Day, match: unmatched}
		if t.At.IsZero() {
			one.at = r.day.Start(t.Day)
		} else {
			one.day = r.dayOf(t.At)
		}
		r.taken = append(r.taken, one)
	}
	for _, m := range r.in.Movements {
		if m.Provider != a.Provider || m.Account != a.Account || m.Currency != a.Currency || r.dayOf(m.At) < a.From {
			continue
		}
		if m.Kind == PaidOut && m.Payout == "" {
			m.Payout = m.Key
		}
		one := movement{Movement: m, id: m.ID(), day: r.dayOf(m.At)}
		if one.change, err = m.Change(); err != nil {
			return fmt.Errorf("%s: %w", one.id, err)
		}
		r.movements = append(r.movements, one)
	}
	for _, p := range r.in.Payouts {
		if p.Provider == a.Provider && p.Account == a.Account && (p.Created.IsZero() || r.dayOf(p.Created) >= a.From) {
			r.payouts = append(r.payouts, payout{Payout: p, id: p.ID()})
		}
	}
	for _, l := range r.in.Lines {
		if l.Booked >= a.From && (a.Bank == "" || l.Account == a.Bank) {
			r.lines = append(r.lines, line{BankLine: l, id: l.ID()})
		}
	}
	for _, w := range r.in.Wrong {
		if w.Currency == a.Currency && w.Day >= a.From && w.Amount != 0 && a.Label == "" && a.Settles(Taken{Kind: w.Tender, Store: w.Store}) {
			r.movements = append(r.movements, movement{
				Movement: Movement{
					Key: w.Store + "/" + string(w.Day) + "/" + w.Drawer, Kind: wrongTender, At: r.day.End(w.Day).Add(-1),
					Currency: w.Currency, Amount: w.Amount, Store: w.Store,
				},
				id: "wrong:" + w.Store + "/" + string(w.Day) + "/" + w.Drawer, day: w.Day,
			})
		}
	}
	if err := r.sort(); err != nil {
		return err
	}
	if err := r.fits(); err != nil { // before anything is added up
		return err
	}
	r.onlyMoved()
	return nil
}

// onlyMoved makes payouts of those that only the movements tell of.
func (r *runner) onlyMoved() {
	known := map[string]int{}
	for i := range r.payouts {
		known[r.payouts[i].Key] = -1
	}
	for i := range r.movements {
		m := &r.movements[i]
		if m.Kind != PaidOut {
			continue
		}
		n, there := known[m.Payout]
		if !there {
			n = len(r.payouts)
			known[m.Payout] = n
			p := Payout{Provider: m.Provider, Account: m.Account, Key: m.Payout, State: OnTheWay, Currency: m.Currency, Created: m.At}
			r.payouts = append(r.payouts, payout{Payout: p, id: p.ID()})
		}
		if n >= 0 {
			r.payouts[n].Amount -= m.change
		}
	}
	slices.SortFunc(r.payouts, orderPayouts)
}

func orderPayouts(x, y payout) int {
	return cmp.Or(x.Created.Compare(y.Created), cmp.Compare(x.Key, y.Key))
}

// sort puts everything into an order that does not depend on that of the input,
// and drops what is there twice.
func (r *runner) sort() error {
	var errs [4]error
	r.taken, errs[0] = once(r.taken, func(x, y taken) int {
		return cmp.Or(x.at.Compare(y.at), cmp.Compare(x.id, y.id))
	}, func(t taken) (string, any) { return t.id, t.Taken })
	r.movements, errs[1] = once(r.movements, func(x, y movement) int {
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.id, y.id))
	}, func(m movement) (string, any) { return m.id, m.Movement })
	r.payouts, errs[2] = once(r.payouts, orderPayouts, func(p payout) (string, any) { return p.id, p.Payout })
	r.lines, errs[3] = once(r.lines, func(x, y line) int {
		return cmp.Or(cmp.Compare(x.Booked, y.Booked), cmp.Compare(x.id, y.id))
	}, func(l line) (string, any) { return l.id, l.BankLine })
	return errors.Join(errs[:]...)
}

// once sorts facts and drops copies; different ones of one id are an error.
func once[T any](all []T, order func(x, y T) int, of func(T) (id string, fact any)) ([]T, error) {
	slices.SortFunc(all, order)
	seen := make(map[string]int, len(all))
	kept := all[:0]
	for _, one := range all {
		id, fact := of(one)
		i, twice := seen[id]
		if !twice {
			seen[id] = len(kept)
			kept = append(kept, one)
			continue
		}
		_, other := of(kept[i])
		x, err := json.Marshal(fact)
		y, err2 := json.Marshal(other)
		if err := errors.Join(err, err2); err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		if !bytes.Equal(x, y) {
			return nil, fmt.Errorf("%s: %w", id, ErrTwice)
		}
	}
	return kept, nil
}

// fits fails where the amounts, each without its sign, cannot be added up. Where
// they can, no sum of some of them overflows, and sums need no check.
func (r *runner) fits() error {
	var all money.Sum
	all.Add(r.account.Opening.Abs())
	for _, t := range r.taken {
		all.Add(t.Booked.Abs())
		all.Add(t.Amount.Abs())
	}
	for _, m := range r.movements {
		all.Add(m.Amount.Abs())
		all.Add(m.Fee.Abs())
	}
	for _, p := range r.payouts {
		all.Add(p.Amount.Abs())
		all.Add(p.Fee.Abs())
	}
	for _, l := range r.lines {
		all.Add(l.Amount.Abs())
	}
	for _, b := range r.in.Balances {
		all.Add(b.Available.Abs())
		all.Add(b.Pending.Abs())
	}
	_, err := all.Value()
	return err
}

// dayOf is the provider's day of an instant. Since 1972 a day begins on a whole quarter of an
// hour in every zone there is, so instants of one quarter share theirs.
func (r *runner) dayOf(t time.Time) bizday.Day {
	if r.day.Cutoff%(15*time.Minute) != 0 {
		return r.day.Of(t)
	}
	quarter := t.Unix() / (15 * 60)
	if t.Unix() < 0 {
		return r.day.Of(t)
	}
	d, known := r.known[quarter]
	if !known {
		d = r.day.Of(t)
		r.known[quarter] = d
	}
	return d
}

func (r *runner) pair(left, right, how string) {
	r.pairs = append(r.pairs, Pair{Left: left, Right: right, How: how})
}

// Canonical returns the result as JSON, byte for byte the same for the same input
// in whatever order.
func (r Result) Canonical() []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	// Nothing in a Result can fail to encode: strings, integers and Decimals.
	_ = enc.Encode(r)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// Hash returns the SHA-256 of Canonical.
func (r Result) Hash() [sha256.Size]byte { return sha256.Sum256(r.Canonical()) }
