package posting_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

var points = []string{
	day.AtFacts, day.AtDecided, day.AtBuilt, day.AtSave, day.AtSaved,
	posting.AtDue, posting.AtIntend, posting.AtIntended, posting.AtSend, posting.AtSent, posting.AtSettle, posting.AtSettled,
}

type killed struct{}

// TestEachReferenceIsBookedOnceAndTheSumIsTheNewestEntry runs documents that
// come, change, move and come late, and people who take days off the books and have
// them posted again, against books that lose answers, refuse and
// go down, in a process that is killed at any of its named points. The target is
// one that books a reference twice if it is asked to.
func TestEachReferenceIsBookedOnceAndTheSumIsTheNewestEntry(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		store := postingtest.New(postingtest.Shop())
		target := &postingtest.Books{Unique: rapid.Bool().Draw(t, "unique"), Reverses: rapid.Bool().Draw(t, "reverses")}
		withdrawn := map[bizday.Day]bool{}
		now := postingtest.Morning
		clock := func() time.Time { return now }
		kill, left := "", 0
		at := func(point string) {
			if point != kill {
				return
			}
			if left--; left == 0 {
				panic(killed{})
			}
		}
		var closer *day.Closer
		var poster *posting.Poster
		start := func() {
			closer, poster = postingtest.Closer(store, clock), postingtest.Poster(store, target, clock)
			closer.At, poster.At = at, at
		}
		start()
		work := func() {
			defer func() {
				switch r := recover(); r.(type) {
				case nil:
				case killed:
					start()
				default:
					panic(r)
				}
			}()
			if _, err := closer.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := poster.Sweep(t.Context()); err != nil && !isUnavailable(err) {
				t.Fatal(err)
			}
		}
		faults := 0
		t.Repeat(map[string]func(*rapid.T){
			"document": func(t *rapid.T) {
				number, pence := fmt.Sprint(rapid.IntRange(1, 4).Draw(t, "number")), int64(rapid.IntRange(-30, 90).Draw(t, "pence"))*10
				d := postingtest.Day
				if rapid.IntRange(0, 4).Draw(t, "moves") == 0 {
					d = d.Add(-1)
				}
				store.Put("high", d, postingtest.Sale(number, pence), now)
			},
			"fault": func(t *rapid.T) {
				if faults++; faults > posting.MaxAttempts/2 {
					return // a posting that met more in a row would rightly wait for a person
				}
				target.Fail(rapid.SampledFrom([]postingtest.Fault{
					postingtest.BookThenFail, postingtest.FailUnbooked, postingtest.Down, postingtest.Refuse, postingtest.CannotBeFound,
				}).Draw(t, "fault"))
			},
			"kill": func(t *rapid.T) {
				kill, left = rapid.SampledFrom(points).Draw(t, "point"), rapid.IntRange(1, 2).Draw(t, "nth")
				work()
				kill = ""
			},
			"work": func(*rapid.T) { work() },
			"decide": func(t *rapid.T) {
				d := postingtest.Day.Add(-rapid.IntRange(0, 1).Draw(t, "before"))
				ref := day.Ref{Merchant: "m", Store: "high", Day: d}
				if _, err := store.Entry(t.Context(), ref, 0); err != nil {
					return // nothing to take off yet
				}
				what := rapid.SampledFrom([]string{posting.DecideUndo, posting.DecideRepost}).Draw(t, "what")
				if _, err := store.Decide(t.Context(), posting.Decision{Ref: ref, Target: "books", What: what}); err != nil {
					t.Fatal(err)
				}
				withdrawn[d] = what == posting.DecideUndo
			},
			"restore": func(t *rapid.T) {
				all, err := store.Postings(t.Context(), postingtest.Ref)
				if err != nil || len(all) == 0 || !target.Reverses {
					return
				}
				p := rapid.SampledFrom(all).Draw(t, "posting")
				// Refused where it does not stand, or another is under way.
				_ = store.Restore(t.Context(), posting.Decision{Ref: p.Ref, Target: p.Target, Reference: p.Reference})
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 900).Draw(t, "seconds")) * time.Second)
			},
			"":      func(t *rapid.T) { once(t, target) },
			"again": func(*rapid.T) { start() },
		})
		// Left alone, everything comes to rest.
		for range 300 { // a withdrawn day goes off one posting at a time
			now = now.Add(2 * time.Hour)
			work()
		}
		due, err := store.Due(t.Context(), "")
		if err != nil || len(due) > 0 {
			t.Fatalf("still due: %+v, %v", due, err)
		}
		once(t, target)
		want := map[string]money.Minor{}
		for _, ref := range []day.Ref{postingtest.Ref, {Merchant: "m", Store: "high", Day: postingtest.Day.Add(-1)}} {
			e, err := store.Entry(t.Context(), ref, 0)
			if err != nil || withdrawn[ref.Day] {
				continue // no document ever came to it, or a person took it off
			}
			var entry books.Entry
			if err := json.Unmarshal(e.Body, &entry); err != nil {
				t.Fatal(err)
			}
			for _, l := range entry.Lines {
				if want[l.Account] += l.Signed(); want[l.Account] == 0 {
					delete(want, l.Account)
				}
			}
		}
		if diff := cmp.Diff(want, postingtest.Sums(target.Booked())); diff != "" {
			t.Fatalf("the books (-newest entries +booked):\n%s", diff)
		}
	})
}

// once checks that no reference is booked twice.
func once(t *rapid.T, b *postingtest.Books) {
	var references []string
	for _, p := range b.Booked() {
		references = append(references, p.Reference)
	}
	slices.Sort(references)
	if n := len(references); len(slices.Compact(references)) != n {
		t.Fatalf("a reference is booked twice: %q", references)
	}
}

func isUnavailable(err error) bool { return errors.Is(err, target.ErrUnavailable) }
