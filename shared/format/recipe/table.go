package recipe

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"tillbook.example/tillbook/shared/format"
	"tillbook.example/tillbook/shared/format/csv"
	"tillbook.example/tillbook/shared/format/text"
	"tillbook.example/tillbook/shared/suggest"
)

// table is one CSV file of a recipe.
type table struct {
	recipe  *Recipe
	file    *File
	input   format.Input
	text    *text.Reader
	reader  *csv.Reader
	columns *columns
	resumed bool
}

// openTable opens a file and checks the columns that the recipe reads in it.
func (r *Recipe) openTable(file int, input format.Input, o format.Options) (*table, error) {
	t := &table{recipe: r, file: &r.Files[file], input: input}
	encoding := o.Encoding
	if encoding == "" {
		encoding = r.CSV.Encoding
	}
	var err error
	if t.text, err = text.Open(input.Bytes(), encoding, nil); err != nil {
		return nil, fmt.Errorf("read %s: %w", input.Name, err)
	}
	if kind := text.Kind(t.text.Head()); kind != "" {
		return nil, &format.Refusal{Code: format.WrongFormat, Reason: fmt.Sprintf("%s is not CSV: it is %s", input.Name, kind)}
	}
	t.reader = csv.New(t.text, r.dialect())
	if !r.header() {
		t.columns = newColumns(r.CSV.Columns)
	} else if err := t.header(o.Final); err != nil {
		return nil, err
	}
	return t, t.check()
}

func (r *Recipe) dialect() csv.Dialect {
	d := csv.Dialect{Delimiter: r.CSV.Delimiter[0]}
	if r.CSV.Quote != "none" {
		d.Quote = r.CSV.Quote[0]
	}
	return d
}

// header reads the names of the columns.
func (t *table) header(final bool) error {
	record, err := t.reader.Next()
	if errors.Is(err, io.EOF) || err == nil && record.Cut && !final {
		return &format.Refusal{Code: format.Incomplete, Reason: t.input.Name + " has no header yet"}
	}
	if err != nil {
		return fmt.Errorf("header of %s: %w", t.input.Name, err)
	}
	t.columns = newColumns(slices.Clone(record.Fields))
	return nil
}

// check compares the columns that the recipe reads with those of the file.
func (t *table) check() error {
	if !t.recipe.header() {
		return t.checkFixed()
	}
	for _, use := range t.recipe.uses {
		from, column := use.from, use.column
		if strings.HasPrefix(column, outer) {
			from, column = "", column[len(outer):]
		}
		if from == "" {
			from = t.recipe.Files[0].Role
		}
		if from != t.file.Role {
			continue
		}
		if err := t.has(column, use.line); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) has(column string, line int) error {
	if _, ok := t.columns.index[column]; !ok {
		hint := suggest.DidYouMean(column, t.columns.names)
		if hint == "" && len(t.columns.names) == 1 && len(t.columns.names[0]) > len(column) {
			hint = "; it seems to have one column: is the delimiter right?"
		}
		return &format.Refusal{Code: format.BadColumn,
			Reason: fmt.Sprintf("%s: line %d of the recipe: the column %q is not in %s%s", t.recipe, line, column, t.input.Name, hint)}
	}
	if t.columns.twice(column) {
		return &format.Refusal{Code: format.BadColumn,
			Reason: fmt.Sprintf("%s: line %d of the recipe: the column %q is twice in %s", t.recipe, line, column, t.input.Name)}
	}
	return nil
}

// checkFixed checks the columns of files without a header: those that the
// recipe itself names.
func (t *table) checkFixed() error {
	for _, use := range t.recipe.uses {
		if err := t.has(strings.TrimPrefix(use.column, outer), use.line); err != nil {
			return err
		}
	}
	return nil
}

// skipTo goes on at a byte of the file.
func (t *table) skipTo(at int64) error {
	if err := t.text.SkipTo(at); err != nil {
		return fmt.Errorf("read %s: %w", t.input.Name, err)
	}
	t.reader, t.resumed = csv.New(t.text, t.recipe.dialect()), true
	return nil
}

// next returns the next row. Rows that are longer or shorter than the header
// are refused; trailing empty fields mean nothing.
func (t *table) next() (csv.Record, error) {
	record, err := t.reader.Next()
	if t.resumed {
		record.Line = 0
		if r := refusal(err); r != nil {
			r.Line = 0
		}
	}
	if err != nil {
		return record, err
	}
	want := len(t.columns.names)
	for len(record.Fields) > want && record.Fields[len(record.Fields)-1] == "" {
		record.Fields = record.Fields[:len(record.Fields)-1]
	}
	if got := len(record.Fields); got > want || got < want && t.recipe.CSV.ShortRows == "refuse" {
		return record, &format.Refusal{Code: format.Malformed, Line: record.Line, Byte: record.Start,
			Reason: fmt.Sprintf("the row has %d fields, not %d", got, want)}
	}
	return record, nil
}

// row copies a record.
func (t *table) row(record csv.Record, parent row) csvRow {
	return csvRow{columns: t.columns, fields: slices.Clone(record.Fields), parent: parent}
}

// mask hides in a refused row what the recipe does not read, which may be about
// persons, what it says is private, and card numbers.
func (t *table) mask(record csv.Record) []byte {
	if len(record.Fields) == 0 {
		return format.MaskRaw(record.Raw)
	}
	used := map[string]bool{}
	for _, use := range t.recipe.uses {
		used[strings.TrimPrefix(use.column, outer)] = true
	}
	for _, name := range t.recipe.Private {
		used[name] = false
	}
	fields := slices.Clone(record.Fields)
	for i := range fields {
		if (i >= len(t.columns.names) || !used[t.columns.names[i]]) && fields[i] != "" {
			fields[i] = "*"
		}
	}
	return format.MaskRaw([]byte(strings.Join(fields, t.recipe.CSV.Delimiter) + "\n"))
}
