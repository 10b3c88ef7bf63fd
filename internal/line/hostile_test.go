package line_test

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/agent/uplink/uplinktest"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/intake/intaketest"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"
)

// device has an agent's certificate and says what it likes.
type device struct {
	uplink.Session
	id     fleet.Identity
	said   map[string]int // refusals by code, and records that were rejected
	epoch  []byte
	chain  [32]byte
	next   uint64
	packer wire.Packer
}

func (d *device) say(m *tillbookv1.Up) error { return d.Send(m) }

// heard takes the next message and notes what it refuses.
func (d *device) heard() (*tillbookv1.Down, error) {
	m, err := d.Recv()
	if err != nil {
		return nil, err
	}
	if r := m.GetRefusal(); r != nil {
		d.said[r.Code]++
		return nil, io.EOF
	}
	for _, r := range m.GetAck().GetRejected() {
		d.said[r.Code]++
	}
	return m, nil
}

// hearOut listens until the session ends.
func (d *device) hearOut() {
	for {
		if _, err := d.heard(); err != nil {
			return
		}
	}
}

func (d *device) hello(h *tillbookv1.Hello) error {
	h.Protocol = wire.Protocol
	return d.say(&tillbookv1.Up{Message: &tillbookv1.Up_Hello{Hello: h}})
}

// join becomes an agent in order, with a new epoch.
func (d *device) join() error {
	if err := d.hello(&tillbookv1.Hello{Next: 1}); err != nil {
		return err
	}
	m, err := d.heard()
	if err != nil {
		return err
	}
	offered := m.GetNewEpoch()
	d.epoch, d.chain, d.next = offered.GetEpoch().GetId(), [32]byte{}, 1
	if err := d.hello(&tillbookv1.Hello{Epoch: offered.GetEpoch(), Incarnation: offered.GetIncarnation(), Next: 1, Digest: d.chain[:]}); err != nil {
		return err
	}
	_, err = d.heard()
	return err
}

// batch packs records as an agent does.
func (d *device) batch(records ...*tillbookv1.Record) *tillbookv1.Batch {
	before := d.chain
	b := &tillbookv1.Batch{Agent: d.id.Agent, Epoch: d.epoch, Lane: tillbookv1.Lane_LANE_DOCUMENTS, First: d.next, DigestBefore: before[:]}
	var raw [][]byte
	for _, r := range records {
		r.Capture = d.next
		text, err := proto.Marshal(r)
		if err != nil {
			panic(err)
		}
		raw, d.chain, d.next = append(raw, text), wire.Next(d.chain, text), d.next+1
	}
	if err := d.packer.Pack(b, raw); err != nil {
		panic(err)
	}
	after := d.chain
	b.DigestAfter = after[:]
	return b
}

func (d *device) send(b *tillbookv1.Batch) error {
	return d.say(&tillbookv1.Up{Message: &tillbookv1.Up_Batch{Batch: b}})
}

// bomb is compressed text that is a quarter of a gigabyte long.
var bomb = sync.OnceValue(func() []byte {
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return encoder.EncodeAll(make([]byte, 256<<20), nil)
})

// attacks are what a hostile device does in a session, until that ends, and the
// code that it is answered with.
var attacks = []struct {
	name, code string
	attack     func(d *device) error
}{
	{"speaks as an agent of another merchant", intake.RefusedMessage, func(d *device) error {
		return d.hello(&tillbookv1.Hello{Next: 1, Agent: paris.Agent})
	}},
	{"sends a batch of an agent of another store", intake.RefusedMessage, func(d *device) error {
		if err := d.join(); err != nil {
			return err
		}
		b := d.batch(intaketest.Sale(york.Store, 1, 100))
		b.Agent = york.Agent
		return d.send(b)
	}},
	{"sends a sale of another merchant's store", intake.CodeStore, func(d *device) error {
		if err := d.join(); err != nil {
			return err
		}
		sale := intaketest.Document(paris.Store, 1, 100)
		sale.Key.Merchant = paris.Merchant
		if err := d.send(d.batch(intaketest.Pack(sale))); err != nil {
			return err
		}
		_, err := d.heard()
		d.Close()
		return err
	}},
	{"claims a gigabyte before compression", intake.RefusedBatch, func(d *device) error {
		if err := d.join(); err != nil {
			return err
		}
		b := d.batch(intaketest.Sale(leeds.Store, 1, 100))
		b.RawBytes = 1 << 30
		return d.send(b)
	}},
	{"sends what unpacks to more than it claims", intake.RefusedBatch, func(d *device) error {
		if err := d.join(); err != nil {
			return err
		}
		b := d.batch(intaketest.Sale(leeds.Store, 1, 100))
		b.Records = bomb()
		b.Crc32C = crc32.Checksum(b.Records, crc32.MakeTable(crc32.Castagnoli))
		return d.send(b)
	}},
	{"sends tiny batches without an end", intake.RefusedTooFast, func(d *device) error {
		if err := d.join(); err != nil {
			return err
		}
		ended := make(chan struct{})
		go func() {
			d.hearOut()
			close(ended)
		}()
		for n := 1; !over(ended); n++ {
			_ = d.send(d.batch(intaketest.Sale(leeds.Store, n, 100))) // whether it was taken or not
		}
		return nil
	}},
}

