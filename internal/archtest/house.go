package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/token"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// comments wants one package comment of at least two sentences for each
// package: what it is for, and what it guarantees or leaves to others. Packages
// of generated code alone are left out, and so are external test packages.
func comments(t *tree) []problem {
	type pkg struct{ folder, name string }
	product := map[pkg][]file{}
	for _, f := range t.code() {
		if !strings.HasSuffix(f.syntax.Name.Name, "_test") {
			p := pkg{f.folder(), f.syntax.Name.Name}
			product[p] = append(product[p], f)
		}
	}
	var problems []problem
	for p, files := range product {
		var with []string
		for _, f := range files {
			if f.syntax.Doc == nil {
				continue
			}
			with = append(with, path.Base(f.path))
			if sentences(f.syntax.Doc.Text()) < 2 {
				problems = append(problems, problem{t.at(f.syntax.Doc), "the package comment has one sentence; say also what it guarantees or does not do"})
			}
		}
		switch len(with) {
		case 0:
			problems = append(problems, problem{p.folder, "package " + p.name + " has no package comment"})
		case 1:
		default:
			problems = append(problems, problem{p.folder, "package " + p.name + " has more than one package comment: " + strings.Join(with, ", ")})
		}
	}
	return problems
}

// sentences is 0, 1 or 2 for none, one or more. Indented lines are examples, not
// prose.
func sentences(comment string) int {
	var prose []string
	for line := range strings.Lines(comment) {
		if !strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, " ") {
			prose = append(prose, strings.Fields(line)...)
		}
	}
	all := strings.Join(prose, " ")
	first := new(doc.Package).Synopsis(all)
	switch rest := strings.TrimSpace(strings.TrimPrefix(all, first)); {
	case first == "":
		return 0
	case strings.ContainsAny(rest, ".!?") && strings.Count(rest, " ") >= 2:
		return 2
	}
	return 1
}

// names keeps out packages that are named for nothing in particular.
func names(t *tree) []problem {
	empty := map[string]bool{
		"util": true, "utils": true, "common": true, "helper": true, "helpers": true,
		"model": true, "models": true, "misc": true, "base": true,
	}
	var problems []problem
	for _, f := range t.code() {
		for _, name := range []string{path.Base(f.folder()), f.syntax.Name.Name} {
			if empty[name] {
				problems = append(problems, problem{f.path, "a package is named for what it is about, not " + name})
				break
			}
		}
	}
	return problems
}

// mainLines is the most that a main.go may have: it parses nothing and decides
// nothing.
const mainLines = 100

// mains keeps programs' main.go short.
func mains(t *tree) []problem {
	var problems []problem
	for _, f := range t.code() {
		if n := lines(f.text); path.Base(f.path) == "main.go" && n > mainLines {
			problems = append(problems, problem{f.path, fmt.Sprintf("%d lines, at most %d in main.go", n, mainLines)})
		}
	}
	return problems
}

// fileLines is the length above which a file needs a reason.
const fileLines = 600

// longFiles are those that have one, by path.
type longFiles map[string]string

// check keeps files short: what is longer does more than one thing, or has its
// reason here. A reason that is no longer needed is a problem too.
func (reasons longFiles) check(t *tree) []problem {
	written := map[string]bool{".go": true, ".proto": true, ".sql": true, ".sh": true, ".templ": true}
	used := map[string]bool{}
	var problems []problem
	for _, f := range t.files {
		n := lines(f.text)
		if !written[path.Ext(f.path)] || f.generated || n <= fileLines || strings.Contains(f.path, "testdata/") {
			continue
		}
		used[f.path] = true
		if reasons[f.path] == "" {
			problems = append(problems, problem{f.path, fmt.Sprintf("%d lines; above %d it needs a reason, or better a cut", n, fileLines)})
		}
	}
	return append(problems, stale(reasons, used)...)
}

// stale are the exceptions that nothing needs.
func stale(exceptions map[string]string, used map[string]bool) []problem {
	var problems []problem
	for _, name := range slices.Sorted(maps.Keys(exceptions)) {
		if !used[name] {
			problems = append(problems, problem{name, "is an exception that nothing needs any more; remove it"})
		}
	}
	return problems
}

func lines(text []byte) int { return bytes.Count(text, []byte("\n")) }

// sleepers are files that may call time.Sleep, with the reason.
type sleepers map[string]string

