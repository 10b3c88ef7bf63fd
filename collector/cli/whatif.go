package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/books/profile"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/money"
	"tillbook.example/tillbook/shared/problem"
)

// supposed is what a day would be with another mapping.
type supposed struct {
	Store    string          `json:"store"`
	Day      bizday.Day      `json:"day"`
	Entry    books.Entry     `json:"entry"`
	Problems []books.Problem `json:"problems"` // what would hold the day
	Proven   bool            `json:"proven"`
	// Changes are between the day's newest entry and this one, by account and tax
	// code, debits positive; without an entry, all of it.
	Changes []accountChange `json:"changes"`
}

type accountChange struct {
	Account string      `json:"account"`
	TaxCode string      `json:"tax_code,omitempty"`
	Had     money.Minor `json:"had"` // minor units
	Would   money.Minor `json:"would"`
}

func (e env) whatIf() *cobra.Command {
	var mappingFile string
	var days span
	cmd := &cobra.Command{
		Use: "what-if MERCHANT --mapping FILE", Short: "Show what days would be in the books with another mapping; changes nothing", Args: cobra.ExactArgs(1),
		Long: `Make the entries of stored days anew with the mapping of a file, and show by
account and tax code what would differ from each day's newest entry. Nothing is
stored or posted.

The exit code is 0 if every day could be booked, 1 if some would wait.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(mappingFile)
			if err != nil {
				return problem.With("file", fmt.Errorf("read mapping: %w", err))
			}
			mapping, err := books.ParseMapping(text, profile.Complete)
			if err != nil {
				return problem.With("file", fmt.Errorf("%s: %w", mappingFile, err))
			}
			if err := days.check(); err != nil {
				return problem.With("usage", err)
			}
			shown := []supposed{}
			waits := false
			err = e.onDatabase(cmd, func(db *storage.DB) error {
				return days.each(cmd.Context(), db, args[0], func(f day.Facts) error {
					one, err := suppose(f, mapping, func() (day.Entry, error) { return db.Entry(cmd.Context(), f.Ref, 0) })
					shown, waits = append(shown, one), waits || len(one.Problems) > 0
					return err
				})
			})
			if err != nil {
				return err
			}
			if err := e.Print(cmd, shown, func(w io.Writer) error { return printSupposed(w, shown) }); err != nil {
				return err
			}
			if waits {
				return exit.With(exit.Degraded, nil)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&mappingFile, "mapping", "", "the mapping, as YAML (required)")
	days.flags(cmd)
	_ = cmd.MarkFlagRequired("mapping") // it fails only for a flag that is not there
	return cmd
}

func suppose(f day.Facts, mapping books.Mapping, newest func() (day.Entry, error)) (supposed, error) {
	proof, entry, problems := day.WhatIf(f, mapping)
	one := supposed{Store: f.Ref.Store, Day: f.Day, Entry: entry, Problems: append([]books.Problem{}, problems...), Proven: proof.Proven}
	var had books.Entry
	if f.Entry > 0 {
		stored, err := newest()
		if err != nil {
			return one, err
		}
		if err := json.Unmarshal(stored.Body, &had); err != nil {
			return one, fmt.Errorf("read entry of %s: %w", entry.Subject, err)
		}
	}
	one.Changes = changesBetween(had, entry)
	return one, nil
}

// changesBetween compares two entries by account and tax code.
func changesBetween(had, would books.Entry) []accountChange {
	type key struct{ account, code string }
	found := map[key]*accountChange{}
	at := func(l books.Line) *accountChange {
		k := key{cmp.Or(l.Account, "no account for "+string(l.Role)), ""}
		if l.Tax != nil {
			k.code = l.Tax.Code
		}
		if found[k] == nil {
			found[k] = &accountChange{Account: k.account, TaxCode: k.code}
		}
		return found[k]
	}
	for _, l := range had.Lines {
		at(l).Had += l.Signed()
	}
	for _, l := range would.Lines {
		at(l).Would += l.Signed()
	}
	changes := []accountChange{}
	for _, c := range slices.SortedFunc(maps.Values(found), func(x, y *accountChange) int {
		return cmp.Or(cmp.Compare(x.Account, y.Account), cmp.Compare(x.TaxCode, y.TaxCode))
	}) {
		if c.Had != c.Would {
			changes = append(changes, *c)
		}
	}
	return changes
}

func printSupposed(w io.Writer, days []supposed) error {
	var problems []error
	say := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format, args...)
		problems = append(problems, err)
	}
	for _, d := range days {
		places, err := money.Places(d.Entry.Currency)
		if err != nil {
			return err
		}
		say("%s %s\n", d.Store, d.Day)
		for _, c := range d.Changes {
			say("  %-40s %-12s %12s -> %12s\n", c.Account, c.TaxCode, c.Had.Format(places), c.Would.Format(places))
		}
		if len(d.Changes) == 0 {
			say("  as it is\n")
		}
		for _, p := range d.Problems {
			say("  the day would wait: %s\n", p.Text)
		}
	}
	if len(days) == 0 {
		say("no such days\n")
	}
	return errors.Join(problems...)
}
