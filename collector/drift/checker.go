package drift

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/work"
)

const (
	// Daily is how often all of a connection is compared.
	Daily = 24 * time.Hour
	// askEvery is how often a target that tells is asked what was changed.
	askEvery = time.Hour
	// mostRead is how many postings are read back in one pass.
	mostRead = 50
	// Settling is how far the clocks of two collectors may be apart: what was posted
	// so shortly before the books were read is read back by itself.
	Settling = 2 * time.Minute
	// rest is how long a connection is left alone that could not be read.
	rest = 10 * time.Minute
)

// Checker compares. Any number of them may share the work.
type Checker struct {
	Store     Store
	Directory merchant.Directory
	Target    func(m merchant.Merchant, c merchant.Connection) (target.Target, error)
	Now       func() time.Time
	Share     *work.Share // nil: there is no other

	mu    sync.Mutex
	asked map[[2]string]time.Time // when the target was last asked what changed
	rests map[[2]string]time.Time // not before
}

// Pass is what one pass over all connections came to.
type Pass struct {
	Compared int // connections of which everything was compared
	Read     int // postings that were read back
	Found    int // differences
	Doubles  int // documents that were taken off
}

// Sweep looks at each connection that is to be looked at. One that cannot be read
// does not keep the others from it; the errors come back together.
func (c *Checker) Sweep(ctx context.Context) (Pass, error) {
	all, err := c.Store.Books(ctx)
	if err != nil {
		return Pass{}, fmt.Errorf("find what is to be compared: %w", err)
	}
	all = slices.DeleteFunc(all, func(b Books) bool { return !c.toLookAt(b) })
	subjects := make([]work.Subject, len(all))
	for i, b := range all {
		subjects[i] = work.Subject{Merchant: b.Merchant, Name: "drift " + b.Target}
	}
	var pass Pass
	var errs []error
	err = c.Share.Each(ctx, subjects, func(ctx context.Context, i int) time.Duration {
		if err := c.look(ctx, all[i], &pass); err != nil && !errors.Is(err, work.ErrLost) {
			c.note(c.restsOf(), all[i], c.Now().Add(rest))
			errs = append(errs, fmt.Errorf("compare connection %s of merchant %s: %w", all[i].Target, all[i].Merchant, err))
		}
		return 0
	})
	return pass, errors.Join(append(errs, err)...)
}

// Check compares all of one connection now.
func (c *Checker) Check(ctx context.Context, merchantID, connection string) (Pass, error) {
	var pass Pass
	err := c.look(ctx, Books{Merchant: merchantID, Target: connection}, &pass)
	if err != nil {
		err = fmt.Errorf("compare connection %s of merchant %s: %w", connection, merchantID, err)
	}
	return pass, err
}

func (c *Checker) restsOf() map[[2]string]time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rests == nil {
		c.rests, c.asked = map[[2]string]time.Time{}, map[[2]string]time.Time{}
	}
	return c.rests
}

func (c *Checker) note(in map[[2]string]time.Time, b Books, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in[[2]string{b.Merchant, b.Target}] = at
}

// whole reports whether everything is to be compared.
func (c *Checker) whole(b Books) bool {
	return !b.CheckedAt.After(b.WokenAt) && !b.WokenAt.IsZero() || !c.Now().Before(b.CheckedAt.Add(Daily))
}

func (c *Checker) toLookAt(b Books) bool {
	rests := c.restsOf()
	c.mu.Lock()
	defer c.mu.Unlock()
	id := [2]string{b.Merchant, b.Target}
	if c.Now().Before(rests[id]) {
		return false
	}
	return c.whole(b) || b.Unread || !c.Now().Before(c.asked[id].Add(askEvery))
}

