package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// change is one mistake that somebody could have made.
type change struct {
	file string
	line int
	was  string // the text that is changed, shortened
	is   string
	text []byte // of the whole file, changed
}

func (c change) String() string { return fmt.Sprintf("%s:%d  %s  ->  %s", c.file, c.line, c.was, c.is) }

// others are the words that each word is taken for by mistake.
var others = map[token.Token]token.Token{
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL, token.REM: token.MUL,
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN, token.INC: token.DEC, token.DEC: token.INC,
	token.BREAK: token.CONTINUE, token.CONTINUE: token.BREAK,
}

// changesOf lists every change of a folder's code, tests and generated files
// apart.
func changesOf(folder string) ([]change, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", folder, err)
	}
	var all []change
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".pb.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		of, err := changesIn(name, text)
		if err != nil {
			return nil, err
		}
		all = append(all, of...)
	}
	return all, nil
}

// changesIn lists the changes of one file.
func changesIn(name string, text []byte) ([]change, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	m := maker{name: name, text: text, files: files}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil && f.Name.Name != "String" {
			ast.Inspect(f.Body, m.visit)
		}
	}
	return m.changes, nil
}

type maker struct {
	name    string
	text    []byte
	files   *token.FileSet
	changes []change
}

func (m *maker) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		m.word(n.OpPos, n.Op)
	case *ast.IncDecStmt:
		m.word(n.TokPos, n.Tok)
	case *ast.BranchStmt:
		if n.Label == nil {
			m.word(n.TokPos, n.Tok)
		}
	case *ast.AssignStmt:
		m.word(n.TokPos, n.Tok)
		if n.Tok != token.DEFINE {
			m.replace(n, "{}")
		}
	case *ast.ExprStmt:
		m.replace(n, "{}")
	case *ast.UnaryExpr:
		if n.Op == token.SUB || n.Op == token.NOT {
			m.put(n.OpPos, n.OpPos+1, " ")
		}
	case *ast.ReturnStmt:
		// What comes with an error is nothing, whatever it is.
		if last := len(n.Results) - 1; last > 0 && isError(n.Results[last]) {
			ast.Inspect(n.Results[last], m.visit)
			return false
		}
	case *ast.IfStmt:
		m.replace(n.Cond, "!("+m.source(n.Cond)+")")
	case *ast.BasicLit:
		if i, err := strconv.Atoi(n.Value); err == nil && n.Kind == token.INT {
			m.replace(n, strconv.Itoa(i+1))
		}
	case *ast.Ident:
		switch n.Name {
		case "true":
			m.replace(n, "false")
		case "false":
			m.replace(n, "true")
		}
	case *ast.CallExpr:
		// What an error says is for people; its words are no behaviour.
		if name := m.source(n.Fun); strings.HasSuffix(name, "Errorf") || strings.HasSuffix(name, "errors.New") || name == "panic" {
			return false
		}
	}
	return true
}

// isError reports whether a result reads like an error that is returned.
func isError(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "err" || strings.HasPrefix(e.Name, "Err") || strings.HasPrefix(e.Name, "err")
	case *ast.SelectorExpr:
		return isError(e.Sel)
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.SelectorExpr); ok {
			return f.Sel.Name == "Errorf" || f.Sel.Name == "Join" || f.Sel.Name == "New"
		}
	}
	return false
}

func (m *maker) word(at token.Pos, is token.Token) {
	if other, ok := others[is]; ok {
		m.put(at, at+token.Pos(len(is.String())), other.String())
	}
}

func (m *maker) replace(n ast.Node, with string) { m.put(n.Pos(), n.End(), with) }

func (m *maker) source(n ast.Node) string {
	return string(m.text[m.files.Position(n.Pos()).Offset:m.files.Position(n.End()).Offset])
}

func (m *maker) put(from, to token.Pos, with string) {
	a, b := m.files.Position(from), m.files.Position(to)
	line := m.text[bytes.LastIndexByte(m.text[:a.Offset], '\n')+1:]
	line = bytes.TrimSpace(line[:max(0, bytes.IndexByte(line, '\n'))])
	was := string(m.text[a.Offset:b.Offset])
	m.changes = append(m.changes, change{
		file: m.name, line: a.Line, was: short(was + "  in  " + string(line)), is: short(with),
		text: slices.Concat(m.text[:a.Offset], []byte(with), m.text[b.Offset:]),
	})
}

func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return s[:min(len(s), 160)]
}
