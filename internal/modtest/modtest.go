// Package modtest tests the project's modules as others get them: each on its
// own, without the workspace that ties them together here. It guarantees that
// the wire contract can be imported without what the programs need, and that
// each module builds by its own go.mod.
//
// It holds only tests, and what they share. They run the go command and take as
// long as a build.
package modtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// proto is the module of the wire contract.
const proto = "tillbook.example/tillbook/proto"

// contractModules are all modules that importing the wire contract may bring.
var contractModules = []string{proto, "google.golang.org/grpc", "google.golang.org/protobuf", "google.golang.org/genproto/googleapis/rpc"}

// foreign are the modules, in order, of the packages in the output of
// `go list -deps -json` that the wire contract must not bring. The standard
// library has no module and golang.org/x belongs to the Go project.
func foreign(listing io.Reader, own string) ([]string, error) {
	var found []string
	decoder := json.NewDecoder(listing)
	for {
		var pkg struct {
			ImportPath string
			Standard   bool
			Module     *struct{ Path string }
		}
		if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			slices.Sort(found)
			return slices.Compact(found), nil
		} else if err != nil {
			return nil, fmt.Errorf("read what go list prints: %w", err)
		}
		if pkg.Standard {
			continue
		}
		if pkg.Module == nil {
			return nil, fmt.Errorf("package %s belongs to no module", pkg.ImportPath)
		}
		m := pkg.Module.Path
		if m != own && !slices.Contains(contractModules, m) && !strings.HasPrefix(m, "golang.org/x/") {
			found = append(found, m)
		}
	}
}
