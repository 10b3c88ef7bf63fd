package broker

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

func TestTheAddressOfABroker(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"tls://broker.example":            "broker.example:8883",
		"tls://broker.example:1234":       "broker.example:1234",
		"tls://[::1]":                     "[::1]:8883",
		"wss://broker.example/mqtt":       "broker.example:443",
		"wss://broker.example:8443/a/b":   "broker.example:8443",
		"tcp://broker.example:1883":       "",
		"ws://broker.example/mqtt":        "",
		"broker.example:8883":             "",
		"tls://":                          "",
		"tls://:8883":                     "",
		"tls://broker.example/mqtt":       "",
		"wss://broker.example/mqtt?x=1":   "",
		"tls://till:secret@broker:8883":   "",
		"tls://broker.example:8883#there": "",
		"":                                "",
	} {
		u, err := parse(text)
		switch {
		case want == "" && (err == nil || strings.Contains(err.Error(), "secret")):
			t.Errorf("%q: %v, %v; want an error that tells no password", text, u, err)
		case want != "" && (err != nil || u.Host != want):
			t.Errorf("%q: %v, %v; want %s", text, u, err, want)
		}
	}
}

// packet is a packet of a type with a body of n bytes.
func packet(kind byte, n int) []byte {
	head := []byte{kind}
	for rest := n; ; {
		b := byte(rest % 128)
		if rest /= 128; rest > 0 {
			head = append(head, b|0x80)
			continue
		}
		return append(append(head, b), make([]byte, n)...)
	}
}

// pieces is a connection that gives its text in pieces of some bytes.
type pieces struct {
	net.Conn
	text io.Reader
	size int
}

func (p *pieces) Read(b []byte) (int, error) { return p.text.Read(b[:min(len(b), p.size)]) }

func TestPacketsAreReadUpToTheLimit(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 3, 1000, 100_000} {
		for _, c := range []struct {
			bodies []int
			fits   bool
		}{{[]int{0, 2, 127, 128, 1000, 0}, true}, {[]int{1000, 1001}, false}, {[]int{0, 300_000}, false}} {
			var text []byte
			for _, n := range c.bodies {
				text = append(text, packet(0x30, n)...)
			}
			got, err := io.ReadAll(&guard{Conn: &pieces{text: bytes.NewReader(text), size: size}, limit: 1000})
			if c.fits && (err != nil || !bytes.Equal(got, text)) {
				t.Errorf("%v in pieces of %d: %v", c.bodies, size, err)
			}
			if !c.fits && (err == nil || !strings.Contains(err.Error(), "more than 1000")) {
				t.Errorf("%v in pieces of %d: %v, want too much", c.bodies, size, err)
			}
		}
	}
	endless := []byte{0x30, 0xff, 0xff, 0xff, 0xff}
	if _, err := io.ReadAll(&guard{Conn: &pieces{text: bytes.NewReader(endless), size: 9}, limit: 1 << 30}); err == nil {
		t.Error("a length of more than four bytes was taken")
	}
}

// FuzzGuard compares with reading the packets one after the other.
func FuzzGuard(f *testing.F) {
	f.Add(append(packet(0x30, 200), packet(0xd0, 0)...), 3)
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f}, 1)
	f.Add([]byte{0x30, 0x80, 0x80, 0x80, 0x80, 1}, 2)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		const limit = 300
		fits := true
		for rest := text; fits && len(rest) > 1; {
			n, used := 0, 1
			for shift := 0; ; shift += 7 {
				if used == len(rest) { // the rest of the length is to come
					fits = n <= limit
					rest = nil
					break
				}
				b := rest[used]
				used++
				n |= int(b&0x7f) << shift
				if n > limit || shift == 21 && b >= 0x80 {
					fits = false
					break
				}
				if b < 0x80 {
					rest = rest[min(len(rest), used+n):]
					break
				}
			}
		}
		got, err := io.ReadAll(&guard{Conn: &pieces{text: bytes.NewReader(text), size: max(1, min(size, 1000))}, limit: limit})
		if (err == nil) != fits || err == nil && !bytes.Equal(got, text) {
			t.Errorf("%x: %v, want to fit: %v", text, err, fits)
		}
	})
}
