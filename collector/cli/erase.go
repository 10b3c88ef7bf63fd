package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/erasure"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
)

func (e env) erase() *cobra.Command {
	var merchantID, customer, before string
	var yes bool
	cmd := &cobra.Command{
		Use: "erase --merchant M [--customer REF | --before DAY]", Short: "Cut what refers to persons out of documents; amounts, entries and hashes stay (docs/erasure.md)", Args: cobra.NoArgs,
		Long: "Cut customers' references, free text and the last digits of cards out of a merchant's documents:\n" +
			"of one customer, or of the days before one, there with the numbers of who stood at the till.\n" +
			"Without either, of the days that the merchant's keep_personal, or else the law of accounting, no\n" +
			"longer wants kept. Without --yes nothing is changed; it only says what would be.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if customer != "" && before != "" {
				return problem.With("usage", fmt.Errorf("name a customer or a day, not both"))
			}
			return e.onDatabase(cmd, func(db *storage.DB) error {
				m, err := db.Merchant(cmd.Context(), merchantID)
				if err != nil {
					return err
				}
				what := erasure.What{Store: db, Merchant: m.ID, Customer: customer, Do: yes, Now: time.Now()}
				if customer == "" {
					today := bizday.Day(what.Now.UTC().Format(time.DateOnly))
					if what.Before = m.PersonalBefore(today); before != "" {
						if what.Before, err = bizday.Parse(before); err != nil {
							return problem.With("usage", err)
						}
					}
				}
				r, err := erasure.Run(cmd.Context(), what)
				if err != nil {
					return err
				}
				if err := e.Print(cmd, r, func(w io.Writer) error { return printErased(w, r) }); err != nil {
					return err
				}
				if len(r.Left)+r.Waiting > 0 {
					return exit.With(exit.Degraded, nil)
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&merchantID, "merchant", "", "the merchant")
	cmd.Flags().StringVar(&customer, "customer", "", "a customer's key, account number, or name as the other side of a cash movement, exactly as the till states it")
	cmd.Flags().StringVar(&before, "before", "", "of all days before this one")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it; it cannot be taken back")
	_ = cmd.MarkFlagRequired("merchant") // fails only for a flag that does not exist
	return byFlag(cmd, new(string))
}

func printErased(w io.Writer, r erasure.Report) error {
	verb := "would be cut; say --yes to do it"
	if r.Done {
		verb = "were cut"
	}
	of := ""
	if r.Before != "" {
		of = " before " + string(r.Before)
	}
	if _, err := fmt.Fprintf(w, "%d documents and %d records%s %s\n", r.Documents, r.Records, of, verb); err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(r.Fields)) {
		if _, err := fmt.Fprintf(w, "  %s: %d\n", path, r.Fields[path]); err != nil {
			return err
		}
	}
	if r.Waiting > 0 {
		if _, err := fmt.Fprintf(w, "%d records that could not be read wait and stay as they are: `rejected dismiss` or `replay` them first\n", r.Waiting); err != nil {
			return err
		}
	}
	for _, left := range r.Left {
		if _, err := fmt.Fprintf(w, "left alone: %s\n", left); err != nil {
			return err
		}
	}
	return nil
}
