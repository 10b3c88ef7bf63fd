// Package tryton runs a real Tryton server for tests: Debian's, on a free port of
// this machine, over SQLite. It ends with the test that started it, and with the
// process of that test, however that ends.
//
// Each Books is a company of its own, with a chart, taxes and fiscal years and a user
// that may keep its accounts, and can be looked at and changed as a person does,
// apart from the code that posts there. It must not be imported by a program.
package tryton

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// Password is every user's.
const Password = "brown-Ski7pu"

// Database is the one that a server has: Tryton opens one while it answers for
// another in the same process at everybody's peril.
const Database = "books"

// Server is a running server.
type Server struct {
	URL    string
	folder string
	made   atomic.Int64
	admin  *session
	user   int // admin's id
	pound  int
	kinds  map[string]int // of what companies share, by name
}

// Start starts a server, which ends with the test. The test is skipped where Tryton
// is not installed.
func Start(t testing.TB) *Server {
	t.Helper()
	for _, tool := range []string{"trytond", "trytond-admin"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("tool missing: trytond")
		}
	}
	s := &Server{folder: t.TempDir()}
	if err := errors.Join(os.MkdirAll(filepath.Join(s.folder, "db"), 0o700), os.WriteFile(filepath.Join(s.folder, "db", Database+".sqlite"), nil, 0o600),
		os.WriteFile(filepath.Join(s.folder, "password"), []byte(Password+"\n"), 0o600), os.WriteFile(s.config(), fmt.Appendf(nil,
			"[database]\nuri = sqlite://\npath = %s\n[web]\nlisten = 127.0.0.1:0\n[session]\ntimeout = 3600\n[password]\npasslib = %s\n",
			filepath.Join(s.folder, "db"), filepath.Join(s.folder, "hashes")), 0o600),
		// Guessing a password costs nothing here, and checking one should not either.
		os.WriteFile(filepath.Join(s.folder, "hashes"), []byte("[passlib]\nschemes = pbkdf2_sha512\npbkdf2_sha512__default_rounds = 1\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, arguments := range [][]string{{"--all", "--email", "a@example.com"}, {"-u", "account", "--activate-dependencies"}} {
		admin := exec.CommandContext(t.Context(), "trytond-admin", append([]string{"-c", s.config(), "-d", Database}, arguments...)...)
		admin.Env = append(os.Environ(), "TRYTONPASSFILE="+filepath.Join(s.folder, "password"))
		if out, err := admin.CombinedOutput(); err != nil {
			t.Fatalf("trytond-admin %s: %v\n%s", arguments, err, out)
		}
	}
	if err := s.serve(t); err != nil {
		t.Fatal(err)
	}
	s.prepare(t)
	return s
}

func (s *Server) config() string { return filepath.Join(s.folder, "trytond.conf") }

// serve starts the program, and returns when it listens.
func (s *Server) serve(t testing.TB) error {
	// The shell ends the server when its input does, which is held by this process.
	server := exec.Command("sh", "-c", `"$@" & read -r _; kill $!; wait`, "sh", "trytond", "-c", s.config())
	hold, err := server.StdinPipe()
	if err != nil {
		return err
	}
	said, write, err := os.Pipe()
	if err != nil {
		return err
	}
	server.Stdout, server.Stderr = write, write
	if err := server.Start(); err != nil {
		return errors.Join(err, said.Close(), write.Close())
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = hold.Close()
		_ = server.Wait() // it is killed
		<-ended
	})
	if err := write.Close(); err != nil {
		return err
	}
	lines := bufio.NewReader(said)
	var all strings.Builder
	for s.URL == "" {
		line, err := lines.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			close(ended)
			return fmt.Errorf("trytond does not listen: %w\n%s", err, all.String())
		}
		if _, address, found := strings.Cut(line, "Running on "); found {
			s.URL = strings.TrimSpace(address)
		}
	}
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, lines) // what it says of each request
		_ = said.Close()
	}()
	return nil
}
