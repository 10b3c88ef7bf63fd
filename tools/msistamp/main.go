// Command msistamp gives an MSI that wixl made the times and the package code it
// should have, so that the same sources always give the same bytes. It changes
// nothing but the summary, and refuses a file whose summary is not where it
// expects it.
//
//	msistamp FILE.msi SECONDS PACKAGE-CODE
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "msistamp:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return errors.New("usage: msistamp FILE.msi SECONDS PACKAGE-CODE")
	}
	seconds, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	msi, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	if err := stamp(msi, seconds, "{"+strings.ToUpper(args[2])+"}"); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return os.WriteFile(args[0], msi, 0o644)
}
