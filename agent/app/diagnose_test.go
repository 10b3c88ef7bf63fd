package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc"

	"tillbook.example/tillbook/agent/diagnose"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/wire"
)

// taker is a collector that acknowledges whatever comes and keeps heartbeats.
type taker struct {
	tillbookv1.UnimplementedCollectorServer
	mu     sync.Mutex
	stored uint64
	digest []byte
	beats  []*tillbookv1.Heartbeat
}

func newTaker() *taker { return &taker{digest: make([]byte, 32)} }

func (c *taker) Stream(stream grpc.BidiStreamingServer[tillbookv1.Up, tillbookv1.Down]) error {
	for {
		up, err := stream.Recv()
		if err != nil {
			return err
		}
		for _, down := range c.answer(up) {
			if err := stream.Send(down); err != nil {
				return err
			}
		}
	}
}

func (c *taker) answer(up *tillbookv1.Up) []*tillbookv1.Down {
	c.mu.Lock()
	defer c.mu.Unlock()
	epoch, incarnation := []byte("epoch-0123456789"), []byte("incarnation-0123")
	switch m := up.Message.(type) {
	case *tillbookv1.Up_Hello:
		switch {
		case m.Hello.Protocol == 0:
			return []*tillbookv1.Down{{Message: &tillbookv1.Down_Refusal{Refusal: &tillbookv1.Refusal{Code: "protocol", Text: "too old"}}}}
		case m.Hello.Epoch == nil:
			return []*tillbookv1.Down{{Message: &tillbookv1.Down_NewEpoch{NewEpoch: &tillbookv1.NewEpoch{Epoch: &tillbookv1.Epoch{Id: epoch}, Incarnation: incarnation}}}}
		}
		return []*tillbookv1.Down{
			{Message: &tillbookv1.Down_Welcome{Welcome: &tillbookv1.Welcome{
				Protocol: wire.Protocol, Version: "v9.9.9", Incarnation: incarnation, Epoch: epoch, Stored: c.stored, Digest: c.digest, ClockUs: time.Now().UnixMicro(),
			}}},
			{Message: &tillbookv1.Down_Heartbeat{Heartbeat: &tillbookv1.Heartbeat{
				Version: "v9.9.9", ClockUs: time.Now().Add(-5 * time.Minute).UnixMicro(), Days: []*tillbookv1.DayState{{Day: "2026-11-02", State: "held", Hold: "z_missing"}},
			}}},
		}
	case *tillbookv1.Up_Batch:
		c.stored, c.digest = m.Batch.First+uint64(m.Batch.Count)-1, m.Batch.DigestAfter
		return []*tillbookv1.Down{{Message: &tillbookv1.Down_Ack{Ack: &tillbookv1.Ack{Incarnation: incarnation, Epoch: epoch, Stored: c.stored, Digest: c.digest}}}}
	case *tillbookv1.Up_Heartbeat:
		c.beats = append(c.beats, m.Heartbeat)
	}
	return nil
}

func (c *taker) heard() []*tillbookv1.Heartbeat {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*tillbookv1.Heartbeat{}, c.beats...)
}

// push rings up a sale.
func (r *running) push(number int) {
	r.t.Helper()
	if got, body := r.ask(http.MethodPost, "/v1/documents", r.Token(), "", strings.Replace(pushed, `"7"`, fmt.Sprintf(`"%d"`, number), 1)); got != http.StatusCreated {
		r.t.Errorf("push: %d %s", got, body)
	}
}

// connected starts an agent that is connected to a collector.
func connected(t *testing.T) (*running, *taker) {
	t.Helper()
	collector := newTaker()
	r := start(t, enrolledAt(t, collector))
	r.until("the line", func() bool { return r.Status().Collector.Connected })
	return r, collector
}

