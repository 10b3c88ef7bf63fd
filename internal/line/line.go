// Package line joins an agent's uplink and a collector's intake within one
// process, for simulations and tests. A line can be cut at any message, lose
// one, or deliver it twice.
//
// Messages are encoded and decoded as on a real line, so neither side sees the
// other's memory. Without faults a line is ordered and loses nothing.
package line

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
)

// Fault is what happens to one message.
type Fault int

// Faults.
const (
	None  Fault = iota
	Cut         // the line breaks before the message arrives
	After       // the line breaks after it has
	Lose        // it never arrives, the line holds
	Twice       // it arrives twice
)

// ErrCut is the error of a line that broke.
var ErrCut = errors.New("the line was cut")

// Line is an uplink.Carrier that ends at an intake.Service.
type Line struct {
	// Intake returns the service that the next session reaches; nil: none.
	Intake func() *intake.Service
	ID     fleet.Identity
	// Fault, where set, decides what becomes of each message; it is called by
	// both ends.
	Fault func(message proto.Message) Fault
}

// Dial implements uplink.Carrier.
func (l *Line) Dial(ctx context.Context) (uplink.Session, error) {
	service := l.Intake()
	if service == nil {
		return nil, fmt.Errorf("%w: nobody answers", ErrCut)
	}
	ctx, cancel := context.WithCancel(ctx)
	up, down := make(chan []byte, 4), make(chan []byte, 4)
	near := &end{ctx: ctx, cancel: cancel, fault: l.Fault, in: down, out: up}
	far := &end{ctx: ctx, cancel: cancel, fault: l.Fault, in: up, out: down}
	go func() {
		defer cancel()
		_ = service.Serve(ctx, l.ID, farEnd{far}) // it has told the agent
	}()
	return nearEnd{near}, nil
}

// end is one end of a line.
type end struct {
	ctx    context.Context
	cancel context.CancelFunc
	fault  func(proto.Message) Fault
	in     <-chan []byte
	out    chan<- []byte
}

func (e *end) send(m proto.Message) error {
	text, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	fault := None
	if e.fault != nil {
		fault = e.fault(m)
	}
	times := 1
	switch fault {
	case Cut:
		e.cancel()
		return ErrCut
	case Lose:
		times = 0
	case Twice:
		times = 2
	}
	for range times {
		select {
		case e.out <- text:
		case <-e.ctx.Done():
			return ErrCut
		}
	}
	if fault == After {
		e.cancel()
	}
	return nil
}

// recv returns what arrived, also what arrived before the line broke.
func (e *end) recv(m proto.Message) error {
	select {
	case text := <-e.in:
		return proto.Unmarshal(text, m)
	default:
	}
	select {
	case text := <-e.in:
		return proto.Unmarshal(text, m)
	case <-e.ctx.Done():
	}
	select {
	case text := <-e.in:
		return proto.Unmarshal(text, m)
	default:
		return ErrCut
	}
}

type nearEnd struct{ *end }

func (e nearEnd) Send(m *tillbookv1.Up) error { return e.send(m) }

func (e nearEnd) Recv() (*tillbookv1.Down, error) {
	var m tillbookv1.Down
	err := e.recv(&m)
	return &m, err
}

func (e nearEnd) Close() { e.cancel() }

type farEnd struct{ *end }

func (e farEnd) Send(m *tillbookv1.Down) error { return e.send(m) }

func (e farEnd) Recv() (*tillbookv1.Up, error) {
	var m tillbookv1.Up
	err := e.recv(&m)
	return &m, err
}
