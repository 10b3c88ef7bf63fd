package posting_test

import (
	"testing"
	"time"

	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/collector/sandbox/gate"
	"tillbook.example/tillbook/collector/target"
)

// decides has a person decide about the shop's day.
func (s *shop) decides(what string) {
	s.t.Helper()
	if changed, err := s.store.Decide(s.t.Context(), posting.Decision{Ref: postingtest.Ref, Target: "books", What: what}); err != nil || !changed {
		s.t.Fatalf("%s: changed %t, %v", what, changed, err)
	}
}

func (s *shop) due() posting.Due {
	s.t.Helper()
	entry, err := s.store.Entry(s.t.Context(), postingtest.Ref, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return posting.Due{Ref: postingtest.Ref, Target: "books", Entry: entry, Postings: s.postings()}
}

func TestADayIsTakenOffByItsOppositeAndPostedAgainOnlyWhenTold(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sell("1", 1200)
	s.sweep(0)
	s.sell("2", 600)
	s.sweep(0)
	steps, err := s.poster.PlanUndo(t.Context(), s.due())
	if err != nil || len(steps) != 1 || !steps[0].Opposite || steps[0].Reference != "POS-HIGH-20261103-r3" || steps[0].Code != "" {
		t.Errorf("planned %+v, %v", steps, err)
	}
	s.wantBooked(1800, "POS-HIGH-20261103", "POS-HIGH-20261103-r2")
	s.decides(posting.DecideUndo)
	s.sweep(0)
	s.wantBooked(0, "POS-HIGH-20261103", "POS-HIGH-20261103-r2", "POS-HIGH-20261103-r3")
	s.sweep(0)
	s.wantNothingDue()
	if p := s.postings()[2]; p.Payload.Reason != posting.ReasonUndone {
		t.Errorf("the opposite says %q", p.Payload.Reason)
	}
	s.sell("3", 300) // what comes later is not posted either
	s.sweep(time.Hour)
	s.sweep(time.Hour)
	s.wantBooked(0, "POS-HIGH-20261103", "POS-HIGH-20261103-r2", "POS-HIGH-20261103-r3")
	s.wantNothingDue()
	s.decides(posting.DecideRepost)
	s.sweep(0)
	s.wantBooked(2100, "POS-HIGH-20261103", "POS-HIGH-20261103-r2", "POS-HIGH-20261103-r3", "POS-HIGH-20261103-r4")
	s.wantNothingDue()
}

func TestADayIsTakenOffInTheTargetsOwnWayNewestFirst(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.books.Unique, s.books.Reverses = true, true
	s.sell("1", 1200)
	s.sweep(0)
	s.sell("2", 600)
	s.sweep(0)
	steps, err := s.poster.PlanUndo(t.Context(), s.due())
	if err != nil || len(steps) != 2 || steps[0].Opposite || steps[0].Reference != "POS-HIGH-20261103-r2" || steps[1].Reference != "POS-HIGH-20261103" {
		t.Errorf("planned %+v, %v", steps, err)
	}
	s.decides(posting.DecideUndo)
	s.sweep(0)
	s.wantBooked(1200, "POS-HIGH-20261103")
	s.wantStates("posted undone")
	for range 2 {
		s.sweep(0)
	}
	s.wantBooked(0)
	s.wantStates("undone undone")
	s.wantNothingDue()
	s.decides(posting.DecideRepost)
	s.sweep(0)
	s.wantBooked(1800, "POS-HIGH-20261103-r3")
	s.wantNothingDue()
}

// TestAnUndoWhoseAnswerIsLostIsLookedUp: done is done, and not done is asked
// again.
func TestAnUndoWhoseAnswerIsLostIsLookedUp(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]postingtest.Fault{"done": postingtest.BookThenFail, "not done": postingtest.FailUnbooked, "down": postingtest.Down} {
		s := newShop(t)
		s.books.Reverses = true
		s.sell("1", 1200)
		s.sweep(0)
		s.books.Fail(fault)
		s.decides(posting.DecideUndo)
		s.sweep(0)
		if p := s.postings()[0]; p.State != posting.Unknown && p.State != posting.Intended || !p.Undo || p.Attempts != 1 || p.Code == "" {
			t.Errorf("%s: %+v", name, p)
		}
		for range 3 {
			s.sweep(time.Minute)
		}
		s.wantBooked(0)
		s.wantStates("undone")
		s.wantNothingDue()
	}
}

