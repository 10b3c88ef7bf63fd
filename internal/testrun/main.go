// Command testrun is `make test`: it says which outside tools the tests can
// use, installs the light ones that are missing, runs every test of every
// module, and sums up what passed, what failed and what was skipped for which
// reason. It never calls a run good in which no test ran, and with -all or
// CI=true it counts a test that was skipped for want of a tool, or for want of
// reference data that is there, as failed.
//
// It does not choose how a test works or what it needs: a test that lacks
// something skips itself, with a reason that begins with one of two prefixes
// (see tally.go). It needs nothing but the standard library, so that it runs
// before anything else has been fetched.
//
//	go run ./internal/testrun [-all] [-install=false] [PACKAGES]
//
// Without PACKAGES it runs everything. The last line of its output always reads
// "N passed, N failed, N skipped".
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
)

// referenceVariable names the folder of real sample files and vendors'
// contracts that lie outside the project.
const referenceVariable = "TILLBOOK_REFERENCE"

func main() {
	all := flag.Bool("all", false, "install the heavy tools too, and let no test skip for want of one")
	install := flag.Bool("install", true, "install missing tools with the system's package manager")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	folder, err := reference(os.Getenv(referenceVariable), ".")
	if err == nil && folder != "" {
		err = os.Setenv(referenceVariable, folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(1)
	}

	strict := *all || os.Getenv("CI") == "true"
	system := system{look: exec.LookPath, run: runCommand, root: os.Geteuid() == 0, out: os.Stdout}
	system.prepare(ctx, testTools, *all, *install)

	tally := newTally(os.Stdout, strict, folder != "")
	for _, suite := range suites(flag.Args()) {
		suite.run(ctx, tally, strict)
	}
	if !tally.sum() {
		os.Exit(1)
	}
}

// reference is the folder of reference data: the one that is set, or else
// ../shared beside the checkout when it has a samples folder, or else none.
// A folder that is set but not there is an error: its tests would all skip.
func reference(set, checkout string) (string, error) {
	if set != "" {
		if !isFolder(set) {
			return "", fmt.Errorf("%s is %q, which is not a folder; set it to the folder that holds samples/, or unset it", referenceVariable, set)
		}
		return filepath.Abs(set)
	}
	beside := filepath.Join(checkout, "..", "shared")
	if !isFolder(filepath.Join(beside, "samples")) {
		return "", nil
	}
	return filepath.Abs(beside)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
