package archtest

import (
	"os"
	"testing"
)

// TestTheProject applies each rule to the project itself.
func TestTheProject(t *testing.T) {
	t.Parallel()
	project, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(project.code()) < 20 {
		t.Fatalf("only %d Go files found, so nothing would be shown", len(project.code()))
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for _, p := range r.check(project) {
				t.Error(p)
			}
		})
	}
}
