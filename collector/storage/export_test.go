package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tillbook.example/tillbook/collector/intake"
)

// Exec runs a statement on the connection that writes.
func (db *DB) Exec(ctx context.Context, text string) error {
	_, err := db.writer.ExecContext(ctx, text)
	return err
}

// Pragma returns a setting of the connection that writes.
func (db *DB) Pragma(ctx context.Context, name string) (value string, err error) {
	err = db.writer.QueryRowContext(ctx, "PRAGMA "+name).Scan(&value)
	return value, err
}

// Prepare prepares a statement and lets go of it.
func (db *DB) Prepare(ctx context.Context, text string) error {
	s, err := db.writer.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	return s.Close()
}

// Rows returns the rows of a query of texts, outside of any merchant's
// transaction.
func (db *DB) Rows(ctx context.Context, text string) ([][]string, error) {
	rows, err := db.reader.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var found [][]string
	for rows.Next() {
		row, into := make([]string, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		found = append(found, row)
	}
	return found, rows.Err()
}

// RowsOf returns the one column of a query in a transaction of a merchant.
func (db *DB) RowsOf(ctx context.Context, merchant, text string) (found []string, err error) {
	err = db.each(ctx, merchant, text, func(scan func(...any) error) error {
		var value string
		err := scan(&value)
		found = append(found, value)
		return err
	}, query(text))
	return found, err
}

// AllRows returns the rows of all tables that have any, each as one text, sorted;
// which tables there are is looked up in a scratch folder.
func (db *DB) AllRows(ctx context.Context, scratch string) (map[string][]string, error) {
	lite, err := Open(ctx, Options{Path: filepath.Join(scratch, "tables.db")})
	if err != nil {
		return nil, err
	}
	defer lite.Close()
	if err := lite.Migrate(ctx); err != nil {
		return nil, err
	}
	tables, err := tablesOf(ctx, lite.writer.DB)
	if err != nil {
		return nil, err
	}
	all := map[string][]string{}
	for _, table := range tables {
		err := db.each(ctx, everyone, table.name, func(scan func(...any) error) error {
			row, into := make([]any, len(table.columns)), make([]any, len(table.columns))
			for i := range row {
				into[i] = &row[i]
			}
			err := scan(into...)
			for i := range row {
				(&pouring{}).settle(&row[i], table.kinds[i])
			}
			all[table.name] = append(all[table.name], fmt.Sprintf("%x", row))
			return err
		}, query("SELECT "+strings.Join(table.columns, ", ")+" FROM "+table.name))
		if err != nil {
			return nil, err
		}
		slices.Sort(all[table.name])
	}
	return all, nil
}

// Change runs a statement in a transaction of a merchant and returns how many
// rows it changed.
func (db *DB) Change(ctx context.Context, merchant, text string) (n int64, err error) {
	err = db.write(ctx, merchant, text, func(tx *tx) error {
		n, err = tx.exec(query(text))
		return err
	})
	return n, err
}

// Plan returns how the engine would answer a query, a line for each step.
func (db *DB) Plan(ctx context.Context, text string) ([]string, error) {
	rows, err := db.reader.QueryContext(ctx, "EXPLAIN QUERY PLAN "+text, make([]any, 20)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, rows.Err()
}

// ServerPlan returns how PostgreSQL would answer a query with any parameters if
// it could avoid reading whole tables, a line for each step.
func (db *DB) ServerPlan(ctx context.Context, text string) ([]string, error) {
	conn, err := db.reader.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	parameters := 0
	for strings.Contains(text, fmt.Sprintf("$%d", parameters+1)) {
		parameters++
	}
	nulls := ""
	if parameters > 0 {
		nulls = "(NULL" + strings.Repeat(", NULL", parameters-1) + ")"
	}
	for _, statement := range []string{"SET plan_cache_mode = force_generic_plan", "SET enable_seqscan = off", "PREPARE one AS " + text} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return nil, err
		}
	}
	rows, err := conn.QueryContext(ctx, "EXPLAIN EXECUTE one"+nulls)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var step string
		if err := rows.Scan(&step); err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	if err := rows.Close(); err != nil {
		return nil, err
	}
	_, err = conn.ExecContext(ctx, "DEALLOCATE one")
	return steps, errors.Join(rows.Err(), err)
}

// RawInsert stores the rows of a batch as fast as this engine does it: prepared
// statements row by row, or one for all, in one transaction, and nothing else.
func (db *DB) RawInsert(ctx context.Context, b intake.Batch, order uint64) error {
	if !db.dialect.embedded {
		return db.rawBulk(ctx, b, order)
	}
	t, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer t.Rollback()
	document, err := db.keep(ctx, insertDocument)
	if err != nil {
		return err
	}
	body, err := db.keep(ctx, insertBody)
	if err != nil {
		return err
	}
	run, err := db.keep(ctx, insertRun)
	if err != nil {
		return err
	}
	document, body, run = t.Stmt(document), t.Stmt(body), t.Stmt(run)
	digests := make([]byte, 0, 32*len(b.Digests))
	for i := range b.Records {
		r := &b.Records[i]
		digests = append(digests, b.Digests[i][:]...)
		if _, err := document.Exec(b.From.Merchant, r.Key, 1, current, 0, r.Hash[:], b.From.Agent, order, b.First+uint64(i), r.Capture,
			b.From.Store, string(r.Day), string(r.Document.Kind), r.Document.Numbers.Receipt, int64(r.Recipe), r.Reason, micros(b.At)); err != nil {
			return err
		}
		if _, err := body.Exec(b.From.Merchant, b.From.Agent, order, b.First+uint64(i), micros(b.At), r.Bytes); err != nil {
			return err
		}
	}
	if _, err := run.Exec(b.From.Merchant, b.From.Agent, order, b.First, b.Last(), micros(b.At), "", b.Before[:], digests); err != nil {
		return err
	}
	return t.Commit()
}

