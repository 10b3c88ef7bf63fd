package archtest

import (
	"strings"
	"testing"
	"testing/fstest"
)

// example is a small tree and what a rule has to find in it: one text for each
// problem, in any order. No text means that the tree is fine.
type example struct {
	name  string
	files map[string]string
	finds []string
}

// commented is a package clause with a comment that satisfies the comment rule.
const commented = "// Package a is an example. It does nothing else.\npackage a\n"

// examples by rule: at least one tree that breaks it, and trees that come close
// and do not.
var examples = map[string][]example{
	"agent, collector, shared and proto stay apart": {
		{"an agent importing the collector", map[string]string{
			"agent/uplink/a.go": "package uplink\nimport _ \"tillbook.example/tillbook/collector/intake\"\n",
		}, []string{"agent/uplink/a.go:2: agent/ never imports collector/"}},
		{"the collector importing the agent, in a test", map[string]string{
			"collector/day/a_test.go": "package day\nimport _ \"tillbook.example/tillbook/agent/outbox\"\n",
		}, []string{"collector/ never imports agent/"}},
		{"shared importing either", map[string]string{
			"shared/wire/a.go": "package wire\nimport (\n_ \"tillbook.example/tillbook/agent/outbox\"\n_ \"tillbook.example/tillbook/collector/day\"\n)\n",
		}, []string{"shared/ never imports agent/", "shared/ never imports collector/"}},
		{"the wire contract importing anything", map[string]string{
			"proto/x/a.go": "package x\nimport _ \"tillbook.example/tillbook/shared/money\"\n",
		}, []string{"proto/ never imports shared/"}},
		{"code that only Windows compiles", map[string]string{
			"agent/host/a_windows.go": "//go:build windows\n\npackage host\nimport _ \"tillbook.example/tillbook/collector/day\"\n",
		}, []string{"agent/host/a_windows.go:4"}},
		{"what is allowed", map[string]string{
			"agent/uplink/a.go": "package uplink\nimport (\n_ \"tillbook.example/tillbook/shared/wire\"\n_ \"tillbook.example/tillbook/agent/outbox\"\n_ \"example.com/collector\"\n)\n",
			"demo/a.go":         "package main\nimport (\n_ \"tillbook.example/tillbook/agent/app\"\n_ \"tillbook.example/tillbook/collector/app\"\n)\n",
		}, nil},
	},
	"cmd imports cli imports app imports rooms": {
		{"a program that imports a room", map[string]string{
			"agent/cmd/tillbook-agent/main.go": "package main\nimport _ \"tillbook.example/tillbook/agent/outbox\"\n",
		}, []string{"cmd imports only cli"}},
		{"a program that imports shared", map[string]string{
			"agent/cmd/tillbook-agent/main.go": "package main\nimport _ \"tillbook.example/tillbook/shared/buildinfo\"\n",
		}, []string{"cmd imports only cli"}},
		{"a room that imports storage", map[string]string{
			"collector/target/text/a.go": "package text\nimport _ \"tillbook.example/tillbook/collector/storage\"\n",
		}, []string{"only app and cli import storage; target declares"}},
		{"a room that imports app and cli", map[string]string{
			"collector/audit/a.go": "package audit\nimport (\n_ \"tillbook.example/tillbook/collector/app\"\n_ \"tillbook.example/tillbook/collector/cli\"\n)\n",
		}, []string{"only cli imports app", "only cmd imports cli"}},
		{"a room that imports a program", map[string]string{
			"agent/host/a.go": "package host\nimport _ \"tillbook.example/tillbook/agent/cmd/tillbook-agent\"\n",
		}, []string{"nothing imports a program"}},
		{"storage that imports app", map[string]string{
			"collector/storage/a.go": "package storage\nimport _ \"tillbook.example/tillbook/collector/app\"\n",
		}, []string{"only cli imports app, this is storage"}},
		{"what is allowed", map[string]string{
			"agent/cmd/tillbook-agent/main.go": "package main\nimport (\n\"os\"\n_ \"time/tzdata\"\n_ \"tillbook.example/tillbook/agent/cli\"\n)\n",
			"agent/cli/a.go":                   "package cli\nimport (\n_ \"tillbook.example/tillbook/agent/app\"\n_ \"tillbook.example/tillbook/agent/outbox\"\n)\n",
			"collector/app/a.go":               "package app\nimport (\n_ \"tillbook.example/tillbook/collector/storage\"\n_ \"tillbook.example/tillbook/collector/app/config\"\n)\n",
			"collector/storage/sqlite/a.go":    "package sqlite\nimport (\n_ \"tillbook.example/tillbook/collector/storage\"\n_ \"tillbook.example/tillbook/collector/day\"\n)\n",
			"collector/day/a_test.go":          "package day_test\nimport _ \"tillbook.example/tillbook/collector/storage\"\n",
		}, nil},
	},
	"pure rooms are pure": {
		{"the clock", map[string]string{
			"collector/books/a.go": "package books\nimport \"time\"\nvar x = time.Now()\nvar y = time.Since(x)\nvar z = time.Local\n",
		}, []string{"a.go:3: a pure room has no clock", "time.Since", "time.Local"}},
		{"a file that comes after a test and another room", map[string]string{
			"collector/books/a_test.go": "package books\n",
			"collector/day/a.go":        "package day\n",
			"shared/money/a.go":         "package money\nimport \"os\"\n",
		}, []string{"shared/money/a.go:2"}},
		{"the clock under another name", map[string]string{
			"shared/bizday/a.go": "package bizday\nimport clock \"time\"\nvar x = clock.After(1)\n",
		}, []string{"time.After"}},
		{"what reaches outside", map[string]string{
			"collector/reconcile/a.go": "package reconcile\nimport (\n\"context\"\n\"database/sql\"\n\"log/slog\"\n\"net/http\"\n\"os/exec\"\n\"math/rand/v2\"\n)\n",
		}, []string{"context", "database/sql", "log/slog", "net/http", "os/exec", "math/rand/v2"}},
		{"another room", map[string]string{
			"collector/books/a.go": "package books\nimport _ \"tillbook.example/tillbook/collector/merchant\"\n",
		}, []string{"a pure room imports only pure rooms"}},
		{"shared that imports pki", map[string]string{
			"shared/wire/a.go": "package wire\nimport _ \"tillbook.example/tillbook/shared/pki\"\n",
		}, []string{"a pure room imports only pure rooms"}},
		{"testing outside a suite", map[string]string{
			"shared/format/a.go": "package format\nimport \"testing\"\n",
		}, []string{"does not import testing"}},
		{"what is allowed", map[string]string{
			"shared/format/a.go":             "package format\nimport (\n\"io\"\n\"crypto/sha256\"\n\"net/url\"\n\"time\"\n_ \"tillbook.example/tillbook/shared/document\"\n)\nvar x = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)\n",
			"shared/wire/a.go":               "package wire\nimport _ \"tillbook.example/tillbook/proto/tillbookv1\"\n",
			"shared/format/a_test.go":        "package format\nimport (\n\"os\"\n\"time\"\n)\nvar x = time.Now()\n",
			"shared/format/formattest/a.go":  "package formattest\nimport \"testing\"\n",
			"shared/pki/a.go":                "package pki\nimport (\n\"crypto/rand\"\n\"time\"\n)\nvar x = time.Now()\n",
			"collector/day/a.go":             "package day\nimport \"context\"\n",
			"collector/bookshop/a.go":        "package bookshop\nimport \"os\"\n",
			"collector/books/shadowed.go":    "package books\nfunc f(time struct{ Now int }) int { return time.Now }\n",
			"collector/books/shadowed_as.go": "package books\nimport \"time\"\nvar d time.Duration\nfunc g(time struct{ Now int }) int { return time.Now }\n",
		}, nil},
	},
	"no float where money is counted": {
		{"a type, a literal and a conversion", map[string]string{
			"shared/money/a.go":           "package money\nimport \"strconv\"\nvar x float64\nvar y = 1.5\nvar z, _ = strconv.ParseFloat(\"1\", 64)\n",
			"collector/target/xero/a.go":  "package xero\nvar x float32\n",
			"collector/posting/factor.go": "package posting\nconst factor = 1e3\n",
		}, []string{"money/a.go:3: no float64", "binary fraction 1.5", "strconv.ParseFloat", "no float32", "1e3"}},
		{"what is allowed", map[string]string{
			"shared/money/a_test.go": "package money\nvar x = 1.5\n",
			"agent/uplink/a.go":      "package uplink\nvar x float64 = 0.5\n",
			"shared/money/b.go":      "package money\n// 1.5 float64\nvar x = \"1.5\"\n",
		}, nil},
	},
	"no package that has a better way here": {
		{"another logger and assertions", map[string]string{
			"agent/host/a.go":      "package host\nimport \"log\"\n",
			"agent/host/a_test.go": "package host\nimport \"github.com/stretchr/testify/require\"\n",
		}, []string{"not log: log with log/slog", "go-cmp"}},
		{"what is allowed", map[string]string{
			"agent/host/a.go": "package host\nimport (\n\"log/slog\"\n\"example.com/log\"\n)\n",
		}, nil},
	},
	"each package has one comment of two sentences": {
		{"none", map[string]string{"a/a.go": "package a\n"}, []string{"a: package a has no package comment"}},
		{"none but in a test", map[string]string{
			"a/a.go":      commented,
			"a/b_test.go": commented,
		}, []string{"more than one package comment: a.go, b_test.go"}},
		{"two", map[string]string{"a/a.go": commented, "a/b.go": commented}, []string{"more than one package comment: a.go, b.go"}},
		{"one sentence", map[string]string{"a/a.go": "// Package a is an example of version 1.5 of it\n// over two lines.\npackage a\n"}, []string{"a/a.go:1: the package comment has one sentence"}},
		{"one sentence and a code block", map[string]string{"a/a.go": "// Command a does a thing, as follows.\n//\n//\ta -x FILE.txt [FILE.txt ...] and more\npackage main\n"}, []string{"one sentence"}},
		{"a comment that stands apart", map[string]string{"a/a.go": "// Package a is an example. It does nothing.\n\npackage a\n"}, []string{"no package comment"}},
		{"what is allowed", map[string]string{
			"a/a.go":         commented,
			"a/b.go":         "package a\n",
			"a/x_test.go":    "package a_test\n",
			"gen/x.pb.go":    "// Code generated by a tool. DO NOT EDIT.\n\npackage gen\n",
			"only/a_test.go": "// Package only holds tests. They test the tree.\npackage only\n",
		}, nil},
	},
	"packages are named for what they are about": {
		{"a folder and a package", map[string]string{
			"shared/utils/a.go":   "package text\n",
			"agent/source/b.go":   "package helpers\n",
			"shared/common/c.go":  "package common\n",
			"collector/models.go": "package models\n",
		}, []string{"not utils", "not helpers", "not common", "not models"}},
		{"what is allowed", map[string]string{"shared/money/models.go": "package money\n"}, nil},
	},
	"main.go is short": {
		{"101 lines", map[string]string{"agent/cmd/x/main.go": "package main\n" + strings.Repeat("\n", 100)}, []string{"101 lines, at most 100"}},
		{"what is allowed", map[string]string{
			"agent/cmd/x/main.go": "package main\n" + strings.Repeat("\n", 99),
			"agent/cli/run.go":    "package cli\n" + strings.Repeat("\n", 200),
		}, nil},
	},
	"long files have a reason": {
		{"601 lines", map[string]string{
			"a/a.go":      "package a\n" + strings.Repeat("\n", 600),
			"a/a_test.go": "package a\n" + strings.Repeat("\n", 600),
			"a/a.sql":     strings.Repeat("\n", 601),
		}, []string{"a/a.go: 601 lines", "a/a_test.go", "a/a.sql"}},
		{"what is allowed", map[string]string{
			"a/a.go":           "package a\n" + strings.Repeat("\n", 599),
			"a/x.pb.go":        "// Code generated by a tool. DO NOT EDIT.\n\npackage a\n" + strings.Repeat("\n", 600),
			"a/testdata/x.sql": strings.Repeat("\n", 601),
			"a/a.jsonl":        strings.Repeat("\n", 601),
		}, nil},
	},
	"nothing sleeps": {
		{"in a product and in a test", map[string]string{
			"a/a.go":      "package a\nimport \"time\"\nfunc f() { time.Sleep(1) }\n",
			"a/a_test.go": "package a\nimport t \"time\"\nvar pause = t.Sleep\n",
		}, []string{"a/a.go:3: no time.Sleep", "a/a_test.go:3"}},
		{"in a test beside a bubble, and in a product that has none", map[string]string{
			"a/a_test.go": `package a
import (
	"testing"
	"testing/synctest"
	"time"
)
func TestA(t *testing.T) {
	time.Sleep(1)
	synctest.Test(t, func(t *testing.T) { time.Sleep(1); pause() })
}
func pause() { time.Sleep(1) }
func BenchmarkB(b *testing.B) { time.Sleep(1) }
`,
			"a/a.go": "package a\nimport (\n\"testing/synctest\"\n\"time\"\n)\nfunc f() { time.Sleep(1); synctest.Wait() }\n",
		}, []string{"a/a_test.go:8", "a/a_test.go:12", "a/a.go:6"}},
		{"what is allowed", map[string]string{
			"a/a.go": "package a\nimport \"time\"\n// time.Sleep\nvar x = time.After\nvar s struct{ Sleep func() }\nfunc f() { s.Sleep() }\n",
		}, nil},
	},
	"skipped tests give an accepted reason": {
		{"no reason, another one, one that is not there to read", map[string]string{
			"a/a_test.go": `package a
import "testing"
const later = "tool missing: later"
func TestA(t *testing.T) { t.SkipNow() }
func TestB(t *testing.T) { t.Skip() }
func TestC(t *testing.T) { t.Skip("flaky") }
func TestD(tb testing.TB) { tb.Skipf("on %s", "Sunday") }
func FuzzE(f *testing.F) { f.Fuzz(func(t *testing.T, s string) { t.Skip(later) }) }
func TestF(t *testing.T) { setup(t).t.Skip("no") }
`,
		}, []string{":4: a test that skips says why", ":5:", ":6:", ":7:", ":8:", ":9:"}},
		{"what is allowed", map[string]string{
			"a/a_test.go": `package a
import (
	"encoding/xml"
	"testing"
	"pgregory.net/rapid"
)
func TestA(t *testing.T) { t.Skip("tool missing: hledger") }
func TestB(t testing.TB) { t.Skipf("reference data: %s is not there", "samples") }
func TestC(t *testing.T) { t.Skip("reference data: " + "x") }
func TestD(d *xml.Decoder) { d.Skip() }
func TestE(t *rapid.T) { t.Skip() }
`,
		}, nil},
	},
	"nothing is registered by init": {
		{"an init", map[string]string{"a/a.go": "package a\nfunc init() {}\n"}, []string{"a/a.go:2: no func init"}},
		{"what is allowed", map[string]string{"a/a.go": "package a\ntype t int\nfunc (t) init() {}\nfunc initial() {}\n"}, nil},
	},
	"each dependency is accounted for": {
		{"no line, no dependency, twice, an unknown licence, an empty cell", map[string]string{
			"go.mod":       "module tillbook.example/tillbook\n\nrequire example.com/a v1.0.0\n\nrequire (\n\texample.com/b v1.0.0\n\texample.com/c v1.0.0\n\texample.com/far v1.0.0 // indirect\n\ttillbook.example/tillbook/proto v0.0.0\n)\n",
			"tools/go.mod": "module tillbook.example/tillbook/tools\n\nrequire (\n\texample.com/t v1.0.0 // indirect\n\texample.com/t/deep v1.0.0 // indirect\n)\n\ntool example.com/t/deep/cmd/tool\n",
			"DEPENDENCIES.md": "| module | why | licence | instead |\n|---|---|---|---|\n" +
				"| `example.com/b` | b | GPL-3.0 | x |\n| `example.com/c` | | MIT | x |\n| `example.com/c` | c | MIT | x |\n| `example.com/far` | f | MIT | x |\n",
		}, []string{
			"go.mod: example.com/a has no line", "tools/go.mod: example.com/t/deep has no line",
			"md:3: example.com/b has licence \"GPL-3.0\"", "md:4: example.com/c wants four cells",
			"md:5: example.com/c is listed twice", "md:6: example.com/far is not required",
		}},
		{"no list at all", map[string]string{"proto/go.mod": "require example.com/a v1.0.0\n"}, []string{"proto/go.mod: example.com/a has no line"}},
		{"what is allowed", map[string]string{
			"go.mod":              "module tillbook.example/tillbook\n\nrequire example.com/a v1.0.0\n\nreplace tillbook.example/tillbook/proto => ./proto\n",
			"x/y/testdata/go.mod": "require example.com/z v1.0.0\n",
			"DEPENDENCIES.md":     "Text.\n\n| module | why | licence | instead |\n|---|---|---|---|\n| `example.com/a` | a thing | MIT | our own |\n",
		}, nil},
	},
}

func TestEachRuleFindsWhatBreaksItAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			broken := 0
			for _, e := range examples[r.name] {
				if len(e.finds) > 0 {
					broken++
				}
				expect(t, e, r.check)
			}
			if broken == 0 {
				t.Error("no example breaks this rule, so nothing shows that it can be broken")
			}
		})
	}
}

// expect compares what a rule finds with what the example says it has to.
func expect(t *testing.T, e example, check func(*tree) []problem) {
	t.Helper()
	found := check(build(t, e.files))
	left := make(map[string]bool)
	for _, p := range found {
		left[p.String()] = true
	}
	for _, want := range e.finds {
		matched := ""
		for p := range left {
			if strings.Contains(p, want) {
				matched = p
			}
		}
		if matched == "" {
			t.Errorf("%s: nothing found with %q, only %v", e.name, want, found)
		}
		delete(left, matched)
	}
	for p := range left {
		t.Errorf("%s: found too much: %s", e.name, p)
	}
}

func build(t *testing.T, files map[string]string) *tree {
	t.Helper()
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	tree, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestAnExceptionCountsForItsFileAloneAndMustBeNeeded(t *testing.T) {
	t.Parallel()
	long := "package a\n" + strings.Repeat("\n", 600)
	expect(t, example{"long", map[string]string{"a/a.go": long, "a/b.go": long}, []string{"a/b.go: 601 lines", "a/gone.go: is an exception"}},
		longFiles{"a/a.go": "one table", "a/gone.go": "it was long"}.check)
	sleep := "package a\nimport \"time\"\nfunc f() { time.Sleep(1) }\n"
	expect(t, example{"sleeping", map[string]string{"a/a.go": sleep, "a/b.go": sleep}, []string{"a/b.go:3: no time.Sleep", "a/gone.go: is an exception"}},
		sleepers{"a/a.go": "the device wants it", "a/gone.go": "it slept"}.check)
}

func TestWhatIsBuiltOrFetchedIsNotLookedAt(t *testing.T) {
	t.Parallel()
	tree := build(t, map[string]string{
		".cache/x/a.go": "not Go", "bin/a.go": "not Go", "web/node_modules/x/a.go": "not Go", "a/testdata/a.go": "not Go", "a/a.go": "package a\n",
	})
	for _, f := range tree.code() {
		if f.path != "a/a.go" {
			t.Errorf("%s is looked at", f.path)
		}
	}
}

func TestAFileThatIsNotGoIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := load(fstest.MapFS{"a/a.go": {Data: []byte("not Go")}}); err == nil || !strings.Contains(err.Error(), "parse a/a.go") {
		t.Errorf("error %v, want one that names the file", err)
	}
}
