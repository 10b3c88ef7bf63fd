// Package grpc carries an uplink's session over one gRPC stream with mutual TLS.
//
// Each session has a connection of its own, made with the certificate and the
// authorities of that moment, so that a renewed certificate is used from the
// next session on. A connection that does not come about fails within a time
// limit; when to try again is the uplink's business. HTTPS_PROXY and NO_PROXY
// are followed.
package grpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	google "google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/internal/tunnel"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
)

// connectLimit bounds one attempt to connect.
const connectLimit = 30 * time.Second

// maxReceive bounds a message from the collector.
const maxReceive = 1 << 20

// Options are where and with what to connect.
type Options struct {
	// Target is the collector's host:port.
	Target string
	// TLS returns the configuration of the next connection: the agent's
	// certificate and the authorities it trusts. At least TLS 1.2 is used.
	TLS   func() (*tls.Config, error)
	Proxy tunnel.Proxy // nil: the environment's
}

// Carrier is an uplink.Carrier.
type Carrier struct{ o Options }

// New returns a Carrier. Nothing is connected before Dial.
func New(o Options) (*Carrier, error) {
	if o.Target == "" || o.TLS == nil {
		return nil, errors.New("grpc carrier: target and TLS are needed")
	}
	return &Carrier{o: o}, nil
}

// Dial implements uplink.Carrier.
func (c *Carrier) Dial(ctx context.Context) (uplink.Session, error) {
	config, err := c.o.TLS()
	if err != nil {
		return nil, fmt.Errorf("prepare TLS: %w", err)
	}
	config = config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	// The name is resolved where the connection begins: here, or by the proxy.
	conn, err := google.NewClient("passthrough:///"+c.o.Target,
		google.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return tunnel.Dial(ctx, address, c.o.Proxy)
		}),
		google.WithTransportCredentials(credentials.NewTLS(config)),
		google.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second, PermitWithoutStream: true}),
		google.WithConnectParams(google.ConnectParams{Backoff: backoff.Config{BaseDelay: time.Second, Multiplier: 1.6, Jitter: 0.3, MaxDelay: connectLimit}, MinConnectTimeout: connectLimit}),
		google.WithDefaultCallOptions(google.MaxCallRecvMsgSize(maxReceive)),
		google.WithDisableRetry(), google.WithDisableServiceConfig(),
		google.WithReadBufferSize(8<<10), google.WithWriteBufferSize(8<<10),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", c.o.Target, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &session{conn: conn, cancel: cancel}
	if err := connect(ctx, conn); err != nil {
		s.Close()
		return nil, fmt.Errorf("connect to %s: %w", c.o.Target, err)
	}
	if s.stream, err = tillbookv1.NewCollectorClient(conn).Stream(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("open a stream to %s: %w", c.o.Target, err)
	}
	return s, nil
}

// connect waits until the connection stands or its first attempt failed.
func connect(ctx context.Context, conn *google.ClientConn) error {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	conn.Connect()
	for state := conn.GetState(); state != connectivity.Ready; state = conn.GetState() {
		if state == connectivity.TransientFailure {
			return nil // opening the stream says why
		}
		if !conn.WaitForStateChange(ctx, state) {
			return fmt.Errorf("no connection within %s: %w", connectLimit, ctx.Err())
		}
	}
	return nil
}

type session struct {
	conn   *google.ClientConn
	cancel context.CancelFunc
	stream google.BidiStreamingClient[tillbookv1.Up, tillbookv1.Down]
}

// Send implements uplink.Session.
func (s *session) Send(m *tillbookv1.Up) error { return s.stream.Send(m) }

// Recv implements uplink.Session.
func (s *session) Recv() (*tillbookv1.Down, error) { return s.stream.Recv() }

// Close implements uplink.Session. Errors of closing change nothing.
func (s *session) Close() {
	s.cancel()
	_ = s.conn.Close()
}
