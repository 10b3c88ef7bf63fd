package monitoring_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/internal/installation"
)

// startLimit bounds how long collector and Prometheus may take to come up and
// to see each other; Prometheus alone takes some seconds to its first scrape.
const startLimit = time.Minute

const job = "tillbook-collector"

// dashboard is what is read of dashboard.json.
type dashboard struct {
	UID        string
	Title      string
	Templating struct{ List []struct{ Name string } }
	Panels     []struct {
		ID          int
		Type, Title string
		Description string
		GridPos     struct{ H, W, X, Y int }
		Targets     []struct{ RefID, Expr, LegendFormat string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEachPanelOfTheDashboardHasAPlaceAQueryAndAnExplanation(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	ids, taken := map[int]bool{}, map[[2]int]string{}
	queries := 0
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 {
			t.Errorf("%s: id %d is 0 or used twice", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.GridPos.W < 1 || p.GridPos.H < 1 || p.GridPos.X < 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s lies outside the grid: %+v", p.Title, p.GridPos)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if taken[at] != "" {
					t.Fatalf("%s lies over %s", p.Title, taken[at])
				}
				taken[at] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		queries += len(p.Targets)
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d %q wants a title, a description and a query", p.ID, p.Title)
		}
		for _, target := range p.Targets {
			if !strings.Contains(target.Expr, `job="$job"`) || target.LegendFormat == "" {
				t.Errorf("%s: %s wants to be of the chosen job, and a legend", p.Title, target.Expr)
			}
		}
	}
	if queries == 0 || d.UID == "" || d.Title == "" {
		t.Errorf("a dashboard without queries, uid or title: %d, %q, %q", queries, d.UID, d.Title)
	}
}

// prometheus is a real one that scrapes a real collector.
type prometheus struct {
	url string
}

func TestARealCollectorGivesEveryFigureThatRulesAndDashboardAskFor(t *testing.T) {
	t.Parallel()
	p := scrape(t)
	t.Run("each query of the dashboard has an answer", func(t *testing.T) {
		for _, panel := range readDashboard(t).Panels {
			for _, target := range panel.Targets {
				query := strings.NewReplacer("$job", job, "$__rate_interval", "10s").Replace(target.Expr)
				if n, err := p.query(t.Context(), query); err != nil || n == 0 {
					t.Errorf("%s: %s gives %d series, %v", panel.Title, query, n, err)
				}
			}
		}
	})
	t.Run("each metric of the rules is given", func(t *testing.T) {
		for _, r := range alerts(t) {
			for _, name := range regexp.MustCompile(`\btillbook_\w+|\bup\b`).FindAllString(r.Expr, -1) {
				if n, err := p.query(t.Context(), fmt.Sprintf("%s{job=%q}", name, job)); err != nil || n == 0 {
					t.Errorf("%s: %s has %d series, %v", r.Alert, name, n, err)
				}
			}
		}
	})
	t.Run("Prometheus evaluates each rule and none fires", func(t *testing.T) {
		var answer struct {
			Data struct {
				Groups []struct {
					Rules []struct{ Name, Health, LastError, State string }
				}
			}
		}
		evaluated := 0
		if err := installation.Wait(t.Context(), "the rules are evaluated", func() (bool, error) {
			if err := p.get(t.Context(), "/api/v1/rules", &answer); err != nil {
				return false, err
			}
			evaluated = 0
			for _, g := range answer.Data.Groups {
				for _, r := range g.Rules {
					if r.Health == "unknown" {
						return false, nil
					}
					evaluated++
				}
			}
			return evaluated > 0, nil
		}); err != nil {
			t.Fatal(err)
		}
		if want := len(alerts(t)); evaluated != want {
			t.Errorf("%d rules, want %d", evaluated, want)
		}
		for _, g := range answer.Data.Groups {
			for _, r := range g.Rules {
				if r.Health != "ok" || r.State == "firing" {
					t.Errorf("%s: %s, %s %s", r.Name, r.State, r.Health, r.LastError)
				}
			}
		}
	})
}

// scrape starts both and returns when Prometheus has figures of two scrapes and
// the collector has audited.
func scrape(t *testing.T) prometheus {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("tool missing: prometheus")
	}
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	bin := t.TempDir()
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, "tillbook.example/tillbook/collector/cmd/tillbook-collector")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the collector: %v\n%s", err, out)
	}
	i, err := installation.New(bin, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ops, web := port(t), port(t)
	rules, err := filepath.Abs("alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"collector/collector.yaml": fmt.Sprintf("agents: {listen: \"127.0.0.1:0\"}\nops: {listen: %q}\nwork: {audit: 1s}\n", ops),
		"prometheus.yml": fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\n"+
			"scrape_configs:\n  - job_name: %s\n    static_configs: [{targets: [%q]}]\n", rules, job, ops),
	} {
		if err := i.Write(name, text); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := i.StopAll(); err != nil {
			t.Error(err)
		}
	})
	if err := i.Start(ctx, installation.Collector, "collector", "serve"); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(program, "--config.file", i.Path("prometheus.yml"), "--storage.tsdb.path", i.Path("tsdb"), "--web.listen-address", web)
	var said strings.Builder
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // it was killed, and says so
		if t.Failed() {
			t.Logf("Prometheus said:\n%s", said.String())
		}
	})
	p := prometheus{url: "http://" + web}
	if err := installation.Wait(ctx, "Prometheus has figures of two scrapes and of an audit", func() (bool, error) {
		// It may not listen yet: what it says then is no answer.
		twice, _ := p.query(ctx, fmt.Sprintf("count_over_time(up{job=%q}[1m]) > 2", job))
		audited, _ := p.query(ctx, "tillbook_collector_promise_violations")
		return twice > 0 && audited > 0, nil
	}); err != nil {
		t.Fatal(err)
	}
	return p
}

func port(t *testing.T) string {
	t.Helper()
	n, err := installation.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", n)
}

// query returns how many series an instant query gives.
func (p prometheus) query(ctx context.Context, expr string) (int, error) {
	var answer struct {
		Data struct{ Result []json.RawMessage }
	}
	err := p.get(ctx, "/api/v1/query?query="+url.QueryEscape(expr), &answer)
	return len(answer.Data.Result), err
}

func (p prometheus) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, response.Status)
	}
	return nil
}
