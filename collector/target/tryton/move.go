package tryton

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/memo"
	"tillbook.example/tillbook/shared/bizday"
	"tillbook.example/tillbook/shared/money"
)

// draft is the state of a move that is not in the books.
const draft = "draft"

// separator stands in descriptions for the end of a line, which Tryton does not
// take in them. No text of a payload has it.
const separator = "\u2028"

// move is one move at Tryton: what is compared, and what it is found by.
type move struct {
	id      int64
	state   string
	cancels []move // what takes it back

	date  bizday.Day
	note  string
	lines []line
}

// line is one line, debits positive.
type line struct {
	account  int64
	amount   money.Minor
	text     string
	currency int64 // of the foreign amount; 0: none
	foreign  money.Minor
	taxes    []taxLine // sorted
}

// taxLine is one of Tryton's tax lines: an amount that a line brings into the tax
// report. A sale or purchase counts positive, what is taken back negative.
type taxLine struct {
	tax    int64
	kind   string // base, tax
	amount money.Minor
}

func sorted(lines []taxLine) []taxLine {
	slices.SortFunc(lines, func(a, b taxLine) int {
		return cmp.Or(cmp.Compare(a.tax, b.tax), strings.Compare(a.kind, b.kind), cmp.Compare(a.amount, b.amount))
	})
	return lines
}

func (l line) equal(o line) bool {
	return l.account == o.account && l.amount == o.amount && l.text == o.text && l.currency == o.currency && l.foreign == o.foreign &&
		slices.Equal(l.taxes, o.taxes)
}

func (m move) reference() string { return memo.ReferenceOf(m.note) }

func (m move) cancelled() bool {
	return slices.ContainsFunc(m.cancels, func(c move) bool { return c.state != draft })
}

// nothing: no line is left to Tryton.
func nothing(target.Line) bool { return false }

// render makes the move that a payload is. Strict is for what is to be posted: what
// the chart or the periods do not allow is an error.
func (b *Books) render(p target.Payload, s *setup, strict bool) (move, error) {
	m := move{state: draft, date: p.Date, note: memo.Note(p, b.places, nothing)}
	for i, l := range p.Lines {
		account, err := s.chart.ToPost(l.Account)
		if err != nil && strict {
			return m, fmt.Errorf("line %d: %w", i+1, err)
		}
		id, known := s.accounts[account.Key()]
		if !known {
			return m, fmt.Errorf("line %d: account %q is not in the chart of accounts", i+1, l.Account)
		}
		out := line{account: id, amount: l.Amount, text: memo.Text(l, b.places)}
		if l.Tax != nil {
			tax, err := s.chart.TaxToPost(l.Tax.Code, account)
			if err != nil && strict {
				return m, fmt.Errorf("line %d: %w", i+1, err)
			}
			id, known := s.taxes[tax.Code]
			if !known {
				return m, fmt.Errorf("line %d: tax code %q is not there", i+1, l.Tax.Code)
			}
			out.taxes = taxLines(l.Tax, id)
		}
		if f := l.Foreign; f != nil {
			// Tryton takes a foreign amount of the line's own sign.
			if c, known := s.currencies[f.Currency]; known && c.places == placesOf(f.Currency) && (f.Amount > 0) == (l.Amount > 0) {
				out.currency, out.foreign = c.id, f.Amount
			}
		}
		m.lines = append(m.lines, out)
	}
	if !strict {
		return m, nil
	}
	if err := s.open(p.Date); err != nil {
		return m, err
	}
	_, err := s.periodOf(p.Date)
	return m, err
}

// taxLines are what Tryton's tax report needs of a line.
func taxLines(t *target.Tax, id int64) []taxLine {
	sign := money.Minor(-1)
	if t.Direction == "PURCHASE" {
		sign = 1
	}
	lines := []taxLine{{id, "base", sign * t.Base}}
	if t.Amount != 0 {
		lines = append(lines, taxLine{id, "tax", sign * t.Amount})
	}
	return sorted(lines)
}

// create makes a draft.
func (b *Books) create(ctx context.Context, s *setup, m move) error {
	period, err := s.periodOf(m.date)
	if err != nil {
		return fmt.Errorf("%w: %w", target.ErrRefused, err)
	}
	lines := make([]map[string]any, 0, len(m.lines))
	for _, l := range m.lines {
		values := map[string]any{
			"account": l.account, "description": l.text,
			"debit": decimalOf(max(l.amount, 0), b.places), "credit": decimalOf(max(-l.amount, 0), b.places),
		}
		if l.currency != 0 {
			values["second_currency"] = l.currency
			values["amount_second_currency"] = decimalOf(l.foreign, s.placesOf(l.currency))
		}
		var taxes []map[string]any
		for _, t := range l.taxes {
			taxes = append(taxes, map[string]any{"tax": t.tax, "type": t.kind, "amount": decimalOf(t.amount, b.places)})
		}
		if taxes != nil {
			values["tax_lines"] = []any{[]any{"create", taxes}}
		}
		lines = append(lines, values)
	}
	values := map[string]any{
		"company": s.company, "journal": s.journal, "period": period, "date": day(m.date),
		"description": strings.ReplaceAll(m.note, "\n", separator), "lines": []any{[]any{"create", lines}},
	}
	err = b.call(ctx, true, nil, "model.account.move.create", []any{values}, s.context)
	if err != nil && !errors.Is(err, target.ErrRefused) {
		// A draft that was made all the same is not in the books, and is found.
		err = fmt.Errorf("%w: %w", target.ErrUnavailable, err)
	}
	if err != nil {
		return fmt.Errorf("make a draft: %w", err)
	}
	return nil
}

