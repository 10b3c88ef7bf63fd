package acceptance

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/internal/installation"
)

// dayBefore is the business day before day.
var dayBefore = time.Now().UTC().AddDate(0, 0, -3).Format(time.DateOnly)

// pushed pushes a sale of a day and wants it answered 201.
func (s *shop) pushed(key, on string, number int, pence int64) {
	s.t.Helper()
	if code := s.push("agent", key, strings.ReplaceAll(sale("1", number, pence), day, on)); code != 201 {
		s.t.Fatalf("sale %d was answered %d", number, code)
	}
}

// files are the postings in the books, by name.
func (s *shop) files(books string) map[string]string {
	s.t.Helper()
	entries, err := os.ReadDir(s.Path(books, "postings"))
	s.must(err)
	files := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(s.Path(books, "postings", e.Name()))
		s.must(err)
		files[e.Name()] = string(text)
	}
	return files
}

// booked waits until the days have so many postings in each of the books.
func (s *shop) booked(postings map[string]int) {
	s.t.Helper()
	s.must(installation.Wait(s.ctx, fmt.Sprintf("postings %v", postings), func() (bool, error) {
		got := map[string]int{}
		for _, r := range s.days() {
			if n := len(r.to("books")); n > 0 && n == len(r.to("beans")) {
				got[r.Day] = len(r.to("books"))
			}
		}
		return maps.Equal(got, postings), nil
	}))
	s.posted(len(postings))
}

func TestARestoredCollectorIsSentWhatItLacksAndPostsNothingTwice(t *testing.T) {
	t.Parallel()
	s := open(t, "200ms")
	s.join("agent", "")
	gross := map[string]int64{}
	for n := 1; n <= 10; n++ {
		s.pushed(fmt.Sprintf("k%d", n), dayBefore, n, int64(100+n))
		gross[dayBefore] += int64(100 + n)
	}
	s.sent("agent")
	s.booked(map[string]int{dayBefore: 1})

	s.call(installation.Collector, "collector", "backup", "create", s.Path("backup"))
	var verified struct {
		Noted bool `json:"noted"`
	}
	s.must(s.Ask(s.ctx, &verified, installation.Collector, "collector", "backup", "verify", s.Path("backup")))
	if !verified.Noted {
		t.Error("the backup of this database was not noted in it")
	}

	// Later than the backup: a day, a corrected receipt, and a forgotten one.
	for n := 12; n <= 21; n++ {
		s.pushed(fmt.Sprintf("k%d", n), day, n, int64(100+n))
		gross[day] += int64(100 + n)
	}
	s.pushed("corrected", dayBefore, 3, 903)
	s.pushed("forgotten", dayBefore, 11, 2100)
	gross[dayBefore] += 903 - 103 + 2100
	s.sent("agent")
	s.holds(21)
	postings := map[string]int{}
	for _, r := range s.posted(2) {
		postings[r.Day] = len(r.to("books"))
	}
	if postings[dayBefore] < 2 || postings[day] < 1 {
		t.Fatalf("postings %v: the late ones are missing", postings)
	}
	before, beans := s.files("books"), s.files("books-beancount")

	// refused is a restore that fails with an error.
	refused := func(when, want string, args ...string) {
		t.Helper()
		_, code, err := s.Call(s.ctx, installation.Collector, "collector", append([]string{"restore", s.Path("backup")}, args...)...)
		if err == nil || code != 2 || !strings.Contains(err.Error(), want) {
			t.Errorf("restore %s: exit %d, %v", when, code, err)
		}
	}
	refused("over a database", "is there already")
	refused("under a running collector", "has the database open", "--replace")
	s.must(s.Kill("collector"))
	var restored struct {
		Merchants []string `json:"merchants"`
		Aside     string   `json:"aside"`
	}
	s.must(s.Ask(s.ctx, &restored, installation.Collector, "collector", "restore", s.Path("backup"), "--replace"))
	if len(restored.Merchants) != 1 || restored.Merchants[0] != "corner" {
		t.Errorf("paused are %v", restored.Merchants)
	}
	if _, err := os.Stat(restored.Aside); err != nil {
		t.Errorf("what was there is not set aside: %v", err)
	}
	if stored := s.stored(); len(stored) != 10 {
		t.Errorf("put back were %d documents", len(stored))
	}

	s.collector()
	s.holds(21)
	s.sent("agent")
	var resumed struct {
		Resumed bool `json:"resumed"`
	}
	s.must(s.Ask(s.ctx, &resumed, installation.Collector, "collector", "resume", "corner", "--by", "olga"))
	if !resumed.Resumed {
		t.Error("the restored merchant was not paused")
	}
	s.posted(2)
	for name, books := range map[string]map[string]string{"books": before, "books-beancount": beans} {
		if got := s.files(name); !maps.Equal(got, books) {
			t.Errorf("%s: the restore changed the postings: %d files, before %d", name, len(got), len(books))
		}
	}
	for on, want := range gross {
		if got := s.balances(on)["Assets:CardClearing"]; got != want {
			t.Errorf("card clearing of %s holds %s, rung up were %s", on, pounds(got), pounds(want))
		}
	}
	if revision := s.stored()["S1|1|RECEIPT|3"]; revision != 2 {
		t.Errorf("the corrected receipt has revision %d", revision)
	}
	s.verify()

	// And it goes on.
	s.pushed("k22", day, 22, 2200)
	s.holds(22)
	s.booked(map[string]int{dayBefore: postings[dayBefore], day: postings[day] + 1})
	s.verify()
}
