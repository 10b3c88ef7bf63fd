package day_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

var points = []string{day.AtFacts, day.AtDecided, day.AtBuilt, day.AtSave, day.AtSaved}

func morning() time.Time { return postingtest.Morning }

func closeDay(t *testing.T, c *day.Closer) string {
	t.Helper()
	state, err := c.Close(t.Context(), postingtest.Ref)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func put(s *postingtest.Memory, documents ...*document.Document) {
	for _, d := range documents {
		s.Put("high", postingtest.Day, d, postingtest.Noon)
	}
}

// newest returns the newest entry, its lines' sums by account, and its proof.
func newest(t *testing.T, s *postingtest.Memory) (day.Entry, map[string]money.Minor, day.Proof) {
	t.Helper()
	e, err := postingtest.Newest(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var entry books.Entry
	if err := json.Unmarshal(e.Body, &entry); err != nil {
		t.Fatal(err)
	}
	sums := map[string]money.Minor{}
	for _, l := range entry.Lines {
		sums[l.Account] += l.Signed()
	}
	var proof day.Proof
	if err := proof.Read(e.Proof); err != nil {
		t.Fatal(err)
	}
	return e, sums, proof
}

func hold(t *testing.T, s *postingtest.Memory) day.Hold {
	t.Helper()
	f, err := s.Facts(t.Context(), postingtest.Ref)
	if err != nil {
		t.Fatal(err)
	}
	if f.State != day.Held || f.Hold == nil {
		t.Fatalf("the day is %s, %+v; want it held", f.State, f.Hold)
	}
	return *f.Hold
}

func TestACompleteDayGetsItsEntryAndNamesItsDocuments(t *testing.T) {
	t.Parallel()
	s := postingtest.New(postingtest.Shop())
	put(s, postingtest.Sale("2", 600), postingtest.Sale("1", 1200))
	if state := closeDay(t, postingtest.Closer(s, morning)); state != day.Ready {
		t.Fatalf("the day is %s", state)
	}
	e, sums, proof := newest(t, s)
	if diff := cmp.Diff(map[string]money.Minor{"Assets:Cash": 1800, "Income:Sales": -1500, "Liabilities:VAT": -300}, sums); diff != "" {
		t.Errorf("sums (-want +got):\n%s", diff)
	}
	if e.Version != 2 || e.Mapping != 1 || e.Rules != books.Rules || e.Reason != day.ReasonClose || !e.At.Equal(postingtest.Morning) {
		t.Errorf("entry %+v", e)
	}
	want := []day.Revision{{Key: "high|1|RECEIPT|1", Revision: 1}, {Key: "high|1|RECEIPT|2", Revision: 1}}
	if diff := cmp.Diff(want, proof.Documents); diff != "" || proof.By != day.ByCutoff || !proof.Proven {
		t.Errorf("proof by %q, proven %v, documents (-want +got):\n%s", proof.By, proof.Proven, diff)
	}
	if refs, err := s.Unsettled(t.Context()); err != nil || len(refs) != 0 {
		t.Errorf("still unsettled: %v, %v", refs, err)
	}
}

func TestADocumentThatComesAtAnyPointOfACloseIsInAnEntryInTheEnd(t *testing.T) {
	t.Parallel()
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			s := postingtest.New(postingtest.Shop())
			put(s, postingtest.Sale("1", 1200))
			c := postingtest.Closer(s, morning)
			once := false
			c.At = func(at string) {
				if at == point && !once {
					once = true
					put(s, postingtest.Sale("2", 600))
				}
			}
			for range 3 {
				if _, err := c.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			e, sums, _ := newest(t, s)
			if !once || sums["Assets:Cash"] != 1800 || e.Version != 2 {
				t.Errorf("entry of version %d, cash %d, came %v; want both sales", e.Version, sums["Assets:Cash"], once)
			}
			if refs, err := s.Unsettled(t.Context()); err != nil || len(refs) != 0 {
				t.Errorf("still unsettled: %v, %v", refs, err)
			}
		})
	}
}

func TestADayThatNeverComesToRestIsLeftToTheNextPass(t *testing.T) {
	t.Parallel()
	s := postingtest.New(postingtest.Shop())
	put(s, postingtest.Sale("0", 100))
	c := postingtest.Closer(s, morning)
	n := 0
	c.At = func(at string) {
		if at == day.AtSave {
			n++
			put(s, postingtest.Sale(fmt.Sprint(n), 100))
		}
	}
	if state := closeDay(t, c); state != day.Closing {
		t.Errorf("the day is %s", state)
	}
	if n > 20 {
		t.Errorf("tried %d times in one pass", n)
	}
	c.At = nil
	if state := closeDay(t, c); state != day.Ready {
		t.Errorf("the day is %s", state)
	}
}

