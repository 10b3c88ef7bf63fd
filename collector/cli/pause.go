package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/storage"
)

func (e env) pause() *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use: "pause MERCHANT", Short: "Close and post nothing of a merchant until it is resumed; sales are still taken in", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.onDatabase(cmd, func(db *storage.DB) error {
				if _, err := db.Merchant(cmd.Context(), args[0]); err != nil {
					return err
				}
				paused, err := db.Stop(cmd.Context(), args[0], day.Stop{At: time.Now(), By: by, Reason: day.StopPaused})
				if err != nil {
					return err
				}
				return e.Print(cmd, map[string]bool{"paused": paused}, func(w io.Writer) error {
					text := "merchant %s was stopped already\n"
					if paused {
						text = "merchant %s is paused; `resume` lets its days go on, oldest first\n"
					}
					_, err := fmt.Fprintf(w, text, args[0])
					return err
				})
			})
		},
	}
	byFlag(cmd, &by)
	return cmd
}
