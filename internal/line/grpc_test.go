package line_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	google "google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tillbook.example/tillbook/agent/uplink"
	agentgrpc "tillbook.example/tillbook/agent/uplink/grpc"
	"tillbook.example/tillbook/agent/uplink/uplinktest"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	collectorgrpc "tillbook.example/tillbook/collector/intake/grpc"
	"tillbook.example/tillbook/collector/intake/intaketest"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/pki"
	"tillbook.example/tillbook/shared/wire"
)

// site is a collector that listens on the loopback interface.
type site struct {
	t         testing.TB
	authority *pki.Authority
	store     *intaketest.Store
	config    *tls.Config
	address   string
	server    *google.Server
	service   *intake.Service

	mu      sync.Mutex
	revoked bool
}

func newSite(t testing.TB) *site {
	t.Helper()
	authority, err := pki.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Server([]string{"127.0.0.1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, authority: authority, store: intaketest.NewStore(), config: &tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientCAs: authority.Pool(),
		ClientAuth: tls.VerifyClientCertIfGiven, MinVersion: tls.VersionTLS12,
	}}
	s.listen("127.0.0.1:0")
	t.Cleanup(func() { s.server.Stop() })
	return s
}

// listen starts the server, also again at the address it had.
func (s *site) listen(address string) {
	s.t.Helper()
	service, err := intake.NewService(intake.Options{
		Store: s.store, Presence: &intaketest.Presence{}, Logger: slog.New(slog.DiscardHandler),
		Day: func(_ context.Context, _ fleet.Identity, d *document.Document) (bizday.Day, error) {
			return "2026-03-02", nil
		},
		Allowed: func(context.Context, fleet.Identity) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.revoked {
				return fleet.ErrRevoked
			}
			return nil
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.service, s.address = service, listener.Addr().String()
	server := google.NewServer(collectorgrpc.ServerOptions(s.config)...)
	tillbookv1.RegisterCollectorServer(server, collectorgrpc.New(service, func(c *x509.Certificate) (fleet.Identity, error) {
		name, err := pki.NameOf(c)
		return fleet.Identity(name), err
	}))
	s.server = server
	go func() { _ = server.Serve(listener) }() // ends with Stop
}

// dial returns the carrier of an agent whose certificate is signed by authority;
// nil: it has none.
func (s *site) dial(authority *pki.Authority, id fleet.Identity) uplink.Carrier {
	s.t.Helper()
	config := &tls.Config{RootCAs: s.authority.Pool()}
	if authority != nil {
		key, err := pki.NewKey()
		if err != nil {
			s.t.Fatal(err)
		}
		request, err := pki.Request(key)
		if err != nil {
			s.t.Fatal(err)
		}
		der, err := authority.Agent(request, pki.Name(id), time.Now())
		if err != nil {
			s.t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	}
	carrier, err := agentgrpc.New(agentgrpc.Options{Target: s.address, TLS: func() (*tls.Config, error) { return config, nil }})
	if err != nil {
		s.t.Fatal(err)
	}
	return carrier
}

// watched is an outbox that tells when its uplink looks for more to do: all
// that came in before was taken.
type watched struct {
	uplink.Outbox
	look func()
}

func (w watched) Changed() <-chan struct{} {
	w.look()
	return w.Outbox.Changed()
}

// running is an uplink that runs until the test ends or stop is called.
type running struct {
	*uplink.Uplink
	stop   func()
	stored chan struct{} // the mark moved
}

func run(t testing.TB, o uplink.Options) *running {
	t.Helper()
	r := &running{stored: make(chan struct{}, 1)}
	last := uint64(0)
	o.Logger = slog.New(slog.DiscardHandler)
	o.Outbox = watched{o.Outbox, func() {
		if now := r.Status().Stored; now != last {
			last = now
			select {
			case r.stored <- struct{}{}:
			default:
			}
		}
	}}
	u, err := uplink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Uplink = u
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx) }()
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("the uplink stopped: %v", err)
			}
		})
	}
	t.Cleanup(r.stop)
	return r
}

// until waits until everything up to a number is stored.
func (r *running) until(number uint64) {
	for r.Status().Stored < number {
		<-r.stored
	}
}

func TestSalesArriveOverGRPCThoughTheCollectorRestarts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	disk := uplinktest.NewOutbox()
	for i := range 2500 {
		disk.Add(intaketest.Sale(leeds.Store, i, 100+i))
	}
	u := run(t, uplink.Options{Outbox: disk, Carrier: s.dial(s.authority, leeds), Agent: leeds.Agent})
	u.until(1000)
	s.server.Stop()
	for i := range 2500 {
		disk.Add(intaketest.Sale(leeds.Store, 2500+i, 100+i))
	}
	s.listen(s.address)
	u.until(5000)
	u.stop()
	if status := u.Status(); status.Unsent != 0 || status.Stored != 5000 {
		t.Errorf("status %+v, want all 5000 stored", status)
	}
	effects := s.store.Effects()
	for e, times := range effects {
		if times != 1 {
			t.Errorf("%s had %d effects", e.Key, times)
		}
	}
	if len(effects) != 5000 {
		t.Errorf("%d documents stored, want 5000", len(effects))
	}
}

