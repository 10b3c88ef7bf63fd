package cli_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"tillbook.example/tillbook/collector/export"
	"tillbook.example/tillbook/collector/logbook"
	"tillbook.example/tillbook/shared/document"
)

// read reads a file of an export.
func read[T any](t *testing.T, folder, kind string) (all []T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, kind+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	for decoder.More() {
		var row T
		if err := decoder.Decode(&row); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		all = append(all, row)
	}
	return all
}

func TestWhatIsExportedCanBeReadWithoutThisProgram(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.sends("a1", c.sale("1", "1.00"), c.sale("2", "2.00"))
	c.sends("a2", c.sale("1", "9.00"))
	c.call(nil, "pause", "corner", "--by", "olga")
	folder := filepath.Join(t.TempDir(), "out")
	if code := c.call(nil, "export", "--merchant", "corner", "--out", folder, "--by", "olga"); code != 0 {
		t.Fatalf("exit %d", code)
	}
	documents := read[export.Document](t, folder, export.Documents)
	if len(documents) != 3 {
		t.Fatalf("%d documents", len(documents))
	}
	for _, d := range documents {
		received, err := document.Unmarshal(d.Body)
		c.must(err)
		// The JSON form says the same as what was received.
		if document.HashString(received) != d.Hash || document.HashString(d.Document) != d.Hash || d.Document.Key.Merchant != "corner" {
			t.Errorf("%+v", d)
		}
	}
	log := read[export.Act](t, folder, export.Log)
	for i, a := range log {
		act := logbook.Act{Merchant: a.Merchant, Number: a.Number, At: a.At, By: a.By, What: a.What, On: a.On, Detail: a.Detail}
		if i > 0 {
			if _, err := hex.Decode(act.Before[:], []byte(log[i-1].Hash)); err != nil {
				t.Error(err)
			}
		}
		if a.Hash != fmt.Sprintf("%x", sha256.Sum256([]byte(act.Text()))) {
			t.Errorf("act %d: %+v", i, a)
		}
	}
	if days := read[export.Day](t, folder, export.Days); len(days) != 1 || days[0].Day != "2026-03-02" {
		t.Errorf("days %+v", days)
	}
	if d := read[export.Decision](t, folder, export.Decisions); len(d) != 1 || d[0].What != "pause" || d[0].By != "olga" {
		t.Errorf("decisions %+v", d)
	}
	var acts []struct{ What, By, Detail string }
	c.call(&acts, "log", "--merchant", "corner")
	if last := acts[len(acts)-1]; last.What != "export" || last.By != "olga" || last.Detail != "3 documents" {
		t.Errorf("the log says %+v", last)
	}
	for _, wrong := range [][]string{{"--merchant", "corner"}, {"--out", folder}, {"corner", "--out", folder}, {"--merchant", "nobody", "--out", folder + "2"}, {"--merchant", "corner", "--out", folder}, {}} {
		if code := c.call(nil, append([]string{"export"}, wrong...)...); code != 2 {
			t.Errorf("%v: exit %d", wrong, code)
		}
	}
}
