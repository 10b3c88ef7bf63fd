package storagetest

import (
	"context"
	"errors"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// shop is the feed of tests.
var shop = feed.ID{Merchant: mine, Feed: "shop"}

// onToday places all documents on today.
var onToday = intake.Calendar{Day: func(context.Context, fleet.Identity, *document.Document) (bizday.Day, error) { return today, nil }}

func movement(key, amount string, version int64) feed.Movement {
	return feed.Movement{Movement: settle.Movement{Provider: "stripe", Key: key, Kind: settle.Charge, At: noon, Currency: "GBP", Amount: money.MustParse(amount)}, Version: version}
}

// facts is a page with one of each fact.
func facts(amount string, version int64) feed.Page {
	return feed.Page{
		Movements: []feed.Movement{movement("tx_1", amount, version)},
		Payouts:   []feed.Payout{{Payout: settle.Payout{Provider: "stripe", Key: "po_1", Currency: "GBP", Amount: money.MustParse(amount), Created: noon}, Version: version}},
		Lines:     []settle.BankLine{{Account: "GB1", Key: "L1", Booked: today, Currency: "GBP", Amount: money.MustParse(amount)}},
		Balances:  []settle.Balance{{Provider: "stripe", Currency: "GBP", At: noon, Available: money.MustParse(amount)}},
	}
}

// order is a document of a feed.
func order(number, amount string, version int64) feed.Document {
	d := sale("", number, amount)
	d.Key.Terminal = "web"
	return feed.Document{Document: d, Version: version}
}

// pull keeps a page of the feed shop that follows a cursor.
func (b *bundle) pull(before string, page feed.Page, at time.Time) (feed.Kept, error) {
	b.Helper()
	batches, err := feed.Read(b.Context(), onToday, shop, page, at)
	b.must(err)
	return b.db.Take(b.Context(), shop, feed.Taken{Before: before, Page: page, Batches: batches, Stores: []string{store}, At: at, NotBefore: at.Add(time.Minute)})
}

func (b *bundle) pulled(before string, page feed.Page, at time.Time) feed.Kept {
	b.Helper()
	kept, err := b.pull(before, page, at)
	b.must(err)
	return kept
}

func (b *bundle) feedState() feed.State {
	b.Helper()
	all, err := b.db.Feeds(b.Context())
	b.must(err)
	for _, s := range all {
		if s.ID == shop {
			return s
		}
	}
	return feed.State{}
}

func (b *bundle) stated(merchantID string) (all []any) {
	b.Helper()
	ctx := backgroundOf(b)
	movements, err := b.db.Movements(ctx, merchantID, noon, noon.Add(time.Hour))
	b.must(err)
	payouts, err := b.db.Payouts(ctx, merchantID, noon, noon.Add(time.Hour))
	b.must(err)
	lines, err := b.db.BankLines(ctx, merchantID, "2026-03-01", "2026-03-05")
	b.must(err)
	balances, err := b.db.Balances(ctx, merchantID, "2026-03-01", "2026-03-05")
	b.must(err)
	return []any{movements, payouts, lines, balances}
}

func (b *bundle) version() int64 {
	b.Helper()
	f, err := b.db.Facts(b.Context(), day.Ref{Merchant: mine, Store: store, Day: today})
	b.must(err)
	return f.Version
}

func feedTests() []test {
	return []test{
		{"a page and its cursor are kept together, or neither is", func(b *bundle) {
			b.apply(configuration(mine))
			page := facts("10.00", 1)
			page.Documents = []feed.Document{order("1", "10.00", 1)}
			page.Next, page.Covered = "c1", noon
			equal(b, "kept", b.pulled("", page, noon), feed.Kept{Documents: 1, Movements: 1, Payouts: 1, Lines: 1})
			equal(b, "state", b.feedState(), feed.State{ID: shop, Cursor: "c1", PulledAt: noon, CoveredTo: noon, NotBefore: noon.Add(time.Minute)})
			other := facts("99.00", 9)
			other.Documents = []feed.Document{order("2", "99.00", 9)}
			before, version := b.stated(mine), b.version()
			if _, err := b.pull("", other, noon); !errors.Is(err, feed.ErrStale) {
				b.Fatalf("a page that follows another cursor: %v", err)
			}
			equal(b, "facts", b.stated(mine), before)
			equal(b, "version of the day", b.version(), version)
			equal(b, "cursor", b.feedState().Cursor, "c1")
		}},
		{"a page that comes again changes nothing", func(b *bundle) {
			b.apply(configuration(mine))
			page := facts("10.00", 1)
			page.Documents = []feed.Document{order("1", "10.00", 1), order("2", "20.00", 1)}
			b.pulled("", page, noon)
			before, version := b.stated(mine), b.version()
			equal(b, "version after two documents", version, 2)
			equal(b, "kept again", b.pulled("", page, noon.Add(time.Second)), feed.Kept{})
			equal(b, "facts", b.stated(mine), before)
			equal(b, "version of the day", b.version(), version)
			runs := 0
			b.must(b.db.EachRun(b.Context(), mine, func(audit.Run) error { runs++; return nil }))
			equal(b, "runs", runs, 1)
		}},
		{"what is stated anew is a revision, and what is older is passed over", func(b *bundle) {
			b.apply(configuration(mine))
			at := func(amount string, version int64) feed.Page {
				page := facts(amount, version)
				page.Lines = nil // have no order of their own
				page.Documents = []feed.Document{order("1", amount, version)}
				return page
			}
			b.pulled("", at("10.00", 5), noon)
			equal(b, "kept of a later one", b.pulled("", at("12.00", 6), noon), feed.Kept{Documents: 1, Movements: 1, Payouts: 1})
			later, version := b.stated(mine), b.version()
			equal(b, "kept of an older one", b.pulled("", at("9.00", 4), noon.Add(-time.Hour)), feed.Kept{})
			equal(b, "facts after an older page", b.stated(mine)[:2], later[:2])
			equal(b, "version of the day after an older page", b.version(), version)
			// The same again as at first, but later: it went back.
			equal(b, "kept of one that went back", b.pulled("", at("10.00", 7), noon), feed.Kept{Documents: 1, Movements: 1, Payouts: 1})
			f, err := b.db.Facts(b.Context(), day.Ref{Merchant: mine, Store: store, Day: today})
			b.must(err)
			equal(b, "documents", len(f.Documents), 1)
			equal(b, "conflicts", f.Conflicts, 0)
			equal(b, "amount", f.Documents[0].Document.Tenders[0].Amount, money.MustParse("10.00"))
		}},
		{"that a fact was seen later with the same content dates it", func(b *bundle) {
			b.apply(configuration(mine))
			b.pulled("", facts("10.00", 1), noon)
			b.pulled("", facts("10.00", 5), noon)
			before := b.stated(mine)
			b.pulled("", facts("11.00", 3), noon)
			equal(b, "movements and payouts", b.stated(mine)[:2], before[:2])
		}},
		{"a day waits for its feed as for an agent, and the audit finds nothing", func(b *bundle) {
			b.apply(configuration(mine))
			page := feed.Page{Documents: []feed.Document{order("1", "10.00", 1)}, Next: "1", More: true}
			b.pulled("", page, noon)
			agents := func() []day.Agent {
				f, err := b.db.Facts(b.Context(), day.Ref{Merchant: mine, Store: store, Day: today})
				b.must(err)
				return f.Agents
			}
			equal(b, "agents amid a pull", agents(), []day.Agent{{ID: "feed.shop.leeds"}})
			b.pulled("1", feed.Page{Next: "2", Covered: noon}, noon.Add(time.Minute))
			equal(b, "agents after it", agents(), []day.Agent{{ID: "feed.shop.leeds", CoveredTo: noon}})
			a, err := b.db.Agent(b.Context(), mine, "feed.shop.leeds")
			b.must(err)
			equal(b, "seen", a.SeenAt, noon.Add(time.Minute))
			report, err := audit.Verify(b.Context(), audit.Options{Source: b.db, Now: noon, Merchant: mine})
			b.must(err)
			for _, r := range report.Results {
				if len(r.Violations) > 0 {
					b.Fatalf("%+v", r.Violations)
				}
			}
		}},
		{"a failure is noted and the next page ends it", func(b *bundle) {
			b.apply(configuration(mine))
			b.pulled("", feed.Page{Next: "1"}, noon)
			b.must(b.db.Fail(b.Context(), shop, feed.Failure{Code: "c", Error: "e", NotBefore: noon.Add(time.Hour)}))
			b.must(b.db.Fail(b.Context(), shop, feed.Failure{Code: "c", Error: "e", NotBefore: noon.Add(time.Hour), Restart: true}))
			s := b.feedState()
			equal(b, "state", s, feed.State{ID: shop, PulledAt: noon, NotBefore: noon.Add(time.Hour), Failures: 2, Code: "c", Error: "e"})
			b.must(b.db.Nudge(b.Context(), shop))
			equal(b, "when one that failed is asked after a notification", b.feedState().NotBefore, noon.Add(time.Hour))
			b.must(b.db.Wake(b.Context(), shop))
			equal(b, "when it is asked", b.feedState().NotBefore, time.Time{})
			b.pulled("", feed.Page{Next: "2"}, noon)
			b.must(b.db.Nudge(b.Context(), shop))
			equal(b, "when it is asked after a notification", b.feedState().NotBefore, time.Time{})
			equal(b, "failures", b.feedState().Failures, 0)
			equal(b, "error", b.feedState().Error, "")
		}},
		{"secrets are sealed about their feed and name", func(b *bundle) {
			b.apply(configuration(mine))
			c := b.db.Credentials(label{})
			b.must(c.Put(b.Context(), shop, "key", "sk_1", noon))
			b.must(c.Put(b.Context(), shop, "key", "sk_2", noon))
			b.must(c.Put(b.Context(), shop, "webhook", "wh", noon))
			got, err := c.Get(b.Context(), shop, "key")
			b.must(err)
			equal(b, "secret", got, "sk_2")
			names, err := c.Names(b.Context(), shop)
			b.must(err)
			equal(b, "names", strings.Join(names, " "), "key webhook")
			none, err := c.Get(b.Context(), feed.ID{Merchant: mine, Feed: "other"}, "key")
			b.must(err)
			equal(b, "secret of another feed", none, "")
			b.must(c.Forget(b.Context(), shop))
			none, err = c.Get(b.Context(), shop, "key")
			b.must(err)
			equal(b, "secret after forgetting", none, "")
		}},
	}
}
