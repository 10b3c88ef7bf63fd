package cli

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tillbook.example/tillbook/agent/app"
	"tillbook.example/tillbook/agent/outbox"
	tillbookv1 "tillbook.example/tillbook/proto/tillbookv1"
	"tillbook.example/tillbook/shared/exit"
)

// call runs the command line and returns its exit code and what it said.
func call(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	var out bytes.Buffer
	code = Main(t.Context(), args, &out, &out)
	return code, out.String()
}

// filled is a data folder whose buffer holds n records that nobody has sent.
func filled(t *testing.T, n int) string {
	t.Helper()
	data := t.TempDir()
	buffer, err := outbox.Open(filepath.Join(data, app.OutboxFolder), outbox.Options{Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	var group outbox.Group
	for range n {
		group.Items = append(group.Items, outbox.Item{Record: &tillbookv1.Record{Raw: true, Reason: "a test"}})
	}
	if _, err := buffer.Append(t.Context(), group); err != nil && n > 0 {
		t.Fatal(err)
	}
	if err := buffer.Close(); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestUninstallIsRefusedWhileSalesAreUnsentAlsoWhereNoServiceRuns(t *testing.T) {
	t.Parallel()
	if code, said := call(t, "--data", filled(t, 3), "service", "uninstall", "--check"); code != exit.Failed || !strings.Contains(said, "3 documents have not reached the collector") || !strings.Contains(said, "(unsent)") {
		t.Errorf("three unsent: exit %d %s", code, said)
	}
	if code, said := call(t, "--data", filled(t, 0), "service", "uninstall", "--check"); code != exit.OK {
		t.Errorf("an empty buffer: exit %d %s", code, said)
	}
	never := t.TempDir()
	if code, said := call(t, "--data", never, "service", "uninstall", "--check"); code != exit.OK {
		t.Errorf("an agent that never ran: exit %d %s", code, said)
	}
	if _, err := os.Stat(filepath.Join(never, app.OutboxFolder)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the check made a buffer")
	}
}

func TestTheJoinStringIsTheFilesOneLine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "join")
	for text, want := range map[string]string{"CODE@host#pin\r\n": "CODE@host#pin", "\ufeff CODE@host#pin ": "CODE@host#pin", " \n": ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readLine(path); got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if _, err := readLine(path + ".none"); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestAServiceThatHasNotJoinedWaitsUntilItIsToldToStop(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var told []string
		err := waitEnrolled(ctx, data, slog.New(slog.DiscardHandler), func(status string, progress func() error) {
			told = append(told, status)
			if err := progress(); err != nil {
				t.Errorf("waiting is no lack of progress: %v", err)
			}
		})
		if err != nil || len(told) != 1 || !strings.Contains(told[0], "enrolled") {
			t.Errorf("%v, told %q", err, told)
		}
	})
}

func TestAJoinThatFailedIsSaidInTheDataFolder(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	e := command()
	cmd := e.root()
	cmd.SetContext(t.Context())
	err := e.joinOnce(cmd, app.Config{Data: data}, installation{join: "not a join string"})
	if err == nil {
		t.Fatal("nonsense was taken")
	}
	text, readErr := os.ReadFile(filepath.Join(data, failureFile))
	if readErr != nil || !strings.Contains(string(text), err.Error()) || !strings.Contains(string(text), "tillbook-agent enroll") {
		t.Errorf("%v: %s", readErr, text)
	}
}
