package storagetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/backup"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

func commitTests() []test {
	return []test{
		{"a batch is stored with its watermark, verdicts and day", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"), sale(mine, "2", "2.00"))
			l.unreadable()
			l.addOn(yesterday, sale(mine, "3", "3.00"))
			outcome := b.commit(l, 1, 4)
			equal(b, "verdicts", outcome.Verdicts, []intake.Verdict{intake.New, intake.New, intake.Rejected, intake.New})
			equal(b, "position", outcome.Position, intake.Position{Epoch: l.epoch, Stored: 4, Digest: l.digest(4)})
			b.versions(map[bizday.Day]int64{today: 2, yesterday: 1})
			equal(b, "current", b.current(), map[string]string{"1": "1.00", "2": "2.00", "3": "3.00"})
		}},
		{"the same batch again changes nothing", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"), sale(mine, "2", "2.00"))
			first := b.commit(l, 1, 2)
			before := b.dumpMine()
			again := b.commit(l, 1, 2)
			equal(b, "verdicts", again.Verdicts, []intake.Verdict{"", ""})
			equal(b, "position", again.Position, first.Position)
			equal(b, "rows", b.dumpMine(), before)
		}},
		{"of an overlapping batch only the records above are new", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"), sale(mine, "2", "2.00"), sale(mine, "3", "3.00"))
			b.commit(l, 1, 2)
			outcome := b.commit(l, 1, 3)
			equal(b, "verdicts", outcome.Verdicts, []intake.Verdict{"", "", intake.New})
			equal(b, "stored", outcome.Position.Stored, 3)
			equal(b, "digest", outcome.Position.Digest, l.digest(3))
		}},
		{"batches out of order wait as ranges until the hole is filled", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			for _, n := range []string{"1", "2", "3", "4", "5", "6", "7"} {
				l.add(sale(mine, n, n+".00"))
			}
			equal(b, "ranges", b.commit(l, 5, 5).Position.Ranges, []intake.Range{{First: 5, Last: 5}})
			equal(b, "ranges", b.commit(l, 3, 4).Position.Ranges, []intake.Range{{First: 3, Last: 5}})
			outcome := b.commit(l, 7, 7)
			equal(b, "ranges", outcome.Position.Ranges, []intake.Range{{First: 3, Last: 5}, {First: 7, Last: 7}})
			equal(b, "stored", outcome.Position.Stored, 0)
			outcome = b.commit(l, 1, 4) // over the hole and into the range
			equal(b, "verdicts", outcome.Verdicts, []intake.Verdict{intake.New, intake.New, "", ""})
			equal(b, "stored", outcome.Position.Stored, 5)
			equal(b, "digest", outcome.Position.Digest, l.digest(5))
			outcome = b.commit(l, 4, 7)
			equal(b, "position", outcome.Position, intake.Position{Epoch: l.epoch, Stored: 7, Digest: l.digest(7)})
			b.versions(map[bizday.Day]int64{today: 7})
		}},
		{"a batch that does not continue the digest is a fork and stores nothing", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"), sale(mine, "2", "2.00"), sale(mine, "3", "3.00"))
			clone := *l
			clone.records, clone.digests = append([]intake.Record(nil), l.records[:1]...), append([][32]byte(nil), l.digests[:1]...)
			clone.add(sale(mine, "2", "2.20"), sale(mine, "3", "3.30"), sale(mine, "4", "4.40"))
			b.commit(l, 1, 2)
			before := b.dumpMine()
			for name, batch := range map[string]intake.Batch{
				"next in order":             clone.batch(3, 3),
				"overlapping":               clone.batch(2, 3),
				"overlapping from below":    clone.batch(1, 4),
				"the same numbers":          clone.batch(1, 2),
				"below the watermark alone": clone.batch(2, 2),
			} {
				if _, err := b.db.Commit(b.Context(), batch); !errors.Is(err, intake.ErrFork) {
					b.Errorf("%s: %v, not a fork", name, err)
				}
			}
			equal(b, "rows", b.dumpMine(), before)
			equal(b, "stored", b.commit(l, 3, 3).Position.Stored, 3)
		}},
		{"a range whose digest does not meet what fills the hole is a fork", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"), sale(mine, "2", "2.00"), sale(mine, "3", "3.00"), sale(mine, "4", "4.00"))
			clone := *l
			clone.records, clone.digests = nil, nil
			clone.add(sale(mine, "1", "1.10"), sale(mine, "2", "2.20"), sale(mine, "3", "3.30"), sale(mine, "4", "4.40"))
			b.commit(&clone, 3, 3)
			before := b.dumpMine()
			for name, batch := range map[string]intake.Batch{
				"up to it": l.batch(1, 2), "into it": l.batch(2, 3), "over it": l.batch(2, 4), "after it": l.batch(4, 4),
			} {
				if _, err := b.db.Commit(b.Context(), batch); !errors.Is(err, intake.ErrFork) {
					b.Errorf("%s: %v, not a fork", name, err)
				}
			}
			equal(b, "rows", b.dumpMine(), before)
		}},
		{"another content of the agent's is a revision and older ones stay older", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"), sale(mine, "1", "1.50"), sale(mine, "1", "1.75"))
			b.commit(l, 1, 1)
			equal(b, "verdicts", b.commit(l, 3, 3).Verdicts, []intake.Verdict{intake.Revision})
			b.versions(map[bizday.Day]int64{today: 2})
			equal(b, "verdicts", b.commit(l, 2, 2).Verdicts, []intake.Verdict{intake.Older})
			b.versions(map[bizday.Day]int64{today: 2})
			equal(b, "current", b.current(), map[string]string{"1": "1.75"})
			l.add(sale(mine, "1", "1.00")) // a file that is read again
			equal(b, "verdicts", b.commit(l, 4, 4).Verdicts, []intake.Verdict{intake.Duplicate})
			equal(b, "current", b.current(), map[string]string{"1": "1.75"})
		}},
		{"a source that states an order can go back to an older content", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			for _, amount := range []string{"1.00", "2.00", "1.00"} {
				l.addOn(today, sale(mine, "1", amount)).StatesOrder = true
			}
			outcome := b.commit(l, 1, 3)
			equal(b, "verdicts", outcome.Verdicts, []intake.Verdict{intake.New, intake.Revision, intake.Revision})
			equal(b, "current", b.current(), map[string]string{"1": "1.00"})
			b.versions(map[bizday.Day]int64{today: 3})
		}},
		{"what states the current content again dates it", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			for _, amount := range []string{"1.00", "2.00", "1.00"} {
				l.addOn(today, sale(mine, "1", amount)).StatesOrder = true
			}
			b.commit(l, 1, 1)
			equal(b, "verdicts", b.commit(l, 3, 3).Verdicts, []intake.Verdict{intake.Duplicate})
			equal(b, "verdicts", b.commit(l, 2, 2).Verdicts, []intake.Verdict{intake.Older})
			equal(b, "current", b.current(), map[string]string{"1": "1.00"})
		}},
		{"records that are sent again in a new epoch are copies", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			for _, amount := range []string{"1.00", "1.00", "2.00"} {
				l.addOn(today, sale(mine, "1", amount)).StatesOrder = true
			}
			b.commit(l, 1, 3)
			next := b.lane(mine, "agent-1", 2)
			for _, r := range l.records {
				next.append(r)
			}
			equal(b, "verdicts", b.commit(next, 1, 3).Verdicts, []intake.Verdict{intake.Duplicate, intake.Duplicate, intake.Duplicate})
			equal(b, "current", b.current(), map[string]string{"1": "2.00"})
			b.versions(map[bizday.Day]int64{today: 2})
		}},
		{"a revision that moves a document raises both days", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"))
			l.addOn(yesterday, sale(mine, "1", "2.00"))
			b.commit(l, 1, 2)
			b.versions(map[bizday.Day]int64{today: 2, yesterday: 1})
		}},
		{"another agent's content is a conflict and both are kept", func(b *bundle) {
			one, two := b.lane(mine, "agent-1", 1), b.lane(mine, "agent-2", 1)
			one.add(sale(mine, "1", "1.00"))
			two.addOn(yesterday, sale(mine, "1", "9.00"))
			b.commit(one, 1, 1)
			equal(b, "verdicts", b.commit(two, 1, 1).Verdicts, []intake.Verdict{intake.Conflict})
			b.versions(map[bizday.Day]int64{today: 2})
			equal(b, "current", b.current(), map[string]string{"1": "1.00"})
			equal(b, "conflicts", b.facts(today).Conflicts, 1)
			two.add(sale(mine, "1", "1.00"))
			equal(b, "verdicts", b.commit(two, 2, 2).Verdicts, []intake.Verdict{intake.Duplicate})
			one.add(sale(mine, "1", "9.00")) // now they agree
			equal(b, "verdicts", b.commit(one, 2, 2).Verdicts, []intake.Verdict{intake.Revision})
			equal(b, "conflicts", b.facts(today).Conflicts, 0)
		}},
		{"a document that the source no longer has stays, as deleted", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			gone := sale(mine, "1", "1.00")
			gone.Deleted = true
			l.add(sale(mine, "1", "1.00"), gone)
			equal(b, "verdicts", b.commit(l, 1, 2).Verdicts, []intake.Verdict{intake.New, intake.Revision})
			f := b.facts(today)
			if len(f.Documents) != 1 || !f.Documents[0].Document.Deleted || f.Documents[0].Revision != 2 {
				b.Errorf("the day has %+v, not the tombstone", f.Documents)
			}
		}},
		{"a batch of a merchant's agent cannot hold another's document", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(theirs, "77", "1.00"))
			if _, err := b.db.Commit(b.Context(), l.batch(1, 1)); err == nil {
				b.Error("it was stored")
			}
		}},
		{"a commit whose context ends stores nothing", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			for i := range 200 {
				l.add(sale(mine, string(rune('a'+i%26))+string(rune('a'+i/26)), "1.00"))
			}
			before := b.dumpMine()
			for after := 1; after < 240; after += 13 {
				_, err := b.db.Commit(&endingContext{Context: b.Context(), looks: after, done: make(chan struct{})}, l.batch(1, 200))
				if err == nil { // all looks at the context were before its end
					break
				}
				if !errors.Is(err, context.Canceled) {
					b.Fatalf("the error is %v, not that of the context", err)
				}
				equal(b, "rows", b.dumpMine(), before)
			}
			equal(b, "stored", b.commit(l, 1, 200).Position.Stored, 200)
		}},
		{"two processes that commit at once lose nothing", func(b *bundle) {
			one, two := b.lane(mine, "agent-1", 1), b.lane(mine, "agent-2", 1)
			for i := range 60 {
				number := string(rune('A' + i%30))
				one.add(sale(mine, number, "1.00"))
				two.add(sale(mine, number, "1.00"))
			}
			var group sync.WaitGroup
			for _, l := range []*lane{one, two} {
				db := b.open()
				group.Go(func() {
					for first := uint64(1); first <= 60; first += 4 {
						if _, err := db.Commit(b.Context(), l.batch(first, first+3)); err != nil {
							b.Errorf("commit of %s: %v", l.id.Agent, err)
						}
					}
				})
			}
			group.Wait()
			b.versions(map[bizday.Day]int64{today: 30})
			equal(b, "documents", len(b.current()), 30)
		}},
		{"two processes that commit the same batch store it once", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			for i := range 40 {
				l.add(sale(mine, string(rune('A'+i)), "1.00"))
			}
			var group sync.WaitGroup
			for range 3 {
				db := b.open()
				group.Go(func() {
					for first := uint64(1); first <= 40; first += 5 {
						if _, err := db.Commit(b.Context(), l.batch(first, first+4)); err != nil {
							b.Errorf("commit: %v", err)
						}
					}
				})
			}
			group.Wait()
			b.versions(map[bizday.Day]int64{today: 40})
		}},
	}
}

