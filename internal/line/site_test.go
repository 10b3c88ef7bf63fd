package line_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	google "google.golang.org/grpc"

	"tillbook.example/tillbook/agent/uplink"
	agentgrpc "tillbook.example/tillbook/agent/uplink/grpc"
	agentmqtt "tillbook.example/tillbook/agent/uplink/mqtt"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	collectorgrpc "tillbook.example/tillbook/collector/intake/grpc"
	"tillbook.example/tillbook/collector/intake/intaketest"
	collectormqtt "tillbook.example/tillbook/collector/intake/mqtt"
	"tillbook.example/tillbook/internal/mosquitto"
	"tillbook.example/tillbook/internal/tunnel"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/pki"
)

// Ways from agents to collectors.
const (
	overGRPC = "gRPC"
	overMQTT = "MQTT"
	overWSS  = "MQTT over WebSockets"
)

// site is a database with collectors that listen on the loopback interface, or
// with a broker beside it.
type site struct {
	t         testing.TB
	over      string
	authority *pki.Authority
	store     *intaketest.Store
	presence  *intaketest.Presence
	options   []func(*intake.Options) // of collectors that start from now on
	share     string                  // group of collectors that do

	address string // where agents connect, or the broker listens
	server  *tls.Config
	broker  *mosquitto.Broker
	stop    func() // the first collector

	services []*intake.Service // of all collectors there have been

	mu      sync.Mutex
	known   map[string]fleet.Identity // by agent
	revoked map[fleet.Identity]bool
}

// newSite starts a site with one collector, whose options may be changed.
func newSite(t testing.TB, over string, change ...func(*intake.Options)) *site {
	t.Helper()
	authority, err := pki.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{
		t: t, over: over, authority: authority, store: intaketest.NewStore(), presence: &intaketest.Presence{}, address: "127.0.0.1:0",
		known: map[string]fleet.Identity{}, revoked: map[fleet.Identity]bool{}, options: change,
	}
	if over == overGRPC {
		certificate, err := authority.Server([]string{"127.0.0.1", mosquitto.Host}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		s.server = &tls.Config{
			Certificates: []tls.Certificate{certificate}, ClientCAs: authority.Pool(),
			ClientAuth: tls.VerifyClientCertIfGiven, MinVersion: tls.VersionTLS12,
		}
	} else {
		s.broker = mosquitto.Start(t, "../../docs/mqtt.md", authority)
		s.address = s.broker.Addr()
		if over == overWSS {
			s.address = s.broker.WebSocketsAddr()
		}
	}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *site) start() { s.t.Helper(); s.stop = s.collect() }

func (s *site) halt() { s.stop() }

func (s *site) revoke(id fleet.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked[id] = true
}

// collect starts a collector, at the address of the one before over gRPC, and
// returns what stops it.
func (s *site) collect() (stop func()) {
	s.t.Helper()
	o := intake.Options{
		Store: s.store, Presence: s.presence, Logger: slog.New(slog.DiscardHandler),
		Day: func(_ context.Context, _ fleet.Identity, d *document.Document) (bizday.Day, error) {
			return "2026-03-02", nil
		},
		Allowed: func(_ context.Context, id fleet.Identity) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.revoked[id] {
				return fleet.ErrRevoked
			}
			return nil
		},
	}
	for _, change := range s.options {
		change(&o)
	}
	service, err := intake.NewService(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.services = append(s.services, service)
	if s.over == overGRPC {
		return s.serve(service)
	}
	carrier, err := collectormqtt.New(collectormqtt.Options{
		Intake: service, Broker: brokerURL(overMQTT, s.broker.Addr()), Share: s.share, Logger: slog.New(slog.DiscardHandler),
		TLS: func() (*tls.Config, error) { return s.broker.Collector, nil }, MinWait: 20 * time.Millisecond, MaxWait: 200 * time.Millisecond,
		Identify: func(_ context.Context, merchant, agent string) (fleet.Identity, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if id, ok := s.known[agent]; ok && id.Merchant == merchant {
				return id, nil
			}
			return fleet.Identity{}, fleet.ErrUnknown
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- carrier.Run(ctx) }()
	var once sync.Once
	return func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				s.t.Errorf("the collector's carrier stopped: %v", err)
			}
		})
	}
}

func (s *site) serve(service *intake.Service) (stop func()) {
	s.t.Helper()
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.address = listener.Addr().String()
	server := google.NewServer(collectorgrpc.ServerOptions(s.server)...)
	tillbookv1.RegisterCollectorServer(server, collectorgrpc.New(service, func(c *x509.Certificate) (fleet.Identity, error) {
		name, err := pki.NameOf(c)
		return fleet.Identity(name), err
	}))
	go func() { _ = server.Serve(listener) }() // ends with Stop
	return server.Stop
}

// certificate returns one for an agent that an authority signed.
func certificate(t testing.TB, authority *pki.Authority, id fleet.Identity) tls.Certificate {
	t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	request, err := pki.Request(key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := authority.Agent(request, pki.Name(id), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// dial returns the carrier of an agent whose certificate is signed by authority;
// nil: it has none.
func (s *site) dial(authority *pki.Authority, id fleet.Identity) uplink.Carrier {
	s.t.Helper()
	return s.dialAt(s.address, nil, authority, id)
}

// dialAt connects to an address, through a proxy where one is given.
func (s *site) dialAt(address string, proxy tunnel.Proxy, authority *pki.Authority, id fleet.Identity) uplink.Carrier {
	s.t.Helper()
	s.mu.Lock()
	s.known[id.Agent] = id
	s.mu.Unlock()
	config := &tls.Config{RootCAs: s.authority.Pool()}
	if authority != nil {
		config.Certificates = []tls.Certificate{certificate(s.t, authority, id)}
	}
	with := func() (*tls.Config, error) { return config, nil }
	var carrier uplink.Carrier
	var err error
	if s.over == overGRPC {
		carrier, err = agentgrpc.New(agentgrpc.Options{Target: address, TLS: with, Proxy: proxy})
	} else {
		carrier, err = agentmqtt.New(agentmqtt.Options{
			Broker: brokerURL(s.over, address), Merchant: id.Merchant, Agent: id.Agent, Proxy: proxy,
			TLS: func(string) (*tls.Config, error) { return config, nil },
		})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return carrier
}

// brokerURL is a broker's address as it is configured.
func brokerURL(over, address string) string {
	if over == overWSS {
		return "wss://" + address + "/mqtt"
	}
	return "tls://" + address
}
