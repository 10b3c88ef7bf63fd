package postgres_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/internal/postgres"
)

// starting is set in a process that starts a server, says where, and waits.
const starting = "TILLBOOK_POSTGRES_STARTING"

func TestAServerEndsWithTheProcessThatStartedIt(t *testing.T) {
	var server postgres.Server
	if os.Getenv(starting) != "" {
		fmt.Println(server.Database(t))
		select {}
	}
	if _, err := postgres.Programs(); err != nil {
		t.Skip("tool missing: postgres")
	}
	t.Parallel()
	starter := exec.Command(os.Args[0], "-test.run=^TestAServerEndsWithTheProcessThatStartedIt$")
	starter.Env = append(os.Environ(), starting+"=1")
	output, err := starter.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "host=") {
		t.Fatalf("no server was started: %q", lines.Text())
	}
	dsn := lines.Text()
	folder, _, _ := strings.Cut(strings.TrimPrefix(dsn, "host="), " ")
	defer os.RemoveAll(folder)
	if err := server.Exec(t.Context(), dsn, "SELECT 1"); err != nil {
		t.Errorf("the server does not answer: %v", err)
	}
	if err := starter.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = starter.Wait() // says that it was killed
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for server.Exec(t.Context(), dsn, "SELECT 1") == nil {
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatal("the server still answers")
		}
	}
}

func TestADatabaseIsLentWithItsTablesAndWithoutRows(t *testing.T) {
	if _, err := postgres.Programs(); err != nil {
		t.Skip("tool missing: postgres")
	}
	t.Parallel()
	var server postgres.Server
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	made := 0
	prepare := func(dsn string) error {
		made++
		return server.Exec(t.Context(), dsn, `CREATE TABLE kept (n BIGINT)`, `CREATE TABLE emptied (n BIGINT PRIMARY KEY)`, `INSERT INTO kept VALUES (1)`)
	}
	for range 2 {
		t.Run("lent", func(t *testing.T) {
			dsn := server.Tables(t, prepare, "kept")
			// The first fails where a row is left, the second where one is gone.
			if err := server.Exec(t.Context(), dsn, `INSERT INTO emptied VALUES (1)`, `DO 'BEGIN IF (SELECT count(*) FROM kept) <> 1 THEN RAISE ''gone''; END IF; END'`); err != nil {
				t.Error(err)
			}
		})
	}
	if made != 1 {
		t.Errorf("%d databases were made", made)
	}
}
