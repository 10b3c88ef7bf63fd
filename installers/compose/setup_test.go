package compose_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// built is the collector, built once for all tests here.
type built struct {
	once   sync.Once
	folder string
	err    error
}

var program built

func TestMain(m *testing.M) {
	code := m.Run()
	if program.folder != "" {
		if err := os.RemoveAll(program.folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// collector returns the path of the collector.
func collector(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		if program.folder, program.err = os.MkdirTemp("", "tillbook-compose-"); program.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", program.folder, "tillbook.example/tillbook/collector/cmd/tillbook-collector").CombinedOutput()
		if err != nil {
			program.err = fmt.Errorf("build the collector: %w\n%s", err, out)
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return filepath.Join(program.folder, "tillbook-collector")
}

// setup runs setup.sh and returns the folder that it made.
func setup(t *testing.T, names ...string) string {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("tool missing: openssl")
	}
	folder := filepath.Join(t.TempDir(), "secrets")
	if out, err := exec.CommandContext(t.Context(), "./setup.sh", append([]string{collector(t), folder}, names...)...).CombinedOutput(); err != nil {
		t.Fatalf("setup.sh: %v\n%s", err, out)
	}
	return folder
}
