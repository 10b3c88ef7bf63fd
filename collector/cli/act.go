package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
)

// onDay runs f over the day that the arguments name: MERCHANT STORE DAY.
func (e env) onDay(cmd *cobra.Command, args []string, f func(db *storage.DB, ref day.Ref) error) (err error) {
	parsed, err := bizday.Parse(args[2])
	if err != nil {
		return problem.With("usage", err)
	}
	return e.onDatabase(cmd, func(db *storage.DB) error { return f(db, day.Ref{Merchant: args[0], Store: args[1], Day: parsed}) })
}

func (e env) proof() *cobra.Command {
	return &cobra.Command{
		Use: "proof MERCHANT STORE DAY", Short: "Print a day's proof as it stands: what was compared, and each difference with its id", Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onDay(cmd, args, func(db *storage.DB, ref day.Ref) error {
				facts, err := db.Facts(cmd.Context(), ref)
				if err != nil {
					return err
				}
				proof, _, problems, _ := day.Look(facts)
				if err := e.Print(cmd, map[string]any{"proof": proof, "problems": problems}, func(w io.Writer) error {
					for _, d := range proof.Differences {
						if _, err := fmt.Fprintf(w, "%s  %s\n  id: %s\n", d.State, d.Text, d.ID); err != nil {
							return err
						}
					}
					for _, p := range problems {
						if _, err := fmt.Fprintf(w, "question  %s\n", p.Text); err != nil {
							return err
						}
					}
					return nil
				}); err != nil {
					return err
				}
				if !proof.Proven || len(problems) > 0 {
					return exit.With(exit.Degraded, nil)
				}
				return nil
			})
		},
	}
}

func (e env) accept() *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use: "accept MERCHANT STORE DAY DIFFERENCE-ID", Short: "Accept a difference of a day's proof, so that it no longer holds the day", Args: cobra.ExactArgs(4),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onDay(cmd, args, func(db *storage.DB, ref day.Ref) error {
				facts, err := db.Facts(cmd.Context(), ref)
				if err != nil {
					return err
				}
				proof, _, _, _ := day.Look(facts)
				for _, d := range proof.Differences {
					if d.ID == args[3] {
						return db.Accept(cmd.Context(), ref, d.ID, by, time.Now())
					}
				}
				return fmt.Errorf("day %s of store %s has no difference %q now; `proof` lists them: %w", ref.Day, ref.Store, args[3], storage.ErrNone)
			})
		},
	}
	byFlag(cmd, &by)
	return cmd
}

func (e env) reopen() *cobra.Command {
	return byFlag(&cobra.Command{
		Use: "reopen MERCHANT STORE DAY", Short: "Close a day anew with the mapping that holds now; what differs is posted", Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onDay(cmd, args, func(db *storage.DB, ref day.Ref) error { return db.Reopen(cmd.Context(), ref, time.Now()) })
		},
	}, new(string))
}

func (e env) post() *cobra.Command {
	return byFlag(&cobra.Command{
		Use: "post MERCHANT STORE DAY", Short: "Try a day's parked or refused postings once more", Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onDay(cmd, args, func(db *storage.DB, ref day.Ref) error {
				due, err := db.Due(cmd.Context(), ref.Merchant)
				if err != nil {
					return err
				}
				poster, err := e.poster(db)
				if err != nil {
					return err
				}
				tried := 0
				for _, d := range due {
					if d.Ref != ref {
						continue
					}
					if err := poster.Retry(cmd.Context(), d); err != nil {
						return err
					}
					tried++
				}
				if tried > 0 {
					on := ref.Store + "/" + string(ref.Day)
					if err := db.Note(cmd.Context(), logbook.Act{Merchant: ref.Merchant, At: time.Now(), What: logbook.Retry, On: on}); err != nil {
						return err
					}
				}
				return e.Print(cmd, map[string]int{"tried": tried}, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "%d posting(s) will be tried again by the running collector\n", tried)
					return err
				})
			})
		},
	}, new(string))
}
