package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/intake/intaketest"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/wire"
)

// said is a broker that keeps what is published.
type said struct {
	mu     sync.Mutex
	topics []string
	last   map[string][]byte // by topic
	hold   chan struct{}     // where set, publishing waits for it
}

func (s *said) Publish(ctx context.Context, topic string, payload []byte) error {
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[string][]byte{}
	}
	s.topics, s.last[topic] = append(s.topics, topic), payload
	return nil
}

func (s *said) to(topic string) (payload []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	payload, ok = s.last[topic]
	return payload, ok
}

func (s *said) Done() <-chan struct{} { return nil }

func (s *said) Err() error { return nil }

// open returns a link of collector "c" that takes sessions without a broker.
func open(t testing.TB, change func(*Options)) (*link, *said, context.CancelFunc) {
	t.Helper()
	service, err := intake.NewService(intake.Options{
		Store: intaketest.NewStore(), Presence: &intaketest.Presence{}, Logger: slog.New(slog.DiscardHandler),
		Day: func(context.Context, fleet.Identity, *document.Document) (bizday.Day, error) {
			return "2026-03-02", nil
		},
		Allowed: func(context.Context, fleet.Identity) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Intake: service, Broker: "tls://broker", Logger: slog.New(slog.DiscardHandler),
		TLS: func() (*tls.Config, error) { return nil, errors.New("not used") },
		Identify: func(_ context.Context, merchant, agent string) (fleet.Identity, error) {
			if merchant != "acme" {
				return fleet.Identity{}, fleet.ErrUnknown
			}
			return fleet.Identity{Merchant: merchant, Store: "Leeds", Agent: agent}, nil
		},
	}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l, broker := newLink(ctx, c, "c"), &said{}
	l.client = broker
	return l, broker, cancel
}

func up(t testing.TB, m *tillbookv1.Up) []byte {
	t.Helper()
	text, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func hello(t testing.TB) []byte {
	return up(t, &tillbookv1.Up{Message: &tillbookv1.Up_Hello{Hello: &tillbookv1.Hello{Protocol: wire.Protocol, Next: 1}}})
}

// left fails if anything is left of sessions that have ended.
func (l *link) left(t testing.TB) {
	t.Helper()
	if n := l.waiting.Load(); n != 0 || len(l.sessions) != 0 || len(l.agents) != 0 {
		t.Errorf("%d bytes wait, %d sessions and %d agents are left", n, len(l.sessions), len(l.agents))
	}
}

func TestAHelloThatIsSaidAgainChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, broker, cancel := open(t, nil)
		for range 3 {
			l.receive("v1/acme/a1/hello/s", hello(t))
			synctest.Wait()
		}
		if len(broker.topics) != 1 || broker.topics[0] != "v1/acme/a1/down/s/c" {
			t.Errorf("answered %q, want one answer", broker.topics)
		}
		cancel()
		l.running.Wait()
		l.left(t)
	})
}

func TestAnAgentHasAFewSessionsAtOnceAndTheOldestEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, broker, cancel := open(t, nil)
		for i := range maxSessions + 1 {
			l.receive(fmt.Sprintf("v1/acme/a1/hello/s%d", i), hello(t))
			synctest.Wait()
		}
		l.receive("v1/acme/a2/hello/other", hello(t))
		synctest.Wait()
		if len(l.sessions) != maxSessions+1 {
			t.Errorf("%d sessions, want %d of one agent and one of another", len(l.sessions), maxSessions)
		}
		if end, ok := broker.to("v1/acme/a1/down/s0/c"); !ok || len(end) != 0 {
			t.Errorf("the oldest session was told %v, want its end", end)
		}
		l.receive("v1/acme/a1/bye/s1", []byte("bye"))
		synctest.Wait()
		if len(l.sessions) != maxSessions {
			t.Errorf("%d sessions after a bye", len(l.sessions))
		}
		if last, _ := broker.to("v1/acme/a1/down/s1/c"); len(last) == 0 {
			t.Error("an agent that is gone was told so")
		}
		cancel()
		l.running.Wait()
		l.left(t)
	})
}

