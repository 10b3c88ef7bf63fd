//go:build linux

package packagetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/internal/installation"
)

// machine is a Debian of its own with systemd, in a container. It has the
// host's network, so that the collector is on its loopback.
type machine struct {
	*shop
	root string
	pid  int // of its systemd
}

// boot makes a machine and waits until it has come up.
func boot(s *shop) *machine {
	s.t.Helper()
	archive := filepath.Join(work, "root.tar")
	if _, err := os.Stat(archive); err != nil {
		_, err := output(s.ctx, "mmdebstrap", "--quiet", "--variant=minbase", "--include=systemd,systemd-sysv,dbus,rpm,curl,openssl", "bookworm", archive)
		s.must(err)
	}
	m := &machine{shop: s, root: filepath.Join(s.t.TempDir(), "root")}
	s.must(os.Mkdir(m.root, 0o755))
	_, err := output(s.ctx, "tar", "-C", m.root, "-xf", archive)
	s.must(err)
	s.must(os.WriteFile(filepath.Join(m.root, "etc/hosts"), []byte("127.0.0.1 localhost\n"), 0o644))
	log, err := os.Create(s.Path("boot.log"))
	s.must(err)
	nspawn := exec.Command("systemd-nspawn", "-q", "-D", m.root, "-b", "--register=no", "--keep-unit", "--machine=till"+strconv.Itoa(os.Getpid()), "--console=pipe")
	nspawn.Stdout, nspawn.Stderr = log, log
	s.must(nspawn.Start())
	ended := make(chan error, 1)
	go func() { ended <- nspawn.Wait(); log.Close() }()
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if s.t.Failed() {
			journal, err := output(ctx, "nsenter", m.enter("journalctl", "--no-pager", "-n", "80")...)
			s.t.Log(journal, err)
		}
		if _, err := output(ctx, "nsenter", m.enter("systemctl", "poweroff")...); err != nil {
			s.t.Log(err)
		}
		select {
		case <-ended: // nspawn has an exit code of its own for a power-off
		case <-ctx.Done():
			s.t.Error("the container does not end")
			if err := nspawn.Process.Kill(); err != nil {
				s.t.Error(err)
			}
			<-ended
		}
	})
	s.wait("systemd is up", func() bool {
		child, err := output(s.ctx, "pgrep", "-P", strconv.Itoa(nspawn.Process.Pid))
		if err != nil {
			return false
		}
		if m.pid, err = strconv.Atoi(strings.TrimSpace(child)); err != nil {
			return false
		}
		state, _ := output(s.ctx, "nsenter", m.enter("systemctl", "is-system-running")...)
		return strings.HasPrefix(state, "running")
	})
	return m
}

// enter are the arguments of nsenter that run a command in the machine.
func (m *machine) enter(command ...string) []string {
	return append([]string{"-t", strconv.Itoa(m.pid), "-m", "-u", "-i", "-n", "-p", "-C", "--"}, command...)
}

// try runs a command in the machine.
func (m *machine) try(command ...string) (string, error) {
	return output(m.ctx, "nsenter", m.enter(command...)...)
}

// do is try where it must work.
func (m *machine) do(command ...string) string {
	m.t.Helper()
	out, err := m.try(command...)
	m.must(err)
	return out
}

// show reads one property of the service.
func (m *machine) show(property string) string {
	m.t.Helper()
	return strings.TrimSpace(m.do("systemctl", "show", "--value", "-p", property, "tillbook-agent"))
}

// active waits until the service runs with a main process that is not pid.
func (m *machine) active(pid string) {
	m.t.Helper()
	m.wait("the service runs again", func() bool {
		return m.show("ActiveState") == "active" && m.show("MainPID") != pid && m.show("MainPID") != "0"
	})
}

// bring puts the files of a release into the machine.
func (m *machine) bring(dist, folder string) {
	m.t.Helper()
	_, err := output(m.ctx, "cp", "-r", dist, filepath.Join(m.root, folder))
	m.must(err)
}

const dataFolder = "var/lib/tillbook-agent"