func epochTests() []test {
	return []test{
		{"an unknown epoch is refused", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"))
			l.epoch.ID = [16]byte{1}
			_, err := b.db.Commit(b.Context(), l.batch(1, 1))
			_, position := b.db.Position(b.Context(), l.id, l.epoch.ID)
			_, _, at := b.db.DigestAt(b.Context(), l.id, l.epoch.ID, 1)
			for _, err := range []error{err, position, at, b.db.Covered(b.Context(), l.id, l.epoch.ID, intake.Watermark{}, noon)} {
				if !errors.Is(err, intake.ErrEpoch) {
					b.Errorf("%v is not the error of an unknown epoch", err)
				}
			}
		}},
		{"an older epoch can be read but takes no more", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"), sale(mine, "2", "1.00"))
			b.commit(l, 1, 1)
			b.lane(mine, "agent-1", 2)
			if _, err := b.db.Commit(b.Context(), l.batch(2, 2)); !errors.Is(err, intake.ErrEpoch) {
				b.Errorf("%v is not the error of an old epoch", err)
			}
			position, err := b.db.Position(b.Context(), l.id, l.epoch.ID)
			b.must(err)
			equal(b, "stored", position.Stored, 1)
		}},
		{"issuing an epoch again returns it", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			again, err := b.db.Issue(b.Context(), l.id, l.epoch.ID, l.start, "again", noon)
			b.must(err)
			equal(b, "epoch", again, l.epoch)
			equal(b, "order", b.lane(mine, "agent-1", 2).epoch.Order, 2)
		}},
		{"the digest at every stored number is known", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			for _, n := range []string{"1", "2", "3", "4", "5", "6"} {
				l.add(sale(mine, n, "1.00"))
			}
			b.commit(l, 1, 2)
			b.commit(l, 3, 3)
			b.commit(l, 5, 6)
			for n := uint64(0); n <= 7; n++ {
				at, known, err := b.db.DigestAt(b.Context(), l.id, l.epoch.ID, n)
				b.must(err)
				if want := n != 4 && n != 7; known != want || known && at != l.digest(n) {
					b.Errorf("at %d: known %v, equal %v", n, known, known && at == l.digest(n))
				}
			}
		}},
		{"a declared gap moves the watermark", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			for _, n := range []string{"1", "2", "3", "4", "5", "6", "7"} {
				l.add(sale(mine, n, "1.00"))
			}
			b.commit(l, 1, 1)
			b.commit(l, 4, 4)
			position, err := b.db.DeclareGap(b.Context(), l.id, l.epoch.ID, intake.Range{First: 2, Last: 5}, l.digest(5), "disk", noon)
			b.must(err)
			equal(b, "position", position, intake.Position{Epoch: l.epoch, Stored: 5, Digest: l.digest(5)})
			before := b.dumpMine()
			again, err := b.db.DeclareGap(b.Context(), l.id, l.epoch.ID, intake.Range{First: 2, Last: 5}, l.digest(5), "disk", noon)
			b.must(err)
			equal(b, "position", again, position)
			equal(b, "rows", b.dumpMine(), before)
			equal(b, "stored", b.commit(l, 6, 7).Position.Stored, 7)
			var lost []intake.Range
			b.must(b.db.EachRun(b.Context(), mine, func(r audit.Run) error {
				if r.Lost != "" {
					lost = append(lost, intake.Range{First: r.First, Last: r.Last})
				}
				return nil
			}))
			equal(b, "lost", lost, []intake.Range{{First: 2, Last: 3}, {First: 5, Last: 5}})
		}},
		{"a gap whose end is stored otherwise is a fork", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"), sale(mine, "2", "1.00"), sale(mine, "3", "1.00"))
			b.commit(l, 1, 1)
			b.commit(l, 3, 3)
			for _, gap := range []intake.Range{{First: 1, Last: 1}, {First: 1, Last: 3}, {First: 2, Last: 2}} {
				if _, err := b.db.DeclareGap(b.Context(), l.id, l.epoch.ID, gap, hashOf("other"), "disk", noon); !errors.Is(err, intake.ErrFork) {
					b.Errorf("gap %v: %v is not a fork", gap, err)
				}
			}
		}},
		{"a batch cannot begin after a gap with another digest", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"), sale(mine, "2", "1.00"))
			_, err := b.db.DeclareGap(b.Context(), l.id, l.epoch.ID, intake.Range{First: 1, Last: 1}, hashOf("other"), "disk", noon)
			b.must(err)
			if _, err := b.db.Commit(b.Context(), l.batch(2, 2)); !errors.Is(err, intake.ErrFork) {
				b.Errorf("%v is not a fork", err)
			}
		}},
		{"what was stored a week ago is safe", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			for _, n := range []string{"1", "2", "3", "4", "5", "6"} {
				l.add(sale(mine, n, "1.00"))
			}
			commit := func(first, last uint64, at time.Time) uint64 {
				batch := l.batch(first, last)
				batch.At = at
				outcome, err := b.db.Commit(b.Context(), batch)
				b.must(err)
				return outcome.Position.Safe
			}
			equal(b, "safe", commit(3, 3, noon), 0)
			equal(b, "safe", commit(1, 1, noon.Add(time.Hour)), 0)
			equal(b, "safe", commit(2, 2, noon.Add(2*time.Hour)), 0)
			equal(b, "safe", commit(4, 4, noon.Add(storage.SafeAfter)), 0) // 1 is not old enough
			equal(b, "safe", commit(5, 5, noon.Add(storage.SafeAfter+time.Hour)), 1)
			b.must(b.db.Covered(b.Context(), l.id, l.epoch.ID, intake.Watermark{}, noon.Add(storage.SafeAfter+3*time.Hour)))
			position, err := b.db.Position(b.Context(), l.id, l.epoch.ID)
			b.must(err)
			equal(b, "safe", position.Safe, 3)
			equal(b, "safe", commit(6, 6, noon.Add(storage.SafeAfter)), 3) // a clock that goes back takes nothing back
		}},
		{"what a verified backup has is safe at once, and no more", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			for _, n := range []string{"1", "2", "3", "4", "5"} {
				l.add(sale(mine, n, "1.00"))
			}
			b.commit(l, 1, 2)
			b.commit(l, 4, 4) // above a hole
			copied := b.streamOf(l)
			equal(b, "copied", copied.Stored, 2)
			b.must(b.db.Verified(b.Context(), []backup.Stream{copied}))
			outcome := b.commit(l, 3, 3)
			equal(b, "stored", outcome.Position.Stored, 4)
			equal(b, "safe", outcome.Position.Safe, 2)
			older := copied
			older.Stored, older.Digest = 1, digestOf(l, 1)
			b.must(b.db.Verified(b.Context(), []backup.Stream{older}))
			equal(b, "safe", b.commit(l, 5, 5).Position.Safe, 2)
			b.must(b.db.Verified(b.Context(), []backup.Stream{b.streamOf(l)}))
			b.must(b.db.Covered(b.Context(), l.id, l.epoch.ID, intake.Watermark{}, noon))
			position, err := b.db.Position(b.Context(), l.id, l.epoch.ID)
			b.must(err)
			equal(b, "safe", position.Safe, 5)
		}},
		{"a backup that has something else is not noted", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"), sale(mine, "2", "2.00"))
			b.commit(l, 1, 1)
			otherwise, beyond, above := b.streamOf(l), b.streamOf(l), b.streamOf(l)
			otherwise.Digest = digestOf(l, 2)
			beyond.Stored, beyond.Digest = 2, digestOf(l, 2)
			above.Stored, above.Digest = 4, digestOf(l, 2)
			for _, s := range []backup.Stream{otherwise, beyond, above} {
				if err := b.db.Verified(b.Context(), []backup.Stream{s}); !errors.Is(err, backup.ErrOther) {
					b.Errorf("up to %d: %v", s.Stored, err)
				}
			}
			equal(b, "safe", b.commit(l, 2, 2).Position.Safe, 0)
		}},
		{"a watermark claim holds once its number is stored", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			b.enrol(mine, "agent-1")
			for _, n := range []string{"1", "2", "3", "4"} {
				l.add(sale(mine, n, "1.00"))
			}
			covered := func() time.Time {
				a, err := b.db.Agent(b.Context(), mine, "agent-1")
				b.must(err)
				f := b.facts(today)
				if len(f.Agents) != 1 || !f.Agents[0].CoveredTo.Equal(a.Beat.CoveredTo) {
					b.Errorf("the day has agents %+v, not the one covered to %v", f.Agents, a.Beat.CoveredTo)
				}
				return a.Beat.CoveredTo
			}
			claim := func(minutes int, number uint64) intake.Watermark {
				return intake.Watermark{Time: noon.Add(time.Duration(minutes) * time.Minute), Number: number}
			}
			batch := l.batch(1, 1)
			batch.Captured = claim(1, 1)
			_, err := b.db.Commit(b.Context(), batch)
			b.must(err)
			equal(b, "covered to", covered(), noon.Add(time.Minute))
			b.must(b.db.Covered(b.Context(), l.id, l.epoch.ID, claim(2, 3), noon))
			b.must(b.db.Covered(b.Context(), l.id, l.epoch.ID, claim(9, 9), noon)) // must not push the first out
			equal(b, "covered to", covered(), noon.Add(time.Minute))
			b.commit(l, 3, 3)
			equal(b, "covered to", covered(), noon.Add(time.Minute))
			b.commit(l, 2, 2)
			equal(b, "covered to", covered(), noon.Add(2*time.Minute))
			b.must(b.db.Covered(b.Context(), l.id, l.epoch.ID, claim(1, 2), noon))
			equal(b, "covered to", covered(), noon.Add(2*time.Minute))
			b.lane(mine, "agent-1", 2) // of a new numbering nothing is known yet
			equal(b, "covered to", covered(), time.Time{})
		}},
	}
}

