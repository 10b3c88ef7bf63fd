package storage_test

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/storage"
)

// perDay is how many documents the store of BenchmarkGrowth sells a day.
const perDay = 100_000

// BenchmarkGrowth commits TILLBOOK_GROWTH (50,000) documents, in batches of 500 and 100,000 of a
// day, and tells what one costs at the begin and at the end: it must not depend on
// how many there are.
func BenchmarkGrowth(b *testing.B) {
	documents, err := strconv.ParseUint(os.Getenv("TILLBOOK_GROWTH"), 10, 64)
	if err != nil { // not set
		documents = 50_000
	}
	b.Run("PostgreSQL", func(b *testing.B) {
		db := opener(b, storage.Options{DSN: migrated(b)})()
		for day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2027; day = day.AddDate(0, storage.MonthsAhead, 0) {
			if err := db.Ahead(b.Context(), day); err != nil {
				b.Fatal(err)
			}
		}
		benchmarkGrowth(b, db, documents)
	})
	b.Run("SQLite", func(b *testing.B) { benchmarkGrowth(b, fresh(b)(), documents) })
}

func benchmarkGrowth(b *testing.B, db *storage.DB, documents uint64) {
	b.Helper()
	s := newStream(b, db, "agent-1")
	window := documents / 10
	var took []time.Duration // of batches in this window
	var middles []float64    // microseconds a document, of each window
	for s.number < documents {
		batch := s.next(benchBatch)
		later := int(batch.First / perDay)
		batch.At = batch.At.AddDate(0, 0, later)
		for i := range batch.Records {
			batch.Records[i].Day = benchDay.Add(later)
		}
		begun := time.Now()
		if _, err := db.Commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
		s.stored(benchBatch)
		if s.number%window < benchBatch || s.number >= documents {
			slices.Sort(took)
			middles = append(middles, float64(took[len(took)/2].Microseconds())/benchBatch)
			b.Logf("up to %d documents: %.1f µs a document, 95%% of batches below %.1f", s.number, middles[len(middles)-1],
				float64(took[len(took)*95/100].Microseconds())/benchBatch)
			took = nil
		}
	}
	first, last := middles[0], middles[len(middles)-1]
	b.ReportMetric(0, "ns/op") // one pass is all there is
	b.ReportMetric(first, "first-µs/document")
	b.ReportMetric(last, "last-µs/document")
	b.ReportMetric(last/first, "last/first")
	b.ReportMetric(float64(documents), "documents")
}
