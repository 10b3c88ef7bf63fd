package app

import (
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/shared/settings"
)

// good is a configuration with one source, as an installer writes it.
func good() Config {
	c := Defaults()
	c.Sources = []Source{{Name: "till-1", Kind: "filedrop", Folder: "/tills", Patterns: []string{"*.xml"}, Format: "poslog", Zone: "Europe/London"}}
	return c
}

func TestEachSettingThatCannotWorkIsNamedWithWhatToDo(t *testing.T) {
	t.Parallel()
	if err := good().Check(); err != nil {
		t.Fatalf("a good configuration: %v", err)
	}
	for name, c := range map[string]struct {
		change func(c *Config)
		want   []string // all of them stand in the error
	}{
		"no data folder":         {func(c *Config) { c.Data = "" }, []string{"data: ", "not set"}},
		"a level that is none":   {func(c *Config) { c.Log.Level = "warm" }, []string{"log.level: ", "debug, info, warn, error", `did you mean "warn"`}},
		"a format that is none":  {func(c *Config) { c.Log.Format = "xml" }, []string{"log.format: ", "text, json"}},
		"a carrier that is none": {func(c *Config) { c.Carrier.Kind = "mqqt" }, []string{"carrier.kind: ", "grpc, mqtt"}},
		"mqtt without a broker":  {func(c *Config) { c.Carrier.Kind = "mqtt" }, []string{"carrier.broker: ", "tls://HOST:PORT"}},
		"a broker in the open":   {func(c *Config) { c.Carrier.Kind, c.Carrier.Broker = "mqtt", "tcp://broker:1883" }, []string{"carrier.broker: ", "tls://HOST:PORT"}},
		"a broker for gRPC":      {func(c *Config) { c.Carrier.Broker = "tls://broker:8883" }, []string{"carrier.broker: ", "set carrier.kind to mqtt"}},
		"a proxy without scheme": {func(c *Config) { c.Proxy = "proxy:3128" }, []string{"proxy: ", "http://HOST:PORT"}},
		"too small an outbox":    {func(c *Config) { c.Outbox.MaxMiB = 95 }, []string{"outbox.max_mib: ", "at least 96"}},
		"a source without name":  {func(c *Config) { c.Sources[0].Name = "" }, []string{"sources.0.name: ", "a name of its own"}},
		"two of one name":        {func(c *Config) { c.Sources = append(c.Sources, c.Sources[0]) }, []string{"sources.1.name: ", "a name of its own"}},
		"a name with a slash":    {func(c *Config) { c.Sources[0].Name = "a/b" }, []string{"sources.0.name: ", "without /"}},
		"a kind that is none":    {func(c *Config) { c.Sources[0].Kind = "filedrp" }, []string{"sources.0.kind: ", `did you mean "filedrop"`}},
		"no folder":              {func(c *Config) { c.Sources[0].Folder = "" }, []string{"sources.0.folder: ", "not set"}},
		"no patterns":            {func(c *Config) { c.Sources[0].Patterns = nil }, []string{"sources.0.patterns: ", `["*.xml"]`}},
		"a broken pattern":       {func(c *Config) { c.Sources[0].Patterns = []string{"[a"} }, []string{"sources.0.patterns: ", `"[a"`}},
		"no format":              {func(c *Config) { c.Sources[0].Format = "" }, []string{"sources.0: ", "either format or recipe"}},
		"format and recipe":      {func(c *Config) { c.Sources[0].Recipe = "r.yaml" }, []string{"sources.0: ", "either format or recipe"}},
		"a zone that is none":    {func(c *Config) { c.Sources[0].Zone = "Mars" }, []string{"sources.0.zone: ", "Mars"}},
	} {
		config := good()
		c.change(&config)
		err := config.Check()
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q in it", name, err, want)
			}
		}
	}
}

func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	t.Parallel()
	c := good()
	c.Data, c.Listen, c.Sources[0].Folder = "", "0.0.0.0:7410", ""
	if lines := strings.Split(c.Check().Error(), "\n"); len(lines) != 3 {
		t.Errorf("%d problems told, want 3: %q", len(lines), lines)
	}
}

func TestTheLocalServiceListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	for address, allowed := range map[string]bool{
		"127.0.0.1:7410": true, "127.8.8.8:0": true, "localhost:7410": true, "[::1]:7410": true,
		"0.0.0.0:7410": false, ":7410": false, "[::]:7410": false, "192.168.1.7:7410": false, "till-pc:7410": false,
		"localhost.example:7410": false, "127.0.0.1": false, "": false,
	} {
		c := good()
		c.Listen = address
		err := c.Check()
		switch {
		case allowed && err != nil:
			t.Errorf("%q: %v", address, err)
		case !allowed && (err == nil || !strings.Contains(err.Error(), "listen: ") || !strings.Contains(err.Error(), "127.0.0.1:PORT")):
			t.Errorf("%q: %v; want the key and what to write instead", address, err)
		}
	}
}

func TestAFileIsReadOverTheDefaultsAndChecked(t *testing.T) {
	t.Parallel()
	layer, err := settings.YAML("agent.yaml", []byte("outbox: {max_mib: 512}\nsources:\n- {name: a, kind: filedrop, folder: /f, patterns: [\"*.csv\"], recipe: /r.yaml, settle: 5s}\n"))
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := Load(layer)
	if err != nil || c.Outbox.MaxMiB != 512 || c.Outbox.HardFreeMiB != Defaults().Outbox.HardFreeMiB || len(c.Sources) != 1 || c.Sources[0].Settle != 5*time.Second {
		t.Errorf("%+v, %v", c, err)
	}
	if _, _, err := Load(settings.Values("flag", map[string]string{"listen": "0.0.0.0:1"})); err == nil {
		t.Error("a bad value was not checked after loading")
	}
}
