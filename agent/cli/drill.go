package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
)

// drillStill is how long after its time a cut may still be answered.
const drillStill = 10 * time.Second

func (e env) drill() *cobra.Command {
	command := &cobra.Command{Use: "drill", Short: "Prove on the spot what the agent promises"}
	command.AddCommand(&cobra.Command{
		Use: "offline DURATION", Short: "Cut the line for a time and show that what is sold meanwhile arrives", Args: cobra.ExactArgs(1),
		Long: `Cut the line to the collector for a time, 1s to 10m, and show that what is sold
meanwhile waits and then arrives. Sell something while the line is cut, or have
the till write a file: the drill makes no sale of its own. The line comes back by
itself, also when this command is ended before. Exit code: 0 proven, 1 nothing
was sold, so that nothing is proven, 2 something did not arrive.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := time.ParseDuration(args[0])
			if err != nil || d < time.Second || d > diagnose.MaxCut {
				return problem.With("drill", fmt.Errorf("%q: name a time from 1s to 10m, such as 60s", args[0]))
			}
			config, err := e.load()
			if err != nil {
				return err
			}
			say := func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
			proof, err := drillOf(config.Data, d, say).Run(cmd.Context())
			if cmd.Context().Err() != nil {
				return exit.With(exit.Degraded, fmt.Errorf("ended before its time; the line comes back by itself"))
			}
			if err != nil {
				return problem.With("drill", err)
			}
			if err := e.Print(cmd, proof, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: %s\n", proof.Verdict, proof.Sentence)
				return err
			}); err != nil {
				return err
			}
			switch proof.Verdict {
			case diagnose.Failed:
				return exit.With(exit.Failed, nil)
			case diagnose.NotProven:
				return exit.With(exit.Degraded, nil)
			}
			return nil
		},
	})
	return command
}

// drillOf is a drill with the service that runs over a folder.
func drillOf(folder string, d time.Duration, say func(string)) diagnose.Drill {
	return diagnose.Drill{
		For: d, Say: say,
		Status: func(ctx context.Context) (s diagnose.Status, err error) {
			err = askIn(ctx, folder, http.MethodGet, "/v1/status", localTimeout, &s)
			return s, err
		},
		Cut: func(ctx context.Context, d time.Duration) (c diagnose.Cut, err error) {
			err = askIn(ctx, folder, http.MethodPost, "/v1/drill?"+url.Values{"for": {d.String()}}.Encode(), d+drillStill, &c)
			return c, err
		},
	}
}
