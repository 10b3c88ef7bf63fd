package broker

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// guard is a connection that fails before a packet is read that is larger than
// any the other side should send: the MQTT library would take as much memory as
// a packet claims to need.
type guard struct {
	net.Conn
	limit int // of a packet without its fixed header
	scan  scan
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if size, ok := g.scan.pass(p[:n], g.limit); !ok {
		return 0, fmt.Errorf("the broker sends a packet of %d bytes, more than %d", size, g.limit)
	}
	return n, err
}

// scan finds the fixed headers of packets in a stream.
type scan struct {
	rest   int // of the packet's body that is still to come
	length int // bytes of the length that were read
	begun  bool
	size   int
}

// pass goes over what was read. It is false, with the size, once a packet's size
// is above the limit or is not one.
func (s *scan) pass(p []byte, limit int) (size int, ok bool) {
	for len(p) > 0 {
		if s.rest > 0 {
			n := min(s.rest, len(p))
			s.rest -= n
			p = p[n:]
			continue
		}
		b := p[0]
		p = p[1:]
		if !s.begun { // the packet's type, which does not matter here
			*s = scan{begun: true}
			continue
		}
		s.size |= int(b&0x7f) << (7 * s.length)
		s.length++
		switch {
		case s.size > limit || b >= 0x80 && s.length == 4:
			return s.size, false
		case b < 0x80:
			s.rest, s.begun = s.size, false
		}
	}
	return 0, true
}

// frames is a WebSocket as a stream: brokers put packets into binary messages,
// cut as they like.
type frames struct {
	*websocket.Conn
	writing sync.Mutex
	message io.Reader // nil: the next is to come
}

func (f *frames) Read(p []byte) (int, error) {
	for {
		if f.message == nil {
			_, message, err := f.NextReader()
			if err != nil {
				return 0, err
			}
			f.message = message
		}
		n, err := f.message.Read(p)
		if errors.Is(err, io.EOF) {
			f.message, err = nil, nil
			if n == 0 {
				continue
			}
		}
		return n, err
	}
}

func (f *frames) Write(p []byte) (int, error) {
	f.writing.Lock()
	defer f.writing.Unlock()
	if err := f.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *frames) SetDeadline(at time.Time) error {
	if err := f.SetReadDeadline(at); err != nil {
		return err
	}
	return f.SetWriteDeadline(at)
}