func TestWhatIsTooMuchEndsTheSession(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Options)
		say    func(l *link)
	}{
		"more messages than it has credit for": {nil, func(l *link) {
			for range maxInbox + 3 {
				l.receive("v1/acme/a1/up/s/c", make([]byte, 10))
			}
		}},
		"a message that is too large": {nil, func(l *link) { l.receive("v1/acme/a1/up/s/c", make([]byte, MaxMessage+1)) }},
		"more bytes than may wait": {func(o *Options) { o.MaxWaiting = 1000 }, func(l *link) {
			for range 4 {
				l.receive("v1/acme/a1/up/s/c", make([]byte, 300))
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, broker, cancel := open(t, c.change)
				broker.hold = make(chan struct{}) // so that nothing is taken out of the inbox
				l.receive("v1/acme/a1/hello/s", hello(t))
				synctest.Wait()
				c.say(l)
				close(broker.hold)
				synctest.Wait()
				if end, ok := broker.to("v1/acme/a1/down/s/c"); !ok || len(end) != 0 || len(l.sessions) != 0 {
					t.Errorf("told %v, %d sessions left; want it ended", end, len(l.sessions))
				}
				if l.dropped.Load() == 0 {
					t.Error("nothing is counted as dropped")
				}
				cancel()
				l.running.Wait()
				l.left(t)
			})
		})
	}
}

func TestAnAgentThatIsNotKnownIsRefused(t *testing.T) {
	t.Parallel()
	for merchant, want := range map[string]string{"other": intake.RefusedRevoked, "broken": intake.RefusedBusy} {
		synctest.Test(t, func(t *testing.T) {
			l, broker, cancel := open(t, func(o *Options) {
				o.Identify = func(_ context.Context, merchant, _ string) (fleet.Identity, error) {
					if merchant == "broken" {
						return fleet.Identity{}, errors.New("the database went away")
					}
					return fleet.Identity{}, fmt.Errorf("agent: %w", fleet.ErrUnknown)
				}
			})
			gate := make(chan struct{})
			broker.hold = gate
			l.receive("v1/"+merchant+"/a1/hello/s", hello(t))
			gate <- struct{}{} // the refusal, not yet the end
			synctest.Wait()
			text, _ := broker.to("v1/" + merchant + "/a1/down/s/c")
			var m tillbookv1.Down
			if err := proto.Unmarshal(text, &m); err != nil || m.GetRefusal().GetCode() != want {
				t.Errorf("%s: told %v, %v; want %s", merchant, &m, err, want)
			}
			close(gate)
			cancel()
			l.running.Wait()
			l.left(t)
		})
	}
}

// FuzzMessages has anything arrive from the broker, within a session and beside
// it: nothing panics, answers go only to who spoke, and nothing is left behind.
func FuzzMessages(f *testing.F) {
	batch := up(f, &tillbookv1.Up{Message: &tillbookv1.Up_Batch{Batch: &tillbookv1.Batch{Epoch: make([]byte, 16), First: 1, Count: 1, Records: []byte("x")}}})
	f.Add("v1/acme/a1/up/s/c", batch, "v1/acme/a1/bye/s", []byte("bye"))
	f.Add("v1/acme/a1/up/s/c", hello(f), "v1/acme/a1/up/s/c", []byte{0xff})
	f.Add("v1/acme/a2/hello/t", hello(f), "v1/acme/a2/up/t/c", batch)
	f.Add("v1/other/a2/hello/t", []byte{}, "v1/acme/a2/up/t/c", []byte{})
	f.Add("v1/collector/c", []byte("gone"), "$share/x", []byte{})
	f.Fuzz(func(t *testing.T, topic1 string, payload1 []byte, topic2 string, payload2 []byte) {
		synctest.Test(t, func(t *testing.T) {
			l, broker, cancel := open(t, nil)
			spoke := map[string]bool{"acme/a1/s": true}
			l.receive("v1/acme/a1/hello/s", hello(t))
			for _, m := range []struct {
				topic   string
				payload []byte
			}{{topic1, payload1}, {topic2, payload2}} {
				l.receive(m.topic, m.payload)
				synctest.Wait()
				if parsed, err := wire.ParseTopic(m.topic); err == nil {
					spoke[parsed.Merchant+"/"+parsed.Agent+"/"+parsed.Session] = true
				}
			}
			cancel()
			l.running.Wait()
			l.left(t)
			for _, topic := range broker.topics {
				levels := strings.Split(topic, "/")
				if len(levels) != 6 || levels[3] != "down" || levels[5] != "c" || !spoke[levels[1]+"/"+levels[2]+"/"+levels[4]] {
					t.Errorf("answered to %q", topic)
				}
			}
		})
	})
}
