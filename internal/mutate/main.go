// Command mutate asks of a package's tests whether they would notice a mistake.
// It changes one thing of the code at a time (a comparison, a sign, a constant, a
// statement that is left out), runs the package's tests over the change, and
// lists the changes that no test noticed. The files themselves are never written:
// the compiler is handed each change as an overlay.
//
//	go run ./internal/mutate [-n 100] [-seed 1] [-tests PATTERN...] FOLDER
//
// A change that does not compile is none. Which changes are tried is drawn by the
// seed. Exit code 1 where fewer than -least percent were noticed.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		code = 2
	}
	os.Exit(code)
}
