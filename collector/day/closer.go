package day

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/reconcile"
	"tillbook.example/tillbook/collector/work"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// maxMoves is how often one close begins again because documents keep arriving;
// then the day is left to the next pass.
const maxMoves = 5

// Points of a close at which Closer.At is called.
const (
	AtFacts   = "facts read"
	AtDecided = "decided"
	AtBuilt   = "built"
	AtSave    = "before save"
	AtSaved   = "saved"
)

// Closer closes days. Any number of them may work on the same store: those that
// share the work leave each other's days alone, and what they save is compared
// with the version it was made from.
type Closer struct {
	Store Store
	Now   func() time.Time
	// Mapping returns a mapping by its version, so that a document that comes late
	// is booked as its day was; nil: always the mapping that holds now.
	Mapping func(ctx context.Context, merchantID string, version int) (merchant.Mapping, error)
	// Rest is how long Sweep leaves a day alone that it found not ready: reading
	// all days of all stores anew each second would be most of a collector's work.
	Rest time.Duration
	// Glances returns what little tells that unsettled days of a merchant wait, in
	// any order; nil: each is read whole.
	Glances func(ctx context.Context, merchantID string, days []Ref) ([]Glance, error)
	// Share is this collector's part of the work; nil: there is no other.
	Share *work.Share
	// Most is how many days of one merchant a pass closes, so that a merchant with
	// many to catch up on does not keep the others waiting; 0: all.
	Most int
	// At is called at each point of a close, by tests; it may be nil.
	At func(point string)

	wholes map[Ref]whole // of Sweep alone

	mu    sync.Mutex
	rests map[Ref]time.Time // not before
}

// Pass is what one pass over the days came to.
type Pass struct {
	Looked, Closed, Held int
}

// Sweep looks once at every unsettled day that has rested, merchants in turn, the
// oldest day of each first: one with many days, or large ones, keeps another
// waiting for one of its days at most. A day that fails does not keep the others
// from being closed; the errors come back together.
// It must not run twice at once.
func (c *Closer) Sweep(ctx context.Context) (Pass, error) {
	refs, err := c.Store.Unsettled(ctx)
	if err != nil {
		return Pass{}, fmt.Errorf("find days to close: %w", err)
	}
	var pass Pass
	c.forget(refs)
	seen, err := c.look(ctx, c.rested(refs))
	errs := []error{err}
	refs = inTurn(seen.stirring)
	subjects := make([]work.Subject, len(refs))
	for i, ref := range refs {
		subjects[i] = work.Subject{Merchant: ref.Merchant, Name: fmt.Sprintf("day %s %s", ref.Store, ref.Day)}
	}
	closed := map[string]int{} // by merchant
	err = c.Share.Each(ctx, subjects, func(ctx context.Context, i int) time.Duration {
		if c.Most > 0 && closed[refs[i].Merchant] >= c.Most {
			c.wake(refs[i])
			return 0
		}
		if seen.reworded[refs[i]] {
			switch done, err := c.reword(ctx, refs[i]); {
			case err != nil && !errors.Is(err, work.ErrLost) && !errors.Is(err, ErrMoved):
				errs = append(errs, err)
				return c.Rest
			case done:
				return c.Rest
			}
		}
		pass.Looked++
		switch state, err := c.Close(ctx, refs[i]); {
		case errors.Is(err, work.ErrLost):
		case err != nil:
			errs = append(errs, err)
		case state == Ready:
			pass.Closed++
			closed[refs[i].Merchant]++
			return 0
		case state == Held:
			pass.Held++
		}
		return c.Rest
	})
	return pass, errors.Join(append(errs, err)...)
}

// inTurn sorts days so that each merchant has one in each round.
func inTurn(refs []Ref) []Ref {
	rounds, round := map[Ref]int{}, map[string]int{}
	for _, ref := range refs {
		rounds[ref] = round[ref.Merchant]
		round[ref.Merchant]++
	}
	sorted := slices.Clone(refs)
	slices.SortStableFunc(sorted, func(a, b Ref) int { return rounds[a] - rounds[b] })
	return sorted
}

// rested returns the days that have rested, and lets them rest again.
func (c *Closer) rested(refs []Ref) []Ref {
	if c.Rest == 0 {
		return refs
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now, rests := c.Now(), map[Ref]time.Time{}
	var rested []Ref
	for _, ref := range refs {
		rests[ref] = c.rests[ref]
		if !now.Before(rests[ref]) {
			rests[ref] = now.Add(c.Rest)
			rested = append(rested, ref)
		}
	}
	c.rests = rests // those that are settled are forgotten
	return rested
}

// wake lets a day be looked at in the next pass.
func (c *Closer) wake(ref Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.rests, ref)
}

// Close decides one day and saves its entry, or its state and what holds it, and
// returns the state. Where documents arrive meanwhile it begins again.
func (c *Closer) Close(ctx context.Context, ref Ref) (string, error) {
	for range maxMoves {
		state, err := c.close(ctx, ref)
		if !errors.Is(err, ErrMoved) {
			if err != nil {
				err = fmt.Errorf("close day %s of store %s, merchant %s: %w", ref.Day, ref.Store, ref.Merchant, err)
			}
			return state, err
		}
	}
	return Closing, nil
}

