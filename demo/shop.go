package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tillbook.example/tillbook/internal/installation"
)

// shop is the demo's installation and its day.
type shop struct {
	*installation.Installation
	day   string
	tills []till
}

func newShop(bin, folder string) (*shop, error) {
	inst, err := installation.New(bin, folder)
	if err != nil {
		return nil, err
	}
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		return nil, err
	}
	// Yesterday, so that the day is over whenever the demo is run.
	now := time.Now().In(london)
	ago := 1
	if now.Hour() < 5 { // before the cut-off it is still yesterday
		ago = 2
	}
	s := &shop{Installation: inst, tills: tills(), day: now.AddDate(0, 0, -ago).Format(time.DateOnly)}
	recipe, err := filepath.Abs("recipes/demo-till.yaml")
	if err != nil {
		return nil, err
	}
	port, err := installation.FreePort()
	if err != nil {
		return nil, err
	}
	return s, errors.Join(
		s.Write("collector/collector.yaml", collectorYAML(port)),
		s.Write("merchant.yaml", merchantYAML(s.Path("books"))),
		s.Write("agent/agent.yaml", agentYAML(s.Path("tills"), recipe)),
		os.MkdirAll(s.Path("tills/till-1"), 0o700), os.MkdirAll(s.Path("tills/till-2"), 0o700),
	)
}

// trade lets the day happen.
func (s *shop) trade(ctx context.Context) error {
	say("collector starts on its embedded default (SQLite, own certificate authority, text ledger)")
	if err := s.Start(ctx, installation.Collector, "collector", "serve"); err != nil {
		return err
	}
	if _, _, err := s.Call(ctx, installation.Collector, "collector", "apply", "-f", s.Path("merchant.yaml")); err != nil {
		return err
	}
	join, err := s.Join(ctx, "collector", "corner", "S1", "agent")
	if err != nil {
		return err
	}
	say("agent joined with %s", clip(join))
	if err := s.Start(ctx, installation.Agent, "agent", "run"); err != nil {
		return err
	}
	log1, log2 := half(s.tills[0].poslog(s.day), poslogHead, poslogEnd)
	csv1, csv2 := half(s.tills[1].csv(s.day), csvHead(), "")
	say("the morning of %s: both tills drop their files", s.day)
	if err := errors.Join(s.Drop("tills/till-1/morning.xml", log1), s.Drop("tills/till-2/day.csv", csv1)); err != nil {
		return err
	}
	if err := s.wait(ctx, "the morning arrives at the collector", func() (bool, error) { return s.sent(ctx) }); err != nil {
		return err
	}
	say("the collector is stopped")
	if err := s.Stop("collector"); err != nil {
		return err
	}
	say("the afternoon: till 1 drops a new file, till 2 goes on writing into its own; the agent keeps them")
	if err := errors.Join(s.Drop("tills/till-1/afternoon.xml", log2), s.Append("tills/till-2/day.csv", strings.TrimPrefix(csv2, csvHead()))); err != nil {
		return err
	}
	if err := s.wait(ctx, "the afternoon is kept by the agent", func() (bool, error) {
		status, err := s.agentStatus(ctx)
		return status.Outbox.Taken >= uint64(expect(s.tills).documents) && status.Outbox.Unsent > 0, err
	}); err != nil {
		return err
	}
	say("the collector starts again")
	return s.Start(ctx, installation.Collector, "collector", "serve")
}

// agentStatus is what the demo reads of `tillbook-agent status --json`.
type agentStatus struct {
	Outbox struct {
		Taken  uint64 `json:"taken"`
		Unsent uint64 `json:"unsent"`
	} `json:"outbox"`
}

func (s *shop) agentStatus(ctx context.Context) (agentStatus, error) {
	var status agentStatus
	return status, s.Ask(ctx, &status, installation.Agent, "agent", "status")
}

func (s *shop) sent(ctx context.Context) (bool, error) {
	status, err := s.agentStatus(ctx)
	morning := uint64(len(s.tills[0].poslog(s.day))/2 + len(s.tills[1].csv(s.day))/2)
	return status.Outbox.Taken >= morning && status.Outbox.Unsent == 0, err
}

// wait waits until done says so, and says it.
func (s *shop) wait(ctx context.Context, what string, done func() (bool, error)) error {
	if err := installation.Wait(ctx, what+" (logs in "+s.Folder+")", done); err != nil {
		return err
	}
	say("%s", what)
	return nil
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
