package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/reconcile"
	"tillbook.example/tillbook/shared/document"
)

// entry is what the audit reads of an entry's body, by a type of its own.
type entry struct {
	Merchant       string `json:"merchant"`
	Subject        string `json:"subject"`
	Store          string `json:"store"`
	Day            string `json:"day"`
	Currency       string `json:"currency"`
	Rules          int    `json:"rules"`
	MappingVersion int    `json:"mapping_version"`
	Lines          []struct {
		Account  string `json:"account"`
		Side     string `json:"side"`
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
		Foreign  *struct {
			Currency string `json:"currency"`
			Amount   int64  `json:"amount"`
			Rate     string `json:"rate"`
		} `json:"foreign"`
		Tax *struct {
			Code         string `json:"code"`
			Base         int64  `json:"base"`
			Amount       int64  `json:"amount"`
			Direction    string `json:"direction"`
			Jurisdiction string `json:"jurisdiction"`
		} `json:"tax"`
		Dimensions map[string]string `json:"dimensions"`
		Rule       string            `json:"rule"`
		Documents  []struct {
			Key    string `json:"key"`
			Amount int64  `json:"amount"`
		} `json:"documents"`
	} `json:"lines"`
}

// reasons an entry may have: the first of a day, and later ones.
var (
	firstReasons = []string{"close", "deadline"}
	laterReasons = []string{"late", "recipe", "mapping", "deadline"}
)

// entries checks every entry by itself (P4, P10), and the entries of each day
// one after the other (P8).
func (r *reading) entries(l *ledger) {
	for _, ref := range ordered(l.entries) {
		at := int64(0)
		for i, e := range l.entries[ref] {
			r.checked(p8)
			allowed := laterReasons
			if i == 0 {
				allowed = firstReasons
			}
			if e.Version <= at {
				r.broken(p8, where(ref), "entry %d follows %d", e.Version, at)
			}
			at = e.Version
			if !slices.Contains(allowed, e.Reason) {
				r.broken(p8, where(ref), "entry %d has the reason %q", e.Version, e.Reason)
			}
			r.balance(l, e)
		}
		d, known := l.days[ref]
		switch {
		case !known:
			r.broken(p8, where(ref), "there are entries of a day that is not kept")
		case d.Entry < at:
			r.broken(p8, where(ref), "the day names entry %d, the newest is %d", d.Entry, at)
		}
	}
	for _, ref := range ordered(l.days) {
		d := l.days[ref]
		r.checked(p8)
		switch {
		case d.State == day.Ready && d.Entry == 0:
			r.broken(p8, where(ref), "the day is ready without an entry")
		case d.State == day.External && d.Entry > 0:
			r.broken(p8, where(ref), "the day is external, but has an entry")
		}
		if c := l.documents[ref].conflicts; c > 0 {
			r.checked(p3)
			if d.State == day.Ready && d.Entry == d.Version {
				r.broken(p3, where(ref), "the day is closed over %d conflicts", c)
			}
		}
		if d.State == day.Held {
			r.state(p12)
		}
	}
}

// balance checks that an entry balances, that its lines are made of their
// documents, and that it is of the day it is kept for.
func (r *reading) balance(l *ledger, e day.Entry) {
	at := fmt.Sprintf("%s, entry %d", where(e.Ref), e.Version)
	r.checked(p4)
	var body entry
	if err := json.Unmarshal(e.Body, &body); err != nil {
		r.broken(p4, at, "it cannot be read: %v", err)
		return
	}
	var sum int64
	for i, line := range body.Lines {
		sign := int64(1)
		switch line.Side {
		case "CREDIT":
			sign = -1
		case "DEBIT":
		default:
			r.broken(p4, at, "line %d is on side %q", i+1, line.Side)
		}
		sum += sign * line.Amount
		var shares int64
		for _, s := range line.Documents {
			shares += s.Amount
		}
		switch {
		case line.Amount < 0:
			r.broken(p4, at, "line %d has the amount %d", i+1, line.Amount)
		case shares != line.Amount:
			r.broken(p5, at, "line %d is %d, its documents' shares are %d", i+1, line.Amount, shares)
		case line.Account == "":
			r.broken(p4, at, "line %d has no account", i+1)
		case line.Currency != body.Currency:
			r.broken(p4, at, "line %d is in %s, the entry in %s", i+1, line.Currency, body.Currency)
		case line.Foreign != nil && (line.Foreign.Currency == "" || line.Foreign.Rate == ""):
			r.broken(p4, at, "line %d is foreign, without currency or rate", i+1)
		}
	}
	if sum != 0 {
		r.broken(p4, at, "debits and credits differ by %d", sum)
	}
	r.checked(p10)
	if body.Merchant != e.Merchant || body.Store != e.Store || body.Day != string(e.Day) {
		r.broken(p10, at, "it is kept for that day, but made for merchant %s, store %s, day %s", body.Merchant, body.Store, body.Day)
	}
	if _, known := l.merchant.Store(e.Store); !known {
		r.skip(p10, "store %s of merchant %s is not configured any more", e.Store, e.Merchant)
	}
	if body.Rules != e.Rules || body.MappingVersion != e.Mapping {
		r.broken(p11, at, "it names rules %d and mapping %d, but was made with %d and %d", e.Rules, e.Mapping, body.Rules, body.MappingVersion)
	}
}

