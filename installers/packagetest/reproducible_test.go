//go:build linux

package packagetest

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTwoBuildsGiveTheSameBytes(t *testing.T) {
	needs(t, "wixl", "msibuild")
	once, again := contents(t, build(t, "v1.1.0", "linux/amd64 windows/amd64")), contents(t, build(t, "v1.1.0", "linux/amd64 windows/amd64"))
	if len(once) != 9 {
		t.Errorf("%d files were made", len(once))
	}
	for name := range maps.Keys(once) {
		if once[name] != again[name] {
			t.Errorf("%s differs", name)
		}
	}
	if diff := cmp.Diff(names(once), names(again)); diff != "" {
		t.Error(diff)
	}
}

// contents are the files of a folder by name.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name()] = string(text)
	}
	return files
}

func names(files map[string]string) map[string]bool {
	set := map[string]bool{}
	for name := range files {
		set[name] = true
	}
	return set
}
