// Package installation runs both programs as real processes in one folder: a
// collector and any number of agents, as the demo and the acceptance tests need
// them. It starts, stops, kills and asks; it knows nothing of what they do.
package installation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Names of the programs.
const (
	Collector = "tillbook-collector"
	Agent     = "tillbook-agent"
)

// stopLimit is how long a process may take to stop before it is killed.
const stopLimit = 10 * time.Second

// Build builds both programs into a folder, as they are shipped.
func Build(folder string) error {
	build := exec.Command("go", "build", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", folder,
		"tillbook.example/tillbook/agent/cmd/"+Agent, "tillbook.example/tillbook/collector/cmd/"+Collector)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}

// Installation is a folder in which the programs work.
type Installation struct {
	Bin    string // folder of the two programs
	Folder string

	processes map[string]process // by data folder
}

type process struct {
	cmd   *exec.Cmd
	ended chan error // what Wait said, once
}

// New makes an installation in a folder; both paths are made absolute.
func New(bin, folder string) (*Installation, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, err
	}
	return &Installation{Bin: bin, Folder: folder, processes: map[string]process{}}, nil
}

// Path returns a path in the folder.
func (i *Installation) Path(parts ...string) string {
	return filepath.Join(append([]string{i.Folder}, parts...)...)
}

// Write writes a file of the installation, with its folder.
func (i *Installation) Write(name, text string) error {
	path := i.Path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

// Drop writes a file as a till that renames into place does.
func (i *Installation) Drop(name, text string) error {
	if err := i.Write(name+".part", text); err != nil {
		return err
	}
	return os.Rename(i.Path(name+".part"), i.Path(name))
}

// Append adds to a file as a till that keeps writing does.
func (i *Installation) Append(name, text string) error {
	file, err := os.OpenFile(i.Path(name), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// Start starts a program over a data folder and returns when its log says that
// it runs. Its log is DATA.log in the folder.
func (i *Installation) Start(ctx context.Context, program, data string, args ...string) error {
	before, err := i.runs(data)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(i.Path(data+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(i.Bin, program), append([]string{"--data", i.Path(data)}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	i.processes[data] = process{cmd, ended}
	return Wait(ctx, program+" runs", func() (bool, error) {
		now, err := i.runs(data)
		if now > before || err != nil {
			return now > before, err
		}
		select {
		case err := <-ended:
			ended <- err
			return false, fmt.Errorf("%s ended: %w; see %s", program, err, i.Path(data+".log"))
		default:
			return false, nil
		}
	})
}

// runs is how often the program has come up, by its log.
func (i *Installation) runs(data string) (int, error) {
	log, err := os.ReadFile(i.Path(data + ".log"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	return bytes.Count(log, []byte(`r runs"`)) + bytes.Count(log, []byte(`t runs"`)), err
}

// Call runs a command to its end. It returns what was printed and the exit code;
// err is set for codes above 1 (0 is ok, 1 degraded or differences found).
func (i *Installation) Call(ctx context.Context, program, data string, args ...string) (string, int, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(i.Bin, program), append([]string{"--data", i.Path(data)}, args...)...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended) && ended.ExitCode() == 1:
		return out.String(), 1, nil
	case errors.As(err, &ended):
		return out.String(), ended.ExitCode(), fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(problems.String()))
	case err != nil:
		return out.String(), -1, fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	return out.String(), 0, nil
}

// Ask runs a command with --json and reads its answer.
func (i *Installation) Ask(ctx context.Context, into any, program, data string, args ...string) error {
	text, _, err := i.Call(ctx, program, data, append(args, "--json")...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	return nil
}

// Join makes a join string for a store and enrols an agent with it.
func (i *Installation) Join(ctx context.Context, collector, merchant, store, agent string) (string, error) {
	join, _, err := i.Call(ctx, Collector, collector, "join-code", "--merchant", merchant, "--store", store)
	if err != nil {
		return "", err
	}
	_, _, err = i.Call(ctx, Agent, agent, "enroll", strings.TrimSpace(join))
	return strings.TrimSpace(join), err
}

// Wait asks done again and again until it is true, it fails, or ctx ends.
func Wait(ctx context.Context, what string, done func() (bool, error)) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for: %s: %w", what, ctx.Err())
		case <-ticker.C:
		}
	}
}

// FreePort returns a port on loopback that nothing listens on now.
func FreePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}

// Pid returns the process id of the program over a data folder, 0 if none runs.
func (i *Installation) Pid(data string) int {
	if p, ok := i.processes[data]; ok {
		return p.cmd.Process.Pid
	}
	return 0
}

// Ended waits for the program over a data folder to end, and returns how it did.
// One that does not is killed, and that is an error.
func (i *Installation) Ended(data string) error {
	p, ok := i.processes[data]
	if !ok {
		return nil
	}
	delete(i.processes, data)
	timer := time.NewTimer(stopLimit)
	defer timer.Stop()
	select {
	case err := <-p.ended:
		if err != nil {
			return fmt.Errorf("%s: %w; see %s", data, err, i.Path(data+".log"))
		}
		return nil
	case <-timer.C:
		return errors.Join(fmt.Errorf("%s did not stop within %s", data, stopLimit), p.cmd.Process.Kill())
	}
}

// Stop asks the program over a data folder to stop and waits for it, as Ended does.
func (i *Installation) Stop(data string) error {
	p, ok := i.processes[data]
	if !ok {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		delete(i.processes, data)
		return fmt.Errorf("stop %s: %w", data, err)
	}
	return i.Ended(data)
}

// Kill ends the program over a data folder at once, as a power cut ends it for
// the program itself.
func (i *Installation) Kill(data string) error {
	p, ok := i.processes[data]
	if !ok {
		return nil
	}
	delete(i.processes, data)
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", data, err)
	}
	<-p.ended
	return nil
}

// StopAll stops everything.
func (i *Installation) StopAll() error {
	var problems []error
	for data := range i.processes {
		problems = append(problems, i.Stop(data))
	}
	return errors.Join(problems...)
}
