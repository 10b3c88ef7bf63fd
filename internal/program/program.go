// Package program is what the command lines of both programs have in common:
// the global flags, where configuration comes from, how answers are printed,
// and the config command. It knows nothing of agents or collectors.
package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/shared/buildinfo"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
	"tillbook.example/tillbook/shared/settings"
)

// Program is one command line with its global flags.
type Program struct {
	Name        string // tillbook-agent
	EnvPrefix   string // TILLBOOK_AGENT
	DefaultData string
	ConfigFile  string // read from the data folder where --config is not given
	// DefaultConfig is the path that is read where neither --config nor --data is
	// given; empty: ConfigFile in DefaultData.
	DefaultConfig string
	// Codes are the codes of errors that the rooms declare (errors.Is), for those
	// that carry none.
	Codes []Code

	configPath string
	data       string
	json       bool
	set        []string
}

// Code is the code that people are shown for an error.
type Code struct {
	Of   error
	Code string
}

// Root returns the root command with the global flags.
func (p *Program) Root(short string) *cobra.Command {
	root := &cobra.Command{Use: p.Name, Short: short, Version: buildinfo.Version, SilenceUsage: true, SilenceErrors: true}
	flags := root.PersistentFlags()
	flags.StringVar(&p.data, "data", "", "data folder (default "+p.DefaultData+")")
	flags.StringVar(&p.configPath, "config", "", "configuration file (default "+p.ConfigPath()+"; with --data: "+p.ConfigFile+" in that folder)")
	flags.BoolVar(&p.json, "json", false, "print JSON")
	flags.StringArrayVar(&p.set, "set", nil, "set one configuration value, KEY=VALUE; may be repeated")
	return root
}

// Run runs a command line, says on stderr what went wrong, and returns the exit
// code. With --json what is said is one problem object (shared/problem) a line.
func (p *Program) Run(ctx context.Context, root *cobra.Command, args []string, stdout, stderr io.Writer) int {
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	began := false
	mark(root, &began)
	err := root.ExecuteContext(ctx)
	if err == nil || err.Error() == "" {
		return exit.Code(err)
	}
	code := "failed"
	switch {
	case !began: // cobra refused the words themselves
		code = "usage"
	case exit.Code(err) == exit.Unreachable:
		code = "unreachable"
	}
	if i := slices.IndexFunc(p.Codes, func(c Code) bool { return errors.Is(err, c.Of) }); i >= 0 {
		code = p.Codes[i].Code
	}
	found := problem.Of(err, code)
	if p.json || slices.Contains(args, "--json") { // the flag may not have been read
		if encoded := json.NewEncoder(stderr).Encode(found); encoded != nil {
			return exit.Failed // nobody can be told
		}
		return exit.Code(err)
	}
	fmt.Fprintf(stderr, "%s: %v\n", root.Name(), err)
	if found.Code != "failed" {
		fmt.Fprintf(stderr, "  what to do: %s (%s)\n", found.Action.Label, found.Code)
	}
	return exit.Code(err)
}

// mark has every command say that it began.
func mark(command *cobra.Command, began *bool) {
	if run := command.RunE; run != nil {
		command.RunE = func(cmd *cobra.Command, args []string) error {
			*began = true
			return run(cmd, args)
		}
	}
	for _, c := range command.Commands() {
		mark(c, began)
	}
}

// Layers returns what was configured, the strongest last: the file, the
// environment, the flags.
func (p *Program) Layers() ([]settings.Layer, error) {
	flags := map[string]string{}
	if p.data != "" {
		flags["data"] = p.data
	}
	for _, pair := range p.set {
		key, value, found := strings.Cut(pair, "=")
		if !found {
			return nil, problem.With("configuration", fmt.Errorf("--set %q: write KEY=VALUE", pair))
		}
		flags[key] = value
	}
	var layers []settings.Layer
	path, required := p.ConfigPath(), p.configPath != ""
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		layer, err := settings.YAML(filepath.Base(path), text)
		if err != nil {
			return nil, problem.With("configuration", err)
		}
		layers = append(layers, layer)
	case required || !errors.Is(err, fs.ErrNotExist):
		return nil, problem.With("configuration", fmt.Errorf("read configuration: %w", err))
	}
	return append(layers, settings.Environment(p.EnvPrefix, os.Environ()), settings.Values("flag", flags)), nil
}

// ConfigPath is the configuration file of this call, which need not be there.
func (p *Program) ConfigPath() string {
	switch {
	case p.configPath != "":
		return p.configPath
	case p.data != "":
		return filepath.Join(p.data, p.ConfigFile)
	case p.DefaultConfig != "":
		return p.DefaultConfig
	}
	return filepath.Join(p.DefaultData, p.ConfigFile)
}

// DataGiven is the data folder that a flag named, empty if none did.
func (p *Program) DataGiven() string { return p.data }

// JSON reports whether JSON was asked for.
func (p *Program) JSON() bool { return p.json }

// Print writes v as JSON, or calls text where JSON was not asked for.
func (p *Program) Print(cmd *cobra.Command, v any, text func(w io.Writer) error) error {
	if !p.json && text != nil {
		return text(cmd.OutOrStdout())
	}
	encoder := json.NewEncoder(cmd.OutOrStdout())
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// Logger returns a logger of the given level and format, as settings name them.
func Logger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo // a configuration that was checked has no other word
	}
	options := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
