package storagetest

import (
	"errors"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/drift"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/storage"
)

func driftTests() []test {
	later := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
	finding := func(b *bundle, code, remote, seen string) drift.Finding {
		return drift.Finding{Ref: b.ref(), Target: xero, Reference: intent(b.ref(), 1, 1).Reference, Code: code, RemoteID: remote, Text: code, Seen: hashOf(seen), State: drift.Opened}
	}
	states := func(b *bundle) []string {
		b.Helper()
		var all []string
		found, err := b.db.Drift(b.Context(), mine)
		b.must(err)
		for _, f := range found {
			all = append(all, f.Code+" "+f.State)
		}
		return all
	}
	decide := func(b *bundle, what string) error {
		d := posting.Decision{Ref: day.Ref{Merchant: mine}, Target: xero, Reference: intent(b.ref(), 1, 1).Reference, What: what, By: "ann", At: noon}
		return b.db.DecideDrift(b.Context(), d)
	}
	posted := func(b *bundle) {
		b.apply(configuration(mine))
		b.closed(1)
		b.must(b.db.Intend(b.Context(), intent(b.ref(), 1, 1), false))
		b.post(1, 1)
	}
	return []test{
		{"what was posted is unread until it was looked at", func(b *bundle) {
			posted(b)
			mineOnly := func() drift.Books {
				b.Helper()
				all, err := b.db.Books(b.Context())
				b.must(err)
				for _, one := range all {
					if one.Merchant == mine {
						return one
					}
				}
				b.Fatal("the connection is not among the books")
				return drift.Books{}
			}
			equal(b, "books", mineOnly(), drift.Books{Merchant: mine, Target: xero, Unread: true})
			unread, err := b.db.Unread(b.Context(), mine, xero, 9)
			b.must(err)
			equal(b, "unread", len(unread), 1)
			b.must(b.db.Found(b.Context(), mine, xero, unread[0].Reference, nil, noon))
			equal(b, "books", mineOnly(), drift.Books{Merchant: mine, Target: xero})
			b.must(b.db.WakeBooks(b.Context(), mine, xero, later(1)))
			b.must(b.db.Found(b.Context(), mine, xero, "", nil, later(2)))
			equal(b, "books", mineOnly(), drift.Books{Merchant: mine, Target: xero, CheckedAt: later(2), WokenAt: later(1)})
			believed, err := b.db.Believed(b.Context(), mine, xero)
			b.must(err)
			equal(b, "believed", len(believed), 1)
		}},
		{"a posting is bare until its sheet is noted", func(b *bundle) {
			posted(b)
			bare := func(n int) []posting.Bare {
				b.Helper()
				all, err := b.db.Bare(b.Context(), later(n), 100)
				b.must(err)
				var ours []posting.Bare
				for _, one := range all {
					if one.Merchant == mine {
						ours = append(ours, one)
					}
				}
				return ours
			}
			equal(b, "bare", []int{len(bare(0)), bare(0)[0].Tries}, []int{1, 0})
			p := bare(0)[0].Posting
			b.must(b.db.AttachLater(b.Context(), p, later(2)))
			equal(b, "put off", len(bare(1)), 0)
			equal(b, "tries", bare(2)[0].Tries, 1)
			b.must(b.db.Attached(b.Context(), p, true, later(2)))
			equal(b, "attached", len(bare(9)), 0)
		}},
		{"a difference is opened, decided, opened again by another, and fixed", func(b *bundle) {
			posted(b)
			find := func(n int, all ...drift.Finding) {
				b.Helper()
				b.must(b.db.Found(b.Context(), mine, xero, "", all, later(n)))
			}
			find(1, finding(b, drift.Edited, "", "a"))
			equal(b, "states", states(b), []string{"drift_edited opened"})
			open, doubles, err := b.db.DriftCounts(b.Context())
			b.must(err)
			equal(b, "open", open[drift.Edited] >= 1, true)
			equal(b, "doubles", doubles, 0)
			b.must(decide(b, drift.Accept))
			find(2, finding(b, drift.Edited, "", "a"))
			equal(b, "states", states(b), []string{"drift_edited accepted"})
			decided := 0
			b.must(b.db.EachDecided(b.Context(), mine, func(target, reference string) error {
				decided++
				return nil
			}))
			equal(b, "decided", decided, 1)
			find(3, finding(b, drift.Edited, "", "b"))
			equal(b, "states", states(b), []string{"drift_edited opened"})
			b.must(decide(b, drift.Ignore))
			find(4, finding(b, drift.Edited, "", "c"))
			equal(b, "states", states(b), []string{"drift_edited ignored"})
			if err := decide(b, drift.Accept); !errors.Is(err, drift.ErrDecided) {
				b.Errorf("decided twice: %v", err)
			}
			find(5)
			equal(b, "states", states(b), []string{"drift_edited fixed"})
			double := finding(b, drift.Doubled, "r-2", "d")
			double.State = drift.Fixed
			find(6, finding(b, drift.Edited, "", "a"), double)
			equal(b, "states", states(b), []string{"drift_doubled fixed", "drift_edited opened"})
			_, doubles, err = b.db.DriftCounts(b.Context())
			b.must(err)
			equal(b, "doubles", doubles, 1)
			// A look at another reference says nothing of this one.
			b.must(b.db.Found(b.Context(), mine, xero, "POS-LEED-20260303", nil, later(7)))
			equal(b, "states", states(b), []string{"drift_doubled fixed", "drift_edited opened"})
		}},
		{"what was changed is put back through its posting", func(b *bundle) {
			posted(b)
			if err := decide(b, drift.Restore); !errors.Is(err, drift.ErrDecided) {
				b.Errorf("nothing was changed: %v", err)
			}
			b.must(b.db.Found(b.Context(), mine, xero, "", []drift.Finding{finding(b, drift.Foreign, "r-9", "x")}, later(1)))
			if err := decide(b, drift.Restore); !errors.Is(err, drift.ErrDecided) {
				b.Errorf("what is not ours is not put back: %v", err)
			}
			b.must(b.db.Found(b.Context(), mine, xero, "", []drift.Finding{finding(b, drift.Voided, "", "x")}, later(2)))
			b.must(decide(b, drift.Restore))
			due := b.due()[0].Postings[0]
			equal(b, "posting", []any{due.State, due.Undo}, []any{posting.Intended, true})
			if err := decide(b, drift.Restore); !errors.Is(err, storage.ErrNone) {
				b.Errorf("put back twice: %v", err)
			}
		}},
	}
}
