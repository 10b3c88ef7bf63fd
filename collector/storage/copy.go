package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tillbook.example/tillbook/collector/backup"
)

// Bounds of one statement that inserts rows: how many, with how many values, and
// of how many bytes; a row may have more.
const (
	copyRows   = 200
	copyValues = 20_000
	copyBytes  = 4 << 20
)

// notCopied are tables whose rows are of the moment.
var notCopied = []string{"lease"}

// table is one whose rows are copied from one database to another, as SQLite
// describes it: both engines have the same.
type table struct {
	name    string
	columns []string
	kinds   []string // INTEGER, TEXT or BLOB
	owned   bool     // it has the column merchant
}

// tablesOf returns the tables of a SQLite database, by name.
func tablesOf(ctx context.Context, db *sql.DB) (all []table, err error) {
	rows, err := db.QueryContext(ctx, `SELECT m.name, c.name, upper(c.type) FROM sqlite_schema m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE 'goose%' ORDER BY m.name, c.cid`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, column, kind string
		if err := rows.Scan(&name, &column, &kind); err != nil {
			return nil, err
		}
		if slices.Contains(notCopied, name) {
			continue
		}
		if len(all) == 0 || all[len(all)-1].name != name {
			all = append(all, table{name: name})
		}
		t := &all[len(all)-1]
		t.columns, t.kinds = append(t.columns, `"`+column+`"`), append(t.kinds, kind)
		t.owned = t.owned || column == "merchant"
	}
	return all, rows.Err()
}

// CopyTo implements backup.Database: others may go on writing. The copy is a SQLite
// file also of a database on a server, whose rows are read in one snapshot.
func (db *DB) CopyTo(ctx context.Context, path string) (err error) {
	if db.dialect.embedded {
		if _, err := db.writer.ExecContext(ctx, `VACUUM INTO $1`, path); err != nil {
			return fmt.Errorf("copy database to %s: %w", path, err)
		}
		return nil
	}
	into, err := Open(ctx, Options{Path: path})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, into.Close()) }()
	if err := into.Migrate(ctx); err != nil {
		return err
	}
	tables, err := tablesOf(ctx, into.writer.DB)
	if err == nil {
		err = pour(ctx, db, into, tables)
	}
	if err != nil {
		return fmt.Errorf("copy database to %s: %w", path, err)
	}
	return nil
}

// Fill puts all rows of a copy, which CopyTo made of either engine, into this
// database, which must have none: all of them or, after an error, none. It fails
// with backup.ErrThere where there are some, and with backup.ErrVersion where the
// tables are not of the same version.
func (db *DB) Fill(ctx context.Context, path string) (err error) {
	fail := func(err error) error { return fmt.Errorf("fill database from %s: %w", path, err) }
	from, err := Open(ctx, Options{Path: path})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	theirs, _, err := from.Versions(ctx)
	if err != nil {
		return fail(err)
	}
	ours, _, err := db.Versions(ctx)
	if err != nil {
		return fail(err)
	}
	if theirs != ours {
		return fail(fmt.Errorf("its tables have version %d, the database's %d: %w", theirs, ours, backup.ErrVersion))
	}
	tables, err := tablesOf(ctx, from.reader.DB)
	if err != nil {
		return fail(err)
	}
	if err := db.monthsOf(ctx, from); err != nil {
		return fail(err)
	}
	if err := pour(ctx, from, db, tables); err != nil {
		return fail(err)
	}
	return nil
}

// monthsOf makes the partitions for what a copy holds.
func (db *DB) monthsOf(ctx context.Context, from *DB) error {
	if db.dialect.embedded {
		return nil
	}
	var parted int
	if err := db.writer.QueryRowContext(ctx, string(postgresParted)).Scan(&parted); err != nil || parted == 0 {
		return err
	}
	rows, err := from.reader.QueryContext(ctx, `SELECT DISTINCT strftime('%Y-%m', received / 1000000, 'unixepoch') FROM document_body ORDER BY 1`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		month, err := time.Parse("2006-01", text)
		if err == nil {
			err = db.makeMonth(ctx, month)
		}
		if err != nil {
			return fmt.Errorf("make the partition of %q: %w", text, err)
		}
	}
	return rows.Err()
}

