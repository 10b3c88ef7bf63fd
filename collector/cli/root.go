// Package cli is the collector's command line: one file per command. Commands
// parse, call the rooms, print, and choose the exit code; they decide nothing.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/backup"
	"tillbook.example/tillbook/collector/clearing"
	"tillbook.example/tillbook/collector/drift"
	"tillbook.example/tillbook/collector/export"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/oauth"
	"tillbook.example/tillbook/internal/program"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
	"tillbook.example/tillbook/shared/settings"
)

// env is what all commands share.
type env struct{ *program.Program }

// Main runs the command line and returns the exit code.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	e := command()
	return e.Run(ctx, e.root(), args, stdout, stderr)
}

func command() env {
	return env{&program.Program{Name: "tillbook-collector", EnvPrefix: app.EnvPrefix, DefaultData: app.Defaults().Data, ConfigFile: "collector.yaml", Codes: []program.Code{
		{Of: storage.ErrNone, Code: "not_stored"}, {Of: fleet.ErrUnknown, Code: "not_stored"},
		{Of: clearing.ErrNone, Code: "not_stored"}, {Of: clearing.ErrDiffers, Code: "run_differs"},
		{Of: drift.ErrDecided, Code: "not_stored"}, {Of: oauth.ErrNone, Code: app.CodeConnect}, {Of: target.ErrDisconnected, Code: app.CodeConnect},
		{Of: storage.ErrNewer, Code: "database_newer"}, {Of: backup.ErrDamaged, Code: "backup_damaged"}, {Of: backup.ErrThere, Code: "in_the_way"}, {Of: export.ErrThere, Code: "in_the_way"}, {Of: backup.ErrOpen, Code: "database_open"},
		{Of: backup.ErrOther, Code: "backup_unfit"}, {Of: backup.ErrVersion, Code: "backup_unfit"},
	}}}
}

func (e env) root() *cobra.Command {
	root := e.Root("Takes in sales from stores, closes and proves their days, and posts them to the books")
	root.AddCommand(
		e.serve(), e.migrate(), e.apply(), e.export(), e.erase(), e.joinCode(), e.agents(), e.revoke(), e.admit(), e.authority(),
		e.days(), e.entry(), e.proof(), e.accept(), e.reopen(), e.post(), e.undo(), e.repost(), e.drift(), e.pause(), e.resume(), e.entered(), e.rejected(), e.conflicts(), e.settle(), e.payouts(), e.unmatched(), e.match(), e.connect(), e.disconnect(), e.secrets(), e.feed(), e.verify(), e.log(), e.backup(), e.restore(), e.status(),
		e.sandbox(), e.Config(origins), Preview(),
		e.whatIf(), e.taxes(),
	)
	return root
}

// load reads the configuration.
func (e env) load() (app.Config, error) {
	layers, err := e.Layers()
	if err != nil {
		return app.Config{}, err
	}
	config, _, err := app.Load(layers...)
	return config, problem.With("configuration", err)
}

func origins(layers ...settings.Layer) ([]settings.Origin, error) {
	_, values, err := app.Load(layers...)
	return values, err
}

// onDatabase runs f over the configured database.
func (e env) onDatabase(cmd *cobra.Command, f func(db *storage.DB) error) (err error) {
	_, db, err := e.database(cmd.Context())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return f(db)
}

// database opens the configured database.
func (e env) database(ctx context.Context) (app.Config, *storage.DB, error) {
	config, err := e.load()
	if err != nil {
		return config, nil, err
	}
	if _, err := os.Stat(config.Data); err != nil {
		return config, nil, exit.With(exit.Unreachable, fmt.Errorf("data folder: %w; name it with --data", err))
	}
	db, err := app.OpenDatabase(ctx, config)
	if err != nil {
		return config, nil, exit.With(exit.Unreachable, err)
	}
	return config, db, nil
}
