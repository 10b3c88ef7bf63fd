package main

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

// shop is the demo's installation: its folders and its two processes.
type shop struct {
	bin, folder      string
	collector, agent *exec.Cmd
	day              string
	tills            []till
}

func newShop(bin, folder string) (*shop, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, err
	}
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		return nil, err
	}
	// Yesterday, so that the day is over whenever the demo is run.
	s := &shop{bin: bin, folder: folder, tills: tills(), day: time.Now().In(london).AddDate(0, 0, -1).Format(time.DateOnly)}
	if time.Now().In(london).Hour() < 5 { // before the cut-off it is still yesterday
		s.day = time.Now().In(london).AddDate(0, 0, -2).Format(time.DateOnly)
	}
	recipe, err := filepath.Abs("recipes/demo-till.yaml")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"collector", "agent", "tills/till-1", "tills/till-2"} {
		if err := os.MkdirAll(filepath.Join(folder, sub), 0o700); err != nil {
			return nil, err
		}
	}
	for name, text := range map[string]string{
		"collector/collector.yaml": collectorYAML(port), "merchant.yaml": merchantYAML(filepath.Join(folder, "books")),
		"agent/agent.yaml": agentYAML(filepath.Join(folder, "tills"), recipe),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// trade lets the day happen.
func (s *shop) trade(ctx context.Context) error {
	say("collector starts on its embedded default (SQLite, own certificate authority, text ledger)")
	if err := s.startCollector(ctx); err != nil {
		return err
	}
	if _, err := s.call(ctx, "tillbook-collector", "collector", "apply", "-f", filepath.Join(s.folder, "merchant.yaml")); err != nil {
		return err
	}
	join, err := s.call(ctx, "tillbook-collector", "collector", "join-code", "--merchant", "corner", "--store", "S1")
	if err != nil {
		return err
	}
	say("join string: %s", clip(strings.TrimSpace(join)))
	told, err := s.call(ctx, "tillbook-agent", "agent", "enroll", strings.TrimSpace(join))
	if err != nil {
		return err
	}
	say("agent %s", strings.TrimSpace(told))
	if s.agent, err = s.start("tillbook-agent", "agent", "run"); err != nil {
		return err
	}
	log1, log2 := half(s.tills[0].poslog(s.day), poslogHead, poslogEnd)
	csv1, csv2 := half(s.tills[1].csv(s.day), csvHead(), "")
	say("the morning of %s: both tills drop their files", s.day)
	if err := errors.Join(s.drop("till-1/morning.xml", log1), s.drop("till-2/day.csv", csv1)); err != nil {
		return err
	}
	if err := s.wait(ctx, "the morning arrives at the collector", func() (bool, error) { return s.sent(ctx) }); err != nil {
		return err
	}
	say("the collector is stopped")
	if err := end(s.collector); err != nil {
		return fmt.Errorf("stop collector: %w", err)
	}
	say("the afternoon: till 1 drops a new file, till 2 goes on writing into its own; the agent keeps them")
	if err := errors.Join(s.drop("till-1/afternoon.xml", log2), s.append("till-2/day.csv", strings.TrimPrefix(csv2, csvHead()))); err != nil {
		return err
	}
	if err := s.wait(ctx, "the afternoon is kept by the agent", func() (bool, error) {
		status, err := s.agentStatus(ctx)
		return status.Outbox.Taken >= uint64(expect(s.tills).documents) && status.Outbox.Unsent > 0, err
	}); err != nil {
		return err
	}
	say("the collector starts again")
	return s.startCollector(ctx)
}

func (s *shop) startCollector(ctx context.Context) error {
	before, err := s.runs()
	if err != nil {
		return err
	}
	if s.collector, err = s.start("tillbook-collector", "collector", "serve"); err != nil {
		return err
	}
	return s.wait(ctx, "", func() (bool, error) {
		now, err := s.runs()
		return now > before, err
	})
}

// runs is how often the collector has come up, by its log.
func (s *shop) runs() (int, error) {
	log, err := os.ReadFile(filepath.Join(s.folder, "collector.log"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	return bytes.Count(log, []byte("collector runs")), err
}

// agentStatus is what the demo reads of `tillbook-agent status --json`.
type agentStatus struct {
	Outbox struct {
		Taken  uint64 `json:"taken"`
		Unsent uint64 `json:"unsent"`
	} `json:"outbox"`
	Collector struct {
		Connected bool `json:"connected"`
	} `json:"collector"`
}

func (s *shop) agentStatus(ctx context.Context) (agentStatus, error) {
	var status agentStatus
	text, err := s.call(ctx, "tillbook-agent", "agent", "status", "--json")
	if text == "" {
		return status, ignoreUnreachable(err)
	}
	return status, json.Unmarshal([]byte(text), &status)
}

func (s *shop) sent(ctx context.Context) (bool, error) {
	status, err := s.agentStatus(ctx)
	morning := uint64(len(s.tills[0].poslog(s.day))/2 + len(s.tills[1].csv(s.day))/2)
	return status.Outbox.Taken >= morning && status.Outbox.Unsent == 0, err
}

// wait polls until done says so.
func (s *shop) wait(ctx context.Context, what string, done func() (bool, error)) error {
	ticker := time.NewTicker(150 * time.Millisecond)
	defer ticker.Stop()
	for {
		ok, err := done()
		if err != nil {
			return err
		}
		if ok {
			if what != "" {
				say("%s", what)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for: %s (logs in %s): %w", what, s.folder, ctx.Err())
		case <-ticker.C:
		}
	}
}

// start starts a program that goes on; its log is a file of its name.
func (s *shop) start(program, data string, args ...string) (*exec.Cmd, error) {
	log, err := os.OpenFile(filepath.Join(s.folder, strings.TrimPrefix(program, "tillbook-")+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(s.bin, program), append([]string{"--data", filepath.Join(s.folder, data)}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return cmd, nil
}

// call runs a command to its end and returns what it printed. An exit code of 1
// means degraded and is no error here.
func (s *shop) call(ctx context.Context, program, data string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), append([]string{"--data", filepath.Join(s.folder, data)}, args...)...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	var code *exec.ExitError
	if errors.As(err, &code) && code.ExitCode() == 1 {
		return out.String(), nil
	}
	if err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(problems.String()))
	}
	return out.String(), nil
}

// ignoreUnreachable drops the error of a program that is only just starting.
func ignoreUnreachable(err error) error {
	var code *exec.ExitError
	if errors.As(err, &code) && code.ExitCode() == 3 {
		return nil
	}
	return err
}

// drop writes a file as a till that renames into place does.
func (s *shop) drop(name, text string) error {
	path := filepath.Join(s.folder, "tills", name)
	if err := os.WriteFile(path+".part", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

func (s *shop) append(name, text string) error {
	file, err := os.OpenFile(filepath.Join(s.folder, "tills", name), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

func (s *shop) stop() error { return errors.Join(end(s.agent), end(s.collector)) }

// end asks a process to stop and waits; one that does not is killed.
func end(cmd *exec.Cmd) error {
	if cmd == nil || cmd.ProcessState != nil {
		return nil
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	killer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() }) // a process that has ended cannot be killed
	defer killer.Stop()
	return cmd.Wait()
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
