package program_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"tillbook.example/tillbook/internal/program"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
	"tillbook.example/tillbook/shared/settings"
)

// options are the settings of the program under test: one of each kind.
type options struct {
	Data   string `koanf:"data"`
	Listen string `koanf:"listen"`
	Outbox struct {
		Max  int64         `koanf:"max"`
		Wait time.Duration `koanf:"wait"`
	} `koanf:"outbox"`
	Hosts []string `koanf:"hosts"`
	Port  string   `koanf:"port"`
}

func defaults() options {
	o := options{Data: "/var/lib/shop", Listen: "127.0.0.1:1", Hosts: []string{"localhost"}}
	o.Outbox.Max, o.Outbox.Wait = 10, 2*time.Second
	return o
}

// load is the program's own Load; it keeps what it read last.
func (o *options) load(layers ...settings.Layer) ([]settings.Origin, error) {
	*o = defaults()
	origins, err := settings.Load(o, layers...)
	if err == nil && o.Outbox.Max < 1 {
		err = errors.New("outbox.max: at least 1")
	}
	return origins, err
}

// shop runs the program under test over a data folder. Its environment prefix is
// one that nothing sets.
func shop(t *testing.T, into *options, args ...string) (code int, out, problems string) {
	t.Helper()
	p := &program.Program{Name: "shop", EnvPrefix: "TILLBOOK_PROGRAM_TEST", DefaultData: filepath.Join(t.TempDir(), "default"), ConfigFile: "shop.yaml"}
	root := p.Root("a shop")
	root.AddCommand(p.Config(into.load), &cobra.Command{Use: "fail", RunE: func(*cobra.Command, []string) error { return exit.With(exit.Unreachable, errors.New("no line")) }},
		&cobra.Command{Use: "break", RunE: func(*cobra.Command, []string) error { return errors.New("it broke") }},
		&cobra.Command{Use: "worse", RunE: func(*cobra.Command, []string) error { return exit.With(exit.Degraded, nil) }})
	var stdout, stderr bytes.Buffer
	code = p.Run(context.Background(), root, args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// columns returns lines with the spaces between columns made one.
func columns(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

func TestPrintShowsEachValueAndTheLayerItCameFrom(t *testing.T) {
	data := t.TempDir()
	write(t, filepath.Join(data, "shop.yaml"), "outbox: {wait: 3s, max: 11}\nlisten: a:1\n")
	t.Setenv("TILLBOOK_PROGRAM_TEST__OUTBOX__MAX", "12")
	code, out, problems := shop(t, &options{}, "--data", data, "--set", "listen=b:2", "config", "print")
	if code != exit.OK {
		t.Fatalf("exit %d: %s", code, problems)
	}
	want := []string{"data " + data + " flag", "listen b:2 flag", "outbox.max 12 environment", "outbox.wait 3s shop.yaml", "hosts [localhost] default", "port default"}
	if diff := cmp.Diff(want, columns(out)); diff != "" {
		t.Error(diff)
	}
}

func TestPrintAsJSONIsAListOfKeyValueAndLayer(t *testing.T) {
	t.Parallel()
	code, out, problems := shop(t, &options{}, "--json", "--set", "listen=b:2", "config", "print")
	var values []map[string]string
	if err := json.Unmarshal([]byte(out), &values); code != exit.OK || err != nil {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, problems)
	}
	want := map[string]string{"key": "listen", "value": "b:2", "layer": "flag"}
	if len(values) != 6 || !cmp.Equal(values[1], want) {
		t.Errorf("%v; want six, the second %v", values, want)
	}
}

func TestValidateEndsWithTwoWhereAValueCannotWork(t *testing.T) {
	t.Parallel()
	if code, out, _ := shop(t, &options{}, "config", "validate"); code != exit.OK || !strings.Contains(out, "valid") {
		t.Errorf("the defaults: exit %d %s", code, out)
	}
	for name, c := range map[string]struct{ file, want string }{
		"a value out of range":       {"outbox: {max: 0}\n", "outbox.max: at least 1"},
		"a key that is none":         {"outbox: {maxx: 1}\n", `did you mean "outbox.max"`},
		"a word for a number":        {"outbox: {max: many}\n", "max"},
		"a file that is not YAML":    {"outbox: [\n", "shop.yaml"},
		"a time without its measure": {"outbox: {wait: soon}\n", "outbox.wait"},
	} {
		data := t.TempDir()
		write(t, filepath.Join(data, "shop.yaml"), c.file)
		code, out, problems := shop(t, &options{}, "--data", data, "config", "validate")
		if code != exit.Failed || !strings.Contains(problems, c.want) || out != "" {
			t.Errorf("%s: exit %d, %q, %q; want 2 and %q", name, code, out, problems, c.want)
		}
	}
}

func TestAConfigurationFileThatWasNamedMustBeThere(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "no.yaml")
	if code, _, problems := shop(t, &options{}, "--config", missing, "config", "validate"); code != exit.Failed || !strings.Contains(problems, missing) {
		t.Errorf("exit %d %s; want 2 and the file's name", code, problems)
	}
	if code, _, problems := shop(t, &options{}, "--data", t.TempDir(), "config", "validate"); code != exit.OK {
		t.Errorf("without a file: exit %d %s", code, problems)
	}
}

func TestInitWritesAFileThatMeansTheDefaultsAlsoWithItsCommentsTakenAway(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "new")
	path := filepath.Join(data, "shop.yaml")
	if code, out, problems := shop(t, &options{}, "--data", data, "config", "init"); code != exit.OK || !strings.Contains(out, path) {
		t.Fatalf("exit %d %s%s", code, out, problems)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want mode 0600", info, err)
	}
	want := defaults()
	var got options
	read := func(when string) {
		t.Helper()
		if code, _, problems := shop(t, &got, "--config", path, "config", "validate"); code != exit.OK {
			t.Fatalf("%s: exit %d %s", when, code, problems)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", when, diff)
		}
	}
	read("as it was written")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, values, _ := strings.Cut(string(text), "\n") // the first line says what to do
	write(t, path, regexp.MustCompile(`(?m)^# `).ReplaceAllString(values, ""))
	read("with all comments taken away")
}