func TestAnUndoInAClosedPeriodIsRefusedWithItsCodeAndGoesOnOnceItIsOpen(t *testing.T) {
	t.Parallel()
	for _, reverses := range []bool{true, false} {
		s := newShop(t)
		s.books.Reverses = reverses
		s.sell("1", 1200)
		s.sweep(0)
		s.books.SetPeriod(target.Period{Closed: "2026-11-30"})
		if steps, err := s.poster.PlanUndo(t.Context(), s.due()); err != nil || len(steps) != 1 || steps[0].Code != target.CodeClosed {
			t.Errorf("planned %+v, %v", steps, err)
		}
		s.decides(posting.DecideUndo)
		s.sweep(0)
		all := s.postings()
		if p := all[len(all)-1]; p.State != posting.Refused || p.Code != target.CodeClosed {
			t.Errorf("%+v", p)
		}
		s.sweep(2 * time.Hour)
		s.sweep(2 * time.Hour)
		if len(s.postings()) != len(all) {
			t.Errorf("each try is another posting: %+v", s.postings())
		}
		s.wantBooked(1200, "POS-HIGH-20261103")
		s.books.SetPeriod(target.Period{})
		for range 3 {
			s.sweep(2 * time.Hour)
		}
		if got := postingtest.Sums(s.books.Booked()); len(got) != 0 {
			t.Errorf("reverses %t: still booked %v, %+v", reverses, got, s.postings())
		}
		s.wantNothingDue()
	}
}

// TestARefusedUndoThatIsTakenBackLeavesTheDayAsItStands.
func TestARefusedUndoThatIsTakenBackLeavesTheDayAsItStands(t *testing.T) {
	t.Parallel()
	for _, reverses := range []bool{true, false} {
		s := newShop(t)
		s.books.Reverses = reverses
		s.sell("1", 1200)
		s.sweep(0)
		s.books.SetPeriod(target.Period{Closed: "2026-11-30"})
		s.decides(posting.DecideUndo)
		s.sweep(0)
		s.decides(posting.DecideRepost)
		for range 3 {
			s.sweep(0)
		}
		s.wantBooked(1200, "POS-HIGH-20261103")
		s.wantNothingDue()
	}
}

// TestAnUndoLeavesAloneWhatAnotherPutUnderTheReference.
func TestAnUndoLeavesAloneWhatAnotherPutUnderTheReference(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.books.Reverses = true
	s.sell("1", 1200)
	s.sweep(0)
	s.books.Edit("POS-HIGH-20261103", func(p *target.Payload) { p.Key = "somebody else's" })
	s.decides(posting.DecideUndo)
	s.sweep(0)
	if p := s.postings()[0]; p.State != posting.Parked || p.Code != target.CodeTaken || len(s.books.Booked()) != 1 {
		t.Errorf("%+v, %v", p, s.books.Booked())
	}
}

// TestADayIsTakenOffTheCloudAndStandsThereAgain while the answer to the first
// request is lost after it was carried out.
func TestADayIsTakenOffTheCloudAndStandsThereAgain(t *testing.T) {
	t.Parallel()
	eachCloud(t, func(t *testing.T, c *cloud) {
		c.postOne(t)
		c.store.Put("high", postingtest.Day, postingtest.Sale("2", 600), c.clock())
		c.work(t)
		if len(c.documents("")) != 2 {
			t.Fatal(c.documents(""))
		}
		decide := func(what string) {
			if _, err := c.store.Decide(t.Context(), posting.Decision{Ref: postingtest.Ref, Target: "books", What: what}); err != nil {
				t.Fatal(err)
			}
		}
		c.gate.Fail(gate.CommitThenCut)
		decide(posting.DecideUndo)
		for range 8 {
			c.pass(5 * time.Minute)
			c.work(t)
		}
		if got := c.documents(""); len(got) != 0 {
			t.Fatalf("still there: %v, %+v", got, c.last(t))
		}
		decide(posting.DecideRepost)
		c.work(t)
		if p := c.last(t); p.State != posting.Posted || p.Revision != 3 || len(c.documents("")) != 1 || c.balances()[c.cash] != 1800 {
			t.Errorf("%+v, %v, %v", p, c.documents(""), c.balances())
		}
		due, err := c.store.Due(t.Context(), "")
		if err != nil || len(due) != 0 {
			t.Errorf("still due: %+v, %v", due, err)
		}
	})
}
