package cli

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/drift"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/exit"
)

type driftRow struct {
	Merchant  string     `json:"merchant"`
	Target    string     `json:"target"`
	Reference string     `json:"reference"`
	Store     string     `json:"store,omitempty"`
	Day       bizday.Day `json:"day,omitempty"`
	Code      string     `json:"code"`
	State     string     `json:"state"`
	Text      string     `json:"text"`
	RemoteID  string     `json:"remote_id,omitempty"` // of the document that is too much
	FoundAt   time.Time  `json:"found_at"`
	By        string     `json:"by,omitempty"` // who decided
}

func (e env) drift() *cobra.Command {
	cmd := &cobra.Command{Use: "drift", Short: "See what the books hold otherwise than was posted, and decide about it"}
	cmd.AddCommand(e.driftList(), e.driftCheck(),
		e.driftDecide("restore", drift.Restore, "Put back what was posted: take off what stands, and post what is missing then"),
		e.driftDecide("accept", drift.Accept, "Leave it as it is in the books now; another change is told again"),
		e.driftDecide("ignore", drift.Ignore, "Leave it, whatever becomes of it"))
	return cmd
}

func (e env) driftList() *cobra.Command {
	var merchantID string
	var all bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the differences that wait for a decision", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.onDatabase(cmd, func(db *storage.DB) error {
				merchants, err := db.Merchants(cmd.Context())
				if err != nil {
					return err
				}
				rows, opened := []driftRow{}, false
				for _, m := range merchants {
					if merchantID != "" && m.ID != merchantID {
						continue
					}
					found, err := db.Drift(cmd.Context(), m.ID)
					if err != nil {
						return err
					}
					for _, f := range found {
						opened = opened || f.State == drift.Opened
						if all || f.State == drift.Opened {
							rows = append(rows, driftRow{f.Merchant, f.Target, f.Reference, f.Store, f.Day, f.Code, f.State, f.Text, f.RemoteID, f.FoundAt, f.By})
						}
					}
				}
				if err := e.Print(cmd, rows, func(w io.Writer) error { return printDrift(w, rows) }); err != nil {
					return err
				}
				if opened {
					return exit.With(exit.Degraded, nil)
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&merchantID, "merchant", "", "of this merchant only")
	cmd.Flags().BoolVar(&all, "all", false, "also what was decided or is fixed")
	return cmd
}

func printDrift(w io.Writer, rows []driftRow) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MERCHANT\tCONNECTION\tREFERENCE\tCODE\tSTATE\tSAYS")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Merchant, r.Target, r.Reference, r.Code, r.State, r.Text)
	}
	return table.Flush()
}

func (e env) driftCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check MERCHANT CONNECTION", Short: "Compare all of a connection's books now", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onDatabase(cmd, func(db *storage.DB) error {
				config, err := e.load()
				if err != nil {
					return err
				}
				open, err := app.OpenTargets(config, db, time.Now)
				if err != nil {
					return err
				}
				checker := &drift.Checker{Store: db, Directory: db, Target: open, Now: time.Now}
				pass, err := checker.Check(cmd.Context(), args[0], args[1])
				if err != nil {
					return err
				}
				if err := e.Print(cmd, map[string]int{"found": pass.Found, "doubles": pass.Doubles}, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "%d difference(s); %d second document(s) taken off\n", pass.Found, pass.Doubles)
					return err
				}); err != nil {
					return err
				}
				if pass.Found > 0 {
					return exit.With(exit.Degraded, nil)
				}
				return nil
			})
		},
	}
}

func (e env) driftDecide(name, what, short string) *cobra.Command {
	return byFlag(&cobra.Command{
		Use: name + " MERCHANT CONNECTION REFERENCE", Short: short, Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onDatabase(cmd, func(db *storage.DB) error {
				d := posting.Decision{Ref: day.Ref{Merchant: args[0]}, Target: args[1], Reference: args[2], What: what, By: actor(cmd), At: time.Now()}
				return db.DecideDrift(cmd.Context(), d)
			})
		},
	}, new(string))
}