func TestTheReasonOfAnEntrySaysWhyItWasMade(t *testing.T) {
	t.Parallel()
	reread := func(number string, pence int64) *document.Document {
		d := postingtest.Sale(number, pence)
		d.Source.Reason = day.ReasonRecipe
		return d
	}
	for _, test := range []struct {
		name   string
		change func(t *testing.T, s *postingtest.Memory)
		want   string
	}{
		{"a late receipt", func(_ *testing.T, s *postingtest.Memory) { put(s, postingtest.Sale("2", 600)) }, day.ReasonLate},
		{"a changed receipt", func(_ *testing.T, s *postingtest.Memory) { put(s, postingtest.Sale("1", 600)) }, day.ReasonLate},
		{"read again", func(_ *testing.T, s *postingtest.Memory) { put(s, reread("1", 600)) }, day.ReasonRecipe},
		{"read again and a late one", func(_ *testing.T, s *postingtest.Memory) { put(s, reread("1", 600), postingtest.Sale("2", 600)) }, day.ReasonLate},
		{"moved to another day", func(_ *testing.T, s *postingtest.Memory) {
			s.Put("high", postingtest.Day.Add(1), postingtest.Sale("1", 1200), postingtest.Noon)
		}, day.ReasonLate},
		{"reopened for a mapping", func(t *testing.T, s *postingtest.Memory) {
			m := postingtest.Shop()
			m.Mappings = append(m.Mappings, merchant.Mapping{From: "2026-01-02", Mapping: postingtest.Mapping("Income:Food")})
			m.Mappings[0].Version = 1
			s.Configure(m)
			if err := s.Reopen(t.Context(), postingtest.Ref, postingtest.Morning); err != nil {
				t.Fatal(err)
			}
		}, day.ReasonMapping},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := postingtest.New(postingtest.Shop())
			put(s, postingtest.Sale("1", 1200))
			c := postingtest.Closer(s, morning)
			closeDay(t, c)
			test.change(t, s)
			if state := closeDay(t, c); state != day.Ready {
				t.Fatalf("the day is %s", state)
			}
			if e, _, _ := newest(t, s); e.Reason != test.want || e.Version < 2 {
				t.Errorf("entry of version %d because of %q; want %q", e.Version, e.Reason, test.want)
			}
		})
	}
}

func TestALateDocumentIsBookedAsItsDayWas(t *testing.T) {
	t.Parallel()
	s := postingtest.New(postingtest.Shop())
	put(s, postingtest.Sale("1", 1200))
	c := postingtest.Closer(s, morning)
	closeDay(t, c)
	m := postingtest.Shop()
	m.Mappings = []merchant.Mapping{{From: "2026-01-01", Mapping: postingtest.Mapping("Income:Food")}}
	s.Configure(m)
	put(s, postingtest.Sale("2", 600))
	closeDay(t, c)
	if e, sums, _ := newest(t, s); e.Mapping != 1 || sums["Income:Sales"] != -1500 || sums["Income:Food"] != 0 {
		t.Errorf("mapping %d, sums %v; want the day's first mapping", e.Mapping, sums)
	}
	if err := s.Reopen(t.Context(), postingtest.Ref, postingtest.Morning); err != nil {
		t.Fatal(err)
	}
	closeDay(t, c)
	if e, sums, _ := newest(t, s); e.Mapping != 2 || sums["Income:Sales"] != 0 || sums["Income:Food"] != -1500 {
		t.Errorf("reopened: mapping %d, sums %v; want the newest mapping", e.Mapping, sums)
	}
}

func TestAMissingMappingHoldsTheDayWithOneQuestion(t *testing.T) {
	t.Parallel()
	m := postingtest.Shop()
	m.Mappings = nil
	s := postingtest.New(m)
	put(s, postingtest.Sale("1", 1200))
	c := postingtest.Closer(s, morning)
	closeDay(t, c)
	if h := hold(t, s); h.Reason != day.HoldMapping || h.Owner != day.OwnerAccountant || !strings.Contains(h.Action, "2026-11-03") {
		t.Errorf("without any mapping: %+v", h)
	}
	mapping := postingtest.Mapping("Income:Sales")
	delete(mapping.Accounts, books.CashOnHand)
	m.Mappings = []merchant.Mapping{{From: "2026-01-01", Mapping: mapping}}
	s.Configure(m)
	closeDay(t, c)
	if h := hold(t, s); h.Reason != day.HoldMapping || h.Owner != day.OwnerAccountant || h.Action == "" {
		t.Errorf("without an account for cash: %+v", h)
	}
	s.Configure(postingtest.Shop())
	if state := closeDay(t, c); state != day.Ready {
		t.Errorf("with the account the day is %s", state)
	}
}

