package fleet

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/internal/installation"
	"tillbook.example/tillbook/shared/document"
)

// clearing is the account that all sales were paid into.
const clearing = "Assets:CardClearing"

// expect adds up what the tills rang up, by store-day, in pence.
func expect(tills []till) map[day.Ref]int64 {
	sums := map[day.Ref]int64{}
	for _, t := range tills {
		for n := range t.sales {
			sums[day.Ref{Merchant: t.merchant, Store: t.store, Day: t.day(n)}] += t.pence(n)
		}
	}
	return sums
}

func (s *site) wait(what string, done func() bool) {
	s.t.Helper()
	s.must(installation.Wait(s.ctx, what, func() (bool, error) { return done(), nil }))
}

// posted is how many store-days are posted at their newest version. What cannot
// be read while the database is away is asked again.
func (s *site) posted() (n int) {
	for _, merchant := range merchants {
		ready := map[day.Ref]int64{}
		days, err := s.db.Days(s.ctx, merchant)
		if err != nil {
			return 0
		}
		for _, d := range days {
			if d.State == day.Ready && d.Entry == d.Version {
				ready[d.Ref] = d.Entry
			}
		}
		err = s.db.EachPosting(s.ctx, merchant, func(p posting.Posting) error {
			if entry, is := ready[p.Ref]; is && p.State == posting.Posted && p.Entry == entry {
				n++
			}
			return nil
		})
		if err != nil {
			return 0
		}
	}
	return n
}

// storedOnce wants each sale to be current once, with the amount it had at last
// and on its own day, and nothing else.
func (s *site) storedOnce(tills []till) {
	s.t.Helper()
	wrongs := 0
	complain := func(format string, args ...any) {
		if wrongs++; wrongs <= 20 {
			s.t.Errorf(format, args...)
		}
	}
	for _, merchant := range merchants {
		by, seen := map[string]till{}, map[string][]bool{}
		total := 0
		for _, t := range tills {
			if t.merchant == merchant {
				by[t.store+"|"+t.terminal] = t
				seen[t.store+"|"+t.terminal] = make([]bool, t.sales)
				total += t.sales
			}
		}
		standings := map[string]int{}
		s.must(s.db.EachDocument(s.ctx, merchant, func(d audit.Document) error {
			standings[d.Standing]++
			if d.Standing != "current" {
				return nil
			}
			name := strings.Join(strings.SplitN(d.Key, "|", 3)[:2], "|")
			t := by[name]
			n, is := t.number(d.Key)
			if !is {
				complain("%s of %s was never rung up", d.Key, merchant)
				return nil
			}
			if seen[name][n] {
				complain("%s of %s is current twice", d.Key, merchant)
			}
			seen[name][n] = true
			doc, err := document.Unmarshal(d.Body)
			if err != nil {
				return err
			}
			paid := int64(doc.Tenders[0].Amount) / 10_000
			if d.Day != t.day(n) || d.Conflict || paid != t.pence(n) || len(doc.Tenders) != 1 {
				complain("%s of %s is on %s of %d pence, rung up were %d on %s", d.Key, merchant, d.Day, paid, t.pence(n), t.day(n))
			}
			return nil
		}))
		for name, all := range seen {
			for n, is := range all {
				if !is {
					complain("%s of %s is lost", by[name].key(n), merchant)
				}
			}
		}
		s.t.Logf("%s: %d rung up; stored: %v", merchant, total, standings)
	}
	if wrongs > 0 {
		s.t.Errorf("%d documents are wrong", wrongs)
	}
}

// postedOnce wants one entry and one posting of each store-day, of the sum that
// was rung up, in the database and in the books themselves.
func (s *site) postedOnce(want map[day.Ref]int64) {
	s.t.Helper()
	entries, postings, sums := map[day.Ref]int{}, map[day.Ref]int{}, map[day.Ref]int64{}
	for _, merchant := range merchants {
		s.must(s.db.EachEntry(s.ctx, merchant, func(e day.Entry) error { entries[e.Ref]++; return nil }))
		s.must(s.db.EachPosting(s.ctx, merchant, func(p posting.Posting) error {
			postings[p.Ref]++
			if p.State != posting.Posted {
				s.t.Errorf("posting %s of %s is %s: %s", p.Reference, merchant, p.State, p.Error)
			}
			for _, l := range p.Payload.Lines {
				if l.Account == clearing {
					sums[p.Ref] += int64(l.Amount)
				}
			}
			return nil
		}))
	}
	for ref, pence := range want {
		if entries[ref] != 1 || postings[ref] != 1 || sums[ref] != pence {
			s.t.Errorf("%v has %d entries and %d postings of %d pence, rung up were %d", ref, entries[ref], postings[ref], sums[ref], pence)
		}
	}
	if len(postings) != len(want) {
		s.t.Errorf("%d store-days are posted, want %d", len(postings), len(want))
	}
	for _, merchant := range merchants {
		var pence int64
		days := 0
		for ref, p := range want {
			if ref.Merchant == merchant {
				pence, days = pence+p, days+1
			}
		}
		if files, sum := s.journals(merchant); files != days || sum != pence {
			s.t.Errorf("the books of %s hold %d journals of %d pence, want %d of %d", merchant, files, sum, days, pence)
		}
	}
}

var paidIn = regexp.MustCompile(`(?m)^\s+` + clearing + `\s+(\d+)\.(\d\d) GBP`)

// journals reads a merchant's books as they lie on the disk.
func (s *site) journals(merchant string) (files int, pence int64) {
	s.t.Helper()
	names, err := filepath.Glob(filepath.Join(s.books(merchant), "postings", "POS-*.journal"))
	s.must(err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		s.must(err)
		for _, found := range paidIn.FindAllStringSubmatch(string(text), -1) {
			n, err := strconv.ParseInt(found[1]+found[2], 10, 64)
			s.must(err)
			pence += n
		}
	}
	return len(names), pence
}
