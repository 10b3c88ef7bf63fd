package buildinfo

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestRevisionIsTheCommitAndTellsOfUncommittedChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		settings []debug.BuildSetting
		want     string
	}{
		{"nothing recorded", nil, "unknown"},
		{"other settings only", []debug.BuildSetting{{Key: "GOOS", Value: "linux"}}, "unknown"},
		{"changed but without a commit", []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}}, "unknown"},
		{"clean tree", []debug.BuildSetting{{Key: "vcs.revision", Value: "1f3c"}, {Key: "vcs.modified", Value: "false"}}, "1f3c"},
		{"changed tree, whatever the order", []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "1f3c"}}, "1f3c+changes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := revision(c.settings); got != c.want {
				t.Errorf("revision = %q, want %q", got, c.want)
			}
		})
	}
}

func TestAPlainBuildSaysDevAndNothingIsEmpty(t *testing.T) {
	t.Parallel()
	got := Read()
	want := Info{Version: "dev", Revision: Revision(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if got != want {
		t.Errorf("Read() = %+v, want %+v", got, want)
	}
	if got.Revision == "" {
		t.Error("an unrecorded revision reads empty, want a word")
	}
}

func TestTheLineNamesEveryPart(t *testing.T) {
	t.Parallel()
	info := Info{Version: "1.4.0", Revision: "1f3c", Go: "go1.26.8", Platform: "linux/amd64"}
	const want = "1.4.0 (revision 1f3c, go1.26.8, linux/amd64)"
	if got := info.String(); got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}
