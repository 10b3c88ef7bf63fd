package acceptance

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"tillbook.example/tillbook/internal/installation"
	"tillbook.example/tillbook/internal/postgres"
)

// signalled asks a collector to stop and returns once it says that it is not ready
// any more, while it still lives.
func (s *shop) signalled(data string) {
	s.t.Helper()
	ops := s.ops(data)
	s.must(syscall.Kill(s.Pid(data), syscall.SIGTERM))
	s.must(installation.Wait(s.ctx, data+" is not ready", func() (bool, error) {
		code, text, err := s.get("http://" + ops + "/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(text, "being stopped"), err
	}))
	if code, text, err := s.get("http://" + ops + "/livez"); err != nil || code != http.StatusOK {
		s.t.Errorf("%s, which is being stopped, answers /livez with %d %s, %v", data, code, text, err)
	}
}

// ops is where a collector's metrics and health are, by its log.
func (s *shop) ops(data string) string {
	s.t.Helper()
	log, err := os.ReadFile(s.Path(data + ".log"))
	s.must(err)
	found := regexp.MustCompile(`collector runs.* ops=(\S+)`).FindAllSubmatch(log, -1)
	if len(found) == 0 {
		s.t.Fatalf("%s.log does not say where metrics are", data)
	}
	return string(found[len(found)-1][1])
}

func (s *shop) get(url string) (code int, text string, err error) {
	request, err := http.NewRequestWithContext(s.ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

// TestACollectorThatIsStoppedIsNotReadyFirstAndItsAgentsAreSentToTheOther stops two
// collectors in turn while tills sell. No session is cut: each that ends was told
// why and to come back. A busy database may be the reason of one, too.
func TestACollectorThatIsStoppedIsNotReadyFirstAndItsAgentsAreSentToTheOther(t *testing.T) {
	var server postgres.Server
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	dsn := server.Database(t)
	s := openReplicas(t, dsn, "stop: {grace: 2s, limit: 7s}\n")
	agents := []string{"agent-a", "agent-b"}
	for _, agent := range agents {
		s.join(agent, "")
	}
	stop := s.selling(agents)
	for _, data := range replicas {
		s.holdsIn(dsn, 60)
		s.signalled(data)
		s.must(s.Ended(data))
		s.must(s.Start(s.ctx, installation.Collector, data, "serve"))
	}
	sold := stop()
	for _, agent := range agents {
		s.sent(agent)
	}
	s.posted(1)
	s.rungUp(dsn, sold)
	told := 0
	for _, agent := range agents {
		log, err := os.ReadFile(s.Path(agent + ".log"))
		s.must(err)
		for _, line := range regexp.MustCompile(`uplink: session ended.*`).FindAllString(string(log), -1) {
			switch {
			case strings.Contains(line, "refused (draining)"):
				told++
			case !strings.Contains(line, "refused (busy)"):
				t.Errorf("%s: %s", agent, line)
			}
		}
	}
	if told == 0 {
		t.Error("no agent was told to go elsewhere")
	}
}

func TestASecondSignalEndsACollectorAtOnce(t *testing.T) {
	s := bare(t)
	s.must(s.Write("collector/collector.yaml", "agents: {listen: \"127.0.0.1:0\"}\nops: {listen: \"127.0.0.1:0\"}\nstop: {grace: 1h}\n"))
	s.collector()
	s.signalled("collector")
	s.must(syscall.Kill(s.Pid("collector"), syscall.SIGTERM))
	if err := s.Ended("collector"); err == nil || !strings.Contains(err.Error(), "signal: terminated") {
		t.Error(fmt.Errorf("it ended otherwise than by the signal: %w", err))
	}
}
