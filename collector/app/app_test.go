package app_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/pki"
	"tillbook.example/tillbook/shared/settings"
)

func config(data string) app.Config {
	c := app.Defaults()
	c.Data, c.Agents.Listen, c.Ops.Listen = data, "127.0.0.1:0", "127.0.0.1:0"
	c.Work.Every = 50 * time.Millisecond
	return c
}

// start runs a collector over a data folder until stop is called or the test ends.
func start(t *testing.T, data string) (_ *app.App, stop func()) {
	t.Helper()
	collector, err := app.New(t.Context(), config(data), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- collector.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := collector.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	t.Cleanup(stop)
	return collector, stop
}

func get(t *testing.T, collector *app.App, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+collector.OpsAddr()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestEachSettingThatCannotWorkIsNamedWithWhatToDo(t *testing.T) {
	t.Parallel()
	if err := app.Defaults().Check(); err != nil {
		t.Fatalf("the defaults: %v", err)
	}
	for name, c := range map[string]struct {
		change func(c *app.Config)
		want   []string
	}{
		"no data folder":           {func(c *app.Config) { c.Data = "" }, []string{"data: ", "not set"}},
		"no port for agents":       {func(c *app.Config) { c.Agents.Listen = "0.0.0.0" }, []string{"agents.listen: ", "HOST:PORT"}},
		"a broker in the open":     {func(c *app.Config) { c.MQTT.Broker = "tcp://broker:1883" }, []string{"mqtt: ", "tls://HOST:PORT", "mqtt.certificate: "}},
		"a group without a broker": {func(c *app.Config) { c.MQTT.Share = "collectors" }, []string{"mqtt.broker: ", "not set"}},
		"a group with a slash": {func(c *app.Config) {
			c.MQTT = app.MQTT{Broker: "tls://broker", Share: "a/b", Certificate: "c", Key: "k"}
		}, []string{"mqtt: ", "share group"}},
		"no port for operations":   {func(c *app.Config) { c.Ops.Listen = "7420" }, []string{"ops.listen: ", "HOST:PORT"}},
		"no host":                  {func(c *app.Config) { c.Agents.Hosts = nil }, []string{"agents.hosts: ", "at least one host"}},
		"work without a pause":     {func(c *app.Config) { c.Work.Every = 0 }, []string{"work.every: ", "too often"}},
		"an audit without a pause": {func(c *app.Config) { c.Work.Audit = 0 }, []string{"work.audit: ", "too often"}},
		"two databases":            {func(c *app.Config) { c.Database = app.Database{Path: "a", DSN: "b"} }, []string{"database: ", "keep one"}},
		"a part by itself":         {func(c *app.Config) { c.Role = "work" }, []string{"role: ", "database.dsn"}},
		"a role that is none":      {func(c *app.Config) { c.Role = "works" }, []string{"role: ", `did you mean "work"`}},
		"a term without an end":    {func(c *app.Config) { c.Work.Term = 0 }, []string{"work.term: ", "one second"}},
		"a level that is none":     {func(c *app.Config) { c.Log.Level = "eror" }, []string{"log.level: ", `did you mean "error"`}},
		"a format that is none":    {func(c *app.Config) { c.Log.Format = "yaml" }, []string{"log.format: ", "text, json"}},
	} {
		config := app.Defaults()
		c.change(&config)
		for _, want := range c.want {
			if err := config.Check(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q in it", name, err, want)
			}
		}
	}
	if _, _, err := app.Load(settings.Values("flag", map[string]string{"agents.listen": "x"})); err == nil {
		t.Error("a bad value was not checked after loading")
	}
}

func TestAPasswordInTheDSNIsNotShown(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"postgres://till:s%2Fecr:et@db:5432/tillbook?sslmode=verify-full": "postgres://till:xxxxx@db:5432/tillbook?sslmode=verify-full",
		"postgres://till@db/tillbook?password=secret&x=1":                 "postgres://till@db/tillbook?password=xxxxx&x=1",
		"host=db user=till password=secret dbname=tillbook":               "host=db user=till password=xxxxx dbname=tillbook",
		`password = 'se cr\'et' dbname=tillbook`:                          "password = xxxxx dbname=tillbook",
		"postgres://till@db/tillbook":                                     "postgres://till@db/tillbook",
		"":                                                                "",
	} {
		config, origins, err := app.Load(settings.Values("flag", map[string]string{"database.dsn": dsn}))
		if err != nil || config.Database.DSN != dsn {
			t.Errorf("%q was read as %q, %v", dsn, config.Database.DSN, err)
		}
		for _, o := range origins {
			if o.Key == "database.dsn" && o.Value != want {
				t.Errorf("%q is shown as %q, want %q", dsn, o.Value, want)
			}
		}
	}
}

func TestAJoinStringNamesTheFirstHostAndThePortThatAgentsReach(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ listen, host, port, want string }{
		{"0.0.0.0:7443", "books.example", "", "books.example:7443"},
		{"0.0.0.0:7443", "books.example", "443", "books.example:443"},
		{"[::]:7443", "2001:db8::7", "", "[2001:db8::7]:7443"},
	} {
		config := app.Defaults()
		config.Agents = app.Agents{Listen: c.listen, Hosts: []string{c.host, "other.example"}, Port: c.port}
		if got, err := config.JoinHost(); err != nil || got != c.want {
			t.Errorf("%+v: %q, %v; want %q", c, got, err, c.want)
		}
	}
}

