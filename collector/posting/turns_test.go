package posting_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/shared/bizday"
)

// queue says that days are due, and notes which were looked at.
type queue struct {
	posting.Store
	days   map[posting.Books]int
	looked []string
}

func (q *queue) DueBooks(_ context.Context, after posting.Books, n int) (books []posting.Books, _ error) {
	for b := range q.days {
		if b.Compare(after) > 0 {
			books = append(books, b)
		}
	}
	slices.SortFunc(books, posting.Books.Compare)
	return books[:min(n, len(books))], nil
}

func (q *queue) DueDays(_ context.Context, b posting.Books, after day.Ref, n int) (days []day.Ref, _ error) {
	for i := range q.days[b] {
		ref := day.Ref{Merchant: b.Merchant, Store: "high", Day: bizday.Day("2026-01-01").Add(i)}
		if ref.Day > after.Day && len(days) < n {
			days = append(days, ref)
		}
	}
	return days, nil
}

func (q *queue) DueOf(_ context.Context, ref day.Ref, _ string) (posting.Due, bool, error) {
	q.looked = append(q.looked, fmt.Sprintf("%s %s", ref.Merchant, ref.Day))
	return posting.Due{}, false, nil
}

func TestAMerchantWithMuchToPostDoesNotHideOthersAndIsGoneOnWith(t *testing.T) {
	t.Parallel()
	q := &queue{days: map[posting.Books]int{{Merchant: "a", Target: "books"}: 150, {Merchant: "b", Target: "books"}: 1}}
	p := &posting.Poster{Store: q, Now: time.Now}
	pass := func() []string {
		t.Helper()
		q.looked = nil
		if _, err := p.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		return q.looked
	}
	first := bizday.Day("2026-01-01")
	for i, from := range []int{0, 64, 128, 0} { // days of a that were looked at before
		var want []string
		for n := from; n < min(from+64, 150); n++ {
			want = append(want, "a "+string(first.Add(n)))
		}
		want = append(want, "b 2026-01-01")
		if diff := cmp.Diff(want, pass()); diff != "" {
			t.Errorf("pass %d (-want +got):\n%s", i+1, diff)
		}
	}
	for i := range 600 {
		q.days[posting.Books{Merchant: fmt.Sprintf("c%03d", i), Target: "books"}] = 1
	}
	if looked := pass(); len(looked) != 64+1+600 || slices.Index(looked, "c599 2026-01-01") < 0 {
		t.Errorf("of 602 merchants %d subjects were looked at", len(looked))
	}
}