func TestTheCollectorsClockVersionAndDaysAreTold(t *testing.T) {
	t.Parallel()
	r, collector := connected(t)
	r.until("the collector's heartbeat", func() bool { return len(r.Status().Days) > 0 })
	s := r.Status()
	if c := s.Collector; c.Version != "v9.9.9" || c.Skew < 299 || c.Skew > 301 || c.HeardAt.IsZero() {
		t.Errorf("%+v; want the version and a clock that is five minutes ahead", c)
	}
	for question, code := range map[string]string{diagnose.Leaving: "clock_skew", diagnose.Closing: "z_missing"} {
		found := false
		for _, a := range s.Answers {
			found = found || a.Question == question && a.Code == code && a.Next != ""
		}
		if !found {
			t.Errorf("%s is not answered with %s: %+v", question, code, s.Answers)
		}
	}
	r.push(1)
	r.until("the sale to arrive", func() bool { return r.Status().Outbox.Unsent == 0 })
	if s := r.Status().Sources; len(s) != 2 || s[1].Name != "push" || s[1].LastAt.IsZero() || !s[0].LastAt.IsZero() {
		t.Errorf("sources %+v, want the push to have brought something and the folder nothing", s)
	}
	var snapshots [][]byte
	r.until("a heartbeat", func() bool {
		for _, b := range collector.heard() {
			if len(b.Snapshot) > 0 {
				snapshots = append(snapshots, b.Snapshot)
			}
		}
		return len(snapshots) > 0
	})
	reader, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	text, err := reader.DecodeAll(snapshots[0], nil)
	if err != nil || !strings.Contains(string(text), "\ntillbook_agent_uplink_connected 1\n") || !strings.Contains(string(text), `{source="till-1"}`) {
		t.Errorf("%v:\n%s", err, text)
	}
	if len(snapshots[0]) > 2<<10 || strings.Contains(string(text), "go_") {
		t.Errorf("%d bytes each minute:\n%s", len(snapshots[0]), text)
	}
	if again := r.beat(); again.Snapshot != nil {
		t.Error("the next heartbeat carries the metrics again")
	}
}

func TestADrillShowsThatSalesWaitAndArriveAndEndsWithWhoeverAsked(t *testing.T) {
	t.Parallel()
	r, collector := connected(t)
	request := func(ctx context.Context, d string) (int, string) {
		q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.Addr()+"/v1/drill?for="+d, nil)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		q.Header.Set("Authorization", "Bearer "+r.Token())
		response, err := http.DefaultClient.Do(q)
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return 0, err.Error()
		}
		return response.StatusCode, string(body)
	}
	for _, d := range []string{"", "soon", "500ms", "-1m", "10m1s"} {
		if got, body := request(t.Context(), d); got != http.StatusConflict || !strings.Contains(body, "between 1s and 10m") {
			t.Errorf("for %q: %d %s", d, got, body)
		}
	}
	drill := diagnose.Drill{
		For: 4 * time.Second, Say: func(string) {},
		Status: func(context.Context) (diagnose.Status, error) { return r.Status(), nil },
		Cut: func(ctx context.Context, d time.Duration) (c diagnose.Cut, err error) {
			got, body := request(ctx, d.String())
			if got != http.StatusOK {
				return c, fmt.Errorf("%d %s", got, body)
			}
			return c, json.Unmarshal([]byte(body), &c)
		},
	}
	var p diagnose.Proof
	var err error
	ended := make(chan struct{})
	go func() { defer close(ended); p, err = drill.Run(t.Context()) }()
	r.until("the cut", func() bool { return r.Status().Collector.Cut })
	const sales = 3
	for n := range sales {
		r.push(n + 1)
	}
	if got, body := request(t.Context(), "5s"); got != http.StatusConflict {
		t.Errorf("a second drill: %d %s", got, body)
	}
	<-ended
	if err != nil || p.Verdict != diagnose.Proven || p.Taken != sales || collector.stored != sales {
		t.Errorf("%+v: %v; the collector has %d of %d", p, err, collector.stored, sales)
	}

	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() { defer close(gone); request(ctx, "10m") }()
	r.until("the cut", func() bool { return r.Status().Collector.Cut })
	leave()
	<-gone
	r.until("the line to come back though nobody said so", func() bool { s := r.Status().Collector; return !s.Cut && s.Connected })
}

