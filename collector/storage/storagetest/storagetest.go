// Package storagetest is the conformance suite of storage: every engine that
// storage runs on passes Run, so that the rooms may rely on the same promises
// whichever database a collector has.
//
// Each test works for one merchant beside another that has the same stores,
// agents, epochs, keys, days and references. After the test all rows of the
// other must be as they were: no method reaches another merchant's rows.
package storagetest

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/collector/target/oauth"
)

// Fresh makes a new, migrated, empty database and returns how to open it. The
// first opening and each further one are closed at the end of the test.
type Fresh func(t testing.TB) (open func() *storage.DB)

// Run runs the suite.
func Run(t *testing.T, fresh Fresh) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"Database", databaseTests()},
		{"Merchant", merchantTests()},
		{"Fleet", fleetTests()},
		{"Epoch", epochTests()},
		{"Commit", commitTests()},
		{"Shelf", shelfTests()},
		{"Day", dayTests()},
		{"Period", periodTests()},
		{"Seen", seenTests()},
		{"Stop", stopTests()},
		{"Facts", factsTests()},
		{"Posting", postingTests()},
		{"Drift", driftTests()},
		{"Audit", auditTests()},
		{"Work", workTests()},
		{"Token", tokenTests()},
		{"Log", logTests()},
		{"Everything", everythingTests()},
		{"Feed", feedTests()},
		{"Erasure", erasureTests()},
		{"Clearing", clearingTests()},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					test.run(newBundle(t, fresh))
				})
			}
		})
	}
	t.Run("Model", func(t *testing.T) {
		t.Parallel()
		testModel(t, fresh)
	})
	t.Run("Order", func(t *testing.T) {
		t.Parallel()
		testOrder(t, fresh)
	})
}

type test struct {
	name string
	run  func(*bundle)
}

// The merchant that a test works for, and the one whose rows it must not touch.
const (
	mine   = "acme"
	theirs = "zeta"
)

// noon is when tests happen.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// bundle is what a test needs.
type bundle struct {
	testing.TB
	db   *storage.DB
	open func() *storage.DB // another connection to the same database
}

func newBundle(t testing.TB, fresh Fresh) *bundle {
	t.Helper()
	b := &bundle{TB: t, open: fresh(t)}
	b.db = b.open()
	b.settle(theirs)
	before := b.dump(theirs)
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		if diff := cmp.Diff(before, b.dump(theirs)); diff != "" {
			t.Errorf("another merchant's rows changed (-before +after):\n%s", diff)
		}
	})
	return b
}

// Settle gives merchants one of everything.
func Settle(t testing.TB, db *storage.DB, merchants ...string) {
	t.Helper()
	b := &bundle{TB: t, db: db}
	for _, id := range merchants {
		b.settle(id)
	}
}

// settle gives a merchant one of everything, under the keys that tests use.
func (b *bundle) settle(id string) {
	b.Helper()
	b.apply(configuration(id))
	b.enrol(id, "agent-1")
	l := b.lane(id, "agent-1", 1)
	l.add(sale(id, "1", "10.00"), sale(id, "2", "20.00"))
	l.unreadable()
	l.addOn(yesterday, count(id, "c1", "30.00"))
	l.addOn(yesterday, sale(id, "55", "5.50"))
	l.addOn("2026-02-28", sale(id, "56", "5.60"))
	for n := uint64(1); n <= 6; n++ {
		batch := l.batch(n, n)
		batch.At = noon.AddDate(0, 1, 0) // younger than what tests store
		_, err := b.db.Commit(b.Context(), batch)
		b.must(err)
	}
	b.must(b.db.Save(b.Context(), entry(day.Ref{Merchant: id, Store: store, Day: "2026-02-28"}, 1))) // due, without a posting
	b.must(b.db.Enter(b.Context(), id, store, yesterday, yesterday, "olga", noon))
	b.must(b.db.Set(b.Context(), day.Ref{Merchant: id, Store: store, Day: yesterday}, 2, day.External, nil, noon))
	b.must(b.db.Tokens(label{}).Save(b.Context(), id+"/ledger", 0, access(0)))
	_, err := b.db.Take(b.Context(), feed.ID{Merchant: id, Feed: "shop"}, feed.Taken{Page: facts("7.00", 1), At: noon})
	b.must(err)
	b.must(b.db.Credentials(label{}).Put(b.Context(), feed.ID{Merchant: id, Feed: "shop"}, "key", "of "+id, noon))
	ref := day.Ref{Merchant: id, Store: store, Day: today}
	b.must(b.db.Accept(b.Context(), ref, "z.net", "olga", noon))
	b.must(b.db.Set(b.Context(), ref, 3, day.Closing, nil, noon))
	b.must(b.db.Save(b.Context(), entry(ref, 3)))
	b.must(b.db.Intend(b.Context(), intent(ref, 1, 3), false))
	b.clears(id)
}

