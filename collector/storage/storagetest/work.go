package storagetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/work"
)

// over is a term that has ended when it begins.
const over = -time.Second

func workTests() []test {
	subjects := []work.Subject{{Merchant: mine, Name: "day leeds 1"}, {Merchant: mine, Name: "day leeds 2"}, {Merchant: theirs, Name: "day leeds 1"}}
	return []test{
		{"what one holds another leaves alone until it is released", func(b *bundle) {
			a := b.claim("a", time.Hour, subjects[:2]...)
			equal(b, "claimed by a", len(a), 2)
			rest := b.claim("b", time.Hour, subjects...)
			equal(b, "claimed by b", subjectsOf(rest), subjects[2:])
			equal(b, "claimed by a again", len(b.claim("a", time.Hour, subjects[:2]...)), 0)
			b.must(b.db.Release(b.Context(), a[:1]))
			equal(b, "claimed by b", subjectsOf(b.claim("b", time.Hour, subjects...)), subjects[:1])
		}},
		{"a lease that has ended is taken over with a higher fence", func(b *bundle) {
			a := b.claim("a", over, subjects[0])
			taken := b.claim("b", time.Hour, subjects[0])
			if len(taken) != 1 || taken[0].Fence <= a[0].Fence || taken[0].Holder != "b" {
				b.Fatalf("after %+v came %+v", a, taken)
			}
			b.must(b.db.Renew(b.Context(), a, time.Hour)) // comes too late, as does this:
			b.must(b.db.Release(b.Context(), a))
			equal(b, "claimed by c", len(b.claim("c", time.Hour, subjects[0])), 0)
			b.must(b.db.Release(b.Context(), taken))
			again := b.claim("a", time.Hour, subjects[0])
			if len(again) != 1 || again[0].Fence <= taken[0].Fence {
				b.Fatalf("after %+v came %+v", taken, again)
			}
		}},
		{"a lease that is renewed goes on", func(b *bundle) {
			a := b.claim("a", over, subjects[0])
			b.must(b.db.Renew(b.Context(), a, time.Hour))
			equal(b, "claimed by b", len(b.claim("b", time.Hour, subjects[0])), 0)
		}},
		{"of many that claim at once one gets each", func(b *bundle) {
			var mu sync.Mutex
			var all []work.Subject
			var claiming sync.WaitGroup
			for _, holder := range []string{"a", "b", "c", "d"} {
				db := b.open()
				claiming.Go(func() {
					leases, err := db.Claim(b.Context(), holder, subjects, time.Hour)
					if err != nil {
						b.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					all = append(all, subjectsOf(leases)...)
				})
			}
			claiming.Wait()
			slices.SortFunc(all, func(x, y work.Subject) int { return slices.Index(subjects, x) - slices.Index(subjects, y) })
			equal(b, "claimed", all, subjects)
		}},
		{"what is written under a lease that was lost is not written", func(b *bundle) {
			l := b.lane(mine, "agent-1", 1)
			l.add(sale(mine, "1", "1.00"))
			b.commit(l, 1, 1)
			b.apply(configuration(mine))
			ref := day.Ref{Merchant: mine, Store: store, Day: today}
			b.must(b.db.Save(b.Context(), entry(ref, 1)))
			intended := intent(ref, 1, 1)
			b.must(b.db.Intend(b.Context(), intended, false))
			sent := intended
			sent.State = posting.Sent
			next := intent(ref, 2, 1)
			a := b.claim("a", over, subjects[0])
			late := work.Under(b.Context(), a[0])
			b.must(b.db.Set(late, ref, 1, day.Ready, nil, noon)) // over, but nobody has taken over
			taken := b.claim("b", time.Hour, subjects[0])
			before := b.dumpMine()
			for what, write := range map[string]func(context.Context) error{
				"set":      func(ctx context.Context) error { return b.db.Set(ctx, ref, 1, day.Closing, nil, noon) },
				"save":     func(ctx context.Context) error { return b.db.Save(ctx, entry(ref, 1)) },
				"intend":   func(ctx context.Context) error { return b.db.Intend(ctx, next, false) },
				"advance":  func(ctx context.Context) error { return b.db.Advance(ctx, sent, posting.Intended) },
				"complete": func(ctx context.Context) error { return b.db.Complete(ctx, ref, xero, 1, false, noon) },
				"adopt":    func(ctx context.Context) error { return b.db.Adopt(ctx, []posting.Posting{next}) },
			} {
				if err := write(late); !errors.Is(err, work.ErrLost) {
					b.Errorf("%s: %v, not lost", what, err)
				}
			}
			equal(b, "rows", b.dumpMine(), before)
			b.must(b.db.Advance(work.Under(b.Context(), taken[0]), sent, posting.Intended))
			b.must(b.db.Release(b.Context(), taken))
			if err := b.db.Set(late, ref, 1, day.Closing, nil, noon); !errors.Is(err, work.ErrLost) {
				b.Errorf("after the other has released it: %v, not lost", err)
			}
		}},
	}
}

func (b *bundle) claim(holder string, term time.Duration, subjects ...work.Subject) []work.Lease {
	b.Helper()
	leases, err := b.db.Claim(b.Context(), holder, subjects, term)
	b.must(err)
	return leases
}

func subjectsOf(leases []work.Lease) []work.Subject {
	var subjects []work.Subject
	for _, l := range leases {
		subjects = append(subjects, l.Subject)
	}
	return subjects
}
