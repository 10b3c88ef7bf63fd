package storagetest

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// night is a moment after the cut-off of the store, so of the next day by itself.
var night = time.Date(2026, 3, 3, 0, 30, 0, 0, time.UTC)

// tied captures a receipt of session 1 that is of a day by itself.
func (l *lane) tied(number, amount string, at time.Time) *intake.Record {
	r := l.addOn(bizday.Day(at.Format(time.DateOnly)), sale(l.id.Merchant, number, amount))
	r.Tie = intake.Tie{Terminal: "1", Periods: []string{"session 1"}, At: at}
	return r
}

// zed captures the close of session 1, of a day that it states.
func (l *lane) zed(number string, on bizday.Day, at time.Time) *intake.Record {
	d := &document.Document{
		Key:  document.Key{Merchant: l.id.Merchant, Store: store, Terminal: "1", Space: document.SpaceZ, Number: number},
		Kind: document.PeriodClose, State: document.Completed, Currency: "GBP",
		StatedDay: document.StatedDay{Date: string(on), Session: "1"}, Time: document.Time{UTC: at}, Numbers: document.Numbers{Z: number},
	}
	r := l.addOn(on, d)
	begin, err := time.Parse(time.DateOnly, string(on))
	l.b.must(err)
	r.Tie = intake.Tie{Terminal: "1", Periods: []string{"z " + number, "session 1"}, Close: true, At: at,
		From: begin.Add(-4 * time.Hour), Until: begin.Add(28 * time.Hour)}
	return r
}

// receipts are the numbers of a day's receipts.
func (b *bundle) receipts(on bizday.Day) []string {
	b.Helper()
	var numbers []string
	for _, s := range b.facts(on).Documents {
		if s.Document.Kind == document.Sale {
			numbers = append(numbers, s.Document.Key.Number)
		}
	}
	return numbers
}

func periodTests() []test {
	const tomorrow = bizday.Day("2026-03-03")
	return []test{
		{"receipts are moved to the day of their close when it comes, and both days rise", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.tied("1", "1.00", noon)
			l.tied("2", "2.00", night)
			l.addOn(tomorrow, sale(mine, "3", "3.00"))
			l.zed("17", today, night.Add(time.Minute))
			b.commit(l, 1, 3)
			equal(b, "receipts of tomorrow", b.receipts(tomorrow), []string{"2", "3"})
			b.commit(l, 4, 4)
			equal(b, "receipts of today", b.receipts(today), []string{"1", "2"})
			equal(b, "receipts of tomorrow", b.receipts(tomorrow), []string{"3"})
			b.versions(map[bizday.Day]int64{today: 3, tomorrow: 3})
			equal(b, "unsettled", len(b.unsettled()), 2)
		}},
		{"a receipt whose close is there is of its day at once, and no other day rises", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.zed("17", today, night.Add(time.Minute))
			l.tied("2", "2.00", night)
			b.commit(l, 1, 1)
			b.commit(l, 2, 2)
			equal(b, "receipts of today", b.receipts(today), []string{"2"})
			b.versions(map[bizday.Day]int64{today: 2})
			l.tied("2", "2.50", night)
			b.commit(l, 3, 3)
			equal(b, "receipts of today", b.receipts(today), []string{"2"})
			if n := b.facts(tomorrow).Version; n != 0 {
				b.Errorf("tomorrow has version %d", n)
			}
		}},
		{"a close that is corrected or withdrawn moves its receipts back", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.tied("2", "2.00", night)
			z := l.zed("17", today, night.Add(time.Minute))
			b.commit(l, 1, 2)
			equal(b, "receipts of today", b.receipts(today), []string{"2"})
			gone := *z.Document
			gone.Deleted = true
			l.addOn(today, &gone)
			b.commit(l, 3, 3)
			equal(b, "receipts of tomorrow", b.receipts(tomorrow), []string{"2"})
			l.zed("17", today, night.Add(time.Minute)).StatesOrder = true
			b.commit(l, 4, 4)
			equal(b, "receipts of today", b.receipts(today), []string{"2"})
		}},
		{"78 a close that turns out to span two days leaves each receipt on its own", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.tied("2", "2.00", night)
			l.zed("17", today, night.Add(time.Minute))
			l.tied("1", "1.00", noon.Add(-14*time.Hour)) // yesterday at 22:00
			b.commit(l, 1, 2)
			equal(b, "receipts of today", b.receipts(today), []string{"2"})
			b.commit(l, 3, 3)
			equal(b, "receipts of yesterday", b.receipts(yesterday), []string{"1"})
			equal(b, "receipts of tomorrow", b.receipts(tomorrow), []string{"2"})
		}},
		{"78 a day knows the closes of later days and what its own may count of earlier ones", func(b *bundle) {
			const before, after = bizday.Day("2026-02-28"), bizday.Day("2026-03-03")
			b.apply(configuration(mine))
			l := b.lane(mine, "agent-1", 1)
			l.zed("16", before, noon.AddDate(0, 0, -2))
			l.addOn(before, sale(mine, "0", "1.00"))
			l.tied("1", "1.00", noon.AddDate(0, 0, -1))
			other := sale(mine, "9", "1.00")
			other.Key.Terminal = "2"
			l.addOn(yesterday, other)
			l.tied("2", "2.00", noon)
			l.zed("17", today, noon.Add(time.Hour))
			named := l.tied("3", "2.00", noon.Add(2*time.Hour)) // after Z 17, of Z 18
			named.Tie.Periods = []string{"z 18"}
			l.zed("18", after, night.Add(12*time.Hour))
			b.commit(l, 1, 8)
			earlier := func(on bizday.Day) (numbers []string) {
				for _, s := range b.facts(on).Earlier {
					numbers = append(numbers, s.Document.Key.Number)
				}
				return numbers
			}
			later := func(on bizday.Day) (numbers []string) {
				for _, z := range b.facts(on).Later {
					numbers = append(numbers, z.Key.Number)
				}
				return numbers
			}
			equal(b, "before, later", later(before), []string{"17"})
			equal(b, "yesterday, later", later(yesterday), []string{"17"})
			equal(b, "yesterday, earlier", earlier(yesterday), nil)
			equal(b, "today, earlier", earlier(today), []string{"1"})
			equal(b, "today, later", later(today), []string{"18"})
			equal(b, "tomorrow, earlier", earlier(after), []string{"3"})
		}},
		{"a conflict that is settled for the other agent's close moves its receipts", func(b *bundle) {
			b.apply(configuration(mine))
			one, two := b.lane(mine, "agent-1", 1), b.lane(mine, "agent-2", 1)
			one.tied("2", "2.00", night)
			one.zed("17", tomorrow, night.Add(time.Minute))
			two.zed("17", today, night.Add(time.Minute))
			b.commit(one, 1, 2)
			b.commit(two, 1, 1)
			equal(b, "receipts of tomorrow", b.receipts(tomorrow), []string{"2"})
			b.must(b.db.Settle(b.Context(), mine, two.records[0].Key, "agent-2", "olga", noon))
			equal(b, "receipts of today", b.receipts(today), []string{"2"})
		}},
		{"the days of documents do not depend on the order in which they come", anyOrder},
	}
}

