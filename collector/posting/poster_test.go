package posting_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/money"
)

// shop is a shop with its books, its closer and its poster, on one clock.
type shop struct {
	t      *testing.T
	store  *postingtest.Memory
	books  *postingtest.Books
	closer *day.Closer
	poster *posting.Poster
	now    time.Time
}

func newShop(t *testing.T) *shop {
	s := &shop{t: t, store: postingtest.New(postingtest.Shop()), books: &postingtest.Books{}, now: postingtest.Morning}
	s.closer = postingtest.Closer(s.store, s.clock)
	s.restart()
	return s
}

func (s *shop) clock() time.Time { return s.now }

// restart forgets what the poster held in memory.
func (s *shop) restart() { s.poster = postingtest.Poster(s.store, s.books, s.clock) }

// sell puts a receipt and closes the day again.
func (s *shop) sell(number string, pence int64) {
	s.t.Helper()
	s.store.Put("high", postingtest.Day, postingtest.Sale(number, pence), s.now)
	if _, err := s.closer.Sweep(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// sweep makes a pass some time later.
func (s *shop) sweep(later time.Duration) posting.Pass {
	s.t.Helper()
	s.now = s.now.Add(later)
	pass, err := s.poster.Sweep(s.t.Context())
	if err != nil && !errors.Is(err, target.ErrUnavailable) {
		s.t.Fatal(err)
	}
	return pass
}

// states returns the states of the day's postings, by revision.
func (s *shop) states() string {
	s.t.Helper()
	var states []string
	for _, p := range s.postings() {
		states = append(states, p.State)
	}
	return strings.Join(states, " ")
}

func (s *shop) postings() []posting.Posting {
	s.t.Helper()
	all, err := s.store.Postings(s.t.Context(), postingtest.Ref)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

func (s *shop) wantStates(want string) {
	s.t.Helper()
	if got := s.states(); got != want {
		s.t.Fatalf("postings are %q, want %q; %+v", got, want, s.postings())
	}
}

// wantBooked checks what is booked: the references in order, and cash.
func (s *shop) wantBooked(cash money.Minor, references ...string) {
	s.t.Helper()
	var got []string
	for _, p := range s.books.Booked() {
		got = append(got, p.Reference)
	}
	if diff := cmp.Diff(references, got); diff != "" {
		s.t.Fatalf("booked (-want +got):\n%s", diff)
	}
	if sum := postingtest.Sums(s.books.Booked())["Assets:Cash"]; sum != cash {
		s.t.Fatalf("cash is %d, want %d", sum, cash)
	}
}

func (s *shop) wantNothingDue() {
	s.t.Helper()
	if due, err := s.store.Due(s.t.Context(), ""); err != nil || len(due) != 0 {
		s.t.Fatalf("still due: %+v, %v", due, err)
	}
}

func TestADayIsPostedAndThenOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sell("1", 1200)
	s.sweep(0)
	s.wantBooked(1200, "POS-HIGH-20261103")
	s.wantNothingDue()
	s.sell("2", 600)
	s.sweep(0)
	s.wantBooked(1800, "POS-HIGH-20261103", "POS-HIGH-20261103-r2")
	s.wantStates("posted posted")
	second := s.books.Booked()[1]
	if second.Reason != day.ReasonLate || second.Date != postingtest.Day {
		t.Errorf("the change says %q of %s", second.Reason, second.Date)
	}
	s.wantNothingDue()
}

func TestAnEntryThatMovesNothingIsCompleteWithoutAPosting(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sell("1", 1200)
	s.sweep(0)
	again := postingtest.Sale("1", 1200)
	again.Lines[0].Text = "renamed"
	s.store.Put("high", postingtest.Day, again, s.now)
	if _, err := s.closer.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if pass := s.sweep(0); pass.Due != 1 || pass.Done != 1 {
		t.Errorf("pass %+v", pass)
	}
	s.wantBooked(1200, "POS-HIGH-20261103")
	s.wantNothingDue()
}

func TestALostAnswerIsLookedUpAndAdopted(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sell("1", 1200)
	s.books.Fail(postingtest.BookThenFail)
	s.sweep(0)
	s.wantStates("unknown")
	s.sweep(postingtest.LongestRequest) // and the backoff has not passed
	s.wantStates("unknown")
	s.sweep(time.Second)
	s.wantStates("posted")
	s.wantBooked(1200, "POS-HIGH-20261103")
	if p := s.postings()[0]; p.RemoteID == "" || p.SettledAt.IsZero() || p.Attempts != 1 {
		t.Errorf("adopted as %+v", p)
	}
}

func TestWhatWasNeverBookedIsSentAgainAsItWas(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sell("1", 1200)
	s.books.Fail(postingtest.FailUnbooked)
	s.sweep(0)
	s.wantStates("unknown")
	before := s.postings()[0]
	s.sell("2", 600) // a newer entry does not change what is under way
	s.sweep(time.Minute)
	s.wantBooked(1200, "POS-HIGH-20261103")
	if !s.books.Booked()[0].Equal(before.Payload) {
		t.Error("another payload was sent under the same reference")
	}
	s.sweep(0)
	s.wantBooked(1800, "POS-HIGH-20261103", "POS-HIGH-20261103-r2")
}

func TestAfterARestartAnUnclearPostingRestsForTheLongestRequest(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sell("1", 1200)
	s.poster.At = func(point string) {
		if point == posting.AtSend {
			panic("killed")
		}
	}
	func() {
		defer func() { _ = recover() }()
		s.sweep(0)
	}()
	s.wantStates("sent")
	s.restart()
	s.sweep(time.Hour)
	s.sweep(postingtest.LongestRequest - time.Second)
	s.wantBooked(0)
	s.sweep(time.Second)
	s.wantBooked(1200, "POS-HIGH-20261103")
	s.wantStates("posted")
}

func TestAnUnavailableTargetIsTriedAgainLaterAndLater(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sell("1", 1200)
	s.books.Fail(postingtest.Down, postingtest.Down, postingtest.Down)
	s.sweep(0)
	s.wantStates("intended")
	if p := s.postings()[0]; p.Error == "" {
		t.Error("the posting does not say why it waits")
	}
	s.sweep(0)
	if n := s.books.Posts(); n != 1 {
		t.Errorf("sent %d times without a rest", n)
	}
	s.sweep(time.Second)
	s.sweep(time.Second)
	if n := s.books.Posts(); n != 2 {
		t.Errorf("sent %d times; the second rest is two seconds", n)
	}
	s.sweep(time.Second)
	s.sweep(4 * time.Second)
	s.wantBooked(1200, "POS-HIGH-20261103")
}

func TestAnUnavailableTargetIsLeftAloneForTheRestOfThePass(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.store.Put("high", postingtest.Day.Add(-1), postingtest.Sale("0", 100), s.now)
	s.sell("1", 1200)
	s.books.Fail(postingtest.Down)
	if pass := s.sweep(0); pass.Due != 2 || pass.Waiting != 2 || s.books.Posts() != 1 {
		t.Errorf("pass %+v with %d posts; want one post", pass, s.books.Posts())
	}
}

func TestARefusedPostingIsTriedAgainAfterARestOrReplacedByANewEntry(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sell("1", 1200)
	s.books.Fail(postingtest.Refuse, postingtest.Refuse)
	s.sweep(0)
	s.wantStates("refused")
	s.sweep(59 * time.Minute)
	s.wantStates("refused")
	if s.books.Posts() != 1 {
		t.Errorf("sent %d times", s.books.Posts())
	}
	s.sweep(time.Minute)
	if s.books.Posts() != 2 {
		t.Errorf("sent %d times after the rest", s.books.Posts())
	}
	s.sell("2", 600)
	s.sweep(0)
	s.wantStates("undone")
	s.sweep(0)
	s.wantStates("undone posted")
	s.wantBooked(1800, "POS-HIGH-20261103-r2")
	s.wantNothingDue()
}

func TestAReferenceThatIsTakenWaitsForAPerson(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		edit func(*target.Payload)
		want string
	}{
		{"by another key", func(p *target.Payload) { p.Key = "m2/x" }, "another posting, m2/x"},
		{"with another date", func(p *target.Payload) { p.Date = "2026-11-04" }, "dated 2026-11-04 there"},
		{"with other amounts", func(p *target.Payload) { p.Lines[0].Amount++; p.Lines[1].Amount-- }, "changed by hand"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.sell("1", 1200)
			s.books.Fail(postingtest.BookThenFail)
			s.sweep(0)
			s.books.Edit("POS-HIGH-20261103", test.edit)
			s.sweep(time.Minute)
			s.wantStates("parked")
			if text := s.postings()[0].Error; !strings.Contains(text, "reference taken") || !strings.Contains(text, test.want) {
				t.Errorf("parked because of %q, want %q", text, test.want)
			}
			s.sell("2", 600)
			s.sweep(time.Hour)
			s.wantStates("parked") // and nothing is posted beside it
			if n := s.books.Posts(); n != 1 {
				t.Errorf("sent %d times", n)
			}
		})
	}
}