// dump is all that is stored of a merchant, as text.
func (b *bundle) dump(id string) []string {
	b.Helper()
	var lines []string
	add := func(kind string, v any) {
		text, err := json.Marshal(v)
		b.must(err)
		lines = append(lines, kind+" "+string(text))
	}
	ctx := b.Context()
	if b.Context().Err() != nil { // at the end of the test
		ctx = backgroundOf(b)
	}
	m, err := b.db.Merchant(ctx, id)
	b.must(err)
	add("merchant", m)
	agents, err := b.db.Agents(ctx)
	b.must(err)
	for _, a := range agents {
		if a.Merchant == id {
			add("agent", a)
		}
	}
	days, err := b.db.Days(ctx, id)
	b.must(err)
	add("days", days)
	unsettled, err := b.db.Unsettled(ctx)
	b.must(err)
	for _, ref := range unsettled {
		if ref.Merchant == id {
			add("unsettled", ref)
		}
	}
	for _, d := range days {
		f, err := b.db.Facts(ctx, d.Ref)
		b.must(err)
		add("facts", f)
	}
	for version := 1; version <= 3; version++ {
		mapping, err := b.db.Mapping(ctx, id, version)
		if errors.Is(err, storage.ErrNone) {
			break
		}
		b.must(err)
		add("mapping", mapping)
	}
	b.must(b.db.EachDocument(ctx, id, func(d audit.Document) error { add("document", d); return nil }))
	b.must(b.db.EachEntry(ctx, id, func(e day.Entry) error { add("entry", e); return nil }))
	b.must(b.db.EachPosting(ctx, id, func(p posting.Posting) error { add("posting", p); return nil }))
	b.must(b.db.EachEpoch(ctx, id, func(e audit.Epoch) error { add("epoch", e); return nil }))
	b.must(b.db.EachRun(ctx, id, func(r audit.Run) error { add("run", r); return nil }))
	b.must(b.db.EachRejected(ctx, id, func(r storage.Rejected) error { add("rejected", r); return nil }))
	b.must(b.db.EachAct(ctx, id, func(a logbook.Act) error { add("act", a); return nil }))
	if token, err := b.db.Tokens(label{}).Load(ctx, id+"/ledger"); !errors.Is(err, oauth.ErrNone) {
		b.must(err)
		add("token", token)
	}
	for _, fact := range b.stated(id) {
		add("stated", fact)
	}
	for _, fact := range b.cleared(id) {
		add("cleared", fact)
	}
	feeds, err := b.db.Feeds(ctx)
	b.must(err)
	for _, f := range feeds {
		if f.Merchant == id {
			add("feed", f)
		}
	}
	secret, err := b.db.Credentials(label{}).Get(ctx, feed.ID{Merchant: id, Feed: "shop"}, "key")
	b.must(err)
	add("secret", secret)
	due, err := b.db.Due(ctx, "")
	b.must(err)
	for _, d := range due {
		if d.Merchant == id {
			add("due", d)
		}
	}
	return lines
}

func (b *bundle) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// equal fails the test where got is not want.
func equal[T any](b *bundle, what string, got, want T) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func (b *bundle) apply(m merchant.Merchant) bool {
	b.Helper()
	changed, err := b.db.Apply(b.Context(), m, noon)
	b.must(err)
	return changed
}

// enrol makes an agent by a join code of its own.
func (b *bundle) enrol(merchantID, agent string) fleet.Identity {
	b.Helper()
	hash := hashOf("code", merchantID, agent)
	b.must(b.db.AddCode(b.Context(), fleet.Code{Hash: hash, Merchant: merchantID, Store: store, ExpiresAt: noon.Add(time.Hour)}))
	id, err := b.db.Redeem(b.Context(), hash, agent, "till-pc", "1.0.0", noon)
	b.must(err)
	return id
}
