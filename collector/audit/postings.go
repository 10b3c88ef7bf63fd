package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/target"
)

// sums are amounts by account, and by tax within it.
type sums map[string]int64

func (s sums) add(key string, amount int64) {
	if s[key] += amount; s[key] == 0 {
		delete(s, key)
	}
}

// figures are the sums under which a line's amounts count.
func (s sums) line(account string, amount int64, dimensions map[string]string) string {
	s.add("account "+account, amount)
	for _, name := range slices.Sorted(maps.Keys(dimensions)) {
		account += fmt.Sprintf(", %s %q", name, dimensions[name])
	}
	s.add(account, amount)
	return account
}

func entrySums(e day.Entry) (sums, error) {
	var body entry
	if err := json.Unmarshal(e.Body, &body); err != nil {
		return nil, err
	}
	s := sums{}
	for _, l := range body.Lines {
		sign := int64(1)
		if l.Side == "CREDIT" {
			sign = -1
		}
		key := s.line(l.Account, sign*l.Amount, l.Dimensions)
		if t := l.Tax; t != nil {
			key := fmt.Sprintf("%s, tax %s %s %s", key, t.Code, t.Direction, t.Jurisdiction)
			s.add(key+", base", sign*t.Base)
			s.add(key+", tax", sign*t.Amount)
		}
		if l.Foreign != nil {
			s.add(key+", in "+l.Foreign.Currency, sign*l.Foreign.Amount)
		}
	}
	return s, nil
}

func postingSums(postings []posting.Posting) sums {
	s := sums{}
	for _, p := range postings {
		if p.State != "posted" {
			continue
		}
		for _, l := range p.Payload.Lines {
			key := s.line(l.Account, int64(l.Amount), l.Dimensions)
			if t := l.Tax; t != nil {
				key := fmt.Sprintf("%s, tax %s %s %s", key, t.Code, t.Direction, t.Jurisdiction)
				s.add(key+", base", int64(t.Base))
				s.add(key+", tax", int64(t.Amount))
			}
			if l.Foreign != nil {
				s.add(key+", in "+l.Foreign.Currency, int64(l.Foreign.Amount))
			}
		}
	}
	return s
}

func (id subject) where() string { return where(id.Ref) + ", at " + id.target }

func (l *ledger) subjects() []subject {
	return slices.SortedFunc(maps.Keys(l.postings), func(a, b subject) int {
		return cmp.Or(cmp.Compare(a.Store, b.Store), cmp.Compare(a.Day, b.Day), cmp.Compare(a.target, b.target))
	})
}

// postings checks that the postings of each subject come one after the other
// (P6), are as they were sent, and add up to an entry (P5).
func (r *reading) postings(l *ledger) {
	references := map[[2]string]subject{}
	for _, id := range l.subjects() {
		for i, p := range l.postings[id] {
			at := id.where() + ", posting " + p.Reference
			r.checked(p6)
			last := i == len(l.postings[id])-1
			switch {
			case p.Revision != i+1:
				r.broken(p6, at, "revision %d is not the next, %d", p.Revision, i+1)
			case !last && p.State != "posted" && p.State != "undone" && !p.Undo:
				r.broken(p6, at, "it is %s, and a later one was made", p.State)
			}
			name := [2]string{p.Target, p.Reference}
			if other, twice := references[name]; twice {
				r.broken(p6, at, "the reference is also that of a posting of %s", other.where())
			}
			references[name] = id
			r.asSent(at, id, p)
		}
		r.addUp(l, id)
	}
	for _, ref := range ordered(l.entries) {
		for _, c := range l.merchant.Connections {
			id := subject{ref, c.ID}
			if len(l.postings[id]) == 0 {
				r.addUp(l, id)
			}
		}
	}
}

// asSent checks that a posting's payload is what its hash, key and reference say.
func (r *reading) asSent(at string, id subject, p posting.Posting) {
	hash, err := p.Payload.Hash()
	switch {
	case err != nil:
		r.broken(p6, at, "its payload cannot be written: %v", err)
	case hash != p.Hash:
		r.broken(p6, at, "its payload is not the one that was intended")
	case p.Payload.Reference != p.Reference:
		r.broken(p6, at, "its payload has the reference %s", p.Payload.Reference)
	}
	r.checked(p10)
	if want := fmt.Sprintf("%s/store-day/%s/%s/", id.Merchant, id.Store, id.Day); !strings.HasPrefix(p.Payload.Key, want) {
		r.broken(p10, at, "its payload is of %s", p.Payload.Key)
	}
	var sum int64
	for _, l := range p.Payload.Lines {
		sum += int64(l.Amount)
	}
	r.checked(p4)
	if sum != 0 {
		r.broken(p4, at, "debits and credits differ by %d", sum)
	}
}

