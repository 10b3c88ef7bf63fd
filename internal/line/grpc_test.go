package line_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/agent/uplink/uplinktest"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/intake/intaketest"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/pki"
	"tillbook.example/tillbook/shared/wire"
)

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

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// until waits until everything up to a number is stored.
func (r *running) until(t testing.TB, number uint64) {
	t.Helper()
	late := time.After(patience)
	for r.Status().Stored < number {
		select {
		case <-r.stored:
		case <-late:
			t.Fatalf("number %d is not stored after %s: %+v", number, patience, r.Status())
		}
	}
}

func TestOnlyACertificateOfTheAuthoritySaysWhoSpeaks(t *testing.T) {
	t.Parallel()
	s := newSite(t, overGRPC)
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
		s.revoke(leeds)
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
	s := newSite(t, overGRPC)
	carrier := s.dial(s.authority, leeds)
	s.halt()
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
// TLS into a store in memory, over each carrier: everything but the two disks.
func BenchmarkStream(b *testing.B) {
	const n = 50_000
	records := benchRecords(b, n)
	for _, over := range []string{overGRPC, overMQTT, overWSS} {
		b.Run(over, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := newSite(b, over)
				disk := uplinktest.NewOutbox()
				disk.Add(records...)
				carrier := s.dial(s.authority, leeds)
				b.StartTimer()
				u := run(b, uplink.Options{Outbox: disk, Carrier: carrier})
				u.until(b, n)
				b.StopTimer()
				u.stop()
				s.halt()
				b.StartTimer()
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "docs/s")
		})
	}
}

// BenchmarkOne is the way of one sale over loopback, from the outbox to its
// acknowledgement.
func BenchmarkOne(b *testing.B) {
	s := newSite(b, overGRPC)
	disk := uplinktest.NewOutbox()
	u := run(b, uplink.Options{Outbox: disk, Carrier: s.dial(s.authority, leeds)})
	records := benchRecords(b, 1)
	for b.Loop() {
		u.until(b, disk.Add(records...))
	}
}
