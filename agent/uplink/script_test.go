package uplink_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/agent/uplink/uplinktest"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"
)

var (
	database = []byte("database one----")
	restored = []byte("database two----")
	first    = []byte("epoch one-------")
	second   = []byte("epoch two-------")
)

// collector is a scripted collector: it hears what the uplink sends and answers
// what a test has it say.
type collector struct {
	t     *testing.T
	disk  *uplinktest.Outbox
	up    *uplink.Uplink
	calls chan *call
	away  bool
}

// call is one session.
type call struct {
	t      *testing.T
	ctx    context.Context
	hang   context.CancelFunc
	said   chan *tillbookv1.Up
	answer chan *tillbookv1.Down
	deaf   chan struct{} // closed: it takes nothing more, though it may still speak
}

// Dial implements uplink.Carrier.
func (c *collector) Dial(ctx context.Context) (uplink.Session, error) {
	if c.away {
		return nil, errors.New("nobody is there")
	}
	s := &call{t: c.t, said: make(chan *tillbookv1.Up, 100), answer: make(chan *tillbookv1.Down), deaf: make(chan struct{})}
	s.ctx, s.hang = context.WithCancel(ctx)
	c.calls <- s
	return s, nil
}

func (s *call) Send(m *tillbookv1.Up) error {
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	select {
	case <-s.deaf:
		return io.EOF
	default:
	}
	s.said <- m
	return nil
}

func (s *call) Recv() (*tillbookv1.Down, error) {
	select {
	case m := <-s.answer:
		return m, nil
	case <-s.ctx.Done():
		return nil, errors.New("the line is dead")
	}
}

func (s *call) Close() { s.hang() }

// hear returns the next message of the agent.
func (s *call) hear() *tillbookv1.Up {
	s.t.Helper()
	select {
	case m := <-s.said:
		return m
	case <-time.After(10 * time.Minute):
		s.t.Fatal("the agent says nothing")
		return nil
	}
}

// hearBatch returns the next batch, past heartbeats.
func (s *call) hearBatch() *tillbookv1.Batch {
	s.t.Helper()
	m := s.hear()
	for m.GetHeartbeat() != nil {
		m = s.hear()
	}
	if m.GetBatch() == nil {
		s.t.Fatalf("heard %v, want a batch", m)
	}
	return m.GetBatch()
}

// silent fails if the agent has said anything but heartbeats by now.
func (s *call) silent() {
	s.t.Helper()
	synctest.Wait()
	for len(s.said) > 0 {
		if m := <-s.said; m.GetHeartbeat() == nil {
			s.t.Errorf("heard %v, want nothing", m)
		}
	}
}

func (s *call) say(m *tillbookv1.Down) {
	s.t.Helper()
	select {
	case s.answer <- m:
		synctest.Wait()
	case <-s.ctx.Done():
		s.t.Fatal("the agent has hung up")
	}
}

func (s *call) welcome(w *tillbookv1.Welcome) {
	s.t.Helper()
	w.Protocol = wire.Protocol
	s.say(&tillbookv1.Down{Message: &tillbookv1.Down_Welcome{Welcome: w}})
}

func (s *call) ack(a *tillbookv1.Ack) {
	s.t.Helper()
	s.say(&tillbookv1.Down{Message: &tillbookv1.Down_Ack{Ack: a}})
}

// hungUp fails unless the agent ends the session without being told to.
func (s *call) hungUp() {
	s.t.Helper()
	synctest.Wait()
	if s.ctx.Err() == nil {
		s.t.Error("the agent goes on with the session")
	}
}

// start runs an uplink on a disk against a scripted collector.
func start(t *testing.T, disk *uplinktest.Outbox, change func(*uplink.Options)) *collector {
	t.Helper()
	c := &collector{t: t, disk: disk, calls: make(chan *call, 10)}
	o := uplink.Options{Outbox: disk, Carrier: c, Agent: "a1", Version: "1.0", Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	u, err := uplink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.up = u
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the uplink stopped: %v", err)
		}
	})
	return c
}

// state puts an epoch and a mark onto a disk.
func state(t *testing.T, disk *uplinktest.Outbox, epoch *tillbookv1.Epoch, ack *tillbookv1.Ack) {
	t.Helper()
	g := outbox.Group{State: map[string][]byte{}}
	for key, m := range map[string]proto.Message{"epoch": epoch, "ack": ack} {
		text, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		g.State[key] = text
	}
	if _, err := disk.Append(t.Context(), g); err != nil {
		t.Fatal(err)
	}
}

// kept reads what a disk says of epoch and mark.
func kept(t *testing.T, disk *uplinktest.Outbox) (*tillbookv1.Epoch, *tillbookv1.Ack) {
	t.Helper()
	var epoch tillbookv1.Epoch
	var ack tillbookv1.Ack
	for key, m := range map[string]proto.Message{"epoch": &epoch, "ack": &ack} {
		text, _ := disk.State(key)
		if err := proto.Unmarshal(text, m); err != nil {
			t.Fatal(err)
		}
	}
	return &epoch, &ack
}

func fill(disk *uplinktest.Outbox, n int) {
	records := make([]*tillbookv1.Record, n)
	for i := range records {
		records[i] = &tillbookv1.Record{Raw: true, Document: []byte("a row of a file")}
	}
	disk.Add(records...)
}

func digest(t *testing.T, disk *uplinktest.Outbox, number uint64) []byte {
	t.Helper()
	d, known, err := disk.Digest(number)
	if err != nil || !known {
		t.Fatalf("no digest at %d: %v", number, err)
	}
	return d[:]
}

// running is an agent in epoch one from log number 10 on, with 20 records kept
// of which the collector has stored 5 of the epoch's 10.
func running(t *testing.T, change func(*uplink.Options)) (*collector, *call) {
	t.Helper()
	disk := uplinktest.NewOutbox()
	fill(disk, 20)
	state(t, disk, &tillbookv1.Epoch{Id: first, Base: 10}, &tillbookv1.Ack{Incarnation: database, Epoch: first, Stored: 5, Digest: digest(t, disk, 15), Safe: 3})
	c := start(t, disk, change)
	s := <-c.calls
	h := s.hear().GetHello()
	if string(h.GetEpoch().GetId()) != string(first) || h.Next != 11 || h.Stored != 5 || string(h.Digest) != string(digest(t, disk, 15)) || h.Safe != 3 || h.First != 1 {
		t.Fatalf("heard %v", h)
	}
	return c, s
}

func ours(t *testing.T, c *collector, stored uint64) *tillbookv1.Welcome {
	return &tillbookv1.Welcome{Incarnation: database, Epoch: first, Stored: stored, Digest: digest(t, c.disk, 10+stored), Safe: 3}
}

func theirs(t *testing.T, c *collector, stored uint64) *tillbookv1.Ack {
	return &tillbookv1.Ack{Incarnation: database, Epoch: first, Stored: stored, Digest: digest(t, c.disk, 10+stored), Safe: 3}
}
