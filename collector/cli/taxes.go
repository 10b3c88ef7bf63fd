package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/money"
	"tillbook.example/tillbook/shared/problem"
)

// taxReport is what a tax return of some days asks for.
type taxReport struct {
	Currency string `json:"currency"`
	// Codes are from the days' newest entries, by tax code and direction: what the
	// books hold. Amounts are minor units, credits positive.
	Codes []codeTotal `json:"codes"`
	// Jurisdictions are from the documents, by tax authority.
	Jurisdictions []books.Jurisdiction `json:"jurisdictions"`
	Open          []openDay            `json:"open"` // have no entry yet, and are only in Jurisdictions
}

type codeTotal struct {
	Code      string      `json:"code"`
	Direction string      `json:"direction"`
	Base      money.Minor `json:"base"`
	Tax       money.Minor `json:"tax"`
}

type openDay struct {
	Store string     `json:"store"`
	Day   bizday.Day `json:"day"`
}

func (e env) taxes() *cobra.Command {
	var days span
	cmd := &cobra.Command{
		Use: "taxes MERCHANT", Short: "Report what a tax return asks for: by tax code from the entries, by tax authority from the documents", Args: cobra.ExactArgs(1),
		Long: `Add up the tax of some days twice: by tax code from each day's newest entry, and
by tax authority from the documents, with what was sold exempt and why, and what
was sold through marketplaces that remit the tax themselves. Nothing is stored.

The exit code is 1 if some of the days have no entry yet.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := days.check(); err != nil {
				return problem.With("usage", err)
			}
			var r taxReport
			err := e.onDatabase(cmd, func(db *storage.DB) error {
				var err error
				r, err = reportTaxes(cmd, db, days, args[0])
				return err
			})
			if err != nil {
				return err
			}
			if err := e.Print(cmd, r, func(w io.Writer) error { return printTaxes(w, r) }); err != nil {
				return err
			}
			if len(r.Open) > 0 {
				return exit.With(exit.Degraded, nil)
			}
			return nil
		},
	}
	days.flags(cmd)
	return cmd
}

func reportTaxes(cmd *cobra.Command, db *storage.DB, days span, merchantID string) (taxReport, error) {
	r := taxReport{Codes: []codeTotal{}, Jurisdictions: []books.Jurisdiction{}, Open: []openDay{}}
	codes := map[[2]string]*codeTotal{}
	authorities := map[string]*books.Jurisdiction{}
	err := days.each(cmd.Context(), db, merchantID, func(f day.Facts) error {
		r.Currency = f.Merchant.Currency
		documents := make([]*document.Document, 0, len(f.Documents))
		for _, s := range f.Documents {
			documents = append(documents, s.Document)
		}
		found, err := books.Jurisdictions(documents, f.Originals, f.Merchant.Currency)
		if err != nil {
			return fmt.Errorf("%s %s: %w", f.Ref.Store, f.Day, err)
		}
		for _, j := range found {
			add(authorities, j)
		}
		if f.Entry == 0 {
			if len(f.Documents) > 0 {
				r.Open = append(r.Open, openDay{f.Ref.Store, f.Day})
			}
			return nil
		}
		stored, err := db.Entry(cmd.Context(), f.Ref, 0)
		if err != nil {
			return err
		}
		var entry books.Entry
		if err := json.Unmarshal(stored.Body, &entry); err != nil {
			return fmt.Errorf("read entry of %s: %w", day.Subject(f.Ref), err)
		}
		for _, l := range entry.Lines {
			if l.Tax == nil {
				continue
			}
			sign := money.Minor(-1)
			if l.Side == books.Credit {
				sign = 1
			}
			k := [2]string{l.Tax.Code, l.Tax.Direction}
			if codes[k] == nil {
				codes[k] = &codeTotal{Code: k[0], Direction: k[1]}
			}
			codes[k].Base += sign * l.Tax.Base
			codes[k].Tax += sign * l.Tax.Amount
		}
		return nil
	})
	for _, c := range codes {
		r.Codes = append(r.Codes, *c)
	}
	slices.SortFunc(r.Codes, func(x, y codeTotal) int {
		return cmp.Or(cmp.Compare(x.Code, y.Code), cmp.Compare(x.Direction, y.Direction))
	})
	for _, name := range slices.Sorted(maps.Keys(authorities)) {
		r.Jurisdictions = append(r.Jurisdictions, *authorities[name])
	}
	return r, err
}

// add adds a day's report of an authority to the sum.
func add(sums map[string]*books.Jurisdiction, j books.Jurisdiction) {
	sum := sums[j.Name]
	if sum == nil {
		sum = &books.Jurisdiction{Name: j.Name, Exempt: map[string]money.Decimal{}}
		sums[j.Name] = sum
	}
	sum.Gross += j.Gross
	sum.Taxable += j.Taxable
	sum.Tax += j.Tax
	sum.Facilitated += j.Facilitated
	sum.FacilitatedTax += j.FacilitatedTax
	for reason, amount := range j.Exempt {
		sum.Exempt[reason] += amount
	}
}

func printTaxes(w io.Writer, r taxReport) error {
	var problems []error
	say := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format, args...)
		problems = append(problems, err)
	}
	places, err := money.Places(r.Currency)
	if r.Currency != "" && err != nil {
		return err
	}
	say("%-24s %-10s %14s %14s\n", "TAX CODE", "DIRECTION", "BASE", "TAX")
	for _, c := range r.Codes {
		say("%-24s %-10s %14s %14s\n", c.Code, c.Direction, c.Base.Format(places), c.Tax.Format(places))
	}
	say("\n%-24s %14s %14s %14s %14s\n", "AUTHORITY", "SOLD", "TAXABLE", "TAX", "BY OTHERS")
	for _, j := range r.Jurisdictions {
		say("%-24s %14s %14s %14s %14s\n", cmp.Or(j.Name, "(not named)"), j.Gross, j.Taxable, j.Tax, j.Facilitated)
		for _, reason := range slices.Sorted(maps.Keys(j.Exempt)) {
			say("%-24s %14s\n", "  exempt: "+reason, j.Exempt[reason])
		}
	}
	for _, d := range r.Open {
		say("not in the books yet: %s %s\n", d.Store, d.Day)
	}
	return errors.Join(problems...)
}
