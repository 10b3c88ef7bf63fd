package clearing

import (
	"context"
	"fmt"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/settle"
)

// Made is the entry of a subject beside the tills' days, or what keeps it from
// being made.
type Made struct {
	Entry    books.Entry     `json:"entry"`
	Problems []books.Problem `json:"problems"`
}

// Entries returns the entries of what happened at the provider on the days of a
// run, from what the run looked at: payouts, steps of disputes, and for each day
// its fees and all else. Each is made with the mapping of its day, which also says
// whether what comes to the bank is booked. Entries without lines are left out.
func Entries(ctx context.Context, store Store, m merchant.Merchant, r Run) ([]Made, error) {
	what := fmt.Sprintf("make entries of %s, merchant %s", r.Account.Name(), m.ID)
	in, err := store.ClearingAt(ctx, r.Merchant, r.Account, r.Versions)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	in.Account, in.From, in.To = r.Account, r.From, r.To
	subjects, err := settle.Subjects(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	made := []Made{}
	for _, s := range subjects {
		if s.Day < r.From {
			continue
		}
		mapping, found := m.MappingFor(s.Day)
		if !found {
			return nil, fmt.Errorf("%s: %s: no mapping holds on %s; add one to the configuration of the merchant", what, s.Name(), s.Day)
		}
		entry, problems := books.BuildEvents(books.EventInput{
			Merchant: m.ID, Subject: s.Name(), Day: string(s.Day), Currency: m.Currency, Mapping: mapping.Mapping, MappingVersion: mapping.Version, Events: s.Events,
		})
		if len(entry.Lines) > 0 || len(problems) > 0 {
			made = append(made, Made{entry, problems})
		}
	}
	return made, nil
}
