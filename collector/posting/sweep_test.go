package posting_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/collector/target"
)

func morning() time.Time { return postingtest.Morning }

// slow are books that answer a post only when they are let.
type slow struct {
	*postingtest.Books
	asked chan struct{}
	let   chan struct{}
}

func (s *slow) Post(ctx context.Context, p target.Payload) (target.Receipt, error) {
	s.asked <- struct{}{}
	<-s.let
	return s.Books.Post(ctx, p)
}

func TestBooksThatAnswerSlowlyKeepNoOthersWaiting(t *testing.T) {
	t.Parallel()
	m := postingtest.Shop()
	slowly := m.Connections[0]
	slowly.ID = "a-slow-one" // that is due before the other
	m.Connections = append(m.Connections, slowly)
	store := postingtest.New(m)
	quick := &postingtest.Books{Unique: true}
	stuck := &slow{&postingtest.Books{Unique: true}, make(chan struct{}), make(chan struct{})}
	poster := postingtest.Poster(store, quick, morning)
	poster.Target = func(_ merchant.Merchant, c merchant.Connection) (target.Target, error) {
		if c.ID == slowly.ID {
			return stuck, nil
		}
		return quick, nil
	}
	closer := postingtest.Closer(store, morning)
	sell := func(number string) {
		store.Put("high", postingtest.Day, postingtest.Sale(number, 1200), postingtest.Noon)
		if _, err := closer.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	passes := make(chan posting.Pass, 8)
	begin := func() {
		if err := poster.Begin(t.Context(), func(pass posting.Pass, err error) {
			if err != nil {
				t.Error(err)
			}
			passes <- pass
		}); err != nil {
			t.Fatal(err)
		}
	}
	sell("1")
	begin()
	<-stuck.asked
	if pass := <-passes; pass != (posting.Pass{Due: 1, Done: 1}) || len(quick.Booked()) != 1 {
		t.Errorf("beside slow books: %+v, booked %d", pass, len(quick.Booked()))
	}
	sell("2")
	begin() // with the slow ones still at it
	if pass := <-passes; pass.Done != 1 || len(quick.Booked()) != 2 {
		t.Errorf("the second time: %+v, booked %d", pass, len(quick.Booked()))
	}
	select {
	case <-stuck.asked:
		t.Error("books that are posted to are posted to twice at once")
	default:
	}
	stuck.let <- struct{}{}
	<-passes
	poster.Wait()
	begin()
	<-stuck.asked
	stuck.let <- struct{}{}
	<-passes
	poster.Wait()
	if n := stuck.Posts(); n != 2 {
		t.Errorf("the slow books were asked %d times", n)
	}
	if got, want := postingtest.Sums(stuck.Booked()), postingtest.Sums(quick.Booked()); got["Assets:Cash"] != 2400 || want["Assets:Cash"] != 2400 {
		t.Errorf("booked %v and %v", got, want)
	}
}

func TestWhatManyBeginAtOnceIsPostedOnce(t *testing.T) {
	t.Parallel()
	store := postingtest.New(postingtest.Shop())
	quick := &postingtest.Books{} // which would book twice
	poster := postingtest.Poster(store, quick, morning)
	store.Put("high", postingtest.Day, postingtest.Sale("1", 1200), postingtest.Noon)
	if _, err := postingtest.Closer(store, morning).Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := poster.Begin(t.Context(), func(_ posting.Pass, err error) {
				if err != nil {
					t.Error(err)
				}
			}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	poster.Wait()
	if n := len(quick.Booked()); n != 1 {
		t.Errorf("booked %d times", n)
	}
}
