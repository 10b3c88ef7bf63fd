package storagetest

import (
	"context"
	"errors"
	"time"

	"tillbook.example/tillbook/collector/clearing"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// owed is the account of tests: stripe settles the cards.
var owed = settle.Account{Provider: "stripe", Currency: "GBP", From: yesterday, Zone: "Europe/London"}

// byCard is a sale paid by card.
func byCard(merchantID, number, amount string) *document.Document {
	d := sale(merchantID, number, amount)
	d.Tenders[0].Kind = document.CardDebit
	return d
}

func charge(key, amount, receipt string) settle.Movement {
	m := movement(key, amount, 1).Movement
	m.Receipt = receipt
	return m
}

// clearer compares as of the end of today.
func (b *bundle) clearer() *clearing.Clearer {
	return &clearing.Clearer{Store: b.db, Directory: b.db, Now: func() time.Time { return noon.AddDate(0, 0, 1) }}
}

func (b *bundle) compared() clearing.Run {
	b.Helper()
	run, err := b.clearer().Compare(b.Context(), merchant.Merchant{ID: mine}, owed)
	b.must(err)
	return run
}

// clears gives a merchant a run and a decision.
func (b *bundle) clears(merchantID string) {
	b.Helper()
	run, err := b.clearer().Compare(b.Context(), merchant.Merchant{ID: merchantID}, owed)
	b.must(err)
	d := settle.Decision{Proposal: settle.Proposal{ID: "p", Left: []string{"l"}, Right: []string{"r"}}, Accepted: true, By: "olga", At: noon}
	b.must(b.db.DecideProposal(b.Context(), merchantID, run.Account, d))
}

// cleared is all that is kept of a merchant's clearing, for comparing.
func (b *bundle) cleared(merchantID string) []any {
	b.Helper()
	ctx := backgroundOf(b)
	in, versions, err := b.db.Clearing(ctx, merchantID, owed)
	b.must(err)
	run, err := b.db.Run(ctx, merchantID, owed.Name(), 0)
	if !errors.Is(err, clearing.ErrNone) {
		b.must(err)
	}
	return []any{in, versions, run}
}

// directory has one merchant.
type directory struct{ m merchant.Merchant }

func (d directory) Merchant(context.Context, string) (merchant.Merchant, error) { return d.m, nil }
func (d directory) Merchants(context.Context) ([]merchant.Merchant, error) {
	return []merchant.Merchant{d.m}, nil
}

func (directory) Apply(context.Context, merchant.Merchant, time.Time) (bool, error) {
	return false, errors.New("not here")
}

func clearingTests() []test {
	// begun has a day of two cards, closed, and a movement of one of them.
	begun := func(b *bundle) *lane {
		b.apply(configuration(mine))
		l := b.lane(mine, "agent-1", 1)
		l.add(byCard(mine, "1", "10.00"), byCard(mine, "2", "20.00"), byCard(mine, "3", "5.00"))
		b.commit(l, 1, 2)
		b.must(b.db.Save(b.Context(), entry(b.ref(), 2)))
		page := facts("1.00", 1)
		page.Balances = nil
		page.Movements[0].Movement = charge("tx_1", "10.00", "1")
		b.pulled("", page, noon)
		return l
	}
	return []test{
		{"tenders count as their day was closed, and anew when it was closed anew", func(b *bundle) {
			l := begun(b)
			first := b.compared()
			equal(b, "closing", first.Result.Closing, money.MustParse("29.00")) // 30.00 less the payout of 1.00
			b.commit(l, 3, 3)
			equal(b, "closing while the day is open again", b.compared().Result.Closing, money.MustParse("29.00"))
			b.must(b.db.Save(b.Context(), entry(b.ref(), 3)))
			equal(b, "closing", b.compared().Result.Closing, money.MustParse("34.00"))
		}},
		{"a run is made again from what it names, whatever came since", func(b *bundle) {
			l := begun(b)
			first := b.compared()
			b.commit(l, 3, 3)
			b.must(b.db.Save(b.Context(), entry(b.ref(), 3)))
			page := facts("2.00", 2)
			page.Movements[0].Movement = charge("tx_1", "11.00", "1")
			page.Movements[0].Version = 2
			b.pulled("", page, noon.Add(time.Hour))
			second := b.compared()
			equal(b, "numbers", []int64{first.Number, second.Number}, []int64{1, 2})
			if first.Hash == second.Hash {
				b.Error("both runs came to the same")
			}
			for _, number := range []int64{1, 2} {
				run, err := b.db.Run(b.Context(), mine, owed.Name(), number)
				b.must(err)
				result, err := clearing.Replay(b.Context(), b.db, run)
				b.must(err)
				result.Pairs = nil
				equal(b, "result", result, run.Result)
			}
			run, err := b.db.Run(b.Context(), mine, owed.Name(), 1)
			b.must(err)
			run.Hash[0]++
			if _, err := clearing.Replay(b.Context(), b.db, run); !errors.Is(err, clearing.ErrDiffers) {
				b.Errorf("a run that came to something else is replayed: %v", err)
			}
			run.Versions.Movements[0].Revision = 7
			if _, err := clearing.Replay(b.Context(), b.db, run); !errors.Is(err, storage.ErrNone) {
				b.Errorf("a run of a fact that is not there is replayed: %v", err)
			}
		}},
		{"the same run is kept once", func(b *bundle) {
			begun(b)
			first, again := b.compared(), b.compared()
			equal(b, "number", again.Number, first.Number)
			if _, err := b.db.Run(b.Context(), mine, owed.Name(), 2); !errors.Is(err, clearing.ErrNone) {
				b.Errorf("a second run is there: %v", err)
			}
		}},
		{"a decision counts from the next run on, is logged, and how the account stands is told", func(b *bundle) {
			begun(b)
			page := facts("1.00", 1)
			page.Movements[0].Movement = charge("tx_2", "19.00", "2") // 20.00 was rung up
			b.pulled("", page, noon)
			run := b.compared()
			equal(b, "proposals", len(run.Result.Proposals), 1)
			proposal, err := run.Proposal(run.Result.Proposals[0].ID[:4])
			b.must(err)
			standings, err := b.db.Standings(b.Context())
			b.must(err)
			equal(b, "open since", standings[0].Open, today)
			b.must(b.db.DecideProposal(b.Context(), mine, owed, settle.Decision{Proposal: proposal, Accepted: true, By: "anna", At: noon}))
			next := b.compared()
			equal(b, "proposals", len(next.Result.Proposals), 0)
			var causes []settle.Cause
			for _, d := range next.Result.Differences {
				causes = append(causes, d.Cause)
			}
			equal(b, "differences", causes, []settle.Cause{settle.AcceptedOff, settle.Unstated})
			var last logbook.Act
			b.must(b.db.EachAct(b.Context(), mine, func(a logbook.Act) error { last = a; return nil }))
			equal(b, "act", []string{last.By, last.What, last.On, last.Detail}, []string{"anna", "match", "stripe//GBP", proposal.ID + " accepted"})
		}},
		{"every account of every merchant is compared, and one that fails keeps none back", func(b *bundle) {
			m := configuration(mine)
			broken := owed
			broken.Provider, broken.Zone = "broken", "Nowhere"
			m.Settlements = []settle.Account{broken, owed}
			c := b.clearer()
			c.Directory = directory{m}
			runs, err := c.Sweep(b.Context())
			if runs != 1 || err == nil {
				b.Errorf("%d runs, %v; want one and what failed", runs, err)
			}
		}},
	}
}
