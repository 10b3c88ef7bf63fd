package reconcile

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"tillbook.example/tillbook/shared/document"
)

// Gap is a range of numbers that no document accounts for. Voided, training,
// suspended and no-sale documents account for theirs.
type Gap struct {
	Store    string `json:"store"`
	Terminal string `json:"terminal"`
	Counter  string `json:"counter"` // receipt, sequence
	Scope    string `json:"scope,omitzero"`
	First    string `json:"first"`
	Last     string `json:"last"`
	Count    int64  `json:"count"`
}

// Counters.
const (
	counterReceipt  = "receipt"
	counterSequence = "sequence"
	counterEvent    = "event" // no gaps are looked for; events may share the receipts' counter
)

// counter is one row of numbers: those of a terminal, between two restarts, that
// are written alike.
type counter struct{ store, terminal, name, scope, prefix string }

type numbers struct {
	all   []int64
	width int // of the shortest, for numbers written with zeros in front
}

func (n *numbers) add(value int64, width int) {
	if len(n.all) == 0 || width < n.width {
		n.width = width
	}
	n.all = append(n.all, value)
}

// split takes a number as printed apart: what stands in front, and the digits it
// ends with.
func split(text string) (prefix string, value int64, width int, ok bool) {
	digits := len(text)
	for digits > 0 && text[digits-1] >= '0' && text[digits-1] <= '9' {
		digits--
	}
	width = len(text) - digits
	if width == 0 || width > 18 {
		return text, 0, 0, false
	}
	value, err := strconv.ParseInt(text[digits:], 10, 64)
	return text[:digits], value, width, err == nil
}

// checkNumbers looks for gaps in the numbers of receipts and in the sequence
// numbers, terminal by terminal, within what is there, with what a Z of the day
// counts of days before, and what it says was first and last.
func (p *prover) checkNumbers() {
	rows := map[counter]*numbers{}
	add := func(d *document.Document, name, text string) {
		prefix, value, width, ok := split(text)
		if !ok {
			return
		}
		c := counter{d.Key.Store, d.Key.Terminal, name, d.Key.Scope, prefix}
		if rows[c] == nil {
			rows[c] = &numbers{}
		}
		rows[c].add(value, width)
	}
	_, documents, _ := p.counted()
	for _, d := range documents {
		receipt := d.Numbers.Receipt
		if d.Key.Space == document.SpaceReceipt {
			receipt = cmp.Or(receipt, d.Key.Number)
		}
		add(d, counterReceipt, receipt)
		add(d, counterSequence, d.Numbers.Sequence)
		if d.Key.Space == document.SpaceEvent {
			add(d, counterEvent, d.Key.Number)
		}
	}
	order := make([]counter, 0, len(rows))
	for c, n := range rows {
		slices.Sort(n.all)
		n.all = slices.Compact(n.all)
		order = append(order, c)
	}
	slices.SortFunc(order, func(x, y counter) int {
		return cmp.Or(cmp.Compare(x.store, y.store), cmp.Compare(x.terminal, y.terminal), cmp.Compare(x.name, y.name),
			cmp.Compare(x.scope, y.scope), cmp.Compare(x.prefix, y.prefix))
	})
	bounds := p.bounds(rows)
	for _, c := range order {
		if c.name == counterEvent {
			continue
		}
		have := rows[c].all
		if c.name == counterReceipt {
			events := c
			events.name = counterEvent
			if e := rows[events]; e != nil && apart(have, e.all) {
				have = merge(have, e.all)
			}
		}
		p.gapsOf(c, rows[c], have, bounds[c])
	}
	for _, z := range p.documents {
		p.emptyRange(rows, z)
	}
}

// bound is the first and last receipt that a Z names for a row.
type bound struct{ first, last int64 }

// bounds finds the row that each Z's first and last receipt belong to: the one
// whose scope the Z is or names, else the only one that is written alike.
func (p *prover) bounds(rows map[counter]*numbers) map[counter]bound {
	bounds := map[counter]bound{}
	widen := func(c counter, n int64) {
		b, ok := bounds[c]
		if !ok {
			b = bound{n, n}
		}
		bounds[c] = bound{min(b.first, n), max(b.last, n)}
	}
	for _, z := range p.documents {
		if !closes(z) {
			continue
		}
		for _, text := range []string{z.Close.FirstReceipt, z.Close.LastReceipt} {
			prefix, value, _, ok := split(text)
			if !ok {
				continue
			}
			if c, ok := rowOf(rows, z, prefix); ok {
				widen(c, value)
			}
		}
	}
	return bounds
}

