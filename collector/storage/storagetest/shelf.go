package storagetest

import (
	"errors"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
)

// shelved returns the merchant's shelf, which must hold so many records.
func (b *bundle) shelved(want int) []intake.Shelved {
	b.Helper()
	found, err := b.db.Shelved(b.Context(), mine)
	b.must(err)
	if len(found) != want {
		b.Fatalf("%d records are on the shelf, want %d: %v", len(found), want, found)
	}
	return found
}

// readable is a shelved record that turned out to be a sale of today.
func (b *bundle) readable(s intake.Shelved, number, amount string) intake.Record {
	b.Helper()
	d := sale(mine, number, amount)
	plain := *d
	plain.Key.Merchant = ""
	body, err := document.Marshal(&plain)
	b.must(err)
	return intake.Record{Capture: s.Capture, Bytes: body, Document: d, Key: d.Key.String(), Hash: document.Hash(d), Day: today}
}

func shelfTests() []test {
	return []test{
		{"a replayed record is a document from then on, once", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"))
			l.unreadable()
			b.commit(l, 1, 2)
			s := b.shelved(1)[0]
			equal(b, "what is on the shelf", s, intake.Shelved{From: l.id, Epoch: 1, Number: 2, Capture: 2, Code: "unreadable", Text: "not a document", Received: noon, Bytes: []byte("?")})
			verdict, err := b.db.Replay(b.Context(), s, b.readable(s, "2", "2.00"), noon)
			b.must(err)
			equal(b, "verdict", verdict, intake.New)
			equal(b, "current", b.current(), map[string]string{"1": "1.00", "2": "2.00"})
			b.versions(map[bizday.Day]int64{today: 2})
			equal(b, "rejected", b.facts(today).Rejected, 0)
			b.shelved(0)
			if _, err := b.db.Replay(b.Context(), s, b.readable(s, "3", "3.00"), noon); !errors.Is(err, intake.ErrSettled) {
				b.Errorf("replayed again: %v", err)
			}
			equal(b, "current", b.current(), map[string]string{"1": "1.00", "2": "2.00"})
		}},
		{"a record replayed after its key was sent anew is decided as if it had been read when it came", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.unreadable()
			l.add(sale(mine, "1", "9.00"))
			b.commit(l, 1, 2)
			s := b.shelved(1)[0]
			verdict, err := b.db.Replay(b.Context(), s, b.readable(s, "1", "1.00"), noon)
			b.must(err)
			equal(b, "verdict", verdict, intake.Older)
			equal(b, "current", b.current(), map[string]string{"1": "9.00"})
			b.versions(map[bizday.Day]int64{today: 1})
		}},
		{"a dismissed record holds no day, and its bytes stay", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"))
			l.unreadable()
			b.commit(l, 1, 2)
			s := b.shelved(1)[0]
			equal(b, "rejected", b.facts(today).Rejected, 1)
			b.must(b.db.Dismiss(b.Context(), s, "olga", noon))
			equal(b, "rejected", b.facts(today).Rejected, 0)
			b.shelved(0)
			kept := 0
			b.must(b.db.EachRejected(b.Context(), mine, func(r storage.Rejected) error {
				if string(r.Body) == "?" && r.DismissedBy == "olga" {
					kept++
				}
				return nil
			}))
			equal(b, "kept", kept, 1)
			if err := b.db.Dismiss(b.Context(), s, "olga", noon); !errors.Is(err, intake.ErrSettled) {
				b.Errorf("dismissed again: %v", err)
			}
		}},
		{"a person settles a conflict for either agent, and both days are closed anew", func(b *bundle) {
			b.apply(configuration(mine))
			one, two := b.lane(mine, "agent-1", 1), b.lane(mine, "agent-2", 1)
			one.add(sale(mine, "1", "1.00"))
			two.addOn(yesterday, sale(mine, "1", "8.00"))
			two.addOn(yesterday, sale(mine, "1", "9.00"))
			b.commit(one, 1, 1)
			b.commit(two, 1, 2)
			b.versions(map[bizday.Day]int64{today: 3})
			found, err := b.db.Contradictions(b.Context(), mine)
			b.must(err)
			var counts []bool
			for _, c := range found {
				counts = append(counts, c.Counts)
			}
			equal(b, "which counts", counts, []bool{true, false, false})
			key := one.records[0].Key
			b.must(b.db.Settle(b.Context(), mine, key, "agent-2", "olga", noon))
			equal(b, "conflicts", b.facts(today).Conflicts+b.facts(yesterday).Conflicts, 0)
			equal(b, "documents of today", len(b.facts(today).Documents), 0)
			if f := b.facts(yesterday); len(f.Documents) != 1 || f.Documents[0].Document.Tenders[0].Amount.String() != "9.00" {
				b.Errorf("yesterday has %+v, not what the agent said last", f.Documents)
			}
			b.versions(map[bizday.Day]int64{today: 4, yesterday: 1})
			if err := b.db.Settle(b.Context(), mine, key, "agent-1", "olga", noon); !errors.Is(err, storage.ErrNone) {
				b.Errorf("settled again: %v", err)
			}
			// What the other agent said before stays settled, something new of it is a conflict again.
			again := b.lane(mine, "agent-1", 2)
			again.append(one.records[0])
			again.add(sale(mine, "1", "7.00"))
			if diff := cmp.Diff([]intake.Verdict{intake.Duplicate, intake.Conflict}, b.commit(again, 1, 2).Verdicts); diff != "" {
				b.Error(diff)
			}
			b.must(b.db.Settle(b.Context(), mine, key, "agent-2", "olga", noon.Add(1)))
			equal(b, "conflicts", b.facts(yesterday).Conflicts, 0)
		}},
		{"a conflict is settled only for an agent that says something of it", func(b *bundle) {
			one, two := b.lane(mine, "agent-1", 1), b.lane(mine, "agent-2", 1)
			one.add(sale(mine, "1", "1.00"), sale(mine, "2", "2.00"))
			two.add(sale(mine, "1", "9.00"))
			b.commit(one, 1, 2)
			b.commit(two, 1, 1)
			for _, c := range []struct{ key, agent string }{{one.records[0].Key, "agent-3"}, {one.records[1].Key, "agent-1"}, {"no such key", "agent-1"}} {
				if err := b.db.Settle(b.Context(), mine, c.key, c.agent, "olga", noon); !errors.Is(err, storage.ErrNone) {
					b.Errorf("settled %s for %s: %v", c.key, c.agent, err)
				}
			}
			equal(b, "conflicts", b.facts(today).Conflicts, 1)
		}},
	}
}