func (c *Closer) close(ctx context.Context, ref Ref) (string, error) {
	f, err := c.Store.Facts(ctx, ref)
	if errors.Is(err, document.ErrNewer) {
		return c.tooNew(ctx, ref, err)
	}
	if err != nil {
		return "", err
	}
	c.at(AtFacts)
	now := c.Now()
	d, err := Decide(f, now)
	if err != nil {
		return "", err
	}
	c.at(AtDecided)
	if d.State != Ready {
		return d.State, c.set(ctx, f.StoreDay, d.State, d.Hold, now)
	}
	e, hold, err := c.build(ctx, f, d)
	if err != nil {
		return "", err
	}
	c.at(AtBuilt)
	if hold != nil {
		return Held, c.set(ctx, f.StoreDay, Held, hold, now)
	}
	e.At = now
	c.at(AtSave)
	if err := c.Store.Save(ctx, e); err != nil {
		return "", err
	}
	c.at(AtSaved)
	return Ready, nil
}

// set stores a state, if it is another than the stored one.
func (c *Closer) set(ctx context.Context, d StoreDay, state string, hold *Hold, now time.Time) error {
	if d.State == state && (hold == nil) == (d.Hold == nil) && (hold == nil || *hold == *d.Hold) && state != External {
		return nil
	}
	return c.Store.Set(ctx, d.Ref, d.Version, state, hold, now)
}

// tooNew holds a day with a document that was written by a newer version.
func (c *Closer) tooNew(ctx context.Context, ref Ref, cause error) (string, error) {
	days, err := c.Store.Days(ctx, ref.Merchant)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(days, func(d StoreDay) bool { return d.Ref == ref })
	if i < 0 {
		return "", cause
	}
	hold := &Hold{HoldNeedsUpgrade, OwnerPlatform, fmt.Sprintf("Upgrade the collector: %v.", cause)}
	return Held, c.set(ctx, days[i], Held, hold, c.Now())
}

// build proves a day and makes its entry, or says what holds it.
func (c *Closer) build(ctx context.Context, f Facts, d Decision) (Entry, *Hold, error) {
	var previous Entry
	var before Proof
	if f.Entry > 0 {
		var err error
		if previous, err = c.Store.Entry(ctx, f.Ref, 0); err != nil {
			return Entry{}, nil, fmt.Errorf("read the entry before: %w", err)
		}
		if err := before.Read(previous.Proof); err != nil {
			return Entry{}, nil, err
		}
	}
	mapping, found := f.Merchant.MappingFor(f.Day)
	if !found {
		return Entry{}, &Hold{HoldMapping, OwnerAccountant, fmt.Sprintf("Add a mapping that holds on %s to the configuration of merchant %s.", f.Day, f.Merchant.ID)}, nil
	}
	reason := reasonOf(f, d, previous, before, mapping)
	var built made
	tried := false
	if reason != ReasonMapping && f.Entry > 0 && previous.Mapping != mapping.Version && c.Mapping != nil {
		old, err := c.Mapping(ctx, f.Ref.Merchant, previous.Mapping)
		if err != nil {
			return Entry{}, nil, fmt.Errorf("read mapping %d: %w", previous.Mapping, err)
		}
		built = makeEntry(f, old, nil)
		tried = len(built.problems) == 0
	}
	if !tried {
		built = makeEntry(f, mapping, nil)
	}
	if hold := built.hold(); hold != nil {
		return Entry{}, hold, nil
	}
	kept := Proof{Proof: built.proof, By: d.By, Missing: d.Gaps, Documents: revisions(f.Documents), Originals: originals(f.Originals), Earlier: revisions(spanned(f))}
	if !built.proof.Proven {
		open := opened(built.proof)
		if missing, ok := reconcile.NotReceived(built.proof, documentsOf(f)); ok && d.Late && f.Merchant.Unproven == merchant.UnprovenZ {
			built = makeEntry(f, built.by, missing)
			if hold := built.hold(); hold != nil {
				return Entry{}, hold, nil
			}
			kept.NotReceived = missing
		} else if !d.Late || !f.Merchant.PostUnproven(largest(open, f.Merchant.Currency)) {
			return Entry{}, &Hold{HoldNotProven, OwnerAccountant, sentence(open[0].Text, len(open)-1)}, nil
		}
		kept.Missing = append(slices.Clone(kept.Missing), "not proven: "+sentence(open[0].Text, len(open)-1))
		if reason == ReasonClose {
			reason = ReasonDeadline
		}
	}
	proof, err := kept.JSON()
	if err != nil {
		return Entry{}, nil, err
	}
	return Entry{
		Ref: f.Ref, Version: f.Version, Mapping: built.by.Version, Rules: books.Rules, Body: built.entry.Canonical(), Proof: proof, Reason: reason, Seen: f.Seen,
	}, nil, nil
}

