package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/internal/program"
	"tillbook.example/tillbook/shared/problem"
)

func (e env) joinCode() *cobra.Command {
	var merchantID, store string
	cmd := &cobra.Command{
		Use: "join-code --merchant M --store S", Short: "Make a join string for one agent of a store", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			config, db, err := e.database(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			keys, err := app.OpenKeys(config.Data, time.Now())
			if err != nil {
				return err
			}
			enrolment := app.NewEnrolment(config, db, keys, program.Logger(cmd.ErrOrStderr(), config.Log.Level, config.Log.Format), time.Now)
			host, err := config.JoinHost()
			if err != nil {
				return err
			}
			join, err := enrolment.NewJoin(cmd.Context(), merchantID, store, host)
			if err != nil {
				return err
			}
			return e.Print(cmd, map[string]any{"join": join.String(), "expires": time.Now().Add(fleet.CodeLife).UTC()}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, join)
				return err
			})
		},
	}
	byFlag(cmd, new(string))
	cmd.Flags().StringVar(&merchantID, "merchant", "", "the merchant")
	cmd.Flags().StringVar(&store, "store", "", "the store")
	_ = cmd.MarkFlagRequired("merchant") // fails only for a flag that does not exist
	_ = cmd.MarkFlagRequired("store")
	return cmd
}

type agentRow struct {
	Merchant     string    `json:"merchant"`
	Store        string    `json:"store"`
	Agent        string    `json:"agent"`
	Contact      string    `json:"contact"`
	Work         string    `json:"work"`
	Host         string    `json:"host"`
	Version      string    `json:"version"`
	SeenAt       time.Time `json:"seen_at,omitzero"`
	CoveredTo    time.Time `json:"covered_to,omitzero"`
	Unsent       uint64    `json:"unsent"`
	OldestUnsent time.Time `json:"oldest_unsent,omitzero"`
	Refused      uint64    `json:"refused"`
	Quarantined  uint64    `json:"quarantined"`
	ExpiresAt    time.Time `json:"certificate_expires,omitzero"`
	Recoveries   uint64    `json:"recoveries"` // certificates given after the one before had expired
	RecoveredAt  time.Time `json:"recovered_at,omitzero"`
	CopiedAt     time.Time `json:"copied_at,omitzero"`  // another copy of the identity was seen
	DoubtedAt    time.Time `json:"doubted_at,omitzero"` // since a restore, until it is admitted or revoked
	Skew         float64   `json:"clock_skew_seconds"`  // its clock less ours, at its last heartbeat
	// Metrics are the agent's own, as it last sent them, by name and labels.
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// identity says in some words what support should know of an agent's certificate.
func (r agentRow) identity() string {
	switch {
	case r.Contact == fleet.Retired:
		return "revoked"
	case !r.DoubtedAt.IsZero():
		return "ADMIT or revoke it"
	case !r.CopiedAt.IsZero():
		return "COPIED " + r.CopiedAt.UTC().Format(time.DateOnly)
	case !r.RecoveredAt.IsZero():
		return "recovered " + r.RecoveredAt.UTC().Format(time.DateOnly)
	case !r.ExpiresAt.IsZero():
		return "until " + r.ExpiresAt.UTC().Format(time.DateOnly)
	}
	return ""
}

// clock says how far an agent's clock is off, where that is worth telling.
func (r agentRow) clock() string {
	if skew := time.Duration(r.Skew * float64(time.Second)); skew.Abs() > fleet.MaxSkew {
		return fmt.Sprintf("%+ds", int(skew.Seconds()))
	}
	return ""
}

func (e env) agents() *cobra.Command {
	return &cobra.Command{
		Use: "agents", Short: "List the agents and how they are", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			_, db, err := e.database(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			agents, err := db.Agents(cmd.Context())
			if err != nil {
				return err
			}
			rows := make([]agentRow, 0, len(agents))
			for _, a := range agents {
				metrics, err := fleet.Metrics(a.Beat.Snapshot)
				if err != nil { // what one agent sent must not hide the others
					fmt.Fprintf(cmd.ErrOrStderr(), "agent %s: %v\n", a.Agent, err)
				}
				rows = append(rows, agentRow{
					Merchant: a.Merchant, Store: a.Store, Agent: a.Agent, Contact: a.Contact(time.Now()), Work: a.Beat.Work, Host: a.Host,
					Version: a.Version, SeenAt: a.SeenAt, CoveredTo: a.Beat.CoveredTo, Unsent: a.Beat.Unsent, OldestUnsent: a.Beat.OldestUnsent,
					Refused: a.Beat.Refused, Quarantined: a.Beat.Quarantined, ExpiresAt: a.Newest.ExpiresAt,
					Recoveries: a.Recoveries, RecoveredAt: a.RecoveredAt, CopiedAt: a.CopiedAt, DoubtedAt: a.DoubtedAt, Skew: a.Beat.Skew.Seconds(), Metrics: metrics,
				})
			}
			return e.Print(cmd, rows, func(w io.Writer) error {
				table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				fmt.Fprintln(table, "MERCHANT\tSTORE\tAGENT\tCONTACT\tWORK\tUNSENT\tCLOCK\tHOST\tVERSION\tIDENTITY")
				for _, r := range rows {
					fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", r.Merchant, r.Store, r.Agent, r.Contact, r.Work, r.Unsent, r.clock(), r.Host, r.Version, r.identity())
				}
				return table.Flush()
			})
		},
	}
}

func (e env) admit() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "admit MERCHANT AGENT... | admit MERCHANT --all", Short: "After a restore: let agents speak that were not revoked since the backup", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 1) {
				return problem.With("usage", errors.New("name the agents, or --all of them"))
			}
			return e.onDatabase(cmd, func(db *storage.DB) error {
				agents := args[1:]
				if all {
					doubted, err := doubted(cmd.Context(), db, args[0])
					if err != nil {
						return err
					}
					agents = doubted
				}
				admitted := []string{}
				for _, agent := range agents {
					was, err := db.Admit(cmd.Context(), args[0], agent, time.Now())
					if err != nil {
						return err
					}
					if was {
						admitted = append(admitted, agent)
					}
				}
				return e.Print(cmd, map[string][]string{"admitted": admitted}, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "%d agent(s) admitted\n", len(admitted))
					return err
				})
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all of the merchant that wait for it")
	return byFlag(cmd, new(string))
}

// doubted are a merchant's agents that wait to be admitted or revoked.
func doubted(ctx context.Context, db *storage.DB, merchantID string) ([]string, error) {
	agents, err := db.Agents(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, a := range agents {
		if a.Merchant == merchantID && a.RevokedAt.IsZero() && !a.DoubtedAt.IsZero() {
			ids = append(ids, a.Identity.Agent)
		}
	}
	return ids, nil
}

func (e env) revoke() *cobra.Command {
	return byFlag(&cobra.Command{
		Use: "revoke MERCHANT AGENT", Short: "Let an agent speak no more; what it sent stays", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			_, db, err := e.database(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			return db.Revoke(cmd.Context(), args[0], args[1], time.Now())
		},
	}, new(string))
}
