package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/posting"
	"tillbook.example/tillbook/shared/exit"
)

type standing struct {
	Agents   map[string]int   `json:"agents"`   // by contact
	Days     map[string]int64 `json:"days"`     // by state
	Postings map[string]int64 `json:"postings"` // by state
	Drift    map[string]int64 `json:"drift"`    // open differences between the books and what was posted, by code
	// Connections are those whose books are in the cloud.
	Connections []app.Connection `json:"connections"`
}

func (e env) status() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Say in some lines how agents, days, postings and connections are", Args: cobra.NoArgs,
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
			connections, err := app.Connections(cmd.Context(), db, time.Now())
			if err != nil {
				return err
			}
			differ, _, err := db.DriftCounts(cmd.Context())
			if err != nil {
				return err
			}
			s := standing{Drift: differ, Agents: map[string]int{}, Days: counts.Days, Postings: counts.Postings, Connections: connections}
			for _, a := range agents {
				s.Agents[a.Contact(time.Now())]++
			}
			if err := e.Print(cmd, s, func(w io.Writer) error {
				if _, err := fmt.Fprintf(w, "agents:   %v\ndays:     %v\npostings: %v\n", s.Agents, s.Days, s.Postings); err != nil {
					return err
				}
				if len(differ) > 0 {
					if _, err := fmt.Fprintf(w, "books differ: %v; see `drift list`\n", differ); err != nil {
						return err
					}
				}
				return printConnections(w, connections)
			}); err != nil {
				return err
			}
			if len(differ) > 0 || slices.ContainsFunc(connections, shut) || s.Agents[fleet.Silent] > 0 || s.Days[day.Held] > 0 || s.Postings[posting.Refused]+s.Postings[posting.Parked]+s.Postings[posting.Unknown] > 0 {
				return exit.With(exit.Degraded, nil)
			}
			return nil
		},
	}
}

// shut: nothing is posted through the connection until somebody consents.
func shut(c app.Connection) bool { return c.State == app.Broken || c.State == app.Disconnected }

// printConnections says of each connection how it stands and what is to be done.
func printConnections(w io.Writer, all []app.Connection) error {
	for _, c := range all {
		line := fmt.Sprintf("%s of %s (%s): %s", c.Connection, c.Merchant, c.Target, c.State)
		if c.Reason != "" {
			line += ", " + c.Reason
		}
		switch {
		case shut(c):
			line += fmt.Sprintf("; nothing is posted there: tillbook-collector connect %s %s (%s)", c.Merchant, c.Connection, c.Code)
		case !c.Until.IsZero():
			line += ", until " + c.Until.Format(time.DateOnly) + " unless it is used"
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
