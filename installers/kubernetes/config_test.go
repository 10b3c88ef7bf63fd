package kubernetes

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"tillbook.example/tillbook/collector/app"
	"tillbook.example/tillbook/shared/settings"
)

// grace is the pods' terminationGracePeriodSeconds, which tools/kubernetes holds
// the manifests to.
const grace = 40 * time.Second

func TestTheCollectorsReadTheirConfiguration(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*/collector.yaml")
	if err != nil || len(files) != 2 {
		t.Fatalf("found %q, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		layer, err := settings.YAML(file, text)
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := app.Load(layer)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if c.Ops.Listen != "0.0.0.0:7420" || c.Agents.Listen != "0.0.0.0:7443" {
			t.Errorf("%s: probes and agents would not find it: %+v %+v", file, c.Ops, c.Agents)
		}
		if c.Stop.Grace+c.Stop.Limit >= grace {
			t.Errorf("%s: %s and %s are not within the pods' %s", file, c.Stop.Grace, c.Stop.Limit, grace)
		}
	}
}

// TestTheManifestsAreBuiltAndReadAsAClusterWould runs the tests of tools/kubernetes.
// They are another module's, so only a test of this one is run again when a
// manifest changes.
func TestTheManifestsAreBuiltAndReadAsAClusterWould(t *testing.T) {
	t.Parallel()
	manifests := 0
	if err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		manifests++
		_, err = os.ReadFile(path)
		return err
	}); err != nil || manifests == 0 {
		t.Fatalf("%d manifests, %v", manifests, err)
	}
	test := exec.CommandContext(t.Context(), "go", "test", "-count=1", "./kubernetes")
	test.Dir, test.Env = filepath.Join("..", "..", "tools"), append(os.Environ(), "GOWORK=off")
	if out, err := test.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
