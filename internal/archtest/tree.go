// Package archtest holds the rules of the house that a compiler does not know:
// who may import whom, which rooms are pure, what a package comment has to be,
// and the like. Each rule is a function from the source tree to what is wrong
// in it, so its own tests show it a small tree that breaks it.
//
// The rules look at every Go file of every module here whatever its build
// constraints, so code for Windows is held to them on Linux. They read syntax,
// not types: they cannot see through an alias or an interface, and they are no
// replacement for go vet and staticcheck. The tests of this package apply them
// to the project; `make check` runs those.
package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// module is the path of the root module; proto's begins with it too.
const module = "tillbook.example/tillbook/"

// skippedFolders hold nothing that is written by hand and committed.
var skippedFolders = map[string]bool{".git": true, ".cache": true, "bin": true, "dist": true, "node_modules": true, "vendor": true}

// tree is the project's files, as far as rules look at them.
type tree struct {
	files []file // every text file, in order of path
	fset  *token.FileSet
}

// file is one text file. Go files outside testdata are parsed.
type file struct {
	path      string // slash-separated, from the root
	text      []byte
	syntax    *ast.File // nil for all but Go files
	generated bool
}

// problem is one place that breaks a rule.
type problem struct{ where, what string }

func (p problem) String() string { return p.where + ": " + p.what }

// load reads the tree. A Go file that does not parse is an error.
func load(root fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if skippedFolders[entry.Name()] {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if bytes.IndexByte(text[:min(len(text), 8<<10)], 0) >= 0 {
			return nil // not text
		}
		f := file{path: name, text: text}
		if path.Ext(name) == ".go" && !strings.Contains(name, "testdata/") {
			if f.syntax, err = parser.ParseFile(t.fset, name, text, parser.ParseComments); err != nil {
				return fmt.Errorf("parse %s: %w", name, err)
			}
			f.generated = ast.IsGenerated(f.syntax)
		}
		t.files = append(t.files, f)
		return nil
	})
	return t, err
}

// code is the Go files, generated ones left out.
func (t *tree) code() []file {
	var code []file
	for _, f := range t.files {
		if f.syntax != nil && !f.generated {
			code = append(code, f)
		}
	}
	return code
}

// at is where a node stands, as "path:line".
func (t *tree) at(node ast.Node) string {
	position := t.fset.Position(node.Pos())
	return position.Filename + ":" + strconv.Itoa(position.Line)
}

func (f file) test() bool     { return strings.HasSuffix(f.path, "_test.go") }
func (f file) folder() string { return path.Dir(f.path) }

// imported is one import of a file.
type imported struct {
	path string // "context", "github.com/…"
	ours string // folder within the project, empty for others' packages
	spec *ast.ImportSpec
}

func (f file) imports() []imported {
	var all []imported
	for _, spec := range f.syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has refused it
		}
		i := imported{path: p, spec: spec}
		i.ours, _ = strings.CutPrefix(p, module)
		if i.ours == p {
			i.ours = ""
		}
		all = append(all, i)
	}
	return all
}

// localName is what the file calls an imported package, empty when it does not
// import it.
func (f file) localName(importPath string) string {
	for _, i := range f.imports() {
		if i.path != importPath {
			continue
		}
		if i.spec.Name != nil {
			return i.spec.Name.Name
		}
		return path.Base(importPath)
	}
	return ""
}

// uses calls found for each mention of one of the names of an imported package,
// such as time.Now; a local variable of the package's name is not mistaken.
func (f file) uses(importPath string, names map[string]bool, found func(use *ast.SelectorExpr)) {
	local := f.localName(importPath)
	if local == "" {
		return
	}
	ast.Inspect(f.syntax, func(node ast.Node) bool {
		use, ok := node.(*ast.SelectorExpr)
		if !ok || !names[use.Sel.Name] {
			return true
		}
		if x, ok := use.X.(*ast.Ident); ok && x.Name == local && x.Obj == nil {
			found(use)
		}
		return true
	})
}

// within says whether a folder is the given one or lies in it.
func within(folder, parent string) bool {
	return folder == parent || strings.HasPrefix(folder, parent+"/")
}

// withinAny says whether a folder lies in one of the given ones.
func withinAny(folder string, parents ...string) bool {
	for _, parent := range parents {
		if within(folder, parent) {
			return true
		}
	}
	return false
}
