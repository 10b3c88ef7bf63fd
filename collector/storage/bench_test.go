package storage_test

import (
	"fmt"
	"testing"
	"time"

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

const benchDay bizday.Day = "2026-03-02"

// stream makes batches of bench documents (3 lines, 2 tenders, 2 tax rates) of
// 50 terminals interleaved, in order.
type stream struct {
	id     fleet.Identity
	epoch  [16]byte
	order  uint64
	number uint64 // stored
	digest [32]byte
	made   intake.Batch // the last
}

func newStream(t testing.TB, db *storage.DB, agent string) *stream {
	t.Helper()
	s := &stream{id: identity(agent), epoch: [16]byte{1}}
	epoch, err := db.Issue(t.Context(), s.id, s.epoch, s.digest, "test", time.UnixMicro(1))
	if err != nil {
		t.Fatal(err)
	}
	s.order = epoch.Order
	position, err := db.Position(t.Context(), s.id, s.epoch)
	if err != nil {
		t.Fatal(err)
	}
	s.number, s.digest = position.Stored, position.Digest
	return s
}

// next makes the batch after what is stored.
func (s *stream) next(n int) intake.Batch {
	b := intake.Batch{From: s.id, Epoch: s.epoch, First: s.number + 1, Before: s.digest, At: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}
	at := s.digest
	for i := range n {
		number := s.number + 1 + uint64(i)
		d := benchDocument(number)
		body, err := document.Marshal(d)
		if err != nil {
			panic(err)
		}
		d.Key.Merchant = s.id.Merchant
		at = wire.Next(at, body)
		b.Digests = append(b.Digests, at)
		b.Records = append(b.Records, intake.Record{Capture: number, Bytes: body, Document: d, Key: d.Key.String(), Hash: document.Hash(d), Day: benchDay, Recipe: 2})
	}
	s.made = b
	return b
}

// stored moves on over n records.
func (s *stream) stored(n int) {
	s.number += uint64(n)
	s.digest = s.made.Digests[n-1]
}

func (s *stream) commit(t testing.TB, db *storage.DB, n int) {
	t.Helper()
	if _, err := db.Commit(t.Context(), s.next(n)); err != nil {
		t.Fatal(err)
	}
	s.stored(n)
}

func benchDocument(number uint64) *document.Document {
	terminal, receipt := fmt.Sprint(number%50+1), fmt.Sprint(100000+number/50)
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).Add(time.Duration(number) * time.Second / 4)
	m := money.MustParse
	tax := func(code, rate, base, amount string) []document.Tax {
		return []document.Tax{{Code: code, Scheme: "VAT", Rate: m(rate), Base: m(base), Amount: m(amount)}}
	}
	gross, taxed := m("36.50"), m("3.00")
	return &document.Document{
		Key: document.Key{Store: "leeds", Terminal: terminal, Space: document.SpaceReceipt, Number: receipt},
		Source: document.Source{Adapter: "filedrop", Format: "csv", Recipe: "leeds", Version: 2,
			Raw: fmt.Sprintf("sales-2026-03-02.csv:%d", number*183), CapturedAt: at.Add(2 * time.Second)},
		Kind: document.Sale, State: document.Completed,
		Time:      document.Time{AsGiven: at.Format(time.DateTime), UTC: at, ZoneFrom: "CONFIG"},
		StatedDay: document.StatedDay{Date: string(benchDay), Z: "311"},
		Place:     document.Place{Store: "leeds", Terminal: terminal, Drawer: "A", Operator: "7"},
		Numbers:   document.Numbers{Receipt: receipt, Z: "311"},
		Currency:  "GBP", PriceBasis: document.TaxIncluded,
		Lines: []document.Line{
			{Kind: document.Item, Category: "Food", SKU: "5012345678900", Text: "Steak pie", Quantity: m("2"), UnitPrice: m("6.00"), Extended: m("12.00"), Taxes: tax("S", "20", "10.00", "2.00")},
			{Kind: document.Item, Category: "Books", SKU: "9780000000002", Text: "Atlas", Quantity: m("1"), UnitPrice: m("18.50"), Extended: m("18.50"), Taxes: tax("Z", "0", "18.50", "0")},
			{Kind: document.Item, Category: "Drinks", SKU: "5011111111118", Text: "Cola", Quantity: m("3"), UnitPrice: m("2.00"), Extended: m("6.00"), Taxes: tax("S", "20", "5.00", "1.00")},
		},
		Tenders: []document.Tender{
			{Kind: document.CardDebit, Direction: document.Paid, Amount: m("30.00"), Brand: "VISA", Masked: "************1111", Acquirer: "worldpay", MID: "12345678", Batch: "311"},
			{Kind: document.Cash, Direction: document.Paid, Amount: m("6.50")},
		},
		Totals: document.Totals{Stated: &document.Amounts{Gross: &gross, Tax: &taxed}, Computed: &document.Amounts{Gross: &gross, Tax: &taxed}},
	}
}