func rowOf(rows map[counter]*numbers, z *document.Document, prefix string) (counter, bool) {
	row := counter{store: z.Key.Store, terminal: z.Key.Terminal, name: counterReceipt, prefix: prefix}
	for _, scope := range []string{z.Key.Scope, z.Numbers.Z, z.Key.Number, z.StatedDay.Z, z.StatedDay.Session, z.StatedDay.Date} {
		row.scope = scope
		if rows[row] != nil {
			return row, true
		}
	}
	found, n := counter{}, 0
	for c := range rows {
		if c.store == row.store && c.terminal == row.terminal && c.name == row.name && c.prefix == row.prefix {
			found, n = c, n+1
		}
	}
	return found, n == 1
}

// emptyRange reports the receipts a Z names where not one of them is there.
func (p *prover) emptyRange(rows map[counter]*numbers, z *document.Document) {
	if !closes(z) {
		return
	}
	prefix, first, width, ok := split(z.Close.FirstReceipt)
	other, last, _, okLast := split(z.Close.LastReceipt)
	if !ok || !okLast || prefix != other || last < first {
		return
	}
	if _, there := rowOf(rows, z, prefix); !there && !p.anyReceipt(z) {
		c := counter{store: z.Key.Store, terminal: z.Key.Terminal, name: counterReceipt, scope: z.Key.Scope, prefix: prefix}
		p.gap(c, &numbers{width: width}, first, last)
	}
}

func (p *prover) anyReceipt(z *document.Document) bool {
	for _, d := range p.documents {
		if d.Key.Store == z.Key.Store && d.Key.Terminal == z.Key.Terminal && (d.Key.Space == document.SpaceReceipt || d.Numbers.Receipt != "") {
			return true
		}
	}
	return false
}

// closes reports whether a document is a Z that counts.
func closes(d *document.Document) bool {
	return d.Kind == document.PeriodClose && d.Close != nil && d.State == document.Completed && !d.Deleted
}

// apart reports whether two sorted rows have no number in common: then one
// counter may have given both.
func apart(x, y []int64) bool {
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i] == y[j]:
			return false
		case x[i] < y[j]:
			i++
		default:
			j++
		}
	}
	return true
}

// merge adds to the receipts' numbers those of events that lie between them.
func merge(receipts, events []int64) []int64 {
	all := slices.Clone(receipts)
	for _, e := range events {
		if e > receipts[0] && e < receipts[len(receipts)-1] {
			all = append(all, e)
		}
	}
	slices.Sort(all)
	return all
}

// gapsOf finds the gaps of one row.
func (p *prover) gapsOf(c counter, row *numbers, have []int64, z bound) {
	missing := func(first, last int64) {
		if first <= last {
			p.gap(c, row, first, last)
		}
	}
	wrap := wrapsAt(have)
	for i := 1; i < len(have); i++ {
		if i != wrap {
			missing(have[i-1]+1, have[i]-1)
		}
	}
	if wrap == 0 && z != (bound{}) {
		missing(z.first, have[0]-1)
		missing(have[len(have)-1]+1, z.last)
	}
}

// wrapsAt returns where a counter that went from 9…9 to the start is cut: the
// index of the first number before it, or 0.
func wrapsAt(have []int64) int {
	n := len(have)
	if n < 2 || have[0] > 1 || strings.Trim(strconv.FormatInt(have[n-1], 10), "9") != "" || have[n-1] < 99 {
		return 0
	}
	at, widest := 0, int64(math.MinInt64)
	for i := 1; i < n; i++ {
		if w := have[i] - have[i-1]; w > widest {
			at, widest = i, w
		}
	}
	return at
}

func (p *prover) gap(c counter, row *numbers, first, last int64) {
	write := func(n int64) string { return fmt.Sprintf("%s%0*d", c.prefix, row.width, n) }
	g := Gap{
		Store: c.store, Terminal: c.terminal, Counter: c.name, Scope: c.scope,
		First: write(first), Last: write(last), Count: last - first + 1,
	}
	p.gaps = append(p.gaps, g)
	cause, what := ReceiptGap, "receipts"
	if c.name == counterSequence {
		cause, what = SequenceGap, "sequence numbers"
	}
	text := fmt.Sprintf("Terminal %s: %s %s to %s are missing.", c.terminal, what, g.First, g.Last)
	if g.Count == 1 {
		text = fmt.Sprintf("Terminal %s: %s %s is missing.", c.terminal, strings.TrimSuffix(what, "s"), g.First)
	}
	state := Opened
	if slices.Contains(p.in.Gapped, c.terminal) {
		state = Explained
	}
	p.differ(Difference{
		Of: "numbers:" + c.terminal + "/" + c.name + "/" + c.scope + "/" + g.First, Cause: cause,
		Terminal: c.terminal, Text: text, Count: g.Count, State: state,
	})
}
