package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
)

type dayRow struct {
	Merchant string      `json:"merchant"`
	Store    string      `json:"store"`
	Day      bizday.Day  `json:"day"`
	Version  int64       `json:"version"`
	State    string      `json:"state"`
	Hold     *day.Hold   `json:"hold,omitempty"`
	Entry    int64       `json:"entry"`
	Postings []postedRow `json:"postings"`
	Due      []string    `json:"due"` // targets that do not hold the newest entry yet
	// Shut are those of them that do not let the collector in.
	Shut    []app.Connection `json:"shut"`
	Failing int              `json:"failing"` // of the merchant: days in a row up to now that did not reach the books
}

type postedRow struct {
	Target    string `json:"target"`
	Reference string `json:"reference"`
	Revision  int    `json:"revision"`
	Entry     int64  `json:"entry"`
	State     string `json:"state"`
	Reason    string `json:"reason"`
	RemoteID  string `json:"remote_id,omitempty"`
	Undo      bool   `json:"undo,omitempty"` // state is that of being taken off the books
	Error     string `json:"error,omitempty"`
	Code      string `json:"code,omitempty"`
}

func (e env) days() *cobra.Command {
	var merchantID, from string
	var limit int
	cmd := &cobra.Command{
		Use: "days", Short: "List the store-days, their states and postings", Args: cobra.NoArgs,
		Long: `List the store-days with their states and postings. Of many stores, --limit shows
a merchant's newest days alone, which costs the same however many there are.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if limit != 0 && (merchantID == "" || limit < 0 || limit > maxListed) {
				return problem.With("usage", fmt.Errorf("--limit is 1 to %d, of one --merchant", maxListed))
			}
			if from != "" {
				if _, err := bizday.Parse(from); err != nil {
					return problem.With("usage", err)
				}
			}
			_, db, err := e.database(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			days, err := listedDays(cmd.Context(), db, merchantID, bizday.Day(from), limit)
			if err != nil {
				return err
			}
			connections, err := app.Connections(cmd.Context(), db, time.Now())
			if err != nil {
				return err
			}
			failing, err := failingDays(cmd.Context(), db)
			if err != nil {
				return err
			}
			rows := make([]dayRow, 0, len(days))
			degraded := false
			for _, d := range days {
				row := dayRow{Merchant: d.Merchant, Store: d.Store, Day: d.Day, Version: d.Version, State: d.State, Hold: d.Hold, Entry: d.Entry, Postings: []postedRow{}, Due: append([]string{}, d.Due...), Failing: failing[d.Merchant], Shut: []app.Connection{}}
				for _, c := range connections {
					if shut(c) && c.Merchant == d.Merchant && slices.Contains(row.Due, c.Connection) {
						row.Shut = append(row.Shut, c)
						degraded = true
					}
				}
				for _, p := range d.Postings {
					row.Postings = append(row.Postings, postedRow{p.Target, p.Reference, p.Revision, p.Entry, p.State, p.Payload.Reason, p.RemoteID, p.Undo, p.Error, p.Code})
					degraded = degraded || p.State == posting.Refused || p.State == posting.Parked
				}
				degraded = degraded || d.State == day.Held
				rows = append(rows, row)
			}
			if err := e.Print(cmd, rows, func(w io.Writer) error { return printDays(w, rows) }); err != nil {
				return err
			}
			if degraded {
				return exit.With(exit.Degraded, nil)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&merchantID, "merchant", "", "of this merchant only")
	cmd.Flags().StringVar(&from, "from", "", "from this business day on, YYYY-MM-DD")
	cmd.Flags().IntVar(&limit, "limit", 0, "the newest days alone, so many (with --merchant)")
	return cmd
}

// maxListed bounds a list that is asked for with a limit.
const maxListed = 10_000

// listedDays returns all days of a merchant, or of all, from a day on; with a
// limit the newest. They are in the order of stores and days.
func listedDays(ctx context.Context, db *storage.DB, merchantID string, from bizday.Day, limit int) ([]storage.Listed, error) {
	if limit > 0 {
		days, err := db.DayList(ctx, merchantID, from, day.Ref{}, limit)
		slices.SortFunc(days, func(x, y storage.Listed) int { return cmp.Or(cmp.Compare(x.Store, y.Store), cmp.Compare(x.Day, y.Day)) })
		return days, err
	}
	all, err := db.Days(ctx, merchantID)
	if err != nil {
		return nil, err
	}
	waiting, err := db.Due(ctx, merchantID)
	if err != nil {
		return nil, err
	}
	due := map[day.Ref][]string{}
	for _, d := range waiting {
		due[d.Ref] = append(due[d.Ref], d.Target)
	}
	var days []storage.Listed
	for _, d := range all {
		if d.Day < from {
			continue
		}
		postings, err := db.Postings(ctx, d.Ref)
		if err != nil {
			return nil, err
		}
		days = append(days, storage.Listed{StoreDay: d, Postings: postings, Due: due[d.Ref]})
	}
	return days, nil
}

// failingDays counts each merchant's days in a row that did not reach the books.
func failingDays(ctx context.Context, db *storage.DB) (map[string]int, error) {
	merchants, err := db.Merchants(ctx)
	if err != nil {
		return nil, err
	}
	failing := map[string]int{}
	for _, m := range merchants {
		if failing[m.ID], err = day.FailingDays(ctx, db, m, time.Now()); err != nil {
			return nil, err
		}
	}
	return failing, nil
}

func printDays(w io.Writer, rows []dayRow) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MERCHANT\tSTORE\tDAY\tVERSION\tSTATE\tPOSTINGS\tACTION")
	for _, r := range rows {
		action, posted := "", ""
		if r.Hold != nil {
			action = r.Hold.Owner + ": " + r.Hold.Action
		}
		for _, c := range r.Shut {
			action += fmt.Sprintf("connect %s %s (%s) ", c.Merchant, c.Connection, c.Code)
		}
		for _, p := range r.Postings {
			posted += p.Reference + " " + p.State
			if p.Undo && p.State != posting.Undone {
				posted += " to be taken off"
			}
			if p.Code != "" {
				posted += " (" + p.Code + ")"
			}
			posted += " "
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", r.Merchant, r.Store, r.Day, r.Version, r.State, posted, action)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	told := map[string]bool{}
	for _, r := range rows {
		if r.Failing > 0 && !told[r.Merchant] {
			told[r.Merchant] = true
			if _, err := fmt.Fprintf(w, "the last %d day(s) of merchant %s did not reach its books; after %d it is stopped\n", r.Failing, r.Merchant, day.StopAfter); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e env) entry() *cobra.Command {
	var version int64
	cmd := &cobra.Command{
		Use: "entry MERCHANT STORE DAY", Short: "Print a day's entry, its proof and its postings as JSON", Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			parsed, err := bizday.Parse(args[2])
			if err != nil {
				return problem.With("usage", err)
			}
			ref := day.Ref{Merchant: args[0], Store: args[1], Day: parsed}
			_, db, err := e.database(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			entry, err := db.Entry(cmd.Context(), ref, version)
			if err != nil {
				return err
			}
			postings, err := db.Postings(cmd.Context(), ref)
			if err != nil {
				return err
			}
			payloads := []any{}
			for _, p := range postings {
				payloads = append(payloads, map[string]any{"target": p.Target, "state": p.State, "payload": p.Payload})
			}
			var full books.Entry
			if err := json.Unmarshal(entry.Body, &full); err != nil {
				return fmt.Errorf("read entry: %w", err)
			}
			return e.Print(cmd, map[string]any{
				"version": entry.Version, "mapping": entry.Mapping, "rules": entry.Rules, "reason": entry.Reason,
				"entry": full, "proof": json.RawMessage(entry.Proof), "postings": payloads,
			}, nil)
		},
	}
	cmd.Flags().Int64Var(&version, "at", 0, "the entry made at this version of the day (default: the newest)")
	return cmd
}
