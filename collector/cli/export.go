package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/export"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/buildinfo"
	"tillbook.example/tillbook/shared/problem"
)

func (e env) export() *cobra.Command {
	var merchantID, folder string
	cmd := &cobra.Command{
		Use: "export MERCHANT | export --merchant M --out FOLDER", Short: "Print a merchant's configuration as the YAML that apply reads, or write everything of it into a new folder",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && merchantID == "" && folder == "" {
				return e.exportConfiguration(cmd, args[0])
			}
			if len(args) == 1 || merchantID == "" || folder == "" {
				return problem.With("usage", fmt.Errorf("name a merchant, or --merchant and --out"))
			}
			return e.onDatabase(cmd, func(db *storage.DB) error {
				m, err := export.Write(cmd.Context(), export.What{Source: db, Merchant: merchantID, Program: buildinfo.Version, Now: time.Now()}, folder)
				if err != nil {
					return err
				}
				rows, detail := 0, ""
				for _, f := range m.Files {
					rows += f.Rows
					if f.Name == export.Documents+".jsonl" {
						detail = fmt.Sprintf("%d documents", f.Rows)
					}
				}
				if err := db.Note(cmd.Context(), logbook.Act{Merchant: merchantID, At: m.At, What: logbook.Export, Detail: detail}); err != nil {
					return fmt.Errorf("%s is written, and the log was not told: %w", folder, err)
				}
				return e.Print(cmd, m, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "%s: %d rows in %d files of merchant %s; docs/export.md says what they hold\n", folder, rows, len(m.Files), merchantID)
					return err
				})
			})
		},
	}
	cmd.Flags().StringVar(&merchantID, "merchant", "", "whose everything is written")
	cmd.Flags().StringVar(&folder, "out", "", "new folder for it")
	return byFlag(cmd, new(string))
}

func (e env) exportConfiguration(cmd *cobra.Command, merchantID string) error {
	return e.onDatabase(cmd, func(db *storage.DB) error {
		m, err := db.Merchant(cmd.Context(), merchantID)
		if err != nil {
			return err
		}
		text, err := merchant.Format(m)
		if err != nil {
			return err
		}
		_, err = cmd.OutOrStdout().Write(text)
		return err
	})
}
