package posting_test

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/collector/sandbox/gate"
	"tillbook.example/tillbook/collector/target"
)

// postOne posts the shop's day and returns its one posting.
func (c *cloud) postOne(t *testing.T) posting.Posting {
	t.Helper()
	c.store.Put("high", postingtest.Day, postingtest.Sale("1", 1200), c.clock())
	c.work(t)
	return c.last(t)
}

func (c *cloud) last(t *testing.T) posting.Posting {
	t.Helper()
	all, err := c.store.Postings(t.Context(), postingtest.Ref)
	if err != nil || len(all) == 0 {
		t.Fatalf("postings: %v, %v", all, err)
	}
	return all[len(all)-1]
}

func eachCloud(t *testing.T, run func(t *testing.T, c *cloud)) {
	for name, start := range clouds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, start(t))
		})
	}
}

// TestScenario51ACollectorThatDiesBetweenBookedAndNotedFindsItsDocument.
func TestScenario51ACollectorThatDiesBetweenBookedAndNotedFindsItsDocument(t *testing.T) {
	t.Parallel()
	eachCloud(t, func(t *testing.T, c *cloud) {
		c.poster.At = func(point string) {
			if point == posting.AtSent {
				panic(killed{})
			}
		}
		if p := c.postOne(t); p.State != posting.Sent || c.documents("")[p.Reference] != 1 {
			t.Fatalf("%+v", p)
		}
		for range 3 {
			c.pass(5 * time.Minute)
			c.work(t)
		}
		if p := c.last(t); p.State != posting.Posted || p.Attempts != 1 || p.RemoteID == "" || c.documents("")[p.Reference] != 1 {
			t.Errorf("%+v, %v", p, c.documents(""))
		}
	})
}

// TestScenario52TroubleOfTheSystemIsTriedAgainAsItWas: throttled, broken, and an
// answer lost after success.
func TestScenario52TroubleOfTheSystemIsTriedAgainAsItWas(t *testing.T) {
	t.Parallel()
	eachCloud(t, func(t *testing.T, c *cloud) {
		c.gate.Fail(gate.Throttle, gate.FailUncommitted, gate.ThrottleBare, gate.CommitThenCut)
		before := c.postOne(t).Payload
		for range 12 {
			c.pass(20 * time.Minute)
			c.work(t)
		}
		p := c.last(t)
		if p.State != posting.Posted || p.Attempts > 5 || !p.Payload.Equal(before) || c.documents("")[p.Reference] != 1 || len(c.documents("")) != 1 {
			t.Errorf("%+v, %v", p, c.documents(""))
		}
		if len(c.gate.Met()) != 4 {
			t.Errorf("met %v", c.gate.Met())
		}
	})
}

// TestScenario54AnEndedConnectionWaitsAndGoesOnAfterItIsConnectedAgain without
// anything being configured.
func TestScenario54AnEndedConnectionWaitsAndGoesOnAfterItIsConnectedAgain(t *testing.T) {
	t.Parallel()
	eachCloud(t, func(t *testing.T, c *cloud) {
		c.gate.Identity.Disconnect()
		c.store.Put("high", postingtest.Day, postingtest.Sale("1", 1200), c.clock())
		if _, err := c.closer.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := c.poster.Sweep(t.Context()); !errors.Is(err, target.ErrDisconnected) {
			t.Errorf("%v; want ErrDisconnected", err)
		}
		if err := c.connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.pass(time.Hour)
		c.work(t)
		if p := c.last(t); p.State != posting.Posted {
			t.Errorf("%+v", p)
		}
	})
}

// TestScenario55AnArchivedAccountStopsThatDayNamesItAndGoesOnWhenItIsBack.
func TestScenario55AnArchivedAccountStopsThatDayNamesItAndGoesOnWhenItIsBack(t *testing.T) {
	t.Parallel()
	eachCloud(t, func(t *testing.T, c *cloud) {
		c.archive(c.sales)
		if p := c.postOne(t); p.State != posting.Refused || !strings.Contains(p.Error, strconv.Quote(c.sales)) || !strings.Contains(p.Error, "archived") {
			t.Fatalf("%+v", p)
		}
		c.restore(c.sales)
		c.pass(time.Hour)
		c.work(t)
		if p := c.last(t); p.State != posting.Posted || c.documents("")[p.Reference] != 1 {
			t.Errorf("%+v", p)
		}
	})
}

func TestScenario55ARemappedAccountGoesOnByItself(t *testing.T) {
	t.Parallel()
	eachCloud(t, func(t *testing.T, c *cloud) {
		c.archive(c.sales)
		c.postOne(t)
		other := map[string]string{"200": "201", "4000": "4010"}[c.sales]
		m, err := c.store.Merchant(t.Context(), "m")
		if err != nil {
			t.Fatal(err)
		}
		mapping := m.Mappings[0]
		mapping.Version = 0
		mapping.Mapping.Accounts = maps.Clone(mapping.Mapping.Accounts)
		mapping.Mapping.Accounts[books.Sales] = other
		m.Mappings = []merchant.Mapping{mapping}
		c.store.Configure(m)
		if err := c.store.Reopen(t.Context(), postingtest.Ref, c.clock()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			c.work(t)
		}
		if p := c.last(t); p.State != posting.Posted || p.Revision != 2 || c.balances()[other] != -1000 {
			t.Errorf("%+v, %v", p, c.balances())
		}
	})
}

