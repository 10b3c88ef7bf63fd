package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/shared/bizday"
)

// span is which days of a merchant a command looks at.
type span struct{ store, from, to string }

func (s *span) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.store, "store", "", "of this store only")
	cmd.Flags().StringVar(&s.from, "from", "", "first business day, YYYY-MM-DD (required)")
	cmd.Flags().StringVar(&s.to, "to", "", "last business day (required)")
	_ = errors.Join(cmd.MarkFlagRequired("from"), cmd.MarkFlagRequired("to")) // they fail only for flags that are not there
}

func (s *span) check() error {
	for _, text := range []string{s.from, s.to} {
		if _, err := bizday.Parse(text); err != nil {
			return err
		}
	}
	if s.to < s.from {
		return fmt.Errorf("%s is after %s", s.from, s.to)
	}
	return nil
}

// each hands on the facts of the days, by store and day.
func (s *span) each(ctx context.Context, db *storage.DB, merchantID string, do func(day.Facts) error) error {
	if _, err := db.Merchant(ctx, merchantID); err != nil {
		return err
	}
	days, err := db.Days(ctx, merchantID)
	if err != nil {
		return err
	}
	for _, d := range days {
		if s.store != "" && d.Store != s.store || string(d.Day) < s.from || string(d.Day) > s.to {
			continue
		}
		f, err := db.Facts(ctx, d.Ref)
		if err != nil {
			return fmt.Errorf("read %s %s: %w", d.Store, d.Day, err)
		}
		if err := do(f); err != nil {
			return err
		}
	}
	return nil
}
