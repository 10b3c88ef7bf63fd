//go:build linux

package packagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/internal/installation"
)

// limit bounds all waiting of one test: some two minutes on a machine of its own.
const limit = 10 * time.Minute

// work is a folder for what all tests build; TestMain removes it.
var work string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if work, err = os.MkdirTemp("", "tillbook-packages-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(work)
	return m.Run()
}

// needs skips the test where a tool is missing.
func needs(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("tool missing: " + tool)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("tool missing: root, for containers and packages")
	}
}

// output runs a program to its end and returns all that it said.
func output(ctx context.Context, program string, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, out.String())
	}
	return out.String(), nil
}

// packers are the tools of `make packages`.
var packers = sync.OnceValue(func() error {
	_, err := output(context.Background(), "make", "-C", "../..", "--no-print-directory", "packers")
	return err
})

// build makes the packages of one version for one system into a new folder.
func build(t *testing.T, version, target string, environment ...string) string {
	t.Helper()
	if err := packers(); err != nil {
		t.Fatal(err)
	}
	dist, err := os.MkdirTemp(work, "dist-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "../build.sh", version, dist)
	cmd.Env = append(os.Environ(), append(environment, "TARGETS="+target, "PROGRAMS=tillbook-agent", "SOURCE_DATE_EPOCH=1767225600")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s for %s: %v\n%s", version, target, err, out)
	}
	return dist
}

// shop is a real collector with one store.
type shop struct {
	*installation.Installation
	t    *testing.T
	ctx  context.Context
	rang int // sales that some agent answered with 201
}

// collectorFolder is where the collector is built, once.
var collectorFolder = sync.OnceValues(func() (string, error) {
	folder := filepath.Join(work, "bin")
	_, err := output(context.Background(), "go", "build", "-o", folder+"/", "tillbook.example/tillbook/collector/cmd/tillbook-collector")
	return folder, err
})

func open(t *testing.T) *shop {
	t.Helper()
	bin, err := collectorFolder()
	if err != nil {
		t.Fatal(err)
	}
	inst, err := installation.New(bin, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	s := &shop{Installation: inst, t: t, ctx: ctx}
	port := s.port()
	s.must(s.Write("collector/collector.yaml", fmt.Sprintf("agents: {listen: \"127.0.0.1:%d\", hosts: [localhost, %s]}\nops: {listen: \"127.0.0.1:0\"}\nwork: {every: 1h, audit: 1h}\n", port, beyond)))
	s.must(s.Write("merchant.yaml", "merchants:\n  - id: corner\n    name: Corner Shop\n    country: GB\n    currency: GBP\n    stores:\n      - {id: S1, name: High Street, zone: Europe/London, settle: 1s}\n"))
	t.Cleanup(func() {
		if err := s.StopAll(); err != nil {
			t.Error(err)
		}
	})
	s.collector()
	_, _, err = s.Call(ctx, installation.Collector, "collector", "apply", "-f", s.Path("merchant.yaml"))
	s.must(err)
	return s
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) port() int {
	s.t.Helper()
	port, err := installation.FreePort()
	s.must(err)
	return port
}

func (s *shop) collector() {
	s.t.Helper()
	s.must(s.Start(s.ctx, installation.Collector, "collector", "serve"))
}

// code makes a join string.
func (s *shop) code() string {
	s.t.Helper()
	join, _, err := s.Call(s.ctx, installation.Collector, "collector", "join-code", "--merchant", "corner", "--store", "S1")
	s.must(err)
	return strings.TrimSpace(join)
}

// wait waits for something to become true.
func (s *shop) wait(what string, done func() bool) {
	s.t.Helper()
	s.must(installation.Wait(s.ctx, what, func() (bool, error) { return done(), nil }))
}

// till pushes sales to an agent: where it listens and its token are read again
// each time, since a restart changes what it likes.
type till struct {
	port  int
	token string // path of its file
}

// push pushes the next sale, and reports whether it was taken.
func (s *shop) push(to till) bool {
	number := s.rang + 1
	token, err := os.ReadFile(to.token)
	if err != nil {
		return false
	}
	body := fmt.Sprintf(`{"key":{"store":"S1","terminal":"1","space":"RECEIPT","number":"%d"},"kind":"SALE","state":"COMPLETED","currency":"GBP",`+
		`"price_basis":"TAX_INCLUDED","time":{"as_given":"2026-01-05T12:00:00"},"lines":[{"kind":"ITEM","extended":"12.00"}],`+
		`"tenders":[{"kind":"CASH","direction":"PAID","amount":"12.00"}]}`, number)
	request, err := http.NewRequestWithContext(s.ctx, http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/v1/documents", to.port), strings.NewReader(body))
	s.must(err)
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	request.Header.Set("Idempotency-Key", fmt.Sprintf("sale-%d", number))
	client := http.Client{Timeout: 10 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		return false
	}
	s.rang++
	return true
}

// ring pushes so many sales, each as often as it takes.
func (s *shop) ring(to till, sales int) {
	s.t.Helper()
	for range sales {
		s.wait("a sale is taken", func() bool { return s.push(to) })
	}
}

// ringDuring pushes sales without a pause while something is done, and returns
// the longest time in which none was taken.
func (s *shop) ringDuring(to till, do func()) time.Duration {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	var longest time.Duration
	last, after := time.Now(), 0
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for after < 5 { // some more once it is done: the pause may end later
		select {
		case <-s.ctx.Done():
			s.t.Fatal("no sale was taken any more")
		case <-tick.C:
		}
		if s.push(to) {
			longest, last = max(longest, time.Since(last)), time.Now()
			select {
			case <-done:
				after++
			default:
			}
		}
	}
	return longest
}

// arrived waits until the collector holds every sale that was taken, once, and
// nothing else.
func (s *shop) arrived() {
	s.t.Helper()
	var keys map[string]bool
	err := installation.Wait(s.ctx, fmt.Sprintf("the collector has %d sales", s.rang), func() (bool, error) {
		db, err := storage.Open(s.ctx, storage.Options{Path: s.Path("collector", "collector.db")})
		if err != nil {
			return false, err
		}
		keys = map[string]bool{}
		err = db.EachDocument(s.ctx, "corner", func(d audit.Document) error {
			if d.Standing == "current" && keys[d.Key] {
				return fmt.Errorf("%s is there twice", d.Key)
			}
			keys[d.Key] = true
			return nil
		})
		return len(keys) == s.rang, errors.Join(err, db.Close())
	})
	if err != nil {
		s.t.Fatalf("%v; it has %d", err, len(keys))
	}
}
