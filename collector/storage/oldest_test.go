package storage_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"tillbook.example/tillbook/collector/storage"
)

func TestAnOlderProgramWorksBesideANewerUnlessThatTookAwayWhatItNeeds(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]storage.Options{
		"SQLite": {Path: filepath.Join(t.TempDir(), "tillbook.db")}, "PostgreSQL": {DSN: server.Database(t)}, // of its own
	} {
		ctx, db := t.Context(), opener(t, o)()
		if err := db.Migrate(ctx); err != nil {
			t.Fatal(name, err)
		}
		_, knows, err := db.Versions(ctx)
		if err != nil {
			t.Fatal(err)
		}
		// A newer program has been here, with a step that this one has never heard of.
		if err := db.Exec(ctx, fmt.Sprintf(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, TRUE)`, knows+1)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Migrate(ctx), db.Fits(ctx)); err != nil {
			t.Errorf("%s: what was only added is refused: %v", name, err)
		}
		if err := db.RaiseOldest(ctx, uint64(knows)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Migrate(ctx), db.Fits(ctx)); err != nil {
			t.Errorf("%s: it knows all that is needed: %v", name, err)
		}
		if err := db.RaiseOldest(ctx, uint64(knows)+1); err != nil {
			t.Fatal(err)
		}
		for call, err := range map[string]error{"migrate": db.Migrate(ctx), "fits": db.Fits(ctx)} {
			if !errors.Is(err, storage.ErrNewer) || !strings.Contains(fmt.Sprint(err), fmt.Sprint(knows+1)) {
				t.Errorf("%s, %s: %v, want ErrNewer and which version is needed", name, call, err)
			}
		}
		if err := db.RaiseOldest(ctx, 1); err != nil { // an older program does not lower it
			t.Fatal(err)
		}
		if err := db.Fits(ctx); !errors.Is(err, storage.ErrNewer) {
			t.Errorf("%s: lowered: %v", name, err)
		}
	}
}

// takesAway finds what a program that knows less cannot work beside: things that
// are gone, renamed or changed, and new columns that it would leave empty.
var takesAway = regexp.MustCompile(`(?i)\bDROP\s+(TABLE|COLUMN|VIEW)\b|\bRENAME\b|\bALTER\s+COLUMN\b|\bADD\s+COLUMN\s+\w+[^;,]*\bNOT\s+NULL\b[^;,]*`)

func TestWhateverTakesSomethingAwaySaysSinceWhenProgramsMustKnowIt(t *testing.T) {
	t.Parallel()
	last := 0
	err := fs.WalkDir(os.DirFS("migrations"), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path.Join("migrations", name))
		if err != nil {
			return err
		}
		number, err := strconv.Atoi(path.Base(name)[:5])
		if err != nil {
			return err
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		for _, found := range takesAway.FindAllString(regexp.MustCompile(`--.*`).ReplaceAllString(up, ""), -1) {
			if strings.Contains(strings.ToUpper(found), "ADD COLUMN") && strings.Contains(strings.ToUpper(found), "DEFAULT") {
				continue
			}
			if number > storage.Oldest {
				t.Errorf("%s: %q breaks programs that know less: add first and take away two releases later, or raise the constant oldest", name, found)
			}
			last = max(last, number)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if last != storage.Oldest {
		t.Errorf("oldest is %d, the last migration that takes something away is %d", storage.Oldest, last)
	}
}