func (db *DB) rawBulk(ctx context.Context, b intake.Batch, order uint64) error {
	keys, days, kinds, receipts, reasons := []string{}, []string{}, []string{}, []string{}, []string{}
	hashes, bodies, digests := [][]byte{}, [][]byte{}, []byte{}
	numbers, captures, recipes := []int64{}, []int64{}, []int64{}
	for i, r := range b.Records {
		keys, days, kinds = append(keys, r.Key), append(days, string(r.Day)), append(kinds, string(r.Document.Kind))
		receipts, reasons = append(receipts, r.Document.Numbers.Receipt), append(reasons, r.Reason)
		hashes, bodies = append(hashes, r.Hash[:]), append(bodies, r.Bytes)
		numbers, captures, recipes = append(numbers, int64(b.First)+int64(i)), append(captures, int64(r.Capture)), append(recipes, int64(r.Recipe))
		digests = append(digests, b.Digests[i][:]...)
	}
	t, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer t.Rollback()
	if _, err := t.ExecContext(ctx, string(postgresScope), b.From.Merchant); err != nil {
		return err
	}
	bulk, _, _ := strings.Cut(string(postgresBulk), "ON CONFLICT")
	if _, err := t.ExecContext(ctx, bulk, b.From.Merchant, b.From.Agent, order, b.From.Store, micros(b.At),
		keys, hashes, numbers, captures, days, kinds, receipts, recipes, reasons); err != nil {
		return err
	}
	if _, err := t.ExecContext(ctx, string(postgresBodies), b.From.Merchant, b.From.Agent, order, micros(b.At), numbers, bodies); err != nil {
		return err
	}
	if _, err := t.ExecContext(ctx, string(insertRun), b.From.Merchant, b.From.Agent, order, b.First, b.Last(), micros(b.At), "", b.Before[:], digests); err != nil {
		return err
	}
	return t.Commit()
}

// keep returns a prepared statement; the first RawInsert must be of a database
// that has committed a batch.
func (db *DB) keep(_ context.Context, q query) (*sql.Stmt, error) {
	if s := db.writer.prepared(q); s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("%.40q is not prepared", q)
}

// Queries returns every constant of type query in this package, by name.
func Queries() (map[string]string, error) {
	constants, queries := map[string]ast.Expr{}, map[string]string{}
	typed := map[string]bool{}
	names, err := filepath.Glob("*.go")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := fs.ReadFile(os.DirFS("."), name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				spec := s.(*ast.ValueSpec)
				t, _ := spec.Type.(*ast.Ident)
				for i, id := range spec.Names {
					if i < len(spec.Values) {
						constants[id.Name] = spec.Values[i]
						typed[id.Name] = t != nil && t.Name == "query"
					}
				}
			}
		}
	}
	var text func(e ast.Expr) (value string, isQuery bool)
	text = func(e ast.Expr) (string, bool) {
		switch e := e.(type) {
		case *ast.BasicLit:
			if e.Kind == token.STRING {
				s, err := strconv.Unquote(e.Value)
				return s, err != nil
			}
		case *ast.Ident:
			s, is := text(constants[e.Name])
			return s, is || typed[e.Name]
		case *ast.BinaryExpr:
			x, xIs := text(e.X)
			y, yIs := text(e.Y)
			return x + y, xIs || yIs
		}
		return "", false
	}
	for name, value := range constants {
		if s, is := text(value); is || typed[name] {
			queries[name] = s
		}
	}
	return queries, nil
}

// MigrateTo brings the tables to a version.
func (db *DB) MigrateTo(ctx context.Context, version int64) error {
	provider, err := db.migrator()
	if err != nil {
		return err
	}
	_, err = provider.UpTo(ctx, version)
	return err
}

// PlanOf returns how PostgreSQL answers a statement with some parameters in a
// transaction that may read the rows of all, as it does once it is prepared for good.
func (db *DB) PlanOf(ctx context.Context, text, args string) (plan string, err error) {
	t, err := db.reader.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer t.Rollback()
	if args != "" {
		args = "(" + args + ")"
	}
	for _, statement := range []string{"SET LOCAL plan_cache_mode = force_generic_plan", "SET LOCAL tillbook.merchant = '*'", "PREPARE one AS " + text} {
		if _, err := t.ExecContext(ctx, statement); err != nil {
			return "", err
		}
	}
	rows, err := t.QueryContext(ctx, "EXPLAIN EXECUTE one"+args)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var step string
		if err := rows.Scan(&step); err != nil {
			return "", err
		}
		plan += step + "\n"
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return "", err
	}
	_, err = t.ExecContext(ctx, "DEALLOCATE one")
	return plan, err
}

// Oldest is the version of the tables that programs must know at least.
const Oldest = oldest

// RaiseOldest does what a program does that needs others to know a version.
func (db *DB) RaiseOldest(ctx context.Context, n uint64) error {
	return db.write(ctx, everyone, "raise oldest", func(tx *tx) error {
		_, err := tx.exec(raiseOldest, version(n))
		return err
	})
}
