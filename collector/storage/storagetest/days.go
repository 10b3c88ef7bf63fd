package storagetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

func dayTests() []test {
	return []test{
		{"an entry makes its day ready, once", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(2)
			days, err := b.db.Days(b.Context(), mine)
			b.must(err)
			equal(b, "days", days, []day.StoreDay{{Ref: b.ref(), Version: 2, ChangedAt: noon, State: day.Ready, Entry: 2, ClosedAt: noon}})
			equal(b, "unsettled", b.unsettled(), nil)
			again := entry(b.ref(), 2)
			again.At = noon.Add(time.Hour)
			b.must(b.db.Save(b.Context(), again))
			stored, err := b.db.Entry(b.Context(), b.ref(), 0)
			b.must(err)
			equal(b, "entry", stored, entry(b.ref(), 2))
			again.Body = []byte(`{"version":2.5}`)
			if err := b.db.Save(b.Context(), again); err == nil {
				b.Error("another entry was saved at the same version")
			}
		}},
		{"days are listed newest first, a page at a time, with their postings and what is due", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			b.must(b.db.Intend(b.Context(), intent(b.ref(), 1, 1), false))
			for _, at := range []struct {
				store string
				after int
			}{{store, -2}, {store, -1}, {"other", -1}, {store, 1}} {
				b.must(b.db.Open(b.Context(), day.Ref{Merchant: mine, Store: at.store, Day: today.Add(at.after)}, noon))
			}
			var got []string
			after := day.Ref{}
			for page := 0; page < 4; page++ {
				list, err := b.db.DayList(b.Context(), mine, today.Add(-1), after, 2)
				b.must(err)
				for _, l := range list {
					got = append(got, fmt.Sprintf("%s %s %d postings, due at %v", l.Day, l.Store, len(l.Postings), l.Due))
					after = l.Ref
				}
			}
			equal(b, "list", got, []string{
				fmt.Sprintf("%s %s 0 postings, due at []", today.Add(1), store), fmt.Sprintf("%s %s 1 postings, due at [%s]", today, store, xero),
				fmt.Sprintf("%s other 0 postings, due at []", today.Add(-1)), fmt.Sprintf("%s %s 0 postings, due at []", today.Add(-1), store),
			})
		}},
		{"an entry of a version that has passed is not saved", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"), sale(mine, "2", "1.00"))
			b.commit(l, 1, 1)
			b.commit(l, 2, 2)
			before := b.dumpMine()
			for _, version := range []int64{0, 1, 3} {
				if err := b.db.Save(b.Context(), entry(b.ref(), version)); !errors.Is(err, day.ErrMoved) {
					b.Errorf("saved at version %d: %v", version, err)
				}
				if err := b.db.Set(b.Context(), b.ref(), version, day.Closing, nil, noon); !errors.Is(err, day.ErrMoved) {
					b.Errorf("set at version %d: %v", version, err)
				}
			}
			equal(b, "rows", b.dumpMine(), before)
			if _, err := b.db.Entry(b.Context(), b.ref(), 0); !errors.Is(err, storage.ErrNone) {
				b.Errorf("an entry is there: %v", err)
			}
		}},
		{"a document that arrives late opens the question again", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"), sale(mine, "2", "1.00"))
			b.commit(l, 1, 1)
			b.must(b.db.Save(b.Context(), entry(b.ref(), 1)))
			b.commit(l, 2, 2)
			equal(b, "unsettled", b.unsettled(), []day.Ref{b.ref()})
			b.must(b.db.Save(b.Context(), entry(b.ref(), 2)))
			for version, want := range map[int64]int64{0: 2, 1: 1, 2: 2} {
				e, err := b.db.Entry(b.Context(), b.ref(), version)
				b.must(err)
				equal(b, "version", e.Version, want)
			}
		}},
		{"a hold is kept and the day stays unsettled", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"))
			b.commit(l, 1, 1)
			hold := &day.Hold{Reason: "z_missing", Owner: "merchant", Action: "Close till 1."}
			b.must(b.db.Set(b.Context(), b.ref(), 1, day.Held, hold, noon))
			equal(b, "unsettled", b.unsettled(), []day.Ref{b.ref()})
			equal(b, "day", b.facts(today).StoreDay, day.StoreDay{Ref: b.ref(), Version: 1, ChangedAt: noon, State: day.Held, Hold: hold})
			b.must(b.db.Set(b.Context(), b.ref(), 1, day.Closing, nil, noon))
			equal(b, "day", b.facts(today).StoreDay, day.StoreDay{Ref: b.ref(), Version: 1, ChangedAt: noon, State: day.Closing})
		}},
		{"an external day is left alone until something changes", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"), sale(mine, "2", "1.00"))
			b.commit(l, 1, 1)
			b.must(b.db.Set(b.Context(), b.ref(), 1, day.External, nil, noon))
			equal(b, "unsettled", b.unsettled(), nil)
			b.commit(l, 2, 2)
			equal(b, "unsettled", b.unsettled(), []day.Ref{b.ref()})
		}},
		{"a day that is reopened is closed again at a new version", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			b.must(b.db.Reopen(b.Context(), b.ref(), noon))
			equal(b, "unsettled", b.unsettled(), []day.Ref{b.ref()})
			b.must(b.db.Save(b.Context(), entry(b.ref(), 2)))
			other := b.ref()
			other.Day = yesterday
			if err := b.db.Reopen(b.Context(), other, noon); !errors.Is(err, storage.ErrNone) {
				b.Errorf("reopened a day that is not there: %v", err)
			}
		}},
		{"a difference that a person accepted reopens the day", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			for range 2 {
				b.must(b.db.Accept(b.Context(), b.ref(), "z.gross", "olga", noon.Add(time.Hour)))
			}
			f := b.facts(today)
			equal(b, "accepted", f.Accepted, []string{"z.gross"})
			equal(b, "version", f.Version, 2)
			equal(b, "changed", f.ChangedAt, noon.Add(time.Hour))
			other := b.ref()
			other.Day = yesterday
			if err := b.db.Accept(b.Context(), other, "z.gross", "olga", noon); !errors.Is(err, storage.ErrNone) {
				b.Errorf("on a day that is not there: %v", err)
			}
			equal(b, "accepted", b.facts(yesterday).Accepted, nil)
		}},
		{"unsettled days come oldest first", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			for i, on := range []bizday.Day{"2026-03-05", "2026-02-27", "2026-03-01"} {
				l.addOn(on, sale(mine, string(rune('A'+i)), "1.00"))
			}
			b.commit(l, 1, 3)
			refs, err := b.db.Unsettled(b.Context())
			b.must(err)
			if !slices.IsSortedFunc(refs, func(a, b day.Ref) int { return compareDays(a.Day, b.Day) }) {
				b.Errorf("not in order: %v", refs)
			}
			equal(b, "unsettled", len(b.unsettled()), 3)
		}},
		{"a glance tells of a day what its facts do", func(b *bundle) {
			b.apply(configuration(mine))
			b.enrol(mine, "agent-1")
			l := b.lane(mine, "agent-1", 1)
			for i, on := range []bizday.Day{"2026-02-20", "2026-02-27", yesterday, today} {
				l.addOn(on, sale(mine, string(rune('A'+i)), "1.00"))
			}
			z := sale(mine, "7", "1.00")
			z.Kind, z.Lines, z.Tenders, z.Key.Space = document.PeriodClose, nil, nil, document.SpaceZ
			l.addOn(yesterday, z) // which the 27th sees, too, and today does not
			b.commit(l, 1, 5)
			b.glances(4)
			b.must(b.db.Set(b.Context(), b.ref(), 1, day.Held, &day.Hold{Reason: day.HoldAgentBehind, Owner: day.OwnerMerchant, Action: "Wait."}, noon))
			b.must(b.db.Enter(b.Context(), mine, store, yesterday, yesterday, "olga", noon))
			b.glances(4)
			var closed []bizday.Day
			glances, err := b.db.Glances(b.Context(), mine, b.unsettled())
			b.must(err)
			for _, g := range glances {
				if g.Closed {
					closed = append(closed, g.Day)
				}
			}
			slices.Sort(closed)
			equal(b, "with closes", closed, []bizday.Day{"2026-02-27", yesterday})
		}},
		{"the counts name the oldest unsettled day and the stores whose day is open", func(b *bundle) {
			shop := storage.Shop{Merchant: mine, Store: store}
			look := func(open bool) {
				c, err := b.db.Counts(b.Context())
				b.must(err)
				refs, err := b.db.Unsettled(b.Context())
				b.must(err)
				var oldest bizday.Day
				if len(refs) > 0 {
					oldest = refs[0].Day
				}
				equal(b, "oldest", c.Oldest, oldest)
				equal(b, "open", c.Open[shop], open)
			}
			look(false)
			l := b.lane(mine, "agent-1", 1)
			l.addOn(today, sale(mine, "A", "1.00"))
			b.commit(l, 1, 1)
			look(true)
			b.must(b.db.Set(b.Context(), b.ref(), 1, day.Closing, nil, noon))
			look(false)
		}},
	}
}

