// Package clearing keeps watch over what payment providers owe: it reads what is
// known of an account, has package settle compare it, and keeps each run with the
// versions of everything that it looked at, so that it can be made again, byte for
// byte. What people decide of proposals is kept with who decided it.
//
// Tenders are taken in from the days as they were closed: a day that was closed
// anew takes the place of what it was, and one that was not closed yet counts
// nothing. The package matches nothing itself and books nothing.
package clearing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/reconcile"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/collector/work"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// Tenders are what one store-day, as it was closed at a version, put into the
// tills other than cash.
type Tenders struct {
	day.Ref
	Version int64
	Taken   []settle.Taken
	Wrong   []settle.WrongTender
}

// Versions names all that a run looked at.
type Versions struct {
	Days      []Day      `json:"days"`
	Movements []Revision `json:"movements"`
	Payouts   []Revision `json:"payouts"`
	Lines     []Revision `json:"lines"`
	// What has no revisions of its own is kept as it was.
	Balances  []settle.Balance  `json:"balances"`
	Decisions []settle.Decision `json:"decisions"`
}

// Day is a store-day as it was closed.
type Day struct {
	Store   string     `json:"store"`
	Day     bizday.Day `json:"day"`
	Version int64      `json:"version"`
}

// Revision is a fact as it was stated.
type Revision struct {
	Account  string `json:"account,omitzero"` // of the bank
	Key      string `json:"key"`
	Revision int    `json:"revision"`
}

// Run is one comparison of an account.
type Run struct {
	Merchant string
	Account  settle.Account // as it was configured
	Number   int64          // 1, 2, ... of the account
	At       time.Time
	From, To bizday.Day
	Rules    int
	Versions Versions
	Result   settle.Result // without its pairs
	Hash     [32]byte      // of the whole result
}

// ErrNone: there is no such run.
var ErrNone = errors.New("no such run")

// ErrDiffers: a run that is made again comes to something else.
var ErrDiffers = errors.New("a run does not come to what it came to")

// Store keeps it. Each method is one transaction.
type Store interface {
	// Untendered returns the days from one on that were closed at a version whose
	// tenders are not kept, oldest first.
	Untendered(ctx context.Context, merchantID string, from bizday.Day) ([]day.Ref, error)
	Facts(ctx context.Context, ref day.Ref) (day.Facts, error)
	Entry(ctx context.Context, ref day.Ref, version int64) (day.Entry, error)
	// KeepTenders keeps a day's tenders at a version; the same again changes nothing.
	KeepTenders(ctx context.Context, t Tenders) error
	// Clearing returns what is known of an account, with its versions.
	Clearing(ctx context.Context, merchantID string, a settle.Account) (settle.Input, Versions, error)
	// ClearingAt returns what was known of it at those versions.
	ClearingAt(ctx context.Context, merchantID string, a settle.Account, at Versions) (settle.Input, error)
	// KeepRun keeps a run as the account's next and returns its number; where the
	// newest run is equal but for its time, it returns that one's.
	KeepRun(ctx context.Context, r Run) (int64, error)
	// Run returns a run of an account by its name, at 0 the newest, or ErrNone.
	Run(ctx context.Context, merchantID, account string, number int64) (Run, error)
}

// Clearer compares the accounts of merchants. Any number may work on one store.
type Clearer struct {
	Store     Store
	Directory merchant.Directory
	Now       func() time.Time
	Share     *work.Share // nil: there is no other
}

