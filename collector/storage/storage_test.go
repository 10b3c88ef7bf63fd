package storage_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/collector/storage/storagetest"
	"tillbook.example/tillbook/internal/postgres"
)

// server is the PostgreSQL of all tests here; it runs once one asks for it.
var server postgres.Server

func TestMain(m *testing.M) {
	if here, err := renewHere(); here {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
		code = 1
	}
	os.Exit(code)
}

func TestSQLiteConforms(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, fresh)
}

func TestPostgreSQLConforms(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, freshPostgres)
}

func fresh(t testing.TB) func() *storage.DB {
	t.Helper()
	open := opener(t, storage.Options{Path: filepath.Join(t.TempDir(), "tillbook.db")})
	if err := open().Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return open
}

func freshPostgres(t testing.TB) func() *storage.DB {
	t.Helper()
	return opener(t, storage.Options{DSN: server.Tables(t, func(dsn string) error {
		db, err := storage.Open(t.Context(), storage.Options{DSN: dsn})
		if err != nil {
			return err
		}
		return errors.Join(db.Migrate(t.Context()), db.Ahead(t.Context(), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)), db.Close())
	}, "meta", "goose_db_version")})
}

// opener returns how to open a database.
func opener(t testing.TB, o storage.Options) func() *storage.DB {
	t.Helper()
	return func() *storage.DB {
		db, err := storage.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return db
	}
}
