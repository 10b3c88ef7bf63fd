package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/agent/enroll"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/pki"
)

// signer signs for whoever asks; it takes nothing in.
type signer struct {
	tillbookv1.UnimplementedEnrolmentServer
	authority *pki.Authority
}

func (s signer) Enrol(_ context.Context, r *tillbookv1.EnrolRequest) (*tillbookv1.EnrolResponse, error) {
	der, err := s.authority.Agent(r.GetCsr(), pki.Name{Merchant: "m1", Store: "S1", Agent: "a1"}, time.Now())
	if err != nil {
		return nil, err
	}
	return &tillbookv1.EnrolResponse{
		Agent: "a1", Merchant: "m1", Store: "S1", Currency: "GBP", Zone: "Europe/London",
		Chain: [][]byte{der}, Authorities: [][]byte{s.authority.Certificate()},
	}, nil
}

// enrolled returns a data folder whose agent has joined a collector that takes
// nothing in.
func enrolled(t *testing.T) string {
	t.Helper()
	return enrolledAt(t, nil)
}

// enrolledAt returns a data folder whose agent has joined a collector.
func enrolledAt(t *testing.T, collector tillbookv1.CollectorServer) string {
	t.Helper()
	authority, err := pki.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Server([]string{"localhost"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{certificate}})))
	tillbookv1.RegisterEnrolmentServer(server, signer{authority: authority})
	if collector != nil {
		tillbookv1.RegisterCollectorServer(server, collector)
	}
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	folder := t.TempDir()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	join := pki.Join{Code: "7K3M-Q2XD-9A", Host: "localhost:" + port, Pin: authority.Pin()}
	if _, err := enroll.Join(t.Context(), folder, join.String(), "till-pc", "test", false); err != nil {
		t.Fatal(err)
	}
	return folder
}

// running is an agent at work.
type running struct {
	*App
	t      *testing.T
	folder string // watched
	log    *bytes.Buffer
	stop   func()
}

