package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/collector/audit"
	"tillbook.example/tillbook/collector/backup"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/buildinfo"
	"tillbook.example/tillbook/shared/exit"
	"tillbook.example/tillbook/shared/problem"
)

func (e env) backup() *cobra.Command {
	cmd := &cobra.Command{Use: "backup", Short: "Copy the database, and prove copies"}
	cmd.AddCommand(e.backupCreate(), e.backupVerify())
	return cmd
}

func (e env) backupCreate() *cobra.Command {
	var manifestOnly bool
	cmd := &cobra.Command{
		Use: "create FOLDER", Short: "Copy the database, also one on a server, into a new folder while the collector goes on", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			config, db, err := e.existing(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			what := backup.What{Database: db, Open: openFile, Program: buildinfo.Version, Now: time.Now()}
			if manifestOnly {
				if config.Database.DSN == "" {
					return problem.With("usage", errors.New("--manifest-only is for a database on a server, which that copies by its own means"))
				}
				what.Open = nil
			}
			m, err := backup.Create(cmd.Context(), what, args[0])
			if err != nil {
				return unreachable(err)
			}
			return e.Print(cmd, m, func(w io.Writer) error {
				if _, err := fmt.Fprintf(w, "%s: %s\n", args[0], held(m)); err != nil {
					return err
				}
				text := "now prove it: `backup verify`\n"
				if m.Copy == nil {
					text = "this is the manifest only: now copy the database itself with pg_dump or a base backup, restore that beside, and prove it: `backup verify --copy DSN`\n"
				}
				_, err := fmt.Fprint(w, text)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&manifestOnly, "manifest-only", false, "of PostgreSQL: only the manifest, for a copy that the server's own means make after it")
	return cmd
}

// held says what a backup has.
func held(m backup.Manifest) string {
	size := "no copy"
	if m.Copy != nil {
		size = fmt.Sprintf("%.1f MiB", float64(m.Copy.Size)/(1<<20))
	}
	c := m.Contents
	return fmt.Sprintf("%s, as of %s: %d documents, %d entries, %d postings, %d agents", size, m.At.Format(time.DateTime+" MST"), c.Documents, c.Entries, c.Postings, c.Agents)
}

type verified struct {
	Manifest backup.Manifest `json:"manifest"`
	Report   audit.Report    `json:"report"`
	// Noted: agents may let go of what is in the backup.
	Noted bool `json:"noted"`
}

func (e env) backupVerify() *cobra.Command {
	var dsn string
	cmd := &cobra.Command{
		Use: "verify FOLDER", Short: "Open a backup's copy elsewhere, recompute every promise over it, and let agents go of what it has", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := look(cmd.Context(), args[0], dsn)
			if err != nil {
				return unreachable(err)
			}
			var unnoted error
			if v.Report.OK() {
				v.Noted, unnoted = e.note(cmd.Context(), v.Manifest)
			}
			if err := e.Print(cmd, v, func(w io.Writer) error { return printVerified(w, args[0], v) }); err != nil {
				return err
			}
			if unnoted == nil && !v.Report.OK() {
				return exit.With(exit.Degraded, nil)
			}
			return unnoted
		},
	}
	cmd.Flags().StringVar(&dsn, "copy", "", "PostgreSQL database into which the server's own backup was restored")
	return cmd
}

// look verifies a backup, or a copy of it on a server.
func look(ctx context.Context, folder, dsn string) (v verified, err error) {
	if dsn == "" {
		v.Manifest, v.Report, err = backup.Verify(ctx, folder, openFile)
		return v, err
	}
	if v.Manifest, err = backup.Read(folder); err != nil {
		return v, err
	}
	db, err := storage.Open(ctx, storage.Options{DSN: dsn})
	if err != nil {
		return v, exit.With(exit.Unreachable, err)
	}
	v.Report, err = backup.VerifyCopy(ctx, v.Manifest, db)
	return v, errors.Join(err, db.Close())
}

// note tells the database that a backup of it was verified. One of another
// database, as of before a restore, is not noted.
func (e env) note(ctx context.Context, m backup.Manifest) (noted bool, err error) {
	_, db, err := e.existing(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	incarnation, err := db.Incarnation(ctx)
	if err != nil || string(incarnation[:]) != string(m.Incarnation) {
		return false, err
	}
	return true, db.Verified(ctx, m.Contents.Streams)
}

func printVerified(w io.Writer, folder string, v verified) error {
	if err := printReport(w, v.Report); err != nil {
		return err
	}
	text := "is whole; agents may let go of what it has, so keep it until a later one is verified"
	switch {
	case !v.Report.OK():
		text = "is a true copy, but promises are broken in it: it does not count for the agents"
	case !v.Noted:
		text = "is whole, but not noted: it is not of the database as it is now, so agents keep what they have for 7 days"
	}
	_, err := fmt.Fprintf(w, "%s: %s\n%s %s\n", folder, held(v.Manifest), folder, text)
	return err
}

// unreachable gives an error its exit code where a file that was named is not there.
func unreachable(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return exit.With(exit.Unreachable, err)
	}
	return err
}

// openFile opens the database in a file as it is.
func openFile(ctx context.Context, path string) (backup.Database, error) {
	db, err := storage.Open(ctx, storage.Options{Path: path})
	if err != nil {
		return nil, err
	}
	return db, nil
}

// existing opens the configured database, and makes none.
func (e env) existing(ctx context.Context) (app.Config, *storage.DB, error) {
	config, err := e.load()
	if err != nil {
		return config, nil, err
	}
	if _, err := os.Stat(databasePath(config)); config.Database.DSN == "" && errors.Is(err, fs.ErrNotExist) {
		return config, nil, exit.With(exit.Unreachable, fmt.Errorf("database: %w; name the data folder with --data", err))
	}
	return e.database(ctx)
}

// databasePath is where the database's file is.
func databasePath(config app.Config) string {
	return cmp.Or(config.Database.Path, filepath.Join(config.Data, app.DatabaseFile))
}
