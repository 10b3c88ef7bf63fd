package cli

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/internal/program"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/pki"
)

// authorities is what the commands on authorities work with.
type authorities struct {
	config app.Config
	db     *storage.DB
	keys   *app.Keys
}

type authorityRow struct {
	Pin    string    `json:"pin"`
	Active bool      `json:"active"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Agents int       `json:"agents"` // that rest on it
	Codes  int       `json:"codes"`  // open join codes that pin it
}

func (e env) authority() *cobra.Command {
	cmd := &cobra.Command{Use: "authority", Short: "Roll the certificate authority over to a new one (docs/identity.md)"}
	change := func(use, short string, f func(*pki.Ring) (*pki.Ring, error)) *cobra.Command {
		return byFlag(e.onAuthorities(use, short, func(cmd *cobra.Command, a authorities) error { return a.change(cmd, use, f) }), new(string))
	}
	var force bool
	retire := e.onAuthorities("retire", "Trust the authority that does not sign no more", func(cmd *cobra.Command, a authorities) error {
		ring, err := a.keys.Ring()
		if err != nil {
			return err
		}
		if other := ring.Other(); other != nil && !force {
			row, err := a.row(cmd, other, false)
			if err != nil {
				return err
			}
			if row.Agents > 0 || row.Codes > 0 {
				return fmt.Errorf("%d agents and %d open join codes still rest on %s; agents leave it with their next certificate, codes within %s; with --force they must join anew",
					row.Agents, row.Codes, row.Pin, fleet.CodeLife)
			}
		}
		return a.change(cmd, "retire", (*pki.Ring).Retire)
	})
	byFlag(retire, new(string))
	retire.Flags().BoolVar(&force, "force", false, "though agents or join codes still rest on it")
	cmd.AddCommand(
		e.onAuthorities("list", "List the authorities and how many agents rest on each", func(*cobra.Command, authorities) error { return nil }),
		change("add", "Make a second authority; agents learn it with their next certificate", func(r *pki.Ring) (*pki.Ring, error) { return r.Add(time.Now()) }),
		change("activate", "Sign with the other authority from now on", (*pki.Ring).Activate),
		retire,
	)
	return cmd
}

// onAuthorities is a command that does something and then lists the authorities.
func (e env) onAuthorities(use, short string, do func(*cobra.Command, authorities) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
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
			a := authorities{config: config, db: db, keys: keys}
			if err := do(cmd, a); err != nil {
				return exit.With(exit.Failed, err)
			}
			return a.print(cmd, e.Program)
		},
	}
}

// change changes the authorities and tells the log.
func (a authorities) change(cmd *cobra.Command, what string, f func(*pki.Ring) (*pki.Ring, error)) error {
	if err := a.keys.Change(f); err != nil {
		return err
	}
	return a.db.Note(cmd.Context(), logbook.Act{Merchant: logbook.Collector, At: time.Now(), What: logbook.Authority, Detail: what})
}

func (a authorities) print(cmd *cobra.Command, p *program.Program) error {
	ring, err := a.keys.Ring()
	if err != nil {
		return err
	}
	var rows []authorityRow
	for i, authority := range ring.All() {
		row, err := a.row(cmd, authority, i == 0)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	return p.Print(cmd, rows, func(w io.Writer) error {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "PIN\tSIGNS\tSINCE\tUNTIL\tAGENTS\tCODES")
		for _, r := range rows {
			signs := "no"
			if r.Active {
				signs = "yes"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\n", r.Pin, signs, r.Since.Format(time.DateOnly), r.Until.Format(time.DateOnly), r.Agents, r.Codes)
		}
		return table.Flush()
	})
}

// row looks up who rests on an authority.
func (a authorities) row(cmd *cobra.Command, authority *pki.Authority, active bool) (authorityRow, error) {
	row := authorityRow{Pin: authority.Pin(), Active: active, Since: authority.Since().UTC(), Until: authority.Until().UTC()}
	agents, err := a.db.Agents(cmd.Context())
	if err != nil {
		return row, err
	}
	now := time.Now()
	for _, agent := range agents {
		if agent.Rests(row.Pin, a.config.Agents.Recovery, now) {
			row.Agents++
		}
	}
	row.Codes, err = a.db.OpenCodes(cmd.Context(), row.Pin, now)
	return row, err
}
