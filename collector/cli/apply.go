package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/storage"
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
			for _, m := range merchants {
				if err := keepsForms(cmd.Context(), db, all, m); err != nil {
					return problem.With("file", fmt.Errorf("%s: %w", file, err))
				}
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

// keepsForms refuses a change by which days that are posted would be looked for in
// another form.
func keepsForms(ctx context.Context, db *storage.DB, all []merchant.Merchant, changed merchant.Merchant) error {
	i := slices.IndexFunc(all, func(m merchant.Merchant) bool { return m.ID == changed.ID })
	if i < 0 {
		return nil
	}
	for _, c := range changed.Connections {
		was, known := all[i].Connection(c.ID)
		if !known || !was.Reformed(c) {
			continue
		}
		days, err := db.Days(ctx, changed.ID)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(days, func(d day.StoreDay) bool { return d.Entry > 0 }) {
			return fmt.Errorf("merchant %s, connection %s: days are posted in the form %q; another form holds from a day on: set %s to the form until then and %s to its first day (one change at a time)",
				changed.ID, c.ID, cmp.Or(was.Settings[merchant.SettingForm], "that the books choose"), merchant.SettingFormBefore, merchant.SettingFormFrom)
		}
	}
	return nil
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
