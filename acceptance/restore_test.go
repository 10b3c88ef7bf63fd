package acceptance

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/internal/installation"
	"tillbook.example/tillbook/internal/mosquitto"
	"tillbook.example/tillbook/internal/postgres"
)

// The business days before and after day; both are over.
var (
	dayBefore = time.Now().UTC().AddDate(0, 0, -3).Format(time.DateOnly)
	dayAfter  = time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
)

// pushed pushes a sale of a day and wants it answered 201.
func (s *shop) pushed(key, on string, number int, pence int64) {
	s.t.Helper()
	if code := s.push("agent", key, strings.ReplaceAll(sale("1", number, pence), day, on)); code != 201 {
		s.t.Fatalf("sale %d was answered %d", number, code)
	}
}

// files are the postings in the books, by name.
func (s *shop) files(books string) map[string]string {
	s.t.Helper()
	entries, err := os.ReadDir(s.Path(books, "postings"))
	s.must(err)
	files := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(s.Path(books, "postings", e.Name()))
		s.must(err)
		files[e.Name()] = string(text)
	}
	return files
}

// booked waits until the days have so many postings in each of the books.
func (s *shop) booked(postings map[string]int) {
	s.t.Helper()
	s.must(installation.Wait(s.ctx, fmt.Sprintf("postings %v", postings), func() (bool, error) {
		got := map[string]int{}
		for _, r := range s.days() {
			if n := len(r.to("books")); n > 0 && n == len(r.to("beans")) {
				got[r.Day] = len(r.to("books"))
			}
		}
		return maps.Equal(got, postings), nil
	}))
	s.posted(len(postings))
}

// place is what a restore is tried on: an engine and a carrier.
type place struct {
	*shop
	server *postgres.Server // nil: the database is a file
	port   int
	broker *mosquitto.Broker // nil: agents come over gRPC
}

// openAt makes a shop at a place.
func openAt(t *testing.T, server *postgres.Server, overBroker bool) *place {
	t.Helper()
	p := &place{shop: bare(t), server: server}
	var err error
	p.port, err = installation.FreePort()
	p.must(err)
	if server != nil {
		p.dsn = server.Database(t)
	}
	if overBroker {
		keys, err := app.OpenKeys(p.Path("collector"), time.Now())
		p.must(err)
		ring, err := keys.Ring()
		p.must(err)
		p.broker = mosquitto.Start(t, "../docs/mqtt.md", ring.Active())
	}
	p.configure()
	p.must(p.Write("merchant.yaml", merchantYAML(p.Path("books"), "")))
	p.collector()
	p.call(installation.Collector, "collector", "apply", "-f", p.Path("merchant.yaml"))
	sources := ""
	if overBroker {
		sources = fmt.Sprintf("carrier: {kind: mqtt, broker: \"tls://%s\"}\n", p.broker.Addr())
	}
	p.join("agent", sources)
	return p
}

// configure writes the collector's configuration.
func (p *place) configure() {
	p.t.Helper()
	text := fmt.Sprintf("agents: {listen: \"127.0.0.1:%d\", hosts: [localhost]}\nops: {listen: \"127.0.0.1:0\"}\nwork: {every: 200ms, audit: 1h}\n", p.port)
	if p.dsn != "" {
		text += fmt.Sprintf("database: {dsn: %q}\n", p.dsn)
	}
	if p.broker != nil {
		text += fmt.Sprintf("mqtt: {broker: \"tls://%s\", certificate: %q, key: %q}\n", p.broker.Addr(), p.broker.Certificate, p.broker.Key)
	}
	p.must(p.Write("collector/collector.yaml", text))
}

// TestARestoredCollectorIsSentWhatItLacksAndPostsNothingTwice: later than the
// backup are two days and two late changes of the day that it has, all posted.
func TestARestoredCollectorIsSentWhatItLacksAndPostsNothingTwice(t *testing.T) {
	t.Parallel()
	var server postgres.Server
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	for name, database := range map[string]*postgres.Server{"SQLite": nil, "PostgreSQL": &server} {
		for carrier, overBroker := range map[string]bool{"gRPC": false, "MQTT": true} {
			t.Run(name+" "+carrier, func(t *testing.T) {
				t.Parallel()
				restoring(t, openAt(t, database, overBroker))
			})
		}
	}
}

