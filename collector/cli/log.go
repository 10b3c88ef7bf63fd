package cli

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/backup"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
)

type actRow struct {
	Merchant string     `json:"merchant"`
	Number   int64      `json:"number"`
	At       time.Time  `json:"at"`
	By       string     `json:"by"`
	What     string     `json:"what"`
	On       string     `json:"on"`
	Detail   string     `json:"detail"`
	Before   backup.Hex `json:"before"`
	Hash     backup.Hex `json:"hash"`
}

func (e env) log() *cobra.Command {
	var merchantID string
	cmd := &cobra.Command{
		Use: "log", Short: "Show what people did, who and when, oldest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.onDatabase(cmd, func(db *storage.DB) error {
				rows := []actRow{}
				if err := eachLog(cmd.Context(), db, merchantID, func(a logbook.Act) {
					rows = append(rows, actRow{a.Merchant, a.Number, a.At, a.By, a.What, a.On, a.Detail, a.Before[:], a.Hash[:]})
				}, func(string) {}); err != nil {
					return err
				}
				return e.Print(cmd, rows, func(w io.Writer) error {
					table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
					fmt.Fprintln(table, "MERCHANT\tNUMBER\tAT\tBY\tWHAT\tON\tDETAIL")
					for _, r := range rows {
						fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", r.Merchant, r.Number, r.At.Format(time.DateTime), cmp.Or(r.By, "-"), r.What, r.On, r.Detail)
					}
					return table.Flush()
				})
			})
		},
	}
	cmd.PersistentFlags().StringVar(&merchantID, "merchant", "", "of this merchant only; "+logbook.Collector+" is the collector as a whole")
	cmd.AddCommand(e.logVerify(&merchantID))
	return cmd
}

// chainRow is how one log stands.
type chainRow struct {
	Merchant string     `json:"merchant"`
	Acts     int        `json:"acts"`
	Number   int64      `json:"number"` // of the last
	Hash     backup.Hex `json:"hash"`   // of the last
	Wrong    []string   `json:"wrong"`
}

func (e env) logVerify(merchantID *string) *cobra.Command {
	var folder, head string
	cmd := &cobra.Command{
		Use: "verify", Short: "Check that no act was changed, taken out or moved, and print each log's end", Args: cobra.NoArgs,
		Long: "Follow each log from its first act. What was changed, taken out or moved is named.\n\n" +
			"That a log was cut off at its end, or written anew from some act on, shows only against an end\n" +
			"that was noted before: that of a backup's manifest (--backup), or one that this command printed\n" +
			"(--merchant M --head NUMBER:HASH).",
		RunE: func(cmd *cobra.Command, _ []string) error {
			noted, err := ends(folder, *merchantID, head)
			if err != nil {
				return err
			}
			return e.onDatabase(cmd, func(db *storage.DB) error {
				rows, err := follow(cmd.Context(), db, *merchantID)
				if err != nil {
					return err
				}
				missing, err := backup.LogsMeet(cmd.Context(), db, noted)
				if err != nil {
					return err
				}
				broken := len(missing) > 0
				for _, r := range rows {
					broken = broken || len(r.Wrong) > 0
				}
				if err := e.Print(cmd, map[string]any{"logs": rows, "wrong": append([]string{}, missing...)}, func(w io.Writer) error { return printChains(w, rows, missing) }); err != nil {
					return err
				}
				if broken {
					return exit.With(exit.Degraded, nil)
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&folder, "backup", "", "backup whose manifest has the ends to be met")
	cmd.Flags().StringVar(&head, "head", "", "NUMBER:HASH, an end to be met, of --merchant")
	return cmd
}

// ends are the ends that logs had before.
func ends(folder, merchantID, head string) (noted []backup.Log, err error) {
	if folder != "" {
		m, err := backup.Read(folder)
		if err != nil {
			return nil, unreachable(err)
		}
		for _, l := range m.Contents.Logs {
			if merchantID == "" || l.Merchant == merchantID {
				noted = append(noted, l)
			}
		}
	}
	if head == "" {
		return noted, nil
	}
	first, last, _ := strings.Cut(head, ":")
	number, err := strconv.ParseInt(first, 10, 64)
	hash, bad := hex.DecodeString(last)
	if err != nil || bad != nil || len(hash) != 32 || merchantID == "" {
		return nil, problem.With("usage", fmt.Errorf("--head %q: write NUMBER:HASH as `log verify` prints it, and name the --merchant", head))
	}
	return append(noted, backup.Log{Merchant: merchantID, Number: number, Hash: hash}), nil
}

// follow follows the logs of one merchant, or of all.
func follow(ctx context.Context, db *storage.DB, merchantID string) ([]chainRow, error) {
	rows := []chainRow{}
	chain := logbook.Chain{}
	err := eachLog(ctx, db, merchantID, func(a logbook.Act) {
		r := &rows[len(rows)-1]
		r.Acts++
		r.Wrong = append(r.Wrong, chain.Follow(a)...)
		r.Number, r.Hash = a.Number, a.Hash[:]
	}, func(id string) {
		chain = logbook.Chain{}
		rows = append(rows, chainRow{Merchant: id, Wrong: []string{}})
	})
	return rows, err
}

// eachLog calls begin for one log, or for all, and then f for its acts.
func eachLog(ctx context.Context, db *storage.DB, merchantID string, f func(logbook.Act), begin func(merchantID string)) error {
	ids := []string{merchantID}
	if merchantID == "" {
		merchants, err := db.Merchants(ctx)
		if err != nil {
			return err
		}
		ids = []string{logbook.Collector}
		for _, m := range merchants {
			ids = append(ids, m.ID)
		}
	}
	for _, id := range ids {
		begin(id)
		if err := db.EachAct(ctx, id, func(a logbook.Act) error { f(a); return nil }); err != nil {
			return err
		}
	}
	return nil
}

func printChains(w io.Writer, rows []chainRow, missing []string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MERCHANT\tACTS\tWRONG\tEND")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d:%x\n", r.Merchant, r.Acts, len(r.Wrong), r.Number, r.Hash)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		for _, text := range r.Wrong {
			if _, err := fmt.Fprintf(w, "log of merchant %s: %s\n", r.Merchant, text); err != nil {
				return err
			}
		}
	}
	for _, text := range missing {
		if _, err := fmt.Fprintln(w, text); err != nil {
			return err
		}
	}
	return nil
}
