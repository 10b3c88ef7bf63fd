package posting_test

import (
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/drift"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/posting/postingtest"
)

// compares looks at the books as the collector does; it is a day later then.
func (c *cloud) compares(t *testing.T) drift.Pass {
	t.Helper()
	c.pass(drift.Daily)
	checker := &drift.Checker{Store: c.store.Memory, Directory: c.store.Memory, Now: c.clock, Target: c.poster.Target}
	pass, err := checker.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return pass
}

// open returns what waits for a person, as codes.
func (c *cloud) opened() string {
	var codes []string
	for _, f := range c.store.Findings() {
		if f.State == drift.Opened {
			codes = append(codes, f.Code)
		}
	}
	return strings.Join(codes, " ")
}

func (c *cloud) wantOpen(t *testing.T, want string) {
	t.Helper()
	if got := c.opened(); got != want {
		t.Fatalf("open are %q, want %q: %+v", got, want, c.store.Findings())
	}
}

// TestScenario59WhatAPersonDidIsFoundAndRestoredAcceptedOrIgnored.
func TestScenario59WhatAPersonDidIsFoundAndRestoredAcceptedOrIgnored(t *testing.T) {
	t.Parallel()
	eachCloud(t, func(t *testing.T, c *cloud) {
		p := c.postOne(t)
		if pass := c.compares(t); pass.Compared != 1 {
			t.Errorf("%+v", pass)
		}
		c.wantOpen(t, "")

		c.edit(p.Reference)
		c.compares(t)
		c.wantOpen(t, drift.Edited)
		c.store.Mark(p.Reference, drift.Accepted)
		c.compares(t)
		c.wantOpen(t, "") // as it is
		c.edit(p.Reference)
		c.compares(t)
		c.wantOpen(t, drift.Edited) // not any more

		if err := c.store.Restore(t.Context(), posting.Decision{Ref: p.Ref, Target: p.Target, Reference: p.Reference}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			c.work(t)
		}
		c.compares(t)
		c.wantOpen(t, "")
		if last := c.last(t); last.Revision != 2 || last.State != posting.Posted || len(c.documents("")) != 1 || c.balances()[c.cash] != 1200 {
			t.Errorf("restored as %+v, %v, %v", last, c.documents(""), c.balances())
		}

		c.void(c.last(t).Reference)
		c.compares(t)
		if got := c.opened(); got != drift.Voided && got != drift.Deleted {
			t.Errorf("taken off: %q", got)
		}
		c.store.Mark(c.last(t).Reference, drift.Ignored)
		c.compares(t)
		c.wantOpen(t, "")
	})
}

// TestASecondDocumentOfAPostingIsTakenOffByItself as after a request that was
// carried out long after it was given up.
func TestASecondDocumentOfAPostingIsTakenOffByItself(t *testing.T) {
	t.Parallel()
	eachCloud(t, func(t *testing.T, c *cloud) {
		p := c.postOne(t)
		c.double(p.Reference)
		if c.documents("")[p.Reference] == 1 {
			return // numbers are unique there
		}
		if pass := c.compares(t); pass.Doubles != 1 || pass.Found != 0 {
			t.Errorf("%+v", pass)
		}
		if got := c.documents(""); got[p.Reference] != 1 || c.balances()[c.cash] != 1200 {
			t.Errorf("%v, %v", got, c.balances())
		}
		c.wantOpen(t, "")
		if f := c.store.Findings(); len(f) != 1 || f[0].Code != drift.Doubled || f[0].State != drift.Fixed {
			t.Errorf("not counted: %+v", f)
		}
		// In a closed period it stays, and a person is told.
		c.double(p.Reference)
		c.setClosed("2026-11-30")
		c.restart()
		if pass := c.compares(t); pass.Doubles != 0 {
			t.Errorf("%+v", pass)
		}
		c.wantOpen(t, drift.Doubled)
	})
}

// TestSomebodyElsesDocumentUnderAReferenceIsNamedAndLeftAlone.
func TestSomebodyElsesDocumentUnderAReferenceIsNamedAndLeftAlone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Xero, zero-net invoice", "Xero, invoice and payments", "QuickBooks, journal"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clouds[name](t)
			c.postOne(t)
			c.alien("POS-HIGH-20261105", "2026-11-05")
			c.compares(t)
			c.wantOpen(t, drift.Foreign)
			// The day that needs the reference waits for a person.
			c.store.Put("high", "2026-11-05", postingtest.Sale("5", 600), c.clock())
			c.pass(48 * time.Hour)
			c.work(t)
			due, err := c.store.Due(t.Context(), "")
			if err != nil || len(due) != 1 || due[0].Postings[0].State != posting.Parked || due[0].Postings[0].Code != "reference_taken" {
				t.Errorf("%+v, %v", due, err)
			}
			if got := c.documents(""); got["POS-HIGH-20261105"] != 1 {
				t.Errorf("%v", got)
			}
		})
	}
}

// TestWhatWasPostedIsReadBackOnceAndChangesAreToldBetweenTheDailyLooks.
func TestWhatWasPostedIsReadBackOnceAndChangesAreToldBetweenTheDailyLooks(t *testing.T) {
	t.Parallel()
	c := clouds["QuickBooks, journal"](t)
	c.postOne(t)
	c.compares(t)
	checker := &drift.Checker{Store: c.store.Memory, Directory: c.store.Memory, Now: c.clock, Target: c.poster.Target}
	look := func() drift.Pass {
		pass, err := checker.Sweep(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return pass
	}
	c.store.Put("high", postingtest.Day, postingtest.Sale("2", 600), c.clock())
	c.work(t)
	if pass := look(); pass.Read != 1 || pass.Compared != 0 {
		t.Errorf("after a posting: %+v", pass)
	}
	c.pass(2 * time.Minute)
	if pass := look(); pass.Read != 0 || pass.Compared != 0 {
		t.Errorf("what we did is no reason to compare all: %+v", pass)
	}
	c.void("POS-HIGH-20261103")
	if pass := look(); pass.Compared != 0 {
		t.Errorf("asked again at once: %+v", pass)
	}
	c.pass(time.Hour)
	if pass := look(); pass.Compared != 1 || pass.Found != 1 {
		t.Errorf("an hour later: %+v", pass)
	}
	c.wantOpen(t, drift.Deleted)
}
