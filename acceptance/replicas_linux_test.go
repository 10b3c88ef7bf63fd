package acceptance

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/internal/installation"
	"tillbook.example/tillbook/internal/postgres"
)

// replicas are the data folders of two collectors on one database.
var replicas = []string{"collector", "collector-2"}

// openReplicas makes a shop with two collectors on a PostgreSQL database, whose
// agents reach either by one port, as behind a load balancer. more is added to
// their configuration.
func openReplicas(t *testing.T, dsn, more string) *shop {
	t.Helper()
	s := bare(t)
	s.replicate(dsn, more, s.Installation)
	return s
}

// replicate starts two collectors with the programs of an installation.
func (s *shop) replicate(dsn, more string, with *installation.Installation) {
	s.t.Helper()
	var ports []int
	for range replicas {
		port, err := installation.FreePort()
		s.must(err)
		ports = append(ports, port)
	}
	front, release, err := installation.Balance(ports)
	s.must(err)
	s.t.Cleanup(release)
	s.must(s.Write("merchant.yaml", merchantYAML(s.Path("books"), "")))
	for i, data := range replicas {
		s.must(s.Write(data+"/collector.yaml", fmt.Sprintf("agents: {listen: \"127.0.0.1:%d\", hosts: [localhost], port: \"%d\"}\nops: {listen: \"127.0.0.1:0\"}\n"+
			"work: {every: 300ms, audit: 1h, term: 2s}\ndatabase: {dsn: %q}\n%s", ports[i], front, dsn, more)))
		if i > 0 { // the authority is made by the first
			for _, file := range []string{"authority.key", "authority.pem"} {
				text, err := os.ReadFile(s.Path(replicas[0], file))
				s.must(err)
				s.must(s.Write(data+"/"+file, string(text)))
			}
		}
		s.must(with.Start(s.ctx, installation.Collector, data, "serve"))
	}
	_, _, err = with.Call(s.ctx, installation.Collector, replicas[0], "apply", "-f", s.Path("merchant.yaml"))
	s.must(err)
}

// TestTwoCollectorsOnOneDatabaseKeepEverySaleOnceWhileTheyAreKilledAndPaused has
// two agents of one store sell, while a collector, now one and now the other, is
// killed, or paused for longer than its leases last.
func TestTwoCollectorsOnOneDatabaseKeepEverySaleOnceWhileTheyAreKilledAndPaused(t *testing.T) {
	rounds := 6
	if os.Getenv("TILLBOOK_KILLS") != "" {
		rounds, _ = kills(t)
	}
	var server postgres.Server
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	dsn := server.Database(t)
	s := openReplicas(t, dsn, "")
	agents := []string{"agent-a", "agent-b"}
	for _, agent := range agents {
		s.join(agent, "")
	}
	stop := s.selling(agents)
	random := rand.New(rand.NewPCG(3, 4))
	begun := time.Now()
	took := func(what string) { t.Logf("%s after %s", what, time.Since(begun).Round(100*time.Millisecond)) }
	for round := range rounds {
		victim := replicas[random.IntN(len(replicas))]
		pause(s.ctx, time.Duration(random.IntN(700))*time.Millisecond)
		if round%2 == 0 {
			s.must(s.Kill(victim))
			pause(s.ctx, time.Duration(random.IntN(500))*time.Millisecond)
			s.must(s.Start(s.ctx, installation.Collector, victim, "serve"))
			took(victim + " was killed and is back")
			continue
		}
		s.must(syscall.Kill(s.Pid(victim), syscall.SIGSTOP))
		pause(s.ctx, 2500*time.Millisecond)
		s.must(syscall.Kill(s.Pid(victim), syscall.SIGCONT))
		took(victim + " was paused and goes on")
	}
	sold := stop()
	took("all is rung up")
	for _, agent := range agents {
		s.sent(agent)
	}
	took("all is sent")
	s.posted(1)
	took("all is posted")
	s.rungUp(dsn, sold)
}

// selling has a till ring up at each agent, one sale after the other, until stop is
// called; stop returns how many each has rung up.
func (s *shop) selling(agents []string) (stop func() []int) {
	sold := make([]int, len(agents))
	enough := make(chan struct{})
	var tills sync.WaitGroup
	for i, agent := range agents {
		tills.Go(func() {
			for n := 1; ; n++ {
				select {
				case <-enough:
					return
				default:
				}
				for s.push(agent, fmt.Sprintf("k%d", n), sale(fmt.Sprint(i+1), n, int64(100+n%977))) != 201 {
					if s.ctx.Err() != nil {
						return
					}
					pause(s.ctx, 20*time.Millisecond)
				}
				sold[i] = n
				pause(s.ctx, 5*time.Millisecond)
			}
		})
	}
	return func() []int {
		close(enough)
		tills.Wait()
		return sold
	}
}

// holdsIn waits until at least so many documents are stored in a PostgreSQL database.
func (s *shop) holdsIn(dsn string, documents int) {
	s.t.Helper()
	s.must(installation.Wait(s.ctx, fmt.Sprintf("%d documents are stored", documents), func() (bool, error) {
		stored, err := s.revisions(dsn)
		return len(stored) >= documents, err
	}))
}

// revisions returns how often each key is stored.
func (s *shop) revisions(dsn string) (map[string]int, error) {
	db, err := storage.Open(s.ctx, storage.Options{DSN: dsn})
	if err != nil {
		return nil, err
	}
	revisions := map[string]int{}
	err = db.EachDocument(s.ctx, "corner", func(d audit.Document) error {
		revisions[d.Key]++
		return nil
	})
	return revisions, errors.Join(err, db.Close())
}

// rungUp wants exactly the sales of each till to be stored, booked and posted.
func (s *shop) rungUp(dsn string, sold []int) {
	s.t.Helper()
	revisions, err := s.revisions(dsn)
	s.must(err)
	var gross int64
	wanted := 0
	for till, n := range sold {
		if n < 50 {
			s.t.Errorf("till %d rang up only %d sales", till+1, n)
		}
		for i := range n {
			gross += int64(100 + (i+1)%977)
			if key := fmt.Sprintf("S1|%d|RECEIPT|%d", till+1, i+1); revisions[key] != 1 {
				s.t.Errorf("%s is stored %d times", key, revisions[key])
			}
		}
		wanted += n
	}
	if len(revisions) != wanted {
		s.t.Errorf("%d documents are stored, %d were rung up", len(revisions), wanted)
	}
	if got := s.balances(day)["Assets:CardClearing"]; got != gross {
		s.t.Errorf("card clearing holds %s, rung up were %s", pounds(got), pounds(gross))
	}
	var references []string
	for _, row := range s.days() {
		for _, p := range row.to("books") {
			references = append(references, p.Reference)
		}
	}
	slices.Sort(references)
	if len(references) == 0 || len(slices.Compact(slices.Clone(references))) != len(references) {
		s.t.Errorf("references are %q", references)
	}
	s.t.Logf("%d sales, %d postings", wanted, len(references))
	s.verify()
}