// Sweep compares each account of each merchant once, up to its provider's last
// whole day. One that fails does not keep the others from being compared.
func (c *Clearer) Sweep(ctx context.Context) (runs int, err error) {
	merchants, err := c.Directory.Merchants(ctx)
	if err != nil {
		return 0, fmt.Errorf("find accounts to compare: %w", err)
	}
	type one struct {
		m merchant.Merchant
		a settle.Account
	}
	var all []one
	var subjects []work.Subject
	for _, m := range merchants {
		for _, a := range m.Settlements {
			all = append(all, one{m, a})
			subjects = append(subjects, work.Subject{Merchant: m.ID, Name: "clearing " + a.Name()})
		}
	}
	var errs []error
	err = c.Share.Each(ctx, subjects, func(ctx context.Context, i int) time.Duration {
		_, err := c.Compare(ctx, all[i].m, all[i].a)
		switch {
		case err == nil:
			runs++
		case !errors.Is(err, work.ErrLost):
			errs = append(errs, err)
		}
		return 0
	})
	return runs, errors.Join(append(errs, err)...)
}

// Compare compares an account for the month of its provider's last whole day, and
// keeps the run.
func (c *Clearer) Compare(ctx context.Context, m merchant.Merchant, a settle.Account) (Run, error) {
	rule, err := bizday.NewRule(a.Zone, a.Cutoff)
	if err != nil {
		return Run{}, fmt.Errorf("compare %s of merchant %s: %w", a.Name(), m.ID, err)
	}
	to := rule.Of(c.Now()).Add(-1)
	return c.CompareDays(ctx, m, a, bizday.Day(string(to)[:len("2026-01-")]+"01"), to)
}

// CompareDays compares an account for the days from one to another, and keeps the
// run.
func (c *Clearer) CompareDays(ctx context.Context, m merchant.Merchant, a settle.Account, from, to bizday.Day) (Run, error) {
	run, err := c.compare(ctx, m, a, max(from, a.From), to)
	if err != nil {
		return Run{}, fmt.Errorf("compare %s of merchant %s: %w", a.Name(), m.ID, err)
	}
	return run, nil
}

func (c *Clearer) compare(ctx context.Context, m merchant.Merchant, a settle.Account, from, to bizday.Day) (Run, error) {
	if to < from {
		to = from
	}
	if err := c.takeIn(ctx, m.ID, a.From); err != nil {
		return Run{}, err
	}
	in, versions, err := c.Store.Clearing(ctx, m.ID, a)
	if err != nil {
		return Run{}, err
	}
	in.Account, in.From, in.To = a, from, to
	result, err := settle.Run(in)
	if err != nil {
		return Run{}, err
	}
	run := Run{
		Merchant: m.ID, Account: a, At: c.Now(), From: from, To: to, Rules: settle.Rules, Versions: versions, Result: result, Hash: result.Hash(),
	}
	if run.Number, err = c.Store.KeepRun(ctx, run); err != nil {
		return Run{}, err
	}
	return run, nil
}

