package app_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
	"tillbook.example/tillbook/shared/wire"
)

// bar is a shop whose till states the number of its Z and no date, without agents.
type bar struct {
	*testing.T
	db     *storage.DB
	closer *day.Closer
	now    time.Time
	config merchant.Merchant
	store  string // whose agent it is
	sent   []intake.Record
	digest [32]byte
}

func openBar(t *testing.T) *bar {
	t.Helper()
	b := &bar{T: t, store: "S1"}
	var err error
	b.db, err = app.OpenDatabase(t.Context(), app.Config{Data: t.TempDir()})
	b.must(err)
	t.Cleanup(func() { b.must(b.db.Close()) })
	b.config = merchant.Merchant{
		ID: "bar", Name: "Bar", Country: "GB", Currency: "GBP",
		Stores: []merchant.Store{{ID: "S1", Zone: "Europe/London", Cutoff: "04:00", Terminals: []merchant.Terminal{{ID: "1", Closes: true}}}},
		Mappings: []merchant.Mapping{{From: "2026-01-01", Mapping: books.Mapping{
			Currency: "GBP", Accounts: map[books.Role]string{books.Sales: "Sales", books.CashOnHand: "Cash"},
		}}},
	}
	b.apply()
	_, err = b.db.Issue(t.Context(), b.id(), [16]byte{1}, [32]byte{}, "test", at("2026-11-01T00:00:00Z"))
	b.must(err)
	b.closer = &day.Closer{Store: b.db, Now: func() time.Time { return b.now }}
	return b
}

func (b *bar) id() fleet.Identity {
	return fleet.Identity{Merchant: "bar", Store: b.store, Agent: "agent of " + b.store}
}

func (b *bar) apply() {
	b.Helper()
	_, err := b.db.Apply(b.Context(), b.config, at("2026-11-01T00:00:00Z"))
	b.must(err)
}

func (b *bar) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func at(s string) time.Time {
	moment, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return moment
}

// takes stores a document as intake does.
func (b *bar) takes(d *document.Document) {
	b.Helper()
	d.Settle()
	body, err := document.Marshal(d)
	b.must(err)
	d.Key.Merchant = "bar"
	calendar := app.Calendar(b.db)
	r := intake.Record{Capture: uint64(len(b.sent)) + 1, Bytes: body, Document: d, Key: d.Key.String(), Hash: document.Hash(d)}
	r.Day, err = calendar.Day(b.Context(), b.id(), d)
	b.must(err)
	r.Tie, err = calendar.Tie(b.Context(), b.id(), d, r.Day)
	b.must(err)
	batch := intake.Batch{From: b.id(), Epoch: [16]byte{1}, First: uint64(len(b.sent)) + 1, Before: b.digest, Records: []intake.Record{r}, At: d.Time.UTC}
	b.digest = wire.Next(b.digest, body)
	batch.Digests = [][32]byte{b.digest}
	b.sent = append(b.sent, r)
	_, err = b.db.Commit(b.Context(), batch)
	b.must(err)
}

func (b *bar) sells(number int, z, moment string) {
	b.Helper()
	amount := money.MustParse("10.00")
	b.takes(&document.Document{
		Key:  document.Key{Store: b.store, Terminal: "1", Space: document.SpaceReceipt, Number: fmt.Sprint(number)},
		Kind: document.Sale, State: document.Completed, Currency: "GBP", PriceBasis: document.TaxIncluded, Numbers: document.Numbers{Receipt: fmt.Sprint(number)},
		Time: document.Time{AsGiven: moment, UTC: at(moment)}, StatedDay: document.StatedDay{Z: z},
		Lines:   []document.Line{{Kind: document.Item, Quantity: money.One, Extended: amount}},
		Tenders: []document.Tender{{Kind: document.Cash, Direction: document.Paid, Amount: amount}},
	})
}

func (b *bar) closes(z, moment, date string, receipts int64, gross string) {
	b.Helper()
	claimed := money.MustParse(gross)
	b.takes(&document.Document{
		Key:  document.Key{Store: b.store, Terminal: "1", Space: document.SpaceZ, Number: z},
		Kind: document.PeriodClose, State: document.Completed, Currency: "GBP", Numbers: document.Numbers{Z: z},
		Time: document.Time{AsGiven: moment, UTC: at(moment)}, StatedDay: document.StatedDay{Date: date},
		Close: &document.Close{Receipts: &receipts, Gross: &claimed},
	})
}

// days closes what can be closed and returns each day's state and documents.
func (b *bar) days() map[bizday.Day]string {
	b.Helper()
	_, err := b.closer.Sweep(b.Context())
	b.must(err)
	days, err := b.db.Days(b.Context(), "bar")
	b.must(err)
	all := map[bizday.Day]string{}
	for _, d := range days {
		f, err := b.db.Facts(b.Context(), d.Ref)
		b.must(err)
		all[d.Day] = fmt.Sprintf("%s %d", d.State, len(f.Documents))
		if d.Hold != nil {
			all[d.Day] += " " + d.Hold.Reason + " " + d.Hold.Action
		}
	}
	return all
}

func (b *bar) want(want map[bizday.Day]string) {
	b.Helper()
	if got := b.days(); fmt.Sprint(got) != fmt.Sprint(want) {
		b.Fatalf("days are\n%v; want\n%v", got, want)
	}
}

