// Package tunnel opens TCP connections from a store to the outside, through the
// HTTP proxy that the environment names for the destination, if it names one.
//
// HTTPS_PROXY and NO_PROXY are followed; loopback destinations are always
// reached directly. A proxy that refuses is named in the error, with its answer.
// What travels through a connection is the caller's: encrypt it.
package tunnel

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// answerLimit bounds the header of a proxy's answer.
const answerLimit = 16 << 10

// Proxy returns the proxy for a destination, nil for none.
type Proxy func(destination *url.URL) (*url.URL, error)

// Dial connects to host:port. A nil proxy means what the environment says now.
func Dial(ctx context.Context, address string, proxy Proxy) (net.Conn, error) {
	if proxy == nil {
		proxy = httpproxy.FromEnvironment().ProxyFunc()
	}
	through, err := proxy(&url.URL{Scheme: "https", Host: address})
	if err != nil {
		return nil, fmt.Errorf("the proxy for %s: %w", address, err)
	}
	if through == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	if through.Scheme != "http" {
		return nil, fmt.Errorf("proxy %s: only proxies of the form http://HOST:PORT can be used, not %s", through.Host, through.Scheme)
	}
	at := through.Host
	if through.Port() == "" {
		at = net.JoinHostPort(through.Hostname(), "80")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", at)
	if err != nil {
		return nil, fmt.Errorf("proxy %s: %w", at, err)
	}
	// A context that ends interrupts the exchange with the proxy.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	tunnelled, err := ask(conn, address, through.User)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("proxy %s: %w", at, errors.Join(err, conn.Close()))
	}
	return tunnelled, nil
}

// ask has the proxy connect further.
func ask(conn net.Conn, address string, user *url.Userinfo) (net.Conn, error) {
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if user != nil {
		password, _ := user.Password()
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := request.Write(conn); err != nil {
		return nil, fmt.Errorf("ask it to connect to %s: %w", address, err)
	}
	limited := &io.LimitedReader{R: conn, N: answerLimit}
	read := bufio.NewReader(limited)
	response, err := http.ReadResponse(read, request)
	if err != nil {
		return nil, fmt.Errorf("read its answer to connecting to %s: %w", address, err)
	}
	switch {
	case response.StatusCode == http.StatusProxyAuthRequired:
		return nil, fmt.Errorf("it answered %s; set user and password in HTTPS_PROXY (http://USER:PASSWORD@HOST:PORT)", response.Status)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answered %s to connecting to %s", response.Status, address)
	}
	// What came behind the answer is the destination's.
	early, err := read.Peek(read.Buffered())
	if err != nil {
		return nil, fmt.Errorf("read behind its answer: %w", err)
	}
	return &behind{Conn: conn, early: early}, nil
}

// behind is a connection of which some was read already.
type behind struct {
	net.Conn
	early []byte
}

func (b *behind) Read(p []byte) (int, error) {
	if len(b.early) > 0 {
		n := copy(p, b.early)
		b.early = b.early[n:]
		return n, nil
	}
	return b.Conn.Read(p)
}
