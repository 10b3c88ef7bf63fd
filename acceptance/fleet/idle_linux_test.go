package fleet

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/agent/uplink"
	"tillbook.example/tillbook/agent/uplink/grpc"
	"tillbook.example/tillbook/agent/uplink/mqtt"
	"tillbook.example/tillbook/agent/uplink/uplinktest"
	"tillbook.example/tillbook/collector/app"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
)

// BenchmarkIdleAgents reports what a thousand agents that have nothing to send cost
// a collector: memory and processor time, over each carrier. Heartbeats come as
// they always do.
func BenchmarkIdleAgents(b *testing.B) {
	const look = 60 * time.Second
	agents := size(b, "TILLBOOK_FLEET_AGENTS", 1000)
	for _, carrier := range []string{"grpc", "mqtt"} {
		b.Run(carrier, func(b *testing.B) {
			for range b.N {
				s := open(b, 10*time.Minute, 1, agents/10)
				c := s.collectors[0]
				measure := func(what string) {
					pause(s.ctx, 20*time.Second) // what came before has come to rest
					before, err := c.Used(c.data)
					s.must(err)
					pause(s.ctx, look)
					after, err := c.Used(c.data)
					s.must(err)
					b.ReportMetric(100*(after.Processor-before.Processor)/look.Seconds(), "%cpu-"+what)
					b.ReportMetric(after.Resident/(1<<20), "MB-"+what)
				}
				measure("alone")
				s.idle(agents, carrier)
				s.wait("all are connected", func() bool { return s.metric("intake_sessions") >= float64(agents) })
				measure("idle")
			}
		})
	}
}

// idle connects agents that will send nothing. They are enrolled by as many
// enrolments as it takes: each takes five a second.
func (s *site) idle(n int, carrier string) {
	keys, err := app.OpenKeys(s.config.Data, time.Now())
	s.must(err)
	host, err := s.config.JoinHost()
	s.must(err)
	var counted lines
	agents := make([]*agent, n)
	for i := range agents {
		enrolment := app.NewEnrolment(s.config, s.db, keys, slog.New(slog.DiscardHandler), time.Now)
		t := till{merchant: merchants[i%2], store: store(i / 10), terminal: fmt.Sprint(i), sales: 1, days: lastDays(1)}
		code, err := enrolment.NewJoin(s.ctx, t.merchant, t.store, host)
		s.must(err)
		key, err := pki.NewKey()
		s.must(err)
		request, err := pki.Request(key)
		s.must(err)
		answer, err := enrolment.Enrol(s.ctx, &tillbookv1.EnrolRequest{Code: code.Code, Csr: request})
		s.must(err)
		roots := x509.NewCertPool()
		for _, der := range answer.GetAuthorities() {
			authority, err := x509.ParseCertificate(der)
			s.must(err)
			roots.AddCert(authority)
		}
		config := func(name string) (*tls.Config, error) {
			c := pki.TrustingTLS(name, roots, time.Now)
			c.Certificates = []tls.Certificate{{Certificate: answer.GetChain(), PrivateKey: key}}
			return c, nil
		}
		var line uplink.Carrier
		if carrier == "mqtt" {
			line, err = mqtt.New(mqtt.Options{Broker: "tls://" + s.broker.Addr(), Merchant: answer.GetMerchant(), Agent: answer.GetAgent(), TLS: config})
		} else {
			line, err = grpc.New(grpc.Options{Target: host, TLS: func() (*tls.Config, error) { return config("localhost") }})
		}
		s.must(err)
		a := &agent{till: t, outbox: uplinktest.NewOutbox()}
		a.uplink, err = uplink.New(uplink.Options{
			Outbox: a.outbox, Carrier: counting{line, &counted}, Agent: answer.GetAgent(), Version: "fleet", Logger: slog.New(slog.DiscardHandler),
			Captured: func() (time.Time, uint64) { return time.Now(), 0 },
		})
		s.must(err)
		agents[i] = a
	}
	s.run(agents)
}

// metric asks the first collector for one of its figures, 0 if it does not say.
func (s *site) metric(name string) float64 {
	log, err := readLog(s.collectors[0])
	s.must(err)
	_, rest, found := strings.Cut(log[strings.LastIndex(log, "collector runs"):], " ops=")
	if !found {
		s.t.Fatal("the collector does not say where its metrics are")
	}
	answer, err := http.Get("http://" + strings.Fields(rest)[0] + "/metrics")
	s.must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	s.must(err)
	_, value, found := strings.Cut(string(text), "\ntillbook_collector_"+name+" ")
	if !found {
		return 0
	}
	n, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
	s.must(err)
	return n
}
