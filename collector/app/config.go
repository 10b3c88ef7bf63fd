package app

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake/mqtt"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/target/quickbooks"
	"tillbook.example/tillbook/collector/target/xero"
	"tillbook.example/tillbook/collector/work"
	"tillbook.example/tillbook/shared/settings"
	"tillbook.example/tillbook/shared/suggest"
)

// EnvPrefix begins the names of the collector's environment variables:
// TILLBOOK_COLLECTOR__AGENTS__LISTEN.
const EnvPrefix = "TILLBOOK_COLLECTOR"

// Config is all that can be set.
type Config struct {
	Data     string   `koanf:"data"` // folder of database and authority
	Role     string   `koanf:"role"` // what this process does, as ParseRoles reads it
	Database Database `koanf:"database"`
	Agents   Agents   `koanf:"agents"`
	MQTT     MQTT     `koanf:"mqtt"`
	Clouds   Clouds   `koanf:"clouds"`
	Webhooks Webhooks `koanf:"webhooks"`
	Ops      Ops      `koanf:"ops"`
	Work     Work     `koanf:"work"`
	Stop     Stop     `koanf:"stop"`
	Limits   Limits   `koanf:"limits"`
	Log      Log      `koanf:"log"`
}

// Agents is where agents connect.
type Agents struct {
	Listen string   `koanf:"listen"` // host:port for gRPC
	Hosts  []string `koanf:"hosts"`  // names and addresses in the server certificate; the first is used in join strings
	Port   string   `koanf:"port"`   // in join strings, where it is not the port of listen
	// Recovery is how long after its certificate's end an agent may come back by itself.
	Recovery time.Duration `koanf:"recovery"`
}

// MQTT is a broker that agents may speak over.
type MQTT struct {
	Broker      string `koanf:"broker"`      // tls://HOST:PORT or wss://HOST/PATH; empty: none
	Share       string `koanf:"share"`       // group of collectors that share the sessions; empty: this one is alone
	Certificate string `koanf:"certificate"` // PEM file: what the broker knows this collector by
	Key         string `koanf:"key"`         // PEM file
	Authorities string `koanf:"authorities"` // PEM file of who signed the broker's certificate; empty: our own authority
}

// Clouds are the accounting systems in the cloud that this collector has an app at.
type Clouds struct {
	Xero       CloudApp `koanf:"xero"`
	QuickBooks CloudApp `koanf:"quickbooks"`
}

// CloudApp is the collector's app at one of them; the addresses are the system's
// own unless a stand-in is tried.
type CloudApp struct {
	ClientID         string `koanf:"client_id"` // empty: nothing is posted there
	ClientSecretFile string `koanf:"client_secret_file"`
	WebhookKeyFile   string `koanf:"webhook_key_file"` // what the vendor signs its messages with; empty: none is taken
	API              string `koanf:"api"`
	Authorize        string `koanf:"authorize"` // where a merchant consents
	Token            string `koanf:"token"`
	Revoke           string `koanf:"revoke"`
}

// Webhooks is where vendors tell of changes, behind something that speaks TLS.
type Webhooks struct {
	Listen  string `koanf:"listen"`  // empty: nowhere
	Address string `koanf:"address"` // https address that sources of feeds know it by, without /webhooks
}

// Ops is where metrics and health are.
type Ops struct {
	Listen string `koanf:"listen"`
}

// Database is where everything is kept: at most one of both.
type Database struct {
	Path string `koanf:"path"` // SQLite file; empty: in the data folder
	DSN  string `koanf:"dsn"`  // PostgreSQL database that several collectors may share
}

// Work paces the rooms that close and post days.
type Work struct {
	Every time.Duration `koanf:"every"` // between looks at the days
	Audit time.Duration `koanf:"audit"` // between audits of the promises
	// Term is how long a collector on a shared database may be silent until others
	// take its work over.
	Term time.Duration `koanf:"term"`
}

// Stop is how the collector ends when it is told to.
type Stop struct {
	// Grace is how long it goes on as before, but not ready, so that whoever sends
	// agents here sees it in time.
	Grace time.Duration `koanf:"grace"`
	// Limit is how long what is in hand then may take before it is cut off.
	Limit time.Duration `koanf:"limit"`
}

// Limits are what one process takes from outside.
type Limits struct {
	Connections      int `koanf:"connections"`       // to agents.listen, agents' or not
	Sessions         int `koanf:"sessions"`          // of agents
	MerchantSessions int `koanf:"merchant_sessions"` // of one merchant's agents
	AgentSessions    int `koanf:"agent_sessions"`    // of one agent: a new one ends the oldest
	AgentMessages    int `koanf:"agent_messages"`    // a second, of one agent; ten seconds' worth may come at once
}

// Log says what is logged and how.
type Log struct {
	Level  string `koanf:"level"`
	Format string `koanf:"format"`
}

// Defaults returns the configuration before anything is set.
func Defaults() Config {
	return Config{
		Data:   "/var/lib/tillbook-collector",
		Role:   everything,
		Agents: Agents{Listen: "0.0.0.0:7443", Hosts: []string{"localhost"}, Recovery: fleet.DefaultRecovery},
		Clouds: Clouds{
			Xero:       CloudApp{API: xero.API, Authorize: xero.AuthorizeURL, Token: xero.TokenURL, Revoke: xero.RevokeURL},
			QuickBooks: CloudApp{API: quickbooks.API, Authorize: quickbooks.AuthorizeURL, Token: quickbooks.TokenURL, Revoke: quickbooks.RevokeURL},
		},
		Ops:    Ops{Listen: "127.0.0.1:7420"},
		Work:   Work{Every: 5 * time.Second, Audit: 15 * time.Minute, Term: work.DefaultTerm},
		Stop:   Stop{Limit: 20 * time.Second},
		Limits: Limits{Connections: 20_000, Sessions: 10_000, MerchantSessions: 5_000, AgentSessions: 4, AgentMessages: 200},
		Log:    Log{Level: "info", Format: "text"},
	}
}