// addUp compares what stands of a subject with the entry it must equal: the
// newest if nothing is due, else the one that the last settled posting completed;
// with nothing if the day was withdrawn.
func (r *reading) addUp(l *ledger, id subject) {
	entries := l.entries[id.Ref]
	postings := l.postings[id]
	if len(entries) == 0 {
		if len(postings) > 0 {
			r.broken(p5, id.where(), "there are postings without an entry")
		}
		return
	}
	if _, connected := l.merchant.Connection(id.target); !connected {
		return // what is not connected any more stays as it was left
	}
	version := int64(0)
	if l.withdrawn[id] {
		if _, due := l.due[id]; due {
			r.state(p5)
			return
		}
		r.checked(p5)
		if got := postingSums(postings); len(got) > 0 {
			r.broken(p5, id.where(), "a person took the day off, and %s stands with %d", slices.Min(slices.Collect(maps.Keys(got))), got[slices.Min(slices.Collect(maps.Keys(got)))])
		}
		return
	}
	for _, p := range postings {
		if p.Undo && p.State != "undone" { // on its way off, and posted anew then
			r.state(p5)
			return
		}
	}
	if _, due := l.due[id]; !due {
		version = entries[len(entries)-1].Version
	} else {
		for _, p := range postings {
			switch {
			case p.State == "posted" && p.Entry == 0:
				version = 0 // taken in as it is; the rest is due
			case p.State == "posted":
				version = p.Entry
			}
		}
		if version == 0 {
			r.state(p5)
			return
		}
	}
	r.checked(p5)
	i := slices.IndexFunc(entries, func(e day.Entry) bool { return e.Version == version })
	if i < 0 {
		r.broken(p5, id.where(), "entry %d was posted, but is not kept", version)
		return
	}
	want, err := entrySums(entries[i])
	if err != nil {
		return // said already
	}
	got := postingSums(postings)
	keys := slices.Sorted(maps.Keys(want))
	for key := range got {
		if _, known := want[key]; !known {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		if want[key] != got[key] {
			r.broken(p5, id.where(), "%s is posted with %d, entry %d has %d", key, got[key], version, want[key])
			return // one is enough to be looked into
		}
	}
}

// readBack compares what the accounting systems hold with what was posted (P7).
// What a person decided to leave as it is counts as a state.
func (r *reading) readBack(ctx context.Context, l *ledger) {
	if r.Target == nil {
		r.skip(p7, "accounting systems were not asked")
		return
	}
	for _, c := range l.merchant.Connections {
		t, err := r.Target(l.merchant, c)
		if err != nil {
			r.skip(p7, "connection %s of merchant %s: %v", c.ID, l.merchant.ID, err)
			continue
		}
		held := map[string][]target.Held{}
		for _, s := range l.merchant.Stores {
			var all []target.Held
			if all, err = target.HeldBy(ctx, t, "POS-"+s.ShortCode()+"-"); err != nil {
				r.skip(p7, "connection %s of merchant %s: %v", c.ID, l.merchant.ID, err)
				break
			}
			for _, h := range all {
				if !h.Voided {
					held[h.Reference] = append(held[h.Reference], h)
				}
			}
		}
		if err != nil {
			continue
		}
		for _, id := range l.subjects() {
			if id.target != c.ID {
				continue
			}
			for _, p := range l.postings[id] {
				if p.State == "posted" {
					r.holds(l, id, p, held[p.Reference])
				}
				delete(held, p.Reference)
			}
		}
		for _, reference := range slices.Sorted(maps.Keys(held)) {
			r.checked(p7)
			if l.decided[[2]string{c.ID, reference}] {
				r.state(p7)
				continue
			}
			r.broken(p7, fmt.Sprintf("merchant %s, connection %s", l.merchant.ID, c.ID), "the books hold %s, which was never posted", reference)
		}
	}
}

func (r *reading) holds(l *ledger, id subject, p posting.Posting, found []target.Held) {
	at := id.where() + ", posting " + p.Reference
	r.checked(p7)
	if l.decided[[2]string{id.target, p.Reference}] {
		r.state(p7)
		return
	}
	switch {
	case len(found) == 0:
		r.broken(p7, at, "the books do not hold it any more")
		return
	case len(found) > 1:
		r.broken(p7, at, "the books hold %d documents under it", len(found))
		return
	case found[0].Payload == nil:
		r.broken(p7, at, "what the books hold in its place cannot be read")
		return
	}
	switch is := *found[0].Payload; {
	case is.Key != p.Payload.Key:
		r.broken(p7, at, "the books hold %s in its place", is.Key)
	case is.Date != p.Payload.Date:
		r.broken(p7, at, "the books have it on %s, it was posted on %s", is.Date, p.Payload.Date)
	case !is.Equal(p.Payload):
		got, want := amounts(is), amounts(p.Payload)
		if got != want {
			r.broken(p7, at, "the books have %s, posted was %s", got, want)
		} else {
			r.broken(p7, at, "the books have the same amounts with other texts or tax details")
		}
	}
}

func amounts(p target.Payload) string {
	var w strings.Builder
	for _, l := range p.Lines {
		fmt.Fprintf(&w, "%s %d; ", l.Account, l.Amount)
	}
	return strings.TrimSuffix(w.String(), "; ")
}

// lag finds days that nobody works on and entries that nobody posts (P12).
func (r *reading) lag(l *ledger) {
	for _, ref := range ordered(l.days) {
		d := l.days[ref]
		r.checked(p12)
		settled := d.State == day.External || d.State == day.Ready && d.Entry == d.Version
		if settled || d.State == day.Held {
			continue
		}
		s, known := l.merchant.Store(ref.Store)
		if !known {
			continue
		}
		calendar, err := s.Calendar()
		if err != nil {
			r.skip(p12, "%s: %v", where(ref), err)
			continue
		}
		since := calendar.Rule.End(ref.Day).Add(calendar.Settle)
		if d.ChangedAt.After(since) {
			since = d.ChangedAt
		}
		if r.Now.Sub(since) > r.MaxLag {
			r.broken(p12, where(ref), "the day is %s since %s, and nothing holds it", d.State, since.UTC().Format("2006-01-02 15:04"))
		}
	}
	for id, due := range l.due {
		r.checked(p12)
		waits := "intended"
		if n := len(due.Postings); n > 0 {
			waits = due.Postings[n-1].State
		}
		if waits == "refused" || waits == "parked" {
			r.state(p12)
			continue
		}
		if r.Now.Sub(due.Entry.At) > r.MaxLag {
			r.broken(p12, id.where(), "entry %d is not posted since %s, and nobody is asked", due.Entry.Version, due.Entry.At.UTC().Format("2006-01-02 15:04"))
		}
	}
}
