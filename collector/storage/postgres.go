package storage

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"tillbook.example/tillbook/collector/intake"
)

// Limits of one collector on a database server.
const (
	postgresConnections = 16 // that write, and as many that read
	connectTimeout      = 10 * time.Second
	idleConnection      = 5 * time.Minute
	// A collector that stops amid a transaction, as a paused machine does, loses
	// it: its locks must not hold up the others. In milliseconds.
	abandonedAfter = "5000"
	lockTimeout    = "10000"
)

const (
	postgresScope query = `SELECT set_config('tillbook.merchant', $1, true)`
	postgresBulk  query = `INSERT INTO document (merchant, key, revision, standing, conflict, hash, agent, epoch, number, capture,
		store, day, kind, receipt, recipe, reason, received)
		SELECT CAST($1 AS TEXT), r.key, 1, 'current', 0, r.hash, CAST($2 AS TEXT), CAST($3 AS BIGINT), r.number, r.capture,
		CAST($4 AS TEXT), r.day, r.kind, r.receipt, r.recipe, r.reason, CAST($5 AS BIGINT)
		FROM unnest($6::text[], $7::bytea[], $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::text[])
		AS r(key, hash, number, capture, day, kind, receipt, recipe, reason)
		ON CONFLICT (merchant, key, revision) DO NOTHING RETURNING key`
	postgresBodies query = `INSERT INTO document_body (merchant, agent, epoch, number, received, body)
		SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), r.number, CAST($4 AS BIGINT), r.body
		FROM unnest($5::bigint[], $6::bytea[]) AS r(number, body)`
	postgresClock     query = `SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`
	postgresRevisions query = `SELECT key, revision, standing, hash, agent, epoch, capture, day FROM document
		WHERE merchant = $1 AND key = ANY($2) ORDER BY key, revision`
	postgresCheck query = `SELECT (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user),
		current_setting('fsync') = 'off' OR current_setting('synchronous_commit') = 'off', current_setting('server_encoding')`
)

func postgresDialect() dialect {
	return dialect{
		goose:      goose.DialectPostgres,
		migrations: "migrations/postgres",
		open:       openPostgres,
		check:      checkPostgres,
		reading:    &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead},
		writing:    &sql.TxOptions{Isolation: sql.LevelSerializable},
		changing:   &sql.TxOptions{Isolation: sql.LevelRepeatableRead},
		scope:      postgresScope,
		lock:       " FOR UPDATE",
		clock:      postgresClock,
		bulk:       postgresBulk,
		bodies:     postgresBodies,
		heads:      postgresRevisions,
		seen:       postgresSeen,
		again: func(err error) bool {
			var e *pgconn.PgError
			// A transaction that lost to another, a deadlock, a key that another took
			// meanwhile, a lock that was not to be had.
			return errors.As(err, &e) && slices.Contains([]string{"40001", "40P01", "23505", "55P03"}, e.Code)
		},
		busy: postgresBusy,
	}
}

// postgresBusy says whether an error is of the server or of the line to it, and
// not of what was asked.
func postgresBusy(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch {
		case e.Code == "23505": // still taken: it is what it says
			return false
		case strings.HasPrefix(e.Code, "40"), strings.HasPrefix(e.Code, "08"), strings.HasPrefix(e.Code, "57P"):
			return true
		}
		return slices.Contains([]string{"53300", "55P03", "25P03"}, e.Code)
	}
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) || errors.Is(err, driver.ErrBadConn) || pgconn.SafeToRetry(err)
}

