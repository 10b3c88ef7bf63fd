package recipe

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/csv"
)

const (
	maxOpenBytes = 64 << 20 // of all receipts that are not whole yet
	maxClosed    = 1 << 16  // keys that are remembered as done
)

// reader makes receipts of the rows of CSV files.
type reader struct {
	recipe  *Recipe
	options format.Options
	main    *table
	joined  []*joined
	by      []int // columns of the group
	join    int   // column that joins

	open    []*group // in order of their first rows
	index   map[string]*group
	closed  map[uint64]bool
	order   []uint64 // of closed, oldest first
	spans   []span   // of receipts that are done, over rows of others that are not
	bytes   int      // of all open groups
	rowNo   int
	at      int64 // behind the last row that was taken
	queue   []format.Result
	between *format.Result // a row without a readable key, inside a group or behind it
	done    bool
	err     error
}

// span is where the rows of a receipt stand.
type span struct{ start, end int64 }

// group is the rows of one receipt so far.
type group struct {
	key        string
	parts      []part
	start, end int64
	line       int
	last       int // number of its last row
	bytes      int
	raw        []byte
	bad        *format.Refusal
	number     int // of rows
}

func (r *Recipe) openCSV(inputs []format.Input, o format.Options) (format.Reader, error) {
	g := &reader{recipe: r, options: o, index: map[string]*group{}, closed: map[uint64]bool{}}
	for i := len(inputs) - 1; i > 0; i-- {
		t, err := r.openTable(i, inputs[i], o)
		if err != nil {
			return nil, err
		}
		j, err := t.join()
		if err != nil {
			return nil, err
		}
		g.joined = append(g.joined, j)
	}
	slices.Reverse(g.joined)
	var err error
	if g.main, err = r.openTable(0, inputs[0], o); err != nil {
		return nil, err
	}
	for _, column := range r.Group.By {
		g.by = append(g.by, g.main.columns.index[column])
	}
	if len(inputs) > 1 {
		g.join = g.main.columns.index[r.Files[0].Key]
	}
	if o.Resume > 0 {
		if err := g.main.skipTo(o.Resume); err != nil {
			return nil, err
		}
		g.at = o.Resume
	}
	return g, nil
}

// Next implements format.Reader.
func (g *reader) Next() (format.Result, error) {
	for len(g.queue) == 0 {
		switch {
		case g.err != nil:
			return format.Result{}, g.err
		case g.done:
			return format.Result{}, io.EOF
		}
		g.read()
	}
	result := g.queue[0]
	g.queue = g.queue[1:]
	return result, nil
}

// read takes one row.
func (g *reader) read() {
	record, err := g.main.next()
	bad := refusal(err)
	switch {
	case errors.Is(err, io.EOF):
		g.end()
		return
	case err != nil && bad == nil:
		g.err = fmt.Errorf("read %s: %w", g.main.input.Name, err)
		return
	case record.Cut && !g.options.Final:
		g.done = true // the row may still be written
		return
	}
	g.rowNo++
	key, readable := g.key(record, bad)
	if bad != nil && !readable {
		bad.Raw = g.main.mask(record)
		result := format.Result{Refused: bad, Start: record.Start, End: record.End}
		if len(g.open) == 0 || g.recipe.Group.Order == "window" {
			g.at = record.End
			g.queue = append(g.queue, g.placed(result))
			return
		}
		if g.between == nil {
			g.between = &result
		}
		return
	}
	current := g.index[key]
	if g.recipe.Group.Order == "contiguous" && current == nil {
		for len(g.open) > 0 {
			g.close(g.open[0])
		}
		if g.between != nil {
			g.queue = append(g.queue, *g.between)
			g.between = nil
		}
	}
	if current == nil {
		current = &group{key: key, start: record.Start, line: record.Line}
		g.open, g.index[key] = append(g.open, current), current
	}
	if g.between != nil { // a row of this receipt that cannot be read
		current.spoil(g.between.Refused)
		g.between = nil
	}
	g.take(current, record, bad)
	g.at = record.End
	for len(g.open) > 1 && g.recipe.Group.Order == "window" &&
		(g.rowNo-g.open[0].last > g.recipe.Group.Window || len(g.open) > g.recipe.Group.Window || g.bytes > maxOpenBytes) {
		g.close(g.open[0])
	}
	if len(g.by) == 0 {
		g.close(current)
	}
}

// key is what the rows of one receipt have in common; without group: by each
// row is a receipt.
func (g *reader) key(record csv.Record, bad *format.Refusal) (string, bool) {
	if len(g.by) == 0 {
		return fmt.Sprint(record.Start), bad == nil || len(record.Fields) > 0
	}
	var b strings.Builder
	for i, column := range g.by {
		if column >= len(record.Fields) {
			return "", false
		}
		if i > 0 {
			b.WriteByte(0)
		}
		b.WriteString(strings.TrimSpace(record.Fields[column]))
	}
	return b.String(), true
}

