package grpc

import (
	"net"
	"sync"
	"sync/atomic"
)

// Listener accepts so many connections at once and ends those beyond at once, so
// that who opens connections and says nothing cannot use up the process.
type Listener struct {
	net.Listener
	max     int64
	open    atomic.Int64
	refused atomic.Uint64
}

// Limit returns a listener that has at most that many connections open.
func Limit(l net.Listener, connections int) *Listener {
	return &Listener{Listener: l, max: int64(connections)}
}

// Stats returns how many connections are open, and how many were refused since
// start.
func (l *Listener) Stats() (open int64, refused uint64) { return l.open.Load(), l.refused.Load() }

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.max {
			return &conn{Conn: c, closed: sync.OnceFunc(func() { l.open.Add(-1) })}, nil
		}
		l.open.Add(-1)
		l.refused.Add(1)
		_ = c.Close() // who opened it sees that it ended, or did anyway
	}
}

type conn struct {
	net.Conn
	closed func()
}

func (c *conn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}
