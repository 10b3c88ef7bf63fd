package books_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listed is one scenario of a shop and its books, and the tests that show what
// becomes of it.
type listed struct {
	id, what string
	room     string // whose business it is
	state    string // done, partly, open
	tests    []string
	note     string // what is not there
}

const (
	done   = "done"
	partly = "partly"
	open   = "open"

	noFeed    = "a feed that states such facts"
	noPosting = "posting the entry of a payout, dispute or fee: it is compared and its entry can be made"
)

// of names worked entries by their names.
func of(names ...string) []string { return names }

// at names tests of a folder.
func at(folder string, tests ...string) []string {
	named := make([]string, len(tests))
	for i, t := range tests {
		named[i] = folder + ":" + t
	}
	return named
}

func and(lists ...[]string) []string { return slices.Concat(lists...) }

var scenarioPage = filepath.Join("..", "..", "docs", "scenarios.md")

func TestTheListOfScenariosIsWhole(t *testing.T) {
	names := map[string]bool{}
	for _, chapter := range chapters() {
		for _, s := range chapter.scenarios {
			names[s.name] = true
		}
	}
	sources := map[string]string{}
	seen := map[string]bool{}
	for _, part := range scenarioParts() {
		for _, l := range part.list {
			if seen[l.id] {
				t.Errorf("%s is listed twice", l.id)
			}
			seen[l.id] = true
			switch {
			case (l.state == done || l.state == partly) && len(l.tests) == 0:
				t.Errorf("%s is %s without a test", l.id, l.state)
			case l.state != done && l.note == "":
				t.Errorf("%s is %s and does not say what is missing", l.id, l.state)
			}
			for _, name := range l.tests {
				folder, text, elsewhere := strings.Cut(name, ":")
				if !elsewhere {
					if !names[name] {
						t.Errorf("%s: there is no worked entry %q", l.id, name)
					}
					continue
				}
				if sources[folder] == "" {
					sources[folder] = source(t, folder)
				}
				if !strings.Contains(sources[folder], "func "+strings.TrimPrefix(text, "func ")+"(") {
					t.Errorf("%s: %s has no %q", l.id, folder, text)
				}
			}
		}
	}
	for i := 1; i <= 78; i++ {
		if !seen[fmt.Sprint(i)] {
			t.Errorf("scenario %d is not listed", i)
		}
	}
	for i := 1; i <= 31; i++ {
		if !seen[fmt.Sprintf("S%d", i)] {
			t.Errorf("worked entry S%d is not listed", i)
		}
	}
}

// source returns the Go of a folder.
func source(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(folder), "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no Go files: %v", folder, err)
	}
	var all strings.Builder
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

func TestThePageOfScenariosIsMadeOfTheList(t *testing.T) {
	var out strings.Builder
	out.WriteString(scenarioHead)
	for _, part := range scenarioParts() {
		fmt.Fprintf(&out, "\n## %s\n\n| | scenario | room | state | tests | not there |\n|---|---|---|---|---|---|\n", part.title)
		for _, l := range part.list {
			tests := make([]string, len(l.tests))
			for i, name := range l.tests {
				if folder, text, elsewhere := strings.Cut(name, ":"); elsewhere {
					name = folder + " `" + text + "`"
				}
				tests[i] = name
			}
			fmt.Fprintf(&out, "| %s | %s | %s | %s | %s | %s |\n", l.id, l.what, l.room, l.state, strings.Join(tests, " · "), l.note)
		}
	}
	if *update {
		if err := os.WriteFile(scenarioPage, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(scenarioPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != out.String() {
		t.Errorf("%s differs from the list; run: go test ./collector/books -update", scenarioPage)
	}
}

const scenarioHead = `# What shops do, and which test shows it

This page is written by a test of collector/books from a list in it; the test fails where a scenario is missing or a test
that is named here is not there. To change it, change the list and run

    go test ./collector/books -update

Names without a folder are worked entries of [accounting.md](accounting.md), run by ` + "`TestScenarios`" + ` of collector/books.
*room* is whose business the rest of it is; *partly* and *open* say what is not there.
`
