package program

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/shared/problem"
	"tillbook.example/tillbook/shared/settings"
)

// Load reads a program's configuration from layers and returns where each value
// came from.
type Load func(layers ...settings.Layer) ([]settings.Origin, error)

// Config returns the config command: print, validate, init and schema.
func (p *Program) Config(load Load) *cobra.Command {
	config := &cobra.Command{Use: "config", Short: "Show, check and begin the configuration"}
	origins := func() ([]settings.Origin, error) {
		layers, err := p.Layers()
		if err != nil {
			return nil, err
		}
		values, err := load(layers...)
		return values, problem.With("configuration", err)
	}
	config.AddCommand(
		&cobra.Command{
			Use: "print", Short: "Print every value and where it came from", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				values, err := origins()
				if err != nil {
					return err
				}
				return p.printOrigins(cmd, values)
			},
		},
		&cobra.Command{
			Use: "validate", Short: "Check the configuration", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				if _, err := origins(); err != nil {
					return err
				}
				return p.Print(cmd, map[string]bool{"valid": true}, func(w io.Writer) error {
					_, err := fmt.Fprintln(w, "the configuration is valid")
					return err
				})
			},
		},
		&cobra.Command{
			Use: "init", Short: "Write a configuration file with every default, where there is none", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return p.initialise(cmd, load) },
		},
		&cobra.Command{
			Use: "schema", Short: "List every key with its default", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				values, err := load()
				if err != nil {
					return err
				}
				return p.printOrigins(cmd, values)
			},
		},
	)
	return config
}

// origin is one value as config prints it.
type origin struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	Layer string `json:"layer"`
}

func (p *Program) printOrigins(cmd *cobra.Command, values []settings.Origin) error {
	rows := make([]origin, 0, len(values))
	for _, v := range values {
		rows = append(rows, origin(v))
	}
	return p.Print(cmd, rows, func(w io.Writer) error {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, r := range rows {
			fmt.Fprintf(table, "%s\t%s\t%s\n", r.Key, r.Value, r.Layer)
		}
		return table.Flush()
	})
}

// initialise writes the defaults as comments, so that a later version's defaults
// are not frozen by today's file.
func (p *Program) initialise(cmd *cobra.Command, load Load) error {
	values, err := load()
	if err != nil {
		return err
	}
	path := p.ConfigPath()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("configuration folder: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return problem.With("file", fmt.Errorf("%s is there already; it is left as it is", path))
	}
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	_, err = fmt.Fprintf(file, "# %s: remove the # from what you want to change. Keys with dots may be written as such.\n", p.Name)
	for _, v := range values {
		_, more := fmt.Fprintf(file, "# %s: %s\n", v.Key, v.Value)
		err = errors.Join(err, more)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return p.Print(cmd, map[string]string{"written": path}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "written: %s\n", path)
		return err
	})
}
