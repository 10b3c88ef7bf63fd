// Package fleet meets collectors with many agents at once: three collectors as
// processes behind a load balancer, on a real PostgreSQL and a real Mosquitto,
// and a fleet of agents in the test's own process, half by gRPC and half over the
// broker. Two merchants have stores, tills and numbers of the same names.
//
// What is stored, closed and posted is compared with the tills' own list, key by
// key and sum by sum.
package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/internal/installation"
	"tillbook.example/tillbook/internal/mosquitto"
	"tillbook.example/tillbook/internal/postgres"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/pki"
)

// binaries is where TestMain built the programs.
var binaries string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "tillbook-fleet-")
	if err == nil {
		defer os.RemoveAll(folder)
		err = installation.Build(folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binaries = folder
	return m.Run()
}

var merchants = []string{"north", "south"}

// collector is one of the collectors, each in an installation of its own, so that
// they can be started and killed at the same time.
type collector struct {
	*installation.Installation
	data string
}

// site is the collectors with what they stand on.
type site struct {
	t          testing.TB
	ctx        context.Context
	folder     string
	database   *postgres.Server
	broker     *mosquitto.Broker
	collectors []collector
	db         *storage.DB
	config     app.Config // of the first collector
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// open starts so many collectors, and applies merchants with so many stores each.
func open(t testing.TB, limit time.Duration, collectors, stores int) *site {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	s := &site{t: t, ctx: ctx, folder: t.TempDir(), database: &postgres.Server{}}
	t.Cleanup(func() {
		if err := s.database.Stop(); err != nil {
			t.Error(err)
		}
	})
	dsn := s.database.Database(t)
	ring, err := pki.NewRing(time.Now())
	s.must(err)
	s.broker = mosquitto.Start(t, "../../docs/mqtt.md", ring.Active())
	var ports []int
	for i := range collectors {
		inst, err := installation.New(binaries, s.folder)
		s.must(err)
		s.collectors = append(s.collectors, collector{inst, fmt.Sprintf("collector-%d", i+1)})
		port, err := installation.FreePort()
		s.must(err)
		ports = append(ports, port)
	}
	front, release, err := installation.Balance(ports)
	s.must(err)
	t.Cleanup(release)
	certificates, keys, err := ring.PEM()
	s.must(err)
	config := s.collectors[0].Path("merchants.yaml")
	s.must(s.collectors[0].Write("merchants.yaml", s.merchants(stores)))
	for i, c := range s.collectors {
		s.must(c.Write(c.data+"/authority.pem", string(certificates)))
		s.must(c.Write(c.data+"/authority.key", string(keys)))
		s.must(c.Write(c.data+"/collector.yaml", fmt.Sprintf("agents: {listen: \"127.0.0.1:%d\", hosts: [localhost], port: \"%d\"}\n"+
			"ops: {listen: \"127.0.0.1:0\"}\nwork: {every: 1s, audit: 1h, term: 2s}\ndatabase: {dsn: %q}\n"+
			"mqtt: {broker: \"tls://%s\", share: collectors, certificate: %q, key: %q}\n", ports[i], front, dsn, s.broker.Addr(), s.broker.Certificate, s.broker.Key)))
		if i == 0 {
			_, _, err := c.Call(ctx, installation.Collector, c.data, "apply", "-f", config)
			s.must(err)
		}
		s.must(c.Start(ctx, installation.Collector, c.data, "serve"))
		t.Cleanup(func() {
			if err := c.StopAll(); err != nil {
				t.Error(err)
			}
			if t.Failed() {
				s.log(c)
			}
		})
	}
	s.db, err = storage.Open(ctx, storage.Options{DSN: dsn})
	s.must(err)
	t.Cleanup(func() { _ = s.db.Close() }) // only read, and joined with
	s.config = app.Defaults()
	s.config.Data, s.config.Agents.Hosts, s.config.Agents.Port = s.collectors[0].Path(s.collectors[0].data), []string{"localhost"}, strconv.Itoa(front)
	return s
}

// log shows the last of what a collector said.
func (s *site) log(c collector) {
	text, err := readLog(c)
	if err != nil {
		return
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	s.t.Logf("%s:\n%s", c.data, strings.Join(lines[max(0, len(lines)-20):], "\n"))
}

func readLog(c collector) (string, error) {
	text, err := os.ReadFile(c.Path(c.data + ".log"))
	return string(text), err
}

func store(n int) string { return fmt.Sprintf("S%03d", n+1) }

// books is where a merchant's books are.
func (s *site) books(merchant string) string { return s.folder + "/books-" + merchant }

// merchants is the configuration. Nothing is closed before all of it is there:
// the deadline is far away.
func (s *site) merchants(stores int) string {
	text := "merchants:\n"
	for _, merchant := range merchants {
		text += fmt.Sprintf("  - id: %s\n    name: %s\n    country: GB\n    currency: GBP\n    stores:\n", merchant, merchant)
		for n := range stores {
			text += fmt.Sprintf("      - {id: %s, name: Store %d, zone: Europe/London, settle: 1s, deadline: 720h}\n", store(n), n+1)
		}
		text += fmt.Sprintf("    connections:\n      - {id: books, target: text, settings: {folder: %q, format: hledger}}\n", s.books(merchant))
		text += `    mappings:
      - from: "2010-01-01"
        mapping:
          currency: GBP
          accounts: {sales: Income:Sales, tax: Liabilities:VAT, card_clearing: Assets:CardClearing, tax_rounding: Income:TaxRounding}
          taxes:
            - {till: V20, rate: 20, code: STD-20}
`
	}
	return text
}

// join makes an agent for each till; the second till of each store speaks over
// the broker.
func (s *site) join(tills []till, counted *lines) []*agent {
	s.t.Helper()
	keys, err := app.OpenKeys(s.config.Data, time.Now())
	s.must(err)
	host, err := s.config.JoinHost()
	s.must(err)
	enrolment := app.NewEnrolment(s.config, s.db, keys, slog.New(slog.DiscardHandler), time.Now)
	agents := make([]*agent, len(tills))
	numbers := make([]int, len(tills))
	for i := range tills {
		numbers[i] = i
	}
	each(s.t, joining, numbers, func(i int) error {
		code, err := enrolment.NewJoin(s.ctx, tills[i].merchant, tills[i].store, host)
		if err != nil {
			return err
		}
		a, err := join(s.ctx, s.folder+"/agents", tills[i], code.String())
		if err != nil {
			return fmt.Errorf("join %s %s: %w", tills[i].merchant, tills[i].store, err)
		}
		agents[i] = a
		if tills[i].terminal == "2" {
			return a.connect("tls://"+s.broker.Addr(), counted)
		}
		return a.connect("", counted)
	})
	return agents
}

// run lets agents work until the test ends.
func (s *site) run(agents []*agent) {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, a := range agents {
		running.Go(func() {
			if err := a.uplink.Run(ctx); err != nil {
				s.t.Errorf("%s %s: %v", a.till.merchant, a.till.store, err)
			}
		})
	}
	s.t.Cleanup(func() {
		stop()
		running.Wait()
	})
}

// size reads a number that make fleet sets.
func size(t testing.TB, name string, standard int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return standard
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is not a number of at least 1", name, text)
	}
	return n
}

// lastDays are days that are over.
func lastDays(n int) (days []bizday.Day) {
	for i := range n {
		days = append(days, bizday.Day(time.Now().UTC().AddDate(0, 0, i-n-1).Format(time.DateOnly)))
	}
	return days
}

// TestAFleetsSalesAreStoredAndPostedOnceThoughAllItStandsOnFails has a whole
// fleet sell while its collectors are killed and stopped and the broker and the
// database crash. `make fleet` runs it at size.
func TestAFleetsSalesAreStoredAndPostedOnceThoughAllItStandsOnFails(t *testing.T) {
	agentCount, documents := size(t, "TILLBOOK_FLEET_AGENTS", 12), size(t, "TILLBOOK_FLEET_DOCUMENTS", 6000)
	seed := uint64(size(t, "TILLBOOK_FLEET_SEED", 1))
	limit, over, calm := 3*time.Minute, 10*time.Second, 2*time.Second
	full := documents > 50_000
	if full {
		limit, over, calm = 40*time.Minute, time.Duration(documents)*time.Second/4000, 10*time.Second
	}
	stores := (agentCount + 3) / 4
	var tills []till
	for i := range agentCount {
		t := till{merchant: merchants[i%2], store: store(i / 4), terminal: strconv.Itoa(1 + i/2%2), sales: documents / agentCount, days: lastDays(3)}
		if i < documents%agentCount {
			t.sales++
		}
		tills = append(tills, t)
	}
	s := open(t, limit, 3, stores)
	begun := time.Now()
	say := func(format string, args ...any) {
		t.Logf("%8s %s", time.Since(begun).Round(100*time.Millisecond), fmt.Sprintf(format, args...))
	}
	var counted lines
	agents := s.join(tills, &counted)
	say("%d agents have joined", len(agents))
	s.run(agents)
	tr := &trouble{seed: seed, calm: calm, long: full, say: say}
	tr.begin(s.ctx, s.collectors, s.broker, s.database, func(err error) { t.Error(err) })
	var selling sync.WaitGroup
	for _, a := range agents {
		selling.Go(func() { a.sell(s.ctx, over) })
	}
	selling.Wait()
	say("all is rung up")
	s.wait("all is sent", func() bool {
		for _, a := range agents {
			if !a.sent() {
				return false
			}
		}
		return true
	})
	say("all is sent")
	want := expect(tills)
	if full { // else an unclear posting's rest alone would be longer than all the rest
		s.wait("half of it is posted", func() bool { return s.posted() >= len(want)/2 })
	}
	tr.end()
	say("no more trouble")
	s.wait("all is posted", func() bool { return s.posted() >= len(want) })
	say("all is posted")

	captured := uint64(0)
	for _, till := range tills {
		captured += till.records()
	}
	for what, n := range map[string]*atomic.Int64{"collector was killed": &tr.kills, "collector was stopped": &tr.pauses, "broker was killed": &tr.brokers, "database crashed": &tr.databases} {
		if n.Load() == 0 {
			t.Errorf("no %s, so nothing was shown", what)
		}
	}
	t.Logf("%d kills, %d pauses, %d of the broker, %d of the database, %d starts in vain; %d sessions; %d records captured, %d sent (%d again) in %d batches",
		tr.kills.Load(), tr.pauses.Load(), tr.brokers.Load(), tr.databases.Load(), tr.failedStarts.Load(),
		counted.sessions.Load(), captured, counted.records.Load(), counted.records.Load()-captured, counted.batches.Load())
	s.storedOnce(tills)
	say("documents are compared")
	s.postedOnce(want)
	say("postings are compared")
	out, code, err := s.collectors[0].Call(s.ctx, installation.Collector, s.collectors[0].data, "verify")
	if err != nil || code != 0 {
		t.Errorf("verify: exit %d, %v\n%s", code, err, out)
	}
	say("promises are verified")
}
