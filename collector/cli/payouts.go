package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/clearing"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/settle"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/money"
	"tillbook.example/tillbook/shared/problem"
)

type clearingRow struct {
	Account string        `json:"account"`
	Run     int64         `json:"run"`
	At      time.Time     `json:"at"`
	Result  settle.Result `json:"result"`
	Open    bizday.Day    `json:"open_since,omitempty"`
}

func (e env) payouts() *cobra.Command {
	var from, to string
	var run int64
	var entries bool
	cmd := &cobra.Command{
		Use: "payouts MERCHANT [ACCOUNT]", Short: "Compare what payment providers owe and paid out with the tills and the bank", Args: cobra.RangeArgs(1, 2),
		Long: "Compares each account of the merchant's settlements, or the one that is named (its provider, or provider/account/currency), for the\n" +
			"month of the last whole day or the days that are named, and keeps the comparison. With --run it shows one that was kept, made again from\n" +
			"what it looked at then. With --entries it prints the entries of the payouts, fees and disputes of these days instead; none is posted.",
		RunE: func(cmd *cobra.Command, args []string) error {
			days, err := between(from, to)
			if err != nil {
				return err
			}
			return e.onAccounts(cmd, args, func(ctx context.Context, db *storage.DB, m merchant.Merchant, accounts []settle.Account) error {
				rows, made, open := []clearingRow{}, []clearing.Made{}, false
				for _, a := range accounts {
					r, err := compared(ctx, db, m, a, days, run)
					if err != nil {
						return err
					}
					if entries {
						more, err := clearing.Entries(ctx, db, m, r)
						if err != nil {
							return err
						}
						made = append(made, more...)
						continue
					}
					rows = append(rows, clearingRow{a.Name(), r.Number, r.At, r.Result, r.Open().Since})
					open = open || r.Open().Since != ""
				}
				if entries {
					asked := slices.ContainsFunc(made, func(m clearing.Made) bool { return len(m.Problems) > 0 })
					return e.printOpen(cmd, made, asked, func(w io.Writer) error { return printMade(w, made) })
				}
				return e.printOpen(cmd, rows, open, func(w io.Writer) error { return printClearing(w, rows) })
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "first day, YYYY-MM-DD")
	cmd.Flags().StringVar(&to, "to", "", "last day, YYYY-MM-DD")
	cmd.Flags().BoolVar(&entries, "entries", false, "the entries of what happened at the provider")
	cmd.Flags().Int64Var(&run, "run", 0, "show the comparison of this number")
	return cmd
}

// between reads two days, both or none.
func between(from, to string) (days [2]bizday.Day, err error) {
	if (from == "") != (to == "") {
		return days, problem.With("usage", errors.New("name both --from and --to, or neither"))
	}
	for i, text := range []string{from, to} {
		if text == "" {
			continue
		}
		if days[i], err = bizday.Parse(text); err != nil {
			return days, problem.With("usage", err)
		}
	}
	return days, nil
}

func compared(ctx context.Context, db *storage.DB, m merchant.Merchant, a settle.Account, days [2]bizday.Day, number int64) (clearing.Run, error) {
	clearer := app.NewClearer(db, time.Now)
	switch {
	case number > 0:
		run, err := db.Run(ctx, m.ID, a.Name(), number)
		if err != nil {
			return run, fmt.Errorf("run %d of %s: %w", number, a.Name(), err)
		}
		run.Result, err = clearing.Replay(ctx, db, run)
		return run, err
	case days[0] != "":
		return clearer.CompareDays(ctx, m, a, days[0], days[1])
	}
	return clearer.Compare(ctx, m, a)
}

// onAccounts runs f over the accounts of a merchant, or the one that is named.
func (e env) onAccounts(cmd *cobra.Command, args []string, f func(context.Context, *storage.DB, merchant.Merchant, []settle.Account) error) error {
	return e.onDatabase(cmd, func(db *storage.DB) error {
		m, err := db.Merchant(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		accounts := m.Settlements
		if len(args) > 1 {
			a, err := clearing.AccountOf(m, args[1])
			if err != nil {
				return err
			}
			accounts = []settle.Account{a}
		}
		if len(accounts) == 0 {
			return fmt.Errorf("merchant %s has no settlements in its configuration: %w", m.ID, clearing.ErrNone)
		}
		return f(cmd.Context(), db, m, accounts)
	})
}

// printOpen prints, and says by its exit code whether something is open.
func (e env) printOpen(cmd *cobra.Command, rows any, open bool, print func(io.Writer) error) error {
	if err := e.Print(cmd, rows, print); err != nil {
		return err
	}
	if open {
		return exit.With(exit.Degraded, nil)
	}
	return nil
}

func printClearing(w io.Writer, rows []clearingRow) error {
	for i, row := range rows {
		r := row.Result
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s, %s to %s, comparison %d\n\n", row.Account, r.From, r.To, row.Run)
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(table, "opening\t%s\t\n", r.Opening)
		for _, f := range r.Flows {
			fmt.Fprintf(table, "%s\t%s\t\n", f.Name, f.Amount)
		}
		fmt.Fprintf(table, "closing\t%s\t\n", r.Closing)
		fmt.Fprintf(table, "owed by its movements\t%s\t\n", r.Owed)
		if r.Stated != nil {
			fmt.Fprintf(table, "owed by its word\t%s\t\n", *r.Stated)
		}
		for _, d := range r.Differences {
			fmt.Fprintf(table, "%s\t%s\t\n", d.Cause, d.Amount)
		}
		if err := table.Flush(); err != nil {
			return err
		}
		if len(r.Payouts) == 0 {
			continue
		}
		fmt.Fprintln(w)
		table = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "PAYOUT\tSENT\tAMOUNT\tBANK\tEXPECTED\tTAKEN\tBECAUSE")
		for _, p := range r.Payouts {
			because := ""
			for _, c := range p.Causes {
				because += fmt.Sprintf("%s %s  ", c.Cause, c.Amount)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Payout, p.Sent, p.Amount, p.Bank, p.Expected, p.Taken, because)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func printMade(w io.Writer, made []clearing.Made) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, m := range made {
		fmt.Fprintf(table, "%s  %s\t\t\t\n", m.Entry.Day, m.Entry.Subject)
		places, err := money.Places(m.Entry.Currency)
		if err != nil {
			return err
		}
		for _, l := range m.Entry.Lines {
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", l.Side, l.Account, l.Amount.Format(places), l.Rule)
		}
		for _, p := range m.Problems {
			fmt.Fprintf(table, "  asked\t\t\t%s\n", p.Text)
		}
	}
	return table.Flush()
}

// unmatchedRow is one thing that somebody has to look into.
type unmatchedRow struct {
	Account string     `json:"account"`
	What    string     `json:"what"` // a cause, payout, line, proposal
	ID      string     `json:"id,omitempty"`
	Amount  string     `json:"amount"`
	Since   bizday.Day `json:"since"`
	Age     int        `json:"age"` // days
	Owner   string     `json:"owner"`
	Text    string     `json:"text"`
	Facts   []string   `json:"facts,omitempty"`
}

func (e env) unmatched() *cobra.Command {
	return &cobra.Command{
		Use: "unmatched MERCHANT [ACCOUNT]", Short: "List what of the newest comparisons somebody has to look into, and what may belong together", Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onAccounts(cmd, args, func(ctx context.Context, db *storage.DB, m merchant.Merchant, accounts []settle.Account) error {
				rows := []unmatchedRow{}
				for _, a := range accounts {
					run, err := db.Run(ctx, m.ID, a.Name(), 0)
					if err != nil {
						return fmt.Errorf("newest comparison of %s: %w; `payouts` makes one", a.Name(), err)
					}
					rows = append(rows, unmatchedOf(run)...)
				}
				return e.printOpen(cmd, rows, len(rows) > 0, func(w io.Writer) error {
					table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
					fmt.Fprintln(table, "ACCOUNT\tWHAT\tID\tAMOUNT\tSINCE\tAGE\tOWNER\tTEXT")
					for _, r := range rows {
						fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", r.Account, r.What, r.ID, r.Amount, r.Since, r.Age, r.Owner, r.Text)
						for _, fact := range r.Facts {
							fmt.Fprintf(table, "\t\t%s\t\t\t\t\t\n", fact)
						}
					}
					return table.Flush()
				})
			})
		},
	}
}

func unmatchedOf(run clearing.Run) []unmatchedRow {
	var rows []unmatchedRow
	open, name := run.Open(), run.Account.Name()
	for _, d := range open.Differences {
		rows = append(rows, unmatchedRow{name, string(d.Cause), "", d.Amount.String(), d.Since, d.Age, d.Owner, d.Text, d.Facts})
	}
	for _, p := range open.Payouts {
		rows = append(rows, unmatchedRow{name, "payout", p.Payout, p.Amount.String(), p.Sent, p.Age, p.Owner,
			fmt.Sprintf("The bank should have it since %s: ask the provider, or import the bank's statement.", p.Expected), nil})
	}
	for _, l := range open.Lines {
		rows = append(rows, unmatchedRow{name, "line", l.ID, l.Amount.String(), l.Booked, l.Age, l.Owner, "By the provider, and of no known payout: " + l.Text, nil})
	}
	for _, p := range open.Proposals {
		rows = append(rows, unmatchedRow{name, "proposal", p.ID, p.Off.String(), p.Since, 0, settle.OwnerMerchant, p.Text, append(append([]string{}, p.Left...), p.Right...)})
	}
	return rows
}

func (e env) match() *cobra.Command {
	var by string
	var refuse bool
	cmd := &cobra.Command{
		Use: "match MERCHANT ACCOUNT PROPOSAL", Short: "Say that what is proposed belongs together, or with --refuse that it does not; the next comparison goes by it", Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onAccounts(cmd, args[:2], func(ctx context.Context, db *storage.DB, m merchant.Merchant, accounts []settle.Account) error {
				run, err := db.Run(ctx, m.ID, accounts[0].Name(), 0)
				if err != nil {
					return err
				}
				p, err := run.Proposal(args[2])
				if err != nil {
					return err
				}
				return db.DecideProposal(ctx, m.ID, accounts[0], settle.Decision{Proposal: p, Accepted: !refuse, By: by, At: time.Now()})
			})
		},
	}
	cmd.Flags().BoolVar(&refuse, "refuse", false, "they do not belong together, and are not proposed again")
	return byFlag(cmd, &by)
}
