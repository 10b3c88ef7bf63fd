package recipe

import (
	"encoding/json"
	"strconv"
	"strings"
)

// part is one row of a receipt and where it came from.
type part struct {
	from string
	row  row
	line int
}

// columns are the names of a file's columns.
type columns struct {
	names []string
	index map[string]int
}

func newColumns(names []string) *columns {
	c := &columns{index: map[string]int{}}
	for i, name := range names {
		name = strings.TrimSpace(name)
		c.names = append(c.names, name)
		if _, twice := c.index[name]; !twice {
			c.index[name] = i
		}
	}
	return c
}

// twice reports whether a name stands over two columns.
func (c *columns) twice(name string) bool {
	n := 0
	for _, other := range c.names {
		if other == name {
			n++
		}
	}
	return n > 1
}

// outer marks a column of the main row, in rules for rows that belong to it.
const outer = "^"

// csvRow is a row of a CSV file.
type csvRow struct {
	columns *columns
	fields  []string
	parent  row // of the main file, for rows that are joined
}

func (r csvRow) get(column string) string {
	if r.parent != nil && strings.HasPrefix(column, outer) {
		return r.parent.get(column[len(outer):])
	}
	i, ok := r.columns.index[column]
	if !ok || i >= len(r.fields) {
		return ""
	}
	return r.fields[i]
}

// jsonRow is an object of a JSON file; its columns are paths such as
// "payment.amount" or "taxes.0.rate".
type jsonRow struct {
	value  any
	parent row
}

func (r jsonRow) get(path string) string {
	if r.parent != nil && strings.HasPrefix(path, outer) {
		return r.parent.get(path[len(outer):])
	}
	switch v := r.at(path).(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func (r jsonRow) at(path string) any {
	value := r.value
	for name := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}