func TestTheLocalPageShowsTheThreeQuestionsAndNothingSold(t *testing.T) {
	t.Parallel()
	r, _ := connected(t)
	r.push(4711)
	r.until("the sale to arrive", func() bool { return r.Status().Outbox.Unsent == 0 })
	response, err := http.Get("http://" + r.Addr() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", response.Status, err)
	}
	body := string(text)
	for _, want := range []string{"Do sales arrive?", "Do they leave?", "Does the day close?", "1 so far", `href="/page.css"`, "width=device-width", "light dark"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in the page:\n%s", want, body)
		}
	}
	for _, never := range []string{"12.00", "4711", r.Token(), "<script", "<form", "style=", "http://", "https://"} {
		if strings.Contains(body, never) {
			t.Errorf("%q is in the page:\n%s", never, body)
		}
	}
	policy := response.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "script") {
		t.Errorf("policy %q", policy)
	}
	if got, css := r.ask(http.MethodGet, "/page.css", "", "", ""); got != http.StatusOK || !strings.Contains(css, "prefers-color-scheme: dark") || strings.Contains(css, "url(") {
		t.Errorf("style: %d %.80s", got, css)
	}
	for path, want := range map[string]int{"/page.html": http.StatusNotFound, "/index": http.StatusNotFound} {
		if got, _ := r.ask(http.MethodGet, path, "", "", ""); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	for method, want := range map[string]int{http.MethodPost: http.StatusNotFound, http.MethodDelete: http.StatusNotFound} {
		if got, _ := r.ask(method, "/", "", "", ""); got != want {
			t.Errorf("%s /: %d, want %d", method, got, want)
		}
	}
	for _, path := range []string{"/", "/page.css"} {
		if got, _ := r.ask(http.MethodGet, path, "", "till.example", ""); got != http.StatusNotFound {
			t.Errorf("%s under a foreign name: %d", path, got)
		}
	}
}

func TestTheLastLogRecordsAreThereForTheOwner(t *testing.T) {
	t.Parallel()
	r := start(t, enrolled(t))
	r.until("the first record", func() bool { return len(r.kept.Lines()) > 0 })
	_, body := r.ask(http.MethodGet, "/v1/log", r.Token(), "", "")
	var lines []string
	if err := json.Unmarshal([]byte(body), &lines); err != nil || len(lines) == 0 || !strings.Contains(strings.Join(lines, "\n"), "agent runs merchant=m1 store=S1") {
		t.Errorf("%v: %q", err, lines)
	}
}

func TestASubjectIsReadFromTheFolderRunningOrNot(t *testing.T) {
	t.Parallel()
	r, _ := connected(t)
	config, status := r.config, r.Status()
	s := Subject(config, nil, &status, time.Now())
	if s.Identity == nil || s.Identity.Store != "S1" || s.Left != r.Addr() || len(s.Ways) == 0 || len(s.Sources) != 1 || !s.Identity.Until.After(time.Now()) {
		t.Errorf("running: %+v", s)
	}
	if _, err := s.Verify(); err == nil {
		t.Error("the buffer was read beside the running service")
	}
	if err := diagnose.Probe(t.Context(), s.Ways[0].Carrier); err != nil {
		t.Errorf("the collector is not reached: %v", err)
	}
	if err := s.Sources[0].Format(); err != nil {
		t.Error(err)
	}
	r.stop()
	s = Subject(config, nil, nil, time.Now())
	if report, err := s.Verify(); err != nil || !report.Intact() {
		t.Errorf("stopped: %+v %v", report, err)
	}
	text, err := os.ReadFile(filepath.Join(config.Data, "identity.json"))
	if err != nil {
		t.Fatal(err)
	}
	if shown, err := json.Marshal(s.Identity); err != nil || len(shown) > len(text) || strings.Contains(string(shown), "PRIVATE") {
		t.Errorf("%s %v", shown, err)
	}
	for broker, address := range map[string]string{"tls://broker.example": "broker.example:8883", "wss://broker.example/mqtt": "broker.example:443", "tls://broker.example:99": "broker.example:99"} {
		config.Carrier = Carrier{Kind: "mqtt", Broker: broker}
		ways := Subject(config, nil, nil, time.Now()).Ways
		if len(ways) != 2 || ways[0].Name != "mqtt" || ways[0].Address != address || ways[0].Carrier == nil || ways[1].Name != "grpc" || ways[1].Carrier == nil {
			t.Errorf("%s: %+v; want it first and gRPC as the other way", broker, ways)
			continue
		}
		if _, err := ways[0].TLS(); err != nil {
			t.Errorf("%s: %v", broker, err)
		}
	}
	config.Carrier = Carrier{Kind: "grpc"}
	config.Data = t.TempDir()
	if s := Subject(config, nil, nil, time.Now()); s.Identity != nil || s.Joined == nil || len(s.Ways) > 0 {
		t.Errorf("not enrolled: %+v", s)
	}
}
