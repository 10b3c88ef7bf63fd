package acceptance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"tillbook.example/tillbook/shared/problem"
)

// codes are where the rooms declare the codes that people are shown, by the
// beginning of the constants' names.
var codes = map[string][]string{
	"../collector/intake/read.go":    {"Code"},
	"../collector/intake/service.go": {"Refused"},
	"../collector/day/day.go":        {"Hold"},
	"../shared/format/format.go":     {"Incomplete", "Malformed", "Bad", "TooLong", "WrongFormat", "NotAccepted"},
}

func TestEveryCodeThatARoomShowsHasItsRowInTheTable(t *testing.T) {
	t.Parallel()
	for path, prefixes := range codes {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for i, name := range spec.Names {
				if i >= len(spec.Values) || !starts(name.Name, prefixes) {
					continue
				}
				literal, ok := spec.Values[i].(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					continue
				}
				code, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				found++
				if _, ok := problem.Find(code); !ok {
					t.Errorf("%s: %s (%q) has no row in shared/problem", path, name.Name, code)
				}
			}
			return true
		})
		if found == 0 {
			t.Errorf("%s declares no code any more: name the place where they are", path)
		}
	}
}

func starts(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