// unproven is a day whose receipt numbers have a gap.
func unproven() []*document.Document {
	one, three := postingtest.Sale("1", 1200), postingtest.Sale("3", 600)
	one.Numbers.Receipt, three.Numbers.Receipt = "1", "3"
	return []*document.Document{one, three}
}

func TestAnUnprovenDayIsHeldOrPostedAtItsDeadline(t *testing.T) {
	t.Parallel()
	deadline := time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		unproven string
		now      time.Time
		want     string
	}{
		{"", morning(), day.Held},
		{"hold", deadline, day.Held},
		{"post", deadline.Add(-time.Second), day.Held},
		{"post", deadline, day.Ready},
	} {
		m := postingtest.Shop()
		m.Unproven = test.unproven
		s := postingtest.New(m)
		put(s, unproven()...)
		if state := closeDay(t, postingtest.Closer(s, func() time.Time { return test.now })); state != test.want {
			t.Errorf("%q at %s: the day is %s; want %s", test.unproven, test.now, state, test.want)
			continue
		}
		if test.want == day.Held {
			if h := hold(t, s); h.Reason != day.HoldNotProven || h.Action == "" {
				t.Errorf("%q: %+v", test.unproven, h)
			}
			continue
		}
		e, _, proof := newest(t, s)
		if e.Reason != day.ReasonDeadline || len(proof.Missing) != 1 || !strings.HasPrefix(proof.Missing[0], "not proven: ") {
			t.Errorf("%q: because of %q, missing %q", test.unproven, e.Reason, proof.Missing)
		}
	}
}

func TestAnUnprovenDayIsPostedOnlyUpToTheMerchantsLimit(t *testing.T) {
	t.Parallel()
	deadline := time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct{ limit, want string }{{"", day.Ready}, {"2.00", day.Ready}, {"1.99", day.Held}, {"0", day.Held}} {
		m := postingtest.Shop()
		m.Unproven, m.UnprovenLimit = "post", test.limit
		s := postingtest.New(m)
		z := postingtest.Sale("z", 0)
		z.Key.Space, z.Kind, z.Lines, z.Tenders = document.SpaceZ, document.PeriodClose, nil, nil
		gross := money.MustParse("14.00")
		z.Close = &document.Close{Gross: &gross}
		put(s, postingtest.Sale("1", 1200), z)
		if state := closeDay(t, postingtest.Closer(s, func() time.Time { return deadline })); state != test.want {
			t.Errorf("a Z of 14.00 over 12.00 with a limit of %q: the day is %s; want %s", test.limit, state, test.want)
		}
	}
}

func TestWhatIsMissingAtTheDeadlineIsNamedInTheEntry(t *testing.T) {
	t.Parallel()
	s := postingtest.New(postingtest.Shop())
	put(s, postingtest.Sale("1", 1200))
	s.SetAgent(day.Agent{ID: "a1", CoveredTo: postingtest.Noon})
	now := morning()
	c := postingtest.Closer(s, func() time.Time { return now })
	closeDay(t, c)
	if h := hold(t, s); h.Reason != day.HoldAgentBehind {
		t.Errorf("held for %+v", h)
	}
	now = time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)
	closeDay(t, c)
	e, _, proof := newest(t, s)
	if e.Reason != day.ReasonDeadline || proof.By != day.ByDeadline || len(proof.Missing) != 1 || !strings.Contains(proof.Missing[0], "agent a1") {
		t.Errorf("because of %q by %q, missing %q", e.Reason, proof.By, proof.Missing)
	}
}

func TestADayWithoutTradeHasAnEntryWithoutLines(t *testing.T) {
	t.Parallel()
	s := postingtest.New(postingtest.Shop())
	put(s, postingtest.Sale("1", 1200))
	c := postingtest.Closer(s, morning)
	closeDay(t, c)
	s.Put("high", postingtest.Day.Add(1), postingtest.Sale("1", 1200), postingtest.Noon)
	closeDay(t, c)
	if e, sums, proof := newest(t, s); len(sums) != 0 || len(proof.Documents) != 0 || e.Version != 2 {
		t.Errorf("version %d, sums %v, documents %v", e.Version, sums, proof.Documents)
	}
}

func TestAnExternalDayHasNoEntry(t *testing.T) {
	t.Parallel()
	m := postingtest.Shop()
	m.Stores[0].Start = "2026-11-04"
	s := postingtest.New(m)
	put(s, postingtest.Sale("1", 1200))
	if state := closeDay(t, postingtest.Closer(s, morning)); state != day.External {
		t.Errorf("the day is %s", state)
	}
	if _, err := postingtest.Newest(t.Context(), s); !errors.Is(err, postingtest.ErrNone) {
		t.Errorf("an external day has an entry: %v", err)
	}
}

// newer is a store whose facts were written by a newer version.
type newer struct{ *postingtest.Memory }

