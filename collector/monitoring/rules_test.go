package monitoring_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// ruleFile is what is read of alerts.yaml.
type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []rule
	}
}

type rule struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

// caseFile is what is read of alerts_test.yaml.
type caseFile struct {
	Tests []struct {
		Cases []struct {
			Alert    string `yaml:"alertname"`
			Expected []any  `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

func read(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// alerts returns all rules, of which there must be some.
func alerts(t *testing.T) []rule {
	t.Helper()
	var f ruleFile
	read(t, "alerts.yaml", &f)
	var all []rule
	for _, g := range f.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no rules in alerts.yaml")
	}
	return all
}

func TestPrometheusAcceptsTheRulesAndEachCaseComesOutAsWritten(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("tool missing: promtool")
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func TestEachAlertHasACaseThatFiresAndOneThatDoesNot(t *testing.T) {
	t.Parallel()
	var f caseFile
	read(t, "alerts_test.yaml", &f)
	fires, calm := map[string]bool{}, map[string]bool{}
	for _, test := range f.Tests {
		loud := map[string]bool{}
		for _, c := range test.Cases {
			loud[c.Alert] = loud[c.Alert] || len(c.Expected) > 0
		}
		for alert, fired := range loud {
			fires[alert] = fires[alert] || fired
			calm[alert] = calm[alert] || !fired // in none of the moments looked at
		}
	}
	for _, r := range alerts(t) {
		if !fires[r.Alert] {
			t.Errorf("no case in which %s fires", r.Alert)
		}
		if !calm[r.Alert] {
			t.Errorf("no case in which %s never fires", r.Alert)
		}
	}
}

func TestEachAlertHasARunbookWithCauseLookAndFixAndNoRunbookIsLeftOver(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		name, body, _ := strings.Cut(section, "\n")
		sections[name] = body
	}
	for _, r := range alerts(t) {
		body, ok := sections[r.Alert]
		if !ok {
			t.Errorf("docs/alerts.md has no section %s", r.Alert)
			continue
		}
		delete(sections, r.Alert)
		at := 0
		for _, part := range []string{"**Cause.** ", "**Look at.** ", "**Fix.** "} {
			n := strings.Index(body[at:], part)
			if n < 0 {
				t.Fatalf("docs/alerts.md, %s: no %q in its place", r.Alert, part)
			}
			at += n + len(part)
		}
		if want := "alerts.md#" + strings.ToLower(r.Alert); r.Annotations["runbook"] != want {
			t.Errorf("%s points to %q, its section is %s", r.Alert, r.Annotations["runbook"], want)
		}
		if r.Annotations["summary"] == "" || r.Labels["severity"] != "critical" && r.Labels["severity"] != "warning" {
			t.Errorf("%s wants a summary, and a severity that is critical or warning: %v %v", r.Alert, r.Annotations, r.Labels)
		}
	}
	for name := range sections {
		t.Errorf("docs/alerts.md, %s: there is no such alert", name)
	}
}
