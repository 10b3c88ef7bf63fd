package diagnose

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"tillbook.example/tillbook/agent/host"
	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/shared/problem"
)

// What a check may find.
const (
	Pass = "PASS"
	Warn = "WARN"
	Fail = "FAIL"
	Skip = "SKIP" // it cannot be told here, or not before something else is right
)

// checkLimit bounds one check.
const checkLimit = 15 * time.Second

// Result is what one check found. Its JSON is stable.
type Result struct {
	Check  string `json:"check"`
	Grade  string `json:"result"`         // Pass, ...
	Code   string `json:"code,omitempty"` // of the error table, for Warn and Fail
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"` // what to do
	Fixed  bool   `json:"fixed,omitempty"`

	repair func() error // where it is safe
}

// Report is what doctor found.
type Report struct {
	At      time.Time `json:"at"`
	Version string    `json:"version"`
	Worst   string    `json:"result"` // Pass, Warn or Fail
	Results []Result  `json:"checks"`
}

// Subject is the agent that is examined, running or stopped, enrolled or not.
type Subject struct {
	Now      time.Time
	Version  string
	Config   error    // what is wrong with the configuration
	Data     string   // folder
	Secrets  []string // files that only the service's account may read; those that are not there do not count
	Listen   string   // configured address of the local service
	Left     string   // address that the service left for commands, empty for none
	LeftFile string   // where it stands
	SoftFree uint64   // bytes
	HardFree uint64   // bytes
	Status   *Status  // of the running service; nil: none answers
	Verify   func() (outbox.Report, error)
	Sources  []Source
	Identity *Identity // nil: none, or it cannot be read
	Joined   error     // why there is none
	Ways     []Way     // to the collector; the first is the one that is used
	Explain  func(err error, now time.Time) (code, text string)
	Machine  Machine
}

// Identity is what is known of the agent's identity, without its key.
type Identity struct {
	Merchant  string    `json:"merchant"`
	Store     string    `json:"store"`
	Agent     string    `json:"agent"`
	Collector string    `json:"collector"` // host:port
	Zone      string    `json:"zone"`
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial"`
	Since     time.Time `json:"not_before"`
	Until     time.Time `json:"not_after"`
	Kept      string    `json:"key_protection"`
}

// Source is a watched folder.
type Source struct {
	Name, Folder, Zone string
	Patterns           []string
	Moves              bool         // finished files are moved away
	Format             func() error // why its format or recipe cannot be used
}

// Way is a way to the collector. Without the agent's key only its address is
// known.
type Way struct {
	Name    string                      // grpc, mqtt
	Address string                      // host:port that it begins with
	TLS     func() (*tls.Config, error) // for a connection to that; nil: the key is not there
	Carrier uplink.Carrier              // nil: likewise
}

// Machine is what doctor asks of the machine and of the network.
type Machine interface {
	// Private says whether nobody but its owner may look into a file or folder;
	// known is false where that cannot be told.
	Private(path string) (private, known bool, err error)
	// Write makes and removes a file in a folder.
	Write(folder string) error
	// Sync returns how long it takes to have some bytes kept in a folder.
	Sync(folder string) (time.Duration, error)
	// Free returns the free bytes of a folder's disk.
	Free(folder string) (uint64, error)
	// Listens says whether anything listens at an address.
	Listens(ctx context.Context, address string) bool
	// Proxy returns the proxy on the way to an address, without its login; empty: none.
	Proxy(address string) (string, error)
	Resolve(ctx context.Context, name string) error
	// Connect makes a TCP connection, through the proxy if there is one.
	Connect(ctx context.Context, address string) error
	// Encrypt makes a TLS connection over one.
	Encrypt(ctx context.Context, address string, config *tls.Config) error
	Service() (host.State, error)
}

// Check is one thing that is looked at.
type Check struct {
	Name string
	Run  func(ctx context.Context) Result
}

// Examine looks at everything. With fix it sets right what is safe to, and looks
// again.
func Examine(ctx context.Context, s Subject, fix bool) Report {
	r := Report{At: s.Now, Version: s.Version, Worst: Pass}
	for _, check := range s.Checks() {
		found := check.run(ctx)
		if fix && found.repair != nil {
			if err := found.repair(); err != nil {
				found.Detail += "; it could not be set right: " + err.Error()
			} else {
				found = check.run(ctx)
				found.Fixed = true
			}
		}
		r.Results = append(r.Results, found)
		if found.Grade == Fail || found.Grade == Warn && r.Worst == Pass {
			r.Worst = found.Grade
		}
	}
	return r
}

func (c Check) run(ctx context.Context) Result {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	found := c.Run(ctx)
	found.Check = c.Name
	return found
}

// Checks are all checks, in the order in which one depends on another.
func (s *Subject) Checks() []Check {
	way := &way{Subject: s}
	checks := []Check{
		{"configuration", s.configuration}, {"data folder", s.folder}, {"permissions", s.permissions}, {"disk space", s.space},
		{"disk sync", s.sync}, {"buffer", s.buffer}, {"identity", s.identity}, {"certificate", s.certificate}, {"clock", s.clock},
		{"time zone", s.zones}, {"service", s.service}, {"local port", s.port},
		{"name", way.name}, {"line", way.line}, {"encryption", way.encryption}, {"collector", way.collector}, {"other way", way.other},
		{"version", s.version},
	}
	for _, source := range s.Sources {
		checks = append(checks, Check{"source " + source.Name, func(context.Context) Result { return s.source(source) }})
	}
	return checks
}

func pass(detail string, args ...any) Result {
	return Result{Grade: Pass, Detail: fmt.Sprintf(detail, args...)}
}

func skip(detail string, args ...any) Result {
	return Result{Grade: Skip, Detail: fmt.Sprintf(detail, args...)}
}

// found is a result with a code; what to do is the table's.
func found(grade, code, detail string, args ...any) Result {
	r := Result{Grade: grade, Code: code, Detail: fmt.Sprintf(detail, args...)}
	if kind, ok := problem.Find(code); ok {
		r.Fix = kind.Fix
		if r.Detail == "" {
			r.Detail = kind.Title
		}
	}
	return r
}

func (r Result) repairedBy(repair func() error) Result {
	r.repair = repair
	return r
}
