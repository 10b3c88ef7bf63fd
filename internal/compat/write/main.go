// Command write leaves in a new folder what this version writes and sends, for
// later versions to read. It runs a real outbox, uplink and intake on fixed sales;
// only ids, keys and times differ from run to run.
//
//	go run ./internal/compat/write internal/compat/testdata/v1.2.3
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: write FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "write corpus:", err)
		os.Exit(1)
	}
}