// TestAHostileDeviceIsRefusedNamedAndCountedAndNobodyElseNoticesIt has a device
// with a valid certificate of one store do what no agent does, again and again, for
// as long as it takes an agent of another merchant to have its sales acknowledged
// one by one.
func TestAHostileDeviceIsRefusedNamedAndCountedAndNobodyElseNoticesIt(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		disk := uplinktest.NewOutbox()
		neighbour := run(t, uplink.Options{
			Outbox: disk, Carrier: s.dial(s.authority, paris), Agent: paris.Agent, MinWait: 20 * time.Millisecond, MaxWait: 500 * time.Millisecond,
		})
		sold := uint64(0)
		for i, a := range attacks {
			d := &device{id: fleet.Identity{Merchant: leeds.Merchant, Store: leeds.Store, Agent: fmt.Sprint("hostile", i)}, said: map[string]int{}}
			carrier := s.dial(s.authority, d.id)
			stop := make(chan struct{})
			var attacking sync.WaitGroup
			attacking.Go(func() {
				for d.said[a.code] == 0 || !over(stop) {
					session, err := carrier.Dial(t.Context())
					if err != nil { // it is not let in
						continue
					}
					d.Session = session
					_ = a.attack(d) // it ends in what the device is told
					d.hearOut()
					session.Close()
				}
			})
			var slowest time.Duration
			for range 25 {
				sold++
				begun := time.Now()
				disk.Add(intaketest.Sale(paris.Store, int(sold), 100))
				neighbour.until(t, sold)
				slowest = max(slowest, time.Since(begun))
			}
			close(stop)
			attacking.Wait()
			t.Logf("%s: answered %v; the slowest of 25 acknowledgements beside it took %s", a.name, d.said, slowest.Round(time.Millisecond))
			for code := range d.said {
				if code != a.code && code != intake.RefusedTooFast {
					t.Errorf("%s: answered %v, want %s", a.name, d.said, a.code)
				}
			}
			if stats := s.services[0].Stats(); a.code != intake.CodeStore && stats.Refusals[a.code] == 0 || a.code == intake.CodeStore && stats.Rejected == 0 {
				t.Errorf("%s: not counted: %+v", a.name, stats)
			}
		}
		theirs := 0
		for e := range s.store.Effects() {
			if e.Merchant == paris.Merchant {
				theirs++
			}
			if strings.HasPrefix(e.Key, york.Store+"|") || strings.HasPrefix(e.Key, paris.Store+"|") && e.Merchant != paris.Merchant {
				t.Errorf("%s of merchant %s came from a device of store %s", e.Key, e.Merchant, leeds.Store)
			}
		}
		if theirs != int(sold) {
			t.Errorf("%d sales of the neighbour are stored, it made %d", theirs, sold)
		}
	}, func(o *intake.Options) { o.Rate = 20 })
}

func over(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// TestAMessageThatClaimsAGigabyteIsRefusedBeforeItIsRead speaks HTTP/2 itself,
// since no client of gRPC sends such a length.
func TestAMessageThatClaimsAGigabyteIsRefusedBeforeItIsRead(t *testing.T) {
	t.Parallel()
	s := newSite(t, overGRPC)
	client := http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
		RootCAs: s.authority.Pool(), Certificates: []tls.Certificate{certificate(t, s.authority, leeds)},
	}}}
	defer client.CloseIdleConnections()
	body, send := io.Pipe()
	defer send.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.address+tillbookv1.Collector_Stream_FullMethodName, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("TE", "trailers")
	go func() { // the claim, and nothing of what it claims
		_, _ = send.Write(binary.BigEndian.AppendUint32([]byte{0}, 1<<30)) // the answer tells
	}()
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	if told := slices.Concat(answer.Header["Grpc-Status"], answer.Trailer["Grpc-Status"]); !slices.Equal(told, []string{"8"}) {
		t.Errorf("answered %q, want RESOURCE_EXHAUSTED (8)", told)
	}
}
