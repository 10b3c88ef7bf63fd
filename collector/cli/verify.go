package cli

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/shared/exit"
)

func (e env) verify() *cobra.Command {
	var merchantID string
	cmd := &cobra.Command{
		Use: "verify", Short: "Recompute every promise from what is stored and from what the books hold", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			config, db, err := e.database(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			open, err := app.OpenTargets(config, db, time.Now)
			if err != nil {
				return err
			}
			report, err := app.Verify(cmd.Context(), db, open, merchantID, time.Now())
			if err != nil {
				return err
			}
			if err := e.Print(cmd, report, func(w io.Writer) error { return printReport(w, report) }); err != nil {
				return err
			}
			if !report.OK() {
				return exit.With(exit.Degraded, nil)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&merchantID, "merchant", "", "of this merchant only")
	return cmd
}

func printReport(w io.Writer, r audit.Report) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PROMISE\tCHECKED\tSTATES\tBROKEN\tSAYS")
	for _, result := range r.Results {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\n", result.Promise, result.Checked, result.States, result.Count, result.Says)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, result := range r.Results {
		for _, v := range result.Violations {
			if _, err := fmt.Fprintf(w, "%s broken at %s: %s\n", v.Promise, v.Where, v.Text); err != nil {
				return err
			}
		}
		for _, s := range result.Skipped {
			if _, err := fmt.Fprintf(w, "%s not checked: %s\n", result.Promise, s); err != nil {
				return err
			}
		}
	}
	return nil
}