// streamOf is how far a numbering is stored, as a backup has it.
func (b *bundle) streamOf(l *lane) backup.Stream {
	b.Helper()
	contents, err := b.db.Contents(b.Context())
	b.must(err)
	for _, s := range contents.Streams {
		if s.Merchant == l.id.Merchant && s.Agent == l.id.Agent && s.Order == l.epoch.Order {
			at, known, err := b.db.DigestOf(b.Context(), s)
			b.must(err)
			if !known || string(at[:]) != string(s.Digest) {
				b.Errorf("the digest at number %d is another", s.Stored)
			}
			return s
		}
	}
	b.Fatalf("epoch %d of %s is not among the contents", l.epoch.Order, l.id.Agent)
	return backup.Stream{}
}

func digestOf(l *lane, number uint64) backup.Hex {
	at := l.digest(number)
	return at[:]
}

// versions checks the versions of all days.
func (b *bundle) versions(want map[bizday.Day]int64) {
	b.Helper()
	days, err := b.db.Days(b.Context(), mine)
	b.must(err)
	got := map[bizday.Day]int64{}
	for _, d := range days {
		got[d.Day] = d.Version
		if d.State != day.Open {
			b.Errorf("day %s is %s, not open", d.Day, d.State)
		}
	}
	equal(b, "versions of days", got, want)
}