// takeIn takes in the tenders of days that were closed.
func (c *Clearer) takeIn(ctx context.Context, merchantID string, from bizday.Day) error {
	refs, err := c.Store.Untendered(ctx, merchantID, from)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		f, err := c.Store.Facts(ctx, ref)
		if errors.Is(err, document.ErrNewer) {
			continue // the day is held for it
		}
		if err != nil {
			return err
		}
		if f.Version != f.Entry {
			continue // it is being closed anew
		}
		entry, err := c.Store.Entry(ctx, ref, f.Entry)
		if err != nil {
			return err
		}
		t, err := tendersOf(f, entry)
		if err != nil {
			return err
		}
		if err := c.Store.KeepTenders(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func tendersOf(f day.Facts, e day.Entry) (Tenders, error) {
	var proof day.Proof
	if err := proof.Read(e.Proof); err != nil {
		return Tenders{}, err
	}
	documents := make([]*document.Document, len(f.Documents))
	for i, s := range f.Documents {
		documents[i] = s.Document
	}
	effects, _ := books.Effects(documents, f.Originals) // what is unclear would have held the day
	return Tenders{
		Ref: f.Ref, Version: e.Version, Taken: settle.Tenders(effects, f.Ref.Store, f.Day),
		Wrong: settle.WrongTenders(reconcile.OverShort(proof.Proof), f.Ref.Store, f.Day),
	}, nil
}

// Replay makes a run again from the versions that it names. It fails with
// ErrDiffers where it does not come to the same, byte for byte.
func Replay(ctx context.Context, store Store, r Run) (settle.Result, error) {
	what := fmt.Sprintf("make run %d of %s, merchant %s, again", r.Number, r.Account.Name(), r.Merchant)
	if r.Rules != settle.Rules {
		return settle.Result{}, fmt.Errorf("%s: not replayable: rules %d, these are %d: %w", what, r.Rules, settle.Rules, ErrDiffers)
	}
	in, err := store.ClearingAt(ctx, r.Merchant, r.Account, r.Versions)
	if err != nil {
		return settle.Result{}, fmt.Errorf("%s: %w", what, err)
	}
	in.Account, in.From, in.To = r.Account, r.From, r.To
	result, err := settle.Run(in)
	if err != nil {
		return settle.Result{}, fmt.Errorf("%s: %w", what, err)
	}
	if result.Hash() != r.Hash {
		return result, fmt.Errorf("%s: %w", what, ErrDiffers)
	}
	return result, nil
}

// Open is what of a run is for somebody to look into: nothing that time ends by
// itself.
type Open struct {
	Differences []settle.Difference
	Payouts     []settle.PayoutProof
	Lines       []settle.OpenLine
	Proposals   []settle.Proposal
	Since       bizday.Day // the oldest of them; empty: nothing is open
}

// Open returns what of the run is open.
func (r Run) Open() Open {
	var o Open
	see := func(d bizday.Day) {
		if o.Since == "" || d < o.Since {
			o.Since = d
		}
	}
	for _, d := range r.Result.Differences {
		if d.Owner != settle.OwnerNobody {
			o.Differences = append(o.Differences, d)
			see(d.Since)
		}
	}
	for _, p := range r.Result.Payouts {
		if p.Bank == settle.Missing {
			o.Payouts = append(o.Payouts, p)
			see(p.Sent)
		}
	}
	for _, l := range r.Result.Lines {
		o.Lines = append(o.Lines, l)
		see(l.Booked)
	}
	for _, p := range r.Result.Proposals {
		o.Proposals = append(o.Proposals, p)
		see(p.Since)
	}
	return o
}

// Held returns since when the provider has held the oldest of what it owes, taking
// it that it pays the oldest first; empty where it owes nothing.
func (r Run) Held() bizday.Day {
	rest, since := r.Result.Owed, bizday.Day("")
	for _, u := range slices.Backward(r.Result.Unsettled) {
		if rest <= 0 {
			break
		}
		if u.Amount > 0 {
			rest, since = rest-u.Amount, u.Day
		}
	}
	return since
}

// Proposal returns a proposal of the run by its id, or by the begin of it where
// that is enough to tell it.
func (r Run) Proposal(id string) (settle.Proposal, error) {
	var found []settle.Proposal
	for _, p := range r.Result.Proposals {
		if p.ID == id {
			return p, nil
		}
		if len(id) >= 4 && len(p.ID) > len(id) && p.ID[:len(id)] == id {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		return settle.Proposal{}, fmt.Errorf("proposal %q: %w: %d of the newest run begin so", id, ErrNone, len(found))
	}
	return found[0], nil
}

// AccountOf returns a merchant's account by its name, or by its provider where
// that is enough to tell it.
func AccountOf(m merchant.Merchant, name string) (settle.Account, error) {
	fits := slices.DeleteFunc(slices.Clone(m.Settlements), func(a settle.Account) bool { return a.Name() != name && a.Provider != name })
	if len(fits) != 1 {
		return settle.Account{}, fmt.Errorf("account %q of merchant %s: %w: %d of its settlements are so called", name, m.ID, ErrNone, len(fits))
	}
	return fits[0], nil
}
