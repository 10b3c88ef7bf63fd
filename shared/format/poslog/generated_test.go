package poslog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/poslog/poslogtest"
	"tillbook.example/tillbook/shared/money"
	"tillbook.example/tillbook/shared/totals"
)

func inCents(t *testing.T, cents int64) money.Decimal {
	t.Helper()
	d, err := money.FromMinor(money.Minor(cents), 2)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func inCentsEach(t *testing.T, cents map[string]int64) map[string]money.Decimal {
	t.Helper()
	all := map[string]money.Decimal{}
	for name, n := range cents {
		all[name] = inCents(t, n)
	}
	return all
}

func TestAGeneratedDayAddsUpToWhatItsGeneratorCounted(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			var file bytes.Buffer
			want, err := poslogtest.Write(&file, poslogtest.Config{Seed: seed, Transactions: 800, Terminals: 7})
			if err != nil {
				t.Fatal(err)
			}
			r, err := New(iotest.HalfReader(&file), format.Options{})
			if err != nil {
				t.Fatal(err)
			}
			sums := totals.New(nil)
			for _, result := range all(t, r) {
				if result.Refused != nil {
					t.Fatalf("refused: %v", result.Refused)
				}
				if err := sums.Add(result.Document); err != nil {
					t.Fatal(err)
				}
				for _, d := range result.Document.Totals.Differences {
					if d.Rule != document.RuleTaxRate { // rounded on each line, as this till does
						t.Errorf("%s: difference %v", result.Document.Key, d)
					}
				}
			}
			got, err := sums.Result()
			if err != nil {
				t.Fatal(err)
			}
			if got.Documents != want.Documents || got.Receipts != want.Receipts || got.VoidsUnresolved != 0 {
				t.Errorf("%d documents, %d receipts, %d voids of nothing; want %d and %d", got.Documents, got.Receipts, got.VoidsUnresolved, want.Documents, want.Receipts)
			}
			if got.Gross != inCents(t, want.Gross) || got.Tax != inCents(t, want.Tax) || got.Reductions != inCents(t, want.Reductions) {
				t.Errorf("gross %s, tax %s, reductions %s; want %d, %d, %d cents", got.Gross, got.Tax, got.Reductions, want.Gross, want.Tax, want.Reductions)
			}
			if diff := cmp.Diff(inCentsEach(t, want.TaxByRate), got.TaxByRate); diff != "" {
				t.Errorf("tax by rate (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(inCentsEach(t, want.Tenders), got.Tenders); diff != "" {
				t.Errorf("tenders (-want +got):\n%s", diff)
			}
		})
	}
}

// endless gives out a file again and again without holding more than one copy.
type endless struct {
	head, body, tail []byte
	times            int
	part             []byte
	stage            int
}

func (e *endless) Read(p []byte) (int, error) {
	for len(e.part) == 0 {
		switch {
		case e.stage == 0:
			e.part = e.head
		case e.stage <= e.times:
			e.part = e.body
		case e.stage == e.times+1:
			e.part = e.tail
		default:
			return 0, io.EOF
		}
		e.stage++
	}
	n := copy(p, e.part)
	e.part = e.part[n:]
	return n, nil
}

func BenchmarkRead(b *testing.B) {
	var file bytes.Buffer
	if _, err := poslogtest.Write(&file, poslogtest.Config{Seed: 1, Transactions: 5000, Plain: true}); err != nil {
		b.Fatal(err)
	}
	text := file.Bytes()
	from, to := bytes.Index(text, []byte("<Transaction")), bytes.LastIndex(text, []byte("</POSLog>"))
	body := text[from:to]
	times := 100<<20/len(body) + 1 // about 100 MB
	b.SetBytes(int64(len(body) * times))
	b.ReportAllocs()
	documents := 0
	for b.Loop() {
		r, err := New(&endless{head: text[:from], body: body, tail: text[to:], times: times}, format.Options{})
		if err != nil {
			b.Fatal(err)
		}
		for {
			result, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || result.Refused != nil {
				b.Fatal(err, result.Refused)
			}
			documents++
		}
	}
	b.ReportMetric(float64(documents)/b.Elapsed().Seconds(), "documents/s")
}
