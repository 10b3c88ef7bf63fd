package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/secrets"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/exit"
)

func (e env) secrets() *cobra.Command {
	cmd := &cobra.Command{Use: "secrets", Short: "Care for the keys that seal tokens and what opens feeds"}
	cmd.AddCommand(
		e.onSecrets("rotate", "Add a key that seals from now on; what older keys sealed stays readable", func(cmd *cobra.Command, db *storage.DB, keys *secrets.Keys) error {
			n, err := keys.Rotate()
			if err != nil {
				return err
			}
			if err := noteKeys(cmd, db, fmt.Sprintf("%d keys", n)); err != nil {
				return err
			}
			return e.Print(cmd, map[string]int{"keys": n}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%d keys; the newest seals from now on. Next: copy the file to every collector, `secrets reseal`, `secrets drop`\n", n)
				return err
			})
		}),
		e.onSecrets("reseal", "Seal with the newest key whatever an older one sealed; again, it goes on where it was cut off", func(cmd *cobra.Command, db *storage.DB, keys *secrets.Keys) error {
			r, err := db.Reseal(cmd.Context(), keys, true)
			if err != nil {
				return err
			}
			if err := e.Print(cmd, r, func(w io.Writer) error { return printResealed(w, r) }); err != nil {
				return err
			}
			if r.Older > 0 || len(r.Lost) > 0 {
				return exit.With(exit.Degraded, nil)
			}
			return nil
		}),
		e.onSecrets("drop", "Let go of all keys but the newest, once nothing is sealed with them", func(cmd *cobra.Command, db *storage.DB, keys *secrets.Keys) error {
			r, err := db.Reseal(cmd.Context(), keys, false)
			if err != nil {
				return err
			}
			if r.Older > 0 {
				return fmt.Errorf("%d tokens and secrets are still sealed with older keys; `secrets reseal` first", r.Older)
			}
			n, err := keys.Drop()
			if err != nil {
				return err
			}
			if n > 0 {
				if err := noteKeys(cmd, db, fmt.Sprintf("%d older keys dropped", n)); err != nil {
					return err
				}
			}
			return e.Print(cmd, map[string]int{"dropped": n}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%d keys were dropped; what they sealed, also in older backups, cannot be read without a copy of the file as it was\n", n)
				return err
			})
		}),
	)
	return cmd
}

// onSecrets is a command on the keys and what they seal.
func (e env) onSecrets(use, short string, do func(*cobra.Command, *storage.DB, *secrets.Keys) error) *cobra.Command {
	return byFlag(&cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			config, db, err := e.database(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			keys, err := app.OpenSecrets(config)
			if err != nil {
				return err
			}
			return do(cmd, db, keys)
		},
	}, new(string))
}

// noteKeys tells the log of a change of the keys, which is made by then.
func noteKeys(cmd *cobra.Command, db *storage.DB, what string) error {
	if err := db.Note(cmd.Context(), logbook.Act{Merchant: logbook.Collector, At: time.Now(), What: logbook.Rotate, Detail: what}); err != nil {
		return fmt.Errorf("the keys are changed, and the log was not told: %w", err)
	}
	return nil
}

func printResealed(w io.Writer, r storage.Resealed) error {
	if _, err := fmt.Fprintf(w, "%d sealed with the newest key, %d with older ones\n", r.Newest, r.Older); err != nil {
		return err
	}
	for _, name := range r.Lost {
		if _, err := fmt.Fprintf(w, "%s cannot be unsealed with any key that is here: `connect` it, or set its secret, again\n", name); err != nil {
			return err
		}
	}
	return nil
}
