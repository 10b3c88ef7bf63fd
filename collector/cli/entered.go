package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/problem"
)

type enteredDays struct {
	First  bizday.Day   `json:"first"`
	Last   bizday.Day   `json:"last"`
	Posted []bizday.Day `json:"posted"` // have an entry already, and are not changed
}

func (e env) entered() *cobra.Command {
	var by string
	var withdraw bool
	cmd := &cobra.Command{
		Use: "entered MERCHANT STORE FIRST LAST", Short: "Say that you entered these days into the books yourself, so that they are not posted", Args: cobra.ExactArgs(4),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			out := enteredDays{Posted: []bizday.Day{}}
			if out.First, err = bizday.Parse(args[2]); err == nil {
				out.Last, err = bizday.Parse(args[3])
			}
			if err == nil && out.Last < out.First {
				err = fmt.Errorf("%s is after %s", out.First, out.Last)
			}
			if err != nil {
				return problem.With("usage", err)
			}
			return e.onDatabase(cmd, func(db *storage.DB) error {
				m, err := db.Merchant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if _, known := m.Store(args[1]); !known {
					return fmt.Errorf("merchant %s has no store %q: %w", m.ID, args[1], storage.ErrNone)
				}
				days, err := db.Days(cmd.Context(), m.ID)
				if err != nil {
					return err
				}
				for _, d := range days {
					if d.Store == args[1] && d.Day >= out.First && d.Day <= out.Last && d.Entry > 0 {
						out.Posted = append(out.Posted, d.Day)
					}
				}
				if withdraw {
					err = db.Withdraw(cmd.Context(), m.ID, args[1], out.First, out.Last, by, time.Now())
				} else {
					err = db.Enter(cmd.Context(), m.ID, args[1], out.First, out.Last, by, time.Now())
				}
				if err != nil {
					return err
				}
				return e.Print(cmd, out, func(w io.Writer) error {
					for _, d := range out.Posted {
						if _, err := fmt.Fprintf(w, "%s has an entry already and stays as it is\n", d); err != nil {
							return err
						}
					}
					return nil
				})
			})
		},
	}
	cmd.Flags().BoolVar(&withdraw, "withdraw", false, "take back what was said of exactly these days")
	byFlag(cmd, &by)
	return cmd
}