func TestInitLeavesAFileThatIsThere(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	path := filepath.Join(data, "shop.yaml")
	write(t, path, "listen: mine:1\n")
	if code, _, problems := shop(t, &options{}, "--data", data, "config", "init"); code != exit.Failed || !strings.Contains(problems, path) {
		t.Errorf("exit %d %s; want 2 and the file's name", code, problems)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "listen: mine:1\n" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestSetSaysWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	for pair, want := range map[string]string{
		"listen":          `--set "listen": write KEY=VALUE`,
		"lsten=a:1":       `did you mean "listen"`,
		"outbox.max=many": "max",
		"outbox=1":        `unknown key "outbox"`,
		"":                "write KEY=VALUE",
	} {
		if code, _, problems := shop(t, &options{}, "--set", pair, "config", "print"); code != exit.Failed || !strings.Contains(problems, want) {
			t.Errorf("--set %q: exit %d %s; want 2 and %q", pair, code, problems, want)
		}
	}
	var got options
	if code, _, problems := shop(t, &got, "--set", "listen=a=b:1", "--set", "hosts=till.example", "config", "validate"); code != exit.OK || got.Listen != "a=b:1" || !cmp.Equal(got.Hosts, []string{"till.example"}) {
		t.Errorf("exit %d, %+v %s", code, got, problems)
	}
}

func TestSchemaListsTheDefaultsWhateverIsSet(t *testing.T) {
	t.Parallel()
	code, out, problems := shop(t, &options{}, "--set", "listen=b:2", "config", "schema")
	if code != exit.OK || !strings.Contains(strings.Join(columns(out), "\n"), "listen 127.0.0.1:1 default") {
		t.Errorf("exit %d %s%s", code, out, problems)
	}
}

func TestACommandsErrorIsToldOnStandardErrorAndGivesTheExitCode(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]struct {
		code     int
		problems string
	}{
		"fail":     {exit.Unreachable, "shop: no line\n  what to do: Check what is named; the data folder is named with --data. (unreachable)\n"},
		"worse":    {exit.Degraded, ""},
		"break":    {exit.Failed, "shop: it broke\n"},
		"nonsense": {exit.Failed, "shop: unknown command \"nonsense\" for \"shop\"\n  what to do: `COMMAND --help` lists what it takes. (usage)\n"},
	} {
		if code, out, problems := shop(t, &options{}, command); code != want.code || problems != want.problems || out != "" {
			t.Errorf("%s: exit %d, %q, %q; want %d, %q", command, code, out, problems, want.code, want.problems)
		}
	}
}

