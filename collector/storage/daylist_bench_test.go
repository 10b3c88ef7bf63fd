package storage_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/storage"
)

// tenThousandStores are statements that give a merchant 10,000 stores with ten posted days
// each, in the SQL of both engines.
const tenThousandStores = `
	INSERT INTO store_day (merchant, store, day, version, state, settled, entry, closed_at, changed_at)
	WITH RECURSIVE stores(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM stores WHERE n < 10000), days(d) AS (SELECT 10 UNION ALL SELECT d + 1 FROM days WHERE d < 19)
	SELECT 'many', 's' || n, '2026-03-' || d, 3, 'ready', 1, 3, 1, 1 FROM stores, days;
	INSERT INTO delivery (merchant, store, day, target, newest, posted, at)
	SELECT merchant, store, day, 'books', 3, 3, 1 FROM store_day WHERE merchant = 'many';
	INSERT INTO posting (merchant, store, day, target, revision, entry, reference, payload, hash, state, undo, attempts, error, code, remote_id, at, settled_at)
	SELECT merchant, store, day, 'books', 1, 3, 'POS-' || store || '-' || day,
		CAST('{"key":"k","reference":"r","date":"2026-03-10","currency":"GBP","narration":"a day","reason":"close","lines":[]}' AS %s),
		CAST('%s' AS %s), 'posted', 0, 1, '', '', 'r', 1, 1 FROM store_day WHERE merchant = 'many';`

// BenchmarkDayList reads pages of 200 days of 10,000 stores, anywhere in the list.
func BenchmarkDayList(b *testing.B) {
	hash := fmt.Sprintf("%032d", 0)
	b.Run("SQLite", func(b *testing.B) {
		db := fresh(b)()
		if err := db.Exec(b.Context(), fmt.Sprintf(tenThousandStores, "BLOB", hash, "BLOB")); err != nil {
			b.Fatal(err)
		}
		benchmarkDayList(b, db)
	})
	b.Run("PostgreSQL", func(b *testing.B) {
		db := opener(b, storage.Options{DSN: migrated(b)})()
		text := "BEGIN; SET LOCAL tillbook.merchant = 'many';" + fmt.Sprintf(tenThousandStores, "BYTEA", hash, "BYTEA") + "COMMIT; ANALYZE;"
		if err := db.Exec(b.Context(), text); err != nil {
			b.Fatal(err)
		}
		benchmarkDayList(b, db)
	})
}

func benchmarkDayList(b *testing.B, db *storage.DB) {
	b.Helper()
	draw := rand.New(rand.NewPCG(1, 0))
	var took []time.Duration
	b.ResetTimer()
	for b.Loop() {
		after := day.Ref{}
		if draw.IntN(2) == 0 {
			after = day.Ref{Store: fmt.Sprint("s", draw.IntN(10_000)+1), Day: benchDay.Add(draw.IntN(8) + 9)}
		}
		begun := time.Now()
		list, err := db.DayList(b.Context(), "many", "2026-03-01", after, 200)
		took = append(took, time.Since(begun))
		if err != nil || len(list) != 200 || len(list[0].Postings) != 1 {
			b.Fatalf("%d days: %v", len(list), err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "ms-p95")
}
