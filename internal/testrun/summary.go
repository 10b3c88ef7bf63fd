package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// sum prints the summary and says whether the run was good: some test passed
// and nothing failed. The closing line has a fixed form that other programs
// read.
func (t *tally) sum() bool {
	for _, pkg := range slices.Sorted(maps.Keys(t.running)) {
		t.fail(strings.TrimPrefix(pkg, module), "", "it did not end")
	}
	fmt.Fprintf(t.out, "\n%d packages tested, %d without tests\n", t.tested, t.untested)
	t.list("Failed", t.failed)
	var tools, reference, other []line
	for _, l := range t.skipped {
		switch {
		case strings.HasPrefix(l.text, toolMissing):
			tools = append(tools, l)
		case strings.HasPrefix(l.text, referenceData):
			reference = append(reference, l)
		default:
			other = append(other, l)
		}
	}
	t.list("Skipped for a missing tool", tools)
	t.list("Skipped for reference data", reference)
	t.list("Skipped for other reasons", other)
	if t.passed == 0 && len(t.failed) == 0 {
		fmt.Fprintln(t.out, "No test ran, so nothing is shown to work.")
	}
	fmt.Fprintf(t.out, "%d passed, %d failed, %d skipped\n", t.passed, len(t.failed), len(t.skipped))
	return t.passed > 0 && len(t.failed) == 0
}

func (t *tally) list(title string, lines []line) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(t.out, "%s: %d\n", title, len(lines))
	for _, l := range lines {
		fmt.Fprintf(t.out, "  %s\n", l)
	}
}