func restoring(t *testing.T, s *place) {
	gross := map[string]int64{}
	sell := func(on string, from, to int) {
		t.Helper()
		for n := from; n <= to; n++ {
			s.pushed(fmt.Sprintf("k%d", n), on, n, int64(100+n))
			gross[on] += int64(100 + n)
		}
	}
	sell(dayBefore, 1, 10)
	s.sent("agent")
	s.booked(map[string]int{dayBefore: 1})

	s.call(installation.Collector, "collector", "backup", "create", s.Path("backup"))
	var verified struct {
		Noted bool `json:"noted"`
	}
	s.must(s.Ask(s.ctx, &verified, installation.Collector, "collector", "backup", "verify", s.Path("backup")))
	if !verified.Noted {
		t.Error("the backup of this database was not noted in it")
	}

	sell(day, 12, 21)
	sell(dayAfter, 22, 26)
	s.pushed("corrected", dayBefore, 3, 903)
	s.pushed("forgotten", dayBefore, 11, 2100)
	gross[dayBefore] += 903 - 103 + 2100
	s.sent("agent")
	s.holds(26)
	postings := map[string]int{}
	for _, r := range s.posted(3) {
		postings[r.Day] = len(r.to("books"))
	}
	if postings[dayBefore] < 2 || postings[day] < 1 || postings[dayAfter] < 1 {
		t.Fatalf("postings %v: the late ones are missing", postings)
	}
	before, beans := s.files("books"), s.files("books-beancount")

	s.putBack()
	if stored := s.stored(); len(stored) != 10 {
		t.Errorf("put back were %d documents", len(stored))
	}
	// The till sells on before the collector is back.
	sell(dayAfter, 27, 27)
	s.collector()
	if s.server != nil { // nothing tells whether the agent was revoked since
		out, code, err := s.Call(s.ctx, installation.Collector, "collector", "resume", "corner")
		if err == nil || code != 2 || !strings.Contains(err.Error(), "whether they were revoked") {
			t.Errorf("resumed before the agent was admitted: exit %d, %v, %s", code, err, out)
		}
		s.call(installation.Collector, "collector", "admit", "corner", "--all")
	}
	s.holds(27)
	s.sent("agent")
	var resumed struct {
		Resumed bool `json:"resumed"`
	}
	s.must(s.Ask(s.ctx, &resumed, installation.Collector, "collector", "resume", "corner", "--by", "olga"))
	if !resumed.Resumed {
		t.Error("the restored merchant was not paused")
	}
	postings[dayAfter]++
	s.booked(postings)
	for name, books := range map[string]map[string]string{"books": before, "books-beancount": beans} {
		got := s.files(name)
		if len(got) != len(books)+1 {
			t.Errorf("%s: %d postings after the restore, before it %d and one sale", name, len(got), len(books))
		}
		for file, text := range books {
			if got[file] != text {
				t.Errorf("%s: the restore changed %s", name, file)
			}
		}
	}
	for on, want := range gross {
		if got := s.balances(on)["Assets:CardClearing"]; got != want {
			t.Errorf("card clearing of %s holds %s, rung up were %s", on, pounds(got), pounds(want))
		}
	}
	if revision := s.stored()["S1|1|RECEIPT|3"]; revision != 2 {
		t.Errorf("the corrected receipt has revision %d", revision)
	}
	s.verify()
}

