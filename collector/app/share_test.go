package app_test

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/internal/postgres"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/wire"
)

// server is the PostgreSQL of all tests here.
var server postgres.Server

func TestMain(m *testing.M) {
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
		code = 1
	}
	os.Exit(code)
}

// pair is two collectors on one database, whose clock stands still.
type pair struct {
	*testing.T
	dsn   string
	now   atomic.Pointer[time.Time]
	a, b  *app.App
	shop  merchant.Merchant
	point atomic.Pointer[func(string)] // what a does at each point of its work
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{T: t, dsn: server.Database(t)}
	p.now.Store(&postingtest.Morning)
	at := func(point string) {
		if f := p.point.Load(); f != nil {
			(*f)(point)
		}
	}
	open := func(options ...app.Option) *app.App {
		c := config(t.TempDir())
		c.Database.DSN, c.Work.Term = p.dsn, time.Hour
		options = append(options, app.WithClock(func() time.Time { return *p.now.Load() }))
		collector, err := app.New(t.Context(), c, slog.New(slog.DiscardHandler), options...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := collector.Close(); err != nil {
				t.Error(err)
			}
		})
		return collector
	}
	p.a, p.b = open(app.WithHooks(app.Hooks{Close: at, Post: at})), open()
	p.shop = postingtest.Shop()
	p.shop.Connections[0].Settings["folder"] = t.TempDir()
	p.apply(p.shop)
	return p
}

func (p *pair) apply(m merchant.Merchant) {
	p.Helper()
	if _, err := p.a.DB().Apply(p.Context(), m, postingtest.Noon); err != nil {
		p.Fatal(err)
	}
}

// asleep begins a's work, which stops at a point until wake is called; wake
// returns how it ended.
func (p *pair) asleep(point string) (wake func() error) {
	paused, woken, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var once sync.Once
	pause := func(here string) {
		if here == point {
			once.Do(func() { close(paused); <-woken })
		}
	}
	p.point.Store(&pause)
	go func() { ended <- p.a.WorkOnce(p.Context()) }()
	<-paused
	return func() error {
		close(woken)
		return <-ended
	}
}

// expire ends all leases.
func (p *pair) expire() {
	p.Helper()
	if err := server.Exec(p.Context(), p.dsn, `UPDATE lease SET until = 1`); err != nil {
		p.Fatal(err)
	}
}

// sell stores sales of pence each, on a's side.
func (p *pair) sell(pence ...int64) {
	p.Helper()
	code := fleet.Code{Merchant: "m", Store: "high", ExpiresAt: postingtest.Morning}
	if err := p.a.DB().AddCode(p.Context(), code); err != nil {
		p.Fatal(err)
	}
	id, err := p.a.DB().Redeem(p.Context(), code.Hash, "agent-1", "till-pc", "1.0", postingtest.Noon)
	if err != nil {
		p.Fatal(err)
	}
	epoch, before := [16]byte{1}, [32]byte{}
	if _, err := p.a.DB().Issue(p.Context(), id, epoch, before, "test", postingtest.Noon); err != nil {
		p.Fatal(err)
	}
	b := intake.Batch{From: id, Epoch: epoch, First: 1, At: postingtest.Morning}
	b.Captured = intake.Watermark{Time: postingtest.Morning, Number: uint64(len(pence))}
	for i, amount := range pence {
		d := postingtest.Sale(fmt.Sprint(i+1), amount)
		d.Key.Merchant = ""
		body, err := document.Marshal(d)
		if err != nil {
			p.Fatal(err)
		}
		hash := document.Hash(d)
		d.Key.Merchant = id.Merchant
		before = wire.Next(before, body)
		b.Digests = append(b.Digests, before)
		b.Records = append(b.Records, intake.Record{Capture: uint64(i + 1), Bytes: body, Document: d, Key: d.Key.String(), Hash: hash, Day: postingtest.Day})
	}
	if _, err := p.a.DB().Commit(p.Context(), b); err != nil {
		p.Fatal(err)
	}
}

// later lets two hours pass.
func (p *pair) later() {
	now := p.now.Load().Add(2 * time.Hour)
	p.now.Store(&now)
}

// postedOnce wants the day to be ready and posted, once and as one posting.
func (p *pair) postedOnce() {
	p.Helper()
	for _, collector := range []*app.App{p.a, p.b} {
		days, err := collector.DB().Days(p.Context(), "m")
		if err != nil || len(days) != 1 || days[0].State != day.Ready || days[0].Entry != days[0].Version {
			p.Errorf("days are %+v, %v", days, err)
		}
		postings, err := collector.DB().Postings(p.Context(), postingtest.Ref)
		if err != nil || len(postings) != 1 || postings[0].State != posting.Posted {
			p.Errorf("postings are %+v, %v", postings, err)
		}
		due, err := collector.DB().Due(p.Context(), "")
		if err != nil || len(due) > 0 {
			p.Errorf("due is %+v, %v", due, err)
		}
		report, err := app.Verify(p.Context(), collector.DB(), app.Targets(), "", *p.now.Load())
		if err != nil || !report.OK() {
			for _, r := range report.Results {
				for _, v := range r.Violations {
					p.Errorf("%s: %s", v.Where, v.Text)
				}
			}
			p.Errorf("the audit is not content: %v", err)
		}
	}
}

func (p *pair) work(collectors ...*app.App) {
	p.Helper()
	for range 4 {
		for _, c := range collectors {
			if err := c.WorkOnce(p.Context()); err != nil {
				p.Error(err)
			}
		}
		p.later()
	}
}

// TestACollectorThatWakesUpAfterAnotherTookOverChangesNothing pauses one at each
// point of its work until its leases have ended and the other has done the work.
func TestACollectorThatWakesUpAfterAnotherTookOverChangesNothing(t *testing.T) {
	t.Parallel()
	for _, point := range []string{
		day.AtFacts, day.AtDecided, day.AtBuilt, day.AtSave, day.AtSaved,
		posting.AtIntend, posting.AtIntended, posting.AtSend, posting.AtSent,
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			p.sell(1200, 600)
			wake := p.asleep(point)
			if err := p.b.WorkOnce(t.Context()); err != nil {
				t.Error(err)
			}
			days, err := p.b.DB().Days(t.Context(), "m")
			if closing := slices.Contains([]string{day.AtFacts, day.AtDecided, day.AtBuilt, day.AtSave}, point); err != nil || closing && days[0].State == day.Ready {
				t.Errorf("the other closed the day while its lease was held: %+v, %v", days, err)
			}
			p.expire()
			p.later()
			p.work(p.b)
			if err := wake(); err != nil {
				t.Errorf("the one that woke up: %v", err)
			}
			p.work(p.a, p.b)
			p.postedOnce()
		})
	}
}

// TestADayThatAnotherClosedIsNotHeldAgain is what versions do not tell: the day
// is the same, only the configuration was completed while one of the two slept.
func TestADayThatAnotherClosedIsNotHeldAgain(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	without := p.shop
	without.Mappings = nil
	p.apply(without)
	p.sell(1200, 600)
	wake := p.asleep(day.AtDecided)
	p.apply(p.shop)
	p.expire()
	p.work(p.b)
	if err := wake(); err != nil {
		t.Errorf("the one that woke up: %v", err)
	}
	p.postedOnce()
}

func TestTwoCollectorsThatWorkAtOnceCloseAndPostADayOnce(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.sell(1200, 600)
	for range 4 {
		var working sync.WaitGroup
		for _, c := range []*app.App{p.a, p.b} {
			working.Go(func() {
				if err := c.WorkOnce(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		working.Wait()
		p.later()
	}
	p.postedOnce()
}