func compareDays(a, b bizday.Day) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func factsTests() []test {
	return []test{
		{"the facts of a day are its current documents by key, with all they belong to", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "2", "2.00"), sale(mine, "1", "1.00"), sale(mine, "2", "2.50"))
			l.addOn(yesterday, sale(mine, "3", "3.00"))
			b.commit(l, 1, 4)
			f := b.facts(today)
			equal(b, "merchant", f.Merchant.ID, mine)
			equal(b, "store", f.Store.ID, store)
			equal(b, "day", f.StoreDay, day.StoreDay{Ref: b.ref(), Version: 3, ChangedAt: noon, State: day.Open})
			want := []day.Stored{
				{Document: hashed(sale(mine, "1", "1.00")), Key: "leeds|1|RECEIPT|1", Revision: 1, Agent: "agent-1"},
				{Document: hashed(sale(mine, "2", "2.50")), Key: "leeds|1|RECEIPT|2", Revision: 2, Agent: "agent-1"},
			}
			equal(b, "documents", f.Documents, want)
		}},
		{"originals are found by key and by number on other days", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			old := sale(mine, "7", "7.00") // an earlier round of the same number
			old.Key.Scope = "2025"
			l.addOn("2025-12-01", old)
			l.addOn(yesterday, sale(mine, "7", "7.50"))
			l.addOn(yesterday, sale(mine, "8", "8.00"))
			l.addOn("2026-03-03", sale(mine, "9", "9.00")) // not sold yet
			l.add(sale(mine, "10", "1.00"))
			byNumber, byKey, sameDay, later := sale(mine, "20", "-7.50"), sale(mine, "21", "-8.00"), sale(mine, "22", "-1.00"), sale(mine, "23", "-9.00")
			key := sale(mine, "8", "8.00").Key
			key.Merchant, key.Store = "", ""
			byNumber.Links = []document.Link{{Relation: document.Returns, Number: "7"}}
			other := sale(mine, "55", "5.50").Key // which only the other merchant has
			byKey.Links = []document.Link{{Relation: document.Voids, Key: &key}, {Relation: document.Voids, Key: &other}, {Relation: document.Voids, Number: "55"}}
			sameDay.Links = []document.Link{{Relation: document.Returns, Number: "10"}}
			later.Links = []document.Link{{Relation: document.Returns, Number: "9"}}
			l.add(byNumber, byKey, sameDay, later)
			b.commit(l, 1, uint64(len(l.records)))
			want := map[string]*document.Document{
				"leeds|1|RECEIPT|7": hashed(sale(mine, "7", "7.50")),
				"leeds|1|RECEIPT|8": hashed(sale(mine, "8", "8.00")),
			}
			equal(b, "originals", b.facts(today).Originals, want)
		}},
		{"an original by number is of the same till where that has one", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			other := sale(mine, "7", "1.00")
			other.Key.Terminal = "2"
			l.addOn("2026-02-01", sale(mine, "7", "7.00"))
			l.addOn(yesterday, other)
			back := sale(mine, "20", "-7.00")
			back.Links = []document.Link{{Relation: document.Returns, Number: "7"}}
			l.add(back)
			b.commit(l, 1, 3)
			equal(b, "originals", b.facts(today).Originals, map[string]*document.Document{"leeds|1|RECEIPT|7": hashed(sale(mine, "7", "7.00"))})
		}},
		{"the till counts of the newest earlier day with documents are there", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.addOn("2026-02-27", count(mine, "c0", "80.00"))
			l.addOn("2026-02-28", count(mine, "c2", "100.00"))
			l.addOn("2026-02-28", count(mine, "c1", "50.00"))
			l.addOn("2026-02-28", sale(mine, "1", "1.00"))
			l.addOn(yesterday, sale(mine, "2", "1.00"))
			l.add(sale(mine, "2", "1.50")) // moves to today: yesterday has none now
			b.commit(l, 1, 6)
			want := []*document.Document{hashed(count(mine, "c1", "50.00")), hashed(count(mine, "c2", "100.00"))}
			equal(b, "previous", b.facts(today).Previous, want)
		}},
		{"records that could not be read since the day began are counted", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.unreadable()
			l.unreadable()
			for i, at := range []time.Time{noon.Add(-12*time.Hour - time.Second), noon.Add(-12 * time.Hour)} {
				batch := l.batch(uint64(i)+1, uint64(i)+1)
				batch.At = at
				outcome, err := b.db.Commit(b.Context(), batch)
				b.must(err)
				equal(b, "verdicts", outcome.Verdicts, []intake.Verdict{intake.Rejected})
			}
			equal(b, "rejected", b.facts(today).Rejected, 1)
			equal(b, "rejected", b.facts(yesterday).Rejected, 2)
			equal(b, "version", b.facts(today).Version, 0)
		}},
		{"a store that is not configured has no facts", func(b *bundle) {
			b.apply(configuration(mine))
			if _, err := b.db.Facts(b.Context(), day.Ref{Merchant: mine, Store: "york", Day: today}); err == nil {
				b.Error("it has")
			}
		}},
	}
}

// hashed is a document as Facts returns it.
func hashed(d *document.Document) *document.Document {
	d.ContentHash = document.HashString(d)
	return d
}

// glances wants what a glance tells of each unsettled day to be what its facts do.
func (b *bundle) glances(want int) {
	b.Helper()
	glances, err := b.db.Glances(b.Context(), mine, b.unsettled())
	b.must(err)
	equal(b, "glances", len(glances), want)
	for _, g := range glances {
		f := b.facts(g.Day)
		closed := len(f.Later) > 0
		for _, s := range f.Documents {
			closed = closed || s.Document.Kind == document.PeriodClose
		}
		equal(b, "glance", g, day.Glance{StoreDay: f.StoreDay, Store: f.Store, Agents: f.Agents, Closed: closed, Entered: f.Entered, Rejected: f.Rejected})
	}
}
