package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestARealGoTestIsCounted(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.test/small\n\ngo 1.26\n",
		"a.go":   "package a\n",
		"a_test.go": `package a

import "testing"

func TestPasses(t *testing.T) {}
func TestFails(t *testing.T)  { t.Run("inside", func(t *testing.T) { t.Error("two is not three") }) }
func TestSkips(t *testing.T)  { t.Skip("tool missing: abacus") }
`,
		"broken/broken.go":      "package broken\n\nvar x int = \"text\"\n",
		"broken/broken_test.go": "package broken\n\nimport \"testing\"\n\nfunc TestNever(t *testing.T) {}\n",
		"bare/bare.go":          "package bare\n",
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	tally := newTally(&out, false, false)
	s := suite{name: "a small module", folder: folder, env: []string{"GOWORK=off"}, packages: []string{"./..."}}
	s.run(t.Context(), tally, false)
	if tally.sum() {
		t.Errorf("a run with failures is called good:\n%s", out.String())
	}
	for _, want := range []string{
		"\n1 passed, 2 failed, 1 skipped\n",
		"two is not three",
		"cannot use \"text\"",
		"tool missing: abacus",
		"2 packages tested, 1 without tests",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
}

func TestAGoCommandThatFailsWithoutATestIsAFailure(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	tally := newTally(&out, false, false)
	suite{name: "an empty folder", folder: t.TempDir(), env: []string{"GOWORK=off"}, packages: []string{"./..."}}.run(t.Context(), tally, false)
	if tally.sum() || len(tally.failed) != 1 {
		t.Errorf("a folder without a module gave %d failures, want 1:\n%s", len(tally.failed), out.String())
	}
}

func TestAFreshRunTakesNothingFromTheCache(t *testing.T) {
	t.Parallel()
	s := suite{packages: []string{"./..."}}
	if got := s.arguments(true); !slices.Contains(got, "-count=1") || got[len(got)-1] != "./..." {
		t.Errorf("arguments of a fresh run: %q", got)
	}
	if got := s.arguments(false); slices.Contains(got, "-count=1") {
		t.Errorf("arguments of a usual run: %q", got)
	}
}

func TestEachModuleIsTestedUnlessPackagesAreNamed(t *testing.T) {
	t.Parallel()
	var folders []string
	for _, s := range suites(nil) {
		folders = append(folders, s.folder)
	}
	if !slices.Equal(folders, []string{".", "proto", "tools"}) {
		t.Errorf("tested folders: %q", folders)
	}
	if named := suites([]string{"./shared/money"}); len(named) != 1 || !slices.Equal(named[0].packages, []string{"./shared/money"}) {
		t.Errorf("with a package named: %+v", named)
	}
}

func TestTheReferenceFolder(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	checkout, shared := filepath.Join(root, "checkout"), filepath.Join(root, "shared")
	if err := os.MkdirAll(checkout, 0o755); err != nil {
		t.Fatal(err)
	}
	expect := func(name, set, want string, fails bool) {
		t.Helper()
		got, err := reference(set, checkout)
		if got != want || (err != nil) != fails {
			t.Errorf("%s: folder %q, error %v; want %q, an error: %v", name, got, err, want, fails)
		}
	}
	expect("nothing there", "", "", false)
	expect("set to nothing", filepath.Join(root, "nowhere"), "", true)
	if err := os.MkdirAll(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	expect("a shared folder without samples", "", "", false)
	if err := os.MkdirAll(filepath.Join(shared, "samples"), 0o755); err != nil {
		t.Fatal(err)
	}
	expect("one with samples", "", shared, false)
	expect("set to a folder", checkout, checkout, false)
}
