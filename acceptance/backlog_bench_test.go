package acceptance

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/internal/installation"
)

// waiting is how many documents wait where a backlog is measured.
const waiting = 200_000

// fall has an agent fall behind: documents are pushed while the collector is away.
func (s *shop) fall(client *client) {
	s.t.Helper()
	s.must(s.Stop("collector"))
	for first := 0; first < waiting; first += 500 {
		batch := make([]string, 500)
		for i := range batch {
			batch[i] = benchDocument(first + i)
		}
		if code := client.push("", "["+strings.Join(batch, ",")+"]"); code != 201 {
			s.t.Fatalf("answered %d", code)
		}
	}
}

// BenchmarkLiveOverBacklog measures how long a sale takes from the till to the
// collector's database while 200,000 documents that waited drain beside it, with
// till, agent and collector on this machine.
func BenchmarkLiveOverBacklog(b *testing.B) {
	b.Setenv("TILLBOOK_AGENT__OUTBOX__MAX_MIB", "2048")
	for range b.N {
		s := benchShop(b)
		client := s.client("agent")
		s.fall(client)
		db, err := sql.Open("sqlite", "file:"+s.Path("collector", "collector.db")+"?mode=ro")
		s.must(err)
		b.Cleanup(func() { _ = db.Close() }) // only read
		s.collector()
		s.must(installation.Wait(s.ctx, "the line is back", func() (bool, error) {
			unsent, err := client.unsent()
			return unsent < waiting, err
		}))
		started := time.Now()

		// A sale every 100 ms, one at a time: pushed, then looked for.
		var took []time.Duration
		for n := waiting; ; n++ {
			rung := time.Now()
			if code := client.push("", benchDocument(n)); code != 201 {
				b.Fatalf("answered %d", code)
			}
			key := fmt.Sprintf("S1|%d|RECEIPT|%d", 1+n%50, 1+n/50)
			for stored := 0; stored == 0; {
				pause(s.ctx, 10*time.Millisecond)
				s.must(s.ctx.Err())
				s.must(db.QueryRow(`SELECT count(*) FROM document WHERE merchant = 'corner' AND key = ?`, key).Scan(&stored))
			}
			took = append(took, time.Since(rung))
			unsent, err := client.unsent()
			s.must(err)
			if unsent == 0 {
				break
			}
			pause(s.ctx, 100*time.Millisecond)
		}
		drained := time.Since(started)
		slices.Sort(took)
		share := func(percent int) float64 { return took[(len(took)-1)*percent/100].Seconds() }
		b.ReportMetric(share(50), "s-live-p50")
		b.ReportMetric(share(95), "s-live-p95")
		b.ReportMetric(share(100), "s-live-max")
		b.ReportMetric(float64(len(took)), "live")
		b.ReportMetric(waiting/drained.Seconds(), "docs/s")
		b.ReportMetric(s.used("agent").Resident/(1<<20), "MB-agent")
	}
}

// BenchmarkIdle reports memory and processor time of an agent that has nothing to
// do: with nothing in its outbox, and with 200,000 documents and no collector.
func BenchmarkIdle(b *testing.B) {
	const look = 60 * time.Second
	b.Setenv("TILLBOOK_AGENT__OUTBOX__MAX_MIB", "2048")
	for range b.N {
		s := benchShop(b)
		measure := func(data, when string) {
			pause(s.ctx, 15*time.Second) // what came before has come to rest
			before := s.used(data).Processor
			pause(s.ctx, look)
			b.ReportMetric(100*(s.used(data).Processor-before)/look.Seconds(), "%cpu-"+data+when)
			b.ReportMetric(s.used(data).Resident/(1<<20), "MB-"+data+when)
		}
		measure("agent", "")
		measure("collector", "")
		s.fall(s.client("agent"))
		measure("agent", "-waiting")
		s.must(s.Kill("agent"))
		s.agent("agent")
		measure("agent", "-waiting-restarted")
	}
	for _, program := range []string{installation.Agent, installation.Collector} {
		info, err := os.Stat(filepath.Join(binaries, program))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/(1<<20), "MB-binary-"+strings.TrimPrefix(program, "tillbook-"))
	}
}
