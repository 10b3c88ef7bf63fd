package archtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// licences that a dependency may have without a lawyer being asked: each may be
// linked into a program under Apache-2.0 and given away in binary form.
var licences = map[string]bool{
	"Apache-2.0": true, "MIT": true, "BSD-2-Clause": true, "BSD-3-Clause": true, "ISC": true, "Zlib": true,
	"MPL-2.0":                             true, // file by file; changed files of it must be shown
	"EPL-2.0 OR BSD-3-Clause":             true,
	"MIT AND Apache-2.0":                  true,
	"Apache-2.0 AND BSD-3-Clause":         true,
	"BSD-3-Clause AND MIT":                true,
	"BSD-3-Clause AND Apache-2.0 AND MIT": true,
}

// dependencies wants one line in DEPENDENCIES.md for each module that a go.mod
// here requires directly, or takes a tool from, and no line beyond those. A line
// says why it is used, its licence, and what would take its place.
func dependencies(t *tree) []problem {
	direct := map[string]string{} // go.mod by module path
	listed := map[string]bool{}
	var problems []problem
	for _, f := range t.files {
		if f.path == "go.mod" || strings.Count(f.path, "/") == 1 && strings.HasSuffix(f.path, "/go.mod") {
			for _, m := range directModules(string(f.text)) {
				direct[m] = f.path
			}
		}
	}
	for _, f := range t.files {
		if f.path != "DEPENDENCIES.md" {
			continue
		}
		for n, text := range strings.Split(string(f.text), "\n") {
			cells := strings.Split(strings.Trim(strings.TrimSpace(text), "|"), "|")
			name, ok := strings.CutPrefix(strings.TrimSpace(cells[0]), "`")
			if !ok || !strings.HasPrefix(text, "|") {
				continue
			}
			name = strings.TrimSuffix(name, "`")
			where := fmt.Sprintf("%s:%d", f.path, n+1)
			switch {
			case listed[name]:
				problems = append(problems, problem{where, name + " is listed twice"})
			case direct[name] == "":
				problems = append(problems, problem{where, name + " is not required by any go.mod here"})
			case len(cells) != 4 || slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) == "" }):
				problems = append(problems, problem{where, name + " wants four cells: module, why, licence, instead"})
			case !licences[strings.TrimSpace(cells[2])]:
				problems = append(problems, problem{where, fmt.Sprintf("%s has licence %q, which nobody has looked at", name, strings.TrimSpace(cells[2]))})
			}
			listed[name] = true
		}
	}
	for _, m := range slices.Sorted(maps.Keys(direct)) {
		if !listed[m] {
			problems = append(problems, problem{direct[m], m + " has no line in DEPENDENCIES.md"})
		}
	}
	return problems
}

// directModules are the modules of others that a go.mod requires directly or
// takes tools from.
func directModules(text string) []string {
	var direct, required, tools []string
	block := ""
	for line := range strings.Lines(text) {
		line, comment, _ := strings.Cut(strings.TrimSpace(line), "//")
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
			continue
		case fields[0] == ")":
			block = ""
			continue
		case len(fields) == 2 && fields[1] == "(":
			block = fields[0]
			continue
		case block != "":
			fields = append([]string{block}, fields...)
		}
		if len(fields) < 2 || strings.HasPrefix(fields[1]+"/", module) {
			continue
		}
		switch fields[0] {
		case "require":
			required = append(required, fields[1])
			if strings.TrimSpace(comment) != "indirect" {
				direct = append(direct, fields[1])
			}
		case "tool":
			tools = append(tools, fields[1])
		}
	}
	for _, tool := range tools {
		from := ""
		for _, m := range required {
			if within(tool, m) && len(m) > len(from) {
				from = m
			}
		}
		if from != "" && !slices.Contains(direct, from) {
			direct = append(direct, from)
		}
	}
	return direct
}
