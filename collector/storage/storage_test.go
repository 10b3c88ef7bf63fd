package storage_test

import (
	"path/filepath"
	"testing"

	"tillbook.example/tillbook/collector/storage"
	"tillbook.example/tillbook/collector/storage/storagetest"
)

func TestSQLiteConforms(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, fresh)
}

func fresh(t testing.TB) func() *storage.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tillbook.db")
	open := func() *storage.DB {
		db, err := storage.Open(t.Context(), storage.Options{Path: path})
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
	if err := open().Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return open
}
