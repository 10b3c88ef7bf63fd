package storagetest

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
)

func postingTests() []test {
	return []test{
		{"what is due is given by books, oldest day first, in turns", func(b *bundle) {
			m := configuration(mine)
			m.Connections = append(m.Connections, merchant.Connection{ID: "books", Target: "text"})
			b.apply(m)
			var refs []day.Ref
			for i := range 4 {
				ref := day.Ref{Merchant: mine, Store: store, Day: today.Add(3 - i)}
				b.must(b.db.Open(b.Context(), ref, noon))
				b.must(b.db.Save(b.Context(), entry(ref, 1)))
				refs = append([]day.Ref{ref}, refs...)
			}
			both := []posting.Books{{Merchant: mine, Target: "books"}, {Merchant: mine, Target: xero}}
			found, err := b.db.DueBooks(b.Context(), posting.Books{}, 2)
			b.must(err)
			equal(b, "books", found, both)
			found, err = b.db.DueBooks(b.Context(), both[1], 2)
			b.must(err)
			equal(b, "books after the last of mine", found, []posting.Books{{Merchant: theirs, Target: xero}})
			days := func(after day.Ref, want ...day.Ref) {
				b.Helper()
				found, err := b.db.DueDays(b.Context(), both[1], after, 2)
				b.must(err)
				equal(b, "days", found, want)
			}
			// A day with an unsettled posting is due once, and stays so when the connection is
			// gone and the merchant stopped; the others are not.
			b.must(b.db.Intend(b.Context(), intent(refs[1], 1, 1), false))
			days(day.Ref{}, refs[0], refs[1])
			days(refs[1], refs[2], refs[3])
			days(refs[3])
			_, err = b.db.Stop(b.Context(), mine, day.Stop{At: noon, By: "olga", Reason: day.StopPaused})
			b.must(err)
			days(day.Ref{}, refs[1])
			m.Connections = m.Connections[1:]
			b.apply(m)
			days(day.Ref{}, refs[1])
			for i, want := range []bool{false, true} {
				_, is, err := b.db.DueOf(b.Context(), refs[i], xero)
				b.must(err)
				equal(b, "due", is, want)
			}
		}},
		{"an entry is due until its posting is posted", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			want := posting.Due{Ref: b.ref(), Target: xero, Entry: entry(b.ref(), 1)}
			equal(b, "due", b.due(), []posting.Due{want})
			p := intent(b.ref(), 1, 1)
			b.must(b.db.Intend(b.Context(), p, false))
			want.Postings = []posting.Posting{p}
			equal(b, "due", b.due(), []posting.Due{want})
			p.State = posting.Sent
			b.must(b.db.Advance(b.Context(), p, posting.Intended))
			p.State, p.Error, p.Attempts = posting.Unknown, "timeout", 1
			b.must(b.db.Advance(b.Context(), p, posting.Sent))
			p.State = posting.Sent
			b.must(b.db.Advance(b.Context(), p, posting.Unknown))
			p.State, p.RemoteID, p.Error, p.SettledAt = posting.Posted, "r-1", "", noon.Add(time.Minute)
			if err := b.db.Advance(b.Context(), p, posting.Sent); !errors.Is(err, posting.ErrStale) {
				b.Errorf("advanced by who does not know that it was sent again: %v", err)
			}
			p.Attempts = 2
			b.must(b.db.Advance(b.Context(), p, posting.Sent))
			equal(b, "due", len(b.due()), 0)
			stored, err := b.db.Postings(b.Context(), b.ref())
			b.must(err)
			equal(b, "postings", stored, []posting.Posting{p})
		}},
		{"a posting is advanced only from the state it is in", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			p := intent(b.ref(), 1, 1)
			b.must(b.db.Intend(b.Context(), p, false))
			p.State = posting.Posted
			if err := b.db.Advance(b.Context(), p, posting.Sent); !errors.Is(err, posting.ErrStale) {
				b.Error(err)
			}
			equal(b, "due", b.due()[0].Postings, []posting.Posting{intent(b.ref(), 1, 1)})
		}},
		{"intending again changes nothing, intending another waits", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			p := intent(b.ref(), 1, 1)
			b.must(b.db.Intend(b.Context(), p, false))
			b.must(b.db.Intend(b.Context(), p, false))
			changed := p
			changed.Hash = hashOf("other payload")
			for name, other := range map[string]posting.Posting{"the next revision": intent(b.ref(), 2, 1), "another payload": changed} {
				if err := b.db.Intend(b.Context(), other, false); !errors.Is(err, posting.ErrStale) {
					b.Errorf("%s: %v", name, err)
				}
			}
		}},
		{"a posting of an entry that is not the newest is stale", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			b.must(b.db.Reopen(b.Context(), b.ref(), noon))
			b.must(b.db.Intend(b.Context(), intent(b.ref(), 1, 1), false)) // the day is open, but its newest entry is still 1
			b.post(1, 1)
			b.must(b.db.Save(b.Context(), entry(b.ref(), 2)))
			for _, p := range []posting.Posting{intent(b.ref(), 2, 1), intent(b.ref(), 3, 2), intent(b.ref(), 2, 3)} {
				if err := b.db.Intend(b.Context(), p, false); !errors.Is(err, posting.ErrStale) {
					b.Errorf("revision %d of entry %d: %v", p.Revision, p.Entry, err)
				}
			}
			equal(b, "due", b.due()[0].Entry.Version, 2)
			b.must(b.db.Intend(b.Context(), intent(b.ref(), 2, 2), false))
			b.post(2, 2)
			equal(b, "due", len(b.due()), 0)
		}},
		{"a reference belongs to one subject", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			b.must(b.db.Intend(b.Context(), intent(b.ref(), 1, 1), false))
			other := b.ref()
			other.Day = yesterday
			l := b.lane(mine, "agent-2", 1)
			l.addOn(yesterday, sale(mine, "y", "1.00"))
			b.commit(l, 1, 1)
			b.must(b.db.Save(b.Context(), entry(other, 1)))
			p := intent(other, 1, 1)
			p.Reference = intent(b.ref(), 1, 1).Reference
			if err := b.db.Intend(b.Context(), p, false); !errors.Is(err, posting.ErrReference) {
				b.Error(err)
			}
		}},
		{"what is complete without a posting is not due", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			b.must(b.db.Complete(b.Context(), b.ref(), xero, 1, false, noon))
			equal(b, "due", len(b.due()), 0)
			b.must(b.db.Reopen(b.Context(), b.ref(), noon))
			b.must(b.db.Save(b.Context(), entry(b.ref(), 2)))
			equal(b, "due", len(b.due()), 1)
			b.must(b.db.Complete(b.Context(), b.ref(), xero, 1, false, noon)) // late, of an older entry
			equal(b, "due", len(b.due()), 1)
			b.must(b.db.Complete(b.Context(), b.ref(), xero, 2, false, noon))
			b.must(b.db.Complete(b.Context(), b.ref(), xero, 1, false, noon))
			equal(b, "due", len(b.due()), 0)
		}},
		{"an unsettled posting is due even where its connection is gone", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			b.must(b.db.Intend(b.Context(), intent(b.ref(), 1, 1), false))
			m := configuration(mine)
			m.Connections = nil
			b.apply(m)
			equal(b, "due", len(b.due()), 1)
		}},
		{"what is due comes oldest day first", func(b *bundle) {
			b.apply(configuration(mine))
			l := b.lane(mine, "agent-1", 1)
			want := []bizday.Day{"2026-02-27", "2026-03-01", "2026-03-05"}
			for i, on := range []bizday.Day{want[2], want[0], want[1]} {
				l.addOn(on, sale(mine, string(rune('A'+i)), "1.00"))
			}
			b.commit(l, 1, 3)
			var got []bizday.Day
			for _, on := range want {
				b.must(b.db.Save(b.Context(), entry(day.Ref{Merchant: mine, Store: store, Day: on}, 1)))
			}
			for _, d := range b.due() {
				got = append(got, d.Day)
			}
			equal(b, "days", got, want)
		}},
		{"postings found at the target are adopted and the day stays due", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			found := []posting.Posting{intent(b.ref(), 1, 9), intent(b.ref(), 2, 9)}
			b.must(b.db.Adopt(b.Context(), found))
			b.must(b.db.Adopt(b.Context(), found))
			due := b.due()
			equal(b, "due", len(due), 1)
			equal(b, "postings", len(due[0].Postings), 2)
			equal(b, "state", due[0].Postings[0].State, posting.Posted)
			equal(b, "entry", due[0].Postings[0].Entry, 0)
			b.must(b.db.Intend(b.Context(), intent(b.ref(), 3, 1), false))
			b.post(3, 1)
			equal(b, "due", len(b.due()), 0)
		}},
		{"a withdrawn day is due until nothing of it stands", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			b.must(b.db.Intend(b.Context(), intent(b.ref(), 1, 1), false))
			b.post(1, 1)
			decide := func(what string, changes bool) {
				b.Helper()
				changed, err := b.db.Decide(b.Context(), posting.Decision{Ref: b.ref(), Target: xero, What: what, By: "ann", At: noon})
				b.must(err)
				equal(b, what+" changes", changed, changes)
			}
			decide(posting.DecideUndo, true)
			decide(posting.DecideUndo, false)
			equal(b, "withdrawn", b.due()[0].Withdrawn, true)
			if err := b.db.Intend(b.Context(), intent(b.ref(), 2, 1), false); !errors.Is(err, posting.ErrStale) {
				b.Errorf("intended by who does not know of the undo: %v", err)
			}
			b.must(b.db.Complete(b.Context(), b.ref(), xero, 1, false, noon)) // nor does this one
			equal(b, "due", len(b.due()), 1)
			p := b.due()[0].Postings[0]
			p.State, p.Undo = posting.Intended, true
			b.must(b.db.Advance(b.Context(), p, posting.Posted))
			p.Attempts, p.State = 0, posting.Sent
			b.must(b.db.Advance(b.Context(), p, posting.Intended))
			p.Attempts, p.State, p.Code = 1, posting.Refused, "books_closed"
			b.must(b.db.Advance(b.Context(), p, posting.Sent))
			equal(b, "posting", b.due()[0].Postings, []posting.Posting{p})
			p.State = posting.Undone
			b.must(b.db.Advance(b.Context(), p, posting.Refused))
			b.must(b.db.Complete(b.Context(), b.ref(), xero, 1, true, noon))
			equal(b, "due", len(b.due()), 0)
			b.must(b.db.EachWithdrawn(b.Context(), mine, func(ref day.Ref, target string) error {
				equal(b, "withdrawn", ref, b.ref())
				equal(b, "at", target, xero)
				return nil
			}))
			b.must(b.db.Reopen(b.Context(), b.ref(), noon))
			b.must(b.db.Save(b.Context(), entry(b.ref(), 2)))
			b.must(b.db.Complete(b.Context(), b.ref(), xero, 2, true, noon))
			equal(b, "due", len(b.due()), 0)
			b.must(errOf(b.db.Decide(b.Context(), posting.Decision{Ref: b.ref(), Target: xero, What: posting.DecideRepost, By: "ann", At: noon.Add(time.Minute)})))
			equal(b, "withdrawn", b.due()[0].Withdrawn, false)
			b.must(b.db.Intend(b.Context(), intent(b.ref(), 2, 2), false))
			b.post(2, 2)
			equal(b, "due", len(b.due()), 0)
			var said []string
			b.must(b.db.EachAct(b.Context(), mine, func(a logbook.Act) error {
				said = append(said, a.By+" "+a.What)
				return nil
			}))
			equal(b, "decisions", said[len(said)-3:], []string{"ann undo", " reopen", "ann repost"})
			_, err := b.db.Decide(b.Context(), posting.Decision{Ref: b.ref(), Target: "none", What: posting.DecideUndo, At: noon})
			if !errors.Is(err, storage.ErrNone) {
				b.Errorf("undone where nothing was posted: %v", err)
			}
		}},
		{"an undo that was not carried out is taken back with the decision", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			b.must(b.db.Intend(b.Context(), intent(b.ref(), 1, 1), false))
			b.post(1, 1)
			b.must(errOf(b.db.Decide(b.Context(), posting.Decision{Ref: b.ref(), Target: xero, What: posting.DecideUndo, At: noon})))
			p := b.due()[0].Postings[0]
			posted := p
			p.State, p.Undo = posting.Intended, true
			b.must(b.db.Advance(b.Context(), p, posting.Posted))
			b.must(errOf(b.db.Decide(b.Context(), posting.Decision{Ref: b.ref(), Target: xero, What: posting.DecideRepost, At: noon.Add(time.Minute)})))
			posted.Attempts = 0
			equal(b, "postings", b.due()[0].Postings, []posting.Posting{posted})
		}},
		{"an undo that was asked for goes on whatever is decided", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			b.must(b.db.Intend(b.Context(), intent(b.ref(), 1, 1), false))
			b.post(1, 1)
			b.must(errOf(b.db.Decide(b.Context(), posting.Decision{Ref: b.ref(), Target: xero, What: posting.DecideUndo, At: noon})))
			move := func(state string) posting.Posting {
				p := b.due()[0].Postings[0]
				from := p.State
				p.State, p.Undo = state, true
				b.must(b.db.Advance(b.Context(), p, from))
				return b.due()[0].Postings[0]
			}
			move(posting.Intended)
			move(posting.Sent)
			move(posting.Unknown)
			move(posting.Sent)
			refused := move(posting.Refused)
			b.must(errOf(b.db.Decide(b.Context(), posting.Decision{Ref: b.ref(), Target: xero, What: posting.DecideRepost, At: noon.Add(time.Minute)})))
			equal(b, "postings", b.due()[0].Postings, []posting.Posting{refused})
		}},
		{"what is restored is taken off and posted anew, one at a time", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			b.must(b.db.Intend(b.Context(), intent(b.ref(), 1, 1), false))
			b.post(1, 1)
			b.must(b.db.Reopen(b.Context(), b.ref(), noon))
			b.must(b.db.Save(b.Context(), entry(b.ref(), 2)))
			b.must(b.db.Intend(b.Context(), intent(b.ref(), 2, 2), false))
			d := posting.Decision{Ref: b.ref(), Target: xero, Reference: intent(b.ref(), 1, 1).Reference, What: posting.DecideRestore, At: noon}
			if err := b.db.Restore(b.Context(), d); !errors.Is(err, posting.ErrStale) {
				b.Errorf("beside an unsettled one: %v", err)
			}
			b.post(2, 2)
			b.must(b.db.Restore(b.Context(), d))
			due := b.due()[0]
			equal(b, "state", []any{due.Postings[0].State, due.Postings[0].Undo, due.Postings[0].Attempts, due.Withdrawn}, []any{posting.Intended, true, 0, false})
			if err := b.db.Restore(b.Context(), d); !errors.Is(err, storage.ErrNone) {
				b.Errorf("twice: %v", err)
			}
		}},
		{"of many that intend at once one does", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			var group sync.WaitGroup
			won := make(chan int, 4)
			for i := range 4 {
				db := b.open()
				p := intent(b.ref(), 1, 1)
				p.Hash = hashOf(string(rune('a' + i)))
				group.Go(func() {
					err := db.Intend(b.Context(), p, false)
					if err == nil {
						won <- i
					} else if !errors.Is(err, posting.ErrStale) {
						b.Error(err)
					}
				})
			}
			group.Wait()
			equal(b, "winners", len(won), 1)
		}},
	}
}

