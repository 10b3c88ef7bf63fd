package compose_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"tillbook.example/tillbook/internal/postgres"
)

// local returns local.sh, ready to start.
func local(t *testing.T, environment ...string) *exec.Cmd {
	t.Helper()
	if _, err := postgres.Programs(); err != nil {
		t.Skip("tool missing: postgres")
	}
	for _, tool := range []string{"/usr/sbin/mosquitto", "openssl", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("tool missing: " + strings.TrimPrefix(tool, "/usr/sbin/"))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "./local.sh", collector(t))
	// Not killed at once: it has others to end.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Env = append(os.Environ(), environment...)
	return cmd
}

func TestTheCompositionRunsWithoutContainersAndEndsAfterACheck(t *testing.T) {
	t.Parallel()
	out, err := local(t, "ONCE=1").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "all of it runs") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestAnInterruptEndsTheCompositionAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	cmd := local(t, "ONCE=")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	where := regexp.MustCompile(`data and logs are in (\S+);`)
	folder := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if found := where.FindStringSubmatch(lines.Text()); found != nil {
			folder = found[1]
			if _, err := os.Stat(folder); err != nil {
				t.Error(err)
			}
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
		}
	}
	_ = cmd.Wait() // the code is looked at instead
	if code := cmd.ProcessState.ExitCode(); folder == "" || code != 130 {
		t.Fatalf("code %d:\n%s", code, said.String())
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", folder, err)
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(commands) == 0 {
		t.Fatalf("no processes: %v", err)
	}
	for _, command := range commands {
		if text, err := os.ReadFile(command); err == nil && strings.Contains(string(text), folder) {
			t.Errorf("still runs: %q", text)
		}
	}
}
