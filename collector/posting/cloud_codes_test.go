package posting_test

import (
	"testing"
	"time"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/problem"
)

// TestEachTroubleEndsInItsCodeBooksNothingAndGoesOnOnceItIsMended: what keeps a
// day from the books is named by one row of the error table, the books hold nothing
// of it, and nobody has to touch the day afterwards.
func TestEachTroubleEndsInItsCodeBooksNothingAndGoesOnOnceItIsMended(t *testing.T) {
	t.Parallel()
	// Whole: the trouble is with all of the books, so that every day waits.
	for _, trouble := range []struct {
		name, code  string
		whole       bool
		makes, ends func(t *testing.T, c *cloud)
	}{
		{"lock date", target.CodeClosed, false,
			func(_ *testing.T, c *cloud) { c.setClosed(postingtest.Day) }, func(_ *testing.T, c *cloud) { c.setClosed("") }},
		{"archived account", target.CodeArchived, true,
			func(_ *testing.T, c *cloud) { c.archive(c.sales) }, func(_ *testing.T, c *cloud) { c.restore(c.sales) }},
		{"deleted tax rate", target.CodeTax, true,
			func(_ *testing.T, c *cloud) { c.archive(c.taxCode) }, func(_ *testing.T, c *cloud) { c.restore(c.taxCode) }},
		{"ended subscription", target.CodeSubscription, true,
			func(_ *testing.T, c *cloud) { c.suspend(true) }, func(_ *testing.T, c *cloud) { c.suspend(false) }},
		{"consent taken back", target.CodeDisconnected, true,
			func(_ *testing.T, c *cloud) { c.gate.Identity.Disconnect() },
			func(t *testing.T, c *cloud) {
				if err := c.connect(t.Context()); err != nil {
					t.Fatal(err)
				}
			}},
		{"another organisation", target.CodeOrganisation, true,
			func(_ *testing.T, c *cloud) {
				c.poster.Target = func(merchant.Merchant, merchant.Connection) (target.Target, error) { return c.other() }
			}, func(_ *testing.T, c *cloud) { c.restart() }},
		{"plan without journals", target.CodePlan, true,
			func(_ *testing.T, c *cloud) { c.simple(true) }, func(_ *testing.T, c *cloud) { c.simple(false) }},
	} {
		if _, known := problem.Find(trouble.code); !known {
			t.Errorf("%s: code %s has no row in the error table", trouble.name, trouble.code)
		}
		for name, start := range clouds {
			if trouble.code == target.CodePlan && name != "QuickBooks, journal" {
				continue // the others post no journals there, or plans do not differ
			}
			t.Run(trouble.name+", "+name, func(t *testing.T) {
				t.Parallel()
				c := start(t)
				trouble.makes(t, c)
				for n, d := range []string{"1", "2"} { // two days, the second is the next one
					c.store.Put("high", postingtest.Day.Add(n), postingtest.Sale(d, 1200), c.clock())
				}
				c.pass(48 * time.Hour)
				if _, err := c.closer.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
				_, err := c.poster.Sweep(t.Context())
				due, dueErr := c.store.Due(t.Context(), "")
				if dueErr != nil || len(due) == 0 || due[0].Day != postingtest.Day {
					t.Fatalf("due are %+v, %v", due, dueErr)
				}
				code := target.CodeOf(err)
				if n := len(due[0].Postings); n > 0 {
					code = due[0].Postings[n-1].Code
				}
				if code != trouble.code {
					t.Errorf("it ended in %s: %v, %+v", code, err, due[0].Postings)
				}
				want := 1 // the next day goes on
				if trouble.whole {
					want = 0
				}
				if got := c.documents(""); len(got) != want {
					t.Errorf("the books hold %v", got)
				}
				trouble.ends(t, c)
				for range 4 {
					c.pass(2 * time.Hour)
					c.work(t)
				}
				if due, err := c.store.Due(t.Context(), ""); err != nil || len(due) > 0 {
					t.Errorf("still due: %+v, %v", due, err)
				}
				if got := c.documents(""); len(got) != 2 || c.balances()[c.cash] != 2400 {
					t.Errorf("the books hold %v, %v", got, c.balances())
				}
				if p := c.last(t); p.State != posting.Posted || p.Code != "" {
					t.Errorf("%+v", p)
				}
			})
		}
	}
}
