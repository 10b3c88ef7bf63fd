package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"strings"
)

// sides keeps the two programs and what they share apart: the agent never
// imports the collector nor the other way round, shared/ depends on neither,
// and the wire contract on nothing of the project, so that others can import it
// alone. Tests are held to it too: a test that needs both sides belongs outside
// them.
func sides(t *tree) []problem {
	barred := map[string][]string{ // by first folder
		"agent":     {"collector"},
		"collector": {"agent"},
		"shared":    {"agent", "collector"},
		"proto":     {"agent", "collector", "shared", "internal"},
	}
	var problems []problem
	for _, f := range t.code() {
		from, _, _ := strings.Cut(f.path, "/")
		for _, i := range f.imports() {
			to, _, _ := strings.Cut(i.ours, "/")
			for _, no := range barred[from] {
				if to == no {
					problems = append(problems, problem{t.at(i.spec), fmt.Sprintf("%s/ never imports %s/, this imports %s", from, no, i.ours)})
				}
			}
		}
	}
	return problems
}

// layers keeps the arrows cmd -> cli -> app -> rooms within each program: cmd
// imports only cli; only cmd imports cli; only cli imports app; only app and cli
// import storage, which implements what the rooms declare. Tests may wire up
// what they need.
func layers(t *tree) []problem {
	var problems []problem
	for _, f := range t.code() {
		side, room := place(f.folder())
		if side == "" || f.test() {
			continue
		}
		for _, i := range f.imports() {
			toSide, to := place(i.ours)
			switch {
			case i.ours == "":
			case room == "cmd" && to != "cli":
				problems = append(problems, problem{t.at(i.spec), "cmd imports only cli, this imports " + i.ours})
			case toSide == "" || to == room:
			case to == "cmd":
				problems = append(problems, problem{t.at(i.spec), "nothing imports a program, this imports " + i.ours})
			case to == "cli" && room != "cmd":
				problems = append(problems, problem{t.at(i.spec), "only cmd imports cli, this is " + room})
			case to == "app" && room != "cli":
				problems = append(problems, problem{t.at(i.spec), "only cli imports app, this is " + room})
			case to == "storage" && room != "app" && room != "cli":
				problems = append(problems, problem{t.at(i.spec), fmt.Sprintf(
					"only app and cli import storage; %s declares the small interface it needs and storage implements it", room)})
			}
		}
	}
	return problems
}

// place splits a folder of one of the programs into side and room:
// "collector/target/text" is room target of the collector. Other folders have no
// side.
func place(folder string) (side, room string) {
	parts := strings.SplitN(folder, "/", 3)
	if len(parts) < 2 || (parts[0] != "agent" && parts[0] != "collector") {
		return "", ""
	}
	return parts[0], parts[1]
}

// pure says whether a folder is one of the pure rooms: values in, values out.
func pure(folder string) bool {
	return within(folder, "shared") && !within(folder, "shared/pki") ||
		withinAny(folder, "collector/books", "collector/reconcile", "collector/settle")
}

// impureImports is what a pure room must not import, with what lies below it:
// clocks come as values, rows and bytes are read by the caller, and what went
// wrong is returned. math/rand and crypto/rand are here since replay must give
// the same bytes again.
var impureImports = []string{
	"context", "crypto/rand", "database/sql", "io/ioutil", "log", "math/rand",
	"net", "os", "path/filepath", "plugin", "syscall", "testing", "unsafe",
}

// pureExceptions lie below the above but only work on values.
var pureExceptions = map[string]bool{"net/netip": true, "net/url": true}

// clock is what of package time looks at or waits for the machine's clock, or
// depends on its zone.
var clock = map[string]bool{
	"Now": true, "Since": true, "Until": true, "After": true, "AfterFunc": true, "Tick": true,
	"NewTimer": true, "NewTicker": true, "Sleep": true, "Local": true,
}

// purity keeps the pure rooms pure: no clock, database, context, logging, file
// or network, and of the project only other pure rooms and the wire contract.
// What generated code imports is the generator's business, and tests may read
// files. Packages of a pure room that end in "test" hold conformance suites and
// may import testing.
func purity(t *tree) []problem {
	var problems []problem
	for _, f := range t.code() {
		if f.test() || !pure(f.folder()) {
			continue
		}
		suite := strings.HasSuffix(path.Base(f.folder()), "test")
		for _, i := range f.imports() {
			switch {
			case i.ours != "" && !pure(i.ours) && !within(i.ours, "proto"):
				problems = append(problems, problem{t.at(i.spec), "a pure room imports only pure rooms, this imports " + i.ours})
			case i.ours == "" && withinAny(i.path, impureImports...) && !pureExceptions[i.path] && !(suite && i.path == "testing"):
				problems = append(problems, problem{t.at(i.spec), "a pure room does not import " + i.path + "; take what it gives as a value"})
			}
		}
		f.uses("time", clock, func(use *ast.SelectorExpr) {
			problems = append(problems, problem{t.at(use), "a pure room has no clock: take the instant or the zone as a value instead of time." + use.Sel.Name})
		})
	}
	return problems
}

// exact are the rooms where amounts are counted.
func exact(folder string) bool {
	return withinAny(folder, "shared/money", "shared/document", "shared/wire", "shared/format",
		"collector/books", "collector/reconcile", "collector/settle", "collector/day", "collector/posting", "collector/target", "collector/feed")
}

// noFloats keeps binary fractions out of the rooms that count money, tests
// apart: 0.1 has no exact float.
func noFloats(t *tree) []problem {
	floats := map[string]bool{"float32": true, "float64": true, "complex64": true, "complex128": true}
	var problems []problem
	for _, f := range t.code() {
		if f.test() || !exact(f.folder()) {
			continue
		}
		ast.Inspect(f.syntax, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.Ident:
				if floats[n.Name] && n.Obj == nil {
					problems = append(problems, problem{t.at(n), "no " + n.Name + " where money is counted; use package money"})
				}
			case *ast.BasicLit:
				if n.Kind == token.FLOAT {
					problems = append(problems, problem{t.at(n), "no binary fraction " + n.Value + " where money is counted; use package money"})
				}
			}
			return true
		})
		f.uses("strconv", map[string]bool{"ParseFloat": true, "FormatFloat": true, "AppendFloat": true}, func(use *ast.SelectorExpr) {
			problems = append(problems, problem{t.at(use), "no strconv." + use.Sel.Name + " where money is counted; use package money"})
		})
	}
	return problems
}

// unwanted packages have a better way here: log/slog, %w and errors.Is, the
// standard library's testing with go-cmp.
var unwanted = map[string]string{
	"log":                         "log with log/slog",
	"io/ioutil":                   "use io and os",
	"github.com/pkg/errors":       "wrap with fmt.Errorf and %w",
	"github.com/stretchr/testify": "use the standard library and go-cmp",
	"github.com/sirupsen/logrus":  "log with log/slog",
	"go.uber.org/zap":             "log with log/slog",
	"gorm.io/gorm":                "write SQL in storage",
}

// libraries keeps out packages that the project decided against.
func libraries(t *tree) []problem {
	var problems []problem
	for _, f := range t.code() {
		for _, i := range f.imports() {
			for no, instead := range unwanted {
				if i.path == no || (strings.Contains(no, ".") && within(i.path, no)) {
					problems = append(problems, problem{t.at(i.spec), "not " + i.path + ": " + instead})
				}
			}
		}
	}
	return problems
}
