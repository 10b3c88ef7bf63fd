// Package broker is one connection with an MQTT broker, as both programs make
// it: MQTT 3.1.1 over TLS or secure WebSockets, quality of service 1, a clean
// session.
//
// A connection that ends stays ended; when to connect again is the caller's
// business, and so is sending again: nothing is kept here, and a broker that
// took a message proves nothing of who got it. Packets above a limit are not
// read. Proxies of the environment are followed.
package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/gorilla/websocket"

	"tillbook.example/tillbook/internal/tunnel"
)

// Limits in time.
const (
	connectLimit = 30 * time.Second
	// writeLimit bounds one packet. The largest takes two minutes on a line of 64
	// kbit/s.
	writeLimit = 3 * time.Minute
)

// atLeastOnce is the quality of service of everything.
const atLeastOnce = 1

// Options are where, as whom and with what to connect.
type Options struct {
	URL string // tls://HOST:PORT or wss://HOST[:PORT]/PATH
	// TLS is the configuration; its server name is set to the URL's host where it
	// is empty. At least TLS 1.2 is used.
	TLS *tls.Config
	// ID is the client's; a second connection with the same ends the first.
	ID string
	// WillTopic and Will are published by the broker when the connection ends,
	// however it ends.
	WillTopic, Will string
	// KeepAlive is after how long without a packet each side asks for one. A
	// packet that is under way for longer than one and a half times this ends the
	// connection.
	KeepAlive time.Duration
	MaxPacket int // bytes of one packet that is received
	// Receive is told of each message, in their order. It must not block, and not
	// publish.
	Receive func(topic string, payload []byte)
	Proxy   tunnel.Proxy // nil: the environment's
}

// Host returns the host name of a broker's URL, or what is wrong with that.
func Host(text string) (string, error) {
	u, err := parse(text)
	if err != nil {
		return "", err
	}
	return u.Hostname(), nil
}

func parse(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the broker's address: %w", err)
	case u.Scheme != "tls" && u.Scheme != "wss" || u.Hostname() == "":
		return nil, fmt.Errorf("the broker's address %q is not of the form tls://HOST:PORT or wss://HOST/PATH", u.Redacted())
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the broker's address %q holds more than a host, a port and a path; it knows its clients by certificate", u.Redacted())
	case u.Scheme == "tls" && u.Path != "":
		return nil, fmt.Errorf("the broker's address %q: only wss:// has a path", text)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), map[string]string{"tls": "8883", "wss": "443"}[u.Scheme])
	}
	return u, nil
}

// Client is one connection.
type Client struct {
	paho mqtt.Client
	conn net.Conn
	out  chan outgoing
	done chan struct{}
	end  sync.Once
	err  error // once done is closed
}

// outgoing is a message on its way to the library.
type outgoing struct {
	topic   string
	payload []byte
	token   chan mqtt.Token // has room for one
}

// Connect makes a connection. It stays until it breaks or Close is called.
func Connect(ctx context.Context, o Options) (*Client, error) {
	at, err := parse(o.URL)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	conn, err := open(ctx, at, o)
	if err != nil {
		return nil, fmt.Errorf("connect to broker %s: %w", o.URL, err)
	}
	c := &Client{conn: conn, out: make(chan outgoing), done: make(chan struct{})}
	c.paho = mqtt.NewClient(mqtt.NewClientOptions().
		AddBroker(o.URL).SetClientID(o.ID).SetProtocolVersion(4).SetCleanSession(true).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
			return &guard{Conn: conn, limit: o.MaxPacket}, nil
		}).
		SetStore(mqtt.NewOrderedMemoryStore()).SetOrderMatters(true).
		SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(connectLimit).
		SetKeepAlive(o.KeepAlive).SetPingTimeout(max(o.KeepAlive/2, 10*time.Second)).SetWriteTimeout(writeLimit).
		SetBinaryWill(o.WillTopic, []byte(o.Will), atLeastOnce, false).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { c.ended(fmt.Errorf("the broker's connection ended: %w", err)) }).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { o.Receive(m.Topic(), m.Payload()) }),
	)
	if err := c.wait(ctx, c.paho.Connect()); err != nil {
		c.Close()
		return nil, fmt.Errorf("connect to broker %s: %w", o.URL, err)
	}
	go c.publish()
	return c, nil
}

