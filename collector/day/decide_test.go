package day

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/shared/document"
)

// The store of these tests is in London with a cut-off of 04:00: its day of
// 2026-11-03 ends at 04:00 UTC on the 4th, settles at 04:30 and is late from
// 16:00 on the 5th. Terminals 1 and 2 close.
var (
	evening  = utc("2026-11-03T21:00:00Z")
	night    = utc("2026-11-04T04:10:00Z")
	morning  = utc("2026-11-04T08:00:00Z")
	dayEnd   = utc("2026-11-04T04:00:00Z")
	deadline = utc("2026-11-05T16:00:00Z")

	nextEvening = utc("2026-11-04T21:00:00Z")
)

type factsOption func(*Facts)

func facts(options ...factsOption) Facts {
	f := Facts{
		StoreDay: StoreDay{Ref: Ref{"m", "s", "2026-11-03"}, Version: 7, State: Open},
		Store:    merchant.Store{ID: "s", Zone: "Europe/London", Cutoff: "04:00", Terminals: []merchant.Terminal{{ID: "1", Closes: true}, {ID: "2", Closes: true}}},
		Agents:   []Agent{{ID: "a", CoveredTo: utc("2026-11-10T00:00:00Z")}},
	}
	for _, o := range options {
		o(&f)
	}
	return f
}

func with(documents ...*document.Document) factsOption {
	return func(f *Facts) {
		for _, d := range documents {
			f.Documents = append(f.Documents, Stored{Document: d, Key: d.Key.String(), Revision: 1, Agent: "a"})
		}
	}
}

func coveredTo(to time.Time) factsOption { return func(f *Facts) { f.Agents[0].CoveredTo = to } }

// receipt is receipt n of a terminal, n minutes after 12:00.
func receipt(terminal string, n int) *document.Document {
	number := fmt.Sprint(n)
	return &document.Document{
		Key:  document.Key{Store: "s", Terminal: terminal, Space: document.SpaceReceipt, Number: number},
		Kind: document.Sale, State: document.Completed, Numbers: document.Numbers{Receipt: number}, Currency: "GBP",
		PriceBasis: document.TaxIncluded, Time: document.Time{UTC: utc("2026-11-03T12:00:00Z").Add(time.Duration(n) * time.Minute)},
	}
}

// zed is a Z that claims n receipts, the last of them last.
func zed(terminal string, n int64, last string, at time.Time) *document.Document {
	d := &document.Document{
		Key:  document.Key{Store: "s", Terminal: terminal, Space: document.SpaceZ, Number: "17"},
		Kind: document.PeriodClose, State: document.Completed, Numbers: document.Numbers{Z: "17"}, Currency: "GBP",
		Time: document.Time{UTC: at}, Close: &document.Close{LastReceipt: last},
	}
	if n >= 0 {
		d.Close.Receipts = &n
	}
	return d
}

func later(closes ...*document.Document) factsOption {
	return func(f *Facts) { f.Later = closes }
}

func earlier(documents ...*document.Document) factsOption {
	return func(f *Facts) {
		for _, d := range documents {
			f.Earlier = append(f.Earlier, Stored{Document: d, Key: d.Key.String(), Revision: 1})
		}
	}
}

func between(z *document.Document, first string) *document.Document {
	z.Close.FirstReceipt = first
	return z
}

func ofZ(d *document.Document, number string) *document.Document {
	d.StatedDay.Z = number
	return d
}

type failer interface {
	Helper()
	Fatal(...any)
}

