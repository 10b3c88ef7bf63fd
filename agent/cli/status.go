package cli

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/agent/app"
	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/shared/exit"
)

func (e env) status() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Say whether sales arrive, whether they leave, and whether the day closes", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := e.load()
			if err != nil {
				return err
			}
			var s app.Status
			if err := ask(config.Data, http.MethodGet, "/v1/status", &s); err != nil {
				return err
			}
			if err := e.Print(cmd, s, func(w io.Writer) error { return printStatus(w, s) }); err != nil {
				return err
			}
			switch worst := diagnose.Worst(s.Answers); {
			case worst == diagnose.Bad || s.Work == diagnose.WorkFailed:
				return exit.With(exit.Failed, nil)
			case worst == diagnose.Weak || s.Work == diagnose.WorkDegraded:
				return exit.With(exit.Degraded, nil)
			}
			return nil
		},
	}
}

// questions are the three as a line begins.
var questions = map[string]string{diagnose.Arriving: "Do sales arrive?", diagnose.Leaving: "Do they leave?", diagnose.Closing: "Does the day close?"}

func printStatus(w io.Writer, s app.Status) error {
	fmt.Fprintf(w, "Store %s of merchant %s: %s   (agent %s, version %s)\n", s.Store, s.Merchant, s.Work, s.Agent, s.Version)
	for _, a := range s.Answers {
		fmt.Fprintf(w, "%-20s %s\n", questions[a.Question], a.Text)
		if a.Next != "" {
			fmt.Fprintf(w, "%-20s -> %s\n", "", a.Next)
		}
	}
	for _, f := range s.Folders {
		fmt.Fprintf(w, "source %s: %d files, %d waiting, %d parts refused, looked at %s\n", f.Name, f.Files, f.Waiting, f.Refused, ago(f.ScannedAt))
	}
	_, err := fmt.Fprintf(w, "buffer: %d of %d MiB, %d unsent; collector %s, clock %+.1f s\n", s.Outbox.Bytes>>20, s.Outbox.MaxBytes>>20, s.Outbox.Unsent, s.Collector.Address, s.Collector.Skew)
	return err
}

func ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return time.Since(t).Round(time.Second).String() + " ago"
}
