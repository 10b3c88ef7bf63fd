package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

const (
	testTimeout = "20m" // for one package
	parallel    = "2"   // packages at a time: tests that measure or wait share the cores with few others
	maxLine     = 16 << 20
)

// suite is one run of go test.
type suite struct {
	name     string
	folder   string // of the module
	env      []string
	packages []string
}

// suites are all runs, or only the given packages of the root module. The proto
// module is tested on its own, as those who import it see it; the tools module
// stands outside the workspace anyway.
func suites(packages []string) []suite {
	if len(packages) > 0 {
		return []suite{{name: "the given packages", folder: ".", packages: packages}}
	}
	everything, alone := []string{"./..."}, []string{"GOWORK=off"}
	return []suite{
		{name: "the programs, in the workspace", folder: ".", packages: everything},
		{name: "the wire contract, as a module of its own", folder: "proto", env: alone, packages: everything},
		{name: "developer tools", folder: "tools", env: alone, packages: everything},
	}
}

// arguments of the go command. Fresh runs take no result from the cache.
func (s suite) arguments(fresh bool) []string {
	arguments := []string{"test", "-json", "-p", parallel, "-timeout", testTimeout}
	if fresh {
		arguments = append(arguments, "-count=1")
	}
	return append(arguments, s.packages...)
}

// run runs the tests and adds what came of them to the tally. That the go
// command itself failed, without any test to blame, is a failure too.
func (s suite) run(ctx context.Context, tally *tally, fresh bool) {
	fmt.Fprintf(tally.out, "\nTesting %s\n", s.name)
	before := len(tally.failed)
	if err := s.stream(ctx, tally, fresh); err != nil && (len(tally.failed) == before || ctx.Err() != nil) {
		tally.fail(s.name, "", err.Error())
	}
}

func (s suite) stream(ctx context.Context, tally *tally, fresh bool) error {
	command := exec.CommandContext(ctx, "go", s.arguments(fresh)...)
	command.Dir = s.folder
	command.Env = append(os.Environ(), s.env...)
	command.Stderr = os.Stderr
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	output, err := command.StdoutPipe()
	if err != nil {
		return fmt.Errorf("read what go test prints: %w", err)
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("run go test: %w", err)
	}
	if err := read(output, tally); err != nil {
		command.Process.Kill()
		command.Wait()
		return err
	}
	if err := command.Wait(); err != nil {
		return fmt.Errorf("go test: %w", err)
	}
	return nil
}

// read takes in the events that go test -json prints, one a line. A line that is
// none (a build tool's message) is passed on as it is.
func read(r io.Reader, tally *tally) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Action == "" {
			fmt.Fprintf(tally.out, "%s\n", lines.Bytes())
			continue
		}
		tally.take(e)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read what go test prints: %w", err)
	}
	return nil
}