// settled compares the newest entry of each day that is closed at its version
// with the day's documents as they now are: each of them is in it, and no other
// (P5), none is in two days (P2), and the entry can be made again (P11).
func (r *reading) settled(ctx context.Context, l *ledger) error {
	posted := map[string]day.Ref{}
	for _, ref := range ordered(l.days) {
		d := l.days[ref]
		entries := l.entries[ref]
		if d.State != day.Ready || d.Entry != d.Version || len(entries) == 0 || entries[len(entries)-1].Version != d.Version {
			continue // pending, or closed while this is read
		}
		e := entries[len(entries)-1]
		f, err := r.Source.Facts(ctx, ref)
		switch {
		case errors.Is(err, document.ErrNewer):
			r.skip(p5, "%s: it has documents of a newer version of the product", where(ref))
			continue
		case err != nil:
			if _, known := l.merchant.Store(ref.Store); !known {
				r.skip(p5, "%s: %v", where(ref), err)
				continue
			}
			return err
		case f.Version != d.Version:
			continue
		}
		var proof day.Proof
		if err := proof.Read(e.Proof); err != nil {
			r.broken(p11, where(ref), "entry %d has no proof that can be read: %v", e.Version, err)
			continue
		}
		r.accounted(f, e, proof, posted)
		if err := r.replay(ctx, f, e, proof); err != nil {
			return err
		}
	}
	return nil
}

// accounted checks that an entry is of exactly the day's documents.
func (r *reading) accounted(f day.Facts, e day.Entry, proof day.Proof, posted map[string]day.Ref) {
	at := fmt.Sprintf("%s, entry %d", where(e.Ref), e.Version)
	named := map[string]int{}
	for _, d := range proof.Documents {
		r.checked(p2)
		other, twice := posted[d.Key]
		switch {
		case named[d.Key] > 0:
			r.broken(p2, at, "document %s is in it twice", d.Key)
		case twice:
			r.broken(p2, at, "document %s is also in the entry of day %s", d.Key, other.Day)
		}
		named[d.Key], posted[d.Key] = d.Revision, e.Ref
	}
	current := map[string]bool{}
	for _, s := range f.Documents {
		r.checked(p5)
		current[s.Key] = true
		if named[s.Key] != s.Revision {
			r.broken(p5, at, "revision %d of document %s is in neither a posted nor a pending version (the entry has revision %d)", s.Revision, s.Key, named[s.Key])
		}
	}
	for _, d := range proof.Documents {
		if !current[d.Key] {
			r.broken(p5, at, "document %s is in it, but not of its day", d.Key)
		}
	}
	var body entry
	if err := json.Unmarshal(e.Body, &body); err != nil {
		return // said already
	}
	for i, line := range body.Lines {
		for _, s := range line.Documents {
			if named[s.Key] == 0 {
				r.broken(p5, at, "line %d is of document %s, which the entry does not name", i+1, s.Key)
			}
		}
	}
}

// replay makes an entry again from what it names.
func (r *reading) replay(ctx context.Context, f day.Facts, e day.Entry, proof day.Proof) error {
	at := fmt.Sprintf("%s, entry %d", where(e.Ref), e.Version)
	r.checked(p11)
	if e.Rules != books.Rules {
		r.broken(p11, at, "not replayable: rules %d, these are %d", e.Rules, books.Rules)
		return nil
	}
	for _, o := range proof.Originals {
		if d := f.Originals[o.Key]; d == nil || d.ContentHash != o.Hash {
			r.skip(p11, "%s: document %s of another day has changed since", at, o.Key)
			return nil
		}
	}
	mapping, err := r.Source.Mapping(ctx, e.Merchant, e.Mapping)
	if err != nil {
		r.broken(p11, at, "not replayable: mapping %d: %v", e.Mapping, err)
		return ctx.Err()
	}
	documents := make([]*document.Document, 0, len(f.Documents))
	for _, s := range f.Documents {
		documents = append(documents, s.Document)
	}
	originals := map[string]*document.Document{}
	for _, o := range proof.Originals {
		originals[o.Key] = f.Originals[o.Key]
	}
	again, _ := books.Build(books.Input{
		Merchant: e.Merchant, Subject: "store-day/" + e.Store + "/" + string(e.Day), Store: e.Store, Day: string(e.Day),
		Currency: f.Merchant.Currency, Mapping: mapping.Mapping, MappingVersion: mapping.Version,
		Documents: documents, Originals: originals, OverShort: reconcile.OverShort(proof.Proof), NotReceived: proof.NotReceived,
	})
	if !bytes.Equal(again.Canonical(), e.Body) {
		r.broken(p11, at, "made again from its documents, mapping %d and rules %d it is another", e.Mapping, e.Rules)
	}
	return nil
}
