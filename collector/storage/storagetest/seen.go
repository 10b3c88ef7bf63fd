package storagetest

import (
	"errors"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// close saves an entry of a day as it stands.
func (b *bundle) close(on bizday.Day) {
	b.Helper()
	f := b.facts(on)
	e := entry(f.Ref, f.Version)
	e.Seen = f.Seen
	b.must(b.db.Save(b.Context(), e))
}

// returned is a return today of receipt 7, by its number or its key.
func returned(number string, byKey bool) *document.Document {
	d := sale(mine, number, "-7.00")
	d.Kind, d.Links = document.Return, []document.Link{{Relation: document.Returns, Number: "7"}}
	if byKey {
		key := sale(mine, "7", "7.00").Key
		key.Merchant, key.Store = "", ""
		d.Links = []document.Link{{Relation: document.Returns, Key: &key}}
	}
	return d
}

func seenTests() []test {
	return []test{
		{"a day rises when the original of a return changes, moves or comes, and no other does", func(b *bundle) {
			for _, byKey := range []bool{false, true} {
				name := map[bool]string{false: "agent-number", true: "agent-key"}[byKey]
				l := b.lane(mine, name, 1)
				number := map[bool]string{false: "20", true: "21"}[byKey]
				l.add(returned(number, byKey))
				b.commit(l, 1, 1)
				b.close(today)
			}
			l := b.lane(mine, "agent-1", 1)
			l.addOn(yesterday, sale(mine, "7", "7.00"))
			l.addOn(yesterday, sale(mine, "7", "7.50"))
			l.addOn("2026-02-27", sale(mine, "7", "7.60"))
			l.addOn("2026-02-27", sale(mine, "8", "8.00"))
			l.addOn("2026-03-03", sale(mine, "30", "8.00"))
			for n, raises := range []bool{true, true, true, false, false} {
				before := b.facts(today).Version
				b.commit(l, uint64(n)+1, uint64(n)+1)
				if rose := b.facts(today).Version == before+1; rose != raises {
					b.Errorf("record %d: the day rose %v from version %d", n+1, rose, before)
				}
				b.close(today)
			}
		}},
		{"a day rises when the counts of the day before change, or a day comes between", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.addOn("2026-02-28", count(mine, "c1", "50.00"))
			l.add(sale(mine, "1", "1.00"))
			b.commit(l, 1, 2)
			b.close(today)
			l.addOn("2026-02-28", sale(mine, "2", "1.00")) // moves no cash of today
			l.addOn("2026-02-28", count(mine, "c1", "60.00"))
			l.addOn("2026-02-27", count(mine, "c0", "60.00"))
			l.addOn(yesterday, sale(mine, "3", "1.00"))
			for i, raises := range []bool{false, true, false, true} {
				before := b.facts(today).Version
				b.commit(l, uint64(i)+3, uint64(i)+3)
				if rose := b.facts(today).Version == before+1; rose != raises {
					b.Errorf("record %d: the day rose %v", i+3, rose)
				}
				b.close(today)
			}
		}},
		{"an entry whose original changed while it was made is not saved", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.addOn(yesterday, sale(mine, "7", "7.00"))
			l.add(returned("20", false))
			l.addOn(yesterday, sale(mine, "7", "7.50"))
			b.commit(l, 1, 2)
			f := b.facts(today)
			b.commit(l, 3, 3)
			e := entry(f.Ref, f.Version)
			e.Seen = f.Seen
			if err := b.db.Save(b.Context(), e); !errors.Is(err, day.ErrMoved) {
				b.Errorf("saved: %v", err)
			}
			b.close(today)
		}},
		{"78 a day rises when a receipt of the day before that its close counts comes late", func(b *bundle) {
			b.apply(configuration(mine))
			l := b.lane(mine, "agent-1", 1)
			l.addOn(today, sale(mine, "2", "2.00"))
			l.zed("17", today, noon.Add(time.Hour))
			l.addOn(yesterday, sale(mine, "1", "1.00"))
			b.commit(l, 1, 2)
			b.close(today)
			b.commit(l, 3, 3)
			equal(b, "version", b.facts(today).Version, 3)
		}},
		{"a conflict that is settled raises the days that looked at the document", func(b *bundle) {
			b.apply(configuration(mine))
			one, two := b.lane(mine, "agent-1", 1), b.lane(mine, "agent-2", 1)
			one.addOn(yesterday, sale(mine, "7", "7.00"))
			one.add(returned("20", false))
			two.addOn(yesterday, sale(mine, "7", "7.50"))
			b.commit(one, 1, 2)
			b.commit(two, 1, 1)
			b.close(today)
			b.must(b.db.Settle(b.Context(), mine, one.records[0].Key, "agent-2", "olga", noon))
			equal(b, "version", b.facts(today).Version, 2)
		}},
	}
}