// pour copies the rows of tables from a snapshot of one database into another that
// has none, in one transaction.
func pour(ctx context.Context, from, into *DB, tables []table) error {
	source, err := from.reader.BeginTx(ctx, from.dialect.reading)
	if err != nil {
		return err
	}
	defer source.Rollback() // it changed nothing
	if err := scoped(ctx, from, source, everyone); err != nil {
		return err
	}
	sink, err := into.writer.BeginTx(ctx, into.dialect.writing)
	if err != nil {
		return err
	}
	defer sink.Rollback() // of no effect after the commit
	if err := scoped(ctx, into, sink, everyone); err != nil {
		return err
	}
	for _, t := range tables {
		var one int
		err := sink.QueryRowContext(ctx, `SELECT 1 FROM `+t.name+` LIMIT 1`).Scan(&one)
		if err == nil && t.owned {
			return fmt.Errorf("table %s has rows: %w", t.name, backup.ErrThere)
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	if _, err := sink.ExecContext(ctx, `DELETE FROM meta`); err != nil { // what a new database is called
		return err
	}
	merchants, err := owners(ctx, source, tables)
	if err != nil {
		return err
	}
	for _, t := range tables {
		whose := []string{""}
		if t.owned {
			whose = merchants
		}
		for _, m := range whose {
			// A statement may add one merchant's rows only.
			if err := scoped(ctx, into, sink, m); err != nil {
				return err
			}
			p := pouring{table: t, sink: sink, text: into.dialect.embedded}
			if err := p.rows(ctx, source, m); err != nil {
				return fmt.Errorf("table %s: %w", t.name, err)
			}
		}
	}
	return sink.Commit()
}

// scoped narrows a transaction to a merchant's rows.
func scoped(ctx context.Context, db *DB, t *sql.Tx, merchant string) error {
	if db.dialect.scope == "" {
		return nil
	}
	var set string
	return t.QueryRowContext(ctx, string(db.dialect.scope), merchant).Scan(&set)
}

// owners are the merchants that have a row anywhere.
func owners(ctx context.Context, source *sql.Tx, tables []table) (all []string, err error) {
	var parts []string
	for _, t := range tables {
		if t.owned {
			parts = append(parts, `SELECT merchant FROM `+t.name)
		}
	}
	rows, err := source.QueryContext(ctx, strings.Join(parts, " UNION ")+` ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var m string
		if err := rows.Scan(&m); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, rows.Err()
}

// pouring is one merchant's rows of one table on their way.
type pouring struct {
	table
	sink *sql.Tx
	text bool // text of any bytes can be kept

	values []any
	bytes  int
}

func (p *pouring) rows(ctx context.Context, source *sql.Tx, merchant string) error {
	q, args := `SELECT `+strings.Join(p.columns, ", ")+` FROM `+p.name, []any{}
	if p.owned {
		q, args = q+` WHERE merchant = $1`, append(args, merchant)
	}
	rows, err := source.QueryContext(ctx, q, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	into := make([]any, len(p.columns))
	for rows.Next() {
		row := make([]any, len(p.columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i := range row {
			p.bytes += p.settle(&row[i], p.kinds[i])
		}
		if !p.text {
			row = readable(row)
		}
		p.values = append(p.values, row...)
		if len(p.values) >= min(copyRows*len(p.columns), copyValues) || p.bytes >= copyBytes {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return p.flush(ctx)
}

// settle makes a value one of its column's kind, and returns its size: SQLite has
// kept what it was given, and a default of no bytes as text.
func (p *pouring) settle(v *any, kind string) int {
	switch value := (*v).(type) {
	case string:
		if kind == "BLOB" {
			*v = []byte(value)
		}
		return len(value)
	case []byte:
		*v = filled(value)
		if kind == "TEXT" {
			*v = string(value)
		}
		return len(value)
	}
	return 8
}

// flush inserts the rows that were gathered.
func (p *pouring) flush(ctx context.Context) error {
	if len(p.values) == 0 {
		return nil
	}
	var q strings.Builder
	fmt.Fprintf(&q, `INSERT INTO %s (%s) VALUES `, p.name, strings.Join(p.columns, ", "))
	for i := range p.values {
		switch {
		case i%len(p.columns) > 0:
			q.WriteString(", ")
		case i > 0:
			q.WriteString("), (")
		default:
			q.WriteString("(")
		}
		fmt.Fprintf(&q, "$%d", i+1)
	}
	q.WriteString(")")
	_, err := p.sink.ExecContext(ctx, q.String(), p.values...)
	p.values, p.bytes = p.values[:0], 0
	return err
}
