package line_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	agentapp "tillbook.example/tillbook/agent/app"
	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/intake/intaketest"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/internal/mosquitto"
	"tillbook.example/tillbook/shared/pki"
)

// runs runs a program until stop is called or the test ends.
func runs(t *testing.T, program interface {
	Run(context.Context) error
	Close() error
}) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- program.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := program.Close(); err != nil {
			t.Error(err)
		}
	})
}

// ask calls a local service and returns its answer.
func ask(t *testing.T, method, address, token string, body []byte) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s %v", method, address, answer.Status, text, err)
	}
	return string(text)
}

// TestBothProgramsSpeakOverABroker has whole programs, configured as docs/mqtt.md
// says: a sale that is pushed to the agent reaches the collector's database, and a
// revoked agent is told.
func TestBothProgramsSpeakOverABroker(t *testing.T) {
	t.Parallel()
	quiet := slog.New(slog.DiscardHandler)
	c := app.Defaults()
	c.Data, c.Agents.Listen, c.Ops.Listen = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	c.Work.Every, c.Work.Audit = time.Hour, time.Hour
	keys, err := app.OpenKeys(c.Data, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Ring()
	if err != nil {
		t.Fatal(err)
	}
	m := mosquitto.Start(t, "../../docs/mqtt.md", ring.Active())
	authority := filepath.Join(t.TempDir(), "broker-authority.pem")
	if err := os.WriteFile(authority, pki.FormatCertificates(ring.Active().Certificate()), 0o600); err != nil {
		t.Fatal(err)
	}
	c.MQTT = app.MQTT{Broker: brokerURL(overMQTT, m.Addr()), Share: "collectors", Authorities: authority, Certificate: m.Certificate, Key: m.Key}
	collector, err := app.New(t.Context(), c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	shop := merchant.Merchant{
		ID: leeds.Merchant, Name: "Corner", Country: "GB", Currency: "GBP",
		Stores: []merchant.Store{{ID: leeds.Store, Name: "High Street", Zone: "Europe/London"}},
	}
	if _, err := collector.DB().Apply(t.Context(), shop, time.Now()); err != nil {
		t.Fatal(err)
	}
	runs(t, collector)

	join, err := app.NewEnrolment(c, collector.DB(), keys, quiet, time.Now).NewJoin(t.Context(), leeds.Merchant, leeds.Store, collector.Addr())
	if err != nil {
		t.Fatal(err)
	}
	a := agentapp.Defaults()
	a.Data, a.Listen = t.TempDir(), "127.0.0.1:0"
	a.Outbox.SoftFreeMiB, a.Outbox.HardFreeMiB = 2, 1
	a.Carrier = agentapp.Carrier{Kind: "mqtt", Broker: brokerURL(overWSS, m.WebSocketsAddr()), Authorities: authority}
	identity, err := enroll.Join(t.Context(), a.Data, join.String(), "till-pc", "1.0", false)
	if err != nil {
		t.Fatal(err)
	}
	agent, err := agentapp.New(a, quiet)
	if err != nil {
		t.Fatal(err)
	}
	runs(t, agent)

	sale, err := json.Marshal(intaketest.Document("", 1, 250))
	if err != nil {
		t.Fatal(err)
	}
	ask(t, http.MethodPost, agent.Addr()+"/v1/documents", agent.Token(), sale)
	wait := func(what string, done func() bool) {
		t.Helper()
		for late := time.After(patience); !done(); {
			select {
			case <-time.After(20 * time.Millisecond):
			case <-late:
				t.Fatalf("%s: %+v", what, agent.Status())
			}
		}
	}
	wait("the sale is not stored", func() bool { return agent.Status().Outbox.Taken == 1 && agent.Status().Outbox.Unsent == 0 })
	metrics := ask(t, http.MethodGet, collector.OpsAddr()+"/metrics", "", nil)
	for _, want := range []string{"tillbook_collector_mqtt_connected 1", "tillbook_collector_intake_records_total 1", "tillbook_collector_mqtt_dropped_total 0"} {
		if !regexp.MustCompile("(?m)^" + want + "$").MatchString(metrics) {
			t.Errorf("the metrics lack %q", want)
		}
	}

	if err := collector.DB().Revoke(t.Context(), identity.Merchant, identity.Agent, time.Now()); err != nil {
		t.Fatal(err)
	}
	wait("the agent is not told that it is revoked", func() bool {
		return strings.Contains(ask(t, http.MethodGet, agent.Addr()+"/v1/status", agent.Token(), nil), "revoked")
	})
}
