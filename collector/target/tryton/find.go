package tryton

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/target/memo"
	"tillbook.example/tillbook/shared/bizday"
)

// cancelOf begins the origin of a move that takes another one back.
const cancelOf = "account.move," // and its id

type moveRecord struct {
	ID          int64 `json:"id"`
	State       string
	Date        day
	Description string
	Origin      string
}

// heads returns the moves of ours, drafts too, whose reference has a prefix:
// without their lines, by their ids.
func (b *Books) heads(ctx context.Context, s *setup, prefix string) ([]move, error) {
	// Conditions know wildcards; a reference has none.
	records, err := readAll[moveRecord](ctx, b, "account.move", []any{where("company", "=", s.company), where("description", "like", prefix+"%"+separator+"%")},
		s.context, "state", "date", "description", "origin")
	if err != nil {
		return nil, err
	}
	var found []move
	var ids []int64
	for _, r := range records {
		m := move{id: r.ID, state: r.State, date: bizday.Day(r.Date), note: strings.ReplaceAll(r.Description, separator, "\n")}
		// What a person copies or cancels may have the text of the original.
		if strings.HasPrefix(m.reference(), prefix) && m.reference() != "" && !strings.HasPrefix(r.Origin, cancelOf) {
			found, ids = append(found, m), append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	cancels, err := b.cancelsOf(ctx, s, ids)
	for i := range found {
		found[i].cancels = cancels[found[i].id]
	}
	return found, err
}

// cancelsOf returns the moves that take back others, drafts too, by what they take
// back.
func (b *Books) cancelsOf(ctx context.Context, s *setup, ids []int64) (map[int64][]move, error) {
	of := map[int64][]move{}
	for some := range slices.Chunk(ids, pageSize/2) {
		origins := make([]string, len(some))
		for i, id := range some {
			origins[i] = fmt.Sprint(cancelOf, id)
		}
		records, err := readAll[moveRecord](ctx, b, "account.move", []any{where("origin", "in", origins)}, s.context, "state", "origin")
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			var id int64
			if _, err := fmt.Sscanf(r.Origin, cancelOf+"%d", &id); err != nil {
				return nil, fmt.Errorf("origin %q of move %d: %w", r.Origin, r.ID, err)
			}
			of[id] = append(of[id], move{id: r.ID, state: r.State})
		}
	}
	return of, nil
}

// find returns the moves under a reference with their lines, drafts too.
func (b *Books) find(ctx context.Context, s *setup, reference string) ([]move, error) {
	all, err := b.heads(ctx, s, reference)
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(all, func(m move) bool { return memo.ReferenceOf(m.note) != reference })
	if len(found) == 0 {
		return nil, nil
	}
	at := map[int64]*move{}
	var ids []int64
	for i := range found {
		at[found[i].id] = &found[i]
		ids = append(ids, found[i].id)
	}
	type lineRecord struct {
		ID            int64 `json:"id"`
		Move          int64
		Account       int64
		Debit, Credit decimal
		Description   string
		Currency      int64    `json:"second_currency"`
		Foreign       *decimal `json:"amount_second_currency"`
	}
	lines, err := readAll[lineRecord](ctx, b, "account.move.line", []any{where("move", "in", ids)}, s.context,
		"move", "account", "debit", "credit", "description", "second_currency", "amount_second_currency")
	if err != nil {
		return nil, err
	}
	type taxRecord struct {
		Line   int64 `json:"move_line"`
		Tax    int64
		Type   string
		Amount decimal
	}
	taxes, err := readAll[taxRecord](ctx, b, "account.tax.line", []any{where("move_line.move", "in", ids)}, s.context, "move_line", "tax", "type", "amount")
	if err != nil {
		return nil, err
	}
	of := map[int64][]taxLine{}
	for _, t := range taxes {
		amount, err := t.Amount.minor(b.places)
		if err != nil {
			return nil, fmt.Errorf("tax of move line %d: %w", t.Line, err)
		}
		of[t.Line] = append(of[t.Line], taxLine{t.Tax, t.Type, amount})
	}
	for _, r := range lines {
		debit, err := r.Debit.minor(b.places)
		if err != nil {
			return nil, fmt.Errorf("move line %d: %w", r.ID, err)
		}
		credit, err := r.Credit.minor(b.places)
		if err != nil {
			return nil, fmt.Errorf("move line %d: %w", r.ID, err)
		}
		l := line{account: r.Account, amount: debit - credit, text: r.Description, currency: r.Currency, taxes: sorted(of[r.ID])}
		if r.Currency != 0 && r.Foreign != nil {
			if l.foreign, err = r.Foreign.minor(s.placesOf(r.Currency)); err != nil {
				return nil, fmt.Errorf("move line %d: %w", r.ID, err)
			}
		}
		at[r.Move].lines = append(at[r.Move].lines, l)
	}
	return found, nil
}
