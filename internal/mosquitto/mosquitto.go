// Package mosquitto runs a real Mosquitto for tests, with the configuration and
// the rules that docs/mqtt.md gives: what is tried is what people are told. It
// listens on loopback, in a folder of its own, and ends with the test.
//
// It must not be imported by a program.
package mosquitto

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

	"tillbook.example/tillbook/shared/pki"
)

// Host is what the broker's certificate is for, beside 127.0.0.1.
const Host = "broker.example"

// Broker is a broker that can be killed and started again.
type Broker struct {
	// Collector is what a collector connects with; Certificate and Key are the same
	// as PEM files.
	Collector        *tls.Config
	Certificate, Key string

	t             testing.TB
	program       string
	config        string
	plain, secure string // ports: of MQTT, and of MQTT over WebSockets
	cmd           *exec.Cmd
	ended         chan error
}

// block returns the code block of a language of a page.
func block(t testing.TB, page, language string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```"+language+"\n")
	body, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatalf("%s has no block of %s", page, language)
	}
	return body
}

// Start runs a broker for agents whose certificates an authority signs, which
// signs the broker's as well. page is where docs/mqtt.md lies. The test is
// skipped where Mosquitto is not installed.
func Start(t testing.TB, page string, agents *pki.Authority) *Broker {
	t.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/mosquitto") // not in everybody's path
	}
	if err != nil {
		t.Skip("tool missing: mosquitto")
	}
	dir := t.TempDir()
	b := &Broker{
		t: t, program: program, config: filepath.Join(dir, "mosquitto.conf"), plain: freePort(t), secure: freePort(t),
		Certificate: filepath.Join(dir, "collector.pem"), Key: filepath.Join(dir, "collector.key"),
	}
	collectors, err := pki.NewAuthority(time.Now())
	must(t, err)
	server, err := agents.Server([]string{"127.0.0.1", Host}, time.Now())
	must(t, err)
	collector := client(t, collectors)
	config := block(t, page, "conf")
	files := map[string][]byte{
		"agents-and-collectors.pem": pki.FormatCertificates(agents.Certificate(), collectors.Certificate()),
		"broker.pem":                pki.FormatCertificates(server.Certificate...),
		"broker.key":                keyPEM(t, server),
		"acl":                       []byte(block(t, page, "acl")),
	}
	for name := range files {
		if !strings.Contains(config, "/etc/mosquitto/"+name+"\n") {
			t.Fatalf("the configuration in %s does not use %s", page, name)
		}
	}
	config = strings.ReplaceAll(config, "/etc/mosquitto", dir)
	config = strings.Replace(config, "listener 8883", "listener "+b.plain+" 127.0.0.1", 1)
	config = strings.Replace(config, "listener 8443", "listener "+b.secure+" 127.0.0.1", 1)
	// Without this, root's broker would become another user before it reads the keys.
	files["mosquitto.conf"] = []byte(config + "\nlog_dest stderr\nuser root\n")
	files["collector.pem"], files["collector.key"] = pki.FormatCertificates(collector.Certificate...), keyPEM(t, collector)
	for name, text := range files {
		must(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	b.Collector = &tls.Config{RootCAs: agents.Pool(), Certificates: []tls.Certificate{collector}}
	must(t, b.Start())
	t.Cleanup(b.Kill)
	return b
}

// client returns the certificate of a collector.
func client(t testing.TB, authority *pki.Authority) tls.Certificate {
	t.Helper()
	key, err := pki.NewKey()
	must(t, err)
	request, err := pki.Request(key)
	must(t, err)
	der, err := authority.Agent(request, pki.Name{Merchant: "platform", Store: "cloud", Agent: "tillbook-collector"}, time.Now())
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func keyPEM(t testing.TB, c tls.Certificate) []byte {
	t.Helper()
	text, err := pki.FormatKey(c.PrivateKey.(*ecdsa.PrivateKey))
	must(t, err)
	return text
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// Start runs the broker after Kill, and returns when it listens.
func (b *Broker) Start() error {
	b.cmd = exec.Command(b.program, "-c", b.config)
	said, err := b.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := b.cmd.Start(); err != nil {
		return fmt.Errorf("start mosquitto: %w", err)
	}
	b.ended = make(chan error, 1)
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
		b.ended <- b.cmd.Wait()
	}()
	if !<-running {
		return fmt.Errorf("mosquitto does not run:\n%s", all)
	}
	return nil
}

// Kill ends the broker at once: what it has in memory is lost.
func (b *Broker) Kill() {
	_ = b.cmd.Process.Kill()
	<-b.ended
}

// Addr returns where MQTT is spoken.
func (b *Broker) Addr() string { return "127.0.0.1:" + b.plain }

// WebSocketsAddr returns where MQTT over WebSockets is.
func (b *Broker) WebSocketsAddr() string { return "127.0.0.1:" + b.secure }
