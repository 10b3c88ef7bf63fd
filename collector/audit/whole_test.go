package audit_test

import (
	"fmt"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/text"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

// These tests run days, books, postings, a real database and real books as text
// together, disturb them at every named point of the work, and have the audit
// say whether every promise was kept.

var points = []string{
	day.AtFacts, day.AtDecided, day.AtBuilt, day.AtSave, day.AtSaved,
	posting.AtDue, posting.AtIntend, posting.AtIntended, posting.AtSend, posting.AtSent, posting.AtSettle, posting.AtSettled,
}

func textShop(t *testing.T) (*shop, *faulty) {
	t.Helper()
	books, err := text.Open(text.Options{Folder: t.TempDir(), Format: text.Beancount, Currency: "GBP"})
	must(t, err)
	f := &faulty{Target: books}
	return open(t, f), f
}

// pass closes and posts once, with at called at each point.
func (s *shop) pass(at func(string)) {
	s.Helper()
	clock := func() time.Time { return s.now }
	closer := &day.Closer{Store: s.db, Now: clock, Mapping: s.db.Mapping, At: at}
	if _, err := closer.Sweep(s.Context()); err != nil {
		s.Fatal(err)
	}
	if s.poster == nil {
		s.poster = &posting.Poster{
			Store: s.db, Directory: s.db, Now: clock,
			Target: func(merchant.Merchant, merchant.Connection) (target.Target, error) { return s.target, nil },
		}
	}
	s.poster.At = at
	if _, err := s.poster.Sweep(s.Context()); err != nil {
		s.Fatal(err)
	}
}

// rest works until nothing is due, and checks that cash is as expected and that
// every promise was kept.
func (s *shop) rest(cash money.Minor) {
	s.Helper()
	for range 20 {
		s.now = s.now.Add(time.Hour)
		s.pass(nil)
	}
	refs, err := s.db.Unsettled(s.Context())
	must(s.TB, err)
	due, err := s.db.Due(s.Context(), "")
	must(s.TB, err)
	if len(refs)+len(due) > 0 {
		s.Fatalf("unsettled %v, due %+v", refs, due)
	}
	references, err := s.target.List(s.Context(), "POS-")
	must(s.TB, err)
	var booked []target.Payload
	for _, reference := range references {
		p, _, err := s.target.Find(s.Context(), reference)
		must(s.TB, err)
		booked = append(booked, *p)
	}
	if got := postingtest.Sums(booked)["Assets:Cash"]; got != cash {
		s.Errorf("cash in the books is %d, want %d: %q", got, cash, references)
	}
	wantClean(s.TB, s.verify())
}

func TestADocumentThatComesAtAnyPointIsPostedInTheEnd(t *testing.T) {
	t.Parallel()
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			s, books := textShop(t)
			s.send(postingtest.Sale("1", 1200))
			came := false
			at := func(here string) {
				if here == point && !came {
					came = true
					s.send(postingtest.Sale("2", 600))
				}
			}
			if point == posting.AtSettle { // reached only with something unsettled
				books.fail = 1
				s.pass(nil)
			}
			s.pass(at)
			s.rest(1800)
			if !came {
				t.Errorf("%s was never reached", point)
			}
		})
	}
}

func TestAKillAtAnyPointLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for _, point := range points {
		for nth := 1; nth <= 2; nth++ {
			t.Run(fmt.Sprintf("%s, time %d", point, nth), func(t *testing.T) {
				t.Parallel()
				s, f := textShop(t)
				f.fail = 1 // so that settling is reached, too
				left := nth
				killed := func(here string) {
					if here == point {
						if left--; left == 0 {
							panic(dead{})
						}
					}
				}
				s.send(postingtest.Sale("1", 1200))
				s.live(killed)
				s.send(postingtest.Sale("2", 600))
				for range 3 {
					s.now = s.now.Add(time.Minute)
					s.live(killed)
				}
				s.rest(1800)
			})
		}
	}
}

type dead struct{}

// live makes a pass that may be killed, and starts anew after it.
func (s *shop) live(at func(string)) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(dead); !ok {
				panic(r)
			}
			s.poster = nil
		}
	}()
	s.pass(at)
}

// BenchmarkVerify audits one day of 2,000 receipts, which is read, hashed and
// made into its entry again.
func BenchmarkVerify(b *testing.B) {
	s := open(b, &postingtest.Books{Unique: true})
	const receipts = 2000
	for n := 0; n < receipts; n += 500 {
		var documents []*document.Document
		for i := range 500 {
			documents = append(documents, postingtest.Sale(fmt.Sprint(n+i), 1200))
		}
		s.send(documents...)
	}
	s.pass(nil)
	for b.Loop() {
		if report := s.verify(); !report.OK() {
			b.Fatal(report)
		}
	}
	b.ReportMetric(float64(receipts*b.N)/b.Elapsed().Seconds(), "documents/s")
}
