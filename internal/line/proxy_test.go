package line_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"tillbook.example/tillbook/agent/uplink/uplinktest"
)

// proxy is an HTTP proxy that connects to whatever it is asked for, or refuses.
type proxy struct {
	*httptest.Server
	refuse int    // status
	user   string // and password that it wants, as user:password

	mu    sync.Mutex
	asked []string
}

func newProxy(t *testing.T) *proxy {
	p := &proxy{}
	p.Server = httptest.NewServer(http.HandlerFunc(p.connect))
	t.Cleanup(p.CloseClientConnections)
	return p
}

func (p *proxy) connect(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host)
	p.mu.Unlock()
	if p.user != "" {
		r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
		if name, password, _ := r.BasicAuth(); name+":"+password != p.user {
			w.Header().Set("Proxy-Authenticate", "Basic")
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
	}
	if p.refuse != 0 {
		w.WriteHeader(p.refuse)
		return
	}
	_, port, _ := net.SplitHostPort(r.Host)
	far, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port)) // whatever the name is
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer far.Close()
	near, early, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	go func() {
		defer far.Close()
		_, _ = io.Copy(far, early) // until either side ends
	}()
	_, _ = io.Copy(near, far)
}

// through returns what says that every destination is reached by the proxy.
func (p *proxy) through(t *testing.T, user *url.Userinfo) func(*url.URL) (*url.URL, error) {
	at, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	at.User = user
	return func(*url.URL) (*url.URL, error) { return at, nil }
}

func TestSalesArriveThroughAProxy(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		p := newProxy(t)
		p.user = "till:secret"
		disk := uplinktest.NewOutbox()
		sell(disk, 0, 50)
		o := quick(s, disk)
		o.Carrier = s.dialAt(s.address, p.through(t, url.UserPassword("till", "secret")), s.authority, leeds)
		u := run(t, o)
		u.until(t, 50)
		u.stop()
		s.once(t, 50)
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.asked) != 1 || p.asked[0] != "CONNECT "+s.address {
			t.Errorf("the proxy was asked %q, want to connect to %s", p.asked, s.address)
		}
	})
}

func TestAProxyThatRefusesIsNamedWithItsAnswer(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		p := newProxy(t)
		p.user = "till:secret"
		dial := func(user *url.Userinfo) string {
			t.Helper()
			session, err := s.dialAt(s.address, p.through(t, user), s.authority, leeds).Dial(t.Context())
			if err == nil {
				session.Close()
				t.Fatal("connected through a proxy that refuses")
			}
			return err.Error()
		}
		at := strings.TrimPrefix(p.URL, "http://")
		for _, user := range []*url.Userinfo{nil, url.UserPassword("till", "wrong-password")} {
			if text := dial(user); !strings.Contains(text, at) || !strings.Contains(text, "407") || strings.Contains(text, "wrong-password") {
				t.Errorf("%q; want the proxy %s and 407, without the password", text, at)
			}
		}
		p.refuse = http.StatusForbidden
		if text := dial(url.UserPassword("till", "secret")); !strings.Contains(text, at) || !strings.Contains(text, "403") {
			t.Errorf("%q; want the proxy %s and 403", text, at)
		}
		p.Close()
		if text := dial(nil); !strings.Contains(text, at) {
			t.Errorf("%q; want the proxy %s", text, at)
		}
	})
}

func TestTheEnvironmentNamesTheProxy(t *testing.T) {
	for _, over := range []string{overGRPC, overMQTT, overWSS} {
		t.Run(over, func(t *testing.T) {
			s := newSite(t, over)
			p := newProxy(t)
			_, port, _ := net.SplitHostPort(s.address)
			t.Setenv("HTTPS_PROXY", p.URL)
			t.Setenv("NO_PROXY", "near.example")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			// The name is resolved by the proxy; loopback names would never be asked of one.
			session, err := s.dialAt("broker.example:"+port, nil, s.authority, leeds).Dial(ctx)
			if err != nil {
				t.Fatal(err)
			}
			session.Close()
			if _, err := s.dialAt("near.example:"+port, nil, s.authority, leeds).Dial(ctx); err == nil {
				t.Error("a name that is not there was reached without the proxy")
			}
			if len(p.asked) != 1 || p.asked[0] != "CONNECT broker.example:"+port {
				t.Errorf("the proxy was asked %q", p.asked)
			}
		})
	}
}