// start runs an agent over a data folder, with one watched folder. It is stopped
// at the latest when the test ends; its log may be read after that only.
func start(t *testing.T, data string) *running {
	t.Helper()
	r := &running{t: t, folder: t.TempDir(), log: &bytes.Buffer{}}
	c := Defaults()
	c.Data, c.Listen = data, "127.0.0.1:0"
	c.Outbox = Outbox{MaxMiB: 128, SoftFreeMiB: 1, HardFreeMiB: 1}
	c.Sources = []Source{{Name: "till-1", Kind: "filedrop", Folder: r.folder, Patterns: []string{"*.json"}, Format: "document", Settle: time.Millisecond, Quiet: 2 * time.Millisecond}}
	var err error
	if r.App, err = New(c, slog.New(slog.NewTextHandler(r.log, nil))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	t.Cleanup(r.stop)
	return r
}

// ask sends a request to the local service.
func (r *running) ask(method, path, token, host, body string) (int, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.Addr()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if host != "" {
		request.Host = host
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// until asks again and again, until it is true.
func (r *running) until(what string, done func() bool) {
	r.t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	limit := time.After(20 * time.Second)
	for !done() {
		select {
		case <-ticker.C:
		case <-limit:
			r.t.Fatal("waited in vain for: " + what)
		}
	}
}

const pushed = `{"key":{"store":"S1","terminal":"1","space":"RECEIPT","number":"7"},"kind":"SALE","state":"COMPLETED","currency":"GBP",` +
	`"price_basis":"TAX_INCLUDED","time":{"as_given":"2026-11-03T12:00:00"},"lines":[{"kind":"ITEM","extended":"12.00"}],` +
	`"tenders":[{"kind":"CASH","direction":"PAID","amount":"12.00"}]}`

func TestAnAgentThatHasNotJoinedSaysHowTo(t *testing.T) {
	t.Parallel()
	c := Defaults()
	c.Data, c.Listen = t.TempDir(), "127.0.0.1:0"
	if _, err := New(c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "tillbook-agent enroll") {
		t.Errorf("%v; want the command that joins", err)
	}
}

func TestTheTokenIsMadeOnceAndOnlyTheOwnerMayReadIt(t *testing.T) {
	t.Parallel()
	data := enrolled(t)
	first := start(t, data)
	token := first.Token()
	first.stop()
	if len(token) < 40 {
		t.Errorf("the token %q is easily guessed", token)
	}
	for _, name := range []string{TokenFile, AddressFile, enroll.File} {
		info, err := os.Stat(filepath.Join(data, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", name, info, err)
		}
	}
	if again := start(t, data); again.Token() != token {
		t.Error("a restart made another token; tills would be locked out")
	}
}

func TestThePagesOfOthersCannotReachTheLocalService(t *testing.T) {
	t.Parallel()
	r := start(t, enrolled(t))
	_, port, err := net.SplitHostPort(r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{
		"localhost:" + port: 200, "127.0.0.1:" + port: 200, "127.0.0.1": 200, "[::1]:" + port: 200,
		"till.example:" + port: 404, "till.example": 404, "192.168.1.7:" + port: 404, "127.0.0.1.example:" + port: 404, "localhost.example": 404,
	} {
		for _, path := range []string{"/v1/status", "/metrics", "/livez"} {
			if got, body := r.ask(http.MethodGet, path, r.Token(), host, ""); got != want {
				t.Errorf("%s as %s: %d, want %d: %s", path, host, got, want, body)
			}
		}
	}
	if got, body := r.ask(http.MethodPost, "/v1/documents", r.Token(), "till.example", pushed); got != 404 {
		t.Errorf("a push under a foreign name: %d %s", got, body)
	}
	if taken := r.Status().Outbox.Taken; taken != 0 {
		t.Errorf("%d documents taken", taken)
	}
}

func TestWhatChangesOrShowsSalesNeedsTheToken(t *testing.T) {
	t.Parallel()
	r := start(t, enrolled(t))
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{http.MethodPost, "/v1/documents", pushed, http.StatusCreated},
		{http.MethodGet, "/v1/tail?n=5", "", http.StatusOK},
		{http.MethodPost, "/v1/reread", "", http.StatusOK},
		{http.MethodGet, "/v1/log", "", http.StatusOK},
		{http.MethodGet, "/v1/outbox", "", http.StatusOK},
		{http.MethodPost, "/v1/drill?for=10s", "", http.StatusConflict}, // it is not connected
	} {
		for _, wrong := range []string{"", "x", r.Token() + "x", r.Token()[1:]} {
			if got, body := r.ask(c.method, c.path, wrong, "", c.body); got != http.StatusUnauthorized {
				t.Errorf("%s with token %q: %d %s, want 401", c.path, wrong, got, body)
			}
		}
		if got, body := r.ask(c.method, c.path, r.Token(), "", c.body); got != c.want {
			t.Errorf("%s: %d %s, want %d", c.path, got, body, c.want)
		}
	}
	for _, path := range []string{"/v1/status", "/metrics", "/livez", "/readyz"} {
		if got, body := r.ask(http.MethodGet, path, "", "", ""); got != http.StatusOK {
			t.Errorf("%s: %d %s, want 200 without a token", path, got, body)
		}
	}
	if got, _ := r.ask(http.MethodGet, "/v2/nothing", r.Token(), "", ""); got != http.StatusNotFound {
		t.Errorf("a path that is none: %d, want 404", got)
	}
}

func TestTailShowsTheNewestAndRereadWantsASourceThatIsThere(t *testing.T) {
	t.Parallel()
	r := start(t, enrolled(t))
	for _, number := range []string{"1", "2", "3"} {
		if got, body := r.ask(http.MethodPost, "/v1/documents", r.Token(), "", strings.Replace(pushed, `"7"`, `"`+number+`"`, 1)); got != http.StatusCreated {
			t.Fatalf("push: %d %s", got, body)
		}
	}
	for _, c := range []struct {
		query string
		want  []string
	}{{"?n=2", []string{"2", "3"}}, {"?n=99", []string{"1", "2", "3"}}, {"", []string{"1", "2", "3"}}, {"?n=-1", []string{"1", "2", "3"}},
		{"?after=1", []string{"2", "3"}}, {"?after=3", nil}, {"?after=99", nil}, {"?after=0", []string{"1", "2", "3"}}} {
		_, body := r.ask(http.MethodGet, "/v1/tail"+c.query, r.Token(), "", "")
		var shown []Captured
		if err := json.Unmarshal([]byte(body), &shown); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		var numbers []string
		for _, s := range shown {
			numbers = append(numbers, s.Document.Key.Number)
		}
		if !slices.Equal(numbers, c.want) {
			t.Errorf("tail%s shows %v, want %v", c.query, numbers, c.want)
		}
	}
	if got, body := r.ask(http.MethodPost, "/v1/reread?source=till-9", r.Token(), "", ""); got != http.StatusNotFound || !strings.Contains(body, "till-9") {
		t.Errorf("a source that is none: %d %s", got, body)
	}
	if got, body := r.ask(http.MethodPost, "/v1/reread?recipe_version=9", r.Token(), "", ""); got < 400 || !strings.Contains(body, "not 9") {
		t.Errorf("another version of the recipe: %d %s", got, body)
	}
}

func TestStatusMetricsAndLogNeverShowTheToken(t *testing.T) {
	t.Parallel()
	r := start(t, enrolled(t))
	for _, path := range []string{"/v1/status", "/metrics", "/livez", "/readyz", "/v1/nothing", "/", "/page.css", "/v1/log", "/v1/outbox"} {
		if _, body := r.ask(http.MethodGet, path, r.Token(), "", ""); strings.Contains(body, r.Token()) {
			t.Errorf("%s shows the token", path)
		}
	}
	r.ask(http.MethodPost, "/v1/documents", r.Token()+"x", "", pushed)
	r.stop()
	if strings.Contains(r.log.String(), r.Token()) {
		t.Errorf("the log shows the token:\n%s", r.log)
	}
}

// labels are those the agent's own metrics may have; none grows with sales.
var labels = map[string]bool{"source": true, "version": true}

func TestMetricsAreWellNamedAndTheirLabelsBounded(t *testing.T) {
	t.Parallel()
	r := start(t, enrolled(t))
	if got, body := r.ask(http.MethodPost, "/v1/documents", r.Token(), "", pushed); got != http.StatusCreated {
		t.Fatalf("push: %d %s", got, body)
	}
	_, text := r.ask(http.MethodGet, "/metrics", "", "", "")
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, sample := range regexp.MustCompile(`(?m)^tillbook_agent_\w+\{(.*)\} `).FindAllStringSubmatch(text, -1) {
		for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(sample[1], -1) {
			if !labels[label[1]] {
				t.Errorf("label %s in %s", label[1], sample[0])
			}
		}
	}
	for _, want := range []string{
		"tillbook_agent_outbox_records_total 1\n", "tillbook_agent_outbox_commits_total ", "tillbook_agent_uplink_unsent_records 1\n",
		"tillbook_agent_uplink_connected 0\n", `tillbook_agent_source_files_waiting{source="till-1"} 0`, "tillbook_agent_build_info{version=",
		`tillbook_agent_source_last_capture_timestamp_seconds{source="till-1"} 0`, `tillbook_agent_source_last_capture_timestamp_seconds{source="push"} 1`,
		"tillbook_agent_clock_skew_seconds 0\n", "tillbook_agent_uplink_heard_timestamp_seconds 0\n", "tillbook_agent_certificate_expires_timestamp_seconds 1",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no %q in the metrics", want)
		}
	}
}

func TestAHeartbeatCarriesWhatIsUnsentRefusedAndUnread(t *testing.T) {
	t.Parallel()
	r := start(t, enrolled(t))
	if beat := r.beat(); beat.GetUnsent() != 0 || beat.GetOldestUnsentUs() != 0 || beat.GetQuarantined() != 0 || beat.GetWork() != diagnose.WorkOK {
		t.Errorf("of an agent that took nothing: %v", beat)
	}
	before := time.Now().Add(-time.Millisecond)
	if got, body := r.ask(http.MethodPost, "/v1/documents", r.Token(), "", pushed); got != http.StatusCreated {
		t.Fatalf("push: %d %s", got, body)
	}
	if err := os.WriteFile(filepath.Join(r.folder, "broken.json"), []byte(`{"kind":"NONSENSE"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.until("the broken part to be refused", func() bool {
		s := r.Status()
		return s.Folders[0].Refused == 1 && s.Outbox.Unsent == 2
	})
	beat := r.beat()
	if beat.GetUnsent() != 2 || beat.GetQuarantined() != 1 || beat.GetVersion() == "" {
		t.Errorf("%v; want 2 unsent, 1 part that could not be read, a version", beat)
	}
	for name, us := range map[string]int64{"clock": beat.GetClockUs(), "oldest unsent": beat.GetOldestUnsentUs()} {
		if at := time.UnixMicro(us); at.Before(before) || at.After(time.Now()) {
			t.Errorf("%s is %s, want between %s and now", name, at, before)
		}
	}
}

func TestWhatATillWasToldIsStillThereAfterARestart(t *testing.T) {
	t.Parallel()
	data := enrolled(t)
	first := start(t, data)
	if got, body := first.ask(http.MethodPost, "/v1/documents", first.Token(), "", pushed); got != http.StatusCreated {
		t.Fatalf("push: %d %s", got, body)
	}
	first.stop()
	if s := start(t, data).Status(); s.Outbox.Taken != 1 || s.Outbox.Unsent != 1 || s.Store != "S1" || s.Merchant != "m1" {
		t.Errorf("%+v", s)
	}
}

func TestOneAgentWorksInADataFolder(t *testing.T) {
	t.Parallel()
	data := enrolled(t)
	r := start(t, data)
	c := Defaults()
	c.Data, c.Listen = data, "127.0.0.1:0"
	if _, err := New(c, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a second agent started over the same folder")
	}
	if got, _ := r.ask(http.MethodGet, "/livez", "", "", ""); got != http.StatusOK {
		t.Errorf("the first answers %d after that", got)
	}
}
