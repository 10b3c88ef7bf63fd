package cli

import (
	"archive/zip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tillbook.example/tillbook/agent/app"
	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
)

const (
	ownToken = "0f3a9c1d5b7e2f4a6c8e0b1d3f5a7c9e1b3d5f7a9c1e3b5d"
	ownKey   = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg"
	card     = "4111111111111111"
)

// served is a data folder with a service that says what a test wants.
type served struct {
	data   string
	status diagnose.Status
	drills atomic.Int64
}

func serve(t *testing.T) *served {
	t.Helper()
	s := &served{data: t.TempDir(), status: diagnose.Status{
		Agent: "a1", Merchant: "corner", Store: "S1", Work: diagnose.WorkOK, Outbox: diagnose.OutboxStatus{Taken: 7, LastAt: time.Now()},
		Collector: diagnose.CollectorStatus{Address: "127.0.0.1:1", Connected: true, HeardAt: time.Now(), Expires: time.Now().AddDate(0, 1, 0)},
	}}
	mux := http.NewServeMux()
	say := func(v any) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+ownToken {
				t.Errorf("%s without the token", r.URL.Path)
			}
			if err := json.NewEncoder(w).Encode(v); err != nil {
				t.Error(err)
			}
		}
	}
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) {
		status := s.status
		status.At = time.Now()
		status.Answers = status.Ask(status.At)
		say(status)(w, r)
	})
	mux.HandleFunc("GET /v1/log", say([]string{"opened by " + ownToken, "card " + card + " paid 49.35"}))
	mux.HandleFunc("GET /v1/outbox", say(map[string]any{"next": 8}))
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "tillbook_agent_outbox_bytes 17\n") // the test fails on what is missing
	})
	mux.HandleFunc("GET /v1/tail", func(w http.ResponseWriter, r *http.Request) { // one more each time
		after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
		if err != nil && r.URL.Query().Get("n") != "1" {
			t.Errorf("asked for %s", r.URL.RawQuery)
		}
		say([]app.Captured{{Number: after + 1}})(w, r)
	})
	mux.HandleFunc("POST /v1/drill", func(w http.ResponseWriter, r *http.Request) {
		s.drills.Add(1)
		w.WriteHeader(http.StatusConflict)
		say(problem.New("drill", "another one is under way"))(w, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for name, text := range map[string]string{
		app.AddressFile: strings.TrimPrefix(server.URL, "http://"), app.TokenFile: ownToken + "\n",
		"identity.json": `{"version":2,"collector":"a-host-with-a-long-name.example:7443","key":{"by":"file","text":"-----BEGIN PRIVATE KEY-----\n` + ownKey + `\n-----END PRIVATE KEY-----"}}`,
		"agent.yaml":    "outbox: {soft_free_mib: 1, hard_free_mib: 1}\n",
	} {
		if err := os.WriteFile(filepath.Join(s.data, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestStatusSaysByItsExitCodeHowTheAgentIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*diagnose.Status)
		want   int
		says   string
	}{
		"well":          {func(*diagnose.Status) {}, exit.OK, "Do sales arrive?     Yes: 7 so far"},
		"no line":       {func(s *diagnose.Status) { s.Collector.Connected, s.Collector.Code = false, "no_such_host" }, exit.Degraded, "No: the collector's name is not known"},
		"degraded work": {func(s *diagnose.Status) { s.Work = diagnose.WorkDegraded }, exit.Degraded, "degraded"},
		"a held day": {func(s *diagnose.Status) {
			s.Days = []diagnose.DayState{{Day: "2026-11-02", State: "held", Hold: "mapping"}}
		}, exit.Degraded, "-> Answer the question in the mapping"},
		"sales refused":   {func(s *diagnose.Status) { s.Work, s.Outbox.Full = diagnose.WorkFailed, true }, exit.Failed, "new sales are refused"},
		"nothing to know": {func(s *diagnose.Status) { s.Outbox.Taken = 0 }, exit.OK, "Nothing has come yet"},
	} {
		s := serve(t)
		c.change(&s.status)
		if code, said := call(t, "--data", s.data, "status"); code != c.want || !strings.Contains(said, c.says) {
			t.Errorf("%s: exit %d, want %d: %s", name, code, c.want, said)
		}
		code, said := call(t, "--data", s.data, "status", "--json")
		var shown diagnose.Status
		if err := json.Unmarshal([]byte(said), &shown); err != nil || code != c.want || len(shown.Answers) != 3 || shown.Store != "S1" {
			t.Errorf("%s: exit %d %v: %s", name, code, err, said)
		}
	}
	if code, said := call(t, "--data", t.TempDir(), "status"); code != exit.Unreachable || !strings.Contains(said, "(not_running)") {
		t.Errorf("no service: exit %d %s", code, said)
	}
}

func TestDoctorSaysWhatToDoWhereNothingIsInstalled(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "none")
	code, said := call(t, "--data", data, "doctor")
	if code != exit.Failed || !strings.Contains(said, "(folder_missing)") || !strings.Contains(said, "(not_enrolled)") {
		t.Errorf("exit %d %s", code, said)
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("it made the folder without being told to")
	}
	code, said = call(t, "--data", data, "doctor", "--fix", "--json")
	var report diagnose.Report
	if err := json.Unmarshal([]byte(said), &report); err != nil || code != exit.Failed || report.Worst != diagnose.Fail {
		t.Fatalf("exit %d %v: %s", code, err, said)
	}
	for _, c := range report.Results {
		if c.Check == "data folder" && (!c.Fixed || c.Grade != diagnose.Pass) {
			t.Errorf("%+v; want it made", c)
		}
		if (c.Grade == diagnose.Fail || c.Grade == diagnose.Warn) && (c.Code == "" || c.Fix == "") {
			t.Errorf("%+v; want a code and a fix", c)
		}
	}
}

func TestDoctorGoesOnWhereTheConfigurationCannotBeRead(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "agent.yaml"), []byte("listen: 0.0.0.0:7410\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"listen: 0.0.0.0:7410\n", "listen: [\n", "lisen: 127.0.0.1:7410\n"} {
		if err := os.WriteFile(filepath.Join(data, "agent.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, said := call(t, "--data", data, "doctor"); code != exit.Failed || !strings.Contains(said, "(configuration)") || !strings.Contains(said, "(not_enrolled)") || !strings.Contains(said, data) {
			t.Errorf("%q: exit %d %s", text, code, said)
		}
	}
}

func TestADrillThatCannotBeginSaysWhy(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, wrong := range []string{"soon", "0s", "11m"} {
		if code, said := call(t, "--data", s.data, "drill", "offline", wrong); code != exit.Failed || !strings.Contains(said, "(drill)") || s.drills.Load() > 0 {
			t.Errorf("%s: exit %d %s", wrong, code, said)
		}
	}
	if code, said := call(t, "--data", s.data, "drill", "offline", "2s"); code != exit.Failed || !strings.Contains(said, "another one is under way") || s.drills.Load() != 1 {
		t.Errorf("exit %d %s", code, said)
	}
	if code, said := call(t, "--data", t.TempDir(), "drill", "offline", "2s"); code != exit.Unreachable {
		t.Errorf("no service: exit %d %s", code, said)
	}
}

func TestASupportFileIsWrittenOnlyWhenWantedAndHoldsNoSecret(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "") // restored: a configured proxy is put there
	s := serve(t)
	if err := os.WriteFile(filepath.Join(s.data, "agent.yaml"), []byte("proxy: http://user:hunter2hunter2@127.0.0.1:9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.status.Reasons = []string{"card " + card, "key " + ownKey}
	out := filepath.Join(t.TempDir(), "support.zip")
	code, said := call(t, "--data", s.data, "support-file", "--out", out)
	if code != exit.Degraded || !strings.Contains(said, "config.json") || !strings.Contains(said, "nothing was written") {
		t.Errorf("without an answer: exit %d %s", code, said)
	}
	if _, err := os.Stat(out); err == nil {
		t.Fatal("it was written without a yes")
	}
	if code, said := call(t, "--data", s.data, "support-file", "--out", out, "--yes"); code != exit.OK || !strings.Contains(said, "support id: ") {
		t.Fatalf("exit %d %s", code, said)
	}
	if code, said := call(t, "--data", s.data, "support-file", "--out", out, "--yes"); code != exit.Failed || !strings.Contains(said, "(support_file)") {
		t.Errorf("over one that is there: exit %d %s", code, said)
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v %v; want it for its owner alone", info.Mode(), err)
	}
	archive, err := zip.OpenReader(out)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	names := map[string]bool{}
	for _, f := range archive.File {
		names[f.Name] = true
		opened, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(opened)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{ownToken, ownKey, card, "49.35", "hunter2"} {
			if strings.Contains(string(body), secret) {
				t.Errorf("%s is in %s:\n%s", secret, f.Name, body)
			}
		}
	}
	for _, want := range []string{"manifest.json", "config.json", "status.json", "doctor.json", "metrics.txt", "log.txt", "outbox.json", "versions.json"} {
		if !names[want] {
			t.Errorf("no %s in it", want)
		}
	}
}

func TestTailFollowsUntilItIsStopped(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	read, written := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, []string{"--data", s.data, "tail", "-f", "-n", "1"}, written, written)
		written.Close()
	}()
	lines := json.NewDecoder(read)
	for want := uint64(1); want <= 3; want++ {
		var c app.Captured
		if err := lines.Decode(&c); err != nil || c.Number != want {
			t.Fatalf("record %d: %+v %v", want, c, err)
		}
	}
	stop()
	if code := <-ended; code != exit.OK {
		t.Errorf("exit %d", code)
	}
}

func TestTheSecretsOfAFolderAreItsTokenAndItsKeys(t *testing.T) {
	t.Parallel()
	got, err := secrets(serve(t).data)
	if err != nil || strings.Join(got, " ") != ownToken+" "+ownKey {
		t.Errorf("%q %v", got, err)
	}
}
