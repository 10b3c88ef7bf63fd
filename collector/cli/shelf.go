package cli

import (
	"errors"
	"fmt"
	"io"
	"os/user"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
)

// who names the person that acts.
func who(by string) (string, error) {
	if by != "" {
		return by, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", problem.With("usage", fmt.Errorf("who does this? name yourself with --by: %w", err))
	}
	return u.Username, nil
}

// byFlag has a command act as somebody, which the log will tell.
func byFlag(cmd *cobra.Command, by *string) *cobra.Command {
	cmd.Flags().StringVar(by, "by", "", "who does this (default: the user of this machine)")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) (err error) {
		if *by, err = who(*by); err == nil {
			cmd.SetContext(logbook.As(cmd.Context(), *by))
		}
		return err
	}
	return cmd
}

type shelvedRow struct {
	Store    string    `json:"store"`
	Agent    string    `json:"agent"`
	Epoch    uint64    `json:"epoch"`
	Number   uint64    `json:"number"`
	Received time.Time `json:"received"`
	Code     string    `json:"code"`
	Text     string    `json:"text"`
	Bytes    []byte    `json:"bytes"` // as kept: masked
	Verdict  string    `json:"verdict,omitempty"`
	Why      string    `json:"why,omitempty"`
}

func shelved(s intake.Shelved) shelvedRow {
	return shelvedRow{Store: s.From.Store, Agent: s.From.Agent, Epoch: s.Epoch, Number: s.Number, Received: s.Received, Code: s.Code, Text: s.Text, Bytes: s.Bytes}
}

func (e env) rejected() *cobra.Command {
	command := &cobra.Command{Use: "rejected", Short: "Records that could not be read: list them, read them again, dismiss them"}
	var by string
	dismiss := &cobra.Command{
		Use: "dismiss MERCHANT AGENT EPOCH NUMBER", Short: "Say that a record is no sale, or was sent again; it holds no day any more, its bytes stay", Args: cobra.ExactArgs(4),
		RunE: func(cmd *cobra.Command, args []string) error {
			epoch, err := strconv.ParseUint(args[2], 10, 63)
			if err != nil {
				return problem.With("usage", fmt.Errorf("epoch: %w", err))
			}
			number, err := strconv.ParseUint(args[3], 10, 63)
			if err != nil {
				return problem.With("usage", fmt.Errorf("number: %w", err))
			}
			return e.onDatabase(cmd, func(db *storage.DB) error {
				records, err := db.Shelved(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				for _, s := range records {
					if s.From.Agent == args[1] && s.Epoch == epoch && s.Number == number {
						return db.Dismiss(cmd.Context(), s, by, time.Now())
					}
				}
				return fmt.Errorf("record %d of epoch %d of agent %s: %w, or settled already; `rejected list` names those that wait", number, epoch, args[1], storage.ErrNone)
			})
		},
	}
	byFlag(dismiss, &by)
	command.AddCommand(
		&cobra.Command{
			Use: "list MERCHANT", Short: "List the records that wait", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return e.onDatabase(cmd, func(db *storage.DB) error {
					records, err := db.Shelved(cmd.Context(), args[0])
					if err != nil {
						return err
					}
					rows := make([]shelvedRow, 0, len(records))
					for _, s := range records {
						rows = append(rows, shelved(s))
					}
					return e.printShelf(cmd, rows, len(rows) > 0)
				})
			},
		},
		byFlag(&cobra.Command{
			Use: "replay MERCHANT", Short: "Read the records that wait again; what can be read now counts as if it had been when it came", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return e.onDatabase(cmd, func(db *storage.DB) error {
					replayed, err := intake.Replay(cmd.Context(), db, app.Calendar(db), args[0], time.Now())
					if err != nil {
						return err
					}
					rows, left := make([]shelvedRow, 0, len(replayed)), false
					for _, r := range replayed {
						row := shelved(r.Shelved)
						row.Verdict, row.Why = string(r.Verdict), r.Why
						rows, left = append(rows, row), left || r.Verdict == ""
					}
					return e.printShelf(cmd, rows, left)
				})
			},
		}, new(string)),
		dismiss,
	)
	return command
}

// printShelf prints records; where some wait the exit code says so.
func (e env) printShelf(cmd *cobra.Command, rows []shelvedRow, left bool) error {
	if err := e.Print(cmd, rows, func(w io.Writer) error {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "STORE\tAGENT\tEPOCH\tNUMBER\tRECEIVED\tCODE\tTEXT\tNOW")
		for _, r := range rows {
			fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s%s\n", r.Store, r.Agent, r.Epoch, r.Number, r.Received.Format(time.DateTime), r.Code, r.Text, r.Verdict, r.Why)
		}
		return table.Flush()
	}); err != nil {
		return err
	}
	if left {
		return exit.With(exit.Degraded, nil)
	}
	return nil
}

type conflictRow struct {
	Store    string    `json:"store"`
	Day      string    `json:"day"`
	Key      string    `json:"key"`
	Agent    string    `json:"agent"`
	Counts   bool      `json:"counts"` // the day is made of this version now
	Received time.Time `json:"received"`
	Gross    string    `json:"gross"`
}

func (e env) conflicts() *cobra.Command {
	return &cobra.Command{
		Use: "conflicts MERCHANT", Short: "List the documents of which two agents say different things, each version", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onDatabase(cmd, func(db *storage.DB) error {
				found, err := db.Contradictions(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				rows := make([]conflictRow, 0, len(found))
				for _, c := range found {
					row := conflictRow{Store: c.Store, Day: string(c.Day), Key: c.Key, Agent: c.Agent, Counts: c.Counts, Received: c.Received}
					d, err := document.Unmarshal(c.Body)
					if err != nil && !errors.Is(err, document.ErrNewer) {
						return fmt.Errorf("read document %s: %w", c.Key, err)
					}
					if d != nil && d.Totals.Computed != nil && d.Totals.Computed.Gross != nil {
						row.Gross = d.Totals.Computed.Gross.String()
					}
					rows = append(rows, row)
				}
				if err := e.Print(cmd, rows, func(w io.Writer) error {
					table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
					fmt.Fprintln(table, "STORE\tDAY\tKEY\tAGENT\tCOUNTS\tRECEIVED\tGROSS")
					for _, r := range rows {
						fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%t\t%s\t%s\n", r.Store, r.Day, r.Key, r.Agent, r.Counts, r.Received.Format(time.DateTime), r.Gross)
					}
					return table.Flush()
				}); err != nil {
					return err
				}
				if len(rows) > 0 {
					return exit.With(exit.Degraded, nil)
				}
				return nil
			})
		},
	}
}

func (e env) settle() *cobra.Command {
	var by, agent string
	cmd := &cobra.Command{
		Use: "settle MERCHANT KEY --agent AGENT", Short: "End a conflict: what this agent said last counts, and the days are closed anew", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onDatabase(cmd, func(db *storage.DB) error { return db.Settle(cmd.Context(), args[0], args[1], agent, by, time.Now()) })
		},
	}
	cmd.Flags().StringVar(&agent, "agent", "", "the agent that is believed")
	_ = cmd.MarkFlagRequired("agent") // fails only for a flag that does not exist
	byFlag(cmd, &by)
	return cmd
}

// actor is who the command acts as.
func actor(cmd *cobra.Command) string { return logbook.Actor(cmd.Context(), "") }
