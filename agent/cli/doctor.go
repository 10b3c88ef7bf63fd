package cli

import (
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/agent/app"
	"tillbook.example/tillbook/agent/diagnose"
	"tillbook.example/tillbook/agent/host"
	"tillbook.example/tillbook/shared/exit"
)

func (e env) doctor() *cobra.Command {
	var fix bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look at everything between the till and the collector, and say what to do", Args: cobra.NoArgs,
		Long: `Look at everything between the till and the collector, and say what to do.

It works with the service running or stopped, enrolled or not. Where the service
is stopped the whole buffer is read, which takes some seconds for each GiB. --fix
sets right what is safe: it makes the data folder, takes rights of others away,
and removes an address that is left over. Exit code: 0 all is well, 1 there are
warnings, 2 something fails.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := e.examine(cmd, fix)
			if err != nil {
				return err
			}
			if err := e.Print(cmd, report, func(w io.Writer) error { return printReportOf(w, report) }); err != nil {
				return err
			}
			switch report.Worst {
			case diagnose.Fail:
				return exit.With(exit.Failed, nil)
			case diagnose.Warn:
				return exit.With(exit.Degraded, nil)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&fix, "fix", false, "set right what is safe to")
	return cmd
}

// examine has doctor look, as the service's account where that can be.
func (e env) examine(cmd *cobra.Command, fix bool) (report diagnose.Report, err error) {
	config, wrong := e.configured()
	status := e.running(config)
	err = host.As(config.Data, func() error {
		report = diagnose.Examine(cmd.Context(), app.Subject(config, wrong, status, time.Now()), fix)
		return nil
	})
	return report, err
}

// configured is the configuration, and what is wrong with it: then as much of it
// as there is.
func (e env) configured() (app.Config, error) {
	config, wrong := e.load()
	if wrong == nil {
		return config, nil
	}
	if config.Data == "" {
		config = app.Defaults()
	}
	if given := e.DataGiven(); given != "" {
		config.Data = given
	}
	return config, wrong
}

// running asks the service how it is; nil where none answers.
func (e env) running(config app.Config) *app.Status {
	var s app.Status
	if err := ask(config.Data, http.MethodGet, "/v1/status", &s); err != nil || s.Agent == "" {
		return nil
	}
	return &s
}

func printReportOf(w io.Writer, r diagnose.Report) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CHECK\tRESULT\tDETAIL")
	counts := map[string]int{}
	for _, c := range r.Results {
		counts[c.Grade]++
		detail := c.Detail
		if c.Fixed {
			detail += " (set right)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", c.Check, c.Grade, detail)
		if c.Fix != "" {
			fmt.Fprintf(table, "\t\t-> %s (%s)\n", c.Fix, c.Code)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d well, %d warnings, %d failed, %d not told\n", counts[diagnose.Pass], counts[diagnose.Warn], counts[diagnose.Fail], counts[diagnose.Skip])
	return err
}