func decide(t failer, f Facts, now time.Time) Decision {
	t.Helper()
	d, err := Decide(f, now)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhenADayIsOpenClosingHeldOrReady(t *testing.T) {
	t.Parallel()
	closed := with(receipt("1", 1), zed("1", 1, "1", evening), zed("2", 0, "", evening))
	both := with(receipt("1", 1), zed("1", 1, "1", evening))
	unknown := receipt("1", 1)
	unknown.Kind = "HOLOGRAM"
	unread := receipt("1", 1)
	unread.Time, unread.Source = document.Time{AsGiven: "yesterday"}, document.Source{CapturedAt: evening}
	session := receipt("1", 1)
	session.StatedDay.Session, session.Time = "s9", document.Time{AsGiven: "yesterday"}
	zOfSession := zed("1", -1, "", evening)
	zOfSession.StatedDay.Session = "s9"
	gone := receipt("1", 1)
	gone.Deleted = true
	minute := time.Minute
	for _, test := range []struct {
		name  string
		facts Facts
		now   time.Time
		want  string // state, then what closed it or what holds it
	}{
		{"nothing yet", facts(), evening, "open"},
		{"the day has ended", facts(), night, "closing"},
		{"no trade, settled", facts(), morning, "ready cut-off"},
		{"before the start date", facts(func(f *Facts) { f.Store.Start = "2026-11-04" }), morning, "external"},
		{"before the start date, but posted", facts(func(f *Facts) { f.Store.Start, f.Entry = "2026-11-04", 3 }), morning, "ready cut-off"},
		{"on the start date", facts(func(f *Facts) { f.Store.Start = "2026-11-03" }), morning, "ready cut-off"},

		{"58 before a start date that was moved back over it", facts(func(f *Facts) { f.Store.Start = "2026-11-01" }), morning, "ready cut-off"},
		{"entered by people", facts(func(f *Facts) { f.Entered = true }), morning, "external"},
		{"58 entered by people, but posted before they said so", facts(func(f *Facts) { f.Entered, f.Entry = true, 3 }), morning, "ready cut-off"},
		{"the merchant is paused", facts(func(f *Facts) { f.Stop = &Stop{At: evening, By: "olga", Reason: StopPaused} }), morning, "held paused olga"},
		{"57 the merchant was stopped", facts(func(f *Facts) { f.Stop = &Stop{At: evening, Reason: StopFailing} }), morning, "held paused resume"},
		{"paused, and something holds the day", facts(coveredTo(evening), func(f *Facts) { f.Stop = &Stop{At: evening, By: "olga"} }), morning, "held agent_behind"},
		{"paused and external", facts(func(f *Facts) { f.Entered, f.Stop = true, &Stop{At: evening, By: "olga"} }), morning, "external"},

		{"both terminals closed", facts(closed), evening.Add(minute), "ready z"},
		{"a Z in the future", facts(closed), evening.Add(-minute), "closing"},
		{"one terminal closed", facts(both), evening.Add(minute), "closing"},
		{"one terminal closed, the other did not trade", facts(both), morning, "ready cut-off"},
		{"an agent has not sent what came before the Z", facts(closed, coveredTo(evening.Add(-time.Second))), evening.Add(minute), "closing"},
		{"the computer is off after the Z", facts(closed, coveredTo(evening)), morning, "ready z"},
		{"an agent has sent it", facts(closed, coveredTo(evening)), evening.Add(minute), "ready z"},
		{"a terminal that never closes may trade on", facts(closed, func(f *Facts) { f.Store.Terminals = append(f.Store.Terminals, merchant.Terminal{ID: "3"}) }), evening.Add(minute), "closing"},
		{"so may one that nobody configured", facts(closed, with(receipt("9", 1))), evening.Add(minute), "closing"},
		{"no terminals configured", facts(closed, func(f *Facts) { f.Store.Terminals = nil }), evening.Add(minute), "closing"},
		{"a conflict keeps it from closing early", facts(closed, func(f *Facts) { f.Conflicts = 1 }), evening.Add(minute), "closing"},
		{"so does a record that could not be read", facts(closed, func(f *Facts) { f.Rejected = 1 }), evening.Add(minute), "closing"},

		{"a Z before its receipts", facts(with(receipt("1", 1), zed("1", 3, "3", evening), zed("2", 0, "", evening))), evening.Add(minute), "closing"},
		{"the same in the morning", facts(with(receipt("1", 1), zed("1", 3, "3", evening), zed("2", 0, "", evening))), morning, "held z_missing terminal 1 has 1 of the 3 receipts that Z 17 claims"},
		{"its last receipt is missing", facts(with(receipt("1", 1), zed("1", -1, "3", evening), zed("2", 0, "", evening))), morning, "held z_missing terminal 1 lacks receipt 3, the last of Z 17"},
		{"a tombstone is not a receipt", facts(with(gone, zed("1", 1, "1", evening), zed("2", 0, "", evening))), evening.Add(minute), "closing"},
		{"all receipts are here", facts(with(receipt("1", 1), receipt("1", 2), receipt("1", 3), zed("1", 3, "3", evening), zed("2", 0, "", evening))), evening.Add(minute), "ready z"},
		{"sold on after the Z", facts(with(receipt("1", 1), zed("1", 1, "1", utc("2026-11-03T12:00:30Z")))), morning, "held z_missing terminal 1 sold on after its last period close"},

		{"a terminal has not closed", facts(with(receipt("1", 1))), morning, "held z_missing terminal 1 has no period close"},
		{"a terminal that need not close", facts(with(receipt("1", 1)), func(f *Facts) { f.Store.Terminals[0].Closes = false }), morning, "ready cut-off"},
		{"a terminal has not closed by the deadline", facts(with(receipt("1", 1))), deadline, "ready deadline terminal 1 has no period close (Z)"},
		{"just before the deadline", facts(with(receipt("1", 1))), deadline.Add(-time.Second), "held z_missing"},

		{"an agent is behind", facts(coveredTo(dayEnd.Add(-time.Second))), morning, "held agent_behind agent a has not sent what it captured after 2026-11-04T03:59:59Z"},
		{"an agent was never heard", facts(coveredTo(time.Time{})), morning, "held agent_behind agent a has not sent anything"},
		{"an agent is behind, not settled", facts(coveredTo(evening)), night, "closing"},
		{"an agent is behind at the deadline", facts(coveredTo(evening)), deadline, "ready deadline agent a has not sent what it captured after 2026-11-03T21:00:00Z"},
		{"a revoked agent is not waited for", facts(coveredTo(evening), func(f *Facts) { f.Agents[0].Revoked = true }), morning, "ready cut-off"},
		{"the agent before the Z", facts(coveredTo(evening), with(receipt("1", 1))), morning, "held agent_behind"},

		{"a conflict", facts(func(f *Facts) { f.Conflicts = 2 }), morning, "held conflict 2 receipts were sent with different contents"},
		{"a conflict outlasts the deadline", facts(func(f *Facts) { f.Conflicts = 2 }), deadline, "held conflict"},
		{"an unknown kind", facts(with(unknown)), deadline, "held needs_upgrade kind HOLOGRAM"},
		{"an unknown kind before a conflict", facts(with(unknown), func(f *Facts) { f.Conflicts = 1 }), morning, "held needs_upgrade"},
		{"a time that cannot be read", facts(with(unread)), deadline, "held time s|1|RECEIPT|1"},
		{"a time that cannot be read, but a session", facts(with(session, zOfSession)), morning, "ready"},
		{"a record that cannot be read", facts(func(f *Facts) { f.Rejected = 1 }), morning, "held rejected 1 record that could not be read"},
		{"a record that cannot be read at the deadline", facts(func(f *Facts) { f.Rejected = 1 }), deadline, "ready deadline 1 record that could not be read may belong to this day"},

		{"78 the Z of the next day is that of a terminal that did not close", facts(with(receipt("1", 1), zed("2", 0, "", evening)), later(zed("1", 2, "2", nextEvening))), nextEvening.Add(minute), "ready z"},
		{"78 before that Z it waits", facts(with(receipt("1", 1), zed("2", 0, "", evening))), nextEvening, "held z_missing"},
		{"78 what was captured up to that Z has to be here", facts(with(receipt("1", 1), zed("2", 0, "", evening)), later(zed("1", 2, "2", nextEvening)), coveredTo(evening)), nextEvening.Add(minute), "held agent_behind"},
		{"78 a Z counts receipts of the day before by its number of them", facts(with(receipt("1", 2), zed("1", 2, "2", evening), zed("2", 0, "", evening)), earlier(receipt("1", 1))), evening.Add(minute), "ready z"},
		{"78 and by its range", facts(with(receipt("1", 2), between(zed("1", 2, "2", evening), "1"), zed("2", 0, "", evening)), earlier(receipt("1", 1))), evening.Add(minute), "ready z"},
		{"78 but not what lies outside of it", facts(with(receipt("1", 9), between(zed("1", 2, "9", evening), "8"), zed("2", 0, "", evening)), earlier(receipt("1", 1))), morning, "held z_missing terminal 1 has 1 of the 2"},
		{"78 nor another terminal's", facts(with(receipt("1", 2), zed("1", 2, "2", evening), zed("2", 0, "", evening)), earlier(receipt("2", 1))), morning, "held z_missing terminal 1 has 1 of the 2"},
		{"78 what states its number counts", facts(with(ofZ(receipt("1", 2), "17"), zed("1", 2, "2", evening), zed("2", 0, "", evening)), earlier(ofZ(receipt("1", 1), "17"))), evening.Add(minute), "ready z"},
		{"78 what states another does not", facts(with(receipt("1", 2), zed("1", 2, "2", evening), zed("2", 0, "", evening)), earlier(ofZ(receipt("1", 1), "16"))), morning, "held z_missing terminal 1 has 1 of the 2"},
		{"a terminal that closes and whose numbers have gaps", facts(with(receipt("1", 1)), func(f *Facts) { f.Store.Terminals[0].Gaps = true }), morning, "held z_missing"},

		{"late documents while the agent catches up", facts(coveredTo(evening), func(f *Facts) { f.Entry, f.ChangedAt = 3, deadline.Add(24*time.Hour) }), deadline.Add(24*time.Hour + minute), "held agent_behind"},
		{"late documents of a terminal that never closed", facts(with(receipt("1", 1)), func(f *Facts) { f.Entry, f.ChangedAt = 3, deadline.Add(24*time.Hour) }), deadline.Add(24*time.Hour + minute), "ready deadline terminal 1 has no period close"},
		{"it never catches up", facts(coveredTo(evening), func(f *Facts) { f.Entry, f.ChangedAt = 3, deadline.Add(24*time.Hour) }), deadline.Add(80 * time.Hour), "ready deadline"},
		{"it has caught up", facts(func(f *Facts) { f.Entry, f.ChangedAt = 3, deadline.Add(24*time.Hour) }), deadline.Add(24*time.Hour + minute), "ready cut-off"},
	} {
		d := decide(t, test.facts, test.now)
		got := d.State + " " + d.By
		if d.Hold != nil {
			got = d.State + " " + d.Hold.Reason + " " + d.Hold.Action
			if d.Hold.Owner == "" || !strings.HasSuffix(d.Hold.Action, ".") || strings.Count(d.Hold.Action, ". ") > 0 {
				t.Errorf("%s: hold %+v must have an owner and one sentence", test.name, d.Hold)
			}
		}
		got += " " + strings.Join(d.Gaps, "; ")
		for part := range strings.SplitSeq(test.want, " ") {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q; want %q", test.name, got, test.want)
				break
			}
		}
		if !strings.HasPrefix(got, strings.SplitN(test.want, " ", 2)[0]) {
			t.Errorf("%s: %q; want %q", test.name, got, test.want)
		}
	}
}

