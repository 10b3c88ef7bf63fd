package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/shared/exit"
)

type standing struct {
	Agents   map[string]int   `json:"agents"`   // by contact
	Days     map[string]int64 `json:"days"`     // by state
	Postings map[string]int64 `json:"postings"` // by state
}

func (e env) status() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Say in three lines how agents, days and postings are", Args: cobra.NoArgs,
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
			counts, err := db.Counts(cmd.Context())
			if err != nil {
				return err
			}
			s := standing{Agents: map[string]int{}, Days: counts.Days, Postings: counts.Postings}
			for _, a := range agents {
				s.Agents[a.Contact(time.Now())]++
			}
			if err := e.Print(cmd, s, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "agents:   %v\ndays:     %v\npostings: %v\n", s.Agents, s.Days, s.Postings)
				return err
			}); err != nil {
				return err
			}
			if s.Agents[fleet.Silent] > 0 || s.Days[day.Held] > 0 || s.Postings[posting.Refused]+s.Postings[posting.Parked]+s.Postings[posting.Unknown] > 0 {
				return exit.With(exit.Degraded, nil)
			}
			return nil
		},
	}
}
