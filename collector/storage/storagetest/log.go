package storagetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/erasure"
	"tillbook.example/tillbook/collector/export"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/document"
)

// acts is the log of a merchant, each act as one text, and its chain must be whole.
func (b *bundle) acts(merchantID string) (all []string) {
	b.Helper()
	var chain logbook.Chain
	b.must(b.db.EachAct(b.Context(), merchantID, func(a logbook.Act) error {
		for _, wrong := range chain.Follow(a) {
			b.Error(wrong)
		}
		all = append(all, fmt.Sprintf("%d %s %s by %q: %s", a.Number, a.What, a.On, a.By, a.Detail))
		return nil
	}))
	return all
}

func logTests() []test {
	return []test{
		{"what people do is in the log once, whoever does it again", func(b *bundle) {
			olga := logbook.As(b.Context(), "olga")
			_, err := b.db.Apply(olga, configuration(mine), noon)
			b.must(err)
			b.apply(configuration(mine))
			b.enrol(mine, "agent-1")
			for range 2 {
				b.must(b.db.Revoke(olga, mine, "agent-1", noon))
				_, err := b.db.Stop(b.Context(), mine, day.Stop{At: noon, By: "ben", Reason: day.StopPaused})
				b.must(err)
				b.must(b.db.Enter(b.Context(), mine, store, yesterday, today, "ben", noon))
			}
			b.must(b.db.Withdraw(b.Context(), mine, store, yesterday, today, "ben", noon))
			for range 2 {
				_, err := b.db.Resume(b.Context(), mine, "ben", noon)
				b.must(err)
			}
			b.must(b.db.Tokens(label{}).Save(olga, mine+"/ledger", 0, access(0)))
			b.must(b.db.Tokens(label{}).Forget(olga, mine+"/ledger"))
			b.must(b.db.Note(olga, logbook.Act{Merchant: mine, At: noon, What: logbook.Export, On: "folder"}))
			got := b.acts(mine)
			got[0] = got[0][:len(`1 apply configuration 1 by "olga": SHA-256 `)]
			equal(b, "log", got, []string{
				`1 apply configuration 1 by "olga": SHA-256 `, `2 join-code leeds by "": `, `3 revoke agent-1 by "olga": `, `4 pause  by "ben": paused`,
				`5 entered leeds/2026-03-01 to 2026-03-02 by "ben": `, `6 withdraw leeds/2026-03-01 to 2026-03-02 by "ben": `, `7 resume  by "ben": `,
				`8 connect ledger by "olga": `, `9 disconnect ledger by "olga": `, `10 export folder by "olga": `,
			})
		}},
		{"what people do to a day is in the log, and what fails is not", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"))
			b.commit(l, 1, 1)
			b.must(b.db.Accept(b.Context(), b.ref(), "z.net", "olga", noon))
			b.must(b.db.Reopen(logbook.As(b.Context(), "ben"), b.ref(), noon))
			if err := b.db.Reopen(b.Context(), day.Ref{Merchant: mine, Store: store, Day: "2020-01-01"}, noon); !errors.Is(err, storage.ErrNone) {
				b.Errorf("a day that is not there: %v", err)
			}
			got := b.acts(mine)
			equal(b, "log", got[len(got)-2:], []string{
				fmt.Sprintf(`%d accept leeds/2026-03-02 by "olga": z.net`, len(got)-1), fmt.Sprintf(`%d reopen leeds/2026-03-02 by "ben": `, len(got)),
			})
		}},
		{"what is done at once is chained one after the other", func(b *bundle) {
			var all sync.WaitGroup
			for i := range 8 {
				db := b.db
				if i%2 == 1 {
					db = b.open()
				}
				all.Go(func() {
					if err := db.Note(b.Context(), logbook.Act{Merchant: mine, At: noon, What: logbook.Export}); err != nil {
						b.Error(err)
					}
				})
			}
			all.Wait()
			equal(b, "acts", len(b.acts(mine)), 8)
		}},
		{"the collector as a whole has a log of its own, and each end is known", func(b *bundle) {
			b.must(b.db.Note(b.Context(), logbook.Act{Merchant: logbook.Collector, At: noon.Add(time.Nanosecond), What: logbook.Rotate}))
			equal(b, "log", b.acts(logbook.Collector), []string{`1 rotate  by "": `})
			contents, err := b.db.Contents(b.Context())
			b.must(err)
			equal(b, "merchants with a log", len(contents.Logs), 2)
			for _, l := range contents.Logs {
				hash, err := b.db.HashOfAct(b.Context(), l.Merchant, l.Number)
				b.must(err)
				equal(b, "hash", hash[:], []byte(l.Hash))
				after, err := b.db.HashOfAct(b.Context(), l.Merchant, l.Number+1)
				b.must(err)
				equal(b, "hash of no act", after, [32]byte{})
			}
		}},
	}
}

