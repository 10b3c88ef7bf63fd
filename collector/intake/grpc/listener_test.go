package grpc

import (
	"io"
	"net"
	"testing"
)

func TestAConnectionBeyondTheLimitEndsAtOnceAndOthersStay(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Limit(inner, 2)
	defer l.Close()
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	first := <-accepted
	dial()
	<-accepted
	if _, err := dial().Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a third connection: %v, want its end", err)
	}
	if open, refused := l.Stats(); open != 2 || refused != 1 {
		t.Errorf("%d open, %d refused; want 2 and 1", open, refused)
	}
	for range 2 { // closing again counts once
		_ = first.Close()
	}
	dial()
	<-accepted
	if open, _ := l.Stats(); open != 2 {
		t.Errorf("%d open, want 2", open)
	}
}