// current returns the amount of the current document by receipt number.
func (b *bundle) current() map[string]string {
	b.Helper()
	amounts := map[string]string{}
	b.must(b.db.EachDocument(b.Context(), mine, func(d audit.Document) error {
		if d.Standing != "current" {
			return nil
		}
		body, err := document.Unmarshal(d.Body)
		b.must(err)
		if _, twice := amounts[body.Key.Number]; twice {
			b.Errorf("two documents of number %s are current", body.Key.Number)
		}
		amounts[body.Key.Number] = body.Lines[0].Extended.String()
		return nil
	}))
	return amounts
}

func (b *bundle) dumpMine() []string {
	b.Helper()
	b.configure()
	return b.dump(mine)
}

// configure applies the merchant's configuration, which most tests of batches do
// not need.
func (b *bundle) configure() {
	b.Helper()
	b.apply(configuration(mine))
}

func (b *bundle) facts(on bizday.Day) day.Facts {
	b.Helper()
	b.configure()
	f, err := b.db.Facts(b.Context(), day.Ref{Merchant: mine, Store: store, Day: on})
	b.must(err)
	return f
}

// endingContext ends after it was looked at so often.
type endingContext struct {
	context.Context
	mu    sync.Mutex
	looks int
	done  chan struct{}
}

func (c *endingContext) Done() <-chan struct{} { return c.done }

func (c *endingContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.looks--; c.looks == 0 {
		close(c.done)
	}
	if c.looks <= 0 {
		return context.Canceled
	}
	return nil
}