func TestScenario78AZThatWasForgottenClosesTwoDaysOverTheEndOfAMonth(t *testing.T) {
	t.Parallel()
	b := openBar(t)
	b.sells(1, "12", "2026-11-30T12:00:00Z")
	b.sells(2, "12", "2026-11-30T13:00:00Z")
	b.now = at("2026-12-01T09:00:00Z")
	b.want(map[bizday.Day]string{"2026-11-30": "held 2 z_missing Close terminal 1 (Z): it has no period close (Z)."})
	b.sells(3, "12", "2026-12-01T12:00:00Z")
	b.closes("12", "2026-12-01T20:00:00Z", "", 3, "30.00")
	b.now = at("2026-12-01T20:01:00Z")
	b.want(map[bizday.Day]string{"2026-11-30": "ready 2", "2026-12-01": "ready 2"})
	e, err := b.db.Entry(t.Context(), day.Ref{Merchant: "bar", Store: "S1", Day: "2026-12-01"}, 0)
	b.must(err)
	var proof day.Proof
	b.must(proof.Read(e.Proof))
	if !proof.Proven || proof.By != day.ByZ || len(proof.Earlier) != 2 || len(proof.Documents) != 2 || proof.Closes[0].Receipts != 3 {
		t.Errorf("the proof of the Z: %s", e.Proof)
	}
}

func TestScenario44TwoStoresInTwoZonesHaveADayEachThatClosesByItsOwnClock(t *testing.T) {
	t.Parallel()
	london := openBar(t)
	london.config.Stores = []merchant.Store{
		{ID: "S1", Short: "LON", Zone: "Europe/London", Cutoff: "04:00", Settle: "1h"}, {ID: "S2", Short: "NYC", Zone: "America/New_York", Cutoff: "04:00", Settle: "1h"},
	}
	london.config.Mappings[0].Mapping.Dimensions = []string{"store"}
	london.apply()
	york := &bar{T: t, db: london.db, closer: london.closer, store: "S2"}
	_, err := york.db.Issue(t.Context(), york.id(), [16]byte{1}, [32]byte{}, "test", at("2026-11-01T00:00:00Z"))
	london.must(err)
	for _, b := range []*bar{london, york} {
		b.sells(1, "", "2026-11-04T06:30:00Z") // 06:30 in London, 01:30 in New York
		b.sells(2, "", "2026-11-04T20:00:00Z")
	}
	states := func(now string) map[string]string {
		london.now = at(now)
		london.days()
		days, err := london.db.Days(t.Context(), "bar")
		london.must(err)
		all := map[string]string{}
		for _, d := range days {
			all[d.Store+" "+string(d.Day)] = d.State
		}
		return all
	}
	for _, want := range []struct {
		now    string
		states map[string]string
	}{
		{"2026-11-05T05:30:00Z", map[string]string{"S1 2026-11-04": "ready", "S2 2026-11-03": "ready", "S2 2026-11-04": "open"}},
		{"2026-11-05T10:30:00Z", map[string]string{"S1 2026-11-04": "ready", "S2 2026-11-03": "ready", "S2 2026-11-04": "ready"}},
	} {
		if got := states(want.now); fmt.Sprint(got) != fmt.Sprint(want.states) {
			t.Errorf("at %s the days are %v; want %v", want.now, got, want.states)
		}
	}
	for store, want := range map[string]string{"S1": "20.00", "S2": "10.00"} {
		e, err := london.db.Entry(t.Context(), day.Ref{Merchant: "bar", Store: store, Day: "2026-11-04"}, 0)
		london.must(err)
		var entry books.Entry
		london.must(json.Unmarshal(e.Body, &entry))
		if l := entry.Lines[0]; l.Amount.Format(2) != want || l.Dimensions["store"] != store {
			t.Errorf("%s: %+v; want %s with the store on it", store, l, want)
		}
	}
}

func TestScenario45AReceiptThatAWrongClockPutsOnAnotherDayIsOfTheDayOfItsZ(t *testing.T) {
	t.Parallel()
	b := openBar(t)
	b.sells(1, "12", "2026-11-03T22:00:00Z")
	b.sells(2, "12", "2026-11-04T04:30:00Z") // two hours fast
	b.now = at("2026-11-04T05:00:00Z")
	b.want(map[bizday.Day]string{"2026-11-03": "held 1 z_missing Close terminal 1 (Z): it has no period close (Z).", "2026-11-04": "open 1"})
	b.closes("12", "2026-11-04T04:45:00Z", "2026-11-03", 2, "20.00")
	b.want(map[bizday.Day]string{"2026-11-03": "ready 3", "2026-11-04": "open 0"})
}

func TestScenario58AStartThatIsMovedBackOpensEarlierDaysAndLeavesPostedOnesAlone(t *testing.T) {
	t.Parallel()
	b := openBar(t)
	b.config.Stores[0].Start = "2026-11-03"
	b.apply()
	for i, on := range []string{"2026-11-02", "2026-11-03"} {
		b.sells(i+1, "", on+"T12:00:00Z")
		b.closes(fmt.Sprint(20+i), on+"T20:00:00Z", on, 1, "10.00")
	}
	b.now = at("2026-11-04T09:00:00Z")
	b.want(map[bizday.Day]string{"2026-11-02": "external 2", "2026-11-03": "ready 2"})
	for _, start := range []string{"2026-11-01", "2026-11-04"} {
		b.config.Stores[0].Start = start
		b.apply()
		b.want(map[bizday.Day]string{"2026-11-02": "ready 2", "2026-11-03": "ready 2"})
	}
	for _, on := range []bizday.Day{"2026-11-02", "2026-11-03"} {
		if e, err := b.db.Entry(t.Context(), day.Ref{Merchant: "bar", Store: "S1", Day: on}, 0); err != nil || e.Version != 2 {
			t.Errorf("%s has an entry of version %d, %v; want one, of its two documents", on, e.Version, err)
		}
	}
}
