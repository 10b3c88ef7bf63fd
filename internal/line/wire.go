package line

import (
	"net"
	"sync"
	"time"
)

// Quality is what a Wire does to the bytes that pass. The zero value is a good
// line.
type Quality struct {
	Delay    time.Duration // of each byte, each way
	Rate     int           // bytes per second, each way; 0: any
	CutAfter int           // bytes, both ways together, after which a connection breaks; 0: never
	// HalfOpen swallows all bytes and the ends of connections: neither side is
	// told that the other cannot hear it.
	HalfOpen bool
}

// Wire is a TCP line to an address, between real parts that run in a test. Its
// quality can be changed at any time, also for connections that stand.
type Wire struct {
	listener net.Listener
	to       string
	done     chan struct{}
	passing  sync.WaitGroup

	mu      sync.Mutex
	quality Quality
	conns   map[net.Conn]bool
	dialled int
}

// NewWire listens on loopback and connects further to an address.
func NewWire(to string) (*Wire, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &Wire{listener: listener, to: to, done: make(chan struct{}), conns: map[net.Conn]bool{}}
	w.passing.Go(w.accept)
	return w, nil
}

// Addr is where the line begins.
func (w *Wire) Addr() string { return w.listener.Addr().String() }

// Dialled returns how many connections there have been.
func (w *Wire) Dialled() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dialled
}

// Set changes the line.
func (w *Wire) Set(q Quality) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.quality = q
}

func (w *Wire) now() Quality {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.quality
}

// Cut breaks all connections.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for conn := range w.conns {
		_ = conn.Close()
	}
}

// Close breaks all connections and takes no more.
func (w *Wire) Close() {
	close(w.done)
	_ = w.listener.Close()
	w.Cut()
	w.passing.Wait()
}

func (w *Wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.passing.Go(func() { w.carry(near) })
	}
}

// keep notes a connection, so that it can be cut; false once the line is closed.
func (w *Wire) keep(conn net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.done:
		return false
	default:
		w.conns[conn] = true
		return true
	}
}

func (w *Wire) carry(near net.Conn) {
	defer near.Close()
	w.mu.Lock()
	w.dialled++
	w.mu.Unlock()
	far, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer far.Close()
	if !w.keep(near) || !w.keep(far) {
		return
	}
	var carried budget
	var both sync.WaitGroup
	both.Go(func() { w.pass(near, far, &carried) })
	both.Go(func() { w.pass(far, near, &carried) })
	both.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, near)
	delete(w.conns, far)
}

// budget counts the bytes of one connection.
type budget struct {
	mu    sync.Mutex
	spent int
}

func (b *budget) spend(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent += n
	return b.spent
}

type parcel struct {
	bytes []byte
	at    time.Time // read
}

// pass carries what one end says to the other.
func (w *Wire) pass(from, to net.Conn, carried *budget) {
	under := make(chan parcel, 64)
	go func() {
		defer close(under)
		for {
			bytes := make([]byte, 2<<10)
			n, err := from.Read(bytes)
			if n > 0 {
				under <- parcel{bytes[:n], time.Now()}
			}
			if err != nil {
				return
			}
		}
	}()
	defer func() {
		for range under { // until the reader has ended
		}
	}()
	free := time.Now() // when the line has sent what came before
	for p := range under {
		q := w.now()
		due := p.at.Add(q.Delay)
		if q.Rate > 0 {
			if free.Before(p.at) {
				free = p.at
			}
			free = free.Add(time.Duration(len(p.bytes)) * time.Second / time.Duration(q.Rate))
			if due.Before(free.Add(q.Delay)) {
				due = free.Add(q.Delay)
			}
		}
		if wait := time.Until(due); wait > 0 {
			select {
			case <-time.After(wait):
			case <-w.done:
			}
		}
		if q.HalfOpen {
			continue
		}
		if spent := carried.spend(len(p.bytes)); q.CutAfter > 0 && spent > q.CutAfter {
			_ = from.Close()
			_ = to.Close()
			return
		}
		if _, err := to.Write(p.bytes); err != nil {
			_ = from.Close()
			return
		}
	}
	if !w.now().HalfOpen {
		if half, ok := to.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
			return
		}
		_ = to.Close()
	}
}