func TestTheDebKeepsEverySaleThroughAMachinesLife(t *testing.T) {
	needs(t, "systemd-nspawn", "mmdebstrap", "nsenter", "dpkg-deb")
	first, second := build(t, "v1.0.0", "linux/amd64"), build(t, "v1.1.0", "linux/amd64")
	s := open(t)
	m := boot(s)
	to := till{s.port(), filepath.Join(m.root, dataFolder, "push.token")}
	settings := fmt.Sprintf("# mine\nlisten: 127.0.0.1:%d\n", to.port)
	config := filepath.Join(m.root, "etc/tillbook/agent.yaml")
	configure := func() {
		m.must(os.MkdirAll(filepath.Dir(config), 0o755))
		m.must(os.WriteFile(config, []byte(settings), 0o640))
	}
	configure()
	m.bring(first, "root/first")
	m.bring(second, "root/second")
	m.must(os.WriteFile(filepath.Join(m.root, "root/join"), []byte(m.code()+"\n"), 0o600))

	m.refusesWhatWasChanged()
	said := m.do("sh", "/root/first/install.sh", "--from", "/root/first", "--join-file", "/root/join")
	for _, proof := range []string{"checksum ok", "installed: tillbook-agent version v1.0.0", "collector localhost:"} {
		if !strings.Contains(said, proof) {
			t.Errorf("the installer does not say %q:\n%s", proof, said)
		}
	}
	s.ring(to, 3)
	s.arrived()

	m.startsAgain(to)

	s.must(s.Stop("collector"))
	s.ring(to, 40)
	pause := s.ringDuring(to, func() {
		if out, err := m.try("dpkg", "--force-confold", "-i", "/root/second/tillbook-agent_1.1.0_amd64.deb"); err != nil {
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

	m.staysUntilForced()
	if _, err := os.Stat(filepath.Join(m.root, dataFolder, "outbox")); err != nil {
		t.Errorf("the purge took unsent sales: %v", err)
	}

	configure()
	s.collector()
	m.do("dpkg", "--force-confold", "-i", "/root/second/tillbook-agent_1.1.0_amd64.deb")
	s.arrived()
	s.ring(to, 1)
	s.arrived()
	m.wait("nothing is unsent", func() bool { _, err := m.try("tillbook-agent", "service", "uninstall", "--check"); return err == nil })
	m.do("dpkg", "-P", "tillbook-agent")
	if _, err := os.Stat(filepath.Join(m.root, dataFolder)); !os.IsNotExist(err) {
		t.Errorf("the purge left the folder although all was sent: %v", err)
	}
}

// refusesWhatWasChanged hands install.sh a package with one byte changed.
func (m *machine) refusesWhatWasChanged() {
	m.t.Helper()
	m.do("cp", "-r", "/root/first", "/root/changed")
	name := filepath.Join(m.root, "root/changed/tillbook-agent_1.0.0_amd64.deb")
	deb, err := os.ReadFile(name)
	m.must(err)
	deb[len(deb)/2] ^= 1
	m.must(os.WriteFile(name, deb, 0o644))
	out, err := m.try("sh", "/root/changed/install.sh", "--from", "/root/changed", "--join-file", "/root/join")
	if err == nil || !strings.Contains(out, "damaged or changed") || strings.Contains(out, "installed:") {
		m.t.Errorf("a changed package: %v\n%s", err, out)
	}
	if _, err := m.try("dpkg", "-s", "tillbook-agent"); err == nil {
		m.t.Error("a changed package was installed")
	}
}

// startsAgain kills the service, and then has it hang: systemd starts it again
// both times, the second time since nothing feeds the watchdog.
func (m *machine) startsAgain(to till) {
	m.t.Helper()
	pid := m.show("MainPID")
	m.do("systemctl", "kill", "--kill-who=main", "--signal=KILL", "tillbook-agent")
	m.active(pid)
	if n := m.show("NRestarts"); n != "1" {
		m.t.Errorf("restarted %s times", n)
	}
	m.ring(to, 2)
	m.arrived()

	dropIn := filepath.Join(m.root, "etc/systemd/system/tillbook-agent.service.d")
	m.must(os.MkdirAll(dropIn, 0o755))
	m.must(os.WriteFile(filepath.Join(dropIn, "watchdog.conf"), []byte("[Service]\nWatchdogSec=3\n"), 0o644))
	m.do("systemctl", "daemon-reload")
	m.do("systemctl", "restart", "tillbook-agent")
	pid = m.show("MainPID")
	fed := m.show("WatchdogTimestampMonotonic")
	for range 3 { // fed three times, it has outlived the watchdog
		m.wait("the watchdog is fed", func() bool { return m.show("WatchdogTimestampMonotonic") != fed })
		fed = m.show("WatchdogTimestampMonotonic")
	}
	if now := m.show("MainPID"); now != pid {
		m.t.Errorf("the service was restarted while it worked: %s, %s", pid, now)
	}
	m.do("systemctl", "kill", "--kill-who=main", "--signal=STOP", "tillbook-agent")
	m.active(pid)
	m.must(os.RemoveAll(dropIn))
	m.do("systemctl", "daemon-reload")
	m.do("systemctl", "restart", "tillbook-agent")
	m.ring(to, 2)
	m.arrived()
}

// staysUntilForced removes the package while sales are unsent.
func (m *machine) staysUntilForced() {
	m.t.Helper()
	for _, verb := range []string{"-r", "-P"} {
		out, err := m.try("dpkg", verb, "tillbook-agent")
		if err == nil || !strings.Contains(out, "have not reached the collector") {
			m.t.Errorf("dpkg %s with unsent sales: %v\n%s", verb, err, out)
		}
	}
	if state := m.show("ActiveState"); state != "active" {
		m.t.Errorf("after a refused removal the service is %s", state)
	}
	m.do("systemctl", "stop", "tillbook-agent") // nobody to ask: the buffer itself is looked at
	if out, err := m.try("dpkg", "-r", "tillbook-agent"); err == nil {
		m.t.Errorf("dpkg -r with unsent sales and a stopped service went through\n%s", out)
	}
	m.do("systemctl", "start", "tillbook-agent")
	m.do("env", "TILLBOOK_FORCE=1", "dpkg", "-r", "tillbook-agent")
	if _, err := m.try("systemctl", "is-active", "tillbook-agent"); err == nil {
		m.t.Error("the service runs after its removal")
	}
	m.do("dpkg", "-P", "tillbook-agent")
}

func TestServiceInstallMakesAServiceWithoutAPackage(t *testing.T) {
	needs(t, "systemd-nspawn", "mmdebstrap", "nsenter")
	dist := build(t, "v1.0.0", "linux/amd64")
	s := open(t)
	m := boot(s)
	m.must(os.MkdirAll(filepath.Join(m.root, "opt/till book"), 0o755))
	_, err := output(s.ctx, "tar", "-C", filepath.Join(m.root, "opt/till book"), "-xf", filepath.Join(dist, "tillbook-agent_1.0.0_linux_amd64.tar.gz"))
	m.must(err)
	const program, data = "/opt/till book/tillbook-agent", "/srv/till"
	to := till{s.port(), filepath.Join(m.root, data, "push.token")}
	m.must(os.MkdirAll(filepath.Join(m.root, "etc/tillbook"), 0o755))
	m.must(os.WriteFile(filepath.Join(m.root, "etc/tillbook/agent.yaml"), fmt.Appendf(nil, "listen: 127.0.0.1:%d\n", to.port), 0o640))

	m.do(program, "service", "install", "--data", data) // not enrolled: the service waits
	if status := m.show("StatusText"); !strings.Contains(status, "enrolled") {
		t.Errorf("before it has joined the service says %q", status)
	}
	out, err := m.try(program, "service", "install", "--join", "NO@localhost:1#00")
	if err == nil || !strings.Contains(out, "running") {
		t.Errorf("a join string that is none: %v\n%s", err, out)
	}
	m.do(program, "enroll", s.code())
	s.ring(to, 2)
	s.arrived()
	pid := m.show("MainPID")
	m.do(program, "service", "install") // again: repairs, and leaves the service alone
	if now := m.show("MainPID"); now != pid {
		t.Errorf("installing again restarted the service: %s, %s", pid, now)
	}
	if user := m.show("User"); user != "tillbook" {
		t.Errorf("the service runs as %s", user)
	}
	if _, _, err := s.Call(s.ctx, installation.Collector, "collector", "verify"); err != nil {
		t.Error(err)
	}
	m.wait("nothing is unsent", func() bool { _, err := m.try(program, "service", "uninstall"); return err == nil })
	if out, err := m.try(program, "service", "status"); err == nil || !strings.Contains(out, "absent") {
		t.Errorf("after uninstall: %v %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(m.root, data, "outbox")); err != nil {
		t.Errorf("uninstall took the data: %v", err)
	}
}
