//go:build linux

package packagetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/internal/installation"
)

// base stands for what a distribution of rpm packages has anyway and this
// Debian has from its own.
const base = `
name: base
arch: noarch
version: 1.0.0
maintainer: Tillbook maintainers <maintainers@tillbook.example>
description: what is there already
provides: [shadow-utils, /bin/sh]
`

// rpms has a machine know rpm packages only.
func (m *machine) rpms() {
	m.t.Helper()
	m.must(m.Write("base.yaml", base))
	_, err := output(m.ctx, "../../.cache/tools/nfpm", "package", "-f", m.Path("base.yaml"), "-p", "rpm", "-t", filepath.Join(m.root, "root/base.rpm"))
	m.must(err)
	m.do("rpm", "-i", "/root/base.rpm")
	m.must(os.Rename(filepath.Join(m.root, "usr/bin/dpkg"), filepath.Join(m.root, "usr/bin/dpkg.away")))
}

func TestTheRpmComesSignedOverHTTPSAndKeepsEverySale(t *testing.T) {
	needs(t, "systemd-nspawn", "mmdebstrap", "nsenter", "openssl")
	s := open(t)
	s.cosign(s.Path("tools"))
	for _, args := range []string{
		"ecparam -name prime256v1 -genkey -noout -out release.key",
		"ec -in release.key -pubout -out release.pub",
		"ecparam -name prime256v1 -genkey -noout -out other.key",
		"ec -in other.key -pubout -out other.pub",
	} {
		cmd := exec.CommandContext(s.ctx, "openssl", strings.Fields(args)...)
		cmd.Dir = s.Folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", args, err, out)
		}
	}
	signing := []string{"COSIGN_KEY=" + s.Path("release.key"), "PATH=" + s.Path("tools") + ":" + os.Getenv("PATH")}
	first, second := build(t, "v1.0.0", "linux/amd64", signing...), build(t, "v1.1.0", "linux/amd64")

	m := boot(s)
	m.rpms()
	m.cosign(filepath.Join(m.root, "usr/local/bin"))
	for _, key := range []string{"release.pub", "other.pub"} {
		m.bring(s.Path(key), "root/"+key)
	}
	m.bring(first, "root/first")
	m.bring(second, "root/second")
	m.must(os.WriteFile(filepath.Join(m.root, "root/join"), []byte(m.code()+"\n"), 0o600))
	to := till{s.port(), filepath.Join(m.root, dataFolder, "push.token")}
	settings := fmt.Sprintf("# mine\nlisten: 127.0.0.1:%d\n", to.port)
	config := filepath.Join(m.root, "etc/tillbook/agent.yaml")

	release := s.publish(first, filepath.Join(m.root, "root/trust.pem"))
	install := func(key string) (string, error) {
		return m.try("env", "CURL_CA_BUNDLE=/root/trust.pem", "sh", "/root/first/install.sh", "--from", release, "--key", "/root/"+key, "--join-file", "/root/join")
	}
	if out, err := install("other.pub"); err == nil || !strings.Contains(out, "is not signed by") || strings.Contains(out, "installed:") {
		t.Errorf("a release that another signed: %v\n%s", err, out)
	}
	m.must(os.MkdirAll(filepath.Dir(config), 0o755))
	m.must(os.WriteFile(config, []byte(settings), 0o640))
	said, err := install("release.pub")
	m.must(err)
	for _, proof := range []string{"signature ok", "checksum ok", "installed: tillbook-agent version v1.0.0", "collector localhost:"} {
		if !strings.Contains(said, proof) {
			t.Errorf("the installer does not say %q:\n%s", proof, said)
		}
	}
	s.ring(to, 3)
	s.arrived()

	s.must(s.Stop("collector"))
	s.ring(to, 20)
	pause := s.ringDuring(to, func() {
		if out, err := m.try("rpm", "-U", "/root/second/tillbook-agent_1.1.0_amd64.rpm"); err != nil {
			t.Error(out, err)
		}
	})
	t.Logf("upgrade with %d unsent: no sale was taken for %s", s.rang, pause.Round(time.Millisecond))
	if pause > 10*time.Second {
		t.Errorf("the upgrade kept sales out for %s", pause)
	}
	if version := m.do("tillbook-agent", "--version"); !strings.Contains(version, "v1.1.0") {
		t.Errorf("after the upgrade: %s", version)
	}
	if got, err := os.ReadFile(config); err != nil || string(got) != settings {
		t.Errorf("the settings became %q, %v", got, err)
	}

	if out, err := m.try("rpm", "-e", "tillbook-agent"); err == nil || !strings.Contains(out, "have not reached the collector") {
		t.Errorf("rpm -e with unsent sales: %v\n%s", err, out)
	}
	if state := m.show("ActiveState"); state != "active" {
		t.Errorf("after a refused removal the service is %s", state)
	}
	m.do("env", "TILLBOOK_FORCE=1", "rpm", "-e", "tillbook-agent")
	if _, err := m.try("systemctl", "is-active", "tillbook-agent"); err == nil {
		t.Error("the service runs after its removal")
	}
	if _, err := os.Stat(filepath.Join(m.root, dataFolder, "outbox")); err != nil {
		t.Errorf("the removal took unsent sales: %v", err)
	}

	m.must(os.WriteFile(config, []byte(settings), 0o640))
	s.collector()
	m.do("rpm", "-i", "/root/second/tillbook-agent_1.1.0_amd64.rpm")
	s.arrived()
	s.ring(to, 1)
	s.arrived()
	m.wait("it may be removed", func() bool { _, err := m.try("rpm", "-e", "tillbook-agent"); return err == nil })
	if _, _, err := s.Call(s.ctx, installation.Collector, "collector", "verify"); err != nil {
		t.Error(err)
	}
}