func TestWithJSONAnErrorIsOneProblemObjectWithItsCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		exit int
		code string
		says string
	}{
		{[]string{"--json", "fail"}, exit.Unreachable, "unreachable", "no line"},
		{[]string{"--json", "break"}, exit.Failed, "failed", "it broke"},
		{[]string{"--json", "nonsense"}, exit.Failed, "usage", "nonsense"},
		{[]string{"--nonsense", "--json", "break"}, exit.Failed, "usage", "--nonsense"},
		{[]string{"--json", "--set", "lsten=1", "config", "print"}, exit.Failed, "configuration", "did you mean"},
		{[]string{"--json", "--set", "listen", "config", "print"}, exit.Failed, "configuration", "KEY=VALUE"},
	} {
		code, out, problems := shop(t, &options{}, c.args...)
		var p problem.Problem
		if err := json.Unmarshal([]byte(problems), &p); err != nil {
			t.Errorf("%v: %v in %q", c.args, err, problems)
			continue
		}
		if code != c.exit || out != "" || p.Code != c.code || !strings.Contains(p.Detail, c.says) || p.Action.Label == "" {
			t.Errorf("%v: exit %d, %q, %+v; want %+v", c.args, code, out, p, c)
		}
	}
}

func TestTheLogHasTheLevelAndFormThatWereSet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ level, format, want string }{
		{"info", "text", `level=WARN msg="it rains" n=1`}, {"warn", "json", `"level":"WARN","msg":"it rains","n":1}`}, {"error", "text", ""}, {"debug", "json", `"msg":"it drizzles"`},
	} {
		var out bytes.Buffer
		log := program.Logger(&out, c.level, c.format)
		log.Warn("it rains", "n", 1)
		log.Debug("it drizzles")
		if !strings.Contains(out.String(), c.want) || (c.want == "") != (out.Len() == 0) || (c.level != "debug") == strings.Contains(out.String(), "drizzles") {
			t.Errorf("%s as %s: %q", c.level, c.format, fmt.Sprint(out.String()))
		}
	}
}

func TestTheConfigurationFileIsTheOneOfTheFolderOnlyWhereAFolderIsNamed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "etc.yaml"), "listen: etc:1\n")
	write(t, filepath.Join(folder, "shop.yaml"), "listen: data:1\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "etc:1"}, {[]string{"--data", folder}, "data:1"}, {[]string{"--config", filepath.Join(folder, "etc.yaml"), "--data", folder}, "etc:1"},
	} {
		p := &program.Program{Name: "shop", EnvPrefix: "TILLBOOK_PROGRAM_TEST", DefaultData: folder, DefaultConfig: filepath.Join(folder, "etc.yaml"), ConfigFile: "shop.yaml"}
		root := p.Root("a shop")
		var got options
		root.AddCommand(p.Config(got.load))
		var problems bytes.Buffer
		if code := p.Run(context.Background(), root, append(c.args, "config", "validate"), io.Discard, &problems); code != exit.OK || got.Listen != c.want {
			t.Errorf("%q: exit %d, listen %s, want %s %s", c.args, code, got.Listen, c.want, problems.String())
		}
	}
}