func TestAReferenceThatIsTakenInAUniqueTargetIsParkedAtOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.books.Unique = true
	foreign := target.Payload{
		Key: "m2/x", Reference: "POS-HIGH-20261103", Date: postingtest.Day, Currency: "GBP",
		Lines: []target.Line{{Account: "a", Amount: 1}, {Account: "b", Amount: -1}},
	}
	if _, err := s.books.Post(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	s.sell("1", 1200)
	s.sweep(0)
	s.wantStates("parked")
}

func TestTryingIsBoundedAndAPersonMayAskForOneMore(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sell("1", 1200)
	for range posting.MaxAttempts + 1 {
		s.books.Fail(postingtest.FailUnbooked)
	}
	for range 2*posting.MaxAttempts + 2 {
		s.sweep(time.Hour)
	}
	s.wantStates("parked")
	if n := s.books.Posts(); n != posting.MaxAttempts {
		t.Errorf("sent %d times, want %d", n, posting.MaxAttempts)
	}
	retry := func() {
		t.Helper()
		due, err := s.store.Due(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.poster.Retry(t.Context(), due[0]); err != nil {
			t.Fatal(err)
		}
	}
	retry()
	for range 5 {
		s.sweep(time.Hour)
	}
	s.wantStates("parked")
	if n := s.books.Posts(); n != posting.MaxAttempts+1 {
		t.Errorf("sent %d times after a retry, want one more", n)
	}
	retry()
	s.sweep(time.Hour)
	s.wantBooked(1200, "POS-HIGH-20261103")
}

func TestARetryAdoptsWhatIsThereAfterAll(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sell("1", 1200)
	s.books.Fail(postingtest.BookThenFail)
	s.sweep(0)
	s.books.Edit("POS-HIGH-20261103", func(p *target.Payload) { p.Narration += "x" })
	s.sweep(time.Minute)
	s.wantStates("parked")
	due, err := s.store.Due(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.poster.Retry(t.Context(), due[0]); !errors.Is(err, target.ErrTaken) {
		t.Errorf("while it is changed: %v; want ErrTaken", err)
	}
	s.books.Edit("POS-HIGH-20261103", func(p *target.Payload) { p.Narration = strings.TrimSuffix(p.Narration, "x") })
	if err := s.poster.Retry(t.Context(), due[0]); err != nil {
		t.Fatal(err)
	}
	s.wantStates("posted")
	s.wantNothingDue()
}

func TestAFailingLookUpIsNeverTakenForNotThere(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sell("1", 1200)
	s.books.Fail(postingtest.BookThenFail, postingtest.CannotBeFound, postingtest.CannotBeFound)
	for range 3 {
		s.sweep(time.Hour)
		s.wantStates("unknown")
	}
	s.sweep(time.Hour)
	s.wantStates("posted")
	s.wantBooked(1200, "POS-HIGH-20261103")
}

func TestAfterARestoreWhatTheTargetHoldsIsTakenIn(t *testing.T) {
	t.Parallel()
	for _, from := range []int{1, 2, 3} {
		s := newShop(t)
		s.sell("1", 1200)
		s.sweep(0)
		s.sell("2", 600)
		s.sweep(0)
		s.store.Forget(postingtest.Ref, "books", from)
		s.restart()
		s.sell("3", 300)
		s.sweep(0)
		s.sweep(0)
		s.wantStates("posted posted posted")
		s.wantBooked(2100, "POS-HIGH-20261103", "POS-HIGH-20261103-r2", "POS-HIGH-20261103-r3")
		s.wantNothingDue()
	}
}

func TestTwoPostersPostOnce(t *testing.T) {
	t.Parallel()
	for range 20 {
		s := newShop(t)
		s.sell("1", 1200)
		var group sync.WaitGroup
		for range 4 {
			poster := postingtest.Poster(s.store, s.books, func() time.Time { return postingtest.Morning })
			group.Go(func() {
				for range 3 {
					if _, err := poster.Sweep(context.WithoutCancel(t.Context())); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		s.wantBooked(1200, "POS-HIGH-20261103")
		if s.books.Posts() != 1 {
			t.Fatalf("sent %d times", s.books.Posts())
		}
	}
}

func TestAnEntryThatIsReplacedBeforeItIsIntendedIsNotPosted(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sell("1", 1200)
	once := false
	s.poster.At = func(point string) {
		if point == posting.AtIntend && !once {
			once = true
			s.sell("2", 600)
		}
	}
	s.sweep(0)
	s.wantBooked(0)
	s.sweep(0)
	s.wantBooked(1800, "POS-HIGH-20261103")
}

func TestASubjectThatCannotBePostedDoesNotStopOthers(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	m := postingtest.Shop()
	m.Connections = append(m.Connections, merchant.Connection{ID: "broken"})
	s.store.Configure(m)
	broken := errors.New("no such folder")
	s.poster.Target = func(_ merchant.Merchant, c merchant.Connection) (target.Target, error) {
		if c.ID == "broken" {
			return nil, broken
		}
		return s.books, nil
	}
	s.sell("1", 1200)
	pass, err := s.poster.Sweep(t.Context())
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "to broken") {
		t.Errorf("error %v; want the broken connection's", err)
	}
	if pass.Due != 2 || pass.Done != 1 {
		t.Errorf("pass %+v", pass)
	}
	s.wantBooked(1200, "POS-HIGH-20261103")
}
