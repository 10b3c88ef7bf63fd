package feed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/feed"
	"tillbook.example/tillbook/collector/feed/feedtest"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

var id = feed.ID{Merchant: "acme", Feed: "cards"}

type directory []merchant.Merchant

func (d directory) Merchants(context.Context) ([]merchant.Merchant, error) { return d, nil }

type source func(cursor string) (feed.Page, error)

func (s source) Pull(_ context.Context, cursor string) (feed.Page, error) { return s(cursor) }

// bench is a runner with one feed.
type bench struct {
	*feed.Runner
	store *feedtest.Memory
	now   time.Time
}

func newBench(s source) *bench {
	b := &bench{store: feedtest.NewMemory(), now: feedtest.Noon}
	b.Runner = &feed.Runner{
		Store: b.store, Now: func() time.Time { return b.now }, Logger: slog.New(slog.DiscardHandler),
		Merchant: directory{{ID: "acme", Feeds: []merchant.Feed{{ID: "cards", Source: "stripe"}}}},
		Open:     func(context.Context, merchant.Merchant, merchant.Feed) (feed.Source, error) { return s, nil },
		Calendar: intake.Calendar{Day: func(context.Context, fleet.Identity, *document.Document) (bizday.Day, error) {
			return "2026-03-02", nil
		}},
	}
	return b
}

func (b *bench) sweep(t *testing.T) feed.Pass {
	t.Helper()
	pass, err := b.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return pass
}

func TestASourceThatFailsIsAskedEverMoreSeldomUpToAnHour(t *testing.T) {
	t.Parallel()
	fails := errors.New("broken")
	b := newBench(func(string) (feed.Page, error) { return feed.Page{}, fails })
	var rests []time.Duration
	for range 10 {
		b.sweep(t)
		rests = append(rests, b.store.State(id).NotBefore.Sub(b.now))
		b.now = b.store.State(id).NotBefore.Add(-time.Second)
		if pass := b.sweep(t); pass.Due != 0 {
			t.Fatal("it is asked before its time")
		}
		b.now = b.now.Add(time.Second)
	}
	if rests[0] != 30*time.Second || rests[1] != time.Minute || rests[2] != 2*time.Minute || rests[9] != time.Hour {
		t.Errorf("rests %v", rests)
	}
	if s := b.store.State(id); s.Code != feed.CodeUnavailable || s.Error != "broken" || s.Failures != 10 {
		t.Errorf("%+v", s)
	}
	fails = &feed.Later{Rest: 48 * time.Hour, Err: errors.New("busy")}
	b.sweep(t)
	if rest := b.store.State(id).NotBefore.Sub(b.now); rest != 24*time.Hour {
		t.Errorf("asked again in %s by a source that wants two days", rest)
	}
}

func TestAFeedTakesABoundedNumberOfPagesInARow(t *testing.T) {
	t.Parallel()
	b := newBench(func(cursor string) (feed.Page, error) { return feed.Page{Next: cursor + "x", More: true}, nil })
	b.Pages = 3
	if pass := b.sweep(t); pass.Pages != 3 || len(b.store.State(id).Cursor) != 3 {
		t.Errorf("%+v, %+v", pass, b.store.State(id))
	}
	if pass := b.sweep(t); pass.Due != 1 {
		t.Error("a feed with more to come waits")
	}
}

func TestAPageThatIsNoneIsNotKept(t *testing.T) {
	t.Parallel()
	good := settle.Movement{Provider: "p", Key: "k", Kind: settle.Charge, At: feedtest.Noon, Currency: "GBP", Amount: money.One}
	for name, spoil := range map[string]func(*feed.Page){
		"":                          func(*feed.Page) {},
		"a kind that is none":       func(p *feed.Page) { p.Movements[0].Kind = "gift" },
		"no currency":               func(p *feed.Page) { p.Movements[0].Currency = "" },
		"no key":                    func(p *feed.Page) { p.Movements[0].Key = "" },
		"no moment":                 func(p *feed.Page) { p.Movements[0].At = time.Time{} },
		"a text that is too long":   func(p *feed.Page) { p.Movements[0].Receipt = fmt.Sprintf("%0600d", 1) },
		"a cursor that is too long": func(p *feed.Page) { p.Next = fmt.Sprintf("%020000d", 1) },
		"too many":                  func(p *feed.Page) { p.Movements = make([]feed.Movement, feed.MaxFacts+1) },
		"an amount out of range":    func(p *feed.Page) { p.Movements[0].Amount = money.Max + 1 },
		"a document without store":  func(p *feed.Page) { p.Documents = []feed.Document{{Document: &document.Document{}}} },
		"a line without key":        func(p *feed.Page) { p.Lines = []settle.BankLine{{Currency: "GBP"}} },
		"a payout without currency": func(p *feed.Page) { p.Payouts = []feed.Payout{{Payout: settle.Payout{Provider: "p", Key: "k"}}} },
	} {
		b := newBench(func(string) (feed.Page, error) {
			p := feed.Page{Movements: []feed.Movement{{Movement: good}}, Next: "n"}
			spoil(&p)
			return p, nil
		})
		b.sweep(t)
		if state := b.store.State(id); (state.Failures == 0) != (name == "") || (len(b.store.Facts()) == 1) != (name == "") {
			t.Errorf("%q: %+v", name, state)
		}
	}
}

func TestCardNumbersAreMaskedBeforeTheyAreKept(t *testing.T) {
	t.Parallel()
	m := settle.Movement{Receipt: "4111 1111 1111 1111", LastFour: "411111******1111"}
	feed.Mask(&m)
	if m.Receipt == "4111 1111 1111 1111" || m.LastFour != "1111" {
		t.Errorf("%+v", m)
	}
}