func (newer) Facts(context.Context, day.Ref) (day.Facts, error) {
	return day.Facts{}, fmt.Errorf("document high|1|RECEIPT|1: %w", document.ErrNewer)
}

func TestADayWithADocumentOfANewerVersionIsHeldForAnUpgrade(t *testing.T) {
	t.Parallel()
	s := postingtest.New(postingtest.Shop())
	put(s, postingtest.Sale("1", 1200))
	c := &day.Closer{Store: newer{s}, Now: morning}
	closeDay(t, c)
	if h := hold(t, s); h.Reason != day.HoldNeedsUpgrade || h.Owner != day.OwnerPlatform {
		t.Errorf("held for %+v", h)
	}
}

// failing is a store that fails for some days.
type failing struct {
	*postingtest.Memory
	days []day.Ref
}

var errBroken = errors.New("disk on fire")

func (f failing) Facts(ctx context.Context, ref day.Ref) (day.Facts, error) {
	if slices.Contains(f.days, ref) {
		return day.Facts{}, errBroken
	}
	return f.Memory.Facts(ctx, ref)
}

func TestADayThatFailsDoesNotKeepOthersFromBeingClosed(t *testing.T) {
	t.Parallel()
	s := postingtest.New(postingtest.Shop())
	put(s, postingtest.Sale("1", 1200))
	before := postingtest.Ref
	before.Day = before.Day.Add(-1)
	s.Put("high", before.Day, postingtest.Sale("0", 100), postingtest.Noon)
	c := &day.Closer{Store: failing{s, []day.Ref{before}}, Now: morning}
	pass, err := c.Sweep(t.Context())
	if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "2026-11-02") {
		t.Errorf("error %v; want the broken day's", err)
	}
	if pass.Closed != 1 || pass.Looked != 2 {
		t.Errorf("pass %+v", pass)
	}
}

func TestAStateThatIsStoredAlreadyIsNotStoredAgain(t *testing.T) {
	t.Parallel()
	s := &counting{Memory: postingtest.New(postingtest.Shop())}
	s.SetAgent(day.Agent{ID: "a1"})
	put(s.Memory, postingtest.Sale("1", 1200))
	c := &day.Closer{Store: s, Now: morning}
	for range 3 {
		closeDay(t, c)
	}
	if s.sets != 1 {
		t.Errorf("the state was stored %d times", s.sets)
	}
}

type counting struct {
	*postingtest.Memory
	sets int
}

func (c *counting) Set(ctx context.Context, ref day.Ref, version int64, state string, hold *day.Hold, at time.Time) error {
	c.sets++
	return c.Memory.Set(ctx, ref, version, state, hold, at)
}

func TestADayThatIsNotReadyRestsBeforeItIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	s := postingtest.New(postingtest.Shop())
	put(s, postingtest.Sale("1", 1200))
	now := postingtest.Noon
	c := postingtest.Closer(s, func() time.Time { return now })
	c.Rest = time.Minute
	for i, test := range []struct {
		later time.Duration
		looks int
	}{{0, 1}, {59 * time.Second, 0}, {time.Second, 1}, {time.Second, 0}, {24 * time.Hour, 1}, {time.Hour, 0}} {
		now = now.Add(test.later)
		if pass, err := c.Sweep(t.Context()); err != nil || pass.Looked != test.looks {
			t.Errorf("pass %d looked at %d days, %v; want %d", i, pass.Looked, err, test.looks)
		}
	}
	if f, err := s.Facts(t.Context(), postingtest.Ref); err != nil || f.State != day.Ready {
		t.Errorf("the day is %s, %v", f.State, err)
	}
	put(s, postingtest.Sale("2", 600)) // a day that was settled has no rest to wait for
	if pass, err := c.Sweep(t.Context()); err != nil || pass.Closed != 1 {
		t.Errorf("pass %+v, %v", pass, err)
	}
}

func TestAMerchantThatCatchesUpClosesItsOldestDaysFirstAndABoundedNumberInAPass(t *testing.T) {
	t.Parallel()
	s := postingtest.New(postingtest.Shop())
	for i := range 5 {
		s.Put("high", postingtest.Day.Add(-i), postingtest.Sale(fmt.Sprint(i), 1200), postingtest.Noon)
	}
	c := postingtest.Closer(s, morning)
	c.Most, c.Rest = 2, time.Minute
	for _, want := range []int{2, 2, 1, 0} {
		pass, err := c.Sweep(t.Context())
		if err != nil || pass.Closed != want {
			t.Errorf("closed %d, %v; want %d", pass.Closed, err, want)
		}
		refs, err := s.Unsettled(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range refs {
			if want == 2 && ref.Day < postingtest.Day.Add(-2) {
				t.Errorf("%s is left though newer days were closed", ref.Day)
			}
		}
	}
}
