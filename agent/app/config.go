package app

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tillbook.example/tillbook/agent/host"
	"tillbook.example/tillbook/agent/uplink/mqtt"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/settings"
	"tillbook.example/tillbook/shared/suggest"
)

// EnvPrefix begins the names of the agent's environment variables:
// TILLBOOK_AGENT__LISTEN, TILLBOOK_AGENT__OUTBOX__MAX_MIB.
const EnvPrefix = "TILLBOOK_AGENT"

// Config is all that can be set.
type Config struct {
	Data    string   `koanf:"data"`   // folder of identity, outbox and token
	Listen  string   `koanf:"listen"` // loopback address of the local service
	Proxy   string   `koanf:"proxy"`  // URL of the proxy on the way to the collector; empty: as the environment says
	Log     Log      `koanf:"log"`
	Outbox  Outbox   `koanf:"outbox"`
	Uplink  Uplink   `koanf:"uplink"`
	Carrier Carrier  `koanf:"carrier"`
	Sources []Source `koanf:"sources"`
}

// Carrier is how the uplink reaches the collector.
type Carrier struct {
	Kind        string `koanf:"kind"`        // grpc, mqtt
	Broker      string `koanf:"broker"`      // of mqtt: tls://HOST:PORT or wss://HOST/PATH
	Authorities string `koanf:"authorities"` // PEM file of who signed the broker's certificate; empty: the collector's authority
}

// Log says what is logged and how.
type Log struct {
	Level  string `koanf:"level"`  // debug, info, warn, error
	Format string `koanf:"format"` // text, json
}

// Outbox bounds the durable buffer.
type Outbox struct {
	MaxMiB      int64 `koanf:"max_mib"`       // the most the folder may take
	SoftFreeMiB int64 `koanf:"soft_free_mib"` // free space below which only sales go on
	HardFreeMiB int64 `koanf:"hard_free_mib"` // free space below which sales are refused
}

// Source is one way in beside the push over HTTP, which is always there.
type Source struct {
	Name     string        `koanf:"name"`
	Kind     string        `koanf:"kind"` // filedrop
	Folder   string        `koanf:"folder"`
	Patterns []string      `koanf:"patterns"`
	Format   string        `koanf:"format"`   // poslog, document; or
	Recipe   string        `koanf:"recipe"`   // path of a recipe
	Terminal string        `koanf:"terminal"` // where the files state none
	Zone     string        `koanf:"zone"`     // of times without one; default: the store's
	Encoding string        `koanf:"encoding"`
	Settle   time.Duration `koanf:"settle"`
	Quiet    time.Duration `koanf:"quiet"`
	MoveTo   string        `koanf:"move_to"` // folder for finished files; empty: they are never touched
}

// Defaults returns the configuration before anything is set.
func Defaults() Config {
	data, _ := host.Paths()
	return Config{
		Data: data, Listen: "127.0.0.1:7410",
		Log:    Log{Level: "info", Format: "text"},
		Outbox: Outbox{MaxMiB: 2048, SoftFreeMiB: 1024, HardFreeMiB: 256}, Carrier: Carrier{Kind: carrierGRPC},
	}
}

// Load reads the layers over the defaults and checks the result.
func Load(layers ...settings.Layer) (Config, []settings.Origin, error) {
	c := Defaults()
	origins, err := settings.Load(&c, layers...)
	if err != nil {
		return c, nil, err
	}
	return c, origins, c.Check()
}

// Check reports every setting that cannot work.
func (c Config) Check() error {
	var problems []error
	bad := func(key, what string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: %s", key, fmt.Sprintf(what, args...)))
	}
	if c.Data == "" {
		bad("data", "the data folder is not set")
	}
	if !loopback(c.Listen) {
		bad("listen", "%q is not a loopback address; the local service must not be reachable from outside (use 127.0.0.1:PORT)", c.Listen)
	}
	if p, err := url.Parse(c.Proxy); c.Proxy != "" && (err != nil || p.Host == "" || p.Scheme != "http" && p.Scheme != "https") {
		bad("proxy", "write http://HOST:PORT, with USER:PASSWORD@ before the host if it asks for one")
	}
	oneOf := func(key, got string, known ...string) {
		if !slices.Contains(known, got) {
			bad(key, "%q is not one of %s%s", got, strings.Join(known, ", "), suggest.DidYouMean(got, known))
		}
	}
	oneOf("carrier.kind", c.Carrier.Kind, carrierGRPC, carrierMQTT)
	if c.Carrier.Kind == carrierMQTT {
		if err := mqtt.Check(c.Carrier.Broker); err != nil {
			bad("carrier.broker", "%v", err)
		}
	} else if c.Carrier.Broker != "" || c.Carrier.Authorities != "" {
		bad("carrier.broker", "only the carrier mqtt has a broker; set carrier.kind to mqtt, or leave broker and authorities out")
	}
	oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf("log.format", c.Log.Format, "text", "json")
	if c.Outbox.MaxMiB < 96 {
		bad("outbox.max_mib", "%d MiB is too little: at least 96", c.Outbox.MaxMiB)
	}
	if k := c.Uplink.MaxKbps; k < 0 || k > 0 && k < 16 {
		bad("uplink.max_kbps", "%d kbit/s is too little: at least 16, or 0 for no limit", k)
	}
	if _, err := parseHours(c.Uplink.OpenHours); err != nil {
		bad("uplink.open_hours", "%v", err)
	}
	names := map[string]bool{}
	for i, s := range c.Sources {
		key := fmt.Sprintf("sources.%d", i)
		if s.Name == "" || names[s.Name] || strings.Contains(s.Name, "/") {
			bad(key+".name", "%q: each source needs a name of its own, without /", s.Name)
		}
		names[s.Name] = true
		oneOf(key+".kind", s.Kind, "filedrop")
		if s.Folder == "" {
			bad(key+".folder", "the folder is not set")
		}
		if len(s.Patterns) == 0 {
			bad(key+".patterns", "name the files, such as [\"*.xml\"]")
		}
		for _, p := range s.Patterns {
			if _, err := filepath.Match(p, "x"); err != nil {
				bad(key+".patterns", "%q is not a file name pattern", p)
			}
		}
		if (s.Format == "") == (s.Recipe == "") {
			bad(key, "set either format or recipe")
		}
		if s.Zone != "" {
			if _, err := bizday.NewRule(s.Zone, ""); err != nil {
				problems = append(problems, fmt.Errorf("%s.zone: %w", key, err))
			}
		}
	}
	return errors.Join(problems...)
}