func TestAllGapsAreNamedAtTheDeadline(t *testing.T) {
	t.Parallel()
	d := decide(t, facts(coveredTo(evening), with(receipt("1", 1), receipt("2", 1)), func(f *Facts) { f.Rejected = 3 }), deadline)
	if d.State != Ready || d.By != ByDeadline || len(d.Gaps) != 4 {
		t.Errorf("got %+v; want four gaps: records, agent, two terminals", d)
	}
}

// draw makes facts of any mixture.
func draw(t *rapid.T) Facts {
	instant := func(label string) time.Time {
		return dayEnd.Add(time.Duration(rapid.IntRange(-30*60, 80*60).Draw(t, label)) * time.Minute)
	}
	f := facts()
	f.Store.Terminals[1].Closes = rapid.Bool().Draw(t, "closes")
	f.Agents[0].CoveredTo, f.Agents[0].Revoked = instant("covered"), rapid.Bool().Draw(t, "revoked")
	f.Conflicts, f.Rejected = rapid.IntRange(0, 1).Draw(t, "conflicts"), rapid.IntRange(0, 1).Draw(t, "rejected")
	for i := range rapid.IntRange(0, 3).Draw(t, "receipts") {
		with(receipt(fmt.Sprint(rapid.IntRange(1, 3).Draw(t, "terminal")), i+1))(&f)
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "closes") {
		with(zed(fmt.Sprint(i+1), rapid.Int64Range(-1, 3).Draw(t, "claimed"), rapid.SampledFrom([]string{"", "1", "9"}).Draw(t, "last"), instant("z")))(&f)
	}
	if rapid.Bool().Draw(t, "closed before") {
		f.Entry, f.ChangedAt = 3, instant("changed")
	}
	return f
}

