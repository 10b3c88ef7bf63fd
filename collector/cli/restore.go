package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/backup"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/exit"
)

// authorityKey is the one file of the data folder that cannot be made again.
const authorityKey = "authority.key"

type restored struct {
	backup.Restored
	AgeSeconds  int64 `json:"age_seconds"`
	NoAuthority bool  `json:"no_authority,omitempty"` // authority.key is not in the data folder
}

func (e env) restore() *cobra.Command {
	var replace bool
	cmd := &cobra.Command{
		Use: "restore FOLDER", Short: "Put a backup in the place of the database, with every merchant paused; the collector must be stopped", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := e.load()
			if err != nil {
				return err
			}
			if _, err := os.Stat(config.Data); err != nil {
				return exit.With(exit.Unreachable, fmt.Errorf("data folder: %w; name it with --data", err))
			}
			r, err := e.putBack(cmd.Context(), config, args[0], replace)
			if err != nil {
				return unreachable(err)
			}
			out := restored{Restored: r, AgeSeconds: int64(time.Since(r.Manifest.At).Seconds())}
			if _, err := os.Stat(filepath.Join(config.Data, authorityKey)); err != nil {
				out.NoAuthority = true
			}
			return e.Print(cmd, out, func(w io.Writer) error { return printRestored(w, out) })
		},
	}
	byFlag(cmd, new(string))
	cmd.Flags().BoolVar(&replace, "replace", false, "set aside the file that is there; of PostgreSQL, with a manifest only: the server's own backup has been put back")
	return cmd
}

// putBack puts a backup back in place of a file, or into a server's database.
func (e env) putBack(ctx context.Context, config app.Config, folder string, replace bool) (_ backup.Restored, err error) {
	if config.Database.DSN == "" {
		return backup.Restore(ctx, backup.Where{Path: databasePath(config), Replace: replace, Open: openFile, Alone: storage.Alone, Now: time.Now()}, folder)
	}
	m, err := backup.Read(folder)
	if err != nil {
		return backup.Restored{}, err
	}
	if m.Copy == nil && !replace {
		return backup.Restored{}, errors.New("it has a manifest only: stop every collector and put the database back by PostgreSQL's own means; then say so with --replace")
	}
	_, db, err := e.database(ctx)
	if err != nil {
		return backup.Restored{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if m.Copy == nil {
		return backup.Take(ctx, db, folder, time.Now())
	}
	return backup.Restore(ctx, backup.Where{Open: openFile, Fill: db.Fill, Now: time.Now()}, folder)
}

// of names an agent.
func of(a backup.Agent) string {
	return fmt.Sprintf("%s of merchant %s, store %s, on %s", a.Agent, a.Merchant, a.Store, a.Host)
}

func printRestored(w io.Writer, r restored) error {
	lines := []string{fmt.Sprintf("put back: %s; it is %s old", held(r.Manifest), (time.Duration(r.AgeSeconds) * time.Second).Round(time.Minute))}
	if r.Aside != "" {
		lines = append(lines, "set aside: "+r.Aside)
	}
	if r.NoAuthority {
		lines = append(lines, "missing: "+authorityKey+" in the data folder; put it back before the start, or every agent must join anew")
	}
	for _, a := range r.Revoked {
		lines = append(lines, fmt.Sprintf("revoked, as in the database that was set aside: agent %s", of(a)))
	}
	for _, a := range r.Joined {
		lines = append(lines, fmt.Sprintf("joined since the backup, so it has to join again: agent %s", of(a)))
	}
	for _, a := range r.Doubted {
		lines = append(lines, fmt.Sprintf("may have been revoked since, so it may not speak until you `admit` or `revoke` it: agent %s", of(a)))
	}
	for _, c := range r.Connections {
		lines = append(lines, fmt.Sprintf("its access may have been renewed or given back since; `connect` it again if its days wait: connection %s of merchant %s", c.Connection, c.Merchant))
	}
	lines = append(lines, "not in it: whatever people did since; `log` says up to where it goes. Apply, accept, settle and erase again what was done later")
	if len(r.Merchants) > 0 {
		lines = append(lines, fmt.Sprintf("paused: %s; start the collector, wait until `agents` shows every agent online with nothing unsent, then `resume MERCHANT`", strings.Join(r.Merchants, ", ")))
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