// look looks at one connection.
func (c *Checker) look(ctx context.Context, b Books, pass *Pass) error {
	m, err := c.Directory.Merchant(ctx, b.Merchant)
	if err != nil {
		return err
	}
	connection, known := m.Connection(b.Target)
	if !known {
		return fmt.Errorf("merchant %s has no connection %q", m.ID, b.Target)
	}
	t, err := c.Target(m, connection)
	if err != nil {
		return err
	}
	switch {
	case c.whole(b):
		return c.compareAll(ctx, m, b, t, pass)
	case b.Unread:
		return c.readBack(ctx, b, t, pass)
	}
	c.note(c.asked, b, c.Now())
	return c.follow(ctx, m, b, t, pass)
}

// follow compares everything if the target tells that something of ours changed.
func (c *Checker) follow(ctx context.Context, m merchant.Merchant, b Books, t target.Target, pass *Pass) error {
	f, ok := t.(target.Follower)
	if !ok {
		return nil
	}
	ids, references, err := f.Changed(ctx, b.CheckedAt)
	if err != nil || len(ids) == 0 {
		return err
	}
	postings, err := c.Store.Believed(ctx, b.Merchant, b.Target)
	if err != nil {
		return err
	}
	for _, p := range postings {
		// One that was posted since is told too; it is read back by itself.
		if p.SettledAt.Before(b.CheckedAt) && (slices.Contains(ids, p.RemoteID) || slices.Contains(references, p.Reference)) {
			return c.compareAll(ctx, m, b, t, pass)
		}
	}
	return nil
}

// compareAll compares everything that stands under the references of a merchant's
// stores.
func (c *Checker) compareAll(ctx context.Context, m merchant.Merchant, b Books, t target.Target, pass *Pass) error {
	at := c.Now()
	// What is posted while the books are read is found there and not known yet, so
	// what is believed is read last. What is taken off meanwhile is under way then.
	var held []target.Held
	for _, s := range m.Stores {
		some, err := target.HeldBy(ctx, t, posting.Prefix(s))
		if err != nil {
			return err
		}
		held = append(held, some...)
	}
	postings, err := c.Store.Believed(ctx, b.Merchant, b.Target)
	if err != nil {
		return err
	}
	// What was posted after the books began to be read may be missing there.
	read := at.Add(-Settling)
	postings = slices.DeleteFunc(postings, func(p posting.Posting) bool {
		late := !p.SettledAt.IsZero() && !p.SettledAt.Before(read)
		if late {
			held = slices.DeleteFunc(held, func(h target.Held) bool { return h.Reference == p.Reference })
		}
		return late
	})
	pass.Compared++
	return c.found(ctx, b, t, "", Compare(postings, held), at, pass)
}

// readBack reads postings that were posted since.
func (c *Checker) readBack(ctx context.Context, b Books, t target.Target, pass *Pass) error {
	postings, err := c.Store.Unread(ctx, b.Merchant, b.Target, mostRead)
	if err != nil {
		return err
	}
	for _, p := range postings {
		held, err := target.HeldBy(ctx, t, p.Reference)
		if err != nil {
			return err
		}
		held = slices.DeleteFunc(held, func(h target.Held) bool { return h.Reference != p.Reference })
		pass.Read++
		if err := c.found(ctx, b, t, p.Reference, Compare([]posting.Posting{p}, held), c.Now(), pass); err != nil {
			return err
		}
	}
	return nil
}

// found takes off what is doubled, and stores the rest.
func (c *Checker) found(ctx context.Context, b Books, t target.Target, reference string, findings []Finding, at time.Time, pass *Pass) error {
	inspector, removes := t.(target.Inspector)
	for i := range findings {
		f := &findings[i]
		f.Merchant, f.Target, f.FoundAt, f.SeenAt = b.Merchant, b.Target, at, at
		if f.Code == Doubled && removes {
			switch err := inspector.Remove(ctx, f.Reference, f.RemoteID); {
			case err == nil:
				f.State, f.Text = Fixed, f.Text+"; it was taken off"
				pass.Doubles++
				continue
			case errors.Is(err, target.ErrRefused):
				f.Text += "; it could not be taken off: " + err.Error()
			default:
				return fmt.Errorf("take off a double of %s: %w", f.Reference, err)
			}
		}
		pass.Found++
	}
	return c.Store.Found(ctx, b.Merchant, b.Target, reference, findings, at)
}
