// Package cli is the agent's command line: one file per command. Commands
// parse, call the rooms or ask the running service over loopback, print, and
// choose the exit code; they decide nothing.
package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/agent/app"
	"tillbook.example/tillbook/agent/enroll"
	"tillbook.example/tillbook/agent/host"
	"tillbook.example/tillbook/agent/outbox"
	"tillbook.example/tillbook/internal/program"
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
	data, config := host.Paths()
	return env{&program.Program{Name: "tillbook-agent", EnvPrefix: app.EnvPrefix, DefaultData: data, DefaultConfig: config, ConfigFile: filepath.Base(config), Codes: []program.Code{
		{Of: enroll.ErrNone, Code: "not_enrolled"}, {Of: enroll.ErrEnrolled, Code: "enrolled"}, {Of: outbox.ErrLocked, Code: "running"},
	}}}
}

func (e env) root() *cobra.Command {
	root := e.Root("Takes a store's sales from its tills and streams them to the collector")
	root.AddCommand(e.run(), e.enroll(), e.status(), e.tail(), e.doctor(), e.drill(), e.supportFile(), e.reread(), e.outbox(), e.service(), e.Config(origins), Read())
	return root
}

// load reads the configuration.
func (e env) load() (app.Config, error) {
	layers, err := e.Layers()
	if err != nil {
		return app.Config{}, err
	}
	config, _, err := app.Load(layers...)
	if err == nil && config.Proxy != "" { // where every library looks, also for the command line's own calls
		err = os.Setenv("HTTPS_PROXY", config.Proxy)
	}
	return config, problem.With("configuration", err)
}

func origins(layers ...settings.Layer) ([]settings.Origin, error) {
	_, values, err := app.Load(layers...)
	return values, err
}
