package posting

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/day"
	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/shared/money"
)

// Lines returns a full entry as a target books it, in the entry's order.
func Lines(e day.Entry) ([]target.Line, error) {
	var entry books.Entry
	if err := json.Unmarshal(e.Body, &entry); err != nil {
		return nil, fmt.Errorf("read entry %d of day %s %s: %w", e.Version, e.Store, e.Day, err)
	}
	lines := make([]target.Line, 0, len(entry.Lines))
	for _, l := range entry.Lines {
		sign := money.Minor(1)
		if l.Side == books.Credit {
			sign = -1
		}
		line := target.Line{
			Account: l.Account, Amount: sign * l.Amount, Text: plain(l.Rule), Documents: int64(len(l.Documents)),
			Control: l.Role == books.OutputTax || l.Role == books.InputTax,
		}
		if len(l.Dimensions) > 0 {
			line.Dimensions = l.Dimensions
		}
		if l.Foreign != nil {
			line.Foreign = &target.Foreign{Currency: l.Foreign.Currency, Amount: sign * l.Foreign.Amount, Rate: l.Foreign.Rate}
		}
		if l.Tax != nil {
			line.Tax = &target.Tax{
				Code: l.Tax.Code, Base: sign * l.Tax.Base, Amount: sign * l.Tax.Amount,
				Direction: l.Tax.Direction, Jurisdiction: l.Tax.Jurisdiction,
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// Difference returns the lines that bring what stands to the full entry: the
// full lines, less those of the postings that stand, line by
// line where account, tax, dimensions, currency and text are the same. Nothing
// is netted across these. What would only change a text is left out, so an entry
// that moves no amount and no tax gives no lines.
func Difference(full []target.Line, live []Posting) []target.Line {
	sums := map[string]*target.Line{}
	var order []string
	add := func(l target.Line, sign money.Minor) {
		id := identity(l, true)
		if sums[id] == nil {
			sums[id] = zero(l)
			order = append(order, id)
		}
		accumulate(sums[id], l, sign)
	}
	for _, l := range full {
		add(l, 1)
	}
	whole := len(order) // lines that only stand come after, in an order of their own
	for _, p := range live {
		if !p.Stands() {
			continue
		}
		for _, l := range p.Payload.Lines {
			add(l, -1)
		}
	}
	slices.Sort(order[whole:])
	moved := map[string]*target.Line{} // without regard to texts
	for _, id := range order {
		l := *sums[id]
		same := identity(l, false)
		if moved[same] == nil {
			moved[same] = &target.Line{Foreign: &target.Foreign{}, Tax: &target.Tax{}}
		}
		accumulate(moved[same], l, 1)
	}
	lines := []target.Line{}
	for _, id := range order {
		l := sums[id]
		if !nothing(*l) && !nothing(*moved[identity(*l, false)]) {
			lines = append(lines, *l)
		}
	}
	return lines
}

// identity is what two lines must share to be added up.
func identity(l target.Line, withText bool) string {
	var w strings.Builder
	part := func(s string) { fmt.Fprintf(&w, "%d:%s", len(s), s) }
	part(l.Account)
	if l.Tax != nil {
		part(l.Tax.Code)
		part(l.Tax.Direction)
		part(l.Tax.Jurisdiction)
	}
	w.WriteByte('|')
	if l.Foreign != nil {
		part(l.Foreign.Currency)
		part(l.Foreign.Rate.String())
	}
	w.WriteByte('|')
	for _, name := range slices.Sorted(maps.Keys(l.Dimensions)) {
		part(name)
		part(l.Dimensions[name])
	}
	w.WriteByte('|')
	fmt.Fprintf(&w, "%t", l.Control)
	if withText {
		part(l.Text)
	}
	return w.String()
}

// zero is a line like l without amounts.
func zero(l target.Line) *target.Line {
	z := target.Line{Account: l.Account, Text: l.Text, Dimensions: l.Dimensions, Control: l.Control}
	if l.Foreign != nil {
		z.Foreign = &target.Foreign{Currency: l.Foreign.Currency, Rate: l.Foreign.Rate}
	}
	if l.Tax != nil {
		z.Tax = &target.Tax{Code: l.Tax.Code, Direction: l.Tax.Direction, Jurisdiction: l.Tax.Jurisdiction}
	}
	return &z
}

func accumulate(sum *target.Line, l target.Line, sign money.Minor) {
	sum.Amount += sign * l.Amount
	sum.Documents += int64(sign) * l.Documents
	if l.Foreign != nil {
		sum.Foreign.Amount += sign * l.Foreign.Amount
	}
	if l.Tax != nil {
		sum.Tax.Base += sign * l.Tax.Base
		sum.Tax.Amount += sign * l.Tax.Amount
	}
}

// nothing reports whether a line moves neither amount nor tax.
func nothing(l target.Line) bool {
	return l.Amount == 0 && (l.Foreign == nil || l.Foreign.Amount == 0) &&
		(l.Tax == nil || cmp.Or(l.Tax.Base, l.Tax.Amount) == 0)
}
