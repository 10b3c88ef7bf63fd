package posting_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/posting/postingtest"
	"tillbook.example/tillbook/collector/target"
)

// files is a target that takes files, or does not.
type files struct {
	*postingtest.Books
	offers bool
	fails  []error
	taken  []string
}

func (f *files) Capabilities() target.Capabilities {
	c := f.Books.Capabilities()
	c.Attaches = f.offers
	return c
}

func (f *files) Attach(_ context.Context, reference string, a target.Attachment) error {
	if len(f.fails) > 0 {
		err := f.fails[0]
		f.fails = f.fails[1:]
		if err != nil {
			return err
		}
	}
	f.taken = append(f.taken, reference+" "+a.Name)
	return nil
}

// bare keeps which postings of a shop have their sheet.
type bare struct {
	*shop
	noted map[string]string
	tries map[string]int
	next  map[string]time.Time
}

func (b *bare) Bare(_ context.Context, at time.Time, _ int) ([]posting.Bare, error) {
	var all []posting.Bare
	for _, p := range b.postings() {
		if p.State == posting.Posted && b.noted[p.Reference] == "" && !at.Before(b.next[p.Reference]) {
			all = append(all, posting.Bare{Posting: p, Tries: b.tries[p.Reference]})
		}
	}
	return all, nil
}

func (b *bare) Attached(_ context.Context, p posting.Posting, has bool, _ time.Time) error {
	b.noted[p.Reference] = fmt.Sprint(has)
	return nil
}

func (b *bare) AttachLater(_ context.Context, p posting.Posting, next time.Time) error {
	b.tries[p.Reference]++
	b.next[p.Reference] = next
	return nil
}

func (b *bare) Entry(ctx context.Context, ref day.Ref, version int64) (day.Entry, error) {
	return b.store.Entry(ctx, ref, version)
}

func newBare(t *testing.T, f *files) (*bare, *posting.Attacher) {
	b := &bare{shop: newShop(t), noted: map[string]string{}, tries: map[string]int{}, next: map[string]time.Time{}}
	f.Books = b.books
	b.sell("1", 1200)
	b.sweep(0)
	b.sell("2", 600)
	b.sweep(0)
	return b, &posting.Attacher{
		Store: b, Directory: b.store, Now: b.clock,
		Target: func(merchant.Merchant, merchant.Connection) (target.Target, error) { return f, nil },
	}
}

func TestEachPostingGetsItsSheetOnceAndATroubleIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	f := &files{offers: true, fails: []error{target.ErrUnavailable, nil}}
	b, a := newBare(t, f)
	if n, err := a.Sweep(t.Context()); n != 1 || !errors.Is(err, target.ErrUnavailable) {
		t.Errorf("attached %d, %v", n, err)
	}
	b.wantNothingDue() // the day does not wait for it
	if n, err := a.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("tried again at once: %d, %v", n, err)
	}
	b.now = b.now.Add(time.Minute)
	for range 2 {
		if _, err := a.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
	}
	slices.Sort(f.taken)
	if want := []string{"POS-HIGH-20261103 POS-HIGH-20261103.csv", "POS-HIGH-20261103-r2 POS-HIGH-20261103-r2.csv"}; !slices.Equal(f.taken, want) {
		t.Errorf("attached %v", f.taken)
	}
}

func TestASheetThatIsRefusedOrNotOfferedIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*files{"not offered": {}, "refused": {offers: true, fails: slices.Repeat([]error{target.ErrRefused}, 99)}} {
		b, a := newBare(t, f)
		for range 20 {
			_, err := a.Sweep(t.Context())
			if err != nil && !errors.Is(err, target.ErrRefused) {
				t.Errorf("%s: %v", name, err)
			}
			b.now = b.now.Add(24 * time.Hour)
		}
		if len(f.taken) != 0 || b.noted["POS-HIGH-20261103"] != "false" || b.noted["POS-HIGH-20261103-r2"] != "false" {
			t.Errorf("%s: %v, %v", name, b.noted, f.taken)
		}
		if left := len(f.fails); name == "refused" && left != 99-2*10 {
			t.Errorf("tried %d times", 99-left)
		}
	}
}

func TestASheetHasTheEntryWithTaxAndDocumentsAndNoFormulas(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	m, err := s.store.Merchant(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	m.Mappings = []merchant.Mapping{{From: "2026-01-01", Mapping: postingtest.Mapping("=Sales()")}}
	s.store.Configure(m)
	s.sell("1", 1200)
	s.sell("2", 600)
	s.sweep(0)
	e, err := s.store.Entry(t.Context(), postingtest.Ref, 0)
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := posting.Sheet(s.postings()[0], e)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(sheet.Body))).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%v, %v", rows, err)
	}
	sales := ""
	for _, row := range rows[1:] {
		if strings.Contains(row[4], "Sales") {
			sales = strings.Join(row, ";")
		}
	}
	const want = "high;2026-11-03;POS-HIGH-20261103;late;'=Sales();;15.00;GBP;S20;15.00;3.00;Goods and services sold, without tax.;2;1|RECEIPT|1 1|RECEIPT|2"
	if sales != want {
		t.Errorf("sales are\n%s\nwant\n%s", sales, want)
	}
}
