package line_test

import (
	"crypto/tls"
	"strings"
	"sync"
	"testing"
	"time"

	"tillbook.example/tillbook/agent/uplink/uplinktest"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/internal/broker"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
	"tillbook.example/tillbook/shared/wire"
)

// york is another agent of the same merchant, paris one of another merchant.
var (
	york  = fleet.Identity{Merchant: "acme", Store: "York", Agent: "a2"}
	paris = fleet.Identity{Merchant: "boulanger", Store: "Paris", Agent: "b1"}
)

// client is a connection with the broker as whoever a certificate names.
type client struct {
	t testing.TB
	*broker.Client
	mu    sync.Mutex
	heard []string // topics
	came  chan struct{}
}

func (s *site) client(config *tls.Config, name string) *client {
	s.t.Helper()
	c := &client{t: s.t, came: make(chan struct{}, 1000)}
	connection, err := broker.Connect(s.t.Context(), broker.Options{
		URL: brokerURL(overMQTT, s.broker.Addr()), TLS: config, ID: name,
		WillTopic: "v1/nobody", KeepAlive: time.Minute, MaxPacket: 1 << 20,
		Receive: func(topic string, _ []byte) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.heard = append(c.heard, topic)
			c.came <- struct{}{}
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(connection.Close)
	c.Client = connection
	return c
}

func (s *site) as(id fleet.Identity) *client {
	s.t.Helper()
	return s.client(&tls.Config{RootCAs: s.authority.Pool(), Certificates: []tls.Certificate{certificate(s.t, s.authority, id)}}, "test-"+id.Agent)
}

func (c *client) say(topic, payload string) {
	c.t.Helper()
	if err := c.Publish(c.t.Context(), topic, []byte(payload)); err != nil {
		c.t.Fatal(err)
	}
}

// until waits until a topic was heard, and returns all that were.
func (c *client) until(topic string) []string {
	c.t.Helper()
	for late := time.After(patience); ; {
		select {
		case <-c.came:
		case <-late:
			c.t.Fatalf("%s is not heard, only %q", topic, c.heard)
		}
		c.mu.Lock()
		heard := append([]string(nil), c.heard...)
		c.mu.Unlock()
		for _, h := range heard {
			if h == topic {
				return heard
			}
		}
	}
}

func TestNobodySpeaksOrListensUnderAnothersTopic(t *testing.T) {
	t.Parallel()
	s := newSite(t, overMQTT)
	collector := s.client(s.broker.Collector, "observer")
	if err := collector.Subscribe(t.Context(), "v1/+/+/hello/+", "v1/+/+/up/+/+", "v1/+/+/bye/+"); err != nil {
		t.Fatal(err)
	}
	agent := s.as(york)
	for _, topic := range []string{
		"v1/acme/a1/hello/x", "v1/acme/a1/up/x/y", "v1/acme/a1/bye/x", "v1/boulanger/b1/up/x/y",
		"v1/acme/a1/down/x/y", "v1/acme/a2/down/x/y", "v1/collector/x",
	} {
		agent.say(topic, "not mine")
	}
	agent.say("v1/acme/a2/bye/mine", "mine") // behind the others, in their order
	if heard := collector.until("v1/acme/a2/bye/mine"); len(heard) != 1 {
		t.Errorf("the collector heard %q, want only what the agent may say", heard)
	}

	// A broker may refuse the subscription or deliver nothing for it.
	for _, filter := range []string{"v1/acme/a1/down/+/+", "v1/+/+/down/+/+", "#", "v1/+/+/up/+/+", "v1/+/+/hello/+"} {
		_ = agent.Subscribe(t.Context(), filter)
	}
	if err := agent.Subscribe(t.Context(), "v1/acme/a2/down/+/+"); err != nil {
		t.Fatal(err)
	}
	s.as(paris).say("v1/boulanger/b1/bye/theirs", "for the collector")
	collector.until("v1/boulanger/b1/bye/theirs")
	collector.say("v1/acme/a1/down/x/y", "for another")
	collector.say("v1/acme/a2/down/x/y", "for this one")
	for _, topic := range agent.until("v1/acme/a2/down/x/y") {
		if topic != "v1/acme/a2/down/x/y" && !strings.HasPrefix(topic, "v1/collector/") {
			t.Errorf("the agent heard %s", topic)
		}
	}
}

// greet says Hello in a session and returns the first answer.
func greet(t *testing.T, s *site, authority *pki.Authority, id fleet.Identity) *tillbookv1.Down {
	t.Helper()
	session, err := s.dial(authority, id).Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	if err := session.Send(&tillbookv1.Up{Message: &tillbookv1.Up_Hello{Hello: &tillbookv1.Hello{Protocol: wire.Protocol, Next: 1}}}); err != nil {
		t.Fatal(err)
	}
	m, err := session.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestUnderAnotherMerchantsNameAnAgentIsNotKnown(t *testing.T) {
	t.Parallel()
	s := newSite(t, overMQTT)
	if m := greet(t, s, s.authority, paris); m.GetNewEpoch() == nil {
		t.Fatalf("answered %v, want to be taken", m)
	}
	// The broker lets it: the id is its own.
	as := paris
	as.Merchant = "acme"
	carrier := s.dial(s.authority, as)
	s.mu.Lock()
	s.known[paris.Agent] = paris
	s.mu.Unlock()
	session, err := carrier.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := session.Send(&tillbookv1.Up{Message: &tillbookv1.Up_Hello{Hello: &tillbookv1.Hello{Protocol: wire.Protocol, Next: 1}}}); err != nil {
		t.Fatal(err)
	}
	if m, err := session.Recv(); err != nil || m.GetRefusal().GetCode() != intake.RefusedRevoked {
		t.Errorf("answered %v, %v; want a refusal", m, err)
	}
}

func TestABrokerThatLosesItsMemoryLosesNoSale(t *testing.T) {
	t.Parallel()
	s := newSite(t, overMQTT)
	disk := uplinktest.NewOutbox()
	u := run(t, quick(s, disk))
	for at := range 3 {
		sell(disk, at*1500, at*1500+1500)
		u.until(t, uint64(at*1500+200))
		s.broker.Kill()
		if err := s.broker.Start(); err != nil {
			t.Fatal(err)
		}
	}
	u.until(t, 4500)
	s.once(t, 4500)
}

func TestAnAgentThatFindsNobodyIsHeardOnceACollectorComes(t *testing.T) {
	t.Parallel()
	s := newSite(t, overMQTT)
	s.halt()
	disk := uplinktest.NewOutbox()
	sell(disk, 0, 10)
	o := quick(s, disk)
	o.Dead = 10 * patience // so that it is not the silence that has it try again
	hello := s.client(s.broker.Collector, "observer")
	if err := hello.Subscribe(t.Context(), "v1/+/+/hello/+"); err != nil {
		t.Fatal(err)
	}
	u := run(t, o)
	<-hello.came
	hello.Close()
	s.start()
	u.until(t, 10)
	s.once(t, 10)
}

func TestCollectorsShareTheSessionsAndOneTakesOverFromTheOther(t *testing.T) {
	t.Parallel()
	s := newSite(t, overMQTT)
	s.halt()
	s.share = "collectors"
	here := s.client(s.broker.Collector, "observer")
	if err := here.Subscribe(t.Context(), wire.CollectorTopic(wire.Any)); err != nil {
		t.Fatal(err)
	}
	s.start()
	stopOther := s.collect()
	defer stopOther()
	for range 2 { // each is subscribed before it says so
		<-here.came
	}
	here.Close()
	// Enough agents that the broker gives some to each.
	const agents, sales = 6, 400
	var ups []*running
	var disks []*uplinktest.Outbox
	for i := range agents {
		id := fleet.Identity{Merchant: "acme", Store: "Leeds", Agent: "shared" + string(rune('a'+i))}
		disk := uplinktest.NewOutbox()
		sell(disk, i*2*sales, i*2*sales+sales)
		o := quick(s, disk)
		o.Carrier, o.Agent = s.dial(s.authority, id), id.Agent
		o.Dead = 10 * patience // a collector that goes says so
		ups, disks = append(ups, run(t, o)), append(disks, disk)
	}
	for _, u := range ups {
		u.until(t, sales)
	}
	for i, service := range s.services[1:] {
		if n := service.Stats().Sessions; n == 0 || n == agents {
			t.Errorf("collector %d has %d sessions, want some of %d", i, n, agents)
		}
	}
	s.halt()
	for i, disk := range disks {
		sell(disk, i*2*sales+sales, i*2*sales+2*sales)
	}
	for _, u := range ups {
		u.until(t, 2*sales)
	}
	s.once(t, agents*2*sales)
}

func TestWhatCannotBeReadEndsItsSessionAndNoOther(t *testing.T) {
	t.Parallel()
	s := newSite(t, overMQTT)
	disk := uplinktest.NewOutbox()
	sell(disk, 0, 10)
	o := quick(s, disk)
	u := run(t, o)
	u.until(t, 10)
	before := u.Status().Since

	s.mu.Lock()
	s.known[york.Agent] = york
	s.mu.Unlock()
	bad := s.as(york)
	if err := bad.Subscribe(t.Context(), "v1/acme/a2/down/+/+"); err != nil {
		t.Fatal(err)
	}
	for name, payload := range map[string]string{"noise": "\xff\xff\xff\xff", "large": strings.Repeat("x", 1<<20)} {
		bad.say("v1/acme/a2/hello/"+name, payload)
		late := time.After(patience)
		for over := false; !over; {
			select {
			case <-bad.came:
				bad.mu.Lock()
				over = strings.HasPrefix(bad.heard[len(bad.heard)-1], "v1/acme/a2/down/"+name+"/")
				bad.mu.Unlock()
			case <-late:
				t.Fatalf("%s: nobody says that the session is over", name)
			}
		}
	}
	for _, topic := range []string{"v1/acme/a2/hello", "v1/acme/a2/hello/" + strings.Repeat("n", 100), "v1/acme/a2/up/no/session"} {
		bad.say(topic, "nothing")
	}
	sell(disk, 10, 20)
	u.until(t, 20)
	if s := u.Status(); s.Since != before {
		t.Errorf("the other agent's session did not go on: %+v", s)
	}
}
