package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/shared/problem"
)

type applied struct {
	Merchant string `json:"merchant"`
	Changed  bool   `json:"changed"`
}

func (e env) apply() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "apply -f FILE.yaml", Short: "Store merchants, stores, connections and mappings from a file", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			text, err := os.ReadFile(file)
			if err != nil {
				return problem.With("file", fmt.Errorf("read %s: %w", file, err))
			}
			merchants, err := merchant.Parse(text)
			if err != nil {
				return problem.With("file", fmt.Errorf("%s: %w", file, err))
			}
			_, db, err := e.database(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			all, err := db.Merchants(cmd.Context())
			if err != nil {
				return err
			}
			if err := merchant.CheckFolders(replace(all, merchants)); err != nil {
				return problem.With("file", fmt.Errorf("%s: %w", file, err))
			}
			var results []applied
			for _, m := range merchants {
				changed, err := db.Apply(cmd.Context(), m, time.Now())
				if err != nil {
					return fmt.Errorf("merchant %s: %w", m.ID, err)
				}
				results = append(results, applied{m.ID, changed})
			}
			return e.Print(cmd, results, func(w io.Writer) error {
				for _, r := range results {
					what := "unchanged"
					if r.Changed {
						what = "stored"
					}
					if _, err := fmt.Fprintf(w, "merchant %s: %s\n", r.Merchant, what); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	byFlag(cmd, new(string))
	cmd.Flags().StringVarP(&file, "file", "f", "", "the file")
	_ = cmd.MarkFlagRequired("file") // fails only for a flag that does not exist
	return cmd
}

// replace returns all with those of changed in their places.
func replace(all, changed []merchant.Merchant) []merchant.Merchant {
	ids := map[string]bool{}
	for _, m := range changed {
		ids[m.ID] = true
	}
	out := append([]merchant.Merchant{}, changed...)
	for _, m := range all {
		if !ids[m.ID] {
			out = append(out, m)
		}
	}
	return out
}
