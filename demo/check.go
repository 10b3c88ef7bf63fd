package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"tillbook.example/tillbook/internal/installation"
)

// dayRow is what the demo reads of `tillbook-collector days --json`.
type dayRow struct {
	Day      string `json:"day"`
	State    string `json:"state"`
	Hold     any    `json:"hold"`
	Postings []struct {
		Reference string `json:"reference"`
		State     string `json:"state"`
	} `json:"postings"`
}

// entryReport is what it reads of `tillbook-collector entry`.
type entryReport struct {
	Entry struct {
		Lines []struct {
			Account   string `json:"account"`
			Side      string `json:"side"`
			Amount    int64  `json:"amount"`
			Rule      string `json:"rule"`
			Documents []any  `json:"documents"`
			Tax       *struct {
				Code string `json:"code"`
				Base int64  `json:"base"`
			} `json:"tax"`
		} `json:"lines"`
	} `json:"entry"`
	Proof struct {
		Proven      bool `json:"proven"`
		Differences []struct {
			Cause  string `json:"cause"`
			Amount string `json:"amount"`
			State  string `json:"state"`
			Text   string `json:"text"`
		} `json:"differences"`
	} `json:"proof"`
	Postings []struct {
		Payload struct {
			Lines []struct {
				Account string `json:"account"`
				Amount  int64  `json:"amount"`
			} `json:"lines"`
		} `json:"payload"`
	} `json:"postings"`
}

// check waits for the day to be posted and compares every figure.
func (s *shop) check(ctx context.Context) error {
	var rows []dayRow
	if err := s.wait(ctx, "the day is closed, proven and posted", func() (bool, error) {
		if err := s.Ask(ctx, &rows, installation.Collector, "collector", "days"); err != nil {
			return false, err
		}
		return len(rows) == 1 && rows[0].State == "ready" && len(rows[0].Postings) > 0 && rows[0].Postings[len(rows[0].Postings)-1].State == "posted", nil
	}); err != nil {
		return fmt.Errorf("%w; days: %+v", err, rows)
	}
	var report entryReport
	if err := s.Ask(ctx, &report, installation.Collector, "collector", "entry", "corner", "S1", s.day); err != nil {
		return err
	}
	if err := s.show(report); err != nil {
		return err
	}
	var problems []error
	bad := func(what string, args ...any) { problems = append(problems, fmt.Errorf(what, args...)) }
	posted := map[string]int64{}
	for _, p := range report.Postings {
		for _, l := range p.Payload.Lines {
			posted[l.Account] += l.Amount
		}
	}
	want := balances(expect(s.tills))
	for account := range maps.All(posted) {
		if _, ok := want[account]; !ok {
			bad("account %s holds %s, which nobody expects", account, pounds(posted[account]))
		}
	}
	for _, account := range slices.Sorted(maps.Keys(want)) {
		if posted[account] != want[account] {
			bad("account %s holds %s, the day's own list says %s", account, pounds(posted[account]), pounds(want[account]))
		}
	}
	if !report.Proof.Proven {
		bad("the day is not proven")
	}
	var audit struct {
		Results []struct {
			Promise string `json:"promise"`
			Checked int    `json:"checked"`
			Count   int    `json:"count"`
		} `json:"results"`
	}
	if err := s.Ask(ctx, &audit, installation.Collector, "collector", "verify"); err != nil || len(audit.Results) != 12 {
		bad("verify did not report twelve promises: %v", err)
	}
	for _, r := range audit.Results {
		if r.Count != 0 {
			bad("promise %s is broken %d times", r.Promise, r.Count)
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("checks failed (files in %s):\n%w", s.Folder, errors.Join(problems...))
	}
	say("checked: every account holds what the day's own list says; every promise holds")
	return nil
}

// show prints the entry and the differences.
func (s *shop) show(report entryReport) error {
	fmt.Printf("\nThe entry of %s:\n\n", s.day)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, l := range report.Entry.Lines {
		debit, credit, tax := pounds(l.Amount), "", ""
		if !strings.HasPrefix(l.Side, "D") {
			debit, credit = "", pounds(l.Amount)
		}
		if l.Tax != nil {
			tax = l.Tax.Code
		}
		fmt.Fprintf(table, "  %s\t%10s\t%10s\t%s\t%d documents\t%s\n", l.Account, debit, credit, tax, len(l.Documents), l.Rule)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Println("\nDifferences and their causes:")
	for _, d := range report.Proof.Differences {
		fmt.Printf("  %s %s (%s): %s\n", d.Cause, d.Amount, d.State, d.Text)
	}
	fmt.Println()
	return nil
}

// where says where to look.
func (s *shop) where() {
	fmt.Printf(`Where to look:
  the books        %s
  the tills' files %s
  logs             %s, %s
  a day            %s --data %s days
  the agent        %s --data %s status

`, filepath.Join(s.Folder, "books"), filepath.Join(s.Folder, "tills"), filepath.Join(s.Folder, "collector.log"), filepath.Join(s.Folder, "agent.log"),
		filepath.Join(s.Bin, "tillbook-collector"), filepath.Join(s.Folder, "collector"), filepath.Join(s.Bin, "tillbook-agent"), filepath.Join(s.Folder, "agent"))
}