// check keeps time.Sleep out of products and tests alike: a product waits for
// something and can be told to stop, a test uses synctest, an injected clock or
// a channel. Within a synctest bubble it moves the bubble's clock and costs no
// time, so there it may stand.
func (reasons sleepers) check(t *tree) []problem {
	used := map[string]bool{}
	var problems []problem
	for _, f := range t.code() {
		f.uses("time", map[string]bool{"Sleep": true}, func(use *ast.SelectorExpr) {
			if f.inBubble(use) {
				return
			}
			used[f.path] = true
			if reasons[f.path] == "" {
				problems = append(problems, problem{t.at(use), "no time.Sleep: wait for what is awaited (a channel, synctest, an injected clock)"})
			}
		})
	}
	return append(problems, stale(reasons, used)...)
}

// inBubble says whether a node stands in a function that is passed to
// synctest.Test, or else, in a test file that imports synctest, in a function
// that such a one may call: any but a test, benchmark or fuzz target.
func (f file) inBubble(node ast.Node) bool {
	if !f.test() || f.localName("testing/synctest") == "" {
		return false
	}
	around := func(outer ast.Node) bool { return outer.Pos() <= node.Pos() && node.End() <= outer.End() }
	inside := false
	f.uses("testing/synctest", map[string]bool{"Test": true}, func(use *ast.SelectorExpr) {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			inside = inside || ok && call.Fun == use && around(call)
			return true
		})
	})
	if inside {
		return true
	}
	for _, declared := range f.syntax.Decls {
		if function, ok := declared.(*ast.FuncDecl); ok && around(function) {
			name := function.Name.Name
			return function.Recv != nil ||
				!strings.HasPrefix(name, "Test") && !strings.HasPrefix(name, "Benchmark") && !strings.HasPrefix(name, "Fuzz")
		}
	}
	return false
}

// skipReasons are how the reason of a skipped test may begin; make test counts
// the two apart.
var skipReasons = []string{"tool missing: ", "reference data: "}

// skips wants each t.Skip to say, in words that stand there, which of the two
// reasons it has. What cannot run on some system carries a build constraint
// instead.
func skips(t *tree) []problem {
	var problems []problem
	for _, f := range t.code() {
		testing := f.localName("testing")
		if testing == "" {
			continue
		}
		ast.Inspect(f.syntax, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !strings.HasPrefix(method.Sel.Name, "Skip") || !isTest(method.X, testing) {
				return true
			}
			switch method.Sel.Name {
			case "SkipNow":
				problems = append(problems, problem{t.at(call), "a test that skips says why: t.Skip with a reason"})
			case "Skip", "Skipf":
				if len(call.Args) == 0 || !reasonGiven(call.Args[0]) {
					problems = append(problems, problem{t.at(call), fmt.Sprintf("a skip begins with one of %q, written out here", skipReasons)})
				}
			}
			return true
		})
	}
	return problems
}

// isTest says whether an expression is a *testing.T, B or F or a testing.TB, as
// far as the syntax of one file tells: a parameter of that type, or a field
// named like one.
func isTest(x ast.Expr, testing string) bool {
	switch x := x.(type) {
	case *ast.SelectorExpr:
		return slices.Contains([]string{"t", "tb", "T", "TB", "B", "F"}, x.Sel.Name)
	case *ast.Ident:
		if x.Obj == nil {
			return false
		}
		field, ok := x.Obj.Decl.(*ast.Field)
		if !ok {
			return false
		}
		of := field.Type
		if star, ok := of.(*ast.StarExpr); ok {
			of = star.X
		}
		named, ok := of.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		from, ok := named.X.(*ast.Ident)
		return ok && from.Name == testing
	}
	return false
}

// reasonGiven says whether an argument is a text, or a sum that begins with one,
// that begins with an accepted reason.
func reasonGiven(argument ast.Expr) bool {
	for {
		sum, ok := argument.(*ast.BinaryExpr)
		if !ok {
			break
		}
		argument = sum.X
	}
	literal, ok := argument.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return false
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(skipReasons, func(begin string) bool { return strings.HasPrefix(text, begin) })
}

// inits keeps out func init: what a program consists of is wired up in app,
// where it can be read and tested.
func inits(t *tree) []problem {
	var problems []problem
	for _, f := range t.code() {
		for _, declared := range f.syntax.Decls {
			if function, ok := declared.(*ast.FuncDecl); ok && function.Recv == nil && function.Name.Name == "init" {
				problems = append(problems, problem{t.at(function), "no func init: wire it up where it is used"})
			}
		}
	}
	return problems
}