// made is a day proven and turned into an entry by one mapping.
type made struct {
	by       merchant.Mapping
	proof    reconcile.Proof
	entry    books.Entry
	problems []books.Problem
}

// Subject is the name of a store-day in entries.
func Subject(r Ref) string { return "store-day/" + r.Store + "/" + string(r.Day) }

// gapped returns the terminals whose numbers have gaps by nature.
func gapped(s merchant.Store) []string {
	var ids []string
	for _, t := range s.Terminals {
		if t.Gaps {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

func documentsOf(f Facts) []*document.Document {
	documents := make([]*document.Document, 0, len(f.Documents))
	for _, s := range f.Documents {
		documents = append(documents, s.Document)
	}
	return documents
}

// makeEntry proves a day and books it, what was not received by the Z that counts
// it.
func makeEntry(f Facts, m merchant.Mapping, missing []books.NotReceived) made {
	documents := documentsOf(f)
	var earlier []*document.Document
	for _, s := range spanned(f) {
		earlier = append(earlier, s.Document)
	}
	proof := reconcile.Prove(reconcile.Input{
		Documents: documents, Originals: f.Originals, Previous: f.Previous, Earlier: earlier, Rounding: m.Mapping.Rounding, Accepted: f.Accepted,
		Gapped: gapped(f.Store),
	})
	entry, problems := books.Build(books.Input{
		Merchant: f.Ref.Merchant, Subject: Subject(f.Ref), Store: f.Ref.Store, Day: string(f.Day), Currency: f.Merchant.Currency,
		Mapping: m.Mapping, MappingVersion: m.Version,
		Documents: documents, Originals: f.Originals, OverShort: reconcile.OverShort(proof), NotReceived: missing,
	})
	return made{m, proof, entry, problems}
}

// hold turns the first of the books' problems into what holds the day.
func (m made) hold() *Hold {
	if len(m.problems) == 0 {
		return nil
	}
	p := m.problems[0]
	h := &Hold{HoldMapping, OwnerAccountant, sentence(p.Text, len(m.problems)-1)}
	switch p.Code {
	case books.UnknownKind:
		h.Reason, h.Owner = HoldNeedsUpgrade, OwnerPlatform
	case books.OriginalMissing, books.Unbalanced, books.OutOfRange, books.Duplicate:
		h.Reason = HoldNotProven
	}
	return h
}

func opened(p reconcile.Proof) []reconcile.Difference {
	return slices.DeleteFunc(slices.Clone(p.Differences), func(d reconcile.Difference) bool { return d.State != reconcile.Opened })
}

// largest returns the largest amount of differences; one in another currency is
// larger than any limit.
func largest(open []reconcile.Difference, currency string) money.Decimal {
	var most money.Decimal
	for _, d := range open {
		if d.Amount != 0 && d.Currency != "" && d.Currency != currency {
			return money.Max
		}
		most = max(most, d.Amount.Abs())
	}
	return most
}

func sentence(text string, more int) string {
	if more == 0 {
		return text
	}
	return fmt.Sprintf("%s (And %d more.)", text, more)
}

// reasonOf says why an entry is made.
func reasonOf(f Facts, d Decision, previous Entry, before Proof, mapping merchant.Mapping) string {
	if f.Entry == 0 {
		if d.By == ByDeadline {
			return ReasonDeadline
		}
		return ReasonClose
	}
	known := map[string]int{}
	for _, r := range before.Documents {
		known[r.Key] = r.Revision
	}
	changed, reread := len(known), 0 // changed counts documents that are gone, too
	for _, s := range f.Documents {
		revision, was := known[s.Key]
		if was {
			changed--
		}
		if was && revision == s.Revision {
			continue
		}
		changed++
		if s.Document.Source.Reason == ReasonRecipe {
			reread++
		}
	}
	switch {
	case changed == 0 && (previous.Mapping != mapping.Version || previous.Rules != books.Rules):
		return ReasonMapping
	case changed > 0 && changed == reread:
		return ReasonRecipe
	}
	return ReasonLate
}

func (c *Closer) at(point string) {
	if c.At != nil {
		c.At(point)
	}
}

// WhatIf makes a day's proof and entry as they would be with a mapping.
func WhatIf(f Facts, m books.Mapping) (reconcile.Proof, books.Entry, []books.Problem) {
	made := makeEntry(f, merchant.Mapping{Mapping: m}, nil)
	return made.proof, made.entry, made.problems
}

// Look makes a day's proof and entry as it stands, with the mapping that holds
// for it now, without closing it: what a person looks at before accepting a
// difference. known is false if no mapping holds on the day; then only the proof
// is made.
func Look(f Facts) (proof reconcile.Proof, entry books.Entry, problems []books.Problem, known bool) {
	m, known := f.Merchant.MappingFor(f.Day)
	made := makeEntry(f, m, nil)
	return made.proof, made.entry, made.problems, known
}