// Load reads the layers over the defaults and checks the result.
func Load(layers ...settings.Layer) (Config, []settings.Origin, error) {
	c := Defaults()
	origins, err := settings.Load(&c, layers...)
	if err != nil {
		return c, nil, err
	}
	for i := range origins {
		if origins[i].Key == "database.dsn" {
			origins[i].Value = redacted(origins[i].Value)
		}
	}
	return c, origins, c.Check()
}

// passwords finds them in a DSN: after the user of a URL, or as a word.
var passwords = regexp.MustCompile(`(://[^/?#:@]*:)[^/?#]*(@)|(password\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^\s&]*)`)

// redacted is a DSN without its password, to be shown.
func redacted(dsn string) string { return passwords.ReplaceAllString(dsn, "${1}${3}xxxxx${2}") }

// Check reports every setting that cannot work.
func (c Config) Check() error {
	var problems []error
	bad := func(key, what string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: %s", key, fmt.Sprintf(what, args...)))
	}
	oneOf := func(key, got string, known ...string) {
		if !slices.Contains(known, got) {
			bad(key, "%q is not one of %s%s", got, strings.Join(known, ", "), suggest.DidYouMean(got, known))
		}
	}
	if c.Data == "" {
		bad("data", "the data folder is not set")
	}
	switch roles, err := ParseRoles(c.Role); {
	case err != nil:
		bad("role", "%v", err)
	case roles.String() != everything && c.Database.DSN == "":
		bad("role", "the parts of a collector share a PostgreSQL database: set database.dsn, or keep the role %q", everything)
	}
	for key, address := range map[string]string{"agents.listen": c.Agents.Listen, "ops.listen": c.Ops.Listen} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			bad(key, "%q is not an address (HOST:PORT)", address)
		}
	}
	if at := c.Webhooks.Listen; at != "" {
		if _, _, err := net.SplitHostPort(at); err != nil {
			bad("webhooks.listen", "%q is not an address (HOST:PORT)", at)
		}
	}
	if at := c.Webhooks.Address; at != "" {
		if wrong := merchant.SecureURL(at); wrong != "" {
			bad("webhooks.address", "%q %s", at, wrong)
		}
	}
	if len(c.Agents.Hosts) == 0 {
		bad("agents.hosts", "name at least one host that agents reach this collector by")
	}
	if c.Agents.Recovery < time.Hour || c.Agents.Recovery > 2*365*24*time.Hour {
		bad("agents.recovery", "%s: from one hour to two years", c.Agents.Recovery)
	}
	switch m := c.MQTT; {
	case m.Broker == "" && m != (MQTT{}):
		bad("mqtt.broker", "the broker's address is not set, the rest of mqtt is")
	case m.Broker != "":
		if err := mqtt.Check(m.Broker, m.Share); err != nil {
			bad("mqtt", "%v", err)
		}
		if m.Certificate == "" || m.Key == "" {
			bad("mqtt.certificate", "name the PEM files of the certificate and the key that the broker knows this collector by")
		}
	}
	for name, cloud := range map[string]CloudApp{"xero": c.Clouds.Xero, "quickbooks": c.Clouds.QuickBooks} {
		cloud.check(func(key, what string, args ...any) { bad("clouds."+name+"."+key, what, args...) })
	}
	if c.Work.Every < 10*time.Millisecond {
		bad("work.every", "%s is too often", c.Work.Every)
	}
	if c.Database.Path != "" && c.Database.DSN != "" {
		bad("database", "both path and dsn are set; keep one")
	}
	if c.Work.Term < time.Second || c.Work.Term > time.Hour {
		bad("work.term", "%s: from one second to one hour", c.Work.Term)
	}
	if c.Work.Audit < time.Second {
		bad("work.audit", "%s is too often", c.Work.Audit)
	}
	if c.Stop.Grace < 0 || c.Stop.Grace > time.Hour {
		bad("stop.grace", "%s: up to one hour", c.Stop.Grace)
	}
	if c.Stop.Limit < time.Second || c.Stop.Limit > time.Hour {
		bad("stop.limit", "%s: from one second to one hour", c.Stop.Limit)
	}
	for key, n := range map[string]int{
		"connections": c.Limits.Connections, "sessions": c.Limits.Sessions, "merchant_sessions": c.Limits.MerchantSessions,
		"agent_sessions": c.Limits.AgentSessions, "agent_messages": c.Limits.AgentMessages,
	} {
		if n < 1 || n > 1_000_000 {
			bad("limits."+key, "%d: from 1 to 1,000,000", n)
		}
	}
	oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf("log.format", c.Log.Format, "text", "json")
	return errors.Join(problems...)
}

// JoinHost returns the host and port that a join string names.
func (c Config) JoinHost() (string, error) {
	port := c.Agents.Port
	if port == "" {
		var err error
		if _, port, err = net.SplitHostPort(c.Agents.Listen); err != nil {
			return "", fmt.Errorf("agents.listen: %w", err)
		}
	}
	return net.JoinHostPort(c.Agents.Hosts[0], port), nil
}