func openPostgres(o Options) (writer, reader *sql.DB, err error) {
	config, err := pgx.ParseConfig(o.DSN)
	if err != nil {
		return nil, nil, fmt.Errorf("open database: %w", err) // says what is wrong without the password
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	unlessSet := func(name, value string) {
		config.RuntimeParams[name] = cmp.Or(config.RuntimeParams[name], value)
	}
	unlessSet("application_name", "tillbook-collector")
	reading := config.Copy()
	unlessSet("idle_in_transaction_session_timeout", abandonedAfter)
	unlessSet("lock_timeout", lockTimeout)
	pools := [2]*sql.DB{stdlib.OpenDB(*config), stdlib.OpenDB(*reading)}
	for _, p := range pools {
		limit(p, postgresConnections)
		p.SetConnMaxIdleTime(idleConnection)
	}
	return pools[0], pools[1], nil
}

// checkPostgres refuses a role that no policy of rows binds, and a server that
// reports as done what is not on disk.
func checkPostgres(ctx context.Context, pool *sql.DB) error {
	var free, forgets bool
	var encoding string
	err := pool.QueryRowContext(ctx, string(postgresCheck)).Scan(&free, &forgets, &encoding)
	switch {
	case err != nil:
		return fmt.Errorf("check the server: %w", err)
	case free:
		return errors.New("the database role is a superuser or bypasses row-level security; use an ordinary role that owns the database")
	case forgets:
		return errors.New("the server has fsync or synchronous_commit off, so that what it reports as stored could be lost; set both on")
	case encoding != "UTF8":
		return fmt.Errorf("the database's encoding is %s; make one with UTF8", encoding)
	}
	return nil
}

// bulk stores the records of a run whose keys are new, in two statements, and
// returns which those are (of those of one key the first may be) and what was
// stored of the other keys. What it leaves, and everything on an engine without
// such a statement, is for records to store one by one.
func (w *writing) bulk(r run) (stored map[int]bool, heads map[string]*head, err error) {
	if w.dialect.bulk == "" {
		return nil, map[string]*head{}, nil
	}
	b := &w.batch
	n := int(r.last - r.first + 1)
	keys, days, kinds, receipts, reasons := make([]string, 0, n), make([]string, 0, n), make([]string, 0, n), make([]string, 0, n), make([]string, 0, n)
	hashes := make([][]byte, 0, n)
	numbers, captures, recipes := make([]int64, 0, n), make([]int64, 0, n), make([]int64, 0, n)
	first := make(map[string]int, n) // by key
	for i := int(r.first - b.First); i <= int(r.last-b.First); i++ {
		d := &b.Records[i]
		if _, known := first[d.Key]; known || intake.Decide(nil, *d, b.From.Agent, w.epoch.Epoch.Order) != intake.New {
			continue
		}
		first[d.Key] = i
		keys, days, kinds = append(keys, d.Key), append(days, string(d.Day)), append(kinds, string(d.Document.Kind))
		receipts, reasons = append(receipts, d.Document.Numbers.Receipt), append(reasons, d.Reason)
		hashes = append(hashes, d.Hash[:])
		numbers, captures, recipes = append(numbers, int64(b.First)+int64(i)), append(captures, int64(d.Capture)), append(recipes, int64(d.Recipe))
	}
	stored = make(map[int]bool, len(keys))
	if len(keys) == 0 {
		return stored, map[string]*head{}, nil
	}
	err = w.each(func(scan func(...any) error) error {
		var key string
		err := scan(&key)
		stored[first[key]] = true
		return err
	}, w.dialect.bulk, b.From.Merchant, b.From.Agent, w.epoch.Epoch.Order, b.From.Store, micros(b.At),
		keys, hashes, numbers, captures, days, kinds, receipts, recipes, reasons)
	if err != nil {
		return nil, nil, err
	}
	var known []string
	var fresh []int64
	var bodies [][]byte
	for i, key := range keys {
		if at := first[key]; stored[at] {
			fresh, bodies = append(fresh, numbers[i]), append(bodies, blob(b.Records[at].Bytes))
		} else {
			known = append(known, key)
		}
	}
	if len(fresh) > 0 {
		if _, err := w.exec(w.dialect.bodies, b.From.Merchant, b.From.Agent, w.epoch.Epoch.Order, micros(b.At), fresh, bodies); err != nil {
			return nil, nil, err
		}
	}
	if len(known) > 0 {
		heads, err = w.heads(w.dialect.heads, known)
	} else {
		heads = map[string]*head{}
	}
	return stored, heads, err
}
