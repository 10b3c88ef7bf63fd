package acceptance

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tillbook.example/tillbook/internal/installation"
)

// benchDocument is the document that all benches use: 3 lines, 2 tenders, 2 tax
// rates, of one of 50 terminals.
func benchDocument(n int) string {
	line := func(sku, amount, code, rate, base, tax string) any {
		return map[string]any{"kind": "ITEM", "sku": sku, "category": "Food", "quantity": "1.00", "unit_price": amount, "extended": amount,
			"taxes": []any{map[string]string{"code": code, "scheme": "VAT", "rate": rate, "base": base, "amount": tax}}}
	}
	text, err := json.Marshal(map[string]any{
		"key":  map[string]string{"store": "S1", "terminal": fmt.Sprint(1 + n%50), "space": "RECEIPT", "number": fmt.Sprint(1 + n/50)},
		"kind": "SALE", "state": "COMPLETED", "currency": "GBP", "price_basis": "TAX_INCLUDED",
		"time": map[string]string{"as_given": day + "T12:00:00"}, "stated_day": map[string]string{"date": day},
		"numbers": map[string]string{"receipt": fmt.Sprint(1 + n/50)},
		"lines": []any{
			line("4006381333931", "12.00", "V20", "20.00", "10.00", "2.00"), line("4006381333932", "6.00", "V20", "20.00", "5.00", "1.00"),
			line("4006381333933", "2.10", "V5", "5.00", "2.00", "0.10"),
		},
		"tenders": []any{
			map[string]string{"kind": "CASH", "direction": "PAID", "amount": "10.10"}, map[string]string{"kind": "CARD_DEBIT", "direction": "PAID", "amount": "10.00", "brand": "VISA"},
		},
		"totals": map[string]any{"stated": map[string]string{"gross": "20.10", "tax": "3.10"}},
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// benchShop is an installation whose days are looked at rarely, so that what is
// measured is not shared with closing.
func benchShop(b *testing.B) *shop {
	b.Helper()
	inst, err := installation.New(binaries, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	b.Cleanup(cancel)
	s := &shop{Installation: inst, t: b, ctx: ctx}
	port, err := installation.FreePort()
	if err != nil {
		b.Fatal(err)
	}
	s.must(s.Write("collector/collector.yaml", fmt.Sprintf("agents: {listen: \"127.0.0.1:%d\", hosts: [localhost]}\nops: {listen: \"127.0.0.1:0\"}\nwork: {every: 1h, audit: 1h}\n", port)))
	s.must(s.Write("merchant.yaml", merchantYAML(s.Path("books"), "")))
	b.Cleanup(func() {
		if err := s.StopAll(); err != nil {
			b.Error(err)
		}
	})
	s.collector()
	s.call(installation.Collector, "collector", "apply", "-f", s.Path("merchant.yaml"))
	s.join("agent", "")
	return s
}

// BenchmarkPush posts one document a request to the real agent, beside a loop
// that appends and syncs the same bytes, and one that groups them.
func BenchmarkPush(b *testing.B) {
	for _, producers := range []int{1, 32} {
		b.Run(fmt.Sprintf("producers=%d", producers), func(b *testing.B) {
			s := benchShop(b)
			s.must(s.Stop("collector"))
			var next atomic.Int64
			size := len(benchDocument(0))
			b.ResetTimer()
			started := time.Now()
			var group sync.WaitGroup
			for range producers {
				group.Go(func() {
					client := s.client("agent")
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						if code := client.push("", benchDocument(int(n))); code != 201 {
							b.Errorf("answered %d", code)
							return
						}
					}
				})
			}
			group.Wait()
			b.StopTimer()
			rate := float64(b.N) / time.Since(started).Seconds()
			floor := syncFloor(b, size, producers, b.N)
			b.ReportMetric(rate, "docs/s")
			b.ReportMetric(floor, "floor/s")
			b.ReportMetric(rate/floor, "of-floor")
		})
	}
}

// syncFloor appends records of a size and syncs: each by itself for one
// producer, all that wait together for more.
func syncFloor(b *testing.B, size, producers, n int) float64 {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	record := make([]byte, size)
	started := time.Now()
	for done := 0; done < n; done += producers {
		for range producers {
			if _, err := file.Write(record); err != nil {
				b.Fatal(err)
			}
		}
		if err := file.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(started).Seconds()
}

// BenchmarkDrain measures how fast a backlog leaves an agent for a collector on
// SQLite, both on this machine, beside the raw insert of the same rows, and how
// long the first document takes after each kind of restart.
func BenchmarkDrain(b *testing.B) {
	const backlog = 60_000
	for range b.N {
		s := benchShop(b)
		s.must(s.Stop("collector"))
		client := s.client("agent")
		for first := 0; first < backlog; first += 500 {
			batch := make([]string, 500)
			for i := range batch {
				batch[i] = benchDocument(first + i)
			}
			if code := client.push("", "["+strings.Join(batch, ",")+"]"); code != 201 {
				b.Fatalf("answered %d", code)
			}
		}
		started := time.Now()
		s.collector()
		// The rate is that between the first look that sees something gone and the
		// first that sees nothing left.
		var first, last time.Time
		var left uint64
		s.must(installation.Wait(s.ctx, "the backlog leaves", func() (bool, error) {
			unsent, err := client.unsent()
			last = time.Now()
			if first.IsZero() && err == nil && unsent < backlog {
				first, left = last, unsent
			}
			return err == nil && unsent == 0, err
		}))
		rate := float64(left) / last.Sub(first).Seconds()
		b.ReportMetric(first.Sub(started).Seconds(), "s-to-first-after-collector")
		b.ReportMetric(s.used("agent").Resident/(1<<20), "MB-agent-after-drain")

		s.must(s.Kill("agent"))
		restarted := time.Now()
		s.agent("agent")
		s.must(installation.Wait(s.ctx, "a push is taken", func() (bool, error) {
			return s.push("agent", "", benchDocument(backlog+1)) == 201, nil
		}))
		s.sent("agent")
		b.ReportMetric(time.Since(restarted).Seconds(), "s-to-first-after-agent")

		s.must(s.StopAll())
		floor := insertFloor(b, s.Path("collector", "collector.db"))
		b.ReportMetric(rate, "docs/s")
		b.ReportMetric(floor, "raw-docs/s")
		b.ReportMetric(rate/floor, "of-raw")
	}
}

// insertFloor inserts the documents of a database with their bytes into empty
// tables of the same shape, 500 a transaction, and returns the rows a second.
func insertFloor(b *testing.B, path string) float64 {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	pragmas := "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	from, err := sql.Open("sqlite", "file:"+path+pragmas)
	must(err)
	defer from.Close()
	to, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "floor.db")+pragmas)
	must(err)
	defer to.Close()
	to.SetMaxOpenConns(1)
	shapes, err := from.Query(`SELECT sql FROM sqlite_master WHERE tbl_name IN ('document', 'document_body') AND sql IS NOT NULL ORDER BY type DESC`)
	must(err)
	for shapes.Next() {
		var shape string
		must(shapes.Scan(&shape))
		_, err := to.Exec(shape)
		must(err)
	}
	must(shapes.Close())
	const bodies = 6 // columns of document_body, which come last
	stored, err := from.Query(`SELECT d.*, b.* FROM document d JOIN document_body b USING (merchant, agent, epoch, number, received) ORDER BY d.rowid`)
	must(err)
	names, err := stored.Columns()
	must(err)
	insert, err := to.Prepare("INSERT INTO document VALUES (?" + strings.Repeat(",?", len(names)-bodies-1) + ")")
	must(err)
	insertBody, err := to.Prepare("INSERT INTO document_body VALUES (?" + strings.Repeat(",?", bodies-1) + ")")
	must(err)
	const batch = 500
	rows, spent := 0, time.Duration(0)
	for more := true; more; {
		var values [][]any
		for len(values) < batch {
			if more = stored.Next(); !more {
				break
			}
			row, into := make([]any, len(names)), make([]any, len(names))
			for i := range row {
				into[i] = &row[i]
			}
			must(stored.Scan(into...))
			values = append(values, row)
		}
		begun := time.Now()
		tx, err := to.Begin()
		must(err)
		within, body := tx.Stmt(insert), tx.Stmt(insertBody)
		for _, row := range values {
			_, err := within.Exec(row[:len(row)-bodies]...)
			must(err)
			_, err = body.Exec(row[len(row)-bodies:]...)
			must(err)
		}
		must(tx.Commit())
		rows, spent = rows+len(values), spent+time.Since(begun)
	}
	must(stored.Close())
	return float64(rows) / spent.Seconds()
}

// used returns what the program over a data folder has used.
func (s *shop) used(data string) installation.Used {
	s.t.Helper()
	used, err := s.Used(data)
	s.must(err)
	return used
}
