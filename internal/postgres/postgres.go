// Package postgres runs a real PostgreSQL server for tests: in a folder of its
// own, reached through a socket in it, as a user without rights. On Linux it ends
// with the process that started it, however that does; only the folder is left
// behind by one that was killed.
//
// Each Database is empty and belongs to an ordinary role, as a collector's must,
// and words are not sorted by their bytes, so that what relies on that order has
// to ask for it. It must not be imported by a program.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver, by its name
)

// Roles of every server: the first owns it, the second the databases.
const (
	admin = "postgres"
	role  = "tillbook"
)

const startLimit = 30 * time.Second

// Server is a server that starts with the first Database, and one for all tests
// of a program: keep it in a variable of the test package and Stop it in
// TestMain. The zero value is ready.
type Server struct {
	start sync.Once
	err   error
	// missing is the tool without which there is no server.
	missing string
	folder  string
	begin   func() error // starts the program
	stop    func() error
	made    atomic.Int64
	mu      sync.Mutex
	free    []string // DSNs of Tables that no test has now
}

// Database makes an empty database and returns its DSN. The test is skipped where
// PostgreSQL is not installed.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	s.start.Do(func() { s.err = s.run() })
	if s.missing != "" {
		t.Skip("tool missing: " + s.missing)
	}
	if s.err != nil {
		t.Fatal(s.err)
	}
	name := fmt.Sprintf("test%d", s.made.Add(1))
	if err := s.Exec(t.Context(), s.dsn(admin, "postgres"), fmt.Sprintf("CREATE DATABASE %s OWNER %s", name, role)); err != nil {
		t.Fatal(err)
	}
	return s.dsn(role, name)
}

// Tables is Database with the tables that prepare makes and no rows, save those
// of the tables named. It is lent to another test after this one, since that is
// much quicker than to make one for each: all tests must prepare the same.
func (s *Server) Tables(t testing.TB, prepare func(dsn string) error, keep ...string) string {
	t.Helper()
	s.mu.Lock()
	var dsn string
	if n := len(s.free); n > 0 {
		dsn, s.free = s.free[n-1], s.free[:n-1]
	}
	s.mu.Unlock()
	if dsn == "" {
		dsn = s.Database(t)
		if err := prepare(dsn); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		err := s.Exec(context.Background(), s.AsAdmin(dsn), fmt.Sprintf(`DO $$ DECLARE t TEXT; BEGIN
			FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('%s') LOOP
				EXECUTE format('DELETE FROM %%I', t);
			END LOOP; END $$`, strings.Join(keep, "', '")))
		if err != nil {
			t.Error(err)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.free = append(s.free, dsn)
	})
	return dsn
}

// Exec runs statements in a database, one after the other.
func (s *Server) Exec(ctx context.Context, dsn string, statements ...string) error {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// AsAdmin turns a DSN of Database into the one of a superuser.
func (s *Server) AsAdmin(dsn string) string {
	return strings.Replace(dsn, "user="+role, "user="+admin, 1)
}

func (s *Server) dsn(user, database string) string {
	return fmt.Sprintf("host=%s user=%s dbname=%s", s.folder, user, database)
}

// Stop ends the server and removes its folder.
func (s *Server) Stop() error {
	var err error
	if s.stop != nil {
		err = s.stop()
	}
	if s.folder != "" {
		err = errors.Join(err, os.RemoveAll(s.folder))
	}
	return err
}

func (s *Server) run() error {
	bin, err := Programs()
	if err != nil {
		s.missing = "postgres"
		return err
	}
	if s.folder, err = os.MkdirTemp("", "tillbook-postgres-"); err != nil {
		return err
	}
	as, err := unprivileged(s.folder)
	if err != nil {
		return err
	}
	data := filepath.Join(s.folder, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-U", admin, "--no-sync",
		"--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")
	initdb.Dir, initdb.SysProcAttr = s.folder, as
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	s.begin = func() error {
		log, err := os.OpenFile(filepath.Join(s.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer log.Close()
		server := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", s.folder, "-c", "listen_addresses=",
			"-c", "max_connections=300", "-c", "shared_buffers=64MB", "-c", "max_wal_size=256MB")
		server.Dir, server.SysProcAttr, server.Stdout, server.Stderr = s.folder, as, log, log
		if s.stop, err = child(server); err != nil {
			return fmt.Errorf("start postgres: %w", err)
		}
		return nil
	}
	if err := s.begin(); err != nil {
		return err
	}
	return s.ready("CREATE ROLE " + role + " LOGIN")
}

// Crash ends the server as if its machine had, without a word to anybody, and
// starts it again; it answers when Crash returns.
func (s *Server) Crash() error {
	if err := s.stop(); err != nil {
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	return s.ready("SELECT 1")
}

// ready waits until the server does what it is first asked.
func (s *Server) ready(first string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := s.Exec(ctx, s.dsn(admin, "postgres"), first)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(s.folder, "log")) // more on what went wrong, if it is there
			return fmt.Errorf("postgres does not answer: %w\n%s", err, log)
		case <-ticker.C:
		}
	}
}

// Programs returns the folder of PostgreSQL's programs, which Debian keeps out of
// everybody's path; of several versions the newest.
func Programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
		return filepath.Dir(found[len(found)-1]), nil
	}
	program, err := exec.LookPath("initdb")
	if err != nil {
		return "", err
	}
	return filepath.Dir(program), nil
}

// version is the number in /usr/lib/postgresql/15/bin/initdb.
func version(path string) (n int) {
	_, _ = fmt.Sscanf(path, "/usr/lib/postgresql/%d/", &n) // 0 where there is none
	return n
}