const benchBatch = 500

// engines runs a benchmark on both.
func engines(b *testing.B, run func(b *testing.B, fresh func(testing.TB) func() *storage.DB)) {
	b.Run("SQLite", func(b *testing.B) { run(b, fresh) })
	b.Run("PostgreSQL", func(b *testing.B) { run(b, freshPostgres) })
}

// BenchmarkCommit commits batches of 500 to one database and inserts the same
// rows into another, in turns.
func BenchmarkCommit(b *testing.B) {
	b.Run("SQLite", func(b *testing.B) { benchmarkCommit(b, fresh(b)(), fresh(b)()) })
	b.Run("PostgreSQL", func(b *testing.B) {
		dsn := migrated(b)
		for _, table := range []string{"document", "document_body", "stream_batch"} { // the raw insert has no wall to look at
			if err := server.Exec(b.Context(), dsn, "ALTER TABLE "+table+" DISABLE ROW LEVEL SECURITY"); err != nil {
				b.Fatal(err)
			}
		}
		benchmarkCommit(b, freshPostgres(b)(), opener(b, storage.Options{DSN: dsn})())
	})
}

func benchmarkCommit(b *testing.B, db, raw *storage.DB) {
	b.Helper()
	s, r := newStream(b, db, "agent-1"), newStream(b, raw, "agent-1")
	r.commit(b, raw, 1) // prepares the statements of both
	s.commit(b, db, 1)
	var commit, insert time.Duration
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		batch := s.next(benchBatch)
		b.StartTimer()
		begin := time.Now()
		if _, err := db.Commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		committed := time.Now()
		if err := raw.RawInsert(b.Context(), batch, r.order); err != nil {
			b.Fatal(err)
		}
		commit, insert = commit+committed.Sub(begin), insert+time.Since(committed)
		s.stored(benchBatch)
	}
	rows := float64(b.N * benchBatch)
	b.ReportMetric(rows/commit.Seconds(), "rows/s")
	b.ReportMetric(rows/insert.Seconds(), "raw-rows/s")
	b.ReportMetric(insert.Seconds()/commit.Seconds(), "ratio")
	b.ReportMetric(float64(len(s.made.Records[0].Bytes)), "bytes/document")
}

// BenchmarkRedelivery commits one batch again and again.
func BenchmarkRedelivery(b *testing.B) { engines(b, benchmarkRedelivery) }

func benchmarkRedelivery(b *testing.B, fresh func(testing.TB) func() *storage.DB) {
	db := fresh(b)()
	s := newStream(b, db, "agent-1")
	s.commit(b, db, benchBatch)
	for b.Loop() {
		if _, err := db.Commit(b.Context(), s.made); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*benchBatch)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkResend commits documents that are stored under an older epoch.
func BenchmarkResend(b *testing.B) { engines(b, benchmarkResend) }

func benchmarkResend(b *testing.B, fresh func(testing.TB) func() *storage.DB) {
	db := fresh(b)()
	s := newStream(b, db, "agent-1")
	var batches []intake.Batch
	for range b.N {
		s.commit(b, db, benchBatch)
		batches = append(batches, s.made)
	}
	if _, err := db.Issue(b.Context(), s.id, [16]byte{2}, [32]byte{}, "bench", time.UnixMicro(1)); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for _, batch := range batches {
		batch.Epoch = [16]byte{2}
		outcome, err := db.Commit(b.Context(), batch)
		if err != nil {
			b.Fatal(err)
		}
		if outcome.Verdicts[0] != intake.Duplicate {
			b.Fatalf("verdict %s", outcome.Verdicts[0])
		}
	}
	b.ReportMetric(float64(b.N*benchBatch)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkFacts reads a day of 100,000 documents.
func BenchmarkFacts(b *testing.B) { engines(b, benchmarkFacts) }

func benchmarkFacts(b *testing.B, fresh func(testing.TB) func() *storage.DB) {
	db := fresh(b)()
	m := merchant.Merchant{ID: "acme", Currency: "GBP", Stores: []merchant.Store{{ID: "leeds", Zone: "Europe/London"}}}
	if _, err := db.Apply(b.Context(), m, time.UnixMicro(1)); err != nil {
		b.Fatal(err)
	}
	s := newStream(b, db, "agent-1")
	const documents = 100_000
	for s.number < documents {
		s.commit(b, db, benchBatch)
	}
	b.ReportAllocs()
	for b.Loop() {
		f, err := db.Facts(b.Context(), day.Ref{Merchant: "acme", Store: "leeds", Day: benchDay})
		if err != nil {
			b.Fatal(err)
		}
		if len(f.Documents) != documents {
			b.Fatalf("%d documents", len(f.Documents))
		}
	}
	b.ReportMetric(float64(b.N*documents)/b.Elapsed().Seconds(), "rows/s")
}
