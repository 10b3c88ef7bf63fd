package main

import (
	"strings"
	"testing"
)

// count feeds events, one JSON object a line, and returns the tally and what it
// printed, the summary with it.
func count(t *testing.T, strict, reference bool, events string) (*tally, string, bool) {
	t.Helper()
	var out strings.Builder
	tally := newTally(&out, strict, reference)
	if err := read(strings.NewReader(events), tally); err != nil {
		t.Fatal(err)
	}
	good := tally.sum()
	return tally, out.String(), good
}

const onePass = `{"Action":"run","Package":"tillbook.example/tillbook/shared/money","Test":"TestAdd"}
{"Action":"pass","Package":"tillbook.example/tillbook/shared/money","Test":"TestAdd"}
{"Action":"output","Package":"tillbook.example/tillbook/shared/money","Output":"ok  \ttillbook.example/tillbook/shared/money\t(cached)\n"}
{"Action":"pass","Package":"tillbook.example/tillbook/shared/money","Elapsed":0.5}
`

func TestWhatEndsARun(t *testing.T) {
	t.Parallel()
	skip := func(why string) string {
		return onePass + `{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:3: starting\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:4: ` + why + `\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p"}
`
	}
	for _, c := range []struct {
		name              string
		strict, reference bool
		events            string
		last              string
		good              bool
		says              []string
	}{
		{
			name: "no test at all is not a good run", events: `{"Action":"skip","Package":"p"}`,
			last: "0 passed, 0 failed, 0 skipped", says: []string{"No test ran", "0 packages tested, 1 without tests"},
		},
		{
			name: "only skipped tests are not a good run", events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`,
			last: "0 passed, 0 failed, 1 skipped", says: []string{"p TestA: no reason given"},
		},
		{
			name: "a passed test is", events: onePass,
			last: "1 passed, 0 failed, 0 skipped", good: true,
			says: []string{"ok    shared/money", "1 tests, from the cache", "1 packages tested"},
		},
		{
			name: "a failed test is named and what it printed is shown", events: onePass + `{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:3: off by a cent\n"}
{"Action":"fail","Package":"p","Test":"TestB"}
{"Action":"fail","Package":"p","Elapsed":0.5}`,
			last: "1 passed, 1 failed, 0 skipped", says: []string{"FAIL  p", "off by a cent", "Failed: 1\n  p TestB\n"},
		},
		{
			name: "a package that does not build fails, with the compiler's words", events: onePass + `{"ImportPath":"p [p.test]","Action":"build-output","Output":"p.go:3:1: undefined: x\n"}
{"ImportPath":"p [p.test]","Action":"build-fail"}
{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
			last: "1 passed, 1 failed, 0 skipped", says: []string{"undefined: x", "p: the package failed, no test of it did"},
		},
		{
			name: "a test under which the process ends has failed", events: onePass + `{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"fail","Package":"p"}`,
			last: "1 passed, 1 failed, 0 skipped", says: []string{"p TestB: it did not end"},
		},
		{
			name: "a package that never ends has failed", events: onePass + `{"Action":"run","Package":"p","Test":"TestB"}`,
			last: "1 passed, 1 failed, 0 skipped", says: []string{"p: it did not end"},
		},
		{
			name: "sub-tests count, their parent does not", events: `{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"run","Package":"p","Test":"TestB/one"}
{"Action":"pass","Package":"p","Test":"TestB/one"}
{"Action":"run","Package":"p","Test":"TestB/two"}
{"Action":"fail","Package":"p","Test":"TestB/two"}
{"Action":"fail","Package":"p","Test":"TestB"}
{"Action":"fail","Package":"p"}`,
			last: "1 passed, 1 failed, 0 skipped", says: []string{"Failed: 1\n  p TestB/two\n"},
		},
		{
			name: "whether they pass or fail", events: `{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"run","Package":"p","Test":"TestB/one"}
{"Action":"pass","Package":"p","Test":"TestB/one"}
{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p"}`,
			last: "1 passed, 0 failed, 0 skipped", good: true, says: []string{"1 tests"},
		},
		{
			name: "a parent that fails by itself counts", events: `{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"run","Package":"p","Test":"TestB/one"}
{"Action":"pass","Package":"p","Test":"TestB/one"}
{"Action":"fail","Package":"p","Test":"TestB"}
{"Action":"fail","Package":"p"}`,
			last: "1 passed, 1 failed, 0 skipped", says: []string{"Failed: 1\n  p TestB\n"},
		},
		{
			name: "a skip for a tool is allowed where not all is asked for", events: skip("tool missing: hledger"),
			last: "1 passed, 0 failed, 1 skipped", good: true,
			says: []string{"Skipped for a missing tool: 1\n  p TestB: tool missing: hledger\n"},
		},
		{
			name: "and is a failure where it is", strict: true, events: skip("tool missing: hledger"),
			last: "1 passed, 1 failed, 0 skipped", says: []string{"p TestB: skipped, tool missing: hledger"},
		},
		{
			name: "a skip for reference data is allowed when it is not there", strict: true, events: skip("reference data: TILLBOOK_REFERENCE is not set"),
			last: "1 passed, 0 failed, 1 skipped", good: true,
			says: []string{"Skipped for reference data: 1\n  p TestB: reference data: TILLBOOK_REFERENCE is not set\n"},
		},
		{
			name: "and is a failure when it is", strict: true, reference: true, events: skip("reference data: samples/x is not there"),
			last: "1 passed, 1 failed, 0 skipped", says: []string{"the folder is there"},
		},
		{
			name: "any other reason is named", strict: true, reference: true, events: skip("it is Sunday"),
			last: "1 passed, 0 failed, 1 skipped", good: true, says: []string{"Skipped for other reasons: 1\n  p TestB: it is Sunday\n"},
		},
		{
			name: "lines that are no events pass through", events: "go: something odd\n" + onePass,
			last: "1 passed, 0 failed, 0 skipped", good: true, says: []string{"go: something odd\n"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, out, good := count(t, c.strict, c.reference, c.events)
			if !strings.HasSuffix(out, "\n"+c.last+"\n") {
				t.Errorf("the output does not close with %q:\n%s", c.last, out)
			}
			if good != c.good {
				t.Errorf("good = %v, want %v:\n%s", good, c.good, out)
			}
			for _, want := range c.says {
				if !strings.Contains(out, want) {
					t.Errorf("the output lacks %q:\n%s", want, out)
				}
			}
		})
	}
}

func TestOutputOfPassedTestsIsNotShown(t *testing.T) {
	t.Parallel()
	_, out, _ := count(t, false, false, `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"fail","Package":"p","Test":"TestB"}
{"Action":"fail","Package":"p"}`)
	if strings.Contains(out, "===") {
		t.Errorf("it is shown whose turn it was:\n%s", out)
	}
	if strings.Contains(out, "chatter") {
		t.Errorf("what a passed test printed is shown:\n%s", out)
	}
}