func TestTimeAloneOnlyMovesADayForward(t *testing.T) {
	t.Parallel()
	order := map[string]int{Open: 0, Closing: 1, Held: 2, Ready: 3}
	rapid.Check(t, func(t *rapid.T) {
		f := draw(t)
		at := dayEnd.Add(-30 * time.Hour)
		last := -1
		for range 30 {
			d := decide(t, f, at)
			now := order[d.State]
			if now < last {
				t.Fatalf("%s at %s after %d", d.State, at, last)
			}
			if (d.Hold != nil) != (d.State == Held) || (d.By != "") != (d.State == Ready) || len(d.Gaps) > 0 && d.By != ByDeadline {
				t.Fatalf("%+v does not hold together", d)
			}
			last = now
			at = at.Add(time.Duration(rapid.IntRange(0, 8*60).Draw(t, "later")) * time.Minute)
		}
	})
}

func TestADayWithAnAgentBehindIsNeverReadyBeforeItsDeadline(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := draw(t)
		f.Agents[0].Revoked = false
		f.Agents[0].CoveredTo = dayEnd.Add(-31 * time.Hour) // before any Z
		now := dayEnd.Add(time.Duration(rapid.IntRange(-30*60, 36*60-1).Draw(t, "now")) * time.Minute)
		if d := decide(t, f, now); d.State == Ready {
			t.Fatalf("ready at %s by %s", now, d.By)
		}
	})
}

func TestAFeedThatIsBehindHoldsTheDayForThePlatform(t *testing.T) {
	t.Parallel()
	for id, owner := range map[string]string{"feed.shop.s": OwnerPlatform, "a": OwnerMerchant} {
		d, err := Decide(facts(with(receipt("1", 1)), coveredTo(evening), func(f *Facts) { f.Agents[0].ID = id }), morning)
		if err != nil || d.State != Held || d.Hold.Reason != HoldAgentBehind || d.Hold.Owner != owner || strings.Contains(d.Hold.Action, "till computer") != (owner == OwnerMerchant) {
			t.Errorf("agent %s: %+v, %+v, %v", id, d, d.Hold, err)
		}
	}
}