// open opens the stream that MQTT runs over.
func open(ctx context.Context, at *url.URL, o Options) (net.Conn, error) {
	config := o.TLS.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	if config.ServerName == "" {
		config.ServerName = at.Hostname()
	}
	dial := func(ctx context.Context, _, address string) (net.Conn, error) {
		return tunnel.Dial(ctx, address, o.Proxy)
	}
	if at.Scheme == "wss" {
		dialer := websocket.Dialer{NetDialContext: dial, TLSClientConfig: config, Subprotocols: []string{"mqtt"}}
		socket, answer, err := dialer.DialContext(ctx, at.String(), http.Header{})
		if err != nil && answer != nil {
			return nil, fmt.Errorf("%w: answered %s", err, answer.Status)
		}
		if err != nil {
			return nil, err
		}
		return &frames{Conn: socket}, nil
	}
	plain, err := dial(ctx, "tcp", at.Host)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS: %w", err), plain.Close())
	}
	return conn, nil
}

// wait waits for what a token stands for.
func (c *Client) wait(ctx context.Context, token mqtt.Token) error {
	select {
	case <-token.Done():
		return token.Error()
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Subscribe asks for messages of filters and waits until the broker grants all.
func (c *Client) Subscribe(ctx context.Context, filters ...string) error {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	want := make(map[string]byte, len(filters))
	for _, f := range filters {
		want[f] = atLeastOnce
	}
	token := c.paho.SubscribeMultiple(want, nil)
	if err := c.wait(ctx, token); err != nil {
		return fmt.Errorf("subscribe to %v: %w", filters, err)
	}
	if granted, ok := token.(*mqtt.SubscribeToken); ok {
		for filter, quality := range granted.Result() {
			if quality != atLeastOnce {
				return fmt.Errorf("the broker does not let this client subscribe to %s", filter)
			}
		}
	}
	return nil
}

// Publish sends a message and waits until the broker has it, which says nothing
// of its subscribers.
func (c *Client) Publish(ctx context.Context, topic string, payload []byte) error {
	o := outgoing{topic, payload, make(chan mqtt.Token, 1)}
	err := c.hand(ctx, o)
	if err == nil {
		select {
		case token := <-o.token:
			err = c.wait(ctx, token)
		case <-c.done:
			err = c.err
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	return nil
}

// Send hands a message over to be sent in its turn, once the one before is on
// its way. Whether it was is not told other than by the end of the connection.
func (c *Client) Send(topic string, payload []byte) error {
	if err := c.hand(context.Background(), outgoing{topic, payload, make(chan mqtt.Token, 1)}); err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	return nil
}

func (c *Client) hand(ctx context.Context, o outgoing) error {
	select {
	case c.out <- o:
		return nil
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// publish gives the library one message after the other. The library holds on to
// its caller until the line takes the message, also when the connection has
// ended meanwhile; nobody else has to wait for that.
func (c *Client) publish() {
	for {
		select {
		case o := <-c.out:
			token := c.paho.Publish(o.topic, atLeastOnce, false, o.payload)
			o.token <- token
			select {
			case <-token.Done():
				if err := token.Error(); err != nil {
					c.ended(fmt.Errorf("publish to %s: %w", o.topic, err))
				}
			default:
			}
		case <-c.done:
			return
		}
	}
}

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err says why it has.
func (c *Client) Err() error {
	<-c.done
	return c.err
}

// Close ends the connection without a word, so that the broker publishes the
// will. It may be called again.
func (c *Client) Close() { c.ended(net.ErrClosed) }

func (c *Client) ended(why error) {
	c.end.Do(func() {
		c.err = why
		close(c.done)
		_ = c.conn.Close() // it has ended either way
	})
}