// drop deletes drafts. One that is none any more is ErrRefused.
func (b *Books) drop(ctx context.Context, s *setup, drafts []move) error {
	if len(drafts) == 0 {
		return nil
	}
	ids := make([]int64, len(drafts))
	for i, m := range drafts {
		ids[i] = m.id
	}
	if err := b.call(ctx, true, nil, "model.account.move.delete", ids, s.context); err != nil {
		return fmt.Errorf("delete drafts: %w", err)
	}
	return nil
}

// cancel has Tryton make the move that takes one back, and posts it.
func (b *Books) cancel(ctx context.Context, s *setup, m move) error {
	if len(m.cancels) == 0 {
		if err := b.runCancel(ctx, s, m); err != nil {
			return err
		}
		found, err := b.cancelsOf(ctx, s, []int64{m.id})
		if err != nil {
			return err
		}
		m.cancels = found[m.id]
	}
	if len(m.cancels) == 0 {
		return fmt.Errorf("%w: Tryton made no move that cancels move %d", target.ErrUnavailable, m.id)
	}
	if m.cancelled() {
		return nil
	}
	if err := b.drop(ctx, s, m.cancels[1:]); err != nil {
		return err
	}
	err := b.call(ctx, true, nil, "model.account.move.post", []int64{m.cancels[0].id}, s.context)
	if errors.Is(err, target.ErrRefused) { // posted by another meanwhile?
		if found, findErr := b.cancelsOf(ctx, s, []int64{m.id}); findErr == nil && (move{cancels: found[m.id]}).cancelled() {
			return nil
		}
	}
	return err
}

// runCancel runs Tryton's assistant, as a person does.
func (b *Books) runCancel(ctx context.Context, s *setup, m move) error {
	const assistant = "wizard.account.move.cancel."
	about := s.contextWith(map[string]any{"active_model": "account.move", "active_id": m.id, "active_ids": []int64{m.id}})
	var session []any
	if err := b.call(ctx, true, &session, assistant+"create", about); err != nil {
		return err
	}
	if len(session) == 0 {
		return fmt.Errorf("%w: Tryton began no cancellation", target.ErrUnavailable)
	}
	text := map[string]any{"default": map[string]any{"description": m.reference() + " cancelled"}}
	run := b.call(ctx, true, nil, assistant+"execute", session[0], text, "cancel", about)
	return errors.Join(run, b.call(ctx, true, nil, assistant+"delete", session[0], about))
}

// payload makes the payload that a move is. What a person changed has the lines
// that it has now.
func (b *Books) payload(m move, s *setup) (target.Payload, error) {
	lines := make([]target.Line, 0, len(m.lines))
	bare := make([]target.Line, 0, len(m.lines))
	for _, at := range m.lines {
		l, err := memo.ReadText(at.text, b.places)
		if err != nil {
			l = target.Line{Text: at.text}
		}
		l.Account, l.Amount = s.keys[at.account], at.amount
		lines = append(lines, l)
		bare = append(bare, target.Line{Account: l.Account, Amount: l.Amount, Text: at.text})
	}
	p, err := memo.ReadNote(m.note, b.places, lines)
	if err != nil {
		return p, err
	}
	p.Date, p.Currency = m.date, b.o.Currency
	if want, err := b.render(p, s, false); err != nil || differs(want, m) != "" {
		p.Lines = bare
	}
	return p, nil
}

// differs says what differs first; empty if nothing does.
func differs(want, got move) string {
	switch {
	case want.date != got.date:
		return fmt.Sprintf("dated %s instead of %s", got.date, want.date)
	case want.note != got.note:
		return "another posting or text"
	case len(want.lines) != len(got.lines):
		return fmt.Sprintf("%d lines instead of %d", len(got.lines), len(want.lines))
	}
	for i := range want.lines {
		if !want.lines[i].equal(got.lines[i]) {
			return fmt.Sprintf("line %d is %+v instead of %+v", i+1, got.lines[i], want.lines[i])
		}
	}
	return ""
}

func placesOf(currency string) int {
	places, err := money.Places(currency)
	if err != nil {
		return -1
	}
	return places
}
