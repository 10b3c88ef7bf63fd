package intake_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/intake/intaketest"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/wire"
)

var leeds = fleet.Identity{Merchant: "acme", Store: "Leeds", Agent: "a1"}

// place is a collector with what it stores into.
type place struct {
	t        *testing.T
	store    *intaketest.Store
	presence *intaketest.Presence
	o        intake.Options
	service  *intake.Service
}

// collector starts a collector in a bubble. change may alter its options.
func collector(t *testing.T, change func(*intake.Options)) *place {
	p := &place{t: t, store: intaketest.NewStore(), presence: &intaketest.Presence{}}
	p.o = intake.Options{
		Store: p.store, Presence: p.presence, Logger: slog.New(slog.DiscardHandler), Version: "1.0",
		Day: func(_ context.Context, _ fleet.Identity, d *document.Document) (bizday.Day, error) {
			return bizday.Day(d.Time.AsGiven[:10]), nil
		},
		Allowed: func(context.Context, fleet.Identity) error { return nil },
	}
	if change != nil {
		change(&p.o)
	}
	service, err := intake.NewService(p.o)
	if err != nil {
		t.Fatal(err)
	}
	p.service = service
	return p
}

// agent is a scripted agent: what a test has it say, it says.
type agent struct {
	t     *testing.T
	id    fleet.Identity
	up    chan *tillbookv1.Up
	down  chan *tillbookv1.Down
	ended chan error
	ctx   context.Context
	hang  context.CancelFunc

	incarnation []byte
	epoch       []byte
	chain       [][32]byte // digests of what was packed, from the start of the epoch
}

// agent is one whose session ends with the test.
func (p *place) agent(id fleet.Identity) *agent {
	a := &agent{t: p.t, id: id, up: make(chan *tillbookv1.Up), down: make(chan *tillbookv1.Down, 100), ended: make(chan error, 1), chain: make([][32]byte, 1)}
	a.ctx, a.hang = context.WithCancel(context.Background())
	p.t.Cleanup(a.hang)
	return a
}

// connect opens a session.
func (p *place) connect(id fleet.Identity) *agent {
	a := p.agent(id)
	go func() {
		err := p.service.Serve(a.ctx, id, collectorEnd{a})
		a.hang()
		a.ended <- err
	}()
	return a
}

// collectorEnd is the stream as the collector sees it.
type collectorEnd struct{ a *agent }

func (e collectorEnd) Send(m *tillbookv1.Down) error {
	select {
	case e.a.down <- m:
		return nil
	case <-e.a.ctx.Done():
		return io.EOF
	}
}

func (e collectorEnd) Recv() (*tillbookv1.Up, error) {
	select {
	case m := <-e.a.up:
		return m, nil
	case <-e.a.ctx.Done():
		return nil, io.EOF
	}
}

func (a *agent) say(m *tillbookv1.Up) {
	a.t.Helper()
	select {
	case a.up <- m:
	case <-a.ctx.Done():
		a.t.Fatalf("the session has ended: %v", <-a.ended)
	}
}

func (a *agent) sayHello(h *tillbookv1.Hello) {
	a.t.Helper()
	h.Protocol = wire.Protocol
	a.say(&tillbookv1.Up{Message: &tillbookv1.Up_Hello{Hello: h}})
}

// hear returns the next message.
func (a *agent) hear() *tillbookv1.Down {
	a.t.Helper()
	select {
	case m := <-a.down:
		return m
	default:
	}
	select {
	case m := <-a.down:
		return m
	case <-a.ctx.Done():
	}
	select {
	case m := <-a.down:
		return m
	default:
		a.t.Fatal("the session ended without a word")
		return nil
	}
}

// hearAck returns the next message, which is an Ack.
func (a *agent) hearAck() *tillbookv1.Ack {
	a.t.Helper()
	m := a.hear()
	if m.GetAck() == nil {
		a.t.Fatalf("heard %v, want an ack", m)
	}
	return m.GetAck()
}

// refused hears a refusal with a code, after which the session ends.
func (a *agent) refused(code string) *tillbookv1.Refusal {
	a.t.Helper()
	m := a.hear()
	if m.GetRefusal().GetCode() != code {
		a.t.Fatalf("heard %v, want refusal %s", m, code)
	}
	if err := <-a.ended; err == nil {
		a.t.Errorf("refused with %s, but the session ended without an error", code)
	}
	return m.GetRefusal()
}

// join says Hello without an epoch and takes the one that is offered.
func (a *agent) join() *tillbookv1.Welcome {
	a.t.Helper()
	a.sayHello(&tillbookv1.Hello{Next: 1})
	return a.adopt()
}

// adopt takes the epoch that is offered, from the digest at the chain's start.
func (a *agent) adopt() *tillbookv1.Welcome {
	a.t.Helper()
	offered := a.hear().GetNewEpoch()
	if offered == nil || offered.Agreed != 0 {
		a.t.Fatalf("no new epoch from the start: %v", offered)
	}
	a.epoch, a.incarnation = offered.Epoch.Id, offered.Incarnation
	return a.greet(1, 0)
}

// greet says Hello in the agent's epoch and hears a Welcome.
func (a *agent) greet(next, stored uint64) *tillbookv1.Welcome {
	a.t.Helper()
	a.sayHello(&tillbookv1.Hello{Epoch: &tillbookv1.Epoch{Id: a.epoch}, Incarnation: a.incarnation, Next: next, Stored: stored, Digest: a.chain[stored][:]})
	m := a.hear()
	if m.GetWelcome() == nil {
		a.t.Fatalf("heard %v, want a welcome", m)
	}
	return m.GetWelcome()
}

// pack makes the batch of the next numbers.
func (a *agent) pack(records ...*tillbookv1.Record) *tillbookv1.Batch {
	a.t.Helper()
	before := a.chain[len(a.chain)-1]
	b := &tillbookv1.Batch{Agent: a.id.Agent, Epoch: a.epoch, Lane: tillbookv1.Lane_LANE_DOCUMENTS, First: uint64(len(a.chain)), DigestBefore: before[:]}
	var raw [][]byte
	for _, r := range records {
		r.Capture = uint64(len(a.chain))
		text, err := proto.Marshal(r)
		if err != nil {
			a.t.Fatal(err)
		}
		raw = append(raw, text)
		a.chain = append(a.chain, wire.Next(a.chain[len(a.chain)-1], text))
	}
	if err := new(wire.Packer).Pack(b, raw); err != nil {
		a.t.Fatal(err)
	}
	after := a.chain[len(a.chain)-1]
	b.DigestAfter = after[:]
	return b
}

func (a *agent) send(b *tillbookv1.Batch) {
	a.t.Helper()
	a.say(&tillbookv1.Up{Message: &tillbookv1.Up_Batch{Batch: b}})
}

func sales(from, n int) []*tillbookv1.Record {
	var records []*tillbookv1.Record
	for i := range n {
		records = append(records, intaketest.Sale(leeds.Store, from+i, 100*(from+i)))
	}
	return records
}

func pass(d time.Duration) { <-time.After(d) }
