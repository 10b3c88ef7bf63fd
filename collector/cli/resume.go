package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/problem"
)

// firstDay is before any business day.
const firstDay = bizday.Day("0001-01-01")

type resumed struct {
	Resumed bool       `json:"resumed"` // false: it was not stopped
	From    bizday.Day `json:"from,omitempty"`
	Waiting int        `json:"waiting"` // days without an entry that will be closed and posted
	Oldest  bizday.Day `json:"oldest,omitempty"`
	Newest  bizday.Day `json:"newest,omitempty"`
}

func (e env) resume() *cobra.Command {
	var by, from string
	cmd := &cobra.Command{
		Use: "resume MERCHANT", Short: "Close and post a merchant's days again, oldest first", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			out := resumed{}
			if from != "" {
				if out.From, err = bizday.Parse(from); err != nil {
					return problem.With("usage", err)
				}
			}
			return e.onDatabase(cmd, func(db *storage.DB) error {
				m, err := db.Merchant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				waiting, err := doubted(cmd.Context(), db, m.ID)
				if err == nil && len(waiting) > 0 {
					err = problem.With("agents_doubted", fmt.Errorf("of agents %s it is not known since the restore whether they were revoked", strings.Join(waiting, ", ")))
				}
				if err != nil {
					return err
				}
				if out.From != "" {
					for _, s := range m.Stores {
						if err := db.Enter(cmd.Context(), m.ID, s.ID, firstDay, out.From.Add(-1), by, time.Now()); err != nil {
							return err
						}
					}
				}
				days, err := db.Days(cmd.Context(), m.ID)
				if err != nil {
					return err
				}
				for _, d := range days {
					if d.Entry > 0 || d.State == day.External || d.Day < out.From {
						continue
					}
					out.Waiting++
					if out.Oldest == "" || d.Day < out.Oldest {
						out.Oldest = d.Day
					}
					out.Newest = max(out.Newest, d.Day)
				}
				if out.Resumed, err = db.Resume(cmd.Context(), m.ID, by, time.Now()); err != nil {
					return err
				}
				return e.Print(cmd, out, func(w io.Writer) error { return printResumed(w, m.ID, out) })
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "from this day on: days before it without an entry were entered by hand and are left alone")
	byFlag(cmd, &by)
	return cmd
}

func printResumed(w io.Writer, merchantID string, r resumed) error {
	text := "merchant %s goes on\n"
	if !r.Resumed {
		text = "merchant %s was not stopped\n"
	}
	if _, err := fmt.Fprintf(w, text, merchantID); err != nil || r.Waiting == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "%d day(s) from %s to %s without an entry will be closed and posted; those that you entered yourself would stand in the books twice: name them with `entered`\n",
		r.Waiting, r.Oldest, r.Newest)
	return err
}