// errOf is what a call that also returns something failed with.
func errOf[T any](_ T, err error) error { return err }

// post takes a posting from intended to posted.
func (b *bundle) post(revision int, version int64) {
	b.Helper()
	p := intent(b.ref(), revision, version)
	p.State = posting.Sent
	b.must(b.db.Advance(b.Context(), p, posting.Intended))
	p.State, p.SettledAt, p.Attempts = posting.Posted, noon, 1
	b.must(b.db.Advance(b.Context(), p, posting.Sent))
}

func auditTests() []test {
	return []test{
		{"everything stored is read out", func(b *bundle) {
			b.settle(mine)
			conflicting := b.lane(mine, "agent-2", 1)
			conflicting.add(sale(mine, "1", "9.00"))
			b.commit(conflicting, 1, 1)
			var standings, lost []string
			b.must(b.db.EachDocument(b.Context(), mine, func(d audit.Document) error {
				standings = append(standings, d.Key+" "+d.Standing)
				return nil
			}))
			equal(b, "documents", standings, []string{"leeds|1|EVENT|c1 current", "leeds|1|RECEIPT|1 current", "leeds|1|RECEIPT|1 conflict", "leeds|1|RECEIPT|2 current", "leeds|1|RECEIPT|55 current", "leeds|1|RECEIPT|56 current"})
			b.must(b.db.EachRun(b.Context(), mine, func(r audit.Run) error {
				lost = append(lost, r.Agent)
				if len(r.Digests) != int(32*(r.Last-r.First+1)) || len(r.Before) != 32 {
					b.Errorf("run %d-%d has %d bytes of digests", r.First, r.Last, len(r.Digests))
				}
				return nil
			}))
			equal(b, "runs", lost, append(slices.Repeat([]string{"agent-1"}, 6), "agent-2"))
			kinds := map[string]int{}
			for _, line := range b.dump(mine) {
				kind, _, _ := strings.Cut(line, " ")
				kinds[kind]++
			}
			equal(b, "rows by kind", kinds, map[string]int{"merchant": 1, "mapping": 1, "agent": 1, "days": 1, "facts": 3, "document": 6,
				"entry": 2, "posting": 1, "epoch": 2, "run": 7, "rejected": 1, "feed": 1, "secret": 1, "stated": 4, "token": 1, "due": 2, "unsettled": 1, "act": 6, "cleared": 3})
		}},
		{"reading stops at the first error", func(b *bundle) {
			b.settle(mine)
			stop, calls := errors.New("stop"), 0
			err := b.db.EachDocument(b.Context(), mine, func(audit.Document) error { calls++; return stop })
			if !errors.Is(err, stop) || calls != 1 {
				b.Errorf("%d calls, %v", calls, err)
			}
		}},
	}
}