func everythingTests() []test {
	return []test{
		{"everything of a merchant is given kind by kind, and nothing of another", func(b *bundle) {
			b.settle(mine)
			b.must(b.db.Revoke(b.Context(), mine, "agent-1", noon))
			given, kinds := map[string]int{}, []string{}
			b.must(b.db.Everything(b.Context(), mine, func(kind string, row any) error {
				if given[kind]++; given[kind] == 1 {
					kinds = append(kinds, kind)
				}
				if d, is := row.(export.Document); is && (d.Document == nil || d.Document.Key.Merchant != mine || document.HashString(d.Document) != d.Hash) {
					b.Errorf("document %+v", d)
				}
				if a, is := row.(export.Act); is && a.Merchant != mine {
					b.Errorf("act %+v", a)
				}
				return nil
			}))
			equal(b, "kinds", kinds, export.Kinds)
			equal(b, "rows", given, map[string]int{export.Configurations: 1, export.Mappings: 1, export.Agents: 1, export.Documents: 5, export.Rejected: 1,
				export.Days: 3, export.Entries: 2, export.Postings: 1, export.Settlements: 4, export.Decisions: 3, export.Log: 7})
			err := b.db.Everything(b.Context(), "nobody", func(string, any) error { return nil })
			equal(b, "a merchant that is not there is not stored", errors.Is(err, storage.ErrNone), true)
		}},
	}
}

func erasureTests() []test {
	return []test{
		{"bodies are read place by place, and one that is cut keeps its place and hash", func(b *bundle) {
			b.settle(mine)
			var all []erasure.Stored
			for at := (erasure.Place{}); ; {
				page, err := b.db.Bodies(b.Context(), mine, at, 2)
				b.must(err)
				if len(page) == 0 {
					break
				}
				all, at = append(all, page...), page[len(page)-1].Place
			}
			equal(b, "bodies", len(all), 5)
			one := all[3]
			one.Body = []byte("cut")
			act := logbook.Act{Merchant: mine, At: noon, What: logbook.Erase}
			b.must(b.db.Cut(b.Context(), mine, []erasure.Stored{one}, nil, &act))
			b.must(b.db.Scrub(b.Context()))
			page, err := b.db.Bodies(b.Context(), mine, all[2].Place, 1)
			b.must(err)
			equal(b, "cut", page, []erasure.Stored{one})
			acts := b.acts(mine)
			other := one
			other.Hash[0] ^= 1
			err = b.db.Cut(b.Context(), mine, []erasure.Stored{one, other}, nil, &act)
			equal(b, "another document is not stored", errors.Is(err, storage.ErrNone), true)
			equal(b, "acts", b.acts(mine), acts)
		}},
		{"bytes of a record go only once it is settled", func(b *bundle) {
			b.settle(mine)
			records, err := b.db.Records(b.Context(), mine)
			b.must(err)
			equal(b, "records", len(records), 1)
			equal(b, "settled", records[0].Settled, false)
			b.must(b.db.Cut(b.Context(), mine, nil, records, nil))
			shelved, err := b.db.Shelved(b.Context(), mine)
			b.must(err)
			equal(b, "bytes", shelved[0].Bytes, records[0].Body)
			b.must(b.db.Dismiss(b.Context(), shelved[0], "olga", noon))
			b.must(b.db.Cut(b.Context(), mine, nil, records, nil))
			records, err = b.db.Records(b.Context(), mine)
			b.must(err)
			equal(b, "records with bytes", len(records), 0)
		}},
	}
}
