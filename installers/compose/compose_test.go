package compose_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// composition is what is read of compose.yaml.
type composition struct {
	Services map[string]struct {
		Image     string
		Build     struct{ Context, Dockerfile string }
		Ports     []string
		Volumes   []string
		DependsOn map[string]any `yaml:"depends_on"`
	}
	Volumes map[string]any
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

func services(t *testing.T) composition {
	t.Helper()
	var c composition
	read(t, "compose.yaml", &c)
	for _, want := range []string{"collector-1", "collector-2", "postgres", "mosquitto", "prometheus", "alertmanager", "grafana"} {
		if _, ok := c.Services[want]; !ok {
			t.Fatalf("compose.yaml has no service %s", want)
		}
	}
	return c
}

func TestEachImageIsPinnedToAVersion(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`^[a-z/-]+:v?[0-9]+\.[0-9]+(\.[0-9]+)?$`)
	for name, s := range services(t).Services {
		if s.Build.Context != "" {
			text, err := os.ReadFile(filepath.Join(s.Build.Context, s.Build.Dockerfile))
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			from := regexp.MustCompile(`(?m)^FROM (\S+)$`).FindSubmatch(text)
			if from == nil || !pinned.Match(from[1]) {
				t.Errorf("%s: %s is not built from a pinned image: %q", name, s.Build.Dockerfile, from)
			}
			continue
		}
		if !pinned.MatchString(s.Image) {
			t.Errorf("%s: image %q names no version", name, s.Image)
		}
	}
}

func TestOnlyWhatAgentsNeedIsPublishedBeyondLoopback(t *testing.T) {
	t.Parallel()
	var open []string
	for _, s := range services(t).Services {
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				open = append(open, port)
			}
		}
	}
	slices.Sort(open)
	if want := []string{"7443:7443", "7444:7443", "8883:8883"}; !slices.Equal(open, want) {
		t.Errorf("published to everybody: %q, want %q", open, want)
	}
}

func TestEverythingThatIsMountedExistsOrIsMadeBySetup(t *testing.T) {
	t.Parallel()
	c, secrets := services(t), setup(t)
	used := map[string]bool{}
	for name, s := range c.Services {
		for _, volume := range s.Volumes {
			parts := strings.Split(volume, ":")
			from := parts[0]
			if secret, ok := strings.CutPrefix(from, "./secrets/"); ok {
				used[secret] = true
				from = filepath.Join(secrets, secret)
			} else if !strings.HasPrefix(from, ".") {
				if _, ok := c.Volumes[from]; !ok {
					t.Errorf("%s: volume %s is not declared", name, from)
				}
				continue
			}
			if info, err := os.Stat(from); err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o444 != 0o444 {
				t.Errorf("%s mounts %s, which is no file that everybody can read: %v", name, parts[0], err)
			}
			if len(parts) != 3 || parts[2] != "ro" {
				t.Errorf("%s may write to %s", name, volume)
			}
		}
		for other := range s.DependsOn {
			if _, ok := c.Services[other]; !ok {
				t.Errorf("%s depends on %s, which is not there", name, other)
			}
		}
	}
	made, err := os.ReadDir(secrets)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range made {
		if !used[file.Name()] && !strings.HasPrefix(file.Name(), "broker-ca") {
			t.Errorf("setup makes %s, which nothing mounts", file.Name())
		}
	}
	if info, err := os.Stat(secrets); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of secrets can be read by others: %v, %v", info.Mode(), err)
	}
}

func TestSetupLeavesAFolderThatIsThereAlone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "./setup.sh", "/bin/true", folder).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "nothing was changed") {
		t.Errorf("%v: %s", err, out)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestTheBrokersCertificatesAreWhatCollectorsAndAgentsExpect(t *testing.T) {
	t.Parallel()
	secrets := setup(t, "broker.example")
	authority, err := os.ReadFile(filepath.Join(secrets, "broker-ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	leaf := func(name string) *x509.Certificate {
		pair, err := tls.LoadX509KeyPair(filepath.Join(secrets, name+".pem"), filepath.Join(secrets, name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf
	}
	for _, host := range []string{"mosquitto", "localhost", "127.0.0.1", "broker.example"} {
		if _, err := leaf("broker").Verify(x509.VerifyOptions{Roots: pool, DNSName: host}); err != nil {
			t.Errorf("as %s: %v", host, err)
		}
	}
	client := leaf("broker-client")
	if _, err := client.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	rules, err := os.ReadFile("mosquitto.acl")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(rules), "user "+client.Subject.CommonName+"\n") {
		t.Errorf("the broker's rules do not know %s", client.Subject.CommonName)
	}
}

func TestTheBrokersRulesAreThoseOfTheDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/mqtt.md")
	if err != nil {
		t.Fatal(err)
	}
	for language, file := range map[string]string{"acl": "mosquitto.acl", "conf": "mosquitto.conf"} {
		_, rest, _ := strings.Cut(string(text), "```"+language+"\n")
		documented, _, _ := strings.Cut(rest, "```")
		ours, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		settings := 0
		for line := range strings.Lines(string(ours)) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			settings++
			if !strings.Contains(documented, line+"\n") {
				t.Errorf("%s: %q is not in docs/mqtt.md", file, line)
			}
		}
		if language == "acl" && string(ours) != documented || settings == 0 {
			t.Errorf("%s differs from docs/mqtt.md, or is empty", file)
		}
	}
}

func TestTheCollectorAcceptsItsSettings(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), collector(t), "--data", t.TempDir(), "--config", "collector.yaml", "config", "validate").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestPrometheusAcceptsItsSettingsAndScrapesBothCollectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("prometheus.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := services(t)
	for _, target := range []string{"collector-1:7420", "collector-2:7420", "alertmanager:9093"} {
		host, _, _ := strings.Cut(target, ":")
		if _, ok := c.Services[host]; !ok || !strings.Contains(string(text), fmt.Sprintf("%q", target)) {
			t.Errorf("no %s in prometheus.yaml, or no such service", target)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("tool missing: promtool")
	}
	rules, err := filepath.Abs("../../collector/monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "prometheus.yml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "/etc/prometheus/alerts.yaml", rules)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "config", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestAlertmanagerAcceptsItsSettings(t *testing.T) {
	t.Parallel()
	amtool, err := exec.LookPath("amtool")
	if err != nil {
		t.Skip("tool missing: amtool")
	}
	if out, err := exec.CommandContext(t.Context(), amtool, "check-config", "alertmanager.yaml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestGrafanaIsGivenTheDashboardAndWhereItsFiguresAre(t *testing.T) {
	t.Parallel()
	var source struct {
		Datasources []struct{ Type, URL string }
	}
	read(t, "grafana/datasource.yaml", &source)
	if len(source.Datasources) != 1 || source.Datasources[0].Type != "prometheus" || source.Datasources[0].URL != "http://prometheus:9090" {
		t.Errorf("source %+v", source)
	}
	var dashboards struct {
		Providers []struct{ Options struct{ Path string } }
	}
	read(t, "grafana/dashboards.yaml", &dashboards)
	if len(dashboards.Providers) != 1 {
		t.Fatalf("dashboards %+v", dashboards)
	}
	mount := "../../collector/monitoring/dashboard.json:" + dashboards.Providers[0].Options.Path + "/dashboard.json:ro"
	if c := services(t); !slices.Contains(c.Services["grafana"].Volumes, mount) {
		t.Errorf("grafana does not mount %s", mount)
	}
}