func TestACollectorAnswersForItsHealthUntilItIsStopped(t *testing.T) {
	t.Parallel()
	collector, stop := start(t, t.TempDir())
	for _, path := range []string{"/livez", "/readyz"} {
		if code, text := get(t, collector, path); code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	if err := collector.DB().Close(); err != nil {
		t.Fatal(err)
	}
	if code, _ := get(t, collector, "/livez"); code != http.StatusOK {
		t.Errorf("without its database it answers /livez with %d, want 200", code)
	}
	if code, _ := get(t, collector, "/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("without its database it answers /readyz with %d, want 503", code)
	}
	_, text := get(t, collector, "/metrics")
	for _, want := range []string{"tillbook_collector_database_up 0\n", "tillbook_collector_intake_sessions 0\n"} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("without its database the metrics have no %q", want)
		}
	}
	address := "http://" + collector.OpsAddr() + "/livez"
	stop()
	if _, err := http.Get(address); err == nil {
		t.Error("it answers after it was stopped")
	}
}

// labels are those the collector's own metrics may have; none grows with
// merchants or sales.
var labels = map[string]bool{"contact": true, "work": true, "state": true, "promise": true, "version": true, "days": true, "code": true}

func TestMetricsAreWellNamedAndTheirLabelsBounded(t *testing.T) {
	t.Parallel()
	collector, _ := start(t, t.TempDir())
	_, text := get(t, collector, "/metrics")
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if p.Metric == "tillbook_collector_store_days" && strings.Contains(p.Text, "base unit") {
			continue // it counts store-days; it is no time
		}
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, sample := range regexp.MustCompile(`(?m)^tillbook_collector_\w+\{(.*)\} `).FindAllStringSubmatch(text, -1) {
		for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(sample[1], -1) {
			if !labels[label[1]] {
				t.Errorf("label %s in %s", label[1], sample[0])
			}
		}
	}
	for _, want := range []string{
		"tillbook_collector_database_up 1\n", "tillbook_collector_audit_timestamp_seconds 0\n", `tillbook_collector_agents{contact="silent"} 0`,
		`tillbook_collector_store_days{state="held"} 0`, `tillbook_collector_postings{state="parked"} 0`, "tillbook_collector_build_info{version=",
		"tillbook_collector_agents_silent_open 0\n", "tillbook_collector_unclosed_since_timestamp_seconds 0\n",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no %q in the metrics", want)
		}
	}
}

