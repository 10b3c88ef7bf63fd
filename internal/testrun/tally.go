package main

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The two reasons for which a test of this project may skip itself, by how its
// message begins. Anything else is named in the summary as "other reasons".
const (
	toolMissing   = "tool missing: "
	referenceData = "reference data: "
)

// module is cut from package names where they are shown.
const module = "tillbook.example/tillbook/"

// event is one line of go test -json (see go doc test2json), with the fields
// that matter here.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of what is built, on build events
	Test        string
	Output      string
	Elapsed     float64 // seconds
	FailedBuild string  // ImportPath of the build that a package failed for
}

// tally counts tests as they end and keeps what has to be named at the end.
// A test with sub-tests is counted by its sub-tests; it counts itself only when
// it failed and none of them did.
type tally struct {
	out       io.Writer
	strict    bool // no skip for a tool, nor for reference data that is there
	reference bool // the folder of reference data is there

	running map[string]*run   // by package
	builds  map[string]string // output by ImportPath

	tested, untested int // packages with and without tests
	passed           int
	failed           []line
	skipped          []line
}

// line names one test of the summary, or a package when test is empty.
type line struct{ pkg, test, text string }

func (l line) String() string {
	name := strings.TrimSpace(l.pkg + " " + l.test)
	if l.text == "" {
		return name
	}
	return name + ": " + l.text
}

// run is a package whose tests are running.
type run struct {
	output strings.Builder // outside any test
	tests  map[string]*test
}

// test is one test or sub-test.
type test struct {
	action string // pass, fail, skip, unended; empty while it runs
	parent bool   // has sub-tests
	output strings.Builder
}

func newTally(out io.Writer, strict, reference bool) *tally {
	return &tally{out: out, strict: strict, reference: reference, running: map[string]*run{}, builds: map[string]string{}}
}

// fail records a failure that no test stands for.
func (t *tally) fail(pkg, test, text string) {
	t.failed = append(t.failed, line{pkg, test, text})
}

// take counts one event.
func (t *tally) take(e event) {
	switch {
	case e.Action == "build-output":
		t.builds[e.ImportPath] += e.Output
	case e.Package == "":
	case e.Test == "":
		t.takePackage(e)
	default:
		t.takeTest(e)
	}
}

func (t *tally) takeTest(e event) {
	r := t.run(e.Package)
	one := r.tests[e.Test]
	if one == nil {
		one = &test{}
		r.tests[e.Test] = one
		if cut := strings.LastIndexByte(e.Test, '/'); cut >= 0 && r.tests[e.Test[:cut]] != nil {
			r.tests[e.Test[:cut]].parent = true
		}
	}
	switch e.Action {
	case "output":
		one.output.WriteString(e.Output)
	case "pass", "fail", "skip":
		one.action = e.Action
		if e.Action == "pass" {
			one.output.Reset()
		}
	}
}

func (t *tally) takePackage(e event) {
	r := t.run(e.Package)
	switch e.Action {
	case "output":
		r.output.WriteString(e.Output)
	case "pass", "fail", "skip":
		delete(t.running, e.Package)
		t.close(e, r)
	}
}

func (t *tally) run(pkg string) *run {
	if t.running[pkg] == nil {
		t.running[pkg] = &run{tests: map[string]*test{}}
	}
	return t.running[pkg]
}

// close counts a package's tests and prints its line, and under it what failing
// tests printed.
func (t *tally) close(e event, r *run) {
	pkg := strings.TrimPrefix(e.Package, module)
	if e.Action == "skip" || (e.Action == "pass" && len(r.tests) == 0) {
		t.untested++
		return
	}
	t.tested++
	r.end(e.Action)
	failedBefore, ran := len(t.failed), 0
	for _, name := range slices.Sorted(maps.Keys(r.tests)) {
		one := r.tests[name]
		if failed := one.action == "fail" || one.action == unended; failed && !r.childFailed(name) {
			t.fail(pkg, name, map[string]string{unended: "it did not end"}[one.action])
		}
		if one.parent {
			continue
		}
		ran++
		switch one.action {
		case "pass":
			t.passed++
		case "skip":
			t.skip(pkg, name, reason(one.output.String()))
		}
	}
	failedHere := len(t.failed) - failedBefore
	if e.Action == "fail" && failedHere == 0 {
		t.fail(pkg, "", "the package failed, no test of it did")
	}

	word, note := "ok  ", ""
	if e.Action == "fail" {
		word = "FAIL"
	}
	if strings.Contains(r.output.String(), "(cached)") {
		note = ", from the cache"
	}
	fmt.Fprintf(t.out, "%s  %-44s %7.2fs  %d tests%s\n", word, pkg, e.Elapsed, ran, note)
	if e.Action == "fail" {
		t.explain(e, r)
	}
}

// unended marks a test under which the process ended: a panic elsewhere, a
// timeout, a call of os.Exit.
const unended = "unended"

// end marks the tests that never ended, once their package has.
func (r *run) end(action string) {
	for _, one := range r.tests {
		if one.action == "" && action == "fail" {
			one.action = unended
		}
	}
}

// childFailed says whether a sub-test of the named test failed.
func (r *run) childFailed(name string) bool {
	for other, one := range r.tests {
		if strings.HasPrefix(other, name+"/") && (one.action == "fail" || one.action == unended) {
			return true
		}
	}
	return false
}

// explain prints what a failed package's tests printed.
func (t *tally) explain(e event, r *run) {
	for _, name := range slices.Sorted(maps.Keys(r.tests)) {
		if one := r.tests[name]; one.action == "fail" || one.action == unended {
			fmt.Fprint(t.out, indent(one.output.String()))
		}
	}
	fmt.Fprint(t.out, indent(t.builds[e.FailedBuild]), indent(r.output.String()))
}

// indent sets off what a test printed, without the lines by which go test tells
// whose turn it is.
func indent(s string) string {
	var out strings.Builder
	for line := range strings.Lines(s) {
		if !strings.HasPrefix(line, "=== ") {
			out.WriteString("    " + strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	return out.String()
}

// skip counts a test that skipped itself, as failed where it may not.
func (t *tally) skip(pkg, name, why string) {
	switch {
	case t.strict && strings.HasPrefix(why, toolMissing):
		t.fail(pkg, name, "skipped, "+why+"; with ALL=1 and in CI no tool may be missing")
	case t.strict && t.reference && strings.HasPrefix(why, referenceData):
		t.fail(pkg, name, "skipped, "+why+"; the folder is there, so none may skip")
	default:
		t.skipped = append(t.skipped, line{pkg, name, why})
	}
}

// message matches what t.Skip and t.Log print: "    file_test.go:12: text".
var message = regexp.MustCompile(`(?m)^\s+\S+\.go:\d+: (.*)$`)

// reason is what a skipped test printed last.
func reason(output string) string {
	found := message.FindAllStringSubmatch(output, -1)
	if len(found) == 0 {
		return "no reason given"
	}
	return strings.TrimSpace(found[len(found)-1][1])
}
