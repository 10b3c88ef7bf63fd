package acceptance

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tillbook.example/tillbook/internal/installation"
	"tillbook.example/tillbook/internal/postgres"
)

// previous is the commit whose programs stand for the release before. It may be
// raised at any time, and must be where the constant oldest in collector/storage is.
const previous = "35562b1"

// buildPrevious builds the programs of the commit before into a folder.
func buildPrevious(t *testing.T) (bin string) {
	t.Helper()
	source, bin := t.TempDir(), t.TempDir()
	archive := exec.CommandContext(t.Context(), "git", "archive", "--format=tar", previous)
	archive.Dir = ".."
	text, err := archive.Output()
	if err != nil {
		t.Fatalf("git archive %s: %v: this test builds the programs of an earlier commit. In a shallow clone get the history first: git fetch --unshallow", previous, err)
	}
	unpack := exec.CommandContext(t.Context(), "tar", "-x", "-C", source)
	unpack.Stdin = bytes.NewReader(text)
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("unpack commit %s: %v\n%s", previous, err, out)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", bin, "./agent/cmd/tillbook-agent", "./collector/cmd/tillbook-collector")
	build.Dir, build.Env = source, append(os.Environ(), "CGO_ENABLED=0", "GOWORK="+filepath.Join(source, "go.work"))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build commit %s: %v\n%s", previous, err, out)
	}
	return bin
}

// TestAnInstallationIsUpgradedProgramByProgramWhileTillsSell replaces the programs
// of the release before one by one, collectors first. Old and new ones of both work
// beside each other on one database; no agent finds that what it was acknowledged is
// not so, and each sale is stored and posted once.
func TestAnInstallationIsUpgradedProgramByProgramWhileTillsSell(t *testing.T) {
	bin := buildPrevious(t)
	var server postgres.Server
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	dsn := server.Database(t)
	s := bare(t)
	old, err := installation.New(bin, s.Folder)
	s.must(err)
	t.Cleanup(func() {
		if err := old.StopAll(); err != nil {
			t.Error(err)
		}
	})
	s.replicate(dsn, "", old)
	agents := []string{"agent-a", "agent-b"}
	for _, agent := range agents {
		s.enrol(old, agent, "")
	}
	s.must(old.Start(s.ctx, installation.Agent, agents[0], "run"))
	s.agent(agents[1])
	stop := s.selling(agents)
	stored := 0
	more := func(what string) {
		t.Helper()
		stored += 60
		s.holdsIn(dsn, stored)
		t.Log(what)
	}
	more("both collectors are old, one agent is new")
	s.must(old.Stop(replicas[0]))
	s.must(s.Start(s.ctx, installation.Collector, replicas[0], "serve"))
	more("an old and a new collector are beside each other")
	s.must(old.Kill(replicas[1]))
	s.must(old.Start(s.ctx, installation.Collector, replicas[1], "serve"))
	more("the old one came up again beside the newer tables")
	s.must(old.Stop(replicas[1]))
	s.must(s.Start(s.ctx, installation.Collector, replicas[1], "serve"))
	more("both collectors are new, one agent is old")
	s.must(old.Stop(agents[0]))
	s.agent(agents[0])
	more("all is new")
	sold := stop()
	for _, agent := range agents {
		s.sent(agent)
	}
	s.posted(1)
	s.rungUp(dsn, sold)
	for _, agent := range agents {
		log, err := os.ReadFile(s.Path(agent + ".log"))
		s.must(err)
		for _, line := range regexp.MustCompile(`level=(WARN|ERROR).*`).FindAllString(string(log), -1) {
			if !strings.Contains(line, "the agent has no epoch yet") {
				t.Errorf("%s: %s", agent, line)
			}
		}
		for _, bad := range []string{"went back", "never given", "forked", "has less than", "another epoch or database"} {
			if strings.Contains(string(log), bad) {
				t.Errorf("%s found that the collector %s", agent, bad)
			}
		}
	}
}
