package export_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/export"
)

// rows is a source of rows, and of an error after them.
type rows struct {
	all [][2]any
	end error
}

func (r rows) Everything(_ context.Context, _ string, f func(string, any) error) error {
	for _, row := range r.all {
		if err := f(row[0].(string), row[1]); err != nil {
			return err
		}
	}
	return r.end
}

func what(s export.Source) export.What {
	return export.What{Source: s, Merchant: "acme", Program: "1.2.3", Now: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}
}

func TestEachKindHasAFileWhoseSumIsInTheManifest(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "out")
	made, err := export.Write(t.Context(), what(rows{all: [][2]any{
		{export.Entries, export.Entry{Store: "leeds", Entry: json.RawMessage(`{"text":"a<b & c"}`), Proof: json.RawMessage(`{}`)}},
		{export.Entries, export.Entry{Store: "york", Entry: json.RawMessage(`{}`), Proof: json.RawMessage(`{}`)}},
		{export.Log, export.Act{Number: 1}},
	}}), folder)
	if err != nil {
		t.Fatal(err)
	}
	var read export.Manifest
	text, err := os.ReadFile(filepath.Join(folder, export.ManifestName))
	if err != nil || json.Unmarshal(text, &read) != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if read.Format != export.Format || read.Merchant != "acme" || len(read.Files) != len(export.Kinds) || len(made.Files) != len(read.Files) {
		t.Fatalf("manifest %+v", read)
	}
	counts := map[string]int{"entries.jsonl": 2, "log.jsonl": 1}
	for _, f := range read.Files {
		text, err := os.ReadFile(filepath.Join(folder, f.Name))
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(text), "\n"); lines != counts[f.Name] || f.Rows != lines || f.Size != int64(len(text)) || f.SHA256 != fmt.Sprintf("%x", sha256.Sum256(text)) {
			t.Errorf("%+v, of %d lines: %s", f, lines, text)
		}
		if f.Name == "entries.jsonl" && !strings.Contains(string(text), `{"text":"a<b & c"}`) {
			t.Errorf("an entry is not as it was made: %s", text)
		}
	}
	if _, err := export.Write(t.Context(), what(rows{}), folder); !errors.Is(err, export.ErrThere) {
		t.Errorf("over another: %v", err)
	}
}

func TestAnExportThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, source := range map[string]rows{
		"the source ends":   {[][2]any{{export.Log, export.Act{}}}, broken},
		"a kind of no file": {[][2]any{{"others", export.Act{}}}, nil},
		"what is no JSON":   {[][2]any{{export.Entries, export.Entry{Entry: json.RawMessage(`{`)}}}, nil},
	} {
		parent := t.TempDir()
		_, err := export.Write(t.Context(), what(source), filepath.Join(parent, "out"))
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if left, err := os.ReadDir(parent); err != nil || len(left) != 0 {
			t.Errorf("%s: left are %v, %v", name, left, err)
		}
	}
}