// TestScenario56TheBooksOwnLockHoldsADay though nobody told us of it.
func TestScenario56TheBooksOwnLockHoldsADay(t *testing.T) {
	t.Parallel()
	eachCloud(t, func(t *testing.T, c *cloud) {
		c.setClosed("2026-11-30")
		if p := c.postOne(t); p.State != posting.Refused || !strings.Contains(p.Error, "closed up to 2026-11-30") {
			t.Fatalf("%+v", p)
		}
		m, err := c.store.Merchant(t.Context(), "m")
		if err != nil {
			t.Fatal(err)
		}
		m.Connections[0].Settings = map[string]string{"closed": merchant.NextOpenDay}
		c.store.Configure(m)
		for range 3 {
			c.work(t)
		}
		if p := c.last(t); p.State != posting.Posted || p.Payload.Date != "2026-12-01" || !strings.Contains(p.Payload.Narration, "2026-11-03") {
			t.Errorf("%+v", p)
		}
	})
}

// TestScenario59WhatAPersonDidToOurDocumentShowsWhenItIsReadBack.
func TestScenario59WhatAPersonDidToOurDocumentShowsWhenItIsReadBack(t *testing.T) {
	t.Parallel()
	eachCloud(t, func(t *testing.T, c *cloud) {
		p := c.postOne(t)
		b, err := c.open()
		if err != nil {
			t.Fatal(err)
		}
		if found, _, err := b.Find(t.Context(), p.Reference); err != nil || found == nil || !found.Equal(p.Payload) {
			t.Fatalf("as posted: %+v, %v", found, err)
		}
		c.edit(p.Reference)
		if found, _, err := b.Find(t.Context(), p.Reference); err != nil || found == nil || found.Equal(p.Payload) || found.Key != p.Payload.Key {
			t.Errorf("edited: %+v, %v", found, err)
		}
		c.void(p.Reference)
		if found, _, err := b.Find(t.Context(), p.Reference); err != nil || found != nil {
			t.Errorf("taken off: %+v, %v", found, err)
		}
		c.pass(time.Hour)
		c.work(t)
		if got := c.documents(""); len(got) != 0 {
			t.Errorf("posted again by itself: %v", got)
		}
	})
}

// TestAnUnclearPostingThatAPersonChangedMeanwhileWaitsForAPerson.
func TestAnUnclearPostingThatAPersonChangedMeanwhileWaitsForAPerson(t *testing.T) {
	t.Parallel()
	eachCloud(t, func(t *testing.T, c *cloud) {
		c.gate.Fail(gate.CommitThenCut)
		p := c.postOne(t)
		if p.State != posting.Unknown {
			t.Fatalf("%+v", p)
		}
		c.edit(p.Reference)
		c.pass(time.Hour)
		c.work(t)
		if p := c.last(t); p.State != posting.Parked && p.State != posting.Unknown || c.documents("")[p.Reference] != 1 {
			t.Errorf("%+v, %v", p, c.documents(""))
		}
	})
}

// TestAfterARestoreWhatTheCloudHoldsIsTakenInWhole: tax lines that the system
// works out itself are known again, so only what is new is posted.
func TestAfterARestoreWhatTheCloudHoldsIsTakenInWhole(t *testing.T) {
	t.Parallel()
	eachCloud(t, func(t *testing.T, c *cloud) {
		c.postOne(t)
		c.store.Put("high", postingtest.Day, postingtest.Sale("2", 600), c.clock())
		c.work(t)
		before, err := c.store.Postings(t.Context(), postingtest.Ref)
		if err != nil || len(before) != 2 {
			t.Fatalf("%+v, %v", before, err)
		}
		c.store.Forget(postingtest.Ref, "books", 1)
		c.restart()
		c.work(t)
		after, err := c.store.Postings(t.Context(), postingtest.Ref)
		if err != nil || len(after) != 2 || len(c.documents("")) != 2 {
			t.Fatalf("after the restore: %+v, %v; there stand %v", after, err, c.documents(""))
		}
		for i := range after {
			if !after[i].Payload.Equal(before[i].Payload) || after[i].RemoteID != before[i].RemoteID {
				t.Errorf("taken in as %+v, posted was %+v", after[i], before[i])
			}
		}
		c.store.Put("high", postingtest.Day, postingtest.Sale("3", 300), c.clock())
		c.work(t)
		if got := c.balances(); len(c.documents("")) != 3 || got[c.cash] != 2100 || got[c.sales] != -1750 || got[c.tax]+got[c.rounding] != -350 {
			t.Errorf("balances %v with %v", got, c.documents(""))
		}
	})
}