func TestTheLargestBatchPassesOverGRPC(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	disk := uplinktest.NewOutbox()
	noise := make([]byte, wire.MaxRecordBytes-100)
	_, _ = rand.Read(noise)
	disk.Add(&tillbookv1.Record{Raw: true, Document: noise, Reason: "noise: it is"})
	disk.Add(&tillbookv1.Record{Raw: true, Document: append(noise, noise...), Reason: "noise: too much"})
	disk.Add(intaketest.Sale(leeds.Store, 1, 1))
	var mu sync.Mutex
	var rejected []string
	u := run(t, uplink.Options{Outbox: disk, Carrier: s.dial(s.authority, leeds), Rejected: func(number uint64, code, text string) {
		mu.Lock()
		defer mu.Unlock()
		rejected = append(rejected, fmt.Sprint(number, " ", code))
	}})
	u.until(3)
	u.stop()
	if got := strings.Join(rejected, ","); got != "1 noise" {
		t.Errorf("rejected %q, want the first", got)
	}
	if lost := s.store.Lost(leeds); len(lost) != 1 {
		t.Errorf("lost %v, want the record that no batch can hold, by name", lost)
	}
	if len(s.store.Current(leeds.Merchant)) != 1 {
		t.Error("the sale behind them did not arrive")
	}
}

func TestOnlyACertificateOfTheAuthoritySaysWhoSpeaks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	stranger, err := pki.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	open := func(carrier uplink.Carrier) (uplink.Session, error) {
		session, err := carrier.Dial(t.Context())
		if err == nil {
			t.Cleanup(session.Close)
			_ = session.Send(&tillbookv1.Up{Message: &tillbookv1.Up_Hello{Hello: &tillbookv1.Hello{Protocol: wire.Protocol, Next: 1, Agent: leeds.Agent}}})
		}
		return session, err
	}
	t.Run("none is refused", func(t *testing.T) {
		session, err := open(s.dial(nil, leeds))
		if err == nil {
			_, err = session.Recv()
		}
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("got %v, want Unauthenticated", err)
		}
	})
	t.Run("a stranger's is refused", func(t *testing.T) {
		session, err := open(s.dial(stranger, leeds))
		if err == nil {
			_, err = session.Recv()
		}
		// A client does not even show a certificate that the server would not trust.
		if err == nil {
			t.Error("a stranger was heard")
		}
	})
	t.Run("another agent's does not speak for this one", func(t *testing.T) {
		other := leeds
		other.Agent = "a2"
		session, err := open(s.dial(s.authority, other))
		if err != nil {
			t.Fatal(err)
		}
		if m, err := session.Recv(); err != nil || m.GetRefusal().GetCode() != intake.RefusedMessage {
			t.Errorf("heard %v, %v; want a refusal", m, err)
		}
	})
	t.Run("a revoked one is told so", func(t *testing.T) {
		s.mu.Lock()
		s.revoked = true
		s.mu.Unlock()
		session, err := open(s.dial(s.authority, leeds))
		if err != nil {
			t.Fatal(err)
		}
		if m, err := session.Recv(); err != nil || m.GetRefusal().GetCode() != intake.RefusedRevoked {
			t.Errorf("heard %v, %v; want revoked", m, err)
		}
		if _, err := session.Recv(); status.Code(err) != codes.Aborted {
			t.Errorf("then %v, want the end of the stream", err)
		}
	})
}

func TestACollectorThatIsAwayIsAnErrorNotAHang(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	carrier := s.dial(s.authority, leeds)
	s.server.Stop()
	if _, err := carrier.Dial(t.Context()); err == nil || !strings.Contains(err.Error(), s.address) {
		t.Errorf("got %v, want an error that names the address", err)
	}
}

// benchRecords are n usual receipts: three lines, two tax rates, two tenders,
// fifty terminals interleaved.
func benchRecords(b *testing.B, n int) []*tillbookv1.Record {
	b.Helper()
	text, err := os.ReadFile("../../shared/document/testdata/bench.json")
	if err != nil {
		b.Fatal(err)
	}
	d, err := document.ParseJSON(text)
	if err != nil {
		b.Fatal(err)
	}
	d.Key.Store = leeds.Store
	records := make([]*tillbookv1.Record, n)
	for i := range records {
		d.Key.Terminal, d.Key.Number = fmt.Sprint(i%50), fmt.Sprint(i/50)
		records[i] = intaketest.Pack(d)
	}
	return records
}

// BenchmarkStream sends 50,000 receipts from memory over loopback with mutual
// TLS into a store in memory: everything but the two disks.
func BenchmarkStream(b *testing.B) {
	const n = 50_000
	records := benchRecords(b, n)
	for b.Loop() {
		b.StopTimer()
		s := newSite(b)
		disk := uplinktest.NewOutbox()
		disk.Add(records...)
		carrier := s.dial(s.authority, leeds)
		b.StartTimer()
		u := run(b, uplink.Options{Outbox: disk, Carrier: carrier})
		u.until(n)
		b.StopTimer()
		u.stop()
		s.server.Stop()
		b.StartTimer()
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "docs/s")
}

// BenchmarkOne is the way of one sale over loopback, from the outbox to its
// acknowledgement.
func BenchmarkOne(b *testing.B) {
	s := newSite(b)
	disk := uplinktest.NewOutbox()
	u := run(b, uplink.Options{Outbox: disk, Carrier: s.dial(s.authority, leeds)})
	records := benchRecords(b, 1)
	for b.Loop() {
		u.until(disk.Add(records...))
	}
}
