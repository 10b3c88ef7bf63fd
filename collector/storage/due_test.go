package storage_test

import (
	"fmt"
	"strings"
	"testing"

	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/storage"
)

// manyDays stores 100,000 days of 100 merchants that were closed and posted, every
// hundredth of which is under way.
func manyDays(t *testing.T, dsn string) {
	t.Helper()
	of := ` FROM (SELECT i, 'm' || i % 100 AS merchant, 's' || i % 1000 AS store, ('2020-01-01'::date + i / 1000)::text AS day, (i % 100000 < 1000)::int::bigint AS underway
		FROM generate_series(1, 100000) i) r`
	if err := server.Exec(t.Context(), server.AsAdmin(dsn),
		`INSERT INTO store_day (merchant, store, day, version, state, settled, entry, changed_at)
			SELECT merchant, store, day, 1, CASE underway WHEN 1 THEN 'open' ELSE 'ready' END, 1 - underway, 1, 1`+of,
		`INSERT INTO entry (merchant, store, day, version, mapping, rules, body, proof, reason, at) SELECT merchant, store, day, 1, 1, 1, '{}', '{}', '', 1`+of,
		`INSERT INTO delivery (merchant, store, day, target, newest, posted, at) SELECT merchant, store, day, 'books', 1, 1 - underway, 1`+of,
		`INSERT INTO posting (merchant, store, day, target, revision, entry, reference, payload, hash, state, attempts, error, remote_id, at, settled_at)
			SELECT merchant, store, day, 'books', 1, 1, 'r' || i, '{}', '', CASE WHEN underway = 1 AND i % 2 = 0 THEN 'parked' ELSE 'posted' END, 1, '', '', 1, 1`+of,
		`INSERT INTO connection (merchant, target) SELECT 'm' || i, 'books' FROM generate_series(0, 99) i`,
		`ANALYZE`,
	); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsUnderWayIsFoundAndCountedWithoutReadingWhatIsDone(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	manyDays(t, dsn)
	db := opener(t, storage.Options{DSN: dsn})()
	queries, err := storage.Queries()
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string]string{
		"deliveryBooks": `'m5', '', 64`, "postingBooks": `'m5', '', 64`,
		"dueDays": `'m5', 'books', '', '', 0, 64`, "unsettledDue": `'m5', 'books', '', '', 64`,
		"undelivered": `'m5', 's5', '2020-01-01', 'books'`, "subjectPostings": `'m5', 's5', '2020-01-01', 'books'`, "newestEntry": `'m5', 's5', '2020-01-01'`,
		"unsettledDays": ``, "countDays": `''`, "countPostings": `''`, "openShops": `'', 'open'`,
	} {
		if queries[name] == "" {
			t.Errorf("there is no statement %s", name)
			continue
		}
		plan, err := db.PlanOf(t.Context(), queries[name], args)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, step := range strings.Split(plan, "\n") {
			if strings.Contains(step, "Seq Scan") && !strings.Contains(step, "connection") {
				t.Errorf("%s reads a whole table:\n%s", name, plan)
			}
		}
	}
	if plan, err := db.PlanOf(t.Context(), `SELECT count(*) FROM posting WHERE state = $1`, `'parked'`); err != nil || !strings.Contains(plan, "Seq Scan") {
		t.Errorf("a statement that reads a whole table is planned as\n%s\n%v", plan, err)
	}
	counts, err := db.Counts(t.Context())
	if got, want := fmt.Sprintf("%v %v %s %d", counts.Days, counts.Postings, counts.Oldest, len(counts.Open)), "map[open:1000] map[parked:500] 2020-01-01 1000"; err != nil || got != want {
		t.Errorf("counts are %s, not %s: %v", got, want, err)
	}
	books, err := db.DueBooks(t.Context(), posting.Books{Merchant: "m5", Target: "books"}, 3)
	if got, want := fmt.Sprint(books), "[{m50 books} {m51 books} {m52 books}]"; err != nil || got != want {
		t.Errorf("books after m5 are %s, not %s: %v", got, want, err)
	}
}
