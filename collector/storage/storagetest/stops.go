package storagetest

import (
	"errors"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
)

// dueTo counts what is to be posted of a merchant.
func (b *bundle) dueTo(merchantID string) int {
	b.Helper()
	all, err := b.db.Due(b.Context(), "")
	b.must(err)
	n := 0
	for _, d := range all {
		if d.Merchant == merchantID {
			n++
		}
	}
	return n
}

func stopTests() []test {
	return []test{
		{"a merchant that is paused has nothing due until it is resumed, and its days know it", func(b *bundle) {
			b.apply(configuration(mine))
			b.closed(1)
			equal(b, "due", b.dueTo(mine), 1)
			theirDue := b.dueTo(theirs)
			pause := day.Stop{At: noon, By: "olga", Reason: day.StopPaused}
			for i, want := range []bool{true, false} {
				again := pause
				again.At = noon.Add(time.Duration(i) * time.Hour)
				stopped, err := b.db.Stop(b.Context(), mine, again)
				b.must(err)
				equal(b, "stopped anew", stopped, want)
			}
			s, err := b.db.Stopped(b.Context(), mine)
			b.must(err)
			equal(b, "stop", s, &pause)
			equal(b, "stop of the day", b.facts(today).Stop, &pause)
			equal(b, "due", b.dueTo(mine), 0)
			equal(b, "due to the other", b.dueTo(theirs), theirDue)
			for _, want := range []bool{true, false} {
				resumed, err := b.db.Resume(b.Context(), mine, "olga", noon.Add(2*time.Hour))
				b.must(err)
				equal(b, "resumed", resumed, want)
			}
			equal(b, "stop of the day", b.facts(today).Stop, nil)
			equal(b, "due", b.dueTo(mine), 1)
			_, resumed, err := b.db.Outcomes(b.Context(), mine, yesterday)
			b.must(err)
			equal(b, "resumed", resumed, noon.Add(2*time.Hour))
		}},
		{"days that people entered are known as such, and looked at again", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"))
			b.commit(l, 1, 1)
			for range 2 {
				b.must(b.db.Enter(b.Context(), mine, store, "0001-01-01", today, "olga", noon))
			}
			equal(b, "today is entered", b.facts(today).Entered, true)
			equal(b, "tomorrow is entered", b.facts("2026-03-03").Entered, false)
			b.must(b.db.Set(b.Context(), b.ref(), 1, day.External, nil, noon))
			equal(b, "unsettled", b.unsettled(), nil)
			b.must(b.db.Withdraw(b.Context(), mine, store, "0001-01-01", today, "olga", noon))
			equal(b, "today is entered", b.facts(today).Entered, false)
			equal(b, "unsettled", b.unsettled(), []day.Ref{b.ref()})
			if err := b.db.Withdraw(b.Context(), mine, store, "0001-01-01", today, "olga", noon); !errors.Is(err, storage.ErrNone) {
				b.Errorf("withdrawn again: %v", err)
			}
		}},
		{"a day without a document is opened once, and closed with an entry as others are", func(b *bundle) {
			b.apply(configuration(mine))
			b.enrol(mine, "agent-1")
			l := b.lane(mine, "agent-1", 1)
			l.addOn("2026-02-27", sale(mine, "8", "1.00"))
			l.addOn(yesterday, sale(mine, "9", "1.00"))
			b.commit(l, 1, 2)
			known, older, agents, err := b.db.Known(b.Context(), mine, store, "2026-02-28")
			b.must(err)
			equal(b, "known", known, []bizday.Day{yesterday})
			equal(b, "agents", len(agents), 1)
			equal(b, "older", older, true)
			_, older, _, err = b.db.Known(b.Context(), mine, store, "2026-02-27")
			b.must(err)
			equal(b, "older", older, false)
			for range 2 {
				b.must(b.db.Open(b.Context(), b.ref(), noon))
			}
			b.must(b.db.Open(b.Context(), day.Ref{Merchant: mine, Store: store, Day: yesterday}, noon))
			b.versions(map[bizday.Day]int64{"2026-02-27": 1, yesterday: 1, today: 1})
			b.must(b.db.Save(b.Context(), entry(b.ref(), 1)))
			l.add(sale(mine, "10", "1.00")) // after all
			b.commit(l, 3, 3)
			equal(b, "version", b.facts(today).Version, 2)
			equal(b, "unsettled", len(b.unsettled()), 3)
		}},
		{"how days went is known since a day", func(b *bundle) {
			b.apply(configuration(mine))
			l := b.lane(mine, "agent-2", 1)
			l.addOn("2026-02-27", sale(mine, "8", "1.00"))
			l.addOn(yesterday, sale(mine, "9", "1.00"))
			b.commit(l, 1, 2)
			b.closed(1)
			p := intent(b.ref(), 1, 1)
			b.must(b.db.Intend(b.Context(), p, false))
			p.State = "refused"
			b.must(b.db.Advance(b.Context(), p, "intended"))
			all, _, err := b.db.Outcomes(b.Context(), mine, bizday.Day("2026-02-28"))
			b.must(err)
			other := b.ref()
			other.Day = yesterday
			equal(b, "outcomes", all, []day.Outcome{{Ref: b.ref(), State: day.Ready, Entry: 1, Stuck: 1}, {Ref: other, State: day.Open}})
		}},
	}
}
