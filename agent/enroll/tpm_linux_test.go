package enroll_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/agent/enroll"
)

// newTPM starts a TPM in software that is new, and returns its socket.
func newTPM(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("swtpm")
	if err != nil {
		t.Skip("tool missing: swtpm")
	}
	folder, err := os.MkdirTemp("", "tpm") // not TempDir: a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	socket := filepath.Join(folder, "tpm")
	command := exec.Command(program, "socket", "--tpm2", "--tpmstate", "dir="+folder,
		"--server", "type=unixio,path="+socket, "--ctrl", "type=unixio,path="+socket+".ctrl", "--flags", "not-need-init,startup-clear")
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		<-ended
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(20 * time.Second); ; {
		if _, err := os.Stat(socket); err == nil {
			return socket
		}
		select {
		case <-tick.C:
		case err := <-ended:
			ended <- err
			t.Fatalf("swtpm ended: %v\n%s", err, said.String())
		case <-limit:
			t.Fatal("swtpm does not listen")
		}
	}
}

func TestAKeyInsideTheTPMIsOfUseOnThisMachineOnly(t *testing.T) {
	t.Parallel()
	_, join := serve(t)
	machine := enroll.WithTPM(newTPM(t))
	identity, folder := joined(t, join, enroll.WithCredentials(""), machine)
	text, err := os.ReadFile(filepath.Join(folder, enroll.File))
	if err != nil || strings.Contains(string(text), "PRIVATE KEY") || identity.KeyProtection() != "tpm" {
		t.Fatalf("the key is kept by %s (%v):\n%s", identity.KeyProtection(), err, text)
	}
	for range 2 { // with the key it joined with, and with the next
		again, err := enroll.Load(folder, machine)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Renew(t.Context(), "test"); err != nil {
			t.Fatalf("the TPM's key is of no use: %v", err)
		}
		if again.KeyProtection() != "tpm" {
			t.Errorf("after a renewal the key is kept by %s", again.KeyProtection())
		}
	}
	for name, c := range map[string]struct {
		option enroll.Option
		want   string
	}{
		"on another machine": {enroll.WithTPM(newTPM(t)), "from another machine"},
		"without a TPM":      {enroll.WithTPM(""), "on the machine that it was enrolled on"},
	} {
		if _, err := enroll.Load(folder, c.option); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

func TestAnAgentWithAPlainKeyHasOneOfTheTPMAfterItsNextRenewal(t *testing.T) {
	t.Parallel()
	_, join := serve(t)
	_, folder := joined(t, join, enroll.WithCredentials(""), enroll.WithTPM(""))
	service, err := enroll.Load(folder, enroll.WithCredentials(""), enroll.WithTPM(newTPM(t)))
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Protect(); err != nil || service.KeyProtection() != "file" {
		t.Errorf("before it: %s, %v; the TPM takes no key of others", service.KeyProtection(), err)
	}
	if err := service.Renew(t.Context(), "test"); err != nil || service.KeyProtection() != "tpm" {
		t.Errorf("after it: %s, %v", service.KeyProtection(), err)
	}
}

func TestAMachineWhoseTPMCannotBeUsedKeepsTheKeyInTheNextBestWay(t *testing.T) {
	t.Parallel()
	_, join := serve(t)
	broken := filepath.Join(t.TempDir(), "tpm")
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	identity, _ := joined(t, join, enroll.WithCredentials(secrets(t, strings.Repeat("s", 32))), enroll.WithTPM(broken))
	if identity.KeyProtection() != "credential" {
		t.Errorf("the key is kept by %s", identity.KeyProtection())
	}
}
