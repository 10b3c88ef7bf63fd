package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/internal/program"
)

func (e env) serve() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use: "serve", Short: "Take in, close, prove and post until stopped", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := e.load()
			if err != nil {
				return err
			}
			if role != "" {
				config.Role = role
			}
			if err := os.MkdirAll(config.Data, 0o700); err != nil {
				return fmt.Errorf("data folder: %w", err)
			}
			collector, err := app.New(cmd.Context(), config, program.Logger(cmd.ErrOrStderr(), config.Log.Level, config.Log.Format))
			if err != nil {
				return err
			}
			return errors.Join(collector.Run(cmd.Context()), collector.Close())
		},
	}
	cmd.Flags().StringVar(&role, "role", "", "what this process does: all, or of intake, work and web with commas between (default: the key role)")
	return cmd
}

func (e env) migrate() *cobra.Command {
	return &cobra.Command{
		Use: "migrate", Short: "Bring the database to this version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, db, err := e.database(cmd.Context())
			if err != nil {
				return err
			}
			have, want, err := db.Versions(cmd.Context())
			if err := errors.Join(err, db.Close()); err != nil {
				return err
			}
			return e.Print(cmd, map[string]int64{"version": have, "of": want}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "database is at version %d of %d\n", have, want)
				return err
			})
		},
	}
}