// take adds a row to its receipt.
func (g *reader) take(to *group, record csv.Record, bad *format.Refusal) {
	size := int(record.End - record.Start)
	to.end, to.last, to.number = record.End, g.rowNo, to.number+1
	if len(to.raw) < format.MaxRaw {
		to.raw = append(to.raw, g.main.mask(record)...)
	}
	if bad != nil {
		to.spoil(bad)
		return
	}
	if to.bytes+size > format.MaxRecord {
		to.spoil(&format.Refusal{Code: format.TooLong, Line: record.Line, Byte: record.Start, Reason: "the receipt has more than 1 MiB of rows"})
		g.bytes -= to.bytes
		to.bytes, to.parts = 0, nil
		return
	}
	if to.bad != nil {
		return
	}
	to.bytes += size
	g.bytes += size
	to.parts = append(to.parts, part{from: g.main.file.Role, row: g.main.row(record, nil), line: record.Line})
}

// spoil notes why a receipt cannot be read.
func (to *group) spoil(bad *format.Refusal) {
	if to.bad == nil {
		to.bad = bad
	}
}

// close makes a document of a receipt that is whole.
func (g *reader) close(whole *group) {
	g.open = slices.DeleteFunc(g.open, func(o *group) bool { return o == whole })
	delete(g.index, whole.key)
	g.bytes -= whole.bytes
	result := format.Result{Start: whole.start, End: whole.end}
	id := hash(whole.key)
	if whole.bad == nil && g.closed[id] {
		whole.spoil(&format.Refusal{Code: format.BadField, Line: whole.line, Byte: whole.start,
			Reason: fmt.Sprintf("rows of %s %s stand in another place too; set group: order: window, or group by more columns",
				strings.Join(g.recipe.Group.By, " "), format.Clip(strings.ReplaceAll(whole.key, "\x00", " ")))})
	}
	g.remember(id)
	if whole.bad == nil {
		parts := whole.parts
		for _, j := range g.joined {
			rows, err := j.rows(g.joinKey(parts), parts[0].row)
			if bad := refusal(err); bad != nil {
				whole.spoil(bad)
			} else if err != nil {
				g.err = err
				return
			}
			parts = append(parts, rows...)
		}
		if whole.bad == nil {
			d, err := g.recipe.build(parts, g.options, whole.start)
			if err != nil {
				whole.spoil(format.AsRefusal(err, format.BadField))
			}
			result.Document = d
		}
	}
	if whole.bad != nil {
		result.Document, result.Refused = nil, whole.refused()
	}
	g.queue = append(g.queue, g.placed(result))
}

func (g *reader) joinKey(parts []part) string { return parts[0].row.(csvRow).fields[g.join] }

// refused words why the receipt is refused as a whole.
func (to *group) refused() *format.Refusal {
	r := *to.bad
	if to.number > 1 && r.Line > 0 {
		r.Reason = fmt.Sprintf("%s (its receipt, from line %d on, is refused whole)", r.Reason, to.line)
	}
	if r.Line == 0 && r.Byte == 0 {
		r.Line, r.Byte = to.line, to.start
	}
	r.Raw = to.raw[:min(len(to.raw), format.MaxRaw)]
	return &r
}

// remember notes that the receipts of a key are done with.
func (g *reader) remember(id uint64) {
	if g.closed[id] || len(g.by) == 0 {
		return
	}
	if len(g.order) >= maxClosed {
		delete(g.closed, g.order[0])
		g.order = g.order[1:]
	}
	g.closed[id] = true
	g.order = append(g.order, id)
}

// placed sets where reading may resume once the result is kept: where no
// receipt that is still open, and none that is done, has rows on both sides.
func (g *reader) placed(result format.Result) format.Result {
	at := result.End
	for _, o := range g.open {
		at = min(at, o.start)
	}
	g.spans = append(g.spans, span{result.Start, result.End})
	for again := true; again; {
		again = false
		for _, s := range g.spans {
			if s.start < at && at < s.end {
				at, again = s.start, true
			}
		}
	}
	g.spans = slices.DeleteFunc(g.spans, func(s span) bool { return s.end <= at })
	result.End = at
	return result
}

// end is the end of the file. Receipts that may still grow are left for the
// next time.
func (g *reader) end() {
	g.done = true
	if g.between != nil && !g.options.Final {
		return
	}
	if !g.options.Final {
		return
	}
	for len(g.open) > 0 && g.err == nil {
		g.close(g.open[0])
	}
	if g.between != nil {
		g.queue = append(g.queue, *g.between)
	}
	for _, j := range g.joined {
		orphans := j.orphans()
		slices.SortFunc(orphans, func(a, b format.Result) int { return cmp.Compare(a.Refused.Byte, b.Refused.Byte) })
		for _, o := range orphans {
			o.Start, o.End = g.at, g.at
			g.queue = append(g.queue, o)
		}
	}
}
