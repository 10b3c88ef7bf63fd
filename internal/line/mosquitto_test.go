package line_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/shared/pki"
)

// mosquitto is a broker that runs with the configuration and the rules of
// docs/mqtt.md.
type mosquitto struct {
	t          testing.TB
	program    string
	config     string
	ports      map[string]string // by way
	collector  *tls.Config       // of its clients
	collectors *pki.Authority    // who signs those
	cmd        *exec.Cmd
	ended      chan error
}

// block returns the code block of a language of docs/mqtt.md.
func block(t testing.TB, language string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/mqtt.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```"+language+"\n")
	body, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatalf("docs/mqtt.md has no block of %s", language)
	}
	return body
}

func newMosquitto(t testing.TB, agents *pki.Authority) *mosquitto {
	t.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/mosquitto") // not in everybody's path
	}
	if err != nil {
		t.Skip("tool missing: mosquitto")
	}
	collectors, err := pki.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	server, err := agents.Server([]string{"127.0.0.1", "broker.example"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.FormatKey(server.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := block(t, "conf")
	for name, text := range map[string][]byte{
		"agents-and-collectors.pem": pki.FormatCertificates(agents.Certificate(), collectors.Certificate()),
		"broker.pem":                pki.FormatCertificates(server.Certificate...),
		"broker.key":                key,
		"acl":                       []byte(block(t, "acl")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(config, "/etc/mosquitto/"+name+"\n") {
			t.Fatalf("the configuration in docs/mqtt.md does not use %s", name)
		}
	}
	config = strings.ReplaceAll(config, "/etc/mosquitto", dir)
	m := &mosquitto{t: t, program: program, config: filepath.Join(dir, "mosquitto.conf"), ports: map[string]string{}, collectors: collectors}
	for way, port := range map[string]string{overMQTT: "8883", overWSS: "8443"} {
		m.ports[way] = freePort(t)
		config = strings.Replace(config, "listener "+port, "listener "+m.ports[way]+" 127.0.0.1", 1)
	}
	// Without this, root's broker would become another user before it reads the keys.
	config += "\nlog_dest stderr\nuser root\n"
	if err := os.WriteFile(m.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	m.collector = &tls.Config{
		RootCAs:      agents.Pool(),
		Certificates: []tls.Certificate{certificate(t, collectors, fleet.Identity{Merchant: "platform", Store: "cloud", Agent: "tillbook-collector"})},
	}
	m.start()
	t.Cleanup(m.kill)
	return m
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// start runs the broker and returns when it listens.
func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.Command(m.program, "-c", m.config)
	said, err := m.cmd.StderrPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.ended = make(chan error, 1)
	running, all := make(chan bool, 1), &bytes.Buffer{}
	go func() {
		lines := bufio.NewScanner(said)
		up := false
		for lines.Scan() {
			if !up {
				fmt.Fprintln(all, lines.Text())
			}
			if !up && strings.Contains(lines.Text(), " running") {
				up = true
				running <- true
			}
		}
		if !up {
			running <- false
		}
		m.ended <- m.cmd.Wait()
	}()
	if !<-running {
		m.t.Fatalf("mosquitto does not run:\n%s", all)
	}
}

// kill ends the broker at once: what it has in memory is lost.
func (m *mosquitto) kill() {
	_ = m.cmd.Process.Kill()
	<-m.ended
}

func (m *mosquitto) address(over string) string { return "127.0.0.1:" + m.ports[over] }

func (m *mosquitto) url(over, address string) string {
	if over == overWSS {
		return "wss://" + address + "/mqtt"
	}
	return "tls://" + address
}
