package storage_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/collector/books"
	"tillbook.example/tillbook/collector/fleet"
	"tillbook.example/tillbook/collector/intake"
	"tillbook.example/tillbook/collector/merchant"
	"tillbook.example/tillbook/collector/storage"
)

func TestEveryStatementIsPreparedOnPostgreSQL(t *testing.T) {
	t.Parallel()
	db := freshPostgres(t)()
	queries, err := storage.Queries()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range queries {
		if strings.HasPrefix(name, "sqlite") {
			continue
		}
		if err := db.Prepare(t.Context(), text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBothEnginesHaveTheSameTables(t *testing.T) {
	t.Parallel()
	tables := func(db *storage.DB, text string) map[string]string {
		rows, err := db.Rows(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, r := range rows {
			found[r[0]] += r[1] + "\n"
		}
		return found
	}
	types := strings.NewReplacer(" bigint", " INTEGER", " text", " TEXT", " bytea", " BLOB", `'\x'`, "''")
	lite, server := fresh(t)(), freshPostgres(t)()
	want := tables(lite, `SELECT m.name, c.name || ' ' || c.type || CASE WHEN c."notnull" = 1 THEN ' NOT NULL' ELSE '' END
		|| ' default ' || replace(coalesce(c.dflt_value, ''), 'x''''', '''''') || ' key ' || c.pk
		FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE 'goose%' ORDER BY 1, 2`)
	got := tables(server, `SELECT c.table_name::text, c.column_name || ' ' || c.data_type || CASE WHEN c.is_nullable = 'NO' THEN ' NOT NULL' ELSE '' END
		|| ' default ' || split_part(coalesce(c.column_default, ''), '::', 1) || ' key ' || coalesce(k.ordinal_position, 0)
		FROM information_schema.columns c LEFT JOIN information_schema.key_column_usage k USING (table_schema, table_name, column_name)
		WHERE c.table_schema = 'public' AND c.table_name NOT LIKE 'goose%' AND NOT (SELECT p.relispartition FROM pg_class p WHERE p.oid = to_regclass(c.table_name)) ORDER BY 1, c.column_name COLLATE "C"`)
	for name, columns := range got {
		got[name] = types.Replace(columns)
	}
	if len(want) < 15 {
		t.Errorf("found only %d tables", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tables (-SQLite +PostgreSQL):\n%s", diff)
	}
	want = tables(lite, `SELECT m.name, m.tbl_name || ' unique ' || l."unique" || ' partial ' || l.partial || ' ' || c.name
		FROM sqlite_schema m JOIN pragma_index_list(m.tbl_name) l ON l.name = m.name JOIN pragma_index_info(m.name) c
		WHERE m.type = 'index' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, c.seqno`)
	got = tables(server, `SELECT i.relname::text, t.relname || ' unique ' || x.indisunique::int || ' partial ' || (x.indpred IS NOT NULL)::int || ' ' || a.attname
		FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
		JOIN pg_attribute a ON a.attrelid = i.oid JOIN pg_namespace n ON n.oid = t.relnamespace
		WHERE n.nspname = 'public' AND NOT x.indisprimary AND t.relname NOT LIKE 'goose%' ORDER BY i.relname, a.attnum`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("indexes (-SQLite +PostgreSQL):\n%s", diff)
	}
}

// openToAll are tables in which no row is one merchant's, with the reason.
var openToAll = map[string]string{"meta": "says what the database is", "lease": "names what is worked on, for all at once"}

func TestEachTableOfMerchantsRowsIsWalledInAndSortsByBytes(t *testing.T) {
	t.Parallel()
	db := freshPostgres(t)()
	rows, err := db.Rows(t.Context(), `SELECT c.relname::text, (c.relrowsecurity AND c.relforcerowsecurity)::text,
		(SELECT coalesce(string_agg(p.polname::text || p.polcmd::text, ' ' ORDER BY p.polname), '') FROM pg_policy p WHERE p.polrelid = c.oid)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname NOT LIKE 'goose%'`)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		want := "everyoner own*"
		if r[0] == "act" { // only ever added
			want = "adda everyoner ownr"
		}
		if openToAll[r[0]] == "" && (r[1] != "true" || r[2] != want) {
			t.Errorf("table %s: row-level security %s with policies %q", r[0], r[1], r[2])
		}
	}
	rows, err = db.Rows(t.Context(), `SELECT table_name || '.' || column_name, coalesce(collation_name, '') FROM information_schema.columns
		WHERE table_schema = 'public' AND data_type = 'text' AND table_name NOT LIKE 'goose%' AND collation_name IS DISTINCT FROM 'C'`)
	if err != nil || len(rows) > 0 {
		t.Errorf("columns that do not sort by bytes: %v, %v", rows, err)
	}
}

// twoMerchants stores the same of two merchants.
func twoMerchants(t *testing.T, db *storage.DB) {
	t.Helper()
	for _, id := range []string{"acme", "zeta"} {
		if _, err := db.Apply(t.Context(), configuration(id), time.UnixMicro(1)); err != nil {
			t.Fatal(err)
		}
		s := newStream(t, db, "agent-1")
		s.id.Merchant = id
		if id != "acme" {
			if _, err := db.Issue(t.Context(), s.id, s.epoch, s.digest, "test", time.UnixMicro(1)); err != nil {
				t.Fatal(err)
			}
		}
		s.commit(t, db, 3)
	}
}

func configuration(id string, connections ...string) merchant.Merchant {
	m := merchant.Merchant{ID: id, Currency: "GBP", Stores: []merchant.Store{{ID: "leeds", Zone: "Europe/London"}},
		Mappings: []merchant.Mapping{{From: "2026-01-01", Mapping: books.Mapping{Currency: "GBP"}}}}
	for _, c := range connections {
		m.Connections = append(m.Connections, merchant.Connection{ID: c, Target: "text"})
	}
	return m
}

func TestAStatementWithoutAConditionTouchesOneMerchantsRows(t *testing.T) {
	t.Parallel()
	db := freshPostgres(t)()
	twoMerchants(t, db)
	for _, table := range []string{"document", "epoch", "stream_batch", "store_day", "merchant_config", "mapping"} {
		for merchantID, want := range map[string][]string{"acme": {"acme"}, "zeta": {"zeta"}, "*": {"acme", "zeta"}, "": nil, "none": nil} {
			got, err := db.RowsOf(t.Context(), merchantID, `SELECT DISTINCT merchant FROM `+table+` ORDER BY 1`)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s as %q (-want +got):\n%s", table, merchantID, diff)
			}
		}
	}
	if got, err := db.Rows(t.Context(), `SELECT merchant, '' FROM document`); err != nil || len(got) > 0 {
		t.Errorf("outside of a merchant's transaction %d rows are seen: %v", len(got), err)
	}
	for merchantID, want := range map[string]int64{"acme": 3, "*": 0, "": 0} {
		n, err := db.Change(t.Context(), merchantID, `UPDATE document SET reason = 'x'`)
		if err != nil || n != want {
			t.Errorf("as %q %d rows were changed, not %d: %v", merchantID, n, want, err)
		}
	}
	for _, merchantID := range []string{"acme", "*", ""} {
		_, err := db.Change(t.Context(), merchantID, `INSERT INTO connection (merchant, target) VALUES ('zeta', 'books')`)
		if err == nil || !strings.Contains(err.Error(), "row-level security") {
			t.Errorf("as %q a row of zeta was added: %v", merchantID, err)
		}
	}
}

func TestWhatIsNoTextIsStoredWithMarks(t *testing.T) {
	t.Parallel()
	db := freshPostgres(t)()
	code := fleet.Code{Hash: [32]byte{7}, Merchant: "acme", Store: "leeds", ExpiresAt: time.UnixMicro(9)}
	if err := db.AddCode(t.Context(), code); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Redeem(t.Context(), code.Hash, "agent-1", "till\x00pc\xff", "1.0", time.UnixMicro(1)); err != nil {
		t.Fatal(err)
	}
	if a, err := db.Agent(t.Context(), "acme", "agent-1"); err != nil || a.Host != "till\ufffdpc\ufffd" {
		t.Errorf("the host is %q, %v", a.Host, err)
	}
}

func TestARoleThatNoPolicyBindsIsRefused(t *testing.T) {
	t.Parallel()
	_, err := storage.Open(t.Context(), storage.Options{DSN: server.AsAdmin(server.Database(t))})
	if err == nil || !strings.Contains(err.Error(), "row-level security") {
		t.Errorf("opened as a superuser: %v", err)
	}
}

func TestADatabaseThatForgetsOrCannotKeepAllTextIsRefused(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	_, err := storage.Open(t.Context(), storage.Options{DSN: dsn + " options='-c synchronous_commit=off'"})
	if err == nil || !strings.Contains(err.Error(), "synchronous_commit") {
		t.Errorf("opened with synchronous_commit off: %v", err)
	}
	_, err = storage.Open(t.Context(), storage.Options{DSN: "host=/nowhere password=secret dbname=x"})
	if !errors.Is(err, intake.ErrBusy) && (err == nil || strings.Contains(err.Error(), "secret")) {
		t.Errorf("a server that is not there: %v", err)
	}
}

func TestPostgreSQLLooksRowsUpByAnIndex(t *testing.T) {
	t.Parallel()
	db := freshPostgres(t)()
	queries, err := storage.Queries()
	if err != nil {
		t.Fatal(err)
	}
	whole := map[string]string{ // reads of a whole table, with the reason
		"allConfigs": "all merchants", "countDays": "counts of all merchants", "countPostings": "counts of all merchants",
		"postgresCheck": "roles of the server",
	}
	for name, text := range queries {
		if strings.HasPrefix(name, "sqlite") {
			continue
		}
		steps, err := db.ServerPlan(t.Context(), text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, step := range steps {
			if strings.Contains(step, "Seq Scan") && whole[name] == "" {
				t.Errorf("%s reads a whole table: %s", name, steps)
			}
		}
	}
}

func TestTheLogCanNeitherBeChangedNorCutOnPostgreSQL(t *testing.T) {
	t.Parallel()
	db := freshPostgres(t)()
	twoMerchants(t, db)
	for _, text := range []string{`UPDATE act SET done_by = 'ben'`, `DELETE FROM act`, `TRUNCATE act`} {
		for _, merchantID := range []string{"acme", "*"} {
			if _, err := db.Change(t.Context(), merchantID, text); err == nil || !strings.Contains(err.Error(), "permission denied") {
				t.Errorf("%s as %q: %v", text, merchantID, err)
			}
		}
	}
	// Also where the owner takes the right back, no policy lets it touch a row.
	for _, text := range []string{`GRANT UPDATE, DELETE ON act TO CURRENT_USER`, `UPDATE act SET done_by = 'ben'`, `DELETE FROM act`} {
		if n, err := db.Change(t.Context(), "acme", text); err != nil || n > 0 {
			t.Errorf("%s: %d rows, %v", text, n, err)
		}
	}
	if err := db.Exec(t.Context(), `REVOKE UPDATE, DELETE ON act FROM CURRENT_USER`); err != nil {
		t.Error(err)
	}
}
