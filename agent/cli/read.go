package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/formats"
	"tillbook.example/tillbook/shared/totals"
)

// readFlags are the flags of the command read.
type readFlags struct {
	format, recipe            string
	zone, cutoff              string
	store, terminal, currency string
	encoding                  string
	totals, json              bool
}

// Read returns the command that reads a till's files and prints what is in them,
// without an agent and without keeping anything.
func Read() *cobra.Command {
	var f readFlags
	c := &cobra.Command{
		Use:   "read [--format F | --recipe FILE] PATH...",
		Short: "read a till's files and print the documents in them",
		Long: `Read a till's files and print the documents in them, one JSON object a line.

With --totals one JSON object of totals is printed instead. What cannot be read
is told on standard error, with its place; the rest is read all the same.
Without --format or --recipe, a file whose name ends in .xml is read as poslog
and one that ends in .json or .jsonl as document.

Exit code: 0 everything was read, 1 something was refused, 2 nothing could be
read or the command was wrong.`,
		Example: `  tillbook-agent read --totals journal.xml
  tillbook-agent read --recipe recipes/online-retail.yaml --totals 2010-12-01.csv
  tillbook-agent read --recipe recipes/jaffle-shop.yaml raw_orders.csv raw_payments.csv`,
		Args:          cobra.MinimumNArgs(1),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, paths []string) error {
			return f.run(paths, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.format, "format", "", "format of the files: "+strings.Join(formats.Names, ", "))
	flags.StringVar(&f.recipe, "recipe", "", "recipe for CSV or JSON files")
	flags.StringVar(&f.zone, "zone", "", "time zone of times that carry none, such as Europe/London")
	flags.StringVar(&f.cutoff, "cutoff", "", "time of day (HH:MM) at which a business day begins, where none is stated")
	flags.StringVar(&f.store, "store", "", "store, instead of the one in the files")
	flags.StringVar(&f.terminal, "terminal", "", "terminal, instead of the one in the files")
	flags.StringVar(&f.currency, "currency", "", "currency (ISO 4217) where none is stated")
	flags.StringVar(&f.encoding, "encoding", "", "encoding of the files, such as windows-1252")
	flags.BoolVar(&f.totals, "totals", false, "print one object of totals instead of the documents")
	flags.BoolVar(&f.json, "json", false, "print refusals as JSON too")
	c.MarkFlagsMutuallyExclusive("format", "recipe")
	return c
}

// reading is one run of the command.
type reading struct {
	flags   readFlags
	format  formats.Format // nil: told by the file's name
	options format.Options
	totals  *totals.Totals
	out     *bufio.Writer
	errs    io.Writer
	read    int
	refused int
}

func (f readFlags) run(paths []string, out, errs io.Writer) error {
	r := &reading{flags: f, out: bufio.NewWriter(out), errs: errs}
	if err := r.prepare(); err != nil {
		return exit.With(exit.Failed, err)
	}
	var failed error
	for _, set := range r.sets(paths) {
		if err := r.files(set); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	if f.totals && (failed == nil || r.read+r.refused > 0) {
		result, err := r.totals.Result()
		if err != nil {
			return exit.With(exit.Failed, err)
		}
		if err := r.print(result); err != nil {
			return exit.With(exit.Failed, err)
		}
	}
	if err := r.out.Flush(); err != nil {
		return exit.With(exit.Failed, fmt.Errorf("write: %w", err))
	}
	switch {
	case failed != nil:
		return exit.With(exit.Failed, failed)
	case r.refused > 0:
		return exit.With(exit.Degraded, fmt.Errorf("%d parts were refused, %d documents read", r.refused, r.read))
	}
	return nil
}

// prepare reads the recipe and the rule.
func (r *reading) prepare() error {
	f := r.flags
	r.options = format.Options{Store: f.store, Terminal: f.terminal, Currency: f.currency, Encoding: f.encoding, Adapter: "read", Final: true}
	var err error
	if f.format != "" {
		if r.format, err = formats.Named(f.format); err != nil {
			return err
		}
	}
	if f.recipe != "" {
		data, err := os.ReadFile(f.recipe)
		if err != nil {
			return fmt.Errorf("read recipe: %w", err)
		}
		if r.format, err = formats.FromRecipe(data); err != nil {
			return fmt.Errorf("%s: %w", f.recipe, err)
		}
	}
	var rule *bizday.Rule
	switch {
	case f.zone != "":
		made, err := bizday.NewRule(f.zone, f.cutoff)
		if err != nil {
			return err
		}
		rule = &made
	case f.cutoff != "":
		return errors.New("--cutoff needs --zone")
	}
	r.options.Rule = rule
	r.totals = totals.New(rule)
	return nil
}

// sets puts paths that are read together into sets: one file each, or the files
// of a recipe that joins several.
func (r *reading) sets(paths []string) [][]string {
	if r.format != nil && r.format.Files() > 1 {
		return [][]string{paths}
	}
	var sets [][]string
	for _, p := range paths {
		sets = append(sets, []string{p})
	}
	return sets
}

// files reads one set.
func (r *reading) files(paths []string) error {
	how := r.format
	if how == nil {
		var err error
		if how, err = formats.Named(byName(paths[0])); err != nil {
			return fmt.Errorf("%s: give its --format (%s) or a --recipe", paths[0], strings.Join(formats.Names, ", "))
		}
	}
	var inputs []format.Input
	for _, p := range paths {
		file, err := os.Open(p)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("read %s: it is no file", p)
		}
		inputs = append(inputs, format.Input{Name: p, Reader: file, Size: info.Size()})
	}
	options := r.options
	options.FileID = filepath.Base(paths[0])
	reader, err := how.Open(inputs, options)
	if err != nil {
		return err
	}
	for {
		result, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", paths[0], err)
		}
		if err := r.take(paths[0], result); err != nil {
			return err
		}
	}
}

// take prints or adds up one result.
func (r *reading) take(file string, result format.Result) error {
	if result.Refused != nil {
		r.refused++
		r.totals.Refused()
		return r.complain(file, result.Refused)
	}
	r.read++
	if r.flags.totals {
		return r.totals.Add(result.Document)
	}
	return r.print(result.Document)
}

func (r *reading) print(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if _, err := r.out.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// refusalLine is a refusal as JSON. Its bytes are not shown: they are for the
// one who has the file.
type refusalLine struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitzero"`
	Byte   int64  `json:"byte"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

func (r *reading) complain(file string, refused *format.Refusal) error {
	line := refusalLine{file, refused.Line, refused.Byte, refused.Code, refused.Reason}
	if r.flags.json {
		text, err := json.Marshal(line)
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		_, err = fmt.Fprintf(r.errs, "%s\n", text)
		return err
	}
	place := fmt.Sprintf("byte %d", line.Byte)
	if line.Line > 0 {
		place = fmt.Sprintf("line %d", line.Line)
	}
	_, err := fmt.Fprintf(r.errs, "%s: %s: %s [%s]\n", file, place, line.Reason, line.Code)
	return err
}

// byName tells a format by a file's name.
func byName(file string) string {
	ends := []struct{ suffix, format string }{{".xml", "poslog"}, {".jsonl", "document"}, {".json", "document"}}
	lower := strings.ToLower(path.Ext(filepath.ToSlash(file)))
	if i := slices.IndexFunc(ends, func(e struct{ suffix, format string }) bool { return e.suffix == lower }); i >= 0 {
		return ends[i].format
	}
	return ""
}
