package modtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// run runs the go command in a folder, outside any workspace.
func run(t *testing.T, folder string, arguments ...string) []byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", arguments...)
	command.Dir = folder
	command.Env = append(os.Environ(), "GOWORK=off")
	var said bytes.Buffer
	command.Stderr = &said
	output, err := command.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(arguments, " "), err, said.String())
	}
	return output
}

// importer lays out a module that imports a package of the wire contract, with
// the requirements of the contract's own go.mod, and returns its folder.
func importer(t *testing.T, root string) string {
	t.Helper()
	required, err := os.ReadFile(filepath.Join(root, "proto", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "proto", "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	_, required, found := bytes.Cut(required, []byte("module "+proto+"\n"))
	if !found {
		t.Fatalf("proto/go.mod does not begin with module %s", proto)
	}
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": fmt.Sprintf("module example.test/platform\n%s\nrequire %s v0.0.0\n\nreplace %s => %s\n", required, proto, proto, filepath.Join(root, "proto")),
		"go.sum": string(sums),
		"use.go": "package platform\n\nimport _ \"" + proto + "/tillbookv1\"\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestThoseWhoImportTheWireContractGetNoBadgerNorAnythingElseOfThePrograms(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	folder := importer(t, root)
	listing := run(t, folder, "list", "-deps", "-json=ImportPath,Standard,Module", "./...")
	if !bytes.Contains(listing, []byte(proto+"/tillbookv1")) {
		t.Fatalf("the scratch module does not import the contract, so nothing is shown:\n%s", listing)
	}
	found, err := foreign(bytes.NewReader(listing), "example.test/platform")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		t.Errorf("importing the wire contract brings %q", found)
	}
	run(t, folder, "build", "./...")
}

func TestEachModuleBuildsWithoutTheWorkspace(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"../..", "../../proto"} {
		run(t, folder, "build", "./...")
	}
}

func TestAForeignModuleIsFound(t *testing.T) {
	t.Parallel()
	listing := `{"ImportPath":"fmt","Standard":true}
{"ImportPath":"example.test/platform","Module":{"Path":"example.test/platform"}}
{"ImportPath":"tillbook.example/tillbook/proto/tillbookv1","Module":{"Path":"tillbook.example/tillbook/proto"}}
{"ImportPath":"google.golang.org/grpc/codes","Module":{"Path":"google.golang.org/grpc"}}
{"ImportPath":"golang.org/x/net/http2","Module":{"Path":"golang.org/x/net"}}
`
	find := func(more string) []string {
		t.Helper()
		found, err := foreign(strings.NewReader(listing+more), "example.test/platform")
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := find(""); len(found) > 0 {
		t.Errorf("found %q among what is allowed", found)
	}
	badger := `{"ImportPath":"github.com/dgraph-io/badger/v4/y","Module":{"Path":"github.com/dgraph-io/badger/v4"}}
{"ImportPath":"github.com/dgraph-io/badger/v4","Module":{"Path":"github.com/dgraph-io/badger/v4"}}
{"ImportPath":"tillbook.example/tillbook/shared/money","Module":{"Path":"tillbook.example/tillbook"}}
`
	want := []string{"github.com/dgraph-io/badger/v4", "tillbook.example/tillbook"}
	if found := find(badger); !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
	for _, bad := range []string{"not JSON", `{"ImportPath":"stray"}`} {
		if _, err := foreign(strings.NewReader(bad), ""); err == nil {
			t.Errorf("%s is taken for a listing", bad)
		}
	}
}
