package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/exit"
)

// undone is what undoing a day does, or would do, at one target.
type undone struct {
	Target string         `json:"target"`
	Steps  []posting.Step `json:"steps"`
	Told   bool           `json:"told"` // the running collector does it
}

func (e env) undo() *cobra.Command {
	var connection string
	var yes bool
	cmd := &cobra.Command{
		Use: "undo MERCHANT STORE DAY", Short: "Take a posted day off the books; without --yes only say what would be done", Args: cobra.ExactArgs(3),
		Long: `Take all that was posted of a day off the books: in their own way (voided, deleted), or by a posting of the opposite.
The running collector does it, step by step; days shows how far it is. Nothing of the day is posted again until repost.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onDay(cmd, args, func(db *storage.DB, ref day.Ref) error {
				poster, err := e.poster(db)
				if err != nil {
					return err
				}
				subjects, err := postedOf(cmd.Context(), db, ref, connection)
				if err != nil {
					return err
				}
				all, refused := []undone{}, false
				for _, s := range subjects {
					out := undone{Target: s.Target}
					if out.Steps, err = poster.PlanUndo(cmd.Context(), s); err != nil {
						return err
					}
					refused = refused || slices.ContainsFunc(out.Steps, func(s posting.Step) bool { return s.Code != "" })
					if yes {
						d := posting.Decision{Ref: ref, Target: s.Target, What: posting.DecideUndo, At: time.Now()}
						if out.Told, err = db.Decide(cmd.Context(), d); err != nil {
							return err
						}
					}
					all = append(all, out)
				}
				if err := e.Print(cmd, all, func(w io.Writer) error { return printUndo(w, all, yes) }); err != nil {
					return err
				}
				if refused {
					return exit.With(exit.Degraded, nil)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	cmd.Flags().StringVar(&connection, "target", "", "at this connection only (default: at each that holds the day)")
	return byFlag(cmd, new(string))
}

func (e env) repost() *cobra.Command {
	var connection string
	cmd := &cobra.Command{
		Use: "repost MERCHANT STORE DAY", Short: "Have a day that was taken off the books stand there again, as it is now", Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onDay(cmd, args, func(db *storage.DB, ref day.Ref) error {
				subjects, err := postedOf(cmd.Context(), db, ref, connection)
				if err != nil {
					return err
				}
				told := []string{}
				for _, s := range subjects {
					changed, err := db.Decide(cmd.Context(), posting.Decision{Ref: ref, Target: s.Target, What: posting.DecideRepost, At: time.Now()})
					if err != nil {
						return err
					}
					if changed {
						told = append(told, s.Target)
					}
				}
				return e.Print(cmd, map[string][]string{"reposted": told}, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "the day will be posted again by the running collector at: %v\n", told)
					return err
				})
			})
		},
	}
	cmd.Flags().StringVar(&connection, "target", "", "at this connection only (default: at each)")
	return byFlag(cmd, new(string))
}

// poster works on the books as the running collector does.
func (e env) poster(db *storage.DB) (*posting.Poster, error) {
	config, err := e.load()
	if err != nil {
		return nil, err
	}
	open, err := app.OpenTargets(config, db, time.Now)
	if err != nil {
		return nil, err
	}
	return &posting.Poster{Store: db, Directory: db, Target: open, Now: time.Now}, nil
}

// postedOf returns what was posted of a day, at each target or at one.
func postedOf(ctx context.Context, db *storage.DB, ref day.Ref, connection string) ([]posting.Due, error) {
	entry, err := db.Entry(ctx, ref, 0)
	if err != nil {
		return nil, err
	}
	postings, err := db.Postings(ctx, ref)
	if err != nil {
		return nil, err
	}
	var all []posting.Due
	for _, p := range postings {
		if connection != "" && p.Target != connection {
			continue
		}
		if n := len(all); n == 0 || all[n-1].Target != p.Target {
			all = append(all, posting.Due{Ref: ref, Target: p.Target, Entry: entry})
		}
		last := &all[len(all)-1]
		last.Postings = append(last.Postings, p)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("nothing of day %s of store %s was posted there: %w", ref.Day, ref.Store, storage.ErrNone)
	}
	return all, nil
}

func printUndo(w io.Writer, all []undone, yes bool) error {
	for _, u := range all {
		if len(u.Steps) == 0 {
			if _, err := fmt.Fprintf(w, "%s: nothing of the day stands\n", u.Target); err != nil {
				return err
			}
		}
		for _, s := range u.Steps {
			text := fmt.Sprintf("%s: take off %s of %s", u.Target, s.Reference, s.Date)
			if s.Opposite {
				text = fmt.Sprintf("%s: post the opposite of what stands, %s on %s", u.Target, s.Reference, s.Date)
			}
			if s.Code != "" {
				text += fmt.Sprintf("; refused now (%s): %s", s.Code, s.Why)
			}
			if _, err := fmt.Fprintln(w, text); err != nil {
				return err
			}
		}
	}
	text := "nothing was done; --yes does it"
	if yes {
		text = "the running collector does it; nothing of the day is posted again until `repost`"
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
