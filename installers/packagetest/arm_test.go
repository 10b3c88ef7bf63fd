//go:build linux

package packagetest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// emulator runs one program of another processor on this system's kernel.
const emulator = "qemu-aarch64-static"

func TestTheAgentForARMKeepsAndSendsSales(t *testing.T) {
	needs(t, emulator, "dpkg-deb")
	dist := build(t, "v1.0.0", "linux/arm64")
	s := open(t)
	root := s.Path("root")
	_, err := output(s.ctx, "dpkg-deb", "-x", filepath.Join(dist, "tillbook-agent_1.0.0_arm64.deb"), root)
	s.must(err)
	program, data := filepath.Join(root, "usr/bin/tillbook-agent"), s.Path("agent")
	to := till{s.port(), filepath.Join(data, "push.token")}
	s.must(s.Write("agent/agent.yaml", fmt.Sprintf("listen: 127.0.0.1:%d\n", to.port)))
	if out, err := output(s.ctx, emulator, program, "--version"); err != nil || !strings.Contains(out, "v1.0.0") {
		t.Fatalf("%s: %v", out, err)
	}
	_, err = output(s.ctx, emulator, program, "--data", data, "enroll", s.code())
	s.must(err)
	log, err := os.Create(s.Path("agent.log"))
	s.must(err)
	defer log.Close()
	run := func() *exec.Cmd {
		cmd := exec.CommandContext(s.ctx, emulator, program, "--data", data, "run")
		cmd.Stdout, cmd.Stderr = log, log
		s.must(cmd.Start())
		return cmd
	}
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		if text, err := os.Open(log.Name()); err == nil {
			said, _ := io.ReadAll(io.LimitReader(text, 8<<10))
			t.Logf("%s", said)
		}
	})

	agent := run()
	s.ring(to, 3)
	s.arrived()
	s.must(s.Stop("collector"))
	s.ring(to, 5)
	s.must(agent.Process.Kill())
	_ = agent.Wait() // it was killed
	agent = run()
	s.ring(to, 2)
	s.collector()
	s.arrived()
	s.must(agent.Process.Signal(os.Interrupt))
	if err := agent.Wait(); err != nil {
		t.Errorf("the agent did not end well: %v", err)
	}
}