// putBack puts the backup back, after it was refused where it must be.
func (p *place) putBack() {
	p.t.Helper()
	// refused is a restore that fails with an error.
	refused := func(when, want string, args ...string) {
		p.t.Helper()
		_, code, err := p.Call(p.ctx, installation.Collector, "collector", append([]string{"restore", p.Path("backup")}, args...)...)
		if err == nil || code != 2 || !strings.Contains(err.Error(), want) {
			p.t.Errorf("restore %s: exit %d, %v", when, code, err)
		}
	}
	refused("over a database", "is there already")
	args := []string{"restore", p.Path("backup")}
	if p.server == nil {
		refused("under a running collector", "has the database open", "--replace")
		args = append(args, "--replace")
	}
	p.must(p.Kill("collector"))
	if p.server != nil { // the old one is set aside, and an empty one made
		p.dsn = p.server.Database(p.t)
		p.configure()
	}
	var restored struct {
		Merchants []string `json:"merchants"`
		Aside     string   `json:"aside"`
		Doubted   []any    `json:"doubted"`
	}
	p.must(p.Ask(p.ctx, &restored, installation.Collector, "collector", args...))
	if (len(restored.Doubted) == 1) != (p.server != nil) {
		p.t.Errorf("it is not known of %v whether they may speak", restored.Doubted)
	}
	if len(restored.Merchants) != 1 || restored.Merchants[0] != "corner" {
		p.t.Errorf("paused are %v", restored.Merchants)
	}
	if p.server == nil {
		if _, err := os.Stat(restored.Aside); err != nil {
			p.t.Errorf("what was there is not set aside: %v", err)
		}
	}
}

// TestACopyByTheServersOwnMeansIsProvenAndTakenOnce has PostgreSQL dump a database
// and put it back, as docs/operations.md says.
func TestACopyByTheServersOwnMeansIsProvenAndTakenOnce(t *testing.T) {
	t.Parallel()
	var server postgres.Server
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	p := openAt(t, &server, false)
	for n := 1; n <= 5; n++ {
		p.pushed(fmt.Sprintf("k%d", n), dayBefore, n, 500)
	}
	p.sent("agent")
	p.booked(map[string]int{dayBefore: 1})
	p.call(installation.Collector, "collector", "backup", "create", "--manifest-only", p.Path("backup"))
	p.pushed("later", dayBefore, 6, 500) // the dump has more than the manifest
	p.sent("agent")
	programs, err := postgres.Programs()
	p.must(err)
	run := func(program string, args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(p.ctx, filepath.Join(programs, program), args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", program, err, out)
		}
	}
	run("pg_dump", "--format=custom", "--file="+p.Path("dump"), "--dbname="+server.AsAdmin(p.dsn))
	p.must(p.Kill("collector"))
	beside := server.Database(t)
	run("pg_restore", "--exit-on-error", "--dbname="+server.AsAdmin(beside), p.Path("dump"))
	out, code, err := p.Call(p.ctx, installation.Collector, "collector", "backup", "verify", "--copy", beside, p.Path("backup"))
	if err != nil || code != 0 {
		t.Fatalf("verify: exit %d, %v\n%s", code, err, out)
	}
	p.dsn = beside
	p.configure()
	if _, code, err := p.Call(p.ctx, installation.Collector, "collector", "restore", p.Path("backup")); code != 2 || err == nil {
		t.Errorf("without --replace: exit %d, %v", code, err)
	}
	p.call(installation.Collector, "collector", "restore", "--replace", p.Path("backup"))
	if _, code, err := p.Call(p.ctx, installation.Collector, "collector", "restore", "--replace", p.Path("backup")); code != 2 || err == nil {
		t.Errorf("taken again: exit %d, %v", code, err)
	}
	p.call(installation.Collector, "collector", "log", "verify", "--backup", p.Path("backup"))
	if err := server.Exec(p.ctx, p.dsn, "DELETE FROM act"); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("the log can be deleted in what was put back: %v", err)
	}
	p.collector()
	p.call(installation.Collector, "collector", "admit", "corner", "--all")
	p.sent("agent")
	p.call(installation.Collector, "collector", "resume", "corner")
	p.holds(6)
	p.booked(map[string]int{dayBefore: 2})
	p.verify()
}