// anyOrder commits the same receipts and closes in two orders, cut differently.
func anyOrder(b *bundle) {
	runs := 0
	rapid.Check(b, func(t *rapid.T) {
		type one struct {
			close  bool
			number int
			at     time.Time
			on     bizday.Day
		}
		var all []one
		for i := range rapid.IntRange(2, 8).Draw(t, "documents") {
			at := noon.Add(time.Duration(rapid.IntRange(-40, 40).Draw(t, "hour"))*time.Hour + time.Duration(i)*time.Second)
			on := bizday.Day(at.Format(time.DateOnly)).Add(rapid.IntRange(-1, 0).Draw(t, "stated"))
			all = append(all, one{rapid.IntRange(0, 2).Draw(t, "close") == 0, i, at, on})
		}
		var outcomes []string
		for _, order := range [][]one{all, rapid.Permutation(all).Draw(t, "order")} {
			runs++
			merchantID := fmt.Sprintf("p%d", runs)
			b.apply(configuration(merchantID))
			l := b.lane(merchantID, "agent-1", 1)
			for _, o := range order {
				if number := fmt.Sprint(o.number); o.close {
					l.zed(number, o.on, o.at)
				} else {
					l.tied(number, "1.00", o.at)
				}
			}
			for first := uint64(1); first <= uint64(len(order)); {
				last := rapid.Uint64Range(first, uint64(len(order))).Draw(t, "batch")
				b.commit(l, first, last)
				first = last + 1
			}
			days := map[string]bizday.Day{}
			stored, err := b.db.Days(b.Context(), merchantID)
			b.must(err)
			for _, d := range stored {
				f, err := b.db.Facts(b.Context(), d.Ref)
				b.must(err)
				for _, s := range f.Documents {
					days[s.Key] = d.Day
				}
			}
			outcomes = append(outcomes, fmt.Sprint(days))
		}
		if len(slices.Compact(outcomes)) != 1 {
			t.Fatalf("%s\n%s", outcomes[0], outcomes[1])
		}
	})
}