// pin opens the authorities of a data folder and returns the active one's pin.
func pin(t *testing.T, data string) string {
	t.Helper()
	keys, err := app.OpenKeys(data, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Ring()
	if err != nil {
		t.Fatal(err)
	}
	return ring.Active().Pin()
}

func TestTheAuthorityStaysTheSameAndOnlyTheOwnerMayReadItsKey(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "new")
	first := pin(t, data)
	if again := pin(t, data); again != first {
		t.Fatalf("after a restart the pin is %s; want %s", again, first)
	}
	for _, name := range []string{"authority.key", "authority.pem"} {
		info, err := os.Stat(filepath.Join(data, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", name, info, err)
		}
	}
	files, err := os.ReadDir(data)
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v; want the two files and nothing left over", files, err)
	}
}

func TestACertificateWithoutItsKeyIsNotReplaced(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if _, err := app.OpenKeys(data, time.Now()); err != nil {
		t.Fatal(err)
	}
	key, certificate := filepath.Join(data, "authority.key"), filepath.Join(data, "authority.pem")
	before, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if _, err := app.OpenKeys(data, time.Now()); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "authority.key") {
		t.Errorf("%v; want an error that names the missing key", err)
	}
	if _, err := os.Stat(key); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("another key was made: %v", err)
	}
	if after, err := os.ReadFile(certificate); err != nil || string(after) != string(before) {
		t.Errorf("the certificate was changed: %v", err)
	}
	other, err := pki.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, foreign, err := other.PEM()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, foreign, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := app.OpenKeys(data, time.Now()); err == nil {
		t.Error("the key of another authority was taken")
	}
}

func TestACollectorThatComesUpAgainIsTheSameToItsAgents(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first, stop := start(t, data)
	before, err := first.DB().Incarnation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stop()
	second, _ := start(t, data)
	if after, err := second.DB().Incarnation(t.Context()); err != nil || after != before {
		t.Errorf("incarnation %v, %v; want %v", after, err, before)
	}
}

func TestAnAgentIsToldTheCurrencyAndZoneOfItsStoreOnly(t *testing.T) {
	t.Parallel()
	db, err := app.OpenDatabase(t.Context(), config(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	shop := merchant.Merchant{
		ID: "corner", Name: "Corner", Country: "GB", Currency: "GBP",
		Stores: []merchant.Store{{ID: "S1", Name: "High Street", Zone: "Europe/London"}},
	}
	if _, err := db.Apply(t.Context(), shop, time.Now()); err != nil {
		t.Fatal(err)
	}
	describe := app.Describe(db)
	if currency, zone, err := describe(t.Context(), "corner", "S1"); currency != "GBP" || zone != "Europe/London" || err != nil {
		t.Errorf("%s, %s, %v", currency, zone, err)
	}
	if _, _, err := describe(t.Context(), "corner", "S2"); err == nil || !strings.Contains(err.Error(), `"S2"`) {
		t.Errorf("a store that is none: %v, want it named", err)
	}
	if _, _, err := describe(t.Context(), "nobody", "S1"); err == nil {
		t.Error("a merchant that is none was described")
	}
}

func TestBooksAreOpenedOnceForEachSettings(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	open := app.Targets()
	shop := merchant.Merchant{ID: "corner", Currency: "GBP"}
	connection := func(name, format string) merchant.Connection {
		return merchant.Connection{ID: "books", Target: "text", Settings: map[string]string{"folder": filepath.Join(folder, name), "format": format}}
	}
	books := func(c merchant.Connection) target.Target {
		t.Helper()
		opened, err := open(shop, c)
		if err != nil {
			t.Fatal(err)
		}
		return opened
	}
	first := books(connection("a", "hledger"))
	if books(connection("a", "hledger")) != first {
		t.Error("the same books were opened twice: two of them would write one folder")
	}
	if books(connection("b", "hledger")) == first {
		t.Error("another folder gave the same books")
	}
	for name, c := range map[string]merchant.Connection{"a target that is none": {ID: "x", Target: "nowhere"}, "a format that is none": connection("c", "excel")} {
		if _, err := open(shop, c); !errors.Is(err, target.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
}
