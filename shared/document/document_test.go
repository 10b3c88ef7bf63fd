package document_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tillbook.example/tillbook/shared/document"
	"tillbook.example/tillbook/shared/money"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// golden compares with a file of testdata, or writes it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := read(t, name); !bytes.Equal(want, got) {
		t.Errorf("%s differs (-file +now); if that is meant, run the test with -update:\n%s", name, cmp.Diff(string(want), string(got)))
	}
}

func parse(t testing.TB, text []byte) *document.Document {
	t.Helper()
	d, err := document.ParseJSON(text)
	if err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	return d
}

func amount(s string) *money.Decimal {
	d := money.MustParse(s)
	return &d
}

// benchDocument is a usual receipt: three lines, two tax rates, two tenders.
func benchDocument(t testing.TB) *document.Document {
	t.Helper()
	return parse(t, read(t, "testdata/bench.json"))
}
